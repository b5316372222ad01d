"""Which calls failed, and which merely went another way than planned."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from telemon.records import Outcome

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
    if caller is None:
        return "SIPp did not place it"
    if caller.final_code is None:
        return "the PBX never answered its INVITE"
    if caller.ended_at is None:
        return "it never ended"
    expects_refusal = call.expected is None or call.expected.outcome in _REFUSING
    if caller.final_code >= _REFUSED and caller.final_code not in _ORDINARY and not expects_refusal:
        return f"the PBX refused it with {caller.final_code}: is {call.ddi} a number of its, and this caller permitted?"
    unended = [leg.party for leg in legs or () if leg.ended_at is None]
    return f"the PBX never ended its call to {', '.join(unended)}" if unended else None


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
            yield call.name, f"planned {planned}, was {happened}"


def _way(outcome: Outcome, answered_by: str | None) -> str:
    return f"{outcome.value} by {answered_by}" if answered_by else outcome.value
