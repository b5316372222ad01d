"""Reading how a permanence was covered."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import or_, select

from telemon.duty_records import Coverage, CoverInterval, UncoveredCause
from telemon.instants import from_datetime, to_datetime
from telemon.ledger.models import TABLES
from telemon.ledger.reader import snapshot

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from sqlalchemy import Engine

    from telemon.instants import Instant

_ROWS = 5000  # fetched together
_coverage = TABLES["coverage"].columns


def read_coverage(engine: Engine, site: str, service: str, start: Instant, end: Instant) -> Iterator[CoverInterval]:
    """Yield the intervals of one permanence, of all its observers, that have a part between ``start`` and ``end``.

    They come in order, from one snapshot; ``site`` is as in ``CallRecord``.

    Raises:
        LedgerError: the database cannot be read.
    """
    query = (
        select(TABLES["coverage"])
        .where(_coverage.site == site, _coverage.service == service, _coverage.started_at < to_datetime(end))
        .where(or_(_coverage.ended_at.is_(None), _coverage.ended_at > to_datetime(start)))
        .order_by(_coverage.started_at, _coverage.observer)
    )
    with snapshot(engine) as connection:
        for row in connection.execute(query, execution_options={"yield_per": _ROWS}).mappings():
            yield CoverInterval(
                site=row["site"],
                service=row["service"],
                observer=row["observer"],
                started_at=from_datetime(row["started_at"]),
                ended_at=None if row["ended_at"] is None else from_datetime(row["ended_at"]),
                state=Coverage(row["state"]),
                cause=None if row["cause"] is None else UncoveredCause(row["cause"]),
            )


def read_permanences(engine: Engine, sites: Collection[str]) -> list[tuple[str, str]]:
    """Return the sites, of those given, and their permanences that the ledger tells anything of, sorted.

    Raises:
        LedgerError: the database cannot be read.
    """
    query = select(_coverage.site, _coverage.service).where(_coverage.site.in_(sites)).distinct()
    with snapshot(engine) as connection:
        return sorted((site, service) for site, service in connection.execute(query))
