"""A call record as plain JSON values, the same for ``telemon replay`` and ``telemon calls``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from telemon.cadences import rings_if_any
from telemon.instants import to_iso, to_seconds

if TYPE_CHECKING:
    from telemon.instants import Duration, Instant
    from telemon.records import CallRecord


def call_json(record: CallRecord, ring_cycle: Duration) -> dict[str, Any]:
    """Return one call: instants in ISO 8601 UTC with microseconds, durations in seconds."""
    return {
        "call_id": record.call_id,
        "site": record.site,
        "service": record.service,
        "service_kind": record.service_kind.value,
        "ddi": record.ddi,
        "caller": record.caller,
        "arrived_at": to_iso(record.arrived_at),
        "alerting_at": _iso(record.alerting_at),
        "operator_ringing_at": _iso(record.operator_ringing_at),
        "operator_up_at": _iso(record.operator_up_at),
        "answered_at": _iso(record.answered_at),
        "answered_not_before": _iso(record.answered_not_before),
        "machine_answered_at": _iso(record.machine_answered_at),
        "diverted_at": _iso(record.diverted_at),
        "ended_at": _iso(record.ended_at),
        "wait_seconds": _seconds(record.wait_duration),
        "ring_seconds": _seconds(record.ring_duration),
        "rings": rings_if_any(record.ring_duration, ring_cycle),
        "outcome": record.outcome.value,
        "ended_by": None if record.ended_by is None else record.ended_by.value,
        "answered_by": record.answered_by,
        "queues": list(record.queues),
        "attempts": [
            {
                "operator": attempt.operator,
                "started_at": to_iso(attempt.started_at),
                "ringing_at": _iso(attempt.ringing_at),
                "seconds": _seconds(attempt.ring_duration),
                "result": attempt.result.value,
            }
            for attempt in record.attempts
        ],
        "transfers": [
            {"kind": transfer.kind.value, "to": transfer.to, "at": to_iso(transfer.at), "result": transfer.result.value}
            for transfer in record.transfers
        ],
        "talk_seconds": _seconds(record.talk_duration),
        "hold_seconds": to_seconds(record.hold_duration),
        "hangup_cause": record.hangup_cause,
        "is_probe": record.is_probe,
        "flags": [flag.value for flag in record.flags],
        "provenance": record.provenance.value,
    }


def _iso(instant: Instant | None) -> str | None:
    return None if instant is None else to_iso(instant)


def _seconds(duration: Duration | None) -> float | None:
    return None if duration is None else to_seconds(duration)
