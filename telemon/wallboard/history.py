"""What the wallboard takes from the ledger: today's calls by the quarter of an hour, and which were lost last."""

from __future__ import annotations

import asyncio
from datetime import datetime, time
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sqlalchemy import Integer, Text, and_, case, cast, extract, func, select

from telemon.instants import SECOND, from_datetime, to_datetime, to_seconds
from telemon.ledger.models import TABLES
from telemon.ledger.reader import read_calls, snapshot
from telemon.records import Flag, Outcome
from telemon.rulesets import Clock

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from datetime import tzinfo

    from sqlalchemy import ColumnElement, Engine

    from telemon.instants import Duration, Instant
    from telemon.records import CallRecord
    from telemon.rulesets import RuleSet

QUARTER: Final = 900  # seconds
KEPT: Final[Duration] = 15 * SECOND
_DAY: Final[Duration] = 86_400 * SECOND
_LOOKED_AT: Final = 1000  # calls, for those lost last
_calls = TABLES["calls"].columns
_WAITS: Final[Mapping[Clock, ColumnElement[Any]]] = {
    Clock.ARRIVAL: _calls.wait_seconds,
    Clock.ALERTING: _calls.ring_seconds,
    Clock.OPERATOR: _calls.operator_ring_seconds,
}


class Curve(NamedTuple):
    """Calls by quarter; ``start`` of each as Unix seconds."""

    step: int
    start: list[int]
    answered: list[int]
    lost: list[int]
    within: list[int]


class Question(NamedTuple):
    """Of which calls: those of these call sites and this service, of all services if None."""

    sites: frozenset[str]
    service: str | None


class History:
    """Reads curves in a thread, one at a time, and keeps each for a while."""

    def __init__(self, engine: Engine, zone: tzinfo, clock: Callable[[], Instant]) -> None:
        self._engine = engine
        self._zone = zone
        self._clock = clock
        self._reading = asyncio.Lock()
        self._known: dict[Question, tuple[Instant, Curve]] = {}

    async def curve(self, question: Question, ruleset: RuleSet, cycle: Duration) -> Curve:
        """Return the curve of today so far.

        Raises:
            LedgerError: the database cannot be read.
        """
        async with self._reading:
            now = self._clock()
            read_at, known = self._known.get(question, (None, None))
            if known is None or read_at is None or not 0 <= now - read_at < KEPT:
                midnight = _midnight(now, self._zone)
                known = await asyncio.to_thread(read_curve, self._engine, question, midnight, now, ruleset, cycle)
                self._known[question] = now, known
            return known


def _midnight(now: Instant, zone: tzinfo) -> Instant:
    return from_datetime(datetime.combine(to_datetime(now).astimezone(zone).date(), time(), zone))


def read_curve(
    engine: Engine, question: Question, start: Instant, now: Instant, ruleset: RuleSet, cycle: Duration
) -> Curve:
    """Read one curve from ``start``, a whole quarter, to now.

    Raises:
        LedgerError: the database cannot be read.
    """
    limit = to_seconds((ruleset.max_rings - 1) * cycle)
    answered = _calls.outcome == Outcome.ANSWERED.value
    quarter = _quarter(engine.dialect.name).label("quarter")
    query = (
        select(
            quarter,
            _count(answered),
            _count(_calls.outcome.in_([outcome.value for outcome in ruleset.lost])),
            _count(and_(answered, _WAITS[ruleset.clock] < limit)),
        )
        .where(
            _calls.arrived_at >= to_datetime(start),
            _calls.arrived_at <= to_datetime(now),
            _calls.site.in_(question.sites),
            _calls.is_probe.is_(False),
            cast(_calls.flags, Text).not_like(f'%"{Flag.INTERNAL}"%'),
        )
        .group_by(quarter)
    )
    if question.service is not None:
        query = query.where(_calls.service == question.service)
    with snapshot(engine) as connection:
        counts = {number: row for number, *row in connection.execute(query)}
    numbers = range(start // SECOND // QUARTER, now // SECOND // QUARTER + 1)
    columns = [[counts.get(number, (0, 0, 0))[place] for number in numbers] for place in range(3)]
    return Curve(QUARTER, [number * QUARTER for number in numbers], *columns)


def _count(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.sum(case((condition, 1), else_=0))


def _quarter(dialect: str) -> ColumnElement[int]:
    """Return the number of whole quarters from the epoch to the arrival."""
    if dialect == "sqlite":
        return cast(func.strftime("%s", _calls.arrived_at, type_=Text), Integer) // QUARTER
    return cast(func.floor(extract("epoch", _calls.arrived_at) / QUARTER), Integer)


def last_lost(
    engine: Engine, now: Instant, lost: Collection[Outcome], sites: Collection[str], most: int
) -> list[CallRecord]:
    """Return the last calls of a day that were lost, the latest first; ``caller`` is the pseudonym.

    Raises:
        LedgerError: the database cannot be read.
    """
    found = [
        call
        for call in read_calls(engine, now - _DAY, now, limit=_LOOKED_AT, newest_first=True)
        if call.site in sites and call.outcome in lost and not call.is_probe and Flag.INTERNAL not in call.flags
    ]
    return found[:most]
