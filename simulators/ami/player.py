"""Plays a plan: each call told from tapes, all together in order of time, through an AMI server."""

from __future__ import annotations

import asyncio
import heapq
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING

from simulators.ami.casting import cast
from simulators.ami.telling import Caller, tell
from simulators.ami.witness import cut_short, truth_of
from simulators.plan import PlannedCall, PlannedPause
from telemon.instants import SECOND, from_seconds, to_seconds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from simulators.ami.faults import Fault
    from simulators.ami.library import Library
    from simulators.ami.server import AmiServer
    from simulators.ami.tape import TapedEvent
    from simulators.site import Site
    from simulators.truth import CallTruth
    from telemon.instants import Instant

# Between two looks at what clients have asked meanwhile, when no time passes by itself.
_EVENTS_PER_TURN = 200


@dataclass(slots=True, eq=False)
class _LiveCall:
    """A call under way: what is still to be told of it, and its uniqueid once that is known."""

    planned: PlannedCall
    arrives_at: Instant
    told: Iterator[tuple[Instant, TapedEvent]]
    uniqueid: str = ""


class Player:
    """Plays one plan to one server."""

    def __init__(
        self,
        server: AmiServer,
        site: Site,
        library: Library,
        *,
        starts_at: float,
        on_truth: Callable[[CallTruth], None],
    ) -> None:
        """Prepare to play.

        Args:
            server: its clock says when, its switchboard what else follows.
            site: the switchboard that is played.
            library: the tapes.
            starts_at: Unix seconds from which the plan counts.
            on_truth: is given the truth of each call when it is over.
        """
        self.server = server
        self._site = site
        self._library = library
        self._starts_at = from_seconds(starts_at)
        self._on_truth = on_truth
        self._numbers = server.numbers
        self._phones = {phone: extension for extension, phone in site.extensions.items()}
        self._members = server.switchboard.member_names
        self._coming: list[tuple[Instant, int, Callable[[Instant], None]]] = []
        self._order = count()
        self._done = 0
        self._live: set[_LiveCall] = set()
        self.over = 0

    @property
    def under_way(self) -> int:
        """How many calls there are now."""
        return len(self._live)

    async def play(self, items: Iterable[PlannedCall | PlannedPause], faults: Iterable[Fault] = ()) -> None:
        """Tell everything; return when the last call is over.

        Args:
            items: in order of time.
            faults: what goes wrong meanwhile.
        """
        for fault in faults:
            self._prepare(fault)
        for item in items:
            begins = item.arrives_at if isinstance(item, PlannedCall) else item.begins
            at = self._starts_at + from_seconds(begins)
            await self._tell_until(at)
            self._begin(item, at)
        await self._tell_until(None)

    async def play_told(self, told: Iterable[tuple[Instant, TapedEvent]], faults: Iterable[Fault] = ()) -> None:
        """Tell events that are ready to be told, in order of time; their truth is the business of who made them."""
        for fault in faults:
            self._prepare(fault)
        for at, event in told:
            await self._tell_until(at)
            self.server.emit(event, self.server.clock.shown(at / SECOND))
        await self._tell_until(None)

    def _begin(self, item: PlannedCall | PlannedPause, at: Instant) -> None:
        if isinstance(item, PlannedCall):
            if self.server.is_up:  # to a caller, a switchboard that is down does not exist
                self._arrive(item, at)
        else:
            ends = self._starts_at + from_seconds(item.ends)
            self._plan(at, lambda now: self._pause(item, now, paused=True))
            self._plan(ends, lambda now: self._pause(item, now, paused=False))

    def _arrive(self, planned: PlannedCall, at: Instant) -> None:
        caller = Caller(number=planned.caller, ddi=planned.ddi, arrives_at=at)
        parts = cast(planned, self._site.line(planned.service), self._library)
        told = tell(caller, parts, self._numbers, members=self._members, extensions=self._phones)
        call = _LiveCall(planned, at, told)
        self._live.add(call)
        self._go_on(call)

    def _go_on(self, call: _LiveCall) -> None:
        """Plan the next event of a call that makes a difference; if there is none, the call is over."""
        if call not in self._live:
            return
        upcoming = next(((at, event) for at, event in call.told if self.server.concerns(event)), None)
        if upcoming is None:
            self._over(call)
            return
        at, event = upcoming
        call.uniqueid = call.uniqueid or event.get("Uniqueid")
        self._plan(at, lambda now: self._tell(call, event, now))

    def _tell(self, call: _LiveCall, event: TapedEvent, now: Instant) -> None:
        if call in self._live:
            self.server.emit(event, self.server.clock.shown(now / SECOND))
            self._go_on(call)

    def _over(self, call: _LiveCall, cut_at: Instant | None = None) -> None:
        self._live.discard(call)
        self.over += 1
        planned = call.planned
        assert planned.expected is not None
        expected = planned.expected
        if cut_at is not None:
            expected = cut_short(expected, to_seconds(cut_at - call.arrives_at))
        call_id = f"{self._site.name}:{call.uniqueid}"
        self._on_truth(truth_of(planned, expected, arrives_at=call.arrives_at, call_id=call_id))

    def _pause(self, pause: PlannedPause, now: Instant, *, paused: bool) -> None:
        stamp = self.server.clock.shown(now / SECOND)
        for event in self.server.switchboard.pause(f"PJSIP/{pause.phone}", stamp, paused=paused, reason=pause.reason):
            self.server.emit(event, stamp)

    # -- faults

    def _prepare(self, fault: Fault) -> None:
        begins, ends = (self._starts_at + from_seconds(seconds) for seconds in (fault.at, fault.at + fault.lasts))
        server = self.server
        match fault.kind:
            case "cut":
                self._plan(begins, lambda _: server.cut())
            case "freeze":
                self._plan(begins, lambda _: server.freeze())
                self._plan(ends, lambda _: server.thaw())
            case "slow":
                self._plan(begins, lambda _: setattr(server, "bytes_per_second", fault.value))
                self._plan(ends, lambda _: setattr(server, "bytes_per_second", None))
            case "lose":
                self._plan(begins, lambda _: setattr(server, "lost_share", fault.value))
                self._plan(ends, lambda _: setattr(server, "lost_share", 0.0))
            case "step":
                self._plan(begins, lambda _: server.clock.step(fault.value))
            case "restart" | "kill":
                self._plan(begins, lambda now: self._go_down(now, cleanly=fault.kind == "restart"))
                self._plan(ends, lambda _: server.boot())

    def _go_down(self, now: Instant, *, cleanly: bool) -> None:
        self.server.stop(cleanly=cleanly)
        for call in list(self._live):
            self._over(call, now)

    def _plan(self, at: Instant, do: Callable[[Instant], None]) -> None:
        heapq.heappush(self._coming, (at, next(self._order), do))

    async def _tell_until(self, limit: Instant | None) -> None:
        """Do everything that is due before an instant, each when its time has come."""
        while self._coming and (limit is None or self._coming[0][0] < limit):
            at = self._coming[0][0]
            await self._wait_for(at)
            _, _, do = heapq.heappop(self._coming)
            do(at)
            self._done += 1
            if self._done % _EVENTS_PER_TURN == 0:
                await asyncio.sleep(0)
        if limit is not None:
            await self._wait_for(limit)

    async def _wait_for(self, at: Instant) -> None:
        """Let time pass until an instant; where time waits for nobody, wait for slow readers."""
        clock = self.server.clock
        if clock.speed is None and not self.server.keeping_up.is_set():
            await self.server.keeping_up.wait()
        if pause := clock.wait_for(at / SECOND):
            await asyncio.sleep(pause)
