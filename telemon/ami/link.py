"""The lasting link to one Asterisk: connect, log in, take stock, watch, and begin again when it falls."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from typing import TYPE_CHECKING, Any, Final

from telemon.ami import events as ami
from telemon.ami.entrance import Peer, ask, connect, log_in, set_filter
from telemon.ami.events import DEVICE_EVENTS, WANTED
from telemon.errors import (
    AmiError,
    AmiLoginError,
    AmiPermissionError,
    AmiSilenceError,
)
from telemon.instants import from_seconds, parse_stamp, to_seconds
from telemon.journal.entries import Clocked, Heard, Lost
from telemon.observation import GapCause
from telemon.texts import text
from telemon.timekeeping import STEP

if TYPE_CHECKING:
    from collections.abc import Callable

    from telemon.ami.session import Session
    from telemon.ami.wire import Message
    from telemon.instants import Duration, Instant
    from telemon.journal.entries import Entry
    from telemon.observer import Observer
    from telemon.records import CallRecord

log = logging.getLogger(__name__)

FIRST_RETRY_SECONDS: Final = 0.5
LAST_RETRY_SECONDS: Final = 30.0
SWEEP_PINGS: Final = 30  # pings between two lists of channels, by which those never seen to hang up are found

_SNAPSHOT: Final = ("BridgeList", "CoreShowChannels", "QueueStatus", "DeviceStateList")


def wall_clock() -> Instant:
    """Return this machine's time; only for what Asterisk does not stamp itself."""
    return time.time_ns() // 1000


class SteadyClock:
    """The time of day of when it was made, and the time elapsed since: nobody sets it."""

    def __init__(self) -> None:
        self._began = time.time_ns() - time.monotonic_ns()

    def now(self) -> Instant:
        """Return the time."""
        return (time.monotonic_ns() + self._began) // 1000

    def catch_up(self) -> Duration:
        """Follow this machine's clock where it was set since; return by how much."""
        before, self._began = self._began, time.time_ns() - time.monotonic_ns()
        return (self._began - before) // 1000


class Link:
    """Keep one observer fed. ``run`` ends only by cancellation.

    ``connected`` is true from the login to the fall; ``lag`` is how long ago Asterisk formatted the newest events when
    they were used; ``problem`` is the last thing an operator should change, if any. Whatever the observer is given,
    ``keep`` is given first.
    """

    def __init__(
        self,
        peer: Peer,
        observer: Observer,
        on_finished: Callable[[list[CallRecord]], None],
        *,
        keep: Callable[[Entry], object] | None = None,
        rng: random.Random | None = None,
    ) -> None:
        self.peer = peer
        self.observer = observer
        self._keep = keep or (lambda _: None)
        self._clock = SteadyClock()
        self.connected = False
        self.connects = 0
        self.lag: Duration = 0
        self._behind: Duration = 0  # our clock minus Asterisk's
        self.version = ""
        self.problem: str | None = None
        self._on_finished = on_finished
        self._random = rng or random.Random()  # noqa: S311 - spreads reconnects, hides nothing
        self._booted: asyncio.Event = asyncio.Event()
        self._was_stamped = True
        self._ambiguous = 0
        self._failures = 0
        self._steps = 0
        self._went_down = False
        self._silent: Duration = 0
        self._blind_since: Instant | None = None  # until the first login: since telemon began
        self._blind_cause = GapCause.TELEMON_STOPPED

    @property
    def now(self) -> Instant:
        """Asterisk's present time: ours, by as much as the two are apart."""
        behind = self.observer.timekeeper.behind
        return self._clock.now() - (self._behind if behind is None else behind)

    @property
    def _wanted(self) -> frozenset[bytes]:
        return WANTED | DEVICE_EVENTS if self.observer.board.patterns else WANTED

    async def run(self) -> None:
        """Connect, and connect again, until cancelled."""
        self._blind_since = self._clock.now()
        retry = FIRST_RETRY_SECONDS
        while True:
            try:
                await self._live()
            except AmiError as error:
                key = "ami.lost" if self.connected else "ami.failed"
                if self.connected:
                    retry = FIRST_RETRY_SECONDS
                self._fallen(error)
                pause = retry * self._random.uniform(0.5, 1.0)  # not all at the same instant
                reason = str(error).removeprefix(self.peer.name).lstrip(" :")
                self._say(text()(key, pbx=self.peer.name, reason=reason, seconds=pause))
                retry = min(2 * retry, LAST_RETRY_SECONDS)
                await asyncio.sleep(pause)

    async def check(self, listen_seconds: float = 0) -> None:
        """Connect and take stock once, listen for a while, then leave; for ``telemon check``.

        Raises:
            AmiError: the reason why telemon could not work, as one line for the operator.
        """
        session = await connect(self.peer, self._wanted, self._take)
        try:
            await self._enter(session)
            await asyncio.wait({session.closed}, timeout=listen_seconds)
        except AmiSilenceError:
            session.abort()
            raise
        finally:
            await session.close()

    async def _live(self) -> None:
        session = await connect(self.peer, self._wanted, self._take)
        try:
            await self._enter(session)
            await self._watch(session)
        except AmiSilenceError:
            session.abort()
            raise
        finally:
            await session.close()

    # -- getting in

    async def _enter(self, session: Session) -> None:
        """Log in, wait until Asterisk is up, set the filter, and take stock.

        Raises:
            AmiError: the reason why that cannot be.
        """
        peer = self.peer
        try:
            await self._begin(session)
        except TimeoutError:
            self._silent = from_seconds(asyncio.get_running_loop().time() - session.heard_at)
            raise AmiSilenceError(text()("ami.no_answer", pbx=peer.name, host=peer.host, port=peer.port)) from None

    async def _begin(self, session: Session) -> None:
        peer = self.peer
        self._booted.clear()
        await log_in(session, peer)
        self._went_down = False
        await self._wait_for_boot(session)
        if peer.event_filter:
            await set_filter(session, peer, self._wanted)
        settings = await ask(session, self.peer, "CoreSettings")
        self.version = settings.get("AsteriskVersion")
        if self._blind_since is not None:
            await self._ping(session, peer.connect_seconds)  # what time was it there when telemon began?
            self.lose(self._blind_since - self._behind, self._blind_cause)
            self._blind_since = None
        await self.take_stock(session)
        self.connected = True
        self.connects += 1
        self.problem = None
        log.info(
            text()(
                "ami.connected",
                pbx=peer.name,
                version=self.version,
                host=peer.host,
                port=peer.port,
                user=peer.user,
                channels=len(self.observer.tracker.switch.legs),
                members=len(list(self.observer.board.members())),
            )
        )

    async def _wait_for_boot(self, session: Session) -> None:
        """Wait for ``FullyBooted``: before it, Asterisk knows no action of any module."""
        waiting: asyncio.Future[Any] = asyncio.ensure_future(self._booted.wait())
        gone: asyncio.Future[Any] = session.closed
        try:
            await asyncio.wait({waiting, gone}, timeout=self.peer.boot_seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()
        if gone.done():
            gone.result()
        if not self._booted.is_set():
            peer = self.peer
            raise AmiPermissionError(text()("ami.not_booted", pbx=peer.name, seconds=peer.boot_seconds, user=peer.user))

    async def take_stock(self, session: Session) -> None:
        """Ask what exists now; the observer takes the answers as they come, in one order with the events."""
        await self._ping(session, self.peer.connect_seconds)
        for action in _SNAPSHOT:
            await ask(session, self.peer, action)
        await self._ask_switches(session)
        self.observer.end_of_lists(self._clock.now())

    async def _ask_switches(self, session: Session) -> None:
        """Ask for the entries of Asterisk's database that tell whether it is open; nothing tells of their changes."""
        for family, key in self.observer.switch_keys:
            answer = await session.ask("DBGet", ("Family", family), ("Key", key))
            if answer.name == "Error":  # no such entry; an entry comes as an event
                self.observer.miss_entry(family, key, self._clock.now())

    async def _ping(self, session: Session, seconds: float) -> None:
        """Learn that Asterisk lives, and what time it has: a list that follows carries none."""
        pong = await session.ask("Ping", seconds=seconds)
        self._keep_time(parse_stamp(pong.get("Timestamp")))

    def _keep_time(self, clock: Instant | None) -> None:
        received_at = self._clock.now()
        clock = clock if self.observer.decoder.stamped and clock is not None else received_at
        self._behind = received_at - clock  # where events have no time of their own, ours is the only clock
        self._keep(Clocked(received_at, clock))
        self.observer.keep_time(clock, received_at)

    # -- being in

    async def _watch(self, session: Session) -> None:
        """Ping, and list the channels now and then, until the connection falls or falls silent."""
        for turn in range(1, 1 << 62):
            seconds = self.peer.ping_seconds
            await asyncio.wait({session.closed}, timeout=seconds)
            if session.closed.done():
                session.closed.result()
            try:
                await self._ping(session, seconds)
                await self._ask_switches(session)
                if turn % SWEEP_PINGS == 0:
                    await ask(session, self.peer, "CoreShowChannels")
                    self._notice_missing_class()
                if not self.observer.decoder.stamped:
                    await self._follow_our_clock(session)
            except TimeoutError:
                silent = asyncio.get_running_loop().time() - session.heard_at
                if silent < seconds:
                    continue  # busy, but alive: events keep coming
                self._silent = from_seconds(silent)
                raise AmiSilenceError(text()("ami.silence", pbx=self.peer.name, seconds=2 * seconds)) from None

    async def _follow_our_clock(self, session: Session) -> None:
        """Where our clock times the events, its being set is a gap as well."""
        before = self._clock.now()
        moved = self._clock.catch_up()
        if abs(moved) > STEP:
            log.warning(text()("ami.our_clock", pbx=self.peer.name, seconds=to_seconds(moved)))
            self.lose(min(before, before + moved), GapCause.CLOCK_STEPPED)
            await self.take_stock(session)

    def _take(self, messages: list[Message]) -> None:
        """Use the events of one chunk. Called by the session, in the event loop."""
        received_at = self._clock.now()
        observer = self.observer
        events = [message.raw for message in messages if message.kind == "event"]
        if events:
            self._keep(Heard(received_at, b"\r\n\r\n".join([*events, b""])))
        finished = observer.take(messages, received_at)
        if observer.noted:
            self._act_on_noted()
        if observer.decoder.clock is not None:
            self._behind = received_at - observer.decoder.clock
            self.lag = max(0, self._behind)
        if finished:
            self._on_finished(finished)
        if (
            observer.decoder.stamped != self._was_stamped
            or observer.steps != self._steps
            or observer.decoder.ambiguous != self._ambiguous
            or observer.failures != self._failures
        ):
            self._notice()

    def _act_on_noted(self) -> None:
        for event in self.observer.noted:
            if isinstance(event, ami.FullyBooted):
                self._booted.set()
            elif isinstance(event, ami.Shutdown):
                self._went_down = True
                log.warning(text()("ami.shutdown", pbx=self.peer.name))
            else:
                log.info(text()("ami.reloaded", pbx=self.peer.name))
        self.observer.noted.clear()

    def _notice(self) -> None:
        """Say what an operator must know about the stream itself."""
        decoder, pbx = self.observer.decoder, self.peer.name
        if decoder.stamped != self._was_stamped:
            self._was_stamped = decoder.stamped
            if decoder.stamped:
                log.warning(text()("ami.stamped_again", pbx=pbx))
            else:
                self._say(text()("ami.no_timestamps", pbx=pbx))
        if decoder.ambiguous != self._ambiguous:
            self._ambiguous = decoder.ambiguous
            log.warning(text()("ami.ambiguous", pbx=pbx, count=decoder.ambiguous))
        if self.observer.steps != self._steps:
            self._steps = self.observer.steps
            log.warning(text()("ami.clock_stepped", pbx=pbx))
        if self.observer.failures != self._failures:
            self._failures = self.observer.failures
            failure = self.observer.last_failure
            log.error(text()("ami.bug", pbx=pbx, error=type(failure).__name__), exc_info=failure)  # not what it says

    def _notice_missing_class(self) -> None:
        if self.observer.tracker.census.unannounced:
            self._say(
                text()("ami.class_missing", pbx=self.peer.name, user=self.peer.user, needed="call,agent,dialplan")
            )

    def _say(self, problem: str) -> None:
        if problem != self.problem:
            log.error(problem)
        self.problem = problem

    # -- falling out

    def _fallen(self, error: AmiError) -> None:
        """Open the gap where the last byte was heard, not where its absence was noticed."""
        if self._blind_since is not None:
            self._blind_cause = self._cause(error)  # the gap is told once it is known what time it is there
            return
        now = self.now
        if isinstance(error, AmiSilenceError):
            now -= self._silent
        self.connected = False
        self.lose(now, self._cause(error))

    def lose(self, at: Instant, cause: GapCause) -> None:
        """Nothing is seen from now on."""
        self._keep(Lost(at, cause))
        self.observer.lose(at, cause)

    def _cause(self, error: AmiError) -> GapCause:
        if isinstance(error, AmiSilenceError):
            return GapCause.PBX_FROZEN
        if isinstance(error, AmiLoginError | AmiPermissionError):
            return GapCause.LINK_REFUSED
        return GapCause.PBX_DOWN if self._went_down else GapCause.LINK_CUT
