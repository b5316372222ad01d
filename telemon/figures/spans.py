"""The present day, month and year of a site, and the parts that they are made of.

The year is what came before this month, what came of this month before today, and today: each part is read once, and
only today often.
"""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple

from telemon.instants import to_datetime
from telemon.periods import Period, parse_period

if TYPE_CHECKING:
    from datetime import date, tzinfo

    from telemon.instants import Instant

_DAY: Final = timedelta(days=1)


class Span(StrEnum):
    """A current period."""

    DAY = "day"
    MONTH = "month"
    YEAR = "year"


class Part(StrEnum):
    """A piece of them."""

    TODAY = "today"
    EARLIER_DAYS = "earlier_days"  # of this month
    EARLIER_MONTHS = "earlier_months"  # of this year


PARTS: Final = {
    Span.DAY: (Part.TODAY,),
    Span.MONTH: (Part.TODAY, Part.EARLIER_DAYS),
    Span.YEAR: (Part.TODAY, Part.EARLIER_DAYS, Part.EARLIER_MONTHS),
}


class Spans(NamedTuple):
    """Day, month and year at one instant."""

    now: Instant
    today: date
    zone: tzinfo
    day: Period
    month: Period
    year: Period

    def period(self, span: Span) -> Period:
        """Return one of them."""
        return {Span.DAY: self.day, Span.MONTH: self.month, Span.YEAR: self.year}[span]

    def part(self, part: Part) -> tuple[Instant, Instant]:
        """Return where a part begins and ends; on the first of a month, or in January, there may be nothing of it."""
        if part is Part.TODAY:
            return self.day.start, self.day.end
        if part is Part.EARLIER_DAYS:
            return self.month.start, self.day.start
        return self.year.start, self.month.start

    def last_day(self, span: Span) -> date:
        """Return the last day of a period, by which its rule set is chosen."""
        return to_datetime(self.period(span).end - 1).astimezone(self.zone).date()

    def to_come(self, span: Span) -> Counter[int]:
        """Return how many days of each weekday (Monday is 0) are left of a period after today."""
        days = (self.last_day(span) - self.today).days
        return Counter((self.today + number * _DAY).weekday() for number in range(1, days + 1))


def spans_at(now: Instant, zone: tzinfo) -> Spans:
    """Return the periods that an instant lies in."""
    today = to_datetime(now).astimezone(zone).date()
    day, month, year = (parse_period(today.isoformat()[:digits], zone, today) for digits in (10, 7, 4))
    return Spans(now, today, zone, day, month, year)
