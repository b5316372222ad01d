"""Reading the ledger back as records."""

from __future__ import annotations

from collections import defaultdict
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sqlalchemy import Text, cast, func, or_, select
from sqlalchemy.exc import SQLAlchemyError

from telemon.errors import LedgerError
from telemon.instants import from_datetime, from_seconds, to_datetime
from telemon.ledger.models import TABLES
from telemon.ledger.trouble import reason
from telemon.observation import GapCause, Interval, Sight
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
    from collections.abc import Collection, Iterator, Sequence
    from datetime import datetime

    from sqlalchemy import Connection, Engine, RowMapping, Select

    from telemon.instants import Instant

_CHUNK = 500  # calls whose attempts and transfers are fetched together
_calls = TABLES["calls"].columns
_observations = TABLES["observations"].columns


def read_calls(
    engine: Engine,
    start: Instant,
    end: Instant,
    *,
    service: str | None = None,
    outcome: Outcome | None = None,
    limit: int | None = None,
    newest_first: bool = False,
) -> Iterator[CallRecord]:
    """Yield the calls that arrived from ``start`` to before ``end``, in order of arrival, from one snapshot.

    ``caller`` is the pseudonym. Memory stays flat over any period. Use the iterator up or close it: SQLite cannot
    shorten its write-ahead log while a snapshot is open.

    Raises:
        LedgerError: the database cannot be read.
    """
    query = select(TABLES["calls"]).where(_calls.arrived_at >= to_datetime(start), _calls.arrived_at < to_datetime(end))
    if service is not None:
        query = query.where(_calls.service == service)
    if outcome is not None:
        query = query.where(_calls.outcome == outcome.value)
    keys = (_calls.arrived_at, _calls.call_id)
    query = query.order_by(*(key.desc() if newest_first else key for key in keys)).limit(limit)
    with snapshot(engine) as connection:
        for rows in connection.execute(query, execution_options={"yield_per": _CHUNK}).mappings().partitions():
            yield from calls_from(connection, rows)


def read_observations(engine: Engine, pbx: str, start: Instant, end: Instant) -> Iterator[Interval]:
    """Yield the intervals of one PBX, of all its observers, that have a part between ``start`` and ``end``, in order.

    Raises:
        LedgerError: the database cannot be read.
    """
    query = (
        select(TABLES["observations"])
        .where(_observations.pbx == pbx, _observations.started_at < to_datetime(end))
        .where(or_(_observations.ended_at.is_(None), _observations.ended_at > to_datetime(start)))
        .order_by(_observations.started_at, _observations.observer)
    )
    with snapshot(engine) as connection:
        for row in connection.execute(query, execution_options={"yield_per": _CHUNK}).mappings():
            yield Interval(
                pbx=row["pbx"],
                started_at=from_datetime(row["started_at"]),
                ended_at=_instant(row["ended_at"]),
                sight=Sight(row["state"]),
                cause=None if row["cause"] is None else GapCause(row["cause"]),
                observer=row["observer"],
            )


def totals(engine: Engine, sites: Collection[str]) -> dict[tuple[str, str, Outcome], int]:
    """Return how many calls there are by site, service and outcome; probe and internal calls count nowhere.

    Raises:
        LedgerError: the database cannot be read.
    """
    query = (
        select(_calls.site, _calls.service, _calls.outcome, func.count())
        .where(
            _calls.site.in_(sites),
            _calls.is_probe.is_(False),
            cast(_calls.flags, Text).not_like(f'%"{Flag.INTERNAL}"%'),
        )
        .group_by(_calls.site, _calls.service, _calls.outcome)
    )
    with snapshot(engine) as connection:
        return {(site, service, Outcome(outcome)): count for site, service, outcome, count in connection.execute(query)}


@contextmanager
def snapshot(engine: Engine) -> Iterator[Connection]:
    """Open a connection on which all queries see the same moment; the database's errors become LedgerError."""
    try:
        with engine.connect() as connection:
            if engine.dialect.name == "sqlite":
                connection.exec_driver_sql("BEGIN")  # the driver itself begins at the first write only
            else:
                connection.execution_options(isolation_level="REPEATABLE READ")
            yield connection
    except SQLAlchemyError as error:
        name = engine.url.render_as_string(hide_password=True)
        raise LedgerError(f"ledger {name}: cannot read: {reason(error)}") from error


def calls_from(connection: Connection, rows: Sequence[RowMapping]) -> Iterator[CallRecord]:
    """Yield the records of rows of ``calls``, with the attempts and transfers that the same snapshot has of them."""
    attempts: defaultdict[str, list[RingAttempt]] = defaultdict(list)
    transfers: defaultdict[str, list[Transfer]] = defaultdict(list)
    call_ids = [row["call_id"] for row in rows]
    for child in connection.execute(_children("ring_attempts", call_ids)).mappings():
        attempts[child["call_id"]].append(_attempt(child))
    for child in connection.execute(_children("transfers", call_ids)).mappings():
        transfers[child["call_id"]].append(_transfer(child))
    for row in rows:
        yield _call(row, attempts[row["call_id"]], transfers[row["call_id"]])


def _children(name: str, call_ids: Sequence[str]) -> Select[Any]:
    columns = TABLES[name].columns
    return select(TABLES[name]).where(columns.call_id.in_(call_ids)).order_by(columns.call_id, columns.position)


def _call(row: RowMapping, attempts: Sequence[RingAttempt], transfers: Sequence[Transfer]) -> CallRecord:
    same = ("call_id", "site", "service", "ddi", "caller", "linkedid", "answered_by", "hangup_cause", "is_probe")
    fields: dict[str, Any] = {name: row[name] for name in same}
    for name in row:
        if name.endswith("_at") or name == "answered_not_before":
            fields[name] = _instant(row[name])
    return CallRecord(
        **fields,
        service_kind=ServiceKind(row["service_kind"]),
        outcome=Outcome(row["outcome"]),
        ended_by=None if row["ended_by"] is None else EndedBy(row["ended_by"]),
        queues=tuple(row["queues"]),
        attempts=tuple(attempts),
        transfers=tuple(transfers),
        hold_duration=from_seconds(row["hold_seconds"]),
        flags=tuple(map(Flag, row["flags"])),
        provenance=Provenance(row["provenance"]),
    )


def _attempt(row: RowMapping) -> RingAttempt:
    return RingAttempt(
        operator=row["operator"],
        started_at=from_datetime(row["started_at"]),
        ringing_at=_instant(row["ringing_at"]),
        ended_at=_instant(row["ended_at"]),
        result=AttemptResult(row["result"]),
    )


def _transfer(row: RowMapping) -> Transfer:
    return Transfer(
        kind=TransferKind(row["kind"]),
        to=row["to"],
        at=from_datetime(row["at"]),
        result=TransferResult(row["result"]),
    )


def _instant(moment: datetime | None) -> Instant | None:
    return None if moment is None else from_datetime(moment)
