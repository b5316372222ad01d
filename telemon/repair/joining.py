"""Ring attempts and transfers of one call, as seen and as told, joined to one row."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from telemon.instants import SECOND
from telemon.records import AttemptResult, TransferResult

if TYPE_CHECKING:
    from collections.abc import Sequence

    from telemon.instants import Duration, Instant
    from telemon.records import CallRecord, RingAttempt, Transfer

RESOLUTION: Final[Duration] = 2 * SECOND
"""How far a source may be off and still mean the same: whole seconds, read a little before they are written."""


def settled(
    call: CallRecord, source: CallRecord, answered_at: Instant | None, seen_until: Instant
) -> tuple[RingAttempt, ...]:
    """Close the attempts that were under way when sight was lost, and add those that came after it."""
    later = [
        told
        for told in source.attempts
        if told.started_at > seen_until and not any(_is_same(told, attempt) for attempt in call.attempts)
    ]
    return (*(_closed(attempt, source, answered_at) for attempt in call.attempts), *later)


def _closed(attempt: RingAttempt, source: CallRecord, answered_at: Instant | None) -> RingAttempt:
    if attempt.result is not AttemptResult.UNKNOWN:
        return attempt
    told = next((one for one in source.attempts if _is_same(one, attempt)), None)
    if told is not None and told.ended_at is not None:
        ended_at = told.ended_at if answered_at is None else min(told.ended_at, answered_at)
        return replace(attempt, ended_at=max(attempt.started_at, ended_at), result=told.result)
    if answered_at is not None and source.answered_by == attempt.operator:
        return replace(attempt, ended_at=max(attempt.started_at, answered_at), result=AttemptResult.ANSWERED)
    return attempt


def _is_same(told: RingAttempt, seen: RingAttempt) -> bool:
    return told.operator == seen.operator and abs(told.started_at - seen.started_at) <= RESOLUTION


def attempts_before(attempts: Sequence[RingAttempt], call: CallRecord) -> tuple[RingAttempt, ...]:
    """Attempts that were over before the first one seen, or before the answer."""
    first = min((attempt.started_at for attempt in call.attempts), default=call.answered_at)
    over = (a for a in attempts if a.ended_at is not None and first is not None and a.ended_at <= first)
    return tuple(told for told in over if not any(_is_same(told, attempt) for attempt in call.attempts))


def unseen_moves(call: CallRecord, source: CallRecord) -> tuple[Transfer, ...]:
    """Transfers of which none was seen: whom the call was found with after them, is then not who answered it."""
    first = min((move.at for move in call.transfers), default=None)
    moves = [move for move in source.transfers if first is None or move.at < first - RESOLUTION]
    if moves and moves[-1].result is TransferResult.UNKNOWN:
        moves[-1] = replace(moves[-1], to=call.answered_by or moves[-1].to, result=TransferResult.ANSWERED)
    return tuple(moves)
