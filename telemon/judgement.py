"""What one finished call was under a rule set, which may differ from what the record says under the site's default."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from telemon.instants import SECOND
from telemon.records import Flag, Outcome
from telemon.rulesets import AnsweredBy, Clock

if TYPE_CHECKING:
    from telemon.instants import Duration, Instant
    from telemon.records import CallRecord
    from telemon.rulesets import RuleSet

_Times = tuple["Duration | None", "Duration | None"]
_ABANDONS: Final = frozenset({Outcome.ABANDONED, Outcome.SHORT_ABANDONED})

_UNTIMED: Final = frozenset({Flag.NO_TIMESTAMPS, Flag.CLOCK_STEPPED})  # its times bound nothing
_INEXACT: Final = _UNTIMED | {Flag.ARRIVED_IN_GAP, Flag.ANSWERED_IN_GAP, Flag.WHOLE_SECONDS}
_STEP: Final[Duration] = SECOND  # of uniqueids, by which an arrival in a gap is known, and of Asterisk's own records


@dataclass(frozen=True, slots=True)
class Judgement:
    """One call's outcome under a rule set, and its times where they are known.

    ``at_least`` and ``at_most`` (microseconds) enclose the duration under the rule set's clock: equal where it was
    seen; ``at_most`` None where nothing bounds it, both None where the clock never started or the call has no end.
    ``wait`` runs from the arrival, whatever the clock; None where it was not seen exactly.
    """

    outcome: Outcome
    by_machine: bool
    at_least: Duration | None
    at_most: Duration | None
    wait: Duration | None


def judge(call: CallRecord, ruleset: RuleSet) -> Judgement:
    """Read one call under a rule set.

    A machine's answer counts where the rule set says so and the caller heard it, unless the service was closed: out
    of hours nothing is promised. An abandon is short if it came before the rule set's own threshold of ringing.
    """
    machine_at = _heard_machine_at(call) if ruleset.answered_by is AnsweredBy.OPERATOR_OR_MACHINE else None
    if machine_at is not None and (call.answered_at is None or machine_at < call.answered_at):
        return _answered_by_machine(call, ruleset.clock, machine_at)
    outcome = _rejudged(call, ruleset.short_abandon)
    if ruleset.clock is Clock.OPERATOR:
        at_least, at_most = _operator_times(call)
    else:
        start = call.arrived_at if ruleset.clock is Clock.ARRIVAL else call.alerting_at
        at_least, at_most = _times(call, start)
    wait = None if _INEXACT.intersection(call.flags) else call.wait_duration
    return Judgement(outcome, False, at_least, at_most, wait)


def _heard_machine_at(call: CallRecord) -> Instant | None:
    if Flag.MACHINE_UNHEARD in call.flags or call.outcome is Outcome.CLOSED:
        return None
    return call.machine_answered_at


def _rejudged(call: CallRecord, short_abandon: Duration) -> Outcome:
    if call.outcome not in _ABANDONS or call.alerting_at is None or call.ended_at is None:
        return call.outcome
    is_short = call.ended_at - call.alerting_at < short_abandon
    return Outcome.SHORT_ABANDONED if is_short else Outcome.ABANDONED


def _answered_by_machine(call: CallRecord, clock: Clock, at: Instant) -> Judgement:
    # Where it answered before the switchboard rang, what the caller heard until then began with the arrival.
    alerted = call.alerting_at is not None and call.alerting_at <= at
    start = call.alerting_at if alerted and clock is Clock.ALERTING else call.arrived_at
    at_least, at_most = _between(call, start, at)
    wait = None if at_most is None else max(0, at - call.arrived_at)
    return Judgement(Outcome.ANSWERED, True, at_least, at_most, wait)


def _operator_times(call: CallRecord) -> _Times:
    """The answering operator's phone: nobody's rang for a lost call, and what happened in a gap was not seen."""
    if call.outcome is not Outcome.ANSWERED or Flag.ANSWERED_IN_GAP in call.flags:
        return None, None
    return _between(call, call.operator_ringing_at, call.operator_up_at)


def _times(call: CallRecord, start: Instant | None) -> _Times:
    at_least, at_most = _between(call, start, call.wait_ended_at)
    if Flag.ANSWERED_IN_GAP not in call.flags or at_most is None or start is None:
        return at_least, at_most
    earliest = call.answered_not_before
    return (0 if earliest is None else min(at_most, max(0, earliest - start))), at_most


def _between(call: CallRecord, start: Instant | None, end: Instant | None) -> _Times:
    if start is None or end is None:
        return None, None
    seen = max(0, end - start)
    if not _UNTIMED.isdisjoint(call.flags):
        return 0, None
    if Flag.ALERTED_IN_GAP in call.flags and start == call.alerting_at:
        return seen, None
    if Flag.ARRIVED_IN_GAP in call.flags:
        return max(0, seen - _STEP), None  # it may have rung before telemon found it
    if Flag.WHOLE_SECONDS in call.flags:
        return max(0, seen - _STEP), seen + _STEP
    return seen, seen
