"""The crisis cell's stopwatch: from the order that calls it together to the first caller whom it answers.

==============  ==================================================================  ========================
stage           reached as soon as                                                  of the record
==============  ==================================================================  ========================
ordered         somebody orders the cell                                            ``ordered_at``
staffed         as many people are signed in at once as the plan names              ``staffed_at``
line open       the PBX's own switch says so, or somebody who opened it             ``line_opened_at``
operational     the first public call of its service is answered by an operator     ``operational_at``
==============  ==================================================================  ========================

Each is stamped once and by itself: a call may be answered before the last colleague is there. The promise is that the
last stage comes in *less* than the deadline after the first; a cell that answers at 60:00.000 000 is late.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from telemon.rates import Verdict

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from telemon.duty_records import Crisis, CrisisMember
    from telemon.instants import Duration, Instant


class Stage(StrEnum):
    """How far a crisis cell has come."""

    ORDERED = "ordered"
    STAFFED = "staffed"
    LINE_OPEN = "line_open"
    OPERATIONAL = "operational"


FIELDS: Final[Mapping[Stage, str]] = {
    Stage.ORDERED: "ordered_at",
    Stage.STAFFED: "staffed_at",
    Stage.LINE_OPEN: "line_opened_at",
    Stage.OPERATIONAL: "operational_at",
}
"""Where the record of a crisis has each stage's instant, in the order of the stages."""


class Step(NamedTuple):
    """One stage of one crisis: when it was reached, how long after the order, how long before the deadline.

    ``margin`` is negative where the deadline had passed by then; all three are None as long as it is not reached.
    """

    stage: Stage
    at: Instant | None
    delay: Duration | None
    margin: Duration | None


def steps(crisis: Crisis) -> tuple[Step, ...]:
    """Return every stage in its order."""
    told = []
    for stage, field in FIELDS.items():
        at: Instant | None = getattr(crisis, field)
        delay = None if at is None else at - crisis.ordered_at
        told.append(Step(stage, at, delay, None if delay is None else crisis.deadline - delay))
    return tuple(told)


def progress(
    crisis: Crisis,
    members: Collection[CrisisMember],
    *,
    line_opened_at: Instant | None,
    first_answered_at: Instant | None,
) -> Crisis:
    """Return the crisis with the stages that are proved now; what was stamped before stays as it is.

    ``line_opened_at`` is when the line was opened (before the order: it was open from the order on), and
    ``first_answered_at`` when the first public call of the service since the order was answered. Nothing before the
    order or from the closure on is a stage of this crisis.
    """
    told = {
        "staffed_at": staffed_at(crisis, members),
        "line_opened_at": None if line_opened_at is None else max(crisis.ordered_at, line_opened_at),
        "operational_at": first_answered_at,
    }
    news: dict[str, Any] = {
        field: at
        for field, at in told.items()
        if at is not None and getattr(crisis, field) is None and _is_during(crisis, at)
    }
    return replace(crisis, **news) if news else crisis


def _is_during(crisis: Crisis, at: Instant) -> bool:
    return crisis.ordered_at <= at and (crisis.closed_at is None or at < crisis.closed_at)


def staffed_at(crisis: Crisis, members: Collection[CrisisMember]) -> Instant | None:
    """Return when as many were signed in as the plan names, None if they never were."""
    arrivals = sorted({crisis.ordered_at, *(member.joined_at for member in members)})
    return next((at for at in arrivals if headcount(members, at) >= crisis.plan), None)


def present(members: Collection[CrisisMember], at: Instant) -> tuple[str, ...]:
    """Return who was signed in at an instant, each once, by name; a stay is [joined, left)."""
    there = {
        member.person
        for member in members
        if member.joined_at <= at and (member.left_at is None or at < member.left_at)
    }
    return tuple(sorted(there))


def headcount(members: Collection[CrisisMember], at: Instant) -> int:
    """Return how many people were signed in at an instant."""
    return len(present(members, at))


def verdict_at(crisis: Crisis, now: Instant) -> Verdict:
    """Return whether the promise was kept; undecided while there is time, or if closed before there was none left."""
    deadline_at = crisis.ordered_at + crisis.deadline
    if crisis.operational_at is not None:
        return Verdict.KEPT if crisis.operational_at < deadline_at else Verdict.BROKEN
    end = now if crisis.closed_at is None else crisis.closed_at
    return Verdict.UNDECIDED if end < deadline_at else Verdict.BROKEN


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """What must not be exceeded while a cell is open: callers waiting at once, one caller's wait, too few people."""

    maximum_waiting: int
    maximum_wait: Duration
    minimum_staff: int


class Limit(StrEnum):
    """Which threshold."""

    WAITING = "waiting"
    WAIT = "wait"
    STAFF = "staff"


class Excess(NamedTuple):
    """A threshold that is exceeded now; of a wait, both values are durations."""

    limit: Limit
    value: int
    allowed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LineNow:
    """What is known of a line at this moment: how many callers wait, and how long the longest of them has waited.

    Where only the ledger is at hand, which has no call under way, ``waiting`` is None and the wait one of late.
    """

    waiting: int | None
    longest_wait: Duration


@dataclass(frozen=True, slots=True, kw_only=True)
class CrisisStatus:
    """A crisis at one instant, with everybody's stays in the cell; ``line`` None where nobody watches the line."""

    crisis: Crisis
    members: tuple[CrisisMember, ...]
    now: Instant
    line: LineNow | None = None

    @property
    def is_open(self) -> bool:
        """Whether the cell is still at work."""
        return self.crisis.closed_at is None

    @property
    def people(self) -> tuple[str, ...]:
        """Who is there now."""
        return present(self.members, self.now)

    @property
    def remaining(self) -> Duration:
        """How much of the deadline is or was left: until the cell answered, was closed, or now; negative once late."""
        crisis = self.crisis
        ends = (at for at in (crisis.operational_at, crisis.closed_at, self.now) if at is not None)
        return crisis.ordered_at + crisis.deadline - next(ends)

    @property
    def verdict(self) -> Verdict:
        """Whether the promise was kept, so far as can be said now."""
        return verdict_at(self.crisis, self.now)

    def exceeded(self, thresholds: Thresholds) -> tuple[Excess, ...]:
        """Return the thresholds that are exceeded now; too few people are a fault only once the cell had met."""
        if not self.is_open:
            return ()
        found = []
        if self.line is not None:
            found.append(Excess(Limit.WAITING, self.line.waiting or 0, thresholds.maximum_waiting))
            found.append(Excess(Limit.WAIT, self.line.longest_wait, thresholds.maximum_wait))
        over = [excess for excess in found if excess.value > excess.allowed]
        people = len(self.people)
        if self._was_there and people < thresholds.minimum_staff:
            over.append(Excess(Limit.STAFF, people, thresholds.minimum_staff))
        return tuple(over)

    @property
    def _was_there(self) -> bool:
        """Whether the cell has come together, so that from now on too few people are a fault, not a beginning."""
        crisis = self.crisis
        return any(at is not None for at in (crisis.staffed_at, crisis.line_opened_at, crisis.operational_at))
