"""A capture of raw AMI bytes, read again as if it were live."""

from __future__ import annotations

import gzip
import sys
import zlib
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Final, cast

import zstandard

from telemon.ami import events as ami
from telemon.ami.decoder import Decoder
from telemon.ami.events import NEEDLES, WANTED
from telemon.ami.wire import Parser
from telemon.errors import CaptureError
from telemon.instants import SECOND, parse_stamp
from telemon.observation import GapCause
from telemon.observer import Observer
from telemon.records import Provenance
from telemon.tracker import DEFAULT_SHORT_ABANDON, Tracker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from telemon.ami.wire import Message
    from telemon.instants import Duration, Instant
    from telemon.records import CallRecord
    from telemon.services import Numbering

CHUNK: Final = 1 << 18
_PACKED_CHUNK: Final = 1 << 14  # AMI packs some twenty times


class Replay:
    """Feed captured bytes in any slices; every banner after the first is a reconnect, and what lies before a gap.

    ``observer`` holds the counters; ``clock`` runs on the capture's own timestamps alone.
    """

    def __init__(
        self,
        site: str,
        numbering: Numbering | None = None,
        *,
        short_abandon: Duration = DEFAULT_SHORT_ABANDON,
        pbx: str = "replay",
        name: str = "",
    ) -> None:
        tracker = Tracker(site, numbering, short_abandon=short_abandon, provenance=Provenance.REPLAYED)
        self.observer = Observer(pbx, tracker, name=name)
        self.parser = Parser(WANTED, NEEDLES, capture=True)
        self._clock = SecondsClock()
        self._connected = False

    def feed(self, data: bytes) -> list[CallRecord]:
        """Return the calls that these bytes end.

        Raises:
            AmiProtocolError: the bytes are no AMI.
        """
        finished: list[CallRecord] = []
        for message in self.parser.receive_data(data):
            if message.kind == "banner":
                if self._connected:
                    self.observer.lose(self.observer.now(self._clock.now), GapCause.LINK_CUT)
                self._connected = True
                continue
            if self.observer.decoder.clock is None:
                self._clock.advance(message)
            finished += self.observer.take((message,), self._clock.now)
        return finished

    def finish(self) -> list[CallRecord]:
        """Return the calls that the capture leaves open."""
        return self.observer.tracker.give_up()


class SecondsClock:
    """Asterisk's time to the second, for a capture without ``Timestamp``.

    What is left then: a uniqueid begins with the second of its channel's creation, and the queue counts whole seconds
    of waiting and talking (apps/app_queue.c).
    """

    def __init__(self) -> None:
        self.now: Instant = 0
        self._decoder = Decoder()
        self._connected_at: dict[str, Instant] = {}
        self._queued_at: dict[str, Instant] = {}

    def advance(self, message: Message) -> None:
        """Move on to the time that this message betrays, if any; never back."""
        event = self._decoder.decode(message, self.now)
        if isinstance(event, ami.NewChannel):
            self._move(parse_stamp(event.uniqueid.rpartition("-")[2].partition(".")[0]) or 0)
        elif isinstance(event, ami.QueueJoin):
            self._queued_at[event.uniqueid] = self.now
        elif isinstance(event, ami.AgentConnect):
            self._move(self._queued_at.get(event.uniqueid, 0) + event.hold_seconds * SECOND)
            self._connected_at[event.uniqueid] = self.now
        elif isinstance(event, ami.AgentComplete):
            self._move(self._connected_at.get(event.uniqueid, 0) + event.talk_seconds * SECOND)
        elif isinstance(event, ami.Hangup):
            self._queued_at.pop(event.uniqueid, None)
            self._connected_at.pop(event.uniqueid, None)

    def _move(self, instant: Instant) -> None:
        self.now = max(self.now, instant)


@contextmanager
def _open(path: str) -> Iterator[tuple[IO[bytes], IO[bytes]]]:
    """Give a capture's stream, and the file beneath it, whose place says how far it was read."""
    if path == "-":
        yield sys.stdin.buffer, sys.stdin.buffer
        return
    with open(path, "rb") as file:  # noqa: PTH123 - its message names the path as it was given
        if path.endswith(".gz"):
            with gzip.open(file, "rb") as stream:
                yield cast("IO[bytes]", stream), file
        else:
            yield file, file


def _chunks(stream: IO[bytes]) -> Iterator[bytes]:
    while chunk := stream.read(CHUNK):
        yield chunk


def _unpacked(stream: IO[bytes]) -> Iterator[bytes]:
    """Unpack zstd frames. Not by ``zstandard.open``, which takes a torn frame for the end of the file."""
    frame = zstandard.ZstdDecompressor().decompressobj()
    while chunk := stream.read(_PACKED_CHUNK):
        while chunk:
            if frame.eof:
                frame = zstandard.ZstdDecompressor().decompressobj()
            yield frame.decompress(chunk)
            chunk = frame.unused_data
    if not frame.eof:
        raise EOFError("the file ends in the middle of a zstd frame")


def read_capture(path: str, passed: Callable[[int], object] = lambda _: None) -> Iterator[bytes]:
    """Yield the raw bytes of a capture: plain, ``.gz``, ``.zst``, or ``-`` for standard input.

    ``passed`` is told, now and then, how many bytes of the file were read since it was told last.

    Raises:
        CaptureError: the file cannot be opened or unpacked.
    """
    try:
        with _open(path) as (stream, file):
            place = 0
            for chunk in (_unpacked if path.endswith(".zst") else _chunks)(stream):
                if path != "-":
                    before, place = place, file.tell()
                    passed(place - before)
                yield chunk
    except (OSError, EOFError, zlib.error, zstandard.ZstdError) as error:
        raise CaptureError(
            f"{path}: cannot be read as a capture ({error}); check the path and its compression"
        ) from error
