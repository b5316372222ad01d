"""What a planned call comes to, as its truth: the plan's own instants, and nothing that any event says."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from simulators.truth import CallTruth
from telemon.instants import from_seconds
from telemon.records import EndedBy, Outcome

if TYPE_CHECKING:
    from simulators.plan import Expected, PlannedCall
    from telemon.instants import Instant


def truth_of(call: PlannedCall, expected: Expected, *, arrives_at: Instant, call_id: str) -> CallTruth:
    """Return the truth of a call that went as planned, and arrived at this instant."""

    def instant(after: float | None) -> Instant | None:
        return None if after is None else arrives_at + from_seconds(after)

    ended_at = arrives_at + from_seconds(expected.ended_after)
    answered_at = instant(expected.answered_after)
    taken_at = instant(expected.machine_after) if expected.outcome is Outcome.DIVERTED else None
    return CallTruth(
        name=call.name,
        call_id=call_id,
        service=call.service,
        ddi=call.ddi,
        caller=call.caller,
        outcome=expected.outcome,
        arrived_at=arrives_at,
        alerting_at=instant(expected.alerted_after),
        answered_at=answered_at,
        ended_at=ended_at,
        ended_by=expected.ended_by,
        answered_by=_interface(expected.answered_by),
        machine_answered=expected.machine_after is not None,
        wait_ended_at=next(at for at in (answered_at, taken_at, ended_at) if at is not None),
        rung=tuple(f"PJSIP/{attempt.phone}" for attempt in expected.attempts),
        transferred_to=() if expected.transferred_to is None else (f"PJSIP/{expected.transferred_to}",),
    )


def cut_short(expected: Expected, ended_after: float) -> Expected:
    """Return what is left of a call whose switchboard ends with it, so many seconds after its arrival."""
    answered = expected.answered_after is not None and expected.answered_after < ended_after
    alerted = expected.alerted_after is not None and expected.alerted_after < ended_after
    transferred = answered and any(
        attempt.phone == expected.transferred_to and attempt.begins + attempt.lasts < ended_after
        for attempt in expected.attempts
    )
    machine = expected.machine_after is not None and expected.machine_after < ended_after
    if answered:
        outcome = Outcome.ANSWERED
    elif machine and expected.outcome is Outcome.DIVERTED:
        outcome = Outcome.DIVERTED
    else:
        outcome = Outcome.UNANSWERED if alerted else Outcome.FAILED
    return replace(
        expected,
        outcome=outcome,
        ended_after=ended_after,
        ended_by=EndedBy.SWITCHBOARD,
        alerted_after=expected.alerted_after if alerted else None,
        answered_after=expected.answered_after if answered else None,
        answered_by=expected.answered_by if answered else None,
        machine_after=expected.machine_after if machine else None,
        transferred_to=expected.transferred_to if transferred else None,
        attempts=tuple(attempt for attempt in expected.attempts if attempt.begins < ended_after),
    )


def _interface(phone: str | None) -> str | None:
    return None if phone is None else f"PJSIP/{phone}"
