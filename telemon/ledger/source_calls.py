"""What imports found of each call, and the call as it was seen before its first repair: the table ``source_calls``.

Everything is kept as the ledger keeps calls: numbers as pseudonyms, text clean.
"""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import asdict, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite

from telemon.instants import to_datetime
from telemon.ledger.models import TABLES
from telemon.ledger.reader import calls_from
from telemon.ledger.rows import RowMaker
from telemon.ledger.values import clean
from telemon.privacy import pseudonym, without_numbers
from telemon.records import (
    AttemptResult,
    CallRecord,
    EndedBy,
    Flag,
    Outcome,
    Provenance,
    RingAttempt,
    ServiceKind,
    Transfer,
    TransferKind,
    TransferResult,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from sqlalchemy import Connection

    from telemon.instants import Duration, Instant
    from telemon.ledger.values import Row

LIVE: Final = "live"
"""The source under which a call is kept as telemon saw it."""

_table = TABLES["source_calls"]
_CALLER: Final = [column.name for column in TABLES["calls"].columns].index("caller")


class HiddenRowMaker(RowMaker):
    """Makes rows of records whose numbers are pseudonyms already: hashed again, nobody would know them."""

    def __init__(self, *, ring_cycle: Duration) -> None:
        """``ring_cycle`` is the site's, in microseconds."""
        super().__init__(key=b"", ring_cycle=ring_cycle)
        self._address = lru_cache(1024)(clean)

    def _call_row(self, call_id: str, call: CallRecord) -> Row:
        row = super()._call_row(call_id, call)
        return (*row[:_CALLER], call.caller, *row[_CALLER + 1 :])


def hidden(call: CallRecord, key: bytes) -> CallRecord:
    """Return a call as the ledger gives it back: its numbers replaced by pseudonyms, its text clean."""

    def address(text: str) -> str:
        return clean(without_numbers(text, key))

    return replace(
        call,
        call_id=clean(call.call_id),
        service=clean(call.service),
        ddi=clean(call.ddi),
        caller=pseudonym(call.caller, key),
        linkedid=clean(call.linkedid),
        answered_by=None if call.answered_by is None else address(call.answered_by),
        queues=tuple(map(clean, call.queues)),
        attempts=tuple(replace(attempt, operator=address(attempt.operator)) for attempt in call.attempts),
        transfers=tuple(replace(move, to=address(move.to)) for move in call.transfers),
    )


def calls_by_id(connection: Connection, call_ids: Collection[str]) -> dict[str, CallRecord]:
    """Return those of these calls (at most some thousand) that the ledger has."""
    calls = TABLES["calls"]
    rows = connection.execute(select(calls).where(calls.columns.call_id.in_(call_ids))).mappings().all()
    return {call.call_id: call for call in calls_from(connection, rows)}


def sources_of(connection: Connection, call_ids: Collection[str]) -> dict[str, dict[str, CallRecord]]:
    """Return what is known of these calls: by call, by source (``live`` among them)."""
    query = select(_table.columns.call_id, _table.columns.source, _table.columns.body)
    found: defaultdict[str, dict[str, CallRecord]] = defaultdict(dict)
    for call_id, source, body in connection.execute(query.where(_table.columns.call_id.in_(call_ids))):
        found[call_id][source] = from_body(body)
    return found


def sources_between(connection: Connection, pbx: str, start: Instant, end: Instant) -> Iterator[tuple[str, CallRecord]]:
    """Yield every source's calls of one PBX that arrived in a period, each with its source's name, call after call."""
    query = (
        select(_table.columns.source, _table.columns.body)
        .where(_table.columns.pbx == pbx, _table.columns.source != LIVE)
        .where(_table.columns.arrived_at >= to_datetime(start), _table.columns.arrived_at < to_datetime(end))
        .order_by(_table.columns.arrived_at, _table.columns.call_id, _table.columns.source)
    )
    for source, body in connection.execute(query, execution_options={"yield_per": 500}):
        yield source, from_body(body)


def put_sources(connection: Connection, pbx: str, calls: Iterable[tuple[str, CallRecord]]) -> None:
    """Keep calls, each under its source's name; a source read again replaces what it said before."""
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    statement = insert(_table)
    statement = statement.on_conflict_do_update(
        index_elements=["call_id", "source"],
        set_={name: statement.excluded[name] for name in ("pbx", "arrived_at", "body")},
    )
    rows = [
        {
            "call_id": call.call_id,
            "source": source,
            "pbx": pbx,
            "arrived_at": to_datetime(call.arrived_at),
            "body": to_body(call),
        }
        for source, call in calls
    ]
    if rows:
        connection.execute(statement, sorted(rows, key=lambda row: (row["call_id"], row["source"])))


def to_body(call: CallRecord) -> str:
    """Write a call as JSON: instants and durations in microseconds."""
    return json.dumps(asdict(call), ensure_ascii=False, separators=(",", ":"))


def from_body(body: str) -> CallRecord:
    """Read what ``to_body`` wrote."""
    values: dict[str, Any] = json.loads(body)
    given = values.pop
    return CallRecord(
        service_kind=ServiceKind(given("service_kind")),
        outcome=Outcome(given("outcome")),
        ended_by=None if values["ended_by"] is None else EndedBy(values["ended_by"]),
        queues=tuple(given("queues")),
        attempts=tuple(_attempt(attempt) for attempt in given("attempts")),
        transfers=tuple(_transfer(move) for move in given("transfers")),
        flags=tuple(map(Flag, given("flags"))),
        provenance=Provenance(given("provenance")),
        **{name: value for name, value in values.items() if name != "ended_by"},
    )


def _attempt(values: dict[str, Any]) -> RingAttempt:
    return RingAttempt(**{**values, "result": AttemptResult(values["result"])})


def _transfer(values: dict[str, Any]) -> Transfer:
    kind, result = TransferKind(values["kind"]), TransferResult(values["result"])
    return Transfer(**{**values, "kind": kind, "result": result})
