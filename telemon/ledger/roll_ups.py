"""Reading a period's measures: from roll-ups where they are, from the calls themselves where they are not."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar
from zoneinfo import ZoneInfo

from sqlalchemy import func, select

from telemon.buckets import HOUR, Buckets, Piece, Span
from telemon.instants import from_datetime, to_datetime
from telemon.ledger.models import TABLES
from telemon.ledger.reader import snapshot
from telemon.ledger.reader import totals as counted
from telemon.measures import measure_by
from telemon.records import CallRecord, Flag, Outcome, Provenance, ServiceKind
from telemon.roll_ups import Sums, body_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Hashable, Iterator, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import Connection, Engine

    from telemon.instants import Duration, Instant
    from telemon.measures import Measures
    from telemon.roll_ups import Definition

_Key = TypeVar("_Key", bound="Hashable")
_ROWS = 500  # fetched together
_MOMENTS = (
    "arrived_at", "alerting_at", "operator_ringing_at", "operator_up_at", "answered_at", "answered_not_before",
    "machine_answered_at", "diverted_at", "ended_at",
)  # fmt: skip
_MEASURED = ("site", "service", "outcome", "is_probe", "flags", "provenance", *_MOMENTS)
_UNMEASURED: dict[str, Any] = {
    **dict.fromkeys(("call_id", "ddi", "caller", "linkedid"), ""),
    **dict.fromkeys(("queues", "attempts", "transfers"), ()),
    **dict.fromkeys(("ended_by", "answered_by", "hangup_cause")),
    "service_kind": ServiceKind.SWITCHBOARD,
    "hold_duration": 0,
}
_calls = TABLES["calls"].columns
_roll_ups = TABLES["roll_ups"].columns
_sets = TABLES["roll_up_sets"].columns
_stale = TABLES["stale_hours"].columns


class Stretch(NamedTuple):
    """The sites and the time of which calls or roll-ups are read."""

    sites: Sequence[str]
    start: Instant
    end: Instant
    service: str | None = None


def read_measures(
    engine: Engine,
    stretch: Stretch,
    definition: Definition,
    gap_duration: Duration = 0,
    period_duration: Duration | None = None,
) -> dict[str, Measures]:
    """Return what ``measure_by_service`` makes of the same calls, from one snapshot, by way of the roll-ups.

    Raises:
        LedgerError: the database cannot be read.
        ValueError: the gaps do not fit into the period.
    """
    with snapshot(engine) as connection:
        sums = _sums(connection, stretch, definition, _service)
    return {service: each.measures(definition, gap_duration, period_duration) for service, each in sums.items()}


def read_counts(engine: Engine, stretch: Stretch, definition: Definition) -> dict[tuple[str, str], Measures]:
    """Return the measures of each site and service, without their spreads: all counts and rates are there.

    Raises:
        LedgerError: the database cannot be read.
    """
    with snapshot(engine) as connection:
        sums = _sums(connection, stretch, definition, _site_and_service, counts_only=True)
    return {key: each.measures(definition) for key, each in sums.items()}


def are_built(engine: Engine, sites: Collection[str], digests: Collection[str]) -> bool:
    """Whether all these roll-ups of these sites are there, so that any period is read in no time.

    Raises:
        LedgerError: the database cannot be read.
    """
    query = (
        select(func.count())
        .select_from(TABLES["roll_up_sets"])
        .where(_sets.site.in_(sites), _sets.rules.in_(digests), _sets.complete.is_(True))
    )
    with snapshot(engine) as connection:
        return int(connection.execute(query).scalar_one()) == len(set(sites)) * len(set(digests))


def totals(
    engine: Engine, sites: Collection[str], known: Mapping[str, Definition]
) -> dict[tuple[str, str, Outcome], int]:
    """Return what ``telemon.ledger.reader.totals`` counts, by way of the roll-ups of each site that has any.

    ``known`` are the definitions that this site rolls up by digest.

    Raises:
        LedgerError: the database cannot be read.
    """
    found: Counter[tuple[str, str, Outcome]] = Counter()
    with snapshot(engine) as connection:
        complete = _complete(connection, sites, known)
        for site, digest in complete.items():
            ever = _ever(connection, site, known[digest])
            for service, each in _sums(connection, ever, known[digest], _service, counts_only=True).items():
                found.update({(site, service, outcome): count for outcome, count in each.recorded.items()})
    if behind := [site for site in sites if site not in complete]:
        found.update(counted(engine, behind))
    return {key: count for key, count in found.items() if count}


def calls_of(connection: Connection, stretch: Stretch) -> Iterator[CallRecord]:
    """Yield the calls of a stretch, in no order, with what is measured of them and nothing else."""
    query = select(*(_calls[name] for name in _MEASURED)).where(
        _calls.site.in_(stretch.sites),
        _calls.arrived_at >= to_datetime(stretch.start),
        _calls.arrived_at < to_datetime(stretch.end),
    )
    if stretch.service is not None:
        query = query.where(_calls.service == stretch.service)
    for row in connection.execute(query, execution_options={"yield_per": _ROWS}):
        site, service, outcome, is_probe, flags, provenance, *moments = row
        times: dict[str, Any] = dict(zip(_MOMENTS, map(_instant, moments), strict=True))
        yield CallRecord(
            site=site,
            service=service,
            outcome=Outcome(outcome),
            is_probe=is_probe,
            flags=tuple(map(Flag, flags)),
            provenance=Provenance(provenance),
            **times,
            **_UNMEASURED,
        )


def bodies_of(
    connection: Connection, stretch: Stretch, digest: str, span: Span
) -> Iterator[tuple[str, str, Instant, str]]:
    """Yield site, service, start and body of the roll-ups of one span that begin in a stretch."""
    query = select(_roll_ups.site, _roll_ups.service, _roll_ups.start, _roll_ups.body).where(
        _roll_ups.site.in_(stretch.sites),
        _roll_ups.rules == digest,
        _roll_ups.span == span.value,
        _roll_ups.start >= to_datetime(stretch.start),
        _roll_ups.start < to_datetime(stretch.end),
    )
    if stretch.service is not None:
        query = query.where(_roll_ups.service == stretch.service)
    for site, service, start, body in connection.execute(query, execution_options={"yield_per": _ROWS}):
        yield site, service, from_datetime(start), body


def _service(_: str, service: str) -> str:
    return service


def _site_and_service(site: str, service: str) -> tuple[str, str]:
    return site, service


def _sums(
    connection: Connection,
    stretch: Stretch,
    definition: Definition,
    key: Callable[[str, str], _Key],
    *,
    counts_only: bool = False,
) -> dict[_Key, Sums]:
    """Sum up by what ``key`` makes of site and service."""
    sums: defaultdict[_Key, Sums] = defaultdict(lambda: Sums(counts_only=counts_only))
    for pieces, sites in _pieces(connection, stretch, definition).items():
        for piece in pieces:
            part = Stretch(sites, piece.start, piece.end, stretch.service)
            if piece.span is None:
                for group, measures in _measured(connection, part, definition, key).items():
                    sums[group].add(body_of(measures))
            else:
                for site, service, _, body in bodies_of(connection, part, definition.digest, piece.span):
                    sums[key(site, service)].add(body)
    return dict(sums)


def _measured(
    connection: Connection, stretch: Stretch, definition: Definition, key: Callable[[str, str], _Key]
) -> dict[_Key, Measures]:
    calls = calls_of(connection, stretch)
    return measure_by(calls, lambda call: key(call.site, call.service), definition.ruleset, definition.cycle)


def _pieces(connection: Connection, stretch: Stretch, definition: Definition) -> dict[tuple[Piece, ...], list[str]]:
    """Return what to read of which sites: sites with the same stale hours together."""
    complete = _complete(connection, stretch.sites, {definition.digest: definition})
    stale: defaultdict[str, list[int]] = defaultdict(list)
    query = (
        select(_stale.site, _stale.hour)
        .where(
            _stale.site.in_(list(complete)),
            _stale.hour >= stretch.start // HOUR,
            _stale.hour <= stretch.end // HOUR,
        )
        .order_by(_stale.hour)
    )
    for site, hour in connection.execute(query):
        stale[site].append(hour)
    buckets = Buckets(ZoneInfo(definition.zone))
    grouped: defaultdict[tuple[Piece, ...], list[str]] = defaultdict(list)
    alone = (Piece(None, stretch.start, stretch.end),)
    for site in stretch.sites:
        pieces = tuple(buckets.cover(stretch.start, stretch.end, stale[site])) if site in complete else alone
        grouped[pieces].append(site)
    return grouped


def _complete(connection: Connection, sites: Collection[str], known: Collection[str]) -> dict[str, str]:
    """Return the digest of a complete set of roll-ups, of each site that has one of these."""
    query = select(_sets.site, _sets.rules).where(
        _sets.site.in_(sites), _sets.rules.in_(known), _sets.complete.is_(True)
    )
    return dict(iter(connection.execute(query)))


def _ever(connection: Connection, site: str, definition: Definition) -> Stretch:
    """Return the time of all calls of a site, which has roll-ups: from its first year, or stale hour, to its last."""
    years = select(func.min(_roll_ups.start), func.max(_roll_ups.start)).where(
        _roll_ups.site == site, _roll_ups.rules == definition.digest, _roll_ups.span == Span.YEAR.value
    )
    hours = select(func.min(_stale.hour), func.max(_stale.hour)).where(_stale.site == site)
    instants = [from_datetime(start) for start in connection.execute(years).one() if start is not None]
    instants += [hour * HOUR for hour in connection.execute(hours).one() if hour is not None]
    if not instants:
        return Stretch([site], 0, 0)
    ever = Buckets(ZoneInfo(definition.zone)).whole(Span.YEAR, min(instants), max(instants) + HOUR)
    return Stretch([site], ever.start, ever.end)


def _instant(moment: datetime | None) -> Instant | None:
    return None if moment is None else from_datetime(moment)
