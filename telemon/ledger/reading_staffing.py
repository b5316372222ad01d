"""Reading what an hour's staffing is reckoned from: sums by hour that the database makes, and attendance."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Text, case, cast, func, select

from telemon.duty_records import Attendance
from telemon.figures.staffing import HourSums
from telemon.instants import from_datetime, from_seconds, to_datetime
from telemon.ledger.models import TABLES
from telemon.ledger.reader import snapshot
from telemon.records import Flag, Outcome

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from sqlalchemy import ColumnElement, Engine

    from telemon.instants import Instant

_UNASKED = (Outcome.IVR_ONLY, Outcome.CLOSED)
_GIVEN_UP = (Outcome.ABANDONED, Outcome.SHORT_ABANDONED)
_calls = TABLES["calls"].columns
_attendance = TABLES["attendance"].columns


def read_hours(
    engine: Engine, sites: Collection[str], start: Instant, end: Instant, lost: Collection[Outcome]
) -> dict[tuple[str, str], dict[Instant, HourSums]]:
    """Return, by call site and service, what came in each UTC hour from ``start`` to before ``end``.

    Probes and internal calls count nowhere, calls that asked for no operator neither; ``lost`` are outcomes.

    Raises:
        LedgerError: the database cannot be read.
    """
    hour: ColumnElement[Any]
    if engine.dialect.name == "sqlite":
        hour = func.substr(_calls.arrived_at, 1, len("2026-11-23T07"), type_=Text())
    else:
        hour = func.date_trunc("hour", _calls.arrived_at)
    query = (
        select(
            _calls.site,
            _calls.service,
            hour,
            func.count(),
            _count(_calls.outcome == Outcome.ANSWERED),
            _count(_calls.outcome.in_(lost)),
            _count(_calls.outcome.in_(_GIVEN_UP)),
            func.coalesce(func.sum(_calls.talk_seconds), 0.0),
            func.coalesce(func.sum(_calls.ring_seconds), 0.0),
        )
        .where(
            _calls.site.in_(sites),
            _calls.arrived_at >= to_datetime(start),
            _calls.arrived_at < to_datetime(end),
            _calls.is_probe.is_(False),
            _calls.outcome.not_in(_UNASKED),
            cast(_calls.flags, Text).not_like(f'%"{Flag.INTERNAL}"%'),
        )
        .group_by(_calls.site, _calls.service, hour)
    )
    found: dict[tuple[str, str], dict[Instant, HourSums]] = {}
    with snapshot(engine) as connection:
        for site, service, at, *sums in connection.execute(query):
            found.setdefault((site, service), {})[_start(at)] = HourSums(*sums)
    return found


def read_attendance(engine: Engine, sites: Collection[str], start: Instant, end: Instant) -> Iterator[Attendance]:
    """Yield the attendance of the hours that begin from ``start`` to before ``end``, of all observers.

    Raises:
        LedgerError: the database cannot be read.
    """
    query = select(TABLES["attendance"]).where(
        _attendance.site.in_(sites),
        _attendance.hour >= to_datetime(start),
        _attendance.hour < to_datetime(end),
    )
    with snapshot(engine) as connection:
        for row in connection.execute(query).mappings():
            yield Attendance(
                site=row["site"],
                service=row["service"],
                observer=row["observer"],
                hour=from_datetime(row["hour"]),
                seen=from_seconds(row["seen_seconds"]),
                present=from_seconds(row["present_seconds"]),
                talking=from_seconds(row["talking_seconds"]),
            )


def _count(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.sum(case((condition, 1), else_=0))


def _start(at: str | datetime) -> Instant:
    return from_datetime(datetime.fromisoformat(f"{at}:00").replace(tzinfo=UTC) if isinstance(at, str) else at)
