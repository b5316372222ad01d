"""Reading which calls were lost last."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import Text, cast, func, select

from telemon.instants import from_datetime, from_seconds, to_datetime
from telemon.ledger.models import TABLES
from telemon.ledger.reader import snapshot
from telemon.records import Flag, Outcome
from telemon.rulesets import DEFAULT_LOST

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy import Engine

    from telemon.instants import Instant

_calls = TABLES["calls"].columns


class LastLoss(NamedTuple):
    """The latest call of a service that was lost in one way; ``at`` when its wait ended, None rings if none began."""

    call_site: str
    service: str
    outcome: Outcome
    at: Instant
    rings: int | None


def read_losses(engine: Engine, sites: Collection[str], since: Instant) -> list[LastLoss]:
    """Return, of the calls that arrived since then, the latest lost of each call site, service and outcome.

    Raises:
        LedgerError: the database cannot be read.
    """
    newest = func.row_number().over(
        partition_by=(_calls.site, _calls.service, _calls.outcome), order_by=_calls.arrived_at.desc()
    )
    columns = (_calls.site, _calls.service, _calls.outcome, _calls.arrived_at, _calls.wait_seconds, _calls.rings)
    ranked = (
        select(*columns, newest.label("place"))
        .where(
            _calls.site.in_(sites),
            _calls.arrived_at >= to_datetime(since),
            _calls.outcome.in_(DEFAULT_LOST),
            _calls.is_probe.is_(False),
            cast(_calls.flags, Text).not_like(f'%"{Flag.INTERNAL}"%'),
        )
        .subquery()
    )
    newest_only = select(ranked).where(ranked.columns.place == 1)
    with snapshot(engine) as connection:
        return [
            LastLoss(site, service, Outcome(outcome), from_datetime(arrived) + from_seconds(wait or 0), rings)
            for site, service, outcome, arrived, wait, rings, _ in connection.execute(newest_only)
        ]
