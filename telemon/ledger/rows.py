"""From records to rows: tuples in the order of the tables' columns, the same for SQLite and PostgreSQL.

They go to the driver as they are, past SQLAlchemy's conversions, so instants are ISO 8601 text and lists JSON text.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import TYPE_CHECKING

from telemon.cadences import rings_if_any
from telemon.completeness import completeness
from telemon.duty_records import CoverInterval
from telemon.instants import SECOND
from telemon.ledger.duty_rows import KEY_COLUMNS, TABLE_OF, DutyItem, duty_row
from telemon.ledger.values import Row, clean, stamp
from telemon.observation import Interval
from telemon.privacy import pseudonym, without_numbers
from telemon.records import CallRecord, Flag

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from telemon.instants import Duration

Item = CallRecord | Interval | DutyItem

_OF_GAPS = frozenset({
    Flag.ALERTED_IN_GAP, Flag.ANSWERED_IN_GAP, Flag.ARRIVED_IN_GAP, Flag.ENDED_IN_GAP, Flag.SEEN_THROUGH_GAP,
})  # fmt: skip
_OPERATORS = 4096  # distinct interfaces whose pseudonymised form is remembered


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """What one batch writes: each call once, what says most of it, and of everything else, by table, the latest."""

    calls: list[Row]
    attempts: list[Row]
    transfers: list[Row]
    others: dict[str, list[Row]]

    def without_calls(self, call_ids: Collection[str]) -> Rows:
        """Return all but the rows of some calls."""
        if not call_ids:
            return self
        left = ([row for row in rows if row[0] not in call_ids] for rows in (self.calls, self.attempts, self.transfers))
        calls, attempts, transfers = left
        return Rows(calls=calls, attempts=attempts, transfers=transfers, others=self.others)


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
        others: dict[str, dict[Row, Row]] = {}
        for item in items:
            if isinstance(item, CallRecord):
                call_id = clean(item.call_id)
                before = calls.get(call_id)
                if before is None or _fullness(item) >= _fullness(before):
                    calls[call_id] = item
            elif not _is_empty(item):
                table, row = self._other_row(item)
                others.setdefault(table, {})[row[: KEY_COLUMNS[table]]] = row
        ordered = sorted(calls.items())
        return Rows(
            calls=[self._call_row(call_id, call) for call_id, call in ordered],
            attempts=[row for call_id, call in ordered for row in self._attempt_rows(call_id, call)],
            transfers=[row for call_id, call in ordered for row in self._transfer_rows(call_id, call)],
            others={table: [row for _, row in sorted(rows.items())] for table, rows in others.items()},
        )

    def _other_row(self, item: Interval | DutyItem) -> tuple[str, Row]:
        if isinstance(item, Interval):
            return "observations", _observation_row(item)
        return TABLE_OF[type(item)], duty_row(item, self._address)

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
            completeness(call).value,
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


def fullness(completeness: int, flags: Collection[str]) -> tuple[int, int]:
    """Return what decides which of two records of a call stays: how complete it is, then how few gaps it went through.

    Where Asterisk itself was killed, no observer saw the end; the one that was cut off before as well saw less.
    """
    return completeness, -len(_OF_GAPS.intersection(flags))


def _fullness(call: CallRecord) -> tuple[int, int]:
    return fullness(completeness(call), call.flags)


@lru_cache(1024)
def _list(values: tuple[str, ...]) -> str:
    return json.dumps(values)


def _is_empty(item: Interval | DutyItem) -> bool:
    """Whether a stretch has no length: it would take the place of the one that follows it."""
    return isinstance(item, Interval | CoverInterval) and item.started_at == item.ended_at


def _seconds(duration: Duration | None) -> float | None:
    return None if duration is None else duration / SECOND


def _clean_address(address: str, *, key: bytes) -> str:
    return clean(without_numbers(address, key))


def _observation_row(item: Interval) -> Row:
    cause = None if item.cause is None else item.cause.value
    started_at, ended_at = stamp(item.started_at), stamp(item.ended_at)
    return (clean(item.pbx), clean(item.observer), started_at, ended_at, item.sight.value, cause)
