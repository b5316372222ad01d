"""The writer's SQL: compiled once from the tables, then given to the driver with plain tuples.

One statement takes a thousand calls. That is not only fewer round trips: the drivers drop Python's global lock several
times in each statement, and a thread that shares it with a busy reader waits up to 5 ms (``sys.getswitchinterval``) to
get it back. Row by row, the writer would fall behind exactly when many calls end.
"""

from __future__ import annotations

import re
from itertools import chain
from typing import TYPE_CHECKING

from sqlalchemy import bindparam, delete
from sqlalchemy.dialects import postgresql, sqlite

from telemon.errors import LedgerError
from telemon.ledger.models import TABLES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection, Dialect

    from telemon.ledger.rows import Row, Rows

_PARAMETERS = 30_000  # in one statement; SQLite allows 32,766, PostgreSQL 65,535
_SMALLER = (128, 16, 1)  # rows in the statements for what is left


class Statements:
    """Writes the rows of one batch, within the caller's transaction."""

    def __init__(self, dialect: Dialect) -> None:
        self._put_calls = _upsert("calls", dialect)
        self._put_observations = _upsert("observations", dialect)
        self._put_children = [
            (_delete_of_calls(table, dialect), _upsert(table, dialect)) for table in ("ring_attempts", "transfers")
        ]

    def write(self, connection: Connection, rows: Rows) -> None:
        """Insert or replace calls with their children, and observations.

        The calls go first: their row locks keep a second writer of the same call away from its children.
        """
        _run(connection, self._put_calls, rows.calls)
        call_ids: list[Row] = [row[:1] for row in rows.calls]
        for (remove, insert), children in zip(self._put_children, (rows.attempts, rows.transfers), strict=True):
            _run(connection, remove, call_ids)
            _run(connection, insert, children)
        _run(connection, self._put_observations, rows.observations)


def _run(connection: Connection, sql_by_size: dict[int, str], rows: Sequence[Row]) -> None:
    """Execute the largest statement that the rows fill, then the next smaller one, down to single rows."""
    start = 0
    for size, sql in sql_by_size.items():
        while len(rows) - start >= size:
            connection.exec_driver_sql(sql, tuple(chain.from_iterable(rows[start : start + size])))
            start += size


def _upsert(name: str, dialect: Dialect) -> dict[int, str]:
    """INSERT … ON CONFLICT DO UPDATE of every column, by number of rows."""
    table = TABLES[name]
    insert = sqlite.insert(table) if dialect.name == "sqlite" else postgresql.insert(table)
    rest = {column.name: insert.excluded[column.name] for column in table.columns if not column.primary_key}
    upsert = insert.on_conflict_do_update(index_elements=list(table.primary_key.columns), set_=rest)
    return _repeated(str(upsert.compile(dialect=dialect)), r"(?<= VALUES )\(.*\)(?= ON CONFLICT )", len(table.columns))


def _delete_of_calls(name: str, dialect: Dialect) -> dict[int, str]:
    """DELETE of what belongs to some calls, by number of calls."""
    table = TABLES[name]
    of_call = delete(table).where(table.columns.call_id.in_([bindparam("call_id")]))
    return _repeated(str(of_call.compile(dialect=dialect)), r"(?<= IN \().*(?=\)$)", 1)


def _repeated(sql: str, group: str, parameters: int) -> dict[int, str]:
    """Return the statement by number of rows, the largest first; ``group`` finds in it what each row repeats."""
    found = re.search(group, sql)
    if found is None:
        raise LedgerError(
            f"ledger: this SQLAlchemy writes a statement in an unknown way: {sql}; install the locked one"
        )
    head, tail = sql[: found.start()], sql[found.end() :]
    sizes = (_PARAMETERS // parameters, *_SMALLER)
    return {size: head + ", ".join([found.group()] * size) + tail for size in sizes}
