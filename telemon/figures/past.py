"""What the rest of the month and of the year may bring: the last eight weeks, read once an hour."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING, Final

from telemon.buckets import HOUR
from telemon.figures.forecast import Sums, expected
from telemon.figures.spans import Span
from telemon.gaps import gaps_of
from telemon.instants import from_datetime, to_datetime
from telemon.ledger.reader import read_observations
from telemon.ledger.roll_ups import Stretch, read_counts

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import date, tzinfo

    from sqlalchemy import Engine

    from telemon.figures.places import Place
    from telemon.figures.rules import Rules
    from telemon.figures.spans import Spans
    from telemon.instants import Instant
    from telemon.roll_ups import Definition
    from telemon.rulesets import RuleSet

WEEKS: Final = 8
_DAY: Final = timedelta(days=1)
_Stretch = tuple["Instant", "Instant"]


class Past:
    """What is still to come today, this month and this year of each service, as of one day."""

    def __init__(self, engine: Engine, places: Sequence[Place], services: Sequence[str]) -> None:
        self._engine = engine
        self._places = places
        self._services = services
        self._site = {call_site: place.site for place in places for call_site in place.call_sites}
        self._expected: dict[tuple[str, str, str, Span], Sums | None] = {}
        self._day: date | None = None

    def to_come(self, spans: Spans, site: str, service: str, ruleset: RuleSet, span: Span) -> Sums | None:
        """Return what is to come of a period; None where too little is known of the past, or it is not read yet."""
        if self._day != spans.today:
            return None
        return self._expected.get((site, service, ruleset.label, span))

    def read(self, spans: Spans, rules: Rules, rest: Callable[[], object]) -> None:
        """Read the days of the past; ``rest`` is called between two of them, and may raise to end it.

        Raises:
            LedgerError: the database cannot be read.
        """
        days = [spans.today - number * _DAY for number in range(1, 7 * WEEKS + 1)]
        watched = {place.site: self._watched(place, days, spans) for place in self._places}
        definitions = {
            definition.ruleset.label: definition
            for span in (Span.MONTH, Span.YEAR)
            for definition in rules[span].values()
        }
        found: dict[tuple[str, str, str, Span], Sums | None] = {}
        for label, definition in definitions.items():
            whole = self._sums([(day, _whole(day, spans.zone)) for day in days], definition, rest)
            same = [day for day in days if day.weekday() == spans.today.weekday()]
            later = self._sums([(day, _later(day, spans)) for day in same], definition, rest)
            for site, seen in watched.items():
                for service in self._services:
                    key = (site, service)
                    past = _by_weekday(seen, {day: sums.get(key, Sums()) for day, sums in whole.items()})
                    today = [sums.get(key, Sums()) for day, sums in later.items() if day in seen]
                    for span in (Span.MONTH, Span.YEAR):
                        found[site, service, label, span] = expected(past, today, spans.to_come(span))
        self._expected, self._day = found, spans.today

    def _sums(
        self, stretches: Sequence[tuple[date, _Stretch]], definition: Definition, rest: Callable[[], object]
    ) -> dict[date, dict[tuple[str, str], Sums]]:
        found = {}
        for day, (start, end) in stretches:
            counts = read_counts(self._engine, Stretch(tuple(self._site), start, end), definition)
            of_sites: dict[tuple[str, str], Sums] = {}
            for (call_site, service), measures in counts.items():
                key = (self._site[call_site], service)
                of_sites[key] = of_sites.get(key, Sums()) + Sums.of(measures)
            found[day] = of_sites
            rest()
        return found

    def _watched(self, place: Place, days: Sequence[date], spans: Spans) -> set[date]:
        """Return the days of which at least half was watched."""
        edges = {day: _whole(day, spans.zone) for day in days}
        start, end = min(edges.values())[0], spans.day.start
        blind = dict.fromkeys(days, 0)
        for pbx in place.pbxs:
            told = list(read_observations(self._engine, pbx, start, end))
            for day, (begin, finish) in edges.items():
                blind[day] += sum(gap.duration for gap in gaps_of(told, begin, finish, spans.now, pbx=pbx))
        return {day for day, (begin, finish) in edges.items() if 2 * blind[day] <= (finish - begin) * len(place.pbxs)}


def _by_weekday(watched: set[date], sums: dict[date, Sums]) -> dict[int, list[Sums]]:
    found: dict[int, list[Sums]] = {}
    for day, one in sums.items():
        if day in watched:
            found.setdefault(day.weekday(), []).append(one)
    return found


def _whole(day: date, zone: tzinfo) -> _Stretch:
    first, last = (from_datetime(datetime.combine(one, time.min, zone)) for one in (day, day + _DAY))
    return first, last


def _later(day: date, spans: Spans) -> _Stretch:
    """Return what of a day lies after the hour that it is now."""
    end = _whole(day, spans.zone)[1]
    hour = to_datetime(spans.now).astimezone(spans.zone).time().replace(minute=0, second=0, microsecond=0)
    return min(from_datetime(datetime.combine(day, hour, spans.zone)) + HOUR, end), end
