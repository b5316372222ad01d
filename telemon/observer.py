"""One PBX under observation: messages in, finished calls out. The same for a live link, a journal and a replay."""

from __future__ import annotations

from collections import defaultdict, deque
from typing import TYPE_CHECKING, Any, Final

from telemon.ami import events as ami
from telemon.ami.decoder import Decoder
from telemon.callbacks.dialled import HEARD, CallsOut
from telemon.instants import SECOND
from telemon.observation import GapCause, Watch
from telemon.operators import Board
from telemon.records import Flag
from telemon.timekeeping import Timekeeper

if TYPE_CHECKING:
    from collections.abc import Iterable

    from telemon.ami.wire import Message
    from telemon.duty.watch import DutyWatch
    from telemon.instants import Duration, Instant
    from telemon.records import CallRecord
    from telemon.timekeeping import Step
    from telemon.tracker import Tracker

_MEMBER_EVENTS = frozenset({
    ami.MemberState, ami.MemberRemoved, ami.ListedMember, ami.MembersListed, ami.ListedQueue, ami.DeviceState,
    ami.DevicesListed, ami.DatabaseValue,
})  # fmt: skip
_NOTEWORTHY = frozenset({ami.FullyBooted, ami.Shutdown, ami.Reloaded})
_LISTS_TO_NOTICE: Final = 2  # before the one that proves it (``telemon.census``)


class Observer:
    """Decode, track and keep account of what was seen.

    ``seen`` counts the events used by type, ``decoder`` those without time or with forged headers, ``failures`` those
    on which telemon itself stumbled, ``last_failure`` saying how. ``steps`` counts how often the PBX's clock was set.

    Args:
        clock_tolerance: see ``telemon.timekeeping.Timekeeper``.
        name: of this daemon, where two watch one PBX.
    """

    def __init__(
        self,
        pbx: str,
        tracker: Tracker,
        devices: tuple[str, ...] = (),
        *,
        clock_tolerance: Duration | None = None,
        name: str = "",
    ) -> None:
        self.pbx = pbx
        self.tracker = tracker
        self.decoder = Decoder()
        self.board = Board(devices)
        self.watch = Watch(pbx, name)
        self.timekeeper = Timekeeper(clock_tolerance)
        self.seen: dict[type, int] = defaultdict(int)
        self.noted: list[Any] = []  # what the link itself must act on
        self.failures = 0
        self.last_failure: Exception | None = None
        self.steps = 0
        self.calls_out = CallsOut(tracker)  # never part of a checkpoint
        self.duty: DutyWatch | None = None  # whom it concerns who could answer; never part of a checkpoint
        self.reached: Instant | None = None  # the PBX's time, as far as anything was heard of it
        self._sighted_at: Instant | None = None  # while the PBX's clock repeats a time: when that will be over
        self._listed_at: deque[Instant] = deque(maxlen=_LISTS_TO_NOTICE)
        self._missed = 0
        self._knows_devices = False  # the lists of queues and devices are complete
        self._duty_sees = False

    def __getstate__(self) -> dict[str, Any]:
        """Return what a checkpoint keeps: not the last failure, which may refer to anything, nor what is told anew."""
        told_anew = {"last_failure": None, "duty": None, "_knows_devices": False, "_duty_sees": False}
        return {name: value for name, value in self.__dict__.items() if name != "calls_out"} | told_anew

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take up what a checkpoint kept."""
        self.__dict__.update(state)
        self.calls_out = CallsOut(self.tracker)

    def take(self, messages: Iterable[Message], received_at: Instant) -> list[CallRecord]:
        """Take events as they arrived; responses and banners pass by. Returns the calls that are over.

        ``received_at`` is of a clock that nobody sets.
        """
        finished: list[CallRecord] = []
        decoder, decode = self.decoder, self.decoder.decode
        least, greatest = self.timekeeper.believable(received_at)
        for message in messages:
            if message.kind != "event":
                continue
            try:
                event = decode(message, received_at)
                if event is not None:
                    clock = decoder.clock
                    if clock is not None and not least <= clock <= greatest:
                        self._hear(clock, received_at)  # first: the calls that this event ends are to be flagged
                        least, greatest = self.timekeeper.believable(received_at)
                    finished += self._use(event, received_at)
            except Exception as error:  # noqa: BLE001 - our own mistake with one event must not blind us to the next
                self.failures += 1
                self.last_failure = error
        if self.decoder.clock is not None:
            self._hear(self.decoder.clock, received_at)
        self._reach(received_at)
        if self.duty is not None and finished:
            self.duty.finished(finished)
        return finished

    def keep_time(self, clock: Instant, received_at: Instant) -> None:
        """Take Asterisk's own time as it told it just now; a list that follows carries none."""
        if self.decoder.stamped:
            self.decoder.clock = clock
            self._hear(clock, received_at)
            self.timekeeper.renew(clock, received_at)
        self._reach(received_at)

    def reconfigure(self, fresh: Observer) -> None:
        """Go on under the configuration of a fresh observer of the same PBX."""
        self.tracker.reconfigure(fresh.tracker.numbering, fresh.tracker.short_abandon)
        self.board.patterns = fresh.board.patterns
        self.watch.observer = fresh.watch.observer
        self.timekeeper.tolerance = fresh.timekeeper.tolerance

    def forget_failures(self) -> None:
        """Begin the count of failures anew: those of a journal lived through again were told before."""
        self.failures, self.last_failure = 0, None

    @property
    def is_lost(self) -> bool:
        """Whether the link is down, or has not shown yet what exists; time that comes twice is a gap as well."""
        return self.tracker.blind_since is not None

    @property
    def events(self) -> int:
        """How many events were used."""
        return sum(self.seen.values())

    def _use(self, event: Any, received_at: Instant) -> list[CallRecord]:
        kind = type(event)
        self.seen[kind] += 1
        if kind in _MEMBER_EVENTS:
            self.board.feed(event)
            self._knows_devices |= kind is ami.DevicesListed
            if self.duty is not None:
                self.duty.hear(event)
                self._tell_duty(self.now(received_at))
            return []
        if kind is ami.NewChannel:
            self.tracker.stamped = self.decoder.stamped
        elif kind in _NOTEWORTHY:
            self.noted.append(event)
            if kind is ami.FullyBooted:
                booted_at = received_at - (self.timekeeper.behind or 0) - event.uptime_seconds * SECOND
                self.watch.learn_of_restart(booted_at)
            return []
        finished = self.tracker.feed(event)
        if kind in HEARD:
            self.calls_out.hear(event)
        elif kind is ami.ChannelsListed:
            self._stock_taken(self.now(received_at))
        return finished

    def lose(self, at: Instant, cause: GapCause) -> None:
        """The link is down: open a gap."""
        self.tracker.lose_link(at)
        self.board.clear()
        self.watch.lose(at, cause)
        self._knows_devices = False
        self._tell_duty(at)
        self._listed_at.clear()
        if cause is GapCause.CLOCK_STEPPED:
            self.tracker.flag_open_calls(Flag.CLOCK_STEPPED)

    def _tell_duty(self, at: Instant) -> None:
        """Tell whether who could answer is known."""
        sees = self._knows_devices and not self.watch.is_blind
        if self.duty is None or sees == self._duty_sees:
            return
        self._duty_sees = sees
        (self.duty.see if sees else self.duty.lose)(at)

    @property
    def switch_keys(self) -> tuple[tuple[str, str], ...]:
        """Family and key of the entries of the PBX's database that tell whether it is open."""
        return () if self.duty is None else self.duty.switch_keys

    def miss_entry(self, family: str, key: str, received_at: Instant) -> None:
        """The PBX's database has no such entry."""
        if self.duty is not None:
            self.duty.entry(self.now(received_at), family, key, None)

    def attend(self, duty: DutyWatch, at: Instant) -> None:
        """Tell somebody from now on who could answer."""
        self.duty, self._duty_sees = duty, False
        duty.look(self.board, at)
        self._tell_duty(at)

    def end_of_lists(self, received_at: Instant) -> None:
        """Take it that all lists are complete; one that Asterisk lacks the module for ends in no event."""
        self._knows_devices = True
        self._tell_duty(self.now(received_at))

    def now(self, received_at: Instant) -> Instant:
        """Return Asterisk's own time where it gives one."""
        return self.decoder.clock or received_at

    def _stock_taken(self, at: Instant) -> None:
        """A list of channels is complete: what it shows to have been missed was missed since the last one but one."""
        missed, self._missed = self.tracker.census.missed - self._missed, self.tracker.census.missed
        if missed and self._listed_at:
            self.watch.lose(self._listed_at[0], GapCause.EVENTS_DROPPED)
            self.watch.see(self._listed_at[-1])
            if self.duty is not None:
                self.duty.doubt(self._listed_at[0], self._listed_at[-1])
        self._listed_at.append(at)
        if self._sighted_at is None or at >= self._sighted_at:
            self._sighted_at = None
            self.watch.see(at)

    def _hear(self, clock: Instant, received_at: Instant) -> None:
        step = self.timekeeper.hear(clock, received_at)
        if step is not None:
            self._stepped(step)
        if self._sighted_at is not None and clock >= self._sighted_at and not self.is_lost:
            self.watch.see(self._sighted_at)
            self._tell_duty(self._sighted_at)
            self._sighted_at = None

    def _reach(self, received_at: Instant) -> None:
        if self.decoder.clock is not None or not self.decoder.stamped:  # else the PBX's time is not known yet
            self.reached = max(self.reached or 0, self.now(received_at))

    def _stepped(self, step: Step) -> None:
        """The PBX's clock was set: the time between is a gap, though events went on, for no instant in it is sure."""
        self.steps += 1
        self.tracker.flag_open_calls(Flag.CLOCK_STEPPED)
        if self.watch.is_blind:
            return
        self.watch.lose(min(step), GapCause.CLOCK_STEPPED)
        self._tell_duty(min(step))
        self._sighted_at = max(step)
