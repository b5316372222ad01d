"""A backup put back into an empty ledger, SQLite or PostgreSQL."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy.exc import SQLAlchemyError

from telemon.errors import LedgerError
from telemon.ledger.backup import open_read_only, verify
from telemon.ledger.copying import SqliteDatabase, contents_of, copy_rows, database
from telemon.ledger.store import newest_revision, open_file
from telemon.ledger.trouble import reason
from telemon.texts import text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection, Engine

    from telemon.ledger.copying import Content, Database, Report


def restore(backup: Path, engine: Engine, report: Report) -> dict[str, Content]:
    """Fill an empty ledger from a backup; return what each table in it is. All is written, or nothing.

    A backup of an older telemon is brought up to date on the way, in a copy.

    Raises:
        LedgerError: the backup is none, damaged, changed since, or of a newer telemon; the ledger is not empty, or
            refuses; or what it holds now is not what was read.
    """
    verify(backup, report)
    try:
        with _up_to_date(backup) as file, closing(open_read_only(file)) as source, engine.begin() as connection:
            return _fill(SqliteDatabase(source), connection, report)
    except (sqlite3.Error, SQLAlchemyError, engine.dialect.loaded_dbapi.Error) as error:  # COPY bypasses SQLAlchemy
        raise LedgerError(text()("restore.cannot_write", ledger=_name(engine), reason=reason(error))) from error


@contextmanager
def _up_to_date(backup: Path) -> Iterator[Path]:
    """Yield the backup, or a copy of it with the tables of this telemon."""
    with closing(open_read_only(backup)) as connection:
        (revision,) = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    if revision == newest_revision():
        yield backup
        return
    with tempfile.TemporaryDirectory(prefix="telemon-") as folder:
        copy = Path(folder) / "ledger.db"
        shutil.copyfile(backup, copy)
        open_file(copy).dispose()
        yield copy


def _fill(source: Database, connection: Connection, report: Report) -> dict[str, Content]:
    target = database(connection)
    tables = ", ".join(target.tables())
    connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.dialect.name == "sqlite" else f"LOCK TABLE {tables}")
    filled = {table: count for table in target.tables() if (count := target.count(table))}
    if filled:
        counts = ", ".join(f"{table}: {text().number(count, 0)}" for table, count in filled.items())
        raise LedgerError(text()("restore.not_empty", ledger=_name(connection.engine), counts=counts))
    contents = copy_rows(source, target, text()("restore.copying"), report)
    if contents_of(target, text()("backup.verifying"), report) != contents:
        raise LedgerError(text()("restore.differs", ledger=_name(connection.engine)))
    return contents


def _name(engine: Engine) -> str:
    return engine.url.render_as_string(hide_password=True)
