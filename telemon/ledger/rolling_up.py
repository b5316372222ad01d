"""Making roll-ups, and making them again wherever calls changed.

Each step is one short transaction. It holds the sites' rows of ``roll_up_sets``, so that two telemons on one ledger
take turns, and takes an hour off ``stale_hours`` before it reads that hour's calls: whoever writes one meanwhile marks
the hour again, and the next step finds it. So a roll-up differs from its calls only while its hour is marked, and one
made twice is the same.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from contextlib import contextmanager
from itertools import pairwise
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from sqlalchemy import and_, delete, func, insert, select, update
from sqlalchemy.exc import SQLAlchemyError

from telemon.buckets import HOUR, Buckets, Span
from telemon.errors import LedgerError
from telemon.instants import from_datetime, to_datetime
from telemon.ledger.models import TABLES
from telemon.ledger.roll_up_sets import drop_sets, lock_sets
from telemon.ledger.roll_ups import Stretch, bodies_of, calls_of
from telemon.ledger.trouble import reason
from telemon.measures import measure_under
from telemon.roll_ups import Sums, body_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import ColumnElement, Connection, Engine

    from telemon.instants import Instant
    from telemon.ledger.roll_up_sets import RollUpSet
    from telemon.roll_ups import Definition

CALLS: Final = 2000  # about as many are rolled up in one transaction while a set is being built
HOURS: Final = 4  # stale ones, at most, of one day, in one transaction
_calls = TABLES["calls"].columns
_roll_ups = TABLES["roll_ups"].columns
_sets = TABLES["roll_up_sets"].columns
_stale = TABLES["stale_hours"].columns
_Bodies = dict[tuple[str, "Instant", str], str]  # by site, start and service


class Roller:
    """Rolls up the calls of some sites under all their definitions, step by step."""

    def __init__(self, engine: Engine, sites: Iterable[str], known: Mapping[str, Definition]) -> None:
        """``known``: definitions by digest, at least one, all of one time zone."""
        self._engine = engine
        self._sites = tuple(sorted(set(sites)))
        self._known = known
        self._buckets = Buckets(ZoneInfo(next(iter(known.values())).zone))

    def step(self, until: Instant | None = None) -> int:
        """Do the next piece of work; return how many hours it dealt with, 0 once nothing is left.

        A set that is not complete is built on, in order of time; then stale hours are rolled up again, those that
        were over by ``until`` (None: all). Sets that no definition describes any more are dropped.

        Raises:
            LedgerError: the database refuses; nothing is lost, the next call tries again.
        """
        with self._transaction() as connection:
            sets = lock_sets(connection, self._sites, self._known)
            behind = [each for each in sets if not each.complete]
            return self._build(connection, sets, behind) if behind else self._renew(connection, until)

    def ahead(self) -> int:
        """Return about how many hours there are to deal with.

        Raises:
            LedgerError: the database refuses.
        """
        with self._transaction() as connection:
            behind = [each for each in lock_sets(connection, self._sites, self._known) if not each.complete]
            if not behind:
                query = select(func.count()).select_from(TABLES["stale_hours"]).where(_stale.site.in_(self._sites))
                return int(connection.execute(query).scalar_one())
            sites = sorted({each.site for each in behind})
            start = min(each.built_until or 0 for each in behind) or _edge(connection, sites, _calls.arrived_at, 0)
            end = _edge(connection, sites, _calls.arrived_at.desc(), 0)
        return 0 if start is None or end is None else max(0, end - start) // HOUR + 1

    def forget(self) -> None:
        """Drop all roll-ups of the sites, so that the next steps build them from nothing.

        Raises:
            LedgerError: the database refuses.
        """
        with self._transaction() as connection:
            drop_sets(connection, lock_sets(connection, self._sites, self._known))

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        """Begin with SQLite's lock for writing: a reader that wants it later may be refused."""
        try:
            with self._engine.begin() as connection:
                if connection.dialect.name == "sqlite":
                    connection.exec_driver_sql("BEGIN IMMEDIATE")
                yield connection
        except SQLAlchemyError as error:
            name = self._engine.url.render_as_string(hide_password=True)
            raise LedgerError(f"ledger {name}: cannot roll up: {reason(error)}") from error

    def _build(self, connection: Connection, sets: Sequence[RollUpSet], behind: Sequence[RollUpSet]) -> int:
        """Roll up the next calls of the sets that are farthest behind; several sites are read together."""
        reached = min(behind, key=lambda each: each.built_until or 0).built_until
        group = [each for each in behind if each.built_until == reached]
        sites = sorted({each.site for each in group})
        start, end, is_last = self._next_chunk(connection, sites, reached)
        ahead = {each.site for each in sets if each not in group}  # such a set may still have to hear of a change
        for site in sites:
            if site not in ahead:
                _unmark(connection, site, -(-start // HOUR), end // HOUR)
        by_digest: defaultdict[str, list[str]] = defaultdict(list)
        for each in group:
            by_digest[each.rules].append(each.site)
        self._roll_up(connection, by_digest, start, end, whole=is_last)
        for digest, its_sites in by_digest.items():
            connection.execute(
                update(TABLES["roll_up_sets"])
                .where(_sets.site.in_(its_sites), _sets.rules == digest)
                .values(built_until=to_datetime(end), complete=is_last)
            )
        return max(1, (end - start) // HOUR)

    def _next_chunk(
        self, connection: Connection, sites: Sequence[str], reached: Instant | None
    ) -> tuple[Instant, Instant, bool]:
        """Return start and end of whole hours with about ``CALLS`` calls, and whether no call comes after them."""
        first = _edge(connection, sites, _calls.arrived_at, 0) if reached is None else reached
        if first is None:
            return 0, 0, True
        start = self._buckets.whole(Span.HOUR, first, first + 1).start
        after = _edge(connection, sites, _calls.arrived_at, CALLS, start)
        if after is not None:
            end = self._buckets.whole(Span.HOUR, after, after + 1).start
            return start, end if end > start else self._buckets.whole(Span.HOUR, start, start + 1).end, False
        last = _edge(connection, sites, _calls.arrived_at.desc(), 0, start)
        if last is None:  # the hour before once more, so that its month and year are made
            return self._buckets.whole(Span.HOUR, start - 1, start).start, start, True
        return start, self._buckets.whole(Span.HOUR, last, last + 1).end, True

    def _renew(self, connection: Connection, until: Instant | None) -> int:
        """Roll up stale hours of one day of one site again, the oldest first."""
        query = select(_stale.site, _stale.hour).where(_stale.site.in_(self._sites)).order_by(_stale.hour, _stale.site)
        if until is not None:
            query = query.where(_stale.hour < until // HOUR)
        rows = connection.execute(query.limit(HOURS * len(self._sites))).all()
        if not rows:
            return 0
        site, oldest = rows[0]
        day = self._buckets.whole(Span.DAY, oldest * HOUR, oldest * HOUR + 1)
        hours = [hour for owner, hour in rows if owner == site and hour * HOUR < day.end][:HOURS]
        for hour in hours:
            _unmark(connection, site, hour, hour + 1)
        everywhere = {digest: [site] for digest in self._known}
        for start, end in self._joined(hours):
            self._roll_up(connection, everywhere, start, end, whole=True)
        return len(hours)

    def _joined(self, hours: Sequence[int]) -> list[tuple[Instant, Instant]]:
        """Return the stretches of the zone's own hours in which these hours of UTC have a part."""
        stretches: list[tuple[Instant, Instant]] = []
        for hour in hours:
            piece = self._buckets.whole(Span.HOUR, hour * HOUR, (hour + 1) * HOUR)
            if stretches and piece.start <= stretches[-1][1]:
                stretches[-1] = stretches[-1][0], piece.end
            else:
                stretches.append((piece.start, piece.end))
        return stretches

    def _roll_up(
        self,
        connection: Connection,
        by_digest: Mapping[str, Sequence[str]],
        start: Instant,
        end: Instant,
        *,
        whole: bool,
    ) -> None:
        """Make the hours of a stretch from their calls, then the days, months and years from these.

        Unless ``whole``, a day that goes on after the stretch is left for later, and so are month and year.
        """
        if end == start:
            return
        together: defaultdict[tuple[str, ...], list[str]] = defaultdict(list)
        for digest, its_sites in by_digest.items():
            together[tuple(its_sites)].append(digest)
        for its_sites, digests in together.items():
            stretch = Stretch(its_sites, start, end)
            for digest, hours in zip(digests, self._hours_of(connection, digests, stretch), strict=True):
                _replace(connection, stretch, digest, Span.HOUR, hours)
                for finer, span in pairwise(Span):
                    self._add_up(connection, stretch, digest, finer, span, whole=whole)

    def _hours_of(self, connection: Connection, digests: Sequence[str], stretch: Stretch) -> list[_Bodies]:
        """Return the hours under each definition. The calls pass by: those of a busy hour would not fit in memory."""
        edges = self._buckets.starts(Span.HOUR, stretch.start, stretch.end)
        measured = measure_under(
            calls_of(connection, stretch),
            lambda call: (call.site, edges[bisect_right(edges, call.arrived_at) - 1], call.service),
            [(self._known[digest].ruleset, self._known[digest].cycle) for digest in digests],
        )
        return [{key: body_of(measures) for key, measures in each.items()} for each in measured]

    def _add_up(
        self, connection: Connection, stretch: Stretch, digest: str, finer: Span, span: Span, *, whole: bool
    ) -> None:
        edges = self._buckets.starts(span, stretch.start, stretch.end)
        if not whole and edges[-1] > stretch.end:
            del edges[-1]
        within = stretch._replace(start=edges[0], end=edges[-1])
        if within.start == within.end:
            return
        sums: defaultdict[tuple[str, Instant, str], Sums] = defaultdict(Sums)
        for site, service, start, body in bodies_of(connection, within, digest, finer):
            sums[site, edges[bisect_right(edges, start) - 1], service].add(body)
        bodies = {key: body_of(each.measures(self._known[digest])) for key, each in sums.items()}
        _replace(connection, within, digest, span, bodies)


def _replace(connection: Connection, stretch: Stretch, digest: str, span: Span, bodies: _Bodies) -> None:
    """Let exactly these roll-ups begin in a stretch."""
    connection.execute(
        delete(TABLES["roll_ups"]).where(
            _roll_ups.site.in_(stretch.sites),
            _roll_ups.rules == digest,
            _roll_ups.span == span.value,
            _roll_ups.start >= to_datetime(stretch.start),
            _roll_ups.start < to_datetime(stretch.end),
        )
    )
    if bodies:
        rows = [
            {"site": site, "rules": digest, "span": span.value, "start": to_datetime(start), "service": service,
             "body": body}
            for (site, start, service), body in sorted(bodies.items())
        ]  # fmt: skip
        connection.execute(insert(TABLES["roll_ups"]), rows)


def _unmark(connection: Connection, site: str, first: int, end: int) -> None:
    """Take hours from ``first`` to before ``end`` off the stale ones, waiting for whoever is writing their calls."""
    marks = and_(_stale.site == site, _stale.hour >= first, _stale.hour < end)
    connection.execute(select(_stale.hour).where(marks).order_by(_stale.hour).with_for_update())  # as the writer does
    connection.execute(delete(TABLES["stale_hours"]).where(marks))


def _edge(
    connection: Connection, sites: Sequence[str], order: ColumnElement[datetime], offset: int, start: Instant = 0
) -> Instant | None:
    """Return when the call at this place in an order arrived, of those from ``start`` on; None if there is none."""
    query = (
        select(_calls.arrived_at)
        .where(_calls.site.in_(sites), _calls.arrived_at >= to_datetime(start))
        .order_by(order)
        .offset(offset)
        .limit(1)
    )
    moment = connection.execute(query).scalar_one_or_none()
    return None if moment is None else from_datetime(moment)
