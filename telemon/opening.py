"""When a service takes calls: weekly hours in the site's time zone, and days on which it does not."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import time
from typing import TYPE_CHECKING, Final

from telemon.instants import to_datetime

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date, tzinfo

    from telemon.instants import Instant

_DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAYS_PATTERN: Final = "|".join(_DAYS)
_LINE: Final = re.compile(
    rf"(?P<first>{_DAYS_PATTERN})(-(?P<last>{_DAYS_PATTERN}))? (?P<spans>\d\d:\d\d-\d\d:\d\d(,\d\d:\d\d-\d\d:\d\d)*)"
)
_MIDNIGHT: Final = "24:00"
ALWAYS: Final = ("mon-sun 00:00-24:00",)


@dataclass(frozen=True, slots=True)
class OpeningHours:
    """For each weekday (Monday first) the spans in which the service is open, as local times [from, to).

    A span up to ``time.max`` lasts until midnight. On the days of ``closed_on`` it is closed all day.
    """

    zone: tzinfo
    spans: tuple[tuple[tuple[time, time], ...], ...]
    closed_on: frozenset[date] = frozenset()

    def is_open(self, at: Instant) -> bool:
        """Whether the instant falls into a span; the clock on the wall decides, summer time or not."""
        local = to_datetime(at).astimezone(self.zone)
        now = local.time()
        return local.date() not in self.closed_on and any(
            start <= now and (now < end or end == time.max) for start, end in self.spans[local.weekday()]
        )


def parse_hours(lines: Iterable[str], zone: tzinfo, closed_on: Iterable[date] = ()) -> OpeningHours:
    """Read lines such as ``mon-fri 08:30-12:00,13:30-17:00`` or ``sat 09:00-24:00``.

    Raises:
        ValueError: a line is not of this form; the message shows it.
    """
    week: list[list[tuple[time, time]]] = [[] for _ in _DAYS]
    for line in lines:
        found = _LINE.fullmatch(line)
        if found is None:
            raise ValueError(f"opening hours {line!r} are not of the form 'mon-fri 08:30-12:00,13:30-17:00'")
        spans = [_span(span, line) for span in found["spans"].split(",")]
        first, last = _DAYS.index(found["first"]), _DAYS.index(found["last"] or found["first"])
        days = range(first, last + 1) if first <= last else (*range(first, 7), *range(last + 1))
        for day in days:
            week[day] += spans
    return OpeningHours(zone, tuple(tuple(sorted(day)) for day in week), frozenset(closed_on))


def _span(span: str, line: str) -> tuple[time, time]:
    start, end = span.split("-")
    try:
        pair = time.fromisoformat(start), time.max if end == _MIDNIGHT else time.fromisoformat(end)
    except ValueError as error:
        raise ValueError(f"opening hours {line!r}: {span!r} is no time of day") from error
    if pair[0] >= pair[1]:
        raise ValueError(f"opening hours {line!r}: {span!r} ends before it begins; split it at 24:00")
    return pair
