"""Reading test calls."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from telemon.duty_records import Probe, ProbeResult
from telemon.instants import from_datetime, to_datetime
from telemon.ledger.models import TABLES
from telemon.ledger.reader import snapshot

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from sqlalchemy import Engine, RowMapping, Select

    from telemon.instants import Instant

_probes = TABLES["probes"].columns


def read_probes(
    engine: Engine, sites: Collection[str], start: Instant, end: Instant, *, service: str | None = None
) -> list[Probe]:
    """Return the test calls ordered from ``start`` to before ``end``, in that order, those still ringing included.

    ``sites`` are the call sites (``telemon.config.Config.call_site``).

    Raises:
        LedgerError: the database cannot be read.
    """
    query = select(TABLES["probes"]).where(
        _probes.site.in_(sites), _probes.ordered_at >= to_datetime(start), _probes.ordered_at < to_datetime(end)
    )
    if service is not None:
        query = query.where(_probes.service == service)
    return _read(engine, query.order_by(_probes.ordered_at, _probes.probe_id))


def read_unfinished(engine: Engine, sites: Collection[str]) -> list[Probe]:
    """Return the test calls without a result: those under way, and those whose telemon was killed.

    Raises:
        LedgerError: the database cannot be read.
    """
    query = select(TABLES["probes"]).where(_probes.site.in_(sites), _probes.result.is_(None))
    return _read(engine, query.order_by(_probes.ordered_at, _probes.probe_id))


def read_latest(engine: Engine, sites: Collection[str], *, ordered_by: str) -> dict[tuple[str, str], Instant]:
    """Return, by site and service, when the latest test call of ``schedule`` or ``command`` was ordered.

    Raises:
        LedgerError: the database cannot be read.
    """
    columns = (_probes.site, _probes.service, _probes.ordered_at)
    query = select(*columns).where(_probes.site.in_(sites), _probes.ordered_by == ordered_by)
    with snapshot(engine) as connection:
        rows = connection.execute(query.order_by(_probes.ordered_at))
        return {(site, service): from_datetime(ordered_at) for site, service, ordered_at in rows}


def _read(engine: Engine, query: Select[tuple[object, ...]]) -> list[Probe]:
    with snapshot(engine) as connection:
        return [_probe(row) for row in connection.execute(query).mappings()]


def _probe(row: RowMapping) -> Probe:
    same = ("probe_id", "site", "service", "pbx", "number", "ordered_by", "call_id", "answered_by", "reason")
    return Probe(
        **{name: row[name] for name in same},
        ordered_at=from_datetime(row["ordered_at"]),
        result=None if row["result"] is None else ProbeResult(row["result"]),
        alerting_at=_instant(row["alerting_at"]),
        answered_at=_instant(row["answered_at"]),
        confirmed_at=_instant(row["confirmed_at"]),
        ended_at=_instant(row["ended_at"]),
    )


def _instant(moment: datetime | None) -> Instant | None:
    return None if moment is None else from_datetime(moment)
