"""Reading crises, who was in their cells, and which of their calls was answered first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import Text, cast, func, select

from telemon.duty_records import Crisis, CrisisMember
from telemon.instants import from_datetime, from_seconds, to_datetime
from telemon.ledger.models import TABLES
from telemon.ledger.reader import snapshot
from telemon.records import Flag

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from sqlalchemy import Connection, Engine, RowMapping

    from telemon.instants import Instant

_crises = TABLES["crises"].columns
_members = TABLES["crisis_members"].columns
_calls = TABLES["calls"].columns


def read_crises(engine: Engine, site: str, service: str | None = None, *, limit: int | None = None) -> list[Crisis]:
    """Return the crises and exercises of a site, or of one of its services, the newest first.

    Raises:
        LedgerError: the database cannot be read.
    """
    with snapshot(engine) as connection:
        return crises_on(connection, site, service, limit=limit)


def read_crisis(engine: Engine, crisis_id: str) -> tuple[Crisis, tuple[CrisisMember, ...]] | None:
    """Return one crisis with everybody's stays in its cell, None if there is no such crisis.

    Raises:
        LedgerError: the database cannot be read.
    """
    with snapshot(engine) as connection:
        row = connection.execute(select(TABLES["crises"]).where(_crises.crisis_id == crisis_id)).mappings().first()
        return None if row is None else (_crisis(row), members_on(connection, crisis_id))


def read_first_answer(
    engine: Engine, sites: Collection[str], service: str, start: Instant, end: Instant
) -> Instant | None:
    """Return when the first public call that arrived in [start, end) was answered, of the calls that are over.

    ``sites`` are the call sites (``telemon.config.Config.call_site``); probes and internal calls do not count.

    Raises:
        LedgerError: the database cannot be read.
    """
    query = select(func.min(_calls.answered_at)).where(
        _calls.service == service,
        _calls.arrived_at >= to_datetime(start),
        _calls.arrived_at < to_datetime(end),
        _calls.site.in_(sites),
        _calls.is_probe.is_(False),
        cast(_calls.flags, Text).not_like(f'%"{Flag.INTERNAL}"%'),
    )
    with snapshot(engine) as connection:
        return _instant(connection.execute(query).scalar_one())


def crises_on(
    connection: Connection, site: str, service: str | None, *, is_open: bool = False, limit: int | None = None
) -> list[Crisis]:
    """Return crises as ``read_crises`` does, within the caller's transaction; if ``is_open``, those not yet closed."""
    query = select(TABLES["crises"]).where(_crises.site == site).limit(limit)
    if service is not None:
        query = query.where(_crises.service == service)
    if is_open:
        query = query.where(_crises.closed_at.is_(None))
    query = query.order_by(_crises.ordered_at.desc(), _crises.crisis_id.desc())
    return [_crisis(row) for row in connection.execute(query).mappings()]


def members_on(connection: Connection, crisis_id: str) -> tuple[CrisisMember, ...]:
    """Return everybody's stays in the cell of one crisis, in order, within the caller's transaction."""
    query = select(TABLES["crisis_members"]).where(_members.crisis_id == crisis_id)
    rows = connection.execute(query.order_by(_members.joined_at, _members.person)).mappings()
    return tuple(_member(row) for row in rows)


def _crisis(row: RowMapping) -> Crisis:
    return Crisis(
        crisis_id=row["crisis_id"],
        site=row["site"],
        service=row["service"],
        title=row["title"],
        is_exercise=row["is_exercise"],
        plan=row["plan"],
        deadline=from_seconds(row["deadline_seconds"]),
        ordered_at=from_datetime(row["ordered_at"]),
        ordered_by=row["ordered_by"],
        staffed_at=_instant(row["staffed_at"]),
        line_opened_at=_instant(row["line_opened_at"]),
        operational_at=_instant(row["operational_at"]),
        closed_at=_instant(row["closed_at"]),
        closed_by=row["closed_by"],
    )


def _member(row: RowMapping) -> CrisisMember:
    return CrisisMember(
        crisis_id=row["crisis_id"],
        person=row["person"],
        joined_at=from_datetime(row["joined_at"]),
        left_at=_instant(row["left_at"]),
        through=row["through"],
    )


def _instant(moment: datetime | None) -> Instant | None:
    return None if moment is None else from_datetime(moment)
