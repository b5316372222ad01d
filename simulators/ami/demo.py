"""A living switchboard: seeded random callers, five operators, three queues, told in real time.

Callers have numbers of the ranges that ARCEP reserves for fiction (0199 00 xx xx, 06 39 98 xx xx).
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import random
from typing import TYPE_CHECKING, TypeVar

from simulators.ami.plan import BlindTransfer, Phone, Plan, QueueVisit, Voicemail
from simulators.ami.story import story
from simulators.ami.switchboard import Switchboard

if TYPE_CHECKING:
    from collections.abc import Iterator

    from simulators.ami.event import Event
    from simulators.ami.server import AmiServer

_T = TypeVar("_T")
RING_SECONDS = 5.0  # the French ring cycle, 1.5 s of tone and 3.5 s of silence
MEAN_GAP_SECONDS = 3.0
DDIS = {"standard": "0102030405", "permanence": "0102030406", "crise": "0102030407"}
OPERATORS = {
    "PJSIP/op1": "Camille Durand",
    "PJSIP/op2": "Mathis Lefèvre",
    "PJSIP/op3": "Inès Moreau",
    "PJSIP/op4": "Hélène Garnier",
    "PJSIP/op5": "Youssef Benali",
}
STAFF = {
    "standard": ("PJSIP/op1", "PJSIP/op2", "PJSIP/op3", "PJSIP/op4", "PJSIP/op5"),
    "permanence": ("PJSIP/op4", "PJSIP/op5"),
    "crise": ("PJSIP/op1", "PJSIP/op2", "PJSIP/op3"),
}
SERVICES = {"3001": "PJSIP/etatcivil", "3002": "PJSIP/cartegrise", "3003": "PJSIP/etrangers"}
_QUEUE_SHARES = {"standard": 80, "permanence": 12, "crise": 8}
_RING_SHARES = {1: 58, 2: 28, 3: 10, 4: 4}
_FATE_SHARES = {"answered": 71, "transferred": 6, "rejected first": 7, "late": 4, "abandoned": 9, "voicemail": 3}
_WRAP_UP_SECONDS = 0.5


def demo_switchboard(booted_at: float) -> Switchboard:
    """Return the demo's queues, members and phones; ``booted_at`` is in Unix seconds."""
    queues = {queue: {phone: OPERATORS[phone] for phone in phones} for queue, phones in STAFF.items()}
    return Switchboard(queues, phones=SERVICES.values(), booted_at=booted_at)


async def play(server: AmiServer, *, seed: int, speed: float = 1.0) -> None:
    """Tell the demo's traffic to a server until cancelled; a restarted switchboard gets new callers.

    Args:
        server: a running server whose switchboard is :func:`demo_switchboard`'s.
        seed: the same seed gives the same calls.
        speed: 2.0 tells everything twice as fast, so that a ring lasts half its time.
    """
    loop = asyncio.get_running_loop()
    for life in itertools.count():
        booted_at, started = server.switchboard.booted_at, loop.time()
        for moment, event in traffic(seed + life, starts_at=server.now()):
            await asyncio.sleep(started + moment / speed - loop.time())
            if server.switchboard.booted_at != booted_at:
                break
            server.emit(event)


def traffic(seed: int, *, starts_at: float) -> Iterator[tuple[float, Event]]:
    """Yield the events of all calls in order of time, without end: seconds since the start, and the event.

    Pure: the same arguments yield the same events. ``starts_at`` is in Unix seconds; the first caller comes at once.
    """
    planner, serials = _Planner(seed), itertools.count()
    coming: list[tuple[float, int, Event]] = []
    order = itertools.count()
    arrival = 0.0
    while True:
        plan = planner.next_plan(arrival)
        told = story(plan, starts_at=starts_at + arrival, serials=serials)
        planner.engage(arrival, told)
        for offset, event in told:
            heapq.heappush(coming, (arrival + offset, next(order), event))
        arrival += planner.next_gap()
        while coming and coming[0][0] < arrival:
            moment, _, event = heapq.heappop(coming)
            yield moment, event


class _Planner:
    """Decides what becomes of each caller, and keeps the book of which phone is engaged until when."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._free_at = dict.fromkeys(OPERATORS, 0.0)

    def next_gap(self) -> float:
        """Seconds to the next caller (a Poisson process)."""
        return self._random.expovariate(1 / MEAN_GAP_SECONDS)

    def next_plan(self, arrival: float) -> Plan:
        """Decide the call that arrives at this moment."""
        queue, fate = self._draw(_QUEUE_SHARES), self._draw(_FATE_SHARES)
        transferred, to_voicemail = fate == "transferred", fate == "voicemail"
        visit = QueueVisit(
            queue=queue,
            phones=self._phones(queue, fate, arrival),
            ring_seconds=15.0,
            retry_seconds=1.0,
            timeout_seconds=25 if to_voicemail else 60,
        )
        return Plan(
            caller=self._number(),
            ddi=DDIS[queue],
            queues=(visit,),
            talk_seconds=self._random.uniform(3.0, 7.0),
            patience=None if to_voicemail else self._patience(fate),
            transfer=self._transfer() if transferred else None,
            voicemail=Voicemail(mailbox="9100", seconds=self._random.uniform(4.0, 8.0)),
        )

    def engage(self, arrival: float, told: list[tuple[float, Event]]) -> None:
        """Note until when the story keeps each operator's phone."""
        for offset, event in told:
            phone = event.get("Channel").rpartition("-")[0]
            if event.name == "Hangup" and phone in self._free_at:
                self._free_at[phone] = max(self._free_at[phone], arrival + offset + _WRAP_UP_SECONDS)

    def _phones(self, queue: str, fate: str, arrival: float) -> tuple[Phone, ...]:
        """The phone that is free first, and after a rejection the next."""
        soonest = sorted(STAFF[queue], key=lambda phone: (self._free_at[phone], self._random.random()))
        free_at = {phone: max(0.0, self._free_at[phone] - arrival) for phone in soonest[:2]}
        first, second = soonest[:2]
        if fate in ("abandoned", "voicemail"):
            return (self._phone(first, free_at[first]),)
        if fate == "rejected first":
            rejecting = self._phone(first, free_at[first], rejects_after=self._random.uniform(1.0, 4.0))
            return rejecting, self._phone(second, free_at[second], answers_at=self._answers_at(free_at[second]))
        answers_at = self._random.uniform(20.5, 28.0) if fate == "late" else self._answers_at(free_at[first])
        return (self._phone(first, free_at[first], answers_at=answers_at),)

    def _phone(
        self,
        interface: str,
        free_at: float,
        *,
        answers_at: float | None = None,
        rejects_after: float | None = None,
    ) -> Phone:
        return Phone(
            interface=interface,
            member_name=OPERATORS[interface],
            free_at=free_at,
            answers_at=answers_at,
            rejects_after=rejects_after,
        )

    def _answers_at(self, free_at: float) -> float:
        """When the operator answers: in one of the first four rings, or at once if callers had to wait."""
        if free_at > 0:
            return free_at + self._random.uniform(0.5, 3.0)
        begun = self._draw(_RING_SHARES) - 1
        return (begun + self._random.uniform(0.3, 0.95)) * RING_SECONDS

    def _patience(self, fate: str) -> float:
        return self._random.uniform(3.0, 18.0) if fate == "abandoned" else self._random.uniform(36.0, 55.0)

    def _transfer(self) -> BlindTransfer:
        extension = self._random.choice(sorted(SERVICES))
        after, answers_after = self._random.uniform(3.0, 6.0), self._random.uniform(2.0, 8.0)
        return BlindTransfer(
            extension=extension,
            interface=SERVICES[extension],
            after=after,
            answers_after=answers_after,
        )

    def _number(self) -> str:
        return self._random.choice(("019900", "063998")) + f"{self._random.randrange(10_000):04d}"

    def _draw(self, shares: dict[_T, int]) -> _T:
        return self._random.choices(list(shares), weights=list(shares.values()))[0]
