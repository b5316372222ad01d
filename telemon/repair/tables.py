"""Rows out of databases, through SQLAlchemy: SQLite, PostgreSQL, and MySQL or MariaDB where their driver is."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import URL, Engine, column, create_engine, func, inspect, make_url, select, text
from sqlalchemy import table as sql_table
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from telemon.errors import SourceError
from telemon.repair.columns import COLUMNS, NEEDED, TIME, canonical
from telemon.repair.kinds import SourceKind
from telemon.repair.sources import Source

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Inspector, Select

_FETCHED: Final = 2000  # rows at a time
_DRIVERS: Final = {"postgresql": "postgresql+psycopg", "mysql": "mysql+pymysql", "mariadb": "mariadb+pymysql"}
_PACKAGES: Final = {"postgresql": "telemon[postgresql]", "mysql": "pymysql", "mariadb": "pymysql"}
# Rows of one instant come in the order in which they were written, where the database knows it.
_PHYSICAL_ORDER: Final = {"sqlite": "rowid", "postgresql": "ctid"}


class TableSource(Source):
    """The rows of one table, read in one pass without ever holding them all."""

    unit = "rows"

    def __init__(self, kind: SourceKind, url: str, table: str) -> None:
        super().__init__()
        self._kind = kind
        self._done = 0
        target = _parse(url)
        self._name = target.render_as_string(hide_password=True)
        self._engine = _engine(target, self._name)
        try:
            self._find(table)
        except SQLAlchemyError as error:
            self.close()
            raise self._trouble(error) from error
        except SourceError:
            self.close()
            raise

    @property
    def size(self) -> int | None:
        """Rows of the table when it was opened."""
        return self._size

    @property
    def done(self) -> int:
        """Rows read."""
        return self._done

    def close(self) -> None:
        """Let the connections go."""
        self._engine.dispose()

    def __iter__(self) -> Iterator[dict[str, str]]:
        empty = dict.fromkeys(COLUMNS[self._kind], "")
        names = list(self._columns)
        try:
            with self._engine.connect() as connection:
                for row in connection.execution_options(yield_per=_FETCHED).execute(self._query):
                    self._done += 1
                    values = {name: _text(value) for name, value in zip(names, row, strict=True)}
                    yield {**empty, **(_parted(values) if self._kind is SourceKind.QUEUE_LOG else values)}
        except SQLAlchemyError as error:
            raise self._trouble(error) from error

    def _trouble(self, error: SQLAlchemyError) -> SourceError:
        reason = str(getattr(error, "orig", None) or error).strip().partition("\n")[0]
        return SourceError(
            f"{self._name}: cannot be read after row {self._done}: {reason}; check the URL and the rights"
        )

    def _find(self, wanted: str) -> None:
        """Choose the table, and what to ask of it."""
        inspector = inspect(self._engine)
        schema, _, name = wanted.rpartition(".")
        name = name or self._only_table(inspector)
        own_names = [str(found["name"]) for found in inspector.get_columns(name, schema or None)]
        self._columns = canonical(self._kind, own_names)
        missing = NEEDED[self._kind] - self._columns.keys()
        if missing:
            raise SourceError(
                f"{self._name}, table {name}: no column {', '.join(sorted(missing))}; "
                f"name the table in which Asterisk keeps its {self._kind}, or a view with these columns"
            )
        place = sql_table(name, *map(column, own_names), schema=schema or None)
        self._query = select(*(place.c[own] for own in self._columns.values()))
        self._query = self._ordered(self._query, inspector, name, schema)
        with self._engine.connect() as connection:
            self._size = connection.execute(select(func.count()).select_from(place)).scalar_one()

    def _only_table(self, inspector: Inspector) -> str:
        names = [*inspector.get_table_names(), *inspector.get_view_names()]
        fitting = [
            name for name in names if NEEDED[self._kind] <= canonical(self._kind, _names(inspector, name)).keys()
        ]
        if len(fitting) == 1:
            return fitting[0]
        if str(self._kind) in fitting:
            return str(self._kind)
        if not fitting:
            raise SourceError(
                f"{self._name}: none of its tables ({', '.join(names) or 'there is none'}) has the columns of "
                f"{self._kind}; check the database's name, or name the table"
            )
        raise SourceError(
            f"{self._name}: several tables have the columns of {self._kind} ({', '.join(fitting)}); "
            "name the one to read"
        )

    def _ordered(self, query: Select[Any], inspector: Inspector, name: str, schema: str) -> Select[Any]:
        """Order by the number that counts the rows up, as local time runs twice through one hour; else by time."""
        key = inspector.get_pk_constraint(name, schema or None)["constrained_columns"]
        counted = [
            found["name"]
            for found in inspector.get_columns(name, schema or None)
            if [found["name"]] == key and found["type"].python_type is int
        ]
        if counted:
            return query.order_by(column(counted[0]))
        query = query.order_by(column(self._columns[TIME[self._kind]]))
        physical = _PHYSICAL_ORDER.get(self._engine.dialect.name)
        is_table = name in inspector.get_table_names(schema or None)
        return query.order_by(text(physical)) if physical is not None and is_table else query


def _names(inspector: Inspector, table: str) -> list[str]:
    return [str(found["name"]) for found in inspector.get_columns(table)]


def _parse(url: str) -> URL:
    try:
        target = make_url(url)
    except ArgumentError as error:
        raise SourceError(
            "the database's URL cannot be read; write sqlite:///file.db, postgresql://user@host/database "
            "or mysql://user@host/database"
        ) from error
    if target.drivername == "sqlite":
        return _parse_sqlite(target)
    return target.set(drivername=_DRIVERS.get(target.drivername, target.drivername))


def _parse_sqlite(target: URL) -> URL:
    """Open a file that is there, to read only: SQLite would make a missing one."""
    path = Path(target.database or "")
    if not path.is_file():
        raise SourceError(f"{path}: no such SQLite file; check the path (four slashes begin an absolute one)")
    return target.set(database=f"file:{path}", query={"mode": "ro", "uri": "true"})


def _engine(target: URL, name: str) -> Engine:
    try:
        return create_engine(target, hide_parameters=True)
    except (NoSuchModuleError, ModuleNotFoundError) as error:
        backend = target.get_backend_name()
        package = _PACKAGES.get(backend)
        remedy = f"install it (pip install {package})" if package else "use sqlite, postgresql, mysql or mariadb"
        raise SourceError(f"{name}: no driver for {backend} is installed; {remedy}") from error


def _text(value: Any) -> str:
    """Return a value as Asterisk would write it into a file."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.isoformat(" ")
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    return value.isoformat() if isinstance(value, date) else str(value)


def _parted(row: dict[str, str]) -> dict[str, str]:
    """Part the one column ``data`` of older queue_log tables into five."""
    if "data2" in row or "|" not in row.get("data1", ""):
        return row
    parts = row["data1"].split("|", 4)
    return {**row, **{f"data{number}": part for number, part in enumerate(parts, 1)}}
