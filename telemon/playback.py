"""Journals and captures read again for good: the calls in them, and what was seen and not seen."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

from telemon.errors import AmiProtocolError
from telemon.instants import from_seconds
from telemon.journal.reader import is_journal, read_entries
from telemon.journal.segments import segments_of
from telemon.observer import Observer
from telemon.records import Provenance
from telemon.reenactment import Reenactment
from telemon.replay import Replay, read_capture
from telemon.tracker import Tracker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from telemon.config import Config
    from telemon.config_pbx import PbxConfig
    from telemon.observation import Interval
    from telemon.records import CallRecord


class Portion(NamedTuple):
    """Calls that are over, and intervals of sight that are."""

    calls: list[CallRecord]
    intervals: list[Interval]


class Playback(Protocol):
    """One journal or capture.

    ``observer`` holds the counters, ``torn`` counts what was no event. ``portions`` tells ``passed`` how many bytes of
    the files it has read since it told it last.
    """

    observer: Observer

    @property
    def torn(self) -> int:
        """How many blocks or records hold no events."""

    def portions(self, passed: Callable[[int], object]) -> Iterator[Portion]:
        """Yield what there is, in order; what was under way at the end comes last.

        Raises:
            CaptureError: the capture cannot be read.
            JournalError: the journal cannot be read.
            AmiProtocolError: a capture that is no AMI.
        """


def playback(path: str, config: Config) -> Playback:
    """Return what lies at ``path``: a journal (its folder, or one segment), or a capture.

    A journal is of the PBX in whose folder it lies, all else of the first one configured.
    """
    return _Journal(Path(path), config) if path != "-" and is_journal(Path(path)) else _Capture(path, config)


def size_of(path: str) -> int:
    """Return how many bytes ``path`` has on disk; 0 where that is not known."""
    place = Path(path)
    if place.is_dir():
        return sum(segment.size for segment in segments_of(place))
    return place.stat().st_size if place.is_file() else 0


class _Capture:
    def __init__(self, path: str, config: Config) -> None:
        pbx = config.pbx[0]
        self._path = path
        self._replay = Replay(
            config.call_site(pbx),
            config.numbering(pbx),
            short_abandon=from_seconds(config.short_abandon_seconds),
            pbx=pbx.name,
            name=_sight(path),
        )
        self.observer = self._replay.observer

    @property
    def torn(self) -> int:
        return self._replay.parser.malformed

    def portions(self, passed: Callable[[int], object]) -> Iterator[Portion]:
        for chunk in read_capture(self._path, passed):
            calls = self._replay.feed(chunk)
            yield Portion(calls, self._over())
        if self._replay.parser.error is not None:
            raise self._replay.parser.error
        yield Portion(self._replay.finish(), self._over(last=True))

    def _over(self, *, last: bool = False) -> list[Interval]:
        """Return the intervals that are over; of a capture without times nothing can be said."""
        intervals = _over(self.observer, last=last)
        return [] if self.observer.decoder.unstamped else intervals


class _Journal:
    def __init__(self, path: Path, config: Config) -> None:
        pbx = _pbx_of(path, config)
        tracker = Tracker(
            config.call_site(pbx),
            config.numbering(pbx),
            short_abandon=from_seconds(config.short_abandon_seconds),
            provenance=Provenance.REPLAYED,
        )
        tolerance = from_seconds(pbx.clock_tolerance_seconds)
        self.observer = Observer(pbx.name, tracker, clock_tolerance=tolerance, name=_sight(str(path)))
        self.torn = 0
        self._path = path

    def portions(self, passed: Callable[[int], object]) -> Iterator[Portion]:
        again = Reenactment(self.observer)
        for number, entry in read_entries(self._path, passed=passed):
            try:
                calls = again.feed(number, entry)
            except AmiProtocolError:
                self.torn += 1
                again = Reenactment(self.observer, number + 1)
                continue
            intervals = _over(self.observer)
            if calls or intervals:
                yield Portion(calls, intervals)
        yield Portion(self.observer.tracker.give_up(), _over(self.observer, last=True))


def _pbx_of(path: Path, config: Config) -> PbxConfig:
    places = {path.resolve(), path.resolve().parent}
    return next((pbx for pbx in config.pbx if config.journal_folder(pbx).resolve() in places), config.pbx[0])


def _sight(path: str) -> str:
    """Return whose sight the intervals are: not the daemon's own, which saw more than this one file of it."""
    return f"replay of {Path(path).resolve().name or path}"


def _over(observer: Observer, *, last: bool = False) -> list[Interval]:
    """Return the intervals that are over; at the end, what goes on ends with what was heard last."""
    over = [interval for interval in observer.watch.take_changed() if interval.ended_at is not None]
    current, reached = observer.watch.current, observer.reached
    if last and current is not None and reached is not None and reached > current.started_at:
        over.append(replace(current, ended_at=reached))
    return over
