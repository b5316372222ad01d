"""A ledger's backup: one SQLite file, made while telemon writes, proven before it gets its name.

The file is a ledger itself. It also holds what each table was when the backup was made (``backup_contents``), so that
damage shows even where SQLite's own check sees none.
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from sqlalchemy.exc import SQLAlchemyError

from telemon.errors import LedgerError
from telemon.ledger.copying import ERASED_IN_TIME, Content, SqliteDatabase, contents_of, copy_rows, database
from telemon.ledger.reader import snapshot
from telemon.ledger.store import open_file
from telemon.ledger.trouble import reason
from telemon.texts import text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection, Engine

    from telemon.ledger.copying import Report

_PAGES: Final = 1000  # of SQLite, between two words of progress
_SIDE_FILES: Final = ("-wal", "-shm", "-journal")


def back_up(engine: Engine, target: Path, *, overwrite: bool, report: Report) -> dict[str, Content]:
    """Write the ledger, as it is at one moment, to a file; return what each table in it is.

    The file appears under its name only once it is whole, verified and on the disk; a backup that is killed leaves
    ``.NAME.….part`` beside it. ``report`` is told what is being done, how far it is, and how far it goes.

    Raises:
        LedgerError: the file is there already (unless ``overwrite``), in use, or the ledger itself; the ledger cannot
            be read; the disk is full; or what was written is not what was read.
    """
    _refuse_target(engine, target, overwrite=overwrite)
    with _part(target) as part:
        try:
            with snapshot(engine) as connection:
                contents = _copy(connection, part, report)
            _write_contents(part, contents)
        except (sqlite3.Error, SQLAlchemyError) as error:
            raise LedgerError(text()("backup.cannot_write", path=target, reason=reason(error))) from error
        if _verified(part, report, name=target, damaged="backup.ledger_damaged") != contents:
            raise LedgerError(text()("backup.differs", path=target))
        _sync(part)
        part.replace(target)
        _sync(target.parent)
    return contents


def verify(path: Path, report: Report) -> dict[str, Content]:
    """Prove that a backup is whole and what it was when it was made; return what each table in it is.

    Raises:
        LedgerError: it cannot be read, is no backup, is damaged, or was written to since.
    """
    return _verified(path, report, name=path, damaged="backup.damaged")


def open_read_only(path: Path) -> sqlite3.Connection:
    """Open an SQLite file as it is."""
    return sqlite3.connect(f"file:{quote(str(path.absolute()))}?mode=ro", uri=True)


def leftovers(target: Path) -> list[Path]:
    """Return what backups to this file left when they were killed; one may still be under way."""
    return sorted(target.parent.glob(f".{target.name}.*.part"))


def _refuse_target(engine: Engine, target: Path, *, overwrite: bool) -> None:
    say = text()
    if not target.parent.is_dir():
        raise LedgerError(say("backup.no_folder", path=target, folder=target.parent))
    if target.is_dir():
        raise LedgerError(say("backup.is_folder", path=target))
    if target.exists() and engine.dialect.name == "sqlite" and target.samefile(engine.url.database or ""):
        raise LedgerError(say("backup.is_ledger", path=target))
    if target.exists() and not overwrite:
        raise LedgerError(say("backup.exists", path=target))
    for side in (target.with_name(target.name + ending) for ending in _SIDE_FILES):
        if side.exists():  # SQLite would take it for a part of the new file
            raise LedgerError(say("backup.in_use", path=target, side=side))


@contextmanager
def _part(target: Path) -> Iterator[Path]:
    """Make an empty file for the owner only, beside the target, and take it away unless it was renamed."""
    try:
        descriptor, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".part", dir=target.parent)
    except OSError as error:
        raise LedgerError(text()("backup.cannot_write", path=target, reason=error.strerror)) from error
    os.close(descriptor)
    part = Path(name)
    try:
        yield part
    except OSError as error:
        raise LedgerError(text()("backup.cannot_write", path=target, reason=error.strerror or error)) from error
    finally:
        for path in (part, *(part.with_name(part.name + ending) for ending in _SIDE_FILES)):
            path.unlink(missing_ok=True)


def _copy(connection: Connection, part: Path, report: Report) -> dict[str, Content]:
    if connection.dialect.name == "sqlite":
        _copy_pages(connection, part, report)
        return contents_of(database(connection), text()("backup.reading"), report)
    open_file(part).dispose()  # makes the tables
    with closing(sqlite3.connect(part)) as file:
        file.execute("PRAGMA synchronous = OFF")  # it is synced as a whole before it gets its name
        contents = copy_rows(database(connection), SqliteDatabase(file), text()("backup.copying"), report)
        file.commit()
    return contents


def _copy_pages(connection: Connection, part: Path, report: Report) -> None:
    """Copy by SQLite's online backup; within a snapshot, what telemon writes meanwhile does not start it over."""
    source: Any = connection.connection.driver_connection
    source.execute("SELECT count(*) FROM alembic_version").fetchone()  # a snapshot begins with its first read
    doing = text()("backup.copying")
    with closing(sqlite3.connect(part)) as file:
        file.execute("PRAGMA journal_mode = OFF")
        file.execute("PRAGMA synchronous = OFF")
        source.backup(file, pages=_PAGES, progress=lambda _, left, pages: report(doing, pages - left, pages))
        tables = {name for (name,) in file.execute("SELECT name FROM sqlite_master")}
        if ERASED_IN_TIME in tables:  # older ledgers had none
            file.execute("PRAGMA secure_delete = ON")
            file.execute(f"DELETE FROM {ERASED_IN_TIME}")  # noqa: S608 - ours
        file.commit()


def _write_contents(part: Path, contents: dict[str, Content]) -> None:
    with closing(sqlite3.connect(part)) as file:
        file.execute("PRAGMA journal_mode = DELETE")  # one file, without a write-ahead log beside it
        file.execute("DROP TABLE IF EXISTS backup_contents")  # of the backup that the ledger was, once
        file.execute(
            'CREATE TABLE backup_contents (name TEXT PRIMARY KEY, "rows" INTEGER NOT NULL, digest TEXT NOT NULL)'
        )
        rows = [(name, *content) for name, content in contents.items()]
        file.executemany("INSERT INTO backup_contents VALUES (?, ?, ?)", rows)
        file.commit()


def _verified(path: Path, report: Report, *, name: Path, damaged: str) -> dict[str, Content]:
    """Do as ``verify`` does; errors name the file so, and ``damaged`` is the text for what SQLite finds."""
    say = text()
    try:
        with closing(open_read_only(path)) as connection:
            if fault := _fault(connection, report):
                raise LedgerError(say(damaged, path=name, reason=fault))
            return _contents(connection, name, report)
    except sqlite3.Error as error:
        raise LedgerError(say(damaged, path=name, reason=reason(error))) from error


def _fault(connection: sqlite3.Connection, report: Report) -> str | None:
    """Return the first fault in the file's structure that SQLite finds."""
    doing = text()("backup.checking")
    report(doing, 0, 1)
    for check in ("integrity_check(1)", "foreign_key_check"):
        found = connection.execute(f"PRAGMA {check}").fetchone()
        if found not in {None, ("ok",)}:
            return f"{check}: {' '.join(str(found[0]).split())}"
    report(doing, 1, 1)
    return None


def _contents(connection: sqlite3.Connection, path: Path, report: Report) -> dict[str, Content]:
    """Read every row, and hold it against what was there when the backup was made."""
    say = text()
    if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'backup_contents'").fetchone() is None:
        raise LedgerError(say("backup.none", path=path))
    promised = {name: Content(*content) for name, *content in connection.execute("SELECT * FROM backup_contents")}
    contents = contents_of(SqliteDatabase(connection), say("backup.verifying"), report)
    different = sorted(name for name in promised.keys() | contents.keys() if promised.get(name) != contents.get(name))
    if different:
        raise LedgerError(say("backup.changed", path=path, tables=", ".join(different)))
    return contents


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
