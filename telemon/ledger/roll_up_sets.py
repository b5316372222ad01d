"""Which sets of roll-ups each site has: what they count, and how far they are built."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import delete, select
from sqlalchemy.dialects import postgresql, sqlite

from telemon.instants import from_datetime
from telemon.ledger.models import TABLES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sqlalchemy import Connection

    from telemon.instants import Instant
    from telemon.roll_ups import Definition

log = logging.getLogger(__name__)

_sets = TABLES["roll_up_sets"].columns
_roll_ups = TABLES["roll_ups"].columns


class RollUpSet(NamedTuple):
    """The roll-ups of one site under one definition; those of calls before ``built_until`` are made."""

    site: str
    rules: str
    built_until: Instant | None
    complete: bool


def lock_sets(connection: Connection, sites: Sequence[str], known: Mapping[str, Definition]) -> list[RollUpSet]:
    """Lock and return the sites' sets, after making them exactly those that the definitions describe.

    A set that no definition describes goes with its roll-ups: nobody here could keep it right.
    """
    sets = _read(connection, sites)
    unknown = [each for each in sets if each.rules not in known]
    if unknown:
        drop_sets(connection, unknown)
        names = ", ".join(sorted({each.site for each in unknown}))
        log.warning("roll-ups of %s dropped: no rule set here counts like the one they were made under", names)
    present = {(each.site, each.rules) for each in sets}
    missing = [
        {"site": site, "rules": digest, "label": definition.ruleset.label, "built_until": None, "complete": False}
        for site in sites
        for digest, definition in sorted(known.items())
        if (site, digest) not in present
    ]
    if missing:
        dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
        connection.execute(dialect.insert(TABLES["roll_up_sets"]).on_conflict_do_nothing(), missing)
        sets = _read(connection, sites)
    return [each for each in sets if each.rules in known]


def drop_sets(connection: Connection, sets: Iterable[RollUpSet]) -> None:
    """Delete sets with their roll-ups."""
    for each in sets:
        for table, columns in (("roll_ups", _roll_ups), ("roll_up_sets", _sets)):
            connection.execute(delete(TABLES[table]).where(columns.site == each.site, columns.rules == each.rules))


def _read(connection: Connection, sites: Sequence[str]) -> list[RollUpSet]:
    query = (
        select(_sets.site, _sets.rules, _sets.built_until, _sets.complete)
        .where(_sets.site.in_(sites))
        .order_by(_sets.site, _sets.rules)
        .with_for_update()
    )
    return [
        RollUpSet(site, rules, None if until is None else from_datetime(until), complete)
        for site, rules, until, complete in connection.execute(query)
    ]
