"""Reading the figures of the current periods, as ``telemon stats`` and ``telemon coverage`` read them."""

from __future__ import annotations

from dataclasses import replace
from functools import reduce
from typing import TYPE_CHECKING

from telemon.figures.covered import anywhere, share
from telemon.figures.spans import PARTS, Part, Span
from telemon.gaps import gaps_of
from telemon.ledger.reader import read_observations
from telemon.ledger.reading_coverage import read_coverage
from telemon.ledger.roll_ups import Stretch, read_counts
from telemon.measures import merge
from telemon.permanence.coverage import required_part, sums, timeline

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sqlalchemy import Engine

    from telemon.figures.places import Place
    from telemon.figures.rules import Rules
    from telemon.figures.spans import Spans
    from telemon.instants import Duration, Instant
    from telemon.measures import Measures
    from telemon.permanence.coverage import Cover, Required
    from telemon.rates import Rate
    from telemon.roll_ups import Definition

Counts = dict[tuple[str, str], "Measures"]
"""By site and service."""
Seen = tuple["Duration", "Duration"]
"""How long the gaps of a period are so far, and how long it is itself, all PBXs of a site together."""


class Reader:
    """Reads what is asked for, and keeps what came before today until it is asked for anew."""

    def __init__(self, engine: Engine, places: Sequence[Place], permanences: Mapping[str, Required | None]) -> None:
        """``permanences``: when each is required, None for always."""
        self._engine = engine
        self._places = places
        self._site = {call_site: place.site for place in places for call_site in place.call_sites}
        self._permanences = permanences
        self._counts: dict[tuple[Part, str], Counts] = {}  # by part and rule set's label
        self._seen: dict[tuple[str, Span], Seen] = {}
        self._covers: dict[tuple[Part, str, str], Cover] = {}  # by part, site and permanence

    def read(self, spans: Spans, rules: Rules, parts: Iterable[Part]) -> None:
        """Read these parts; what was known of others stays.

        Raises:
            LedgerError: the database cannot be read.
        """
        parts = tuple(parts)
        for part in parts:
            start, end = spans.part(part)
            for definition in _definitions(rules, part):
                self._counts[part, definition.ruleset.label] = self._read_counts(start, end, definition)
            for place in self._places:
                for service, required in self._permanences.items():
                    cover = self._read_cover(place, service, required, (start, min(end, spans.now)), spans.now)
                    self._covers[part, place.site, service] = cover
        for place in self._places:
            self._read_gaps(place, spans, parts)

    def forget(self) -> None:
        """Keep nothing: another day has begun, or another configuration."""
        for kept in (self._counts, self._seen, self._covers):
            kept.clear()

    def measures(self, span: Span, definition: Definition) -> Counts | None:
        """Return what each service of each site was in a period; None while a part of it is not known."""
        label = definition.ruleset.label
        parts = [self._counts.get((part, label)) for part in PARTS[span]]
        known = [part for part in parts if part is not None]
        if len(known) < len(parts):
            return None
        keys = {key for part in known for key in part}
        merged = {key: reduce(merge, (part[key] for part in known if key in part)) for key in keys}
        return {key: self._with_gaps(key[0], span, measures) for key, measures in merged.items()}

    def seen(self, site: str, span: Span) -> Seen | None:
        """Return how much of a period was not observed, and how long it is so far; None if that was not read."""
        return self._seen.get((site, span))

    def coverage(self, site: str, service: str, span: Span) -> Rate | None:
        """Return how much of a period a permanence was covered; None while a part of it is not known."""
        covers = [self._covers.get((part, site, service)) for part in PARTS[span]]
        return None if None in covers else share(cover for cover in covers if cover is not None)

    @property
    def permanences(self) -> Iterable[str]:
        """Their names."""
        return self._permanences

    def _with_gaps(self, site: str, span: Span, measures: Measures) -> Measures:
        gaps, length = self._seen.get((site, span), (0, 0))
        return replace(measures, gap_duration=gaps, period_duration=length or None)

    def _read_counts(self, start: Instant, end: Instant, definition: Definition) -> Counts:
        if end <= start:
            return {}
        found: Counts = {}
        stretch = Stretch(tuple(self._site), start, end)
        for (call_site, service), measures in read_counts(self._engine, stretch, definition).items():
            key = (self._site[call_site], service)
            found[key] = merge(found[key], measures) if key in found else measures
        return found

    def _read_cover(
        self, place: Place, service: str, required: Required | None, stretch: tuple[Instant, Instant], now: Instant
    ) -> Cover:
        start, end = stretch
        if end <= start:
            return sums([], [start, max(start, end)])[0]
        lines = [
            timeline(read_coverage(self._engine, call_site, service, start, end), start, end, now)
            for call_site in place.call_sites
        ]
        return sums(required_part(anywhere(lines), required), [start, end])[0]

    def _read_gaps(self, place: Place, spans: Spans, parts: Sequence[Part]) -> None:
        """Read the gaps of the day, or of all periods together if more than today is asked for."""
        wanted = [Span.DAY] if set(parts) == {Part.TODAY} else list(Span)
        start = min(spans.period(span).start for span in wanted)
        intervals = [list(read_observations(self._engine, pbx, start, spans.now)) for pbx in place.pbxs]
        for span in wanted:
            begin = spans.period(span).start
            length = (spans.now - begin) * len(place.pbxs)
            gaps = sum(
                gap.duration
                for pbx, told in zip(place.pbxs, intervals, strict=True)
                for gap in gaps_of(told, begin, spans.now, spans.now, pbx=pbx)
            )
            self._seen[place.site, span] = (gaps, length)


def _definitions(rules: Rules, part: Part) -> list[Definition]:
    """Return what a part is read under: the rule sets of all periods that it belongs to, each once."""
    found = {
        definition.ruleset.label: definition
        for span in Span
        if part in PARTS[span]
        for definition in rules[span].values()
    }
    return list(found.values())
