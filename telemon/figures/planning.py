"""The staffing of each hour of the week, from the ledger's last whole weeks to text."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING, Final

from telemon.buckets import HOUR
from telemon.figures.places import Place, places_of, service_names
from telemon.figures.rules import promise_of
from telemon.figures.spans import Span
from telemon.figures.staffing import HourSums, Slot, Staffing, slot_of, staffing_of
from telemon.gaps import gaps_of
from telemon.instants import from_datetime, to_datetime
from telemon.ledger.reader import read_observations
from telemon.ledger.reading_staffing import read_attendance, read_hours
from telemon.metrics.families import Family

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy import Engine

    from telemon.config import Config
    from telemon.duty_records import Attendance
    from telemon.figures.rules import Rules
    from telemon.figures.spans import Spans
    from telemon.gaps import Gap
    from telemon.instants import Instant
    from telemon.records import Outcome
    from telemon.services import Service

_SLOT: Final = ("site", "service", "weekday", "hour")
_WEEK: Final = timedelta(days=7)
_Key = tuple[str, str]


class Plan:
    """What each hour of the week needs, at all sites, as of the last reading."""

    def __init__(self, engine: Engine, config: Config) -> None:
        self._engine = engine
        self._config = config
        self._places = places_of(config)
        self._site = {call_site: place.site for place in self._places for call_site in place.call_sites}
        self._services = {service.name: service for service in config.numbering(config.pbx[0]).services}
        self._found: dict[_Key, dict[Slot, Staffing]] = {}
        self._text = b""
        self._calls = Family("telemon_staffing_calls", "Mean calls in this hour of the week.", _SLOT)
        self._needed = Family(
            "telemon_staffing_needed", "Operators who keep the promise in this hour of the week (Erlang-A).", _SLOT
        )
        self._present = Family(
            "telemon_staffing_present", "Mean operators who could answer, in a call or not, in this hour.", _SLOT
        )
        self._lost = Family("telemon_staffing_lost_ratio", "Lost share of the calls of this hour of the week.", _SLOT)
        self._now = Family(
            "telemon_staffing_needed_now", "Operators needed in the present hour of the week.", ("site", "service")
        )

    def read(self, spans: Spans, rules: Rules, rest: Callable[[], object]) -> None:
        """Read the last whole weeks, day by day; ``rest`` is called between two days, and may raise to end it.

        Raises:
            LedgerError: the database cannot be read.
        """
        definition = rules[Span.DAY].get(self._config.rule_set)
        if definition is None:
            return
        first = spans.today - self._config.figures.staffing_weeks * _WEEK
        begin = from_datetime(datetime.combine(first, time.min, spans.zone))
        start, end = -(-begin // HOUR) * HOUR, spans.day.start
        calls = self._read_calls(start, end, definition.ruleset.lost, rest)
        present = self._present_of(start, end)
        promise = promise_of(definition, self._config.figures.within_rings_share)
        found: dict[_Key, dict[Slot, Staffing]] = {}
        for place in self._places:
            watched = self._watched(place, start, end, spans.now)
            for name in service_names(self._config):
                key = (place.site, name)
                hours = [hour for hour in range(start, end, HOUR) if hour in watched or hour in calls[key]]
                found[key] = staffing_of(
                    _open_days(hours, self._services[name], spans),
                    calls[key],
                    present[key],
                    spans.zone,
                    promise,
                    wrap_up=self._config.figures.wrap_up_seconds,
                )
            rest()
        self._found = found
        self._text = self._week()

    def render(self, spans: Spans) -> bytes:
        """Return the text of what was read last, with what the present hour needs."""
        now = slot_of(spans.now // HOUR * HOUR, spans.zone)
        return self._text + self._now.join(
            [self._now.block([(key, _needed_at(now, slots))]) for key, slots in self._found.items() if slots]
        )

    def _week(self) -> bytes:
        rows = [((*key, *_words(slot)), one) for key, slots in self._found.items() for slot, one in slots.items()]
        values: tuple[tuple[Family, Callable[[Staffing], float | None]], ...] = (
            (self._calls, lambda one: one.calls),
            (self._needed, lambda one: one.needed),
            (self._present, lambda one: one.present),
            (self._lost, lambda one: one.lost_ratio),
        )
        return b"".join(
            [
                family.join(
                    [family.block([(labels, number)]) for labels, one in rows if (number := value(one)) is not None]
                )
                for family, value in values
            ]
        )

    def _read_calls(
        self, start: Instant, end: Instant, lost: frozenset[Outcome], rest: Callable[[], object]
    ) -> defaultdict[_Key, dict[Instant, HourSums]]:
        found: defaultdict[_Key, dict[Instant, HourSums]] = defaultdict(dict)
        for begin in range(start, end, 24 * HOUR):
            finish = min(begin + 24 * HOUR, end)
            for (call_site, service), hours in read_hours(self._engine, tuple(self._site), begin, finish, lost).items():
                mine = found[self._site[call_site], service]
                for hour, sums in hours.items():
                    mine[hour] = mine.get(hour, HourSums()) + sums
            rest()
        return found

    def _present_of(self, start: Instant, end: Instant) -> defaultdict[_Key, dict[Instant, float]]:
        """Return mean operators by hour: of two observers of one PBX the one that saw more, of all PBXs together."""
        best: dict[tuple[str, str, Instant], Attendance] = {}
        for row in read_attendance(self._engine, tuple(self._site), start, end):
            place = (row.site, row.service, row.hour)
            if 2 * row.seen >= HOUR and (place not in best or row.seen > best[place].seen):
                best[place] = row
        found: defaultdict[_Key, dict[Instant, float]] = defaultdict(dict)
        for (call_site, service, hour), row in best.items():
            mine = found[self._site[call_site], service]
            mine[hour] = mine.get(hour, 0.0) + row.present / row.seen
        return found

    def _watched(self, place: Place, start: Instant, end: Instant, now: Instant) -> set[Instant]:
        """Return the hours of which at least half was watched."""
        blind: defaultdict[Instant, int] = defaultdict(int)
        for pbx in place.pbxs:
            told = read_observations(self._engine, pbx, start, end)
            for gap in gaps_of(told, start, end, now, pbx=pbx):
                for hour, length in _by_hour(gap):
                    blind[hour] += length
        return {hour for hour in range(start, end, HOUR) if 2 * blind[hour] <= HOUR * len(place.pbxs)}


def _by_hour(gap: Gap) -> Iterator[tuple[Instant, int]]:
    begin = gap.start
    while begin < gap.end:
        hour = begin // HOUR * HOUR
        finish = min(gap.end, hour + HOUR)
        yield hour, finish - begin
        begin = finish


def _open_days(hours: list[Instant], service: Service, spans: Spans) -> list[Instant]:
    """Leave out the hours of public holidays and other days on which the service was closed against its week."""
    if service.hours is None or not hours:
        return hours
    days = [to_datetime(hour).astimezone(spans.zone).date() for hour in hours]
    off = set(service.hours.days_off(min(days), max(days)))
    return [hour for hour, day in zip(hours, days, strict=True) if day not in off]


def _words(slot: Slot) -> tuple[str, str]:
    weekday, hour = slot
    return str(weekday), f"{hour:02d}"


def _needed_at(slot: Slot, slots: dict[Slot, Staffing]) -> int:
    """Return what an hour needs; nobody where nobody ever called."""
    known = slots.get(slot)
    return 0 if known is None or known.needed is None else known.needed
