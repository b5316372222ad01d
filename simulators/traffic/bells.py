"""Phones that ring: what queues, bare dials and transfers have in common."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from simulators.plan import Answers, PlannedAttempt, Rejects, RingsOn
from telemon.records import AttemptResult

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from simulators.plan import Behaviour
    from simulators.traffic.agenda import Agenda, Alarm

_RINGS_ON = RingsOn()


class Desk:
    """One phone and whoever sits there; ``pauses`` counts the reasons for which it takes no calls now."""

    __slots__ = ("engaged", "name", "pauses", "wrapped_up_at")

    def __init__(self, name: str) -> None:
        self.name = name
        self.engaged = False  # it rings, or somebody talks
        self.pauses = 0
        self.wrapped_up_at = 0.0

    @property
    def can_ring(self) -> bool:
        """Whether it rings when it is dialled; in use, or set not to be disturbed, it does not."""
        return not self.engaged and not self.pauses

    def is_free(self, now: float) -> bool:
        """Whether a queue may ring it."""
        return self.can_ring and now >= self.wrapped_up_at


class Ring:
    """One phone that rings, or rang, for one caller; times in seconds since the plan's beginning."""

    __slots__ = ("alarm", "begins", "desk", "ends", "queue", "result")

    def __init__(self, desk: Desk, queue: str, begins: float) -> None:
        self.desk = desk
        self.queue = queue
        self.begins = begins
        self.ends = begins
        self.result: AttemptResult | None = None
        self.alarm: Alarm | None = None

    def end(self, now: float, result: AttemptResult) -> None:
        """Stop it; the desk is engaged further if it answered."""
        self.ends, self.result = now, result
        self.desk.engaged = result is AttemptResult.ANSWERED
        if self.alarm is not None:
            self.alarm.call_off()

    def planned(self, arrived: float) -> PlannedAttempt:
        """Return it as the plan states it."""
        assert self.result is not None
        return PlannedAttempt(
            phone=self.desk.name,
            queue=self.queue,
            begins=round(self.begins - arrived, 6),
            lasts=round(self.ends - self.begins, 6),
            result=self.result,
        )


def start(
    agenda: Agenda,
    ring: Ring,
    behaviour: Behaviour | None,
    *,
    deadline: float,
    answered: Callable[[Ring, float], None],
    refused: Callable[[Ring, float], None],
) -> None:
    """Let a phone ring until ``deadline``; what it does sooner is told to ``answered`` or ``refused``."""
    ring.desk.engaged = True
    behaviour = behaviour or _RINGS_ON
    if isinstance(behaviour, Answers) and ring.begins + behaviour.after < deadline:
        ring.alarm = agenda.at(ring.begins + behaviour.after, partial(answered, ring))
    elif isinstance(behaviour, Rejects) and ring.begins + behaviour.after < deadline:
        ring.alarm = agenda.at(ring.begins + behaviour.after, partial(refused, ring))


def stop_all(rings: Iterable[Ring], now: float, result: AttemptResult) -> None:
    """End every phone that still rings."""
    for ring in rings:
        if ring.result is None:
            ring.end(now, result)
