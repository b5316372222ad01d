"""The calendar of a scenario: how many calls a second to expect, and which service is open."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import holidays

from telemon.instants import from_seconds
from telemon.opening import parse_hours

if TYPE_CHECKING:
    from datetime import date

    from simulators.traffic.scenario import Scenario, ServiceTraffic


class Almanac:
    """Days and hours as the clock on the wall shows them; every ``at`` is in Unix seconds."""

    def __init__(self, scenario: Scenario) -> None:
        self._scenario = scenario
        self.zone = ZoneInfo(scenario.zone)
        country, _, region = scenario.holidays.partition("-")
        self._holidays = holidays.country_holidays(country, subdiv=region or None)
        self._hours = {
            name: parse_hours(service.hours, self.zone) for name, service in scenario.services.items() if service.hours
        }
        # Of a day's calls of a profile, the part that comes in each second of an hour.
        self._profiles = {
            name: tuple(hour / sum(hours) / 3600 for hour in hours) for name, hours in scenario.profiles.items()
        }

    def local(self, at: float) -> datetime:
        """Return the time on the wall."""
        return datetime.fromtimestamp(at, UTC).astimezone(self.zone)

    def is_holiday(self, day: date) -> bool:
        """Whether it is a public holiday."""
        return day in self._holidays

    @property
    def closing_days(self) -> list[date]:
        """Every public holiday from the scenario's beginning to its end."""
        first = self._scenario.begins.date()
        days = int(self._scenario.lasts_hours // 24) + 2
        return [day for day in (first + timedelta(n) for n in range(days)) if self.is_holiday(day)]

    def is_open(self, service: str, at: float) -> bool:
        """Whether the service takes calls: within its hours, and not on a public holiday."""
        hours = self._hours.get(service)
        if hours is None:
            return True
        return hours.is_open(from_seconds(at)) and not self.is_holiday(self.local(at).date())

    def rates(self, at: float) -> list[float]:
        """Return calls per second of each service, in the scenario's order, surges left out."""
        local = self.local(at)
        holiday = self.is_holiday(local.date())
        usual = self._scenario.calls_per_day * self._scenario.months[local.month - 1]
        return [
            usual * service.share * self._day(service, local, holiday=holiday)
            * self._profiles[service.profile][local.hour]
            for service in self._scenario.services.values()
        ]  # fmt: skip

    def _day(self, service: ServiceTraffic, local: datetime, *, holiday: bool) -> float:
        """A public holiday is like no weekday: its own factor replaces that of the day."""
        scenario = self._scenario
        if holiday:
            return scenario.holiday_factor if service.holiday_factor is None else service.holiday_factor
        return (service.weekdays or scenario.weekdays)[local.weekday()]
