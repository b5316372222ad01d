"""The roster as a site without a calendar writes it: lines of its configuration, repeated by the week."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING, Final

from telemon.instants import from_datetime, to_datetime
from telemon.roster.shifts import Shift

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import date, tzinfo

    from telemon.instants import Instant

_DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY: Final = timedelta(days=1)
SOURCE: Final = "table"


@dataclass(frozen=True, slots=True)
class ShiftLine:
    """One officer's shift on these weekdays, from ``first`` to ``last`` (both with a shift; None: without end).

    ``days`` are as ``parse_days`` reads them. ``start`` and ``end`` are local times; a shift that ends at or before its
    start ends on the next day. With ``every_weeks`` = 2 it falls into each second week, the first of which (Monday to
    Sunday) is that of ``first``.
    """

    officer: str
    days: str
    start: time
    end: time
    first: date
    last: date | None = None
    every_weeks: int = 1

    def __post_init__(self) -> None:
        """Refuse what does not say when.

        Raises:
            ValueError: ``days`` cannot be read, or it repeats every 0 weeks.
        """
        parse_days(self.days)
        if self.every_weeks < 1:
            raise ValueError(f"every_weeks = {self.every_weeks}: write 1 for each week, 2 for each second one")


def parse_days(words: str) -> frozenset[int]:
    """Read ``mon-fri``, ``sat`` or ``fri-mon,wed`` into weekdays, Monday being 0.

    Raises:
        ValueError: it is not of this form; the message shows it.
    """
    days: set[int] = set()
    for part in words.split(","):
        first, dash, last = part.strip().partition("-")
        if first not in _DAYS or (dash and last not in _DAYS):
            raise ValueError(f"days {words!r} are not of the form 'mon-fri' or 'mon,wed,sat-sun'")
        count = (_DAYS.index(last or first) - _DAYS.index(first)) % len(_DAYS) + 1
        days |= {(_DAYS.index(first) + step) % len(_DAYS) for step in range(count)}
    return frozenset(days)


def read_table(lines: Iterable[ShiftLine], zone: tzinfo, start: Instant, end: Instant) -> tuple[Shift, ...]:
    """Return the shifts that overlap [start, end). The wall's clock decides: a night may last 11 or 13 hours."""
    found = (shift for line in lines for shift in _shifts(line, zone, start, end))
    return tuple(shift for shift in found if shift.start < end and start < shift.end)


def _shifts(line: ShiftLine, zone: tzinfo, start: Instant, end: Instant) -> Iterator[Shift]:
    days = parse_days(line.days)
    over_midnight = _DAY if line.end <= line.start else timedelta()
    week = line.first - line.first.weekday() * _DAY
    day = max(line.first, to_datetime(start).astimezone(zone).date() - 2 * _DAY)
    last = to_datetime(end).astimezone(zone).date()
    last = last if line.last is None else min(last, line.last)
    while day <= last:
        if day.weekday() in days and (day - week).days // 7 % line.every_weeks == 0:
            begin, until = _wall(day, line.start, zone), _wall(day + over_midnight, line.end, zone)
            if begin < until:  # in the hour that a clock skips, a short shift does not happen
                yield Shift(begin, until, line.officer, SOURCE)
        day += _DAY


def _wall(day: date, clock: time, zone: tzinfo) -> Instant:
    """Return the instant at which the clock on the wall shows this time, the earlier one if it does so twice."""
    return from_datetime(datetime.combine(day, clock, zone))
