"""Rows of a ledger's database: the columns that are compared, as they are stored."""

from __future__ import annotations

from collections import defaultdict
from contextlib import contextmanager
from sys import intern
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, func, or_, select, true
from sqlalchemy.exc import SQLAlchemyError

from simulators.compare.row import FROM_RECORDS, LedgerRow, duration
from telemon.errors import LedgerError
from telemon.instants import from_datetime, to_datetime
from telemon.ledger.models import TABLES
from telemon.ledger.trouble import reason
from telemon.records import EndedBy, Outcome, TransferResult

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import ColumnElement, Connection, Engine, Row, Select

    from telemon.instants import Instant

_OUTCOMES = {outcome.value: outcome for outcome in Outcome}
_ENDED_BY = {None: None} | {side.value: side for side in EndedBy}
_CHUNK = 500  # calls whose attempts and transfers are fetched together, as in telemon.ledger.reader
_calls = TABLES["calls"].columns
_attempts = TABLES["ring_attempts"].columns
_transfers = TABLES["transfers"].columns
_COLUMNS = (
    _calls.call_id, _calls.site, _calls.service, _calls.ddi, _calls.caller, _calls.outcome, _calls.arrived_at,
    _calls.ended_at, _calls.ended_by, _calls.answered_by, _calls.machine_answered_at, _calls.wait_seconds,
    _calls.ring_seconds, _calls.talk_seconds, _calls.rings, _calls.provenance,
)  # fmt: skip


class Database:
    """One ledger, of one site or of all."""

    def __init__(self, engine: Engine, site: str | None) -> None:
        """Read the calls of ``site`` and of each of its PBXs (``site/pbx``), or of all sites."""
        self._engine = engine
        of_pbx = _calls.site.startswith(f"{site}/", autoescape=True)
        self._of_site = true() if site is None else or_(_calls.site == site, of_pbx)

    def rows(self, start: Instant, end: Instant) -> Iterator[LedgerRow]:
        """Yield the calls that arrived from ``start`` to before ``end``, in order of arrival.

        Raises:
            LedgerError: the database cannot be read.
        """
        query: Select[Any] = select(*_COLUMNS).where(_between(start, end), self._of_site).order_by(_calls.arrived_at)
        with self._connection() as connection:
            for rows in connection.execute(query, execution_options={"yield_per": _CHUNK}).partitions():
                yield from _with_children(connection, rows)

    def count(self, start: Instant, end: Instant) -> tuple[int, int]:
        """Return how many calls arrived from ``start`` to before ``end``, and how many at other times.

        Raises:
            LedgerError: the database cannot be read.
        """
        query = select(func.count().filter(_between(start, end)), func.count()).where(self._of_site)
        with self._connection() as connection:
            inside, all_of_them = connection.execute(query.select_from(TABLES["calls"])).one()
        return inside, all_of_them - inside

    def sites(self) -> set[str]:
        """Return every site that has a call here, the chosen one or not.

        Raises:
            LedgerError: the database cannot be read.
        """
        with self._connection() as connection:
            return set(connection.execute(select(_calls.site).distinct()).scalars())

    @contextmanager
    def _connection(self) -> Iterator[Connection]:
        try:
            with self._engine.connect() as connection:
                yield connection
        except SQLAlchemyError as error:
            name = self._engine.url.render_as_string(hide_password=True)
            raise LedgerError(f"ledger {name}: cannot read: {reason(error)}") from error


def _between(start: Instant, end: Instant) -> ColumnElement[bool]:
    return and_(_calls.arrived_at >= to_datetime(start), _calls.arrived_at < to_datetime(end))


def _with_children(connection: Connection, calls: Sequence[Row[Any]]) -> Iterator[LedgerRow]:
    rung: defaultdict[str, list[str]] = defaultdict(list)
    transferred: defaultdict[str, list[str]] = defaultdict(list)
    ids = [call.call_id for call in calls]
    attempts = select(_attempts.call_id, _attempts.operator).where(_attempts.call_id.in_(ids))
    for call_id, operator in connection.execute(attempts.order_by(_attempts.call_id, _attempts.position)):
        rung[call_id].append(intern(operator))
    transfers = select(_transfers.call_id, _transfers.to).where(_transfers.call_id.in_(ids))
    answered = transfers.where(_transfers.result == TransferResult.ANSWERED.value)
    for call_id, to in connection.execute(answered.order_by(_transfers.call_id, _transfers.position)):
        transferred[call_id].append(to)
    for call in calls:
        yield _row(call, tuple(rung.get(call[0], ())), tuple(transferred.get(call[0], ())))


def _row(call: Sequence[Any], rung: tuple[str, ...], transferred_to: tuple[str, ...]) -> LedgerRow:
    """Return a row of ``_COLUMNS``: unpacked, as naming each column takes twice as long."""
    call_id, site, service, ddi, caller, outcome, arrived_at, ended_at, ended_by, answered_by, machine, *figures = call
    wait, ring, talk, rings, provenance = figures
    return LedgerRow(
        call_id=call_id,
        site=intern(site),
        service=intern(service),
        ddi=intern(ddi),
        caller=caller,
        outcome=_OUTCOMES[outcome],
        arrived_at=from_datetime(arrived_at),
        ended_at=None if ended_at is None else from_datetime(ended_at),
        ended_by=_ENDED_BY[ended_by],
        answered_by=None if answered_by is None else intern(answered_by),
        machine_answered=machine is not None,
        wait=duration(wait),
        ring=duration(ring),
        talk=duration(talk),
        rings=rings,
        rung=rung,
        transferred_to=transferred_to,
        from_records=provenance in FROM_RECORDS,
    )
