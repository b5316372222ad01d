"""Reading who signed in and out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from telemon.duty_records import PresenceAction, PresenceChange
from telemon.instants import from_datetime, to_datetime
from telemon.ledger.models import TABLES
from telemon.ledger.reader import snapshot

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from telemon.instants import Instant

_presences = TABLES["presences"].columns


def read_presences(
    engine: Engine, site: str, start: Instant | None = None, end: Instant | None = None
) -> list[PresenceChange]:
    """Return the sign-ins and sign-outs from ``start`` to before ``end``, in order; all of them unless told otherwise.

    Raises:
        LedgerError: the database cannot be read.
    """
    query = select(TABLES["presences"]).where(_presences.site == site)
    if start is not None:
        query = query.where(_presences.at >= to_datetime(start))
    if end is not None:
        query = query.where(_presences.at < to_datetime(end))
    with snapshot(engine) as connection:
        rows = connection.execute(query.order_by(_presences.at, _presences.officer)).mappings()
        return [
            PresenceChange(
                site=row["site"],
                officer=row["officer"],
                at=from_datetime(row["at"]),
                action=PresenceAction(row["action"]),
                through=row["through"],
                extension=row["extension"],
            )
            for row in rows
        ]
