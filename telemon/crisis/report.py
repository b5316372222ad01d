"""What a crisis was, from its calls: call curve, waits, losses, callers waiting at once, staff, stages.

A call belongs to the crisis if it is of its service and arrived in [ordered, closed); probes and internal calls count
nowhere. A caller waits from the arrival to the answer, to the machine that took the call, or to the end; who hung up
on an announcement, or was told that the line is closed, waited for nobody. Waits are exact, not rounded: the few calls
whose times were not seen exactly are in none.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Final, NamedTuple

from telemon.crisis.stages import headcount, progress, steps, verdict_at
from telemon.instants import SECOND
from telemon.judgement import judge
from telemon.measures import measure, measure_by
from telemon.rates import Verdict
from telemon.records import Flag, Outcome
from telemon.spread import Spread, SpreadCounter

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from telemon.crisis.stages import Step
    from telemon.duty_records import Crisis, CrisisMember
    from telemon.gaps import Gap
    from telemon.instants import Duration, Instant
    from telemon.measures import Measures
    from telemon.records import CallRecord
    from telemon.rulesets import RuleSet

MINUTE: Final[Duration] = 60 * SECOND
_STEPS: Final = (1, 5, 15, 60)  # minutes
_READABLE: Final = 120  # points, in a table
_WAIT_FOR_NOBODY: Final = frozenset({Outcome.IVR_ONLY, Outcome.CLOSED})


class Peak(NamedTuple):
    """The most callers who waited at once, and since when they did; at least so many if not everything was seen."""

    waiting: int
    at: Instant | None
    is_certain: bool


class CurvePoint(NamedTuple):
    """One piece of the curve, [start, end): calls by their arrival, the most callers waiting at once, people there.

    ``is_seen`` is False where a gap of observation touches it.
    """

    start: Instant
    end: Instant
    offered: int
    answered: int
    lost: int
    waiting: int
    staff_least: int
    staff_most: int
    is_seen: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CrisisReport:
    """The figures of one crisis up to ``end``: its closure, or now while it is open.

    ``crisis`` has the stages that its calls prove, also where nobody stamped them. The steps of ``waits_answered``
    and ``waits_lost`` are microseconds. ``verdict`` is undecided rather than broken where a gap may hide an answer
    before the deadline.
    """

    crisis: Crisis
    members: tuple[CrisisMember, ...]
    end: Instant
    measures: Measures
    waits_answered: Spread
    waits_lost: Spread
    peak: Peak
    curve: tuple[CurvePoint, ...]
    steps: tuple[Step, ...]
    gaps: tuple[Gap, ...]
    verdict: Verdict

    @property
    def waits(self) -> Spread:
        """The waits of all callers, answered or lost."""
        return self.waits_answered + self.waits_lost

    @property
    def is_final(self) -> bool:
        """Whether the cell is closed."""
        return self.crisis.closed_at is not None


def end_of(crisis: Crisis, now: Instant) -> Instant:
    """Return up to when there is something to report."""
    return max(crisis.ordered_at, now if crisis.closed_at is None else crisis.closed_at)


def readable_step(duration: Duration) -> Duration:
    """Return how long one piece of the curve should be, so that somebody can read all of them."""
    minutes = next((minutes for minutes in _STEPS if duration <= minutes * MINUTE * _READABLE), _STEPS[-1])
    return minutes * MINUTE


def first_answered_at(calls: Iterable[CallRecord]) -> Instant | None:
    """Return when the first of these calls was answered by an operator; probes and internal calls do not count."""
    return min((call.answered_at for call in calls if call.answered_at is not None and _counts(call)), default=None)


def crisis_report(
    crisis: Crisis,
    members: Sequence[CrisisMember],
    calls: Iterable[CallRecord],
    gaps: Sequence[Gap],
    *,
    now: Instant,
    ruleset: RuleSet,
    cycle: Duration,
    step: Duration = MINUTE,
    pbxs: int = 1,
) -> CrisisReport:
    """Draw up the report of a crisis.

    Args:
        crisis: as the ledger has it.
        members: everybody's stays in the cell.
        calls: of the crisis's site; those of other services or times are left out here.
        gaps: of observation, of each of the ``pbxs``; what lies outside the crisis is cut off here.
        now: the end of a crisis that is still open.
        ruleset: which outcomes are lost, and whose answer counts.
        cycle: of one ring, as ``ruleset.cycle()`` gives it.
        step: how long one piece of the curve is.
        pbxs: how many PBXs were to be watched.
    """
    end = end_of(crisis, now)
    own = [call for call in calls if call.service == crisis.service and crisis.ordered_at <= call.arrived_at < end]
    cut = tuple(_clipped(gaps, crisis.ordered_at, end))
    told = progress(crisis, members, line_opened_at=None, first_answered_at=first_answered_at(own))
    blind, watched = sum(gap.duration for gap in cut), (end - crisis.ordered_at) * pbxs
    measures = measure(own, ruleset, cycle, blind, watched)
    pieces = range(crisis.ordered_at, end, step)
    by_piece = measure_by(own, lambda call: (call.arrived_at - pieces.start) // step, ruleset, cycle)
    waiting = _waiting(own)
    answered, lost = _waits(own, ruleset)
    return CrisisReport(
        crisis=told,
        members=tuple(members),
        end=end,
        measures=measures,
        waits_answered=answered,
        waits_lost=lost,
        peak=_peak(waiting, is_certain=not (cut or measures.unknown)),
        curve=tuple(_curve(members, by_piece, waiting, cut, pieces, end)),
        steps=steps(told),
        gaps=cut,
        verdict=_verdict(told, cut, end),
    )


def _counts(call: CallRecord) -> bool:
    return not call.is_probe and Flag.INTERNAL not in call.flags


def _clipped(gaps: Iterable[Gap], start: Instant, end: Instant) -> Iterator[Gap]:
    for gap in gaps:
        first, last = max(gap.start, start), min(gap.end, end)
        if first < last:
            yield gap._replace(start=first, duration=last - first)


def _verdict(crisis: Crisis, gaps: Iterable[Gap], end: Instant) -> Verdict:
    said = verdict_at(crisis, end)
    deadline_at = crisis.ordered_at + crisis.deadline
    hidden = said is Verdict.BROKEN and any(gap.start < deadline_at for gap in gaps)
    return Verdict.UNDECIDED if hidden else said


def _waits(calls: Iterable[CallRecord], ruleset: RuleSet) -> tuple[Spread, Spread]:
    """Return the waits of those answered and of those lost, to the microsecond."""
    answered, lost = SpreadCounter(1), SpreadCounter(1)
    for call in filter(_counts, calls):
        judgement = judge(call, ruleset)
        if judgement.wait is None:
            continue
        if judgement.outcome is Outcome.ANSWERED:
            answered.add(judgement.wait)
        elif judgement.outcome in ruleset.lost:
            lost.add(judgement.wait)
    return answered.spread(), lost.spread()


_Waiting = list[tuple["Instant", int]]


def _waiting(calls: Iterable[CallRecord]) -> _Waiting:
    """Return how many wait from each instant on at which that changes; a caller waits in [arrival, end of the wait)."""
    changes: dict[Instant, int] = {}
    for call in filter(_counts, calls):
        until = call.wait_ended_at
        if until is None or until <= call.arrived_at or call.outcome in _WAIT_FOR_NOBODY:
            continue
        changes[call.arrived_at] = changes.get(call.arrived_at, 0) + 1
        changes[until] = changes.get(until, 0) - 1
    instants = sorted(changes)
    return list(zip(instants, accumulate(changes[at] for at in instants), strict=True))


def _peak(waiting: _Waiting, *, is_certain: bool) -> Peak:
    at, most = max(waiting, key=lambda change: change[1], default=(None, 0))
    return Peak(most, at if most else None, is_certain)


def _curve(
    members: Collection[CrisisMember],
    measured: Mapping[int, Measures],
    waiting: _Waiting,
    gaps: Collection[Gap],
    pieces: range,
    end: Instant,
) -> Iterator[CurvePoint]:
    """Yield the pieces from the order to the end; the last one may be shorter. ``measured`` has them by number."""
    changed_at = [at for at, _ in waiting]
    for number, begin in enumerate(pieces):
        finish = min(begin + pieces.step, end)
        figures = measured.get(number)
        already = max(0, bisect_right(changed_at, begin) - 1)  # whoever waits as it begins is in it, too
        waiting_then = [count for _, count in waiting[already : bisect_left(changed_at, finish)]]
        least, most = _staff(members, begin, finish)
        yield CurvePoint(
            start=begin,
            end=finish,
            offered=figures.offered if figures else 0,
            answered=figures.answered if figures else 0,
            lost=figures.lost if figures else 0,
            waiting=max(waiting_then, default=0),
            staff_least=least,
            staff_most=most,
            is_seen=not any(gap.start < finish and gap.end > begin for gap in gaps),
        )


def _staff(members: Collection[CrisisMember], begin: Instant, finish: Instant) -> tuple[int, int]:
    changes = {at for member in members for at in (member.joined_at, member.left_at) if at is not None}
    counts = [headcount(members, at) for at in (begin, *(at for at in changes if begin < at < finish))]
    return min(counts), max(counts)
