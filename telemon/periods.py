"""Periods as people write them, in the site's time zone: a year, a month, a day, or words."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Final

from telemon.instants import from_datetime

if TYPE_CHECKING:
    from datetime import tzinfo

    from telemon.instants import Duration, Instant

_SHAPE: Final = re.compile(r"(\d{4})(?:-(\d\d)(?:-(\d\d))?)?")
_DECEMBER: Final = 12
_FIRST_YEAR: Final = 1970  # instants count from there
_UNIT: Final = {1: "year", 2: "month", 3: "day"}


@dataclass(frozen=True, slots=True)
class Period:
    """From ``start`` up to, but not with, ``end``; ``label`` as it was asked for."""

    label: str
    start: Instant
    end: Instant

    @property
    def duration(self) -> Duration:
        """Its length; a day of the change to summer time has 23 hours."""
        return self.end - self.start


def parse_period(words: str, zone: tzinfo, today: date) -> Period:
    """Read ``2026``, ``2026-11``, ``2026-11-23``, ``today``, ``yesterday``, or two of these as ``A..B`` (both whole).

    Raises:
        ValueError: it is none of these.
    """
    first, dots, last = words.partition("..")
    start, end = _days(first, today)
    if dots:
        end = _days(last, today)[1]
    if end <= start:
        raise ValueError(f"{words!r} ends before it begins")
    return Period(words, _midnight(start, zone), _midnight(end, zone))


def _days(word: str, today: date) -> tuple[date, date]:
    """Return the first day, and the day after the last."""
    if word in ("today", "aujourd'hui"):
        return today, today + timedelta(days=1)
    if word in ("yesterday", "hier"):
        return today - timedelta(days=1), today
    shape = _SHAPE.fullmatch(word)
    if shape is None:
        raise ValueError(f"{word!r} is no period: write 2026, 2026-11, 2026-11-23, today or yesterday")
    year, month, day = (int(part) if part else None for part in shape.groups())
    try:
        return _span(year or 0, month, day)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{word!r} is no period: the calendar has no such {_UNIT[shape.lastindex or 1]}") from error


def _span(year: int, month: int | None, day: int | None) -> tuple[date, date]:
    if year < _FIRST_YEAR:
        raise ValueError(year)
    if month is None:
        return date(year, 1, 1), date(year + 1, 1, 1)
    if day is None:
        return date(year, month, 1), date(year + month // _DECEMBER, month % _DECEMBER + 1, 1)
    return date(year, month, day), date(year, month, day) + timedelta(days=1)


def _midnight(day: date, zone: tzinfo) -> Instant:
    return from_datetime(datetime(day.year, day.month, day.day, tzinfo=zone))
