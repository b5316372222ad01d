"""The table of lost callers, from which rows are erased, and not only deleted.

SQLite leaves what is deleted in its file until something else needs the place; so what is erased here is overwritten
with zeros (``secure_delete``), and the write-ahead log, which holds it too, is emptied (``wal_checkpoint(TRUNCATE)``).
A reader that is not done yet (a backup, a report) holds the latter up: then it is tried again. PostgreSQL leaves a
deleted row in its table until VACUUM, and in its WAL and archive for as long as those are kept; a file system and a
disk keep blocks that no file has any more. All of them only ever hold what the key of ``telemon.callbacks.sealing``
can read: whoever must be sure destroys that file.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.exc import SQLAlchemyError

from telemon.errors import LedgerError
from telemon.instants import from_datetime, to_datetime
from telemon.ledger.models import TABLES
from telemon.ledger.trouble import reason

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from sqlalchemy import Connection, Engine

    from telemon.instants import Instant

_LOCK: Final = 0x6C6F7374  # "lost": any number will do, as long as all telemons take the same one
_TABLE: Final = TABLES["lost_callers"]
_ROWS_AT_ONCE: Final = 500
_KEYS: Final = ("site", "caller")
_INSTANTS: Final = ("first_at", "last_at", "expires_at")


class LostCallerRow(NamedTuple):
    """One caller on one site; ``number`` a token, or empty once the caller was reached."""

    site: str
    caller: str
    service: str
    number: str
    last_outcome: str
    times: int
    first_at: Instant
    last_at: Instant
    expires_at: Instant


def read_lost_callers(engine: Engine, sites: Collection[str]) -> list[LostCallerRow]:
    """Return the rows of these sites.

    Raises:
        LedgerError: the database refuses.
    """
    with _told(engine, "read"), engine.connect() as connection:
        return rows_of(connection, sites)


def any_expired(engine: Engine, now: Instant) -> bool:
    """Return whether some row, of any site, is too old.

    Raises:
        LedgerError: the database refuses.
    """
    with _told(engine, "read"), engine.connect() as connection:
        old = select(_TABLE.columns.caller).where(_TABLE.columns.expires_at <= to_datetime(now)).limit(1)
        return connection.execute(old).first() is not None


def rows_of(connection: Connection, sites: Collection[str]) -> list[LostCallerRow]:
    """Return the rows of these sites, within a transaction of the caller's."""
    columns = [_TABLE.columns[name] for name in LostCallerRow._fields]
    found = connection.execute(select(*columns).where(_TABLE.columns.site.in_(sites)))
    return [LostCallerRow(*row[:-3], *map(from_datetime, row[-3:])) for row in found]


@contextmanager
def changing(engine: Engine) -> Iterator[Connection]:
    """Open a transaction that reads and changes the table alone, and in which what is deleted is overwritten.

    Raises:
        LedgerError: the database refuses; nothing was changed.
    """
    with _told(engine, "write"), engine.connect() as connection:
        if engine.dialect.name != "sqlite":
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
            yield connection
            connection.commit()
            return
        before = connection.exec_driver_sql("PRAGMA secure_delete").scalar_one()
        connection.exec_driver_sql("PRAGMA secure_delete = ON")
        try:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            yield connection
            connection.commit()
        finally:
            connection.rollback()
            connection.exec_driver_sql(f"PRAGMA secure_delete = {before}")


def put(connection: Connection, rows: Iterable[LostCallerRow]) -> None:
    """Write rows, each in the place of the one with its key."""
    insert: Any = sqlite_insert if connection.dialect.name == "sqlite" else postgresql_insert
    statement = insert(_TABLE)
    others = {name: statement.excluded[name] for name in LostCallerRow._fields if name not in _KEYS}
    statement = statement.on_conflict_do_update(index_elements=_KEYS, set_=others)
    values = [_plain(row) for row in sorted(rows)]
    for start in range(0, len(values), _ROWS_AT_ONCE):
        connection.execute(statement, values[start : start + _ROWS_AT_ONCE])


def remove(connection: Connection, keys: Iterable[tuple[str, str]]) -> None:
    """Erase callers."""
    columns = _TABLE.columns
    for site, caller in sorted(keys):
        connection.execute(delete(_TABLE).where(columns.site == site, columns.caller == caller))


def remove_expired(connection: Connection, now: Instant) -> int:
    """Erase whatever is too old, of any site; return how many rows that was."""
    return connection.execute(delete(_TABLE).where(_TABLE.columns.expires_at <= to_datetime(now))).rowcount


def wipe(engine: Engine) -> bool:
    """Empty SQLite's write-ahead log; return whether nothing is left of what was erased.

    It waits for nobody: the ledger's writer must not wait for a reader.

    Raises:
        LedgerError: the database refuses.
    """
    if engine.dialect.name != "sqlite":
        return True
    with _told(engine, "write"), engine.connect() as connection:
        patience = connection.exec_driver_sql("PRAGMA busy_timeout").scalar_one()
        connection.exec_driver_sql("PRAGMA busy_timeout = 0")
        try:
            busy: int = connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").one()[0]
        finally:
            connection.exec_driver_sql(f"PRAGMA busy_timeout = {patience}")
        return not busy


def _plain(row: LostCallerRow) -> dict[str, Any]:
    values = row._asdict()
    return values | {name: to_datetime(values[name]) for name in _INSTANTS}


@contextmanager
def _told(engine: Engine, doing: str) -> Iterator[None]:
    try:
        yield
    except SQLAlchemyError as error:
        name = engine.url.render_as_string(hide_password=True)
        raise LedgerError(f"ledger {name}: cannot {doing} lost callers: {reason(error)}") from error
