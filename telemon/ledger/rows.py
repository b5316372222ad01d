"""From records to rows: tuples in the order of the tables' columns, the same for SQLite and PostgreSQL.

They go to the driver as they are, past SQLAlchemy's conversions, so instants are ISO 8601 text and lists JSON text.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import TYPE_CHECKING

from telemon.cadences import rings_if_any
from telemon.instants import SECOND, to_iso
from telemon.observation import Interval
from telemon.privacy import pseudonym, without_numbers
from telemon.records import CallRecord

if TYPE_CHECKING:
    from collections.abc import Sequence

    from telemon.instants import Duration, Instant

Row = tuple[object, ...]
Item = CallRecord | Interval

_OPERATORS = 4096  # distinct interfaces whose pseudonymised form is remembered


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """What one batch writes: each call and each observation once, the latest version of it."""

    calls: list[Row]
    attempts: list[Row]
    transfers: list[Row]
    observations: list[Row]


class RowMaker:
    """Makes rows: derives durations and rings, replaces numbers by pseudonyms, cleans text."""

    def __init__(self, *, key: bytes, ring_cycle: Duration) -> None:
        self._key = key
        self._ring_cycle = ring_cycle
        self._address = lru_cache(_OPERATORS)(partial(_clean_address, key=key))

    def rows(self, items: Sequence[Item]) -> Rows:
        """Return the rows of a batch, in the order of their keys, so that two writers never wait for each other.

        Raises:
            OverflowError, TypeError, ValueError: a record holds what no row can.
        """
        calls: dict[str, CallRecord] = {}
        observations: dict[tuple[str, Instant], Row] = {}
        for item in items:
            if isinstance(item, Interval):
                observations[item.pbx, item.started_at] = _observation_row(item)
            else:
                calls[clean(item.call_id)] = item
        ordered = sorted(calls.items())
        return Rows(
            calls=[self._call_row(call_id, call) for call_id, call in ordered],
            attempts=[row for call_id, call in ordered for row in self._attempt_rows(call_id, call)],
            transfers=[row for call_id, call in ordered for row in self._transfer_rows(call_id, call)],
            observations=[row for _, row in sorted(observations.items())],
        )

    def _call_row(self, call_id: str, call: CallRecord) -> Row:
        ring_duration = call.ring_duration
        return (
            call_id,
            clean(call.site),
            clean(call.service),
            call.service_kind.value,
            clean(call.ddi),
            pseudonym(call.caller, self._key),
            clean(call.linkedid),
            stamp(call.arrived_at),
            stamp(call.alerting_at),
            stamp(call.operator_ringing_at),
            stamp(call.operator_up_at),
            stamp(call.answered_at),
            stamp(call.answered_not_before),
            stamp(call.machine_answered_at),
            stamp(call.diverted_at),
            stamp(call.ended_at),
            call.outcome.value,
            None if call.ended_by is None else call.ended_by.value,
            None if call.answered_by is None else self._address(call.answered_by),
            _seconds(call.wait_duration),
            _seconds(ring_duration),
            _seconds(call.operator_ring_duration),
            _seconds(call.talk_duration),
            _seconds(call.hold_duration),
            rings_if_any(ring_duration, self._ring_cycle),
            _list(tuple(clean(queue) for queue in call.queues)),
            call.hangup_cause,
            call.is_probe,
            _list(call.flags),
            call.provenance.value,
        )

    def _attempt_rows(self, call_id: str, call: CallRecord) -> list[Row]:
        return [
            (
                call_id,
                position,
                self._address(attempt.operator),
                stamp(attempt.started_at),
                stamp(attempt.ringing_at),
                stamp(attempt.ended_at),
                attempt.result.value,
            )
            for position, attempt in enumerate(call.attempts)
        ]

    def _transfer_rows(self, call_id: str, call: CallRecord) -> list[Row]:
        return [
            (call_id, position, move.kind.value, self._address(move.to), stamp(move.at), move.result.value)
            for position, move in enumerate(call.transfers)
        ]


def clean(text: str) -> str:
    """Return text that every database takes: NUL and lone surrogates (bytes that were no UTF-8) become U+FFFD."""
    if text.isprintable():
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").replace("\0", "\N{REPLACEMENT CHARACTER}")


def stamp(instant: Instant | None) -> str | None:
    """Return an instant as ``telemon.instants.to_iso`` does, several times faster in a stream of near instants."""
    if instant is None:
        return None
    second, microseconds = divmod(instant, SECOND)
    return f"{_second(second)}.{microseconds:06d}+00:00"


@lru_cache(1024)
def _second(second: int) -> str:
    return to_iso(second * SECOND).partition(".")[0]


@lru_cache(1024)
def _list(values: tuple[str, ...]) -> str:
    return json.dumps(values)


def _seconds(duration: Duration | None) -> float | None:
    return None if duration is None else duration / SECOND


def _clean_address(address: str, *, key: bytes) -> str:
    return clean(without_numbers(address, key))


def _observation_row(item: Interval) -> Row:
    cause = None if item.cause is None else item.cause.value
    return (clean(item.pbx), stamp(item.started_at), stamp(item.ended_at), item.sight.value, cause)
