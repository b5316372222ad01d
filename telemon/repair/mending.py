"""Completing what telemon saw of a call from what Asterisk itself wrote of it.

What was seen live stays as it was seen. Only what is missing is taken from the sources: from CEL before CDR before
queue_log, the more exact before the less.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from telemon.records import Flag, Outcome, Provenance, TransferResult
from telemon.repair.joining import RESOLUTION, attempts_before, settled, unseen_moves
from telemon.repair.kinds import SourceKind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from telemon.instants import Instant
    from telemon.records import CallRecord

PRECEDENCE: Final = (SourceKind.CEL, SourceKind.CDR, SourceKind.QUEUE_LOG)
_BEGINNING: Final = frozenset({Flag.ARRIVED_IN_GAP, Flag.ALERTED_IN_GAP})
_MISSING: Final = _BEGINNING | {Flag.ENDED_IN_GAP, Flag.ANSWERED_IN_GAP}
_ABANDONS: Final = frozenset({Outcome.ABANDONED, Outcome.SHORT_ABANDONED})
_BY_RINGING: Final = _ABANDONS | {Outcome.IVR_ONLY, Outcome.FAILED, Outcome.CLOSED, Outcome.BUSY}
"""Which of these it is, depends on whether and when it began to ring."""
_AFTER_ALERTING: Final = _ABANDONS | {Outcome.ANSWERED, Outcome.UNANSWERED, Outcome.DIVERTED}


def is_complete(call: CallRecord) -> bool:
    """Whether no instant and no outcome of the call fell into a gap, so that no source can add anything."""
    return call.outcome is not Outcome.UNKNOWN and _MISSING.isdisjoint(call.flags)


def mend(live: CallRecord | None, found: Mapping[SourceKind, CallRecord]) -> CallRecord:
    """Return the call as far as everything together knows it; ``live`` itself if the sources add nothing.

    ``live`` is the call as telemon saw it, None where it did not: then the sources alone count, the first that knows
    the outcome, and the others for what that one does not say. Instants never contradict what was seen, nor each
    other. Provenance is ``repaired`` where a live call was changed. ``found`` must not be empty where ``live`` is None.
    """
    sources = [found[kind] for kind in PRECEDENCE if kind in found]
    if live is None:
        sources.sort(key=lambda source: source.outcome is Outcome.UNKNOWN)
        return _completed(sources[0], sources[1:])
    if is_complete(live):
        return live
    mended = _completed(live, sources)
    return live if mended == live else replace(mended, provenance=Provenance.REPAIRED)


def _completed(call: CallRecord, sources: Sequence[CallRecord]) -> CallRecord:
    for source in sources:
        call = _with_arrival(call, source)
        call = _with_answer(call, source)
        call = _with_outcome(call, source)
        call = _with_end(call, source)
        call = _with_names(call, source)
    return call


# -- one step each: what the call lacks and the source has


def _with_arrival(call: CallRecord, source: CallRecord) -> CallRecord:
    """When it arrived, and when it began to ring, if that was before anybody watched."""
    if _BEGINNING.isdisjoint(call.flags) or not _BEGINNING.isdisjoint(source.flags):
        return call
    # What was taken for its first ring live, is only when the call was found, or arrived.
    seen = [call.answered_at, call.diverted_at, call.ended_at, *(attempt.started_at for attempt in call.attempts)]
    first = min((at for at in seen if at is not None), default=None)
    arrived_at = _within(source.arrived_at, None, first) if Flag.ARRIVED_IN_GAP in call.flags else call.arrived_at
    alerting_at = call.alerting_at
    if source.alerting_at is not None:
        alerting_at = _within(source.alerting_at, arrived_at, first)
    outcome = call.outcome
    if call.outcome in _BY_RINGING and alerting_at != call.alerting_at:
        if source.outcome not in _AFTER_ALERTING or source.ended_by is not call.ended_by:
            return call  # that it rang, makes it another outcome than was seen, and which one nobody says
        outcome = source.outcome  # whether and how long it had rung before, only the source knows
    mended = replace(
        call,
        arrived_at=arrived_at,
        alerting_at=alerting_at,
        diverted_at=call.diverted_at or (source.diverted_at if outcome is Outcome.DIVERTED else None),
        outcome=outcome,
        queues=_longer(source.queues, call.queues),
        attempts=(*attempts_before(source.attempts, call), *call.attempts),
        flags=_flags(call, source, without=_BEGINNING),
    )
    return _with_first_answer(mended, source)


def _with_first_answer(call: CallRecord, source: CallRecord) -> CallRecord:
    """What seemed to be the answer came after a transfer, if the source knows of an answer well before it."""
    if call.answered_at is None or source.answered_at is None or source.answered_at >= call.answered_at - RESOLUTION:
        return call
    earliest = call.arrived_at if call.alerting_at is None else call.alerting_at
    return replace(
        call,
        answered_at=max(source.answered_at, earliest),
        answered_by=source.answered_by,
        operator_ringing_at=source.operator_ringing_at,
        operator_up_at=source.operator_up_at,
        transfers=(*unseen_moves(call, source), *call.transfers),
    )


def _with_answer(call: CallRecord, source: CallRecord) -> CallRecord:
    """When it was answered, if it was while nobody watched."""
    if Flag.ANSWERED_IN_GAP not in call.flags or source.answered_at is None or call.answered_at is None:
        return call
    if Flag.ANSWERED_IN_GAP in source.flags:
        return call
    earliest = max(at for at in (call.arrived_at, call.alerting_at, call.answered_not_before) if at is not None)
    # By when it was answered, was itself inferred; what came after it was seen.
    latest = min([move.at for move in call.transfers] + [call.ended_at or source.answered_at])
    if not earliest - RESOLUTION <= source.answered_at <= latest + RESOLUTION:
        return call  # of another answer: another queue's, or after a transfer
    answered_at = _within(source.answered_at, earliest, latest)
    ringing_at, up_at = _operator_times(call, source, answered_at)
    moves = unseen_moves(call, source)
    return replace(
        call,
        answered_at=answered_at,
        answered_by=source.answered_by if moves else call.answered_by,
        answered_not_before=None,
        transfers=(*moves, *call.transfers),
        operator_ringing_at=ringing_at,
        operator_up_at=up_at,
        flags=_flags(call, source, without={Flag.ANSWERED_IN_GAP}),
    )


def _with_outcome(call: CallRecord, source: CallRecord) -> CallRecord:
    """What became of it, where that is not known."""
    if call.outcome is not Outcome.UNKNOWN or source.outcome is Outcome.UNKNOWN or _is_too_early(call, source):
        return call
    seen_until = last_seen(call)
    alerting_at = call.alerting_at
    if alerting_at is None and source.alerting_at is not None:
        alerting_at = max(source.alerting_at, call.arrived_at)
    answered_at = None
    if source.answered_at is not None:
        answered_at = _within(max(source.answered_at, seen_until), alerting_at, call.ended_at)
    ended_at = call.ended_at  # seen, where only who hung up was not
    if ended_at is None and source.ended_at is not None:
        ended_at = max(source.ended_at, seen_until, alerting_at or 0, answered_at or 0)
    diverted_at = source.diverted_at
    if diverted_at is not None:
        diverted_at = _within(diverted_at, alerting_at, ended_at)
    machine_at = call.machine_answered_at if call.machine_answered_at is not None else source.machine_answered_at
    flags = _flags(call, source, without={Flag.ENDED_IN_GAP})
    ringing_at, up_at = _operator_times(call, source, answered_at)
    return replace(
        call,
        alerting_at=alerting_at,
        answered_at=answered_at,
        answered_by=source.answered_by,
        machine_answered_at=None if machine_at is None else _within(machine_at, call.arrived_at, ended_at),
        diverted_at=diverted_at,
        ended_at=ended_at,
        ended_by=source.ended_by,
        outcome=source.outcome,
        hangup_cause=source.hangup_cause,
        transfers=source.transfers,
        hold_duration=source.hold_duration,
        attempts=settled(call, source, answered_at, last_seen(call)),
        queues=_longer(source.queues, call.queues),
        operator_ringing_at=ringing_at,
        operator_up_at=up_at,
        flags=flags if ended_at is not None else tuple(sorted({*flags, Flag.ENDED_IN_GAP})),
    )


def _with_end(call: CallRecord, source: CallRecord) -> CallRecord:
    """When it ended, where it is known to have been answered."""
    if Flag.ENDED_IN_GAP not in call.flags or call.answered_at is None or source.ended_at is None:
        return call
    if source.answered_at is None or _is_too_early(call, source):
        return call  # the end of a queue that did not have the caller any more
    transfers = tuple(
        replace(move, result=source.transfers[-1].result if source.transfers else TransferResult.UNKNOWN)
        if move.result is TransferResult.UNKNOWN
        else move
        for move in call.transfers
    )
    kept = tuple(flag for flag in call.flags if flag is not Flag.ENDED_IN_GAP)
    return replace(
        call,
        ended_at=max(source.ended_at, last_seen(call)) if call.ended_at is None else call.ended_at,
        ended_by=source.ended_by,
        hangup_cause=source.hangup_cause if call.hangup_cause is None else call.hangup_cause,
        transfers=transfers or source.transfers,
        flags=kept,
    )


def _with_names(call: CallRecord, source: CallRecord) -> CallRecord:
    """What one source does not say and another does: numbers, who hung up; queues and rings for a call never seen."""
    if call.ended_by is None and call.ended_at is not None:
        call = replace(call, ended_by=source.ended_by)
    if call.provenance is not Provenance.IMPORTED:
        return call
    alerting_at = call.alerting_at
    if alerting_at is None and source.alerting_at is not None and call.outcome in _AFTER_ALERTING:
        alerting_at = _within(source.alerting_at, call.arrived_at, call.wait_ended_at)
    return replace(
        call,
        alerting_at=alerting_at,
        ddi=call.ddi or source.ddi,
        caller=call.caller or source.caller,
        service=call.service or source.service,
        service_kind=call.service_kind if call.service else source.service_kind,
        queues=_longer(source.queues, call.queues),
        attempts=call.attempts or source.attempts,
        transfers=call.transfers or source.transfers,
        is_probe=call.is_probe or source.is_probe,
        flags=tuple(sorted({*call.flags, *(flag for flag in source.flags if flag is Flag.INTERNAL)})),
    )


# -- parts


def last_seen(call: CallRecord) -> Instant:
    """Return the last instant at which the call is known to have been there."""
    instants: list[Instant | None] = [
        call.arrived_at, call.alerting_at, call.answered_at, call.answered_not_before, call.machine_answered_at,
        call.diverted_at,
    ]  # fmt: skip
    instants += [at for attempt in call.attempts for at in (attempt.started_at, attempt.ringing_at, attempt.ended_at)]
    instants += [move.at for move in call.transfers]
    return max(at for at in instants if at is not None)


def _is_too_early(call: CallRecord, source: CallRecord) -> bool:
    """Whether the call was seen after what the source takes for its end, or unanswered after its answer."""
    told = source.ended_at if call.answered_at is not None or source.answered_at is None else source.answered_at
    return told is not None and told < last_seen(call) - RESOLUTION


def _flags(call: CallRecord, source: CallRecord, *, without: AbstractSet[Flag]) -> tuple[Flag, ...]:
    """A decisive instant now comes from the source, so what the source says of its times goes for the call."""
    inherited = {Flag.WHOLE_SECONDS, Flag.NO_TIMESTAMPS, Flag.CLOCK_STEPPED, Flag.MACHINE_UNHEARD}
    return tuple(sorted({*call.flags, *inherited.intersection(source.flags)} - without))


def _operator_times(
    call: CallRecord, source: CallRecord, answered_at: Instant | None
) -> tuple[Instant | None, Instant | None]:
    """When the answering phone began to ring and was lifted: as seen, else as told, and not after the answer."""
    if answered_at is None or call.operator_up_at is not None or source.operator_up_at is None:
        return call.operator_ringing_at, call.operator_up_at
    seen = [attempt.ringing_at for attempt in call.attempts if attempt.operator == source.answered_by]
    ringing_at = seen[-1] if seen and seen[-1] is not None else source.operator_ringing_at
    up_at = min(source.operator_up_at, answered_at)
    if ringing_at is None:
        return None, up_at
    ringing_at = min(ringing_at, answered_at)
    return ringing_at, max(ringing_at, up_at)


def _longer(told: tuple[str, ...], seen: tuple[str, ...]) -> tuple[str, ...]:
    """Queues in which the caller was: the source's, where what was seen is a part of them."""
    return told if len(told) > len(seen) else seen


def _within(at: Instant, earliest: Instant | None, latest: Instant | None) -> Instant:
    at = at if earliest is None else max(at, earliest)
    return at if latest is None else min(at, latest)
