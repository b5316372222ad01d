"""When operators take no calls: off duty, on a break, in a short pause, or with a phone that is not reachable."""

from __future__ import annotations

import heapq
import random
from datetime import datetime, time, timedelta
from operator import attrgetter
from typing import TYPE_CHECKING, Final

from simulators.plan import PlannedPause
from telemon.opening import OpeningHours, parse_hours

if TYPE_CHECKING:
    from collections.abc import Iterator

    from simulators.site import Site
    from simulators.traffic.almanac import Almanac
    from simulators.traffic.scenario import Flapping, Scenario

OFF_DUTY: Final = "off duty"
BREAK: Final = "break"
PAUSE: Final = "pause"
UNREACHABLE: Final = "unreachable"
_LONGEST_BREAK: Final = 4 * 3600.0  # between two spans of work; beyond, the operator went home
_Span = tuple[float, float]


def pauses(scenario: Scenario, almanac: Almanac, site: Site, starts_at: float, seed: int) -> Iterator[PlannedPause]:
    """Yield every pause in order of its beginning; seconds since ``starts_at`` (Unix seconds), not squeezed.

    Each phone draws from a source of its own, so that changing one leaves the others as they are.
    """
    rota = _Rota(scenario, almanac, site, starts_at)
    of_phones = [rota.pauses(phone, random.Random(f"{seed}/rota/{phone}")) for phone in site.operators]
    outages = [
        _outages(flapping, scenario.lasts, random.Random(f"{seed}/flapping/{flapping.phone}"))
        for flapping in scenario.flapping
    ]
    return heapq.merge(*of_phones, *outages, key=attrgetter("begins"))


def _outages(flapping: Flapping, lasts: float, source: random.Random) -> Iterator[PlannedPause]:
    begins = source.expovariate(1 / (flapping.reachable_minutes * 60))
    while begins < lasts:
        ends = begins + source.expovariate(1 / (flapping.unreachable_minutes * 60))
        yield PlannedPause(phone=flapping.phone, begins=begins, ends=ends, reason=UNREACHABLE)
        begins = ends + source.expovariate(1 / (flapping.reachable_minutes * 60))


class _Rota:
    """On which spans of time each phone is staffed."""

    def __init__(self, scenario: Scenario, almanac: Almanac, site: Site, starts_at: float) -> None:
        self._scenario, self._almanac, self._starts_at = scenario, almanac, starts_at
        self._shifts: dict[str, OpeningHours] = {}
        for shift in scenario.operators.rota:
            hours = parse_hours(shift.hours, almanac.zone)
            self._shifts |= dict.fromkeys(shift.phones, hours)
        closing = {name for name, service in scenario.services.items() if service.hours}
        self._free_on_holidays = {phone for line in site.lines if line.service in closing for phone in line.operators}
        self._called_together = {
            phone: line.service
            for line in site.lines
            for phone in line.operators
            if any(s.service == line.service and s.staffed_after_minutes is not None for s in scenario.surges)
        }

    def pauses(self, phone: str, source: random.Random) -> Iterator[PlannedPause]:
        """Yield one phone's pauses in order: the time between two spans of duty, and the short ones within."""
        off_since = 0.0
        for begins, ends in self._duty(phone):
            if begins > off_since:
                reason = BREAK if off_since > 0 and begins - off_since < _LONGEST_BREAK else OFF_DUTY
                yield PlannedPause(phone=phone, begins=off_since, ends=begins, reason=reason)
            yield from self._short_pauses(phone, max(0.0, begins), ends, source)
            off_since = max(off_since, ends)
        if off_since < self._scenario.lasts:
            yield PlannedPause(phone=phone, begins=off_since, ends=self._scenario.lasts, reason=OFF_DUTY)

    def _short_pauses(self, phone: str, begins: float, ends: float, source: random.Random) -> Iterator[PlannedPause]:
        operators = self._scenario.operators
        if operators.pauses_per_hour == 0 or phone not in self._shifts:
            return
        at = begins + source.expovariate(operators.pauses_per_hour / 3600)
        while at < ends:
            back = min(ends, at + source.expovariate(1 / (operators.pause_minutes * 60)))
            yield PlannedPause(phone=phone, begins=at, ends=back, reason=PAUSE)
            at = back + source.expovariate(operators.pauses_per_hour / 3600)

    def _duty(self, phone: str) -> Iterator[_Span]:
        """Yield spans of duty that overlap the scenario, in order."""
        if phone in self._called_together:
            yield from self._crisis(self._called_together[phone])
        elif phone in self._shifts:
            yield from self._days(phone, self._shifts[phone])
        else:
            yield 0.0, self._scenario.lasts

    def _crisis(self, service: str) -> Iterator[_Span]:
        surges = [s for s in self._scenario.surges if s.service == service and s.staffed_after_minutes is not None]
        for surge in sorted(surges, key=attrgetter("begins")):
            assert surge.staffed_after_minutes is not None
            yield surge.begins + surge.staffed_after_minutes * 60, min(surge.ends, self._scenario.lasts)

    def _days(self, phone: str, hours: OpeningHours) -> Iterator[_Span]:
        zone, lasts = self._almanac.zone, self._scenario.lasts
        day = self._almanac.local(self._starts_at).date()
        last = self._almanac.local(self._starts_at + lasts).date()
        while day <= last:
            if not (phone in self._free_on_holidays and self._almanac.is_holiday(day)):
                for start, end in hours.spans[day.weekday()]:
                    begins = datetime.combine(day, start, zone).timestamp() - self._starts_at
                    midnight = datetime.combine(day + timedelta(days=1), time(), zone)
                    until = midnight if end == time.max else datetime.combine(day, end, zone)
                    ends = min(until.timestamp() - self._starts_at, lasts)
                    if ends > max(begins, 0.0):
                        yield begins, ends
            day += timedelta(days=1)
