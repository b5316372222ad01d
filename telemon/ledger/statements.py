"""The writer's SQL: compiled once from the tables, then given to the driver with plain tuples.

One statement takes a thousand calls. That is not only fewer round trips: the drivers drop Python's global lock several
times in each statement, and a thread that shares it with a busy reader waits up to 5 ms (``sys.getswitchinterval``) to
get it back. Row by row, the writer would fall behind exactly when many calls end. For the same reason SQLite is asked
for one row of JSON instead of many rows: sqlite3 drops the lock for each.
"""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import chain
from typing import TYPE_CHECKING, Final, NamedTuple, cast

from sqlalchemy import insert

from telemon.errors import LedgerError
from telemon.instants import EPOCH
from telemon.ledger.duty_rows import KEY_COLUMNS
from telemon.ledger.models import TABLES
from telemon.ledger.rows import fullness

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from sqlalchemy import Connection, Dialect

    from telemon.ledger.rows import Rows
    from telemon.ledger.values import Row

_PARAMETERS = 30_000  # in one statement; SQLite allows 32,766, PostgreSQL 65,535
_SMALLER = (128, 16, 1)  # rows in the statements for what is left
_COLUMNS: Final = [column.name for column in TABLES["calls"].columns]
_SITE, _ARRIVED_AT, _COMPLETENESS, _FLAGS = (
    _COLUMNS.index(name) for name in ("site", "arrived_at", "completeness", "flags")
)
_AN_HOUR: Final = timedelta(hours=1)
_TO_THE_HOUR: Final = len("2026-11-23T07")

_OF_CALLS: Final = {
    "sqlite": "WHERE call_id IN (SELECT value FROM json_each(?))",
    "postgresql": "WHERE call_id = ANY(%s)",
}
_FIND: Final = {
    "sqlite": "SELECT json_group_array(json_array(call_id, site, arrived_at, completeness, json(flags)))"
    " FROM calls {of_calls}",
    # COLLATE: everybody locks in the order in which Python sorts, whatever the database's own
    "postgresql": """SELECT call_id, site, to_char(arrived_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24'), completeness,"""
    ' flags FROM calls {of_calls} ORDER BY call_id COLLATE "C" FOR UPDATE',
}
_REMOVE: Final = "DELETE FROM {table} {of_calls}"
_CHILDREN: Final = ("ring_attempts", "transfers")
_ONE_MORE: Final = "ON CONFLICT (site, hour) DO UPDATE SET generation = stale_hours.generation + 1"


class OvertakenError(Exception):
    """Another writer committed one of the calls first. Roll back and write again: now the call can be seen."""


class Stored(NamedTuple):
    """What the ledger has of a call."""

    site: str
    arrived_at: str  # to the hour at least
    completeness: int
    flags: list[str]


class Statements:
    """Writes the rows of one batch, within the caller's transaction.

    Two writers of the same calls never deadlock: calls that there are, new calls, the other tables and stale hours
    are locked one after the other, each in the order of their keys.
    """

    def __init__(self, dialect: Dialect) -> None:
        self._is_sqlite = dialect.name == "sqlite"
        of_calls = _OF_CALLS[dialect.name]
        self._find_calls = _FIND[dialect.name].format(of_calls=of_calls)
        self._insert_calls = _insert("calls", dialect, "ON CONFLICT (call_id) DO NOTHING")
        self._replace_calls = _insert("calls", dialect, _replacing("calls"))
        self._remove_children = [_REMOVE.format(table=table, of_calls=of_calls) for table in _CHILDREN]
        self._insert_children = [_insert(table, dialect) for table in _CHILDREN]
        self._put_others = {table: _insert(table, dialect, _replacing(table)) for table in KEY_COLUMNS}
        self._mark_hours = _insert("stale_hours", dialect, _ONE_MORE)

    def begin(self, connection: Connection) -> None:
        """Begin to write: in SQLite, a transaction that reads first could not be sure to write later."""
        if self._is_sqlite:
            connection.exec_driver_sql("BEGIN IMMEDIATE")

    def write(self, connection: Connection, rows: Rows) -> None:
        """Put calls with their children, and everything else; of a call that is there already, keep what says more.

        Every hour of which a call changes is marked stale.

        Raises:
            OvertakenError: roll back and try again.
        """
        stored = self._find(connection, [call_id(call) for call in rows.calls])
        kept = {call_id(call) for call in rows.calls if _says_less(call, stored.get(call_id(call)))}
        rows = rows.without_calls(kept)
        self._write_calls(connection, rows, stored)
        for table, put in self._put_others.items():
            _run(connection, put, rows.others.get(table, ()))
        hours = {_site_hour(before.site, before.arrived_at) for name, before in stored.items() if name not in kept}
        hours |= {_site_hour(cast("str", call[_SITE]), cast("str", call[_ARRIVED_AT])) for call in rows.calls}
        _run(connection, self._mark_hours, [(*hour, 1) for hour in sorted(hours)])

    def _find(self, connection: Connection, call_ids: Sequence[str]) -> dict[str, Stored]:
        """Return what the ledger has of these calls, and lock it until the end of the transaction."""
        if not call_ids:
            return {}
        found = connection.exec_driver_sql(self._find_calls, self._one(call_ids))
        rows = json.loads(found.scalar_one()) if self._is_sqlite else found.all()
        return {name: Stored(*known) for name, *known in rows}

    def _write_calls(self, connection: Connection, rows: Rows, stored: Collection[str]) -> None:
        old = [call for call in rows.calls if call_id(call) in stored] if stored else []
        new = [call for call in rows.calls if call_id(call) not in stored] if stored else rows.calls
        if _run(connection, self._insert_calls, new) != len(new):
            raise OvertakenError
        if old:
            _run(connection, self._replace_calls, old)
            for remove in self._remove_children:
                connection.exec_driver_sql(remove, self._one([call_id(call) for call in old]))
        for insert_children, children in zip(self._insert_children, (rows.attempts, rows.transfers), strict=True):
            _run(connection, insert_children, children)

    def _one(self, call_ids: Sequence[str]) -> tuple[object]:
        """Return calls as one parameter."""
        return (json.dumps(call_ids) if self._is_sqlite else call_ids,)


def put_row(connection: Connection, table: str, row: Row) -> None:
    """Write one row of a table of ``KEY_COLUMNS``, in the place of the one with its key."""
    _run(connection, _insert(table, connection.dialect, _replacing(table)), [row])


def call_id(row: Row) -> str:
    """Return whose row of ``calls``, ``ring_attempts`` or ``transfers`` it is."""
    return cast("str", row[0])


def _says_less(call: Row, stored: Stored | None) -> bool:
    if stored is None:
        return False
    told = fullness(cast("int", call[_COMPLETENESS]), json.loads(cast("str", call[_FLAGS])))
    return told < fullness(stored.completeness, stored.flags)


def _site_hour(site: str, arrived_at: str) -> tuple[str, int]:
    return site, _hour(arrived_at[:_TO_THE_HOUR])


@lru_cache(1024)
def _hour(text: str) -> int:
    """Return the hours from the epoch to such as ``2026-11-23T07``."""
    return (datetime.fromisoformat(f"{text}:00:00+00:00") - EPOCH) // _AN_HOUR


def _run(connection: Connection, sql_by_size: dict[int, str], rows: Sequence[Row]) -> int:
    """Execute the largest statement that the rows fill, then the next smaller one, down to single rows.

    Return how many rows were inserted or replaced.
    """
    start = done = 0
    for size, sql in sql_by_size.items():
        while len(rows) - start >= size:
            done += connection.exec_driver_sql(sql, tuple(chain.from_iterable(rows[start : start + size]))).rowcount
            start += size
    return done


def _replacing(name: str) -> str:
    table = TABLES[name]
    keys = ", ".join(column.name for column in table.primary_key)
    rest = ", ".join(f"{column.name} = excluded.{column.name}" for column in table.columns if not column.primary_key)
    return f"ON CONFLICT ({keys}) DO UPDATE SET {rest}"


def _insert(name: str, dialect: Dialect, on_conflict: str = "") -> dict[int, str]:
    """Return INSERT of all columns, by number of rows, the largest first."""
    table = TABLES[name]
    sql = str(insert(table).compile(dialect=dialect))
    values = re.search(r"(?<= VALUES )\(.*\)$", sql)
    if values is None:
        raise LedgerError(f"ledger: this SQLAlchemy writes INSERT in an unknown way: {sql}; install the locked one")
    sizes = (_PARAMETERS // len(table.columns), *_SMALLER)
    return {size: f"{sql[: values.start()]}{', '.join([values[0]] * size)} {on_conflict}" for size in sizes}
