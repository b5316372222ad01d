"""Holding what telemon saw of a period against everything that was imported of it."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final, NamedTuple

from sqlalchemy import func, select

from telemon.instants import from_datetime, to_datetime
from telemon.ledger.models import TABLES
from telemon.ledger.reader import read_calls
from telemon.ledger.source_calls import LIVE, calls_by_id, sources_between, sources_of
from telemon.records import Provenance
from telemon.repair.differences import Difference, differences
from telemon.repair.kinds import SourceKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection, Engine

    from telemon.instants import Instant
    from telemon.records import CallRecord
    from telemon.repair.settling import Sightings

_CHUNK: Final = 500
_SEEN_LIVE: Final = frozenset({Provenance.LIVE, Provenance.REPLAYED})
_sources = TABLES["source_calls"].columns


class Finding(NamedTuple):
    """One call of one source, compared; no ``differences`` where they agree.

    ``live`` or ``found`` is None where that side alone does not have the call.
    """

    source: SourceKind
    live: CallRecord | None
    found: CallRecord | None
    differences: tuple[Difference, ...] = ()

    @property
    def call(self) -> CallRecord:
        """Whichever there is."""
        call = self.live or self.found
        assert call is not None
        return call


def reconcile(
    engine: Engine, pbx: str, site: str, sightings: Sightings, start: Instant, end: Instant
) -> Iterator[Finding]:
    """Yield every comparison of one PBX's calls that arrived in a period: first what was seen, then what was not.

    Of a source, a seen call can be missing only between the first and the last that was imported of it; in a
    queue_log, only if it was in a queue.

    Raises:
        LedgerError: the database cannot be read.
    """
    with engine.connect() as connection:
        covered = _covered(connection, pbx, start, end)
        if not covered:
            return
        calls = (call for call in read_calls(engine, start, end) if call.site == site)
        while chunk := list(islice(calls, _CHUNK)):
            yield from _of_seen(connection, chunk, covered)
        told = sources_between(connection, pbx, start, end)
        while batch := list(islice(told, _CHUNK)):
            rows = calls_by_id(connection, [call.call_id for _, call in batch])
            for source, call in batch:
                if call.call_id not in rows and call.service and sightings.provenance(call) is None:
                    yield Finding(SourceKind(source), None, call)


def _covered(
    connection: Connection, pbx: str, start: Instant, end: Instant
) -> dict[SourceKind, tuple[Instant, Instant]]:
    """Return from when to when there are imported calls of each source."""
    query = (
        select(_sources.source, func.min(_sources.arrived_at), func.max(_sources.arrived_at))
        .where(_sources.pbx == pbx, _sources.source != LIVE)
        .where(_sources.arrived_at >= to_datetime(start), _sources.arrived_at < to_datetime(end))
        .group_by(_sources.source)
    )
    return {
        SourceKind(source): (from_datetime(first), from_datetime(last))
        for source, first, last in connection.execute(query)
    }


def _of_seen(
    connection: Connection, calls: list[CallRecord], covered: dict[SourceKind, tuple[Instant, Instant]]
) -> Iterator[Finding]:
    known = sources_of(connection, [call.call_id for call in calls])
    for call in calls:
        sources = known.get(call.call_id, {})
        live = call if call.provenance in _SEEN_LIVE else sources.get(LIVE)
        if live is None:
            continue  # made of these very sources
        for kind, (first, last) in covered.items():
            found = sources.get(kind.value)
            if found is not None:
                yield Finding(kind, live, found, tuple(differences(live, found)))
            elif first <= live.arrived_at <= last and (live.queues or kind is not SourceKind.QUEUE_LOG):
                yield Finding(kind, live, None)
