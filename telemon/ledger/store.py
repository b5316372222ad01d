"""Opening the ledger, and bringing its tables up to date."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path
from typing import TYPE_CHECKING

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import URL, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, OperationalError, SQLAlchemyError

from telemon.errors import LedgerError
from telemon.ledger.trouble import reason

if TYPE_CHECKING:
    from sqlite3 import Connection as SqliteConnection

    from sqlalchemy import Connection, Engine

_MIGRATIONS = Path(__file__).parent / "migrations"
_LOCK_MILLISECONDS = 2_000  # how long the database itself waits for another writer before that becomes an error
_WAL_PAUSE_SECONDS = 0.01
_START_LOCK = 0x74656C656D6F6E  # "telemon": any number will do, as long as all telemons take the same one
_POSTGRESQL = {
    "connect_timeout": 5,  # seconds
    "tcp_user_timeout": 30_000,  # milliseconds; a server that vanished must become an error, not a silence
    "options": f"-c timezone=UTC -c lock_timeout={_LOCK_MILLISECONDS}",
}


def open_ledger(url: str, *, must_exist: bool = False) -> Engine:
    """Open the ledger, bring its tables up to this version of telemon, and return its engine.

    ``sqlite:///folder/ledger.db`` (four slashes for an absolute path) or ``postgresql://user@host/database``.

    An SQLite file that is not there is made, unless it ``must_exist``.

    Raises:
        LedgerError: no such database, unreachable, read-only, locked, no database at all, or written by a newer
            telemon; the message says what to do.
    """
    target = _parse(url)
    if must_exist and target.get_backend_name() == "sqlite" and not Path(target.database or "").exists():
        raise LedgerError(f"ledger {url}: there is no such file; correct the ledger's URL, or run this where it is")
    return _open(target)


def open_file(path: Path) -> Engine:
    """Open, or make, an SQLite ledger by its path, whatever characters that holds.

    Raises:
        LedgerError: as ``open_ledger`` does.
    """
    return _open(URL.create("sqlite", database=str(path)))


def newest_revision() -> str | None:
    """Return the revision of the schema that this telemon writes."""
    return ScriptDirectory.from_config(_alembic()).get_current_head()


def _open(target: URL) -> Engine:
    name = target.render_as_string(hide_password=True)
    engine = _engine(target, name)
    try:
        with engine.begin() as connection:
            _upgrade(connection, name)
    except SQLAlchemyError as error:
        engine.dispose()
        raise LedgerError(f"ledger {name}: cannot open: {reason(error)}") from error
    except LedgerError:
        engine.dispose()
        raise
    return engine


def _parse(url: str) -> URL:
    try:
        target = make_url(url)
    except ArgumentError as error:
        raise LedgerError(
            "ledger: its URL cannot be read; write sqlite:///ledger.db or postgresql://user@host/database"
        ) from error
    backend = target.get_backend_name()
    if backend == "sqlite" and target.database in {None, "", ":memory:"}:
        raise LedgerError(f"ledger {url}: a ledger in memory would be lost; name a file, as in sqlite:///ledger.db")
    if backend not in {"sqlite", "postgresql"}:
        raise LedgerError(f"ledger: {backend!r} is no database that telemon writes; use sqlite:// or postgresql://")
    return target if backend == "sqlite" else target.set(drivername="postgresql+psycopg")


def _engine(target: URL, name: str) -> Engine:
    """Make the engine; ``hide_parameters`` keeps what is stored out of error texts."""
    try:
        if target.get_backend_name() == "sqlite":
            engine = create_engine(target, hide_parameters=True)
            event.listen(engine, "connect", _set_up_sqlite)
            return engine
        return create_engine(
            target, hide_parameters=True, paramstyle="format", pool_pre_ping=True, connect_args=_POSTGRESQL
        )
    except (ImportError, NoSuchModuleError) as error:
        raise LedgerError(f"ledger {name}: its driver is missing; pip install 'telemon[postgresql]'") from error


def _set_up_sqlite(connection: SqliteConnection, _record: object) -> None:
    """WAL lets readers read while the writer writes. FULL: what is committed survives a power cut.

    The journal's checkpoint says that the ledger has all calls up to it, and the journal before it may be purged. With
    NORMAL, which syncs at WAL checkpoints only, those calls could be gone from both.
    """
    connection.execute(f"PRAGMA busy_timeout = {_LOCK_MILLISECONDS}")
    _switch_to_wal(connection)
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")


def _switch_to_wal(connection: SqliteConnection) -> None:
    """Wait for others ourselves: where two programs switch a new file at once, SQLite's own busy_timeout does not."""
    deadline = time.monotonic() + _LOCK_MILLISECONDS / 1000
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(_WAL_PAUSE_SECONDS)
        else:
            return


def _upgrade(connection: Connection, name: str) -> None:
    """Run the migrations that are missing, all in one transaction, one telemon at a time."""
    config = _alembic()
    config.attributes["connection"] = connection
    script = ScriptDirectory.from_config(config)
    present = MigrationContext.configure(connection).get_current_revision()
    if present is not None and present not in {revision.revision for revision in script.walk_revisions()}:
        raise LedgerError(
            f"ledger {name}: written by a newer telemon (its schema {present!r} is unknown here); upgrade telemon, "
            "or put back a backup made with this version"
        )
    if present == script.get_current_head():
        _try_to_write(connection)
        return
    _lock(connection)
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise LedgerError(f"ledger {name}: its schema cannot be brought up to date: {error}") from error


def _alembic() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    return config


def _try_to_write(connection: Connection) -> None:
    """Prove that the ledger is not read-only; that somebody else holds it right now is no reason not to start."""
    try:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = version_num")
    except OperationalError as error:
        if "locked" not in str(error.orig):
            raise


def _lock(connection: Connection) -> None:
    """Keep a second telemon waiting, which then finds the migrations done."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    else:
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_START_LOCK})")
