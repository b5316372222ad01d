"""Rows out of one database and into another, as SQLite holds them, and what proves that two hold the same.

SQLite's form is the plainest: instants are ISO 8601 text (``telemon.ledger.models.UtcDateTime``), lists JSON text,
truth is 0 or 1. PostgreSQL is asked for that form, and takes it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import lru_cache
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from sqlalchemy import Boolean, Integer, Text, cast, func, select

from telemon.ledger.models import TABLES, JsonList, UtcDateTime

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator

    from psycopg import Connection as PsycopgConnection
    from sqlalchemy import Column, ColumnElement, Connection

Plain = tuple[str | int | float | None, ...]
Report = Callable[[str, int, int], None]
"""Is told what is being done, how far it is, and how far it goes."""

ERASED_IN_TIME: Final = "lost_callers"
"""Holds callers' numbers, encrypted, for hours only: a copy would outlive them."""
COLUMNS: Final = {
    table.name: [column.name for column in table.columns] for table in TABLES.values() if table.name != ERASED_IN_TIME
}
_STEP: Final = 1000  # rows between two words of progress, and fetched together
_BITS: Final = 256  # of a digest
_ISO: Final = 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"'


class Content(NamedTuple):
    """What a table holds: how many rows, and a digest of them that does not depend on their order."""

    rows: int
    digest: str


class Tally:
    """Adds up the rows that pass."""

    def __init__(self, advance: Callable[[int], None]) -> None:
        """``advance`` is told how many rows have passed since it was last told."""
        self._advance = advance
        self._rows = 0
        self._sum = 0

    @property
    def content(self) -> Content:
        """What has passed so far."""
        return Content(self._rows, f"{self._sum % (1 << _BITS):064x}")

    def watch(self, rows: Iterable[Plain]) -> Iterator[Plain]:
        """Yield the rows as they are."""
        for row in rows:
            self._sum += int.from_bytes(sha256(repr(row).encode("utf-8", "surrogatepass")).digest(), "big")
            self._rows += 1
            if self._rows % _STEP == 0:
                self._advance(_STEP)
            yield row
        self._advance(self._rows % _STEP)

    def take(self, rows: Iterable[Plain]) -> Content:
        """Return what all the rows are."""
        for _ in self.watch(rows):
            pass
        return self.content


class Database(Protocol):
    """A ledger's tables, within a transaction of the caller's."""

    def tables(self) -> dict[str, list[str]]:
        """Return the names of the columns by table."""

    def count(self, table: str) -> int:
        """Return how many rows there are."""

    def read(self, table: str, columns: list[str]) -> Iterator[Plain]:
        """Yield all rows, in no order that means something."""

    def write(self, table: str, columns: list[str], rows: Iterable[Plain]) -> None:
        """Insert rows."""


class SqliteDatabase:
    """An SQLite file, past SQLAlchemy, which would convert each value twice."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def tables(self) -> dict[str, list[str]]:
        """Return the columns of the ledger's tables that are there; a file may be of an older telemon."""
        there = self._connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        names = [name for name in COLUMNS if (name,) in there]
        columns = "SELECT name FROM pragma_table_info(?) ORDER BY cid"
        return {name: [column for (column,) in self._connection.execute(columns, (name,))] for name in names}

    def count(self, table: str) -> int:
        """Return how many rows there are."""
        count: int = self._connection.execute(f'SELECT count(*) FROM "{table}"').fetchone()[0]  # noqa: S608 - ours
        return count

    def read(self, table: str, columns: list[str]) -> Iterator[Plain]:
        """Yield all rows."""
        return self._connection.execute(f'SELECT {_quoted(columns)} FROM "{table}"')  # noqa: S608 - ours

    def write(self, table: str, columns: list[str], rows: Iterable[Plain]) -> None:
        """Insert rows."""
        values = ", ".join("?" * len(columns))
        self._connection.executemany(f'INSERT INTO "{table}" ({_quoted(columns)}) VALUES ({values})', rows)  # noqa: S608 - ours


class PostgresqlDatabase:
    """A PostgreSQL database."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def tables(self) -> dict[str, list[str]]:
        """Return the columns of the ledger's tables."""
        return COLUMNS

    def count(self, table: str) -> int:
        """Return how many rows there are."""
        return self._connection.execute(select(func.count()).select_from(TABLES[table])).scalar_one()

    def read(self, table: str, columns: list[str]) -> Iterator[Plain]:
        """Yield all rows, fetched a thousand at a time."""
        chosen = [TABLES[table].columns[name] for name in columns]
        lists = [number for number, column in enumerate(chosen) if column.type is JsonList]
        query = select(*map(_plain, chosen))
        for row in self._connection.execute(query, execution_options={"yield_per": _STEP}):
            yield _with_lists(row, lists) if lists else tuple(row)

    def write(self, table: str, columns: list[str], rows: Iterable[Plain]) -> None:
        """Insert rows by COPY, which reads each column's type from text."""
        driver: PsycopgConnection[Any] = self._connection.connection.driver_connection  # type: ignore[assignment]  # psycopg's
        into = f'COPY "{table}" ({_quoted(columns)}) FROM STDIN'
        with driver.cursor() as cursor, cursor.copy(into.encode()) as copy:
            for row in rows:
                copy.write_row(row)


def counting(source: Database, doing: str, report: Report) -> Callable[[int], None]:
    """Return what a ``Tally`` of all the tables tells its progress."""
    total = sum(source.count(table) for table in source.tables())
    done = 0

    def advance(rows: int) -> None:
        nonlocal done
        done += rows
        report(doing, done, total)

    return advance


def contents_of(source: Database, doing: str, report: Report) -> dict[str, Content]:
    """Read every table; return what it is."""
    advance = counting(source, doing, report)
    return {table: Tally(advance).take(source.read(table, columns)) for table, columns in source.tables().items()}


def copy_rows(source: Database, target: Database, doing: str, report: Report) -> dict[str, Content]:
    """Copy every table; return what has passed."""
    advance = counting(source, doing, report)
    contents = {}
    for table, columns in source.tables().items():
        tally = Tally(advance)
        target.write(table, columns, tally.watch(source.read(table, columns)))
        contents[table] = tally.content
    return contents


def database(connection: Connection) -> Database:
    """Return the ledger behind an SQLAlchemy connection."""
    if connection.dialect.name == "postgresql":
        return PostgresqlDatabase(connection)
    driver: Any = connection.connection.driver_connection
    return SqliteDatabase(driver)


def _quoted(columns: list[str]) -> str:
    return ", ".join(f'"{name}"' for name in columns)


def _plain(column: Column[Any]) -> ColumnElement[Any]:
    if isinstance(column.type, UtcDateTime):
        return func.to_char(func.timezone("UTC", column), _ISO)
    if isinstance(column.type, Boolean):
        return cast(column, Integer)
    return cast(column, Text) if column.type is JsonList else column


def _with_lists(row: Iterable[Any], lists: list[int]) -> Plain:
    values = list(row)
    for number in lists:
        values[number] = _list(values[number])
    return tuple(values)


@lru_cache(1024)
def _list(jsonb: str) -> str:
    """Return what ``telemon.ledger.rows`` writes for the list that jsonb shows in its own way."""
    return json.dumps(json.loads(jsonb))
