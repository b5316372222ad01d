"""Which outcome a call has: the table of DESIGN chapter 2, read when the call is over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from telemon.attempts import USER_BUSY
from telemon.records import AttemptResult, Outcome

if TYPE_CHECKING:
    from telemon.calls import Call
    from telemon.instants import Duration

# ITU-T Q.850 causes by which a switchboard refuses: user busy, no circuit available, switching congestion.
_REFUSAL_CAUSES: Final = frozenset({USER_BUSY, 34, 42})
# QUEUESTATUS values of a queue that did not let the caller in (apps/app_queue.c).
_QUEUE_REFUSALS: Final = frozenset({"JOINEMPTY", "JOINUNAVAIL", "FULL"})


def decide(call: Call, short_abandon: Duration) -> Outcome:
    """Return the outcome of a call that is over; below ``short_abandon`` of ringing, an abandon is a short one."""
    if call.answered_at is not None:
        return Outcome.ANSWERED
    if call.ended_at is None or (call.ender_unseen and not call.caller_hung_up):
        return Outcome.UNKNOWN
    if call.alerting_at is None:
        return Outcome.IVR_ONLY if call.caller_hung_up else _ended_before_alerting(call)
    if call.caller_hung_up:
        return _left_by_caller(call, call.ended_at - call.alerting_at < short_abandon)
    if _all_busy(call):
        return Outcome.BUSY
    return Outcome.DIVERTED if call.diverted_at is not None else Outcome.UNANSWERED


def _ended_before_alerting(call: Call) -> Outcome:
    if call.closed:
        return Outcome.CLOSED
    refused = call.refused or call.queue_status in _QUEUE_REFUSALS or call.hangup_cause in _REFUSAL_CAUSES
    return Outcome.BUSY if refused or _all_busy(call) else Outcome.FAILED


def _left_by_caller(call: Call, short: bool) -> Outcome:  # noqa: FBT001 - private, and its name says it
    if call.diverted_at is not None:
        return Outcome.DIVERTED
    return Outcome.SHORT_ABANDONED if short else Outcome.ABANDONED


def _all_busy(call: Call) -> bool:
    return bool(call.attempts) and all(attempt.result is AttemptResult.BUSY for attempt in call.attempts)
