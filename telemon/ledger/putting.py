"""Writing a few things at once, for commands that run beside the daemon or without one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy.exc import SQLAlchemyError

from telemon.errors import LedgerError
from telemon.ledger.duty_rows import TABLE_OF, DutyItem, duty_row
from telemon.ledger.statements import put_row
from telemon.ledger.trouble import reason

if TYPE_CHECKING:
    from sqlalchemy import Engine


def put_now(engine: Engine, *items: DutyItem) -> None:
    """Write items in one transaction, each in the place of the one with its key.

    Whoever knows a caller's number keeps it out of ``answered_by``: here is no key to make a pseudonym of it.

    Raises:
        LedgerError: the database refuses; nothing was written.
    """
    try:
        with engine.begin() as connection:
            for item in items:
                put_row(connection, TABLE_OF[type(item)], duty_row(item, str))
    except SQLAlchemyError as error:
        name = engine.url.render_as_string(hide_password=True)
        raise LedgerError(f"ledger {name}: cannot write: {reason(error)}; try again") from error
