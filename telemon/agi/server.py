"""The officers' phone line: Asterisk calls here (FastAGI) for ``dialplans/permanence/presence.conf``.

The event loop owns every connection and every wait; pyst2's AGI object, which blocks, runs in a few threads of its own
and reads through the loop. So a caller who hangs up, says nothing or never ends costs one of ``workers`` and nothing
else, and closing the server ends all of them at once.

AGI is in clear and asks for no password: listen on the loopback. PINs cross it as single keys.
"""

from __future__ import annotations

import asyncio
import logging
import re
import threading
from concurrent.futures import CancelledError, ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

from telemon.agi.line import Action, DutyLine, HungUp
from telemon.agi.lockout import Lockout
from telemon.agi.voice import ANSWERED, BUSY_SOUNDS, Agi, ChannelVoice
from telemon.errors import ConfigError
from telemon.instants import from_datetime, from_seconds
from telemon.texts import text

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from telemon.agi.line import Desk
    from telemon.config_duty import AgiConfig
    from telemon.instants import Duration, Instant

log = logging.getLogger(__name__)
_T = TypeVar("_T")

GREETING_SECONDS: Final = 5.0  # for Asterisk to say which call this is
STEP_SECONDS: Final = 30.0  # for one prompt or one key
CALL_SECONDS: Final = 300.0
CLOSING_SECONDS: Final = 5.0
_LONGEST_LINE: Final = 2048  # pyst2 reads one in a time that grows with its square
_MOST_BYTES: Final = 1 << 18
_MOST_REFUSALS: Final = 16  # told at once; who comes on top of them is cut off without a word
_ACTIONS: Final = frozenset(map(str, Action))
_CHANNEL: Final = re.compile(r"([A-Za-z0-9]+/[A-Za-z0-9_.@+-]{1,80}?)(-[0-9a-f]{8})?(;[12])?")


def now() -> Instant:
    """Return this machine's time."""
    return from_datetime(datetime.now(UTC))


class PinGuard:
    """Counts wrong PINs by number and by phone; see ``telemon.agi.lockout``.

    Numbers that nobody has are counted like the others: else the lock would tell which ones exist.
    """

    def __init__(self, attempts: int, lock: Duration, clock: Callable[[], Instant]) -> None:
        self._numbers = Lockout(attempts, lock)
        self._phones = Lockout(attempts, lock)
        self._clock = clock
        self._mutex = threading.Lock()

    def begin(self, number: str, extension: str) -> bool:
        """Count a try, as wrong for now; False if the number or the phone is locked."""
        with self._mutex:
            at = self._clock()
            if self._is_locked(number, extension, at):
                return False
            return self._numbers.begin(number, at) and self._phones.begin(extension, at)

    def is_locked(self, number: str, extension: str) -> bool:
        """Whether no further try is taken."""
        with self._mutex:
            return self._is_locked(number, extension, self._clock())

    def right(self, number: str, extension: str) -> None:
        """Forget the wrong tries of both."""
        with self._mutex:
            self._numbers.right(number)
            self._phones.right(extension)

    def _is_locked(self, number: str, extension: str, at: Instant) -> bool:
        keys = ((self._numbers, number), (self._phones, extension))
        return any(lockout.locked_until(key, at) is not None for lockout, key in keys)


class AgiServer:
    """Answers the phone; ``port`` is the one it listens on, once started.

    Args:
        settings: where to listen (port 0: any that is free), how many calls at a time (who calls on top of them is told
            to call again), and how many wrong PINs lock for how long.
        desk: what officers can do.
        clock: what time it is.
        folder: of the prompts, below Asterisk's folder of each language (``telemon prompts``).
    """

    def __init__(
        self, settings: AgiConfig, desk: Desk, *, clock: Callable[[], Instant] = now, folder: str = "telemon"
    ) -> None:
        self.port = settings.port
        self._desk = desk
        self._guard = PinGuard(settings.attempts, from_seconds(settings.lock_minutes * 60), clock)
        self._host = settings.host
        self._workers = settings.workers
        self._folder = folder
        self._pool = ThreadPoolExecutor(settings.workers, thread_name_prefix="agi")
        self._server: asyncio.Server | None = None
        self._calls: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        self._busy = 0
        self._refusals = 0
        self._is_stopping = False

    async def start(self) -> None:
        """Begin to listen.

        Raises:
            ConfigError: the address is taken, or none of this machine's.
        """
        try:
            self._server = await asyncio.start_server(self._accept, self._host, self.port, limit=_LONGEST_LINE)
        except OSError as error:
            values = {"host": self._host, "port": self.port, "reason": error.strerror}
            raise ConfigError(text()("presence.address", **values)) from error
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Hang up on everybody and stop listening."""
        self._is_stopping = True
        if self._server is not None:
            self._server.close()
        for writer in self._calls.values():
            writer.transport.abort()
        if self._calls:
            await asyncio.wait(self._calls, timeout=CLOSING_SECONDS)
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._calls[task] = writer
        loop = asyncio.get_running_loop()
        end = loop.call_later(CALL_SECONDS, writer.transport.abort)
        try:
            if self._is_stopping:
                return
            if self._busy < self._workers:
                await self._serve(reader, writer)
            elif self._refusals < _MOST_REFUSALS:
                await self._refuse(reader, writer)
        finally:
            end.cancel()
            del self._calls[task]
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()
        self._busy += 1
        try:
            await loop.run_in_executor(self._pool, self._talk, _Lines(loop, reader, writer))
        finally:
            self._busy -= 1

    async def _refuse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        log.warning("phone line: a call refused, %d are under way", self._busy)
        self._refusals += 1
        try:
            with suppress(OSError, ValueError, EOFError, TimeoutError):
                async with asyncio.timeout(STEP_SECONDS):
                    while (await reader.readline()).strip():
                        pass
                    writer.write(" ".join(ANSWERED).encode() + b"\n")
                    await reader.readline()
                    for sound in (f"{self._folder}/busy", *BUSY_SOUNDS):
                        writer.write(f'STREAM FILE {sound} ""\n'.encode())
                        if not (await reader.readline()).endswith(b"endpos=0\n"):
                            break
        finally:
            self._refusals -= 1

    def _talk(self, lines: _Lines) -> None:
        """Lead one call; runs in a thread of the pool."""
        try:
            agi = Agi(lines)
            lines.patience = STEP_SECONDS
            asked = agi.env.get("agi_network_script", "")
            if asked not in _ACTIONS:
                log.warning("phone line: the dialplan asks for %.80r, which is none of %s", asked, ", ".join(Action))
                return
            voice = ChannelVoice(agi, self._folder)
            voice.greet()
            extension = phone_of(agi.env.get("agi_channel", ""))
            DutyLine(self._desk, self._guard, voice, extension).run(Action(asked))
        except HungUp as reason:
            log.debug("phone line: the call is over: %s", reason)
        except Exception:  # the thread must serve the next call, whatever was wrong with this one
            log.exception("phone line: a call came to an end by a fault of telemon's")


def phone_of(channel: str) -> str:
    """Return the phone of a channel's name, such as ``PJSIP/duty``; of a Local channel only that it is one.

    The channel's name comes from Asterisk's configuration; a caller's number is what the phone itself says.
    """
    found = _CHANNEL.fullmatch(channel)
    if found is None:
        return ""
    return "Local" if found[1].startswith("Local/") else found[1]


class _Lines:
    """A connection's text streams for a thread: blocking to it, while all the waiting is done in the event loop.

    HungUp wherever the connection ends, falls silent, or has said more than any call does.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.patience = GREETING_SECONDS
        self._loop = loop
        self._reader = reader
        self._writer = writer
        self._left = _MOST_BYTES

    def readline(self) -> str:
        line = self._in_loop(self._read_line)
        self._left -= len(line)
        if self._left < 0:
            raise HungUp("too much was said")
        if not line.endswith(b"\n") or line.strip() == b"HANGUP":  # res_agi.c: sent when the channel is hung up
            raise HungUp("hung up")
        return line.decode("utf-8", "replace")

    def write(self, text: str) -> None:
        self._in_loop(partial(self._send, text.encode("utf-8", "replace")))

    def flush(self) -> None:
        """Nothing is held back."""

    async def _read_line(self) -> bytes:
        async with asyncio.timeout(self.patience):
            return await self._reader.readline()

    async def _send(self, data: bytes) -> None:
        self._writer.write(data)
        async with asyncio.timeout(self.patience):
            await self._writer.drain()

    def _in_loop(self, step: Callable[[], Coroutine[Any, Any, _T]]) -> _T:
        work = step()
        try:
            future = asyncio.run_coroutine_threadsafe(work, self._loop)
        except RuntimeError as error:
            work.close()
            raise HungUp("telemon has ended") from error
        try:
            return future.result(self.patience + CLOSING_SECONDS)
        except (OSError, ValueError, CancelledError) as error:  # TimeoutError is an OSError
            future.cancel()
            raise HungUp(f"{type(error).__name__} {error}") from error
