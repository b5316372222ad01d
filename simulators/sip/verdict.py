"""Which calls failed, and which merely went another way than planned."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from telemon.records import Outcome
from telemon.texts import text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from simulators.plan import PlannedCall
    from simulators.sip.dialogs import Dialog
    from simulators.truth import CallTruth

_REFUSED: Final = 400
_REQUEST_TERMINATED: Final = 487
# A switchboard that lets go of a caller in the ordinary way says one of these: Hangup(), Busy(), Congestion().
_ORDINARY: Final = frozenset({480, 486, 487, 503, 600, 603})
_REFUSING: Final = frozenset({Outcome.BUSY, Outcome.CLOSED, Outcome.FAILED})


def failure_of(call: PlannedCall, caller: Dialog | None, legs: Sequence[Dialog] | None) -> str | None:
    """Say what went wrong with a call beyond any plan; None if nothing did."""
    say = text()
    if caller is None:
        return say("sim_sip.not_placed")
    if caller.final_code is None:
        return say("sim_sip.never_answered")
    if caller.ended_at is None:
        return say("sim_sip.never_ended")
    expects_refusal = call.expected is None or call.expected.outcome in _REFUSING
    if caller.final_code >= _REFUSED and caller.final_code not in _ORDINARY and not expects_refusal:
        return say("sim_sip.refused", code=caller.final_code, ddi=call.ddi)
    unended = [leg.party for leg in legs or () if leg.ended_at is None]
    return say("sim_sip.leg_never_ended", phones=", ".join(unended)) if unended else None


def other_ways(calls: Iterable[PlannedCall], truths: Iterable[CallTruth]) -> Iterator[tuple[str, str]]:
    """Yield name and difference of each call that did not become what its plan expected."""
    truth_by_name = {truth.name: truth for truth in truths}
    for call in calls:
        truth, expected = truth_by_name.get(call.name), call.expected
        if truth is None or expected is None:
            continue
        planned = _way(expected.outcome, expected.answered_by and f"PJSIP/{expected.answered_by}")
        happened = _way(truth.outcome, truth.answered_by)
        if planned != happened:
            yield call.name, text()("sim_sip.another_way", planned=planned, happened=happened)


def _way(outcome: Outcome, answered_by: str | None) -> str:
    say = text()
    named = say(f"outcome.{outcome.value}")
    return say("sim_sip.way_by", outcome=named, answered_by=answered_by) if answered_by else named
