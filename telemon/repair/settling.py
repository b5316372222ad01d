"""What an import does with one call: leave it, complete it, add it, or only note that the two sides differ."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import replace
from enum import StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple

from telemon.gaps import gaps_of
from telemon.instants import SECOND
from telemon.records import Outcome, Provenance
from telemon.repair.differences import differences
from telemon.repair.joining import RESOLUTION
from telemon.repair.mending import is_complete, mend

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from telemon.instants import Duration, Instant
    from telemon.observation import Interval
    from telemon.records import CallRecord
    from telemon.repair.kinds import SourceKind

_SEEN_LIVE: Final = frozenset({Provenance.LIVE, Provenance.REPLAYED})
_LONGEST: Final[Duration] = 100 * 365 * 86_400 * SECOND  # no log tells of later than that


class Verdict(StrEnum):
    """What became of one call of a source."""

    IMPORTED = "imported"  # added: it was before telemon watched this PBX
    ADDED = "added"  # added, as repaired: it was in a gap
    REPAIRED = "repaired"  # the ledger had a part of it
    COMPLETE = "complete"  # nothing to add
    UNKNOWN = "unknown"  # the ledger has it, and what became of it nobody says
    DIFFERING = "differing"  # the two sides contradict each other; left as it was seen
    NO_SERVICE = "no_service"  # of no service, and not in the ledger


class Settled(NamedTuple):
    """A verdict; the row to write, if any; and the call as it was seen, to be kept beside its first repair."""

    verdict: Verdict
    row: CallRecord | None = None
    live: CallRecord | None = None


class Sightings:
    """When one PBX was watched, according to the ledger."""

    def __init__(self, intervals: Sequence[Interval], now: Instant, pbx: str) -> None:
        self._first = min((interval.started_at for interval in intervals), default=None)
        gaps = [] if self._first is None else gaps_of(intervals, self._first, now + _LONGEST, now, pbx=pbx)
        self._starts = [gap.start for gap in gaps]
        self._ends = [gap.end for gap in gaps]

    def provenance(self, call: CallRecord) -> Provenance | None:
        """Return how a call that the ledger does not have may be added; None if it should have been seen."""
        if self._first is None or call.arrived_at < self._first - RESOLUTION:
            return Provenance.IMPORTED
        ended_at = call.arrived_at if call.ended_at is None else call.ended_at
        if self._is_blind(call.arrived_at - RESOLUTION, call.arrived_at + RESOLUTION):
            return Provenance.REPAIRED
        return Provenance.REPAIRED if self._is_blind(call.arrived_at, ended_at) else None

    def _is_blind(self, start: Instant, end: Instant) -> bool:
        """Whether any gap has a part between two instants."""
        following = bisect_left(self._ends, start)
        return following < len(self._starts) and self._starts[following] <= end


def settle(
    row: CallRecord | None,
    live: CallRecord | None,
    sources: Mapping[SourceKind, CallRecord],
    sightings: Sightings,
) -> Settled:
    """Decide about one call; the same whatever the order in which its sources were imported.

    Args:
        row: what the ledger has of it now.
        live: what was kept of it before its first repair.
        sources: what all imports so far, the present one included, found of it.
        sightings: when its PBX was watched.
    """
    seen = row if row is not None and row.provenance in _SEEN_LIVE else live
    if seen is None:
        return _without_sight(row, sources, sightings)
    mended = mend(seen, sources)
    if mended not in (row, seen):
        return Settled(Verdict.REPAIRED, mended, seen)
    if any(differences(seen, source) for source in sources.values()):
        return Settled(Verdict.DIFFERING)
    known = is_complete(mended) or mended.outcome is not Outcome.UNKNOWN
    return Settled(Verdict.COMPLETE if known else Verdict.UNKNOWN)


def _without_sight(row: CallRecord | None, sources: Mapping[SourceKind, CallRecord], sightings: Sightings) -> Settled:
    """Decide about a call of which telemon saw nothing."""
    if not any(source.service for source in sources.values()):
        return Settled(Verdict.NO_SERVICE)
    ways = {sightings.provenance(source) for source in sources.values()} - {None}
    if not ways:
        return Settled(Verdict.DIFFERING if row is None else Verdict.COMPLETE)
    way = Provenance.IMPORTED if Provenance.IMPORTED in ways else Provenance.REPAIRED
    call = replace(mend(None, sources), provenance=way)
    if call == row:
        return Settled(Verdict.COMPLETE if call.outcome is not Outcome.UNKNOWN else Verdict.UNKNOWN)
    if row is not None:
        return Settled(Verdict.REPAIRED, call)
    return Settled(Verdict.IMPORTED if way is Provenance.IMPORTED else Verdict.ADDED, call)
