"""Writing crises where several do so at once: the daemon stamps a stage while a command signs somebody in.

Whoever changes a crisis writes the columns that he changes and no others, and each instant only where there is none:
no stage is lost or moved. One transaction at a time, so that no two crises are opened for one service.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from sqlalchemy import update
from sqlalchemy.exc import SQLAlchemyError

from telemon.errors import LedgerError
from telemon.instants import to_datetime
from telemon.ledger.duty_rows import TABLE_OF, duty_row
from telemon.ledger.models import TABLES
from telemon.ledger.statements import put_row
from telemon.ledger.trouble import reason

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sqlalchemy import Connection, Engine

    from telemon.duty_records import Crisis, CrisisMember
    from telemon.instants import Instant

_LOCK: Final = 0x637269736973  # "crisis": any number will do, as long as all telemons take the same one
_crises = TABLES["crises"].columns
_members = TABLES["crisis_members"].columns


@contextmanager
def keeping(engine: Engine) -> Iterator[Connection]:
    """Open a transaction that reads and writes crises alone; the database's errors become LedgerError."""
    try:
        with engine.begin() as connection:
            if engine.dialect.name == "sqlite":
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            else:
                connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
            yield connection
    except SQLAlchemyError as error:
        name = engine.url.render_as_string(hide_password=True)
        raise LedgerError(f"ledger {name}: cannot write: {reason(error)}; try again") from error


def add(connection: Connection, item: Crisis | CrisisMember) -> None:
    """Write a new crisis, or a new stay in a cell."""
    put_row(connection, TABLE_OF[type(item)], duty_row(item, str))


def stamp_stages(connection: Connection, crisis_id: str, instants: Mapping[str, Instant]) -> None:
    """Fill columns such as ``staffed_at`` where they are empty."""
    for name, at in instants.items():
        empty = _crises[name].is_(None)
        connection.execute(
            update(TABLES["crises"]).where(_crises.crisis_id == crisis_id, empty).values({name: to_datetime(at)})
        )


def end_stays(connection: Connection, crisis_id: str, at: Instant, person: str | None = None) -> None:
    """Let a person, or everybody, leave a cell."""
    stays = update(TABLES["crisis_members"]).where(_members.crisis_id == crisis_id, _members.left_at.is_(None))
    if person is not None:
        stays = stays.where(_members.person == person)
    connection.execute(stays.values(left_at=to_datetime(at)))


def end_crisis(connection: Connection, crisis_id: str, at: Instant, closed_by: str) -> None:
    """Close a crisis that is open, and let everybody leave its cell."""
    is_open = _crises.closed_at.is_(None)
    crisis = update(TABLES["crises"]).where(_crises.crisis_id == crisis_id, is_open)
    connection.execute(crisis.values(closed_at=to_datetime(at), closed_by=closed_by))
    end_stays(connection, crisis_id, at)
