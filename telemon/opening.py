"""When a service takes calls: weekly hours in the site's time zone, and days on which they are others."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING, Final

from telemon.instants import SECOND, from_datetime, to_datetime

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import date, tzinfo

    from telemon.instants import Instant
    from telemon.public_holidays import Holidays

Spans = tuple[tuple[time, time], ...]

_DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAYS_PATTERN: Final = "|".join(_DAYS)
_SPANS_PATTERN: Final = r"\d\d:\d\d-\d\d:\d\d(,\d\d:\d\d-\d\d:\d\d)*"
_LINE: Final = re.compile(rf"(?P<first>{_DAYS_PATTERN})(-(?P<last>{_DAYS_PATTERN}))? (?P<spans>{_SPANS_PATTERN})")
_MIDNIGHT: Final = "24:00"
_DAY: Final = timedelta(days=1)
_IN_SIGHT: Final = 400 * 86_400 * SECOND  # past every public holiday's next turn
_WHOLE_DAY: Final = ((time.min, time.max),)
ALWAYS: Final = ("mon-sun 00:00-24:00",)


@dataclass(frozen=True, slots=True)
class OpeningHours:
    """For each weekday (Monday first) the spans in which the service is open, as local times [from, to).

    A span up to ``time.max`` lasts until midnight. Of what is said of one day, the first of these holds:
    ``opened_on`` (its spans), ``closed_on`` (closed all day), a public holiday (closed all day), the weekday.
    """

    zone: tzinfo
    spans: tuple[Spans, ...]
    closed_on: frozenset[date] = frozenset()
    opened_on: Mapping[date, Spans] = field(default_factory=dict, hash=False)
    holidays: Holidays | None = None

    def spans_on(self, day: date) -> Spans:
        """Return the local times [from, to) in which it is open on this day."""
        if day in self.opened_on:
            return self.opened_on[day]
        if day in self.closed_on or (self.holidays is not None and self.holidays.is_holiday(day)):
            return ()
        return self.spans[day.weekday()]

    def is_open(self, at: Instant) -> bool:
        """Whether the instant falls into a span; the clock on the wall decides, summer time or not."""
        local = to_datetime(at).astimezone(self.zone)
        now = local.time()
        return any(start <= now and (now < end or end == time.max) for start, end in self.spans_on(local.date()))

    def next_change(self, at: Instant) -> Instant | None:
        """Return the first instant after ``at`` at which ``is_open`` is another; None if there is none in 400 days.

        On the days of the change of time too: an hour that does not happen opens nothing, one that happens twice
        opens twice.
        """
        was_open = self.is_open(at)
        last = at + _IN_SIGHT
        for start in range(at, last, 86_400 * SECOND):
            end = min(start + 86_400 * SECOND, last)
            for turn in self._turns(start, end, was_open=was_open):
                if self.is_open(turn) != was_open:
                    return turn
        return None

    def days_off(self, first: date, last: date) -> Iterator[date]:
        """Every day from ``first`` to ``last`` on which it is closed although the week says otherwise."""
        for number in range((last - first).days + 1):
            day = first + number * _DAY
            if self.spans[day.weekday()] and not self.spans_on(day):
                yield day

    def _turns(self, start: Instant, end: Instant, *, was_open: bool) -> list[Instant]:
        """Return in order the instants of ]start, end] at which it may open or close."""
        first, last = (to_datetime(at).astimezone(self.zone) for at in (start, end))
        # A day more on both sides: where a clock is set over midnight, one day's wall times lie among another's.
        days = [first.date() + number * _DAY for number in range(-1, (last.date() - first.date()).days + 2)]
        if all(self.spans_on(day) == (_WHOLE_DAY if was_open else ()) for day in days):
            return []
        turns = {from_datetime(moment) for day in days for moment in self._edges(day)}
        if first.utcoffset() != last.utcoffset():
            turns.add(self._clock_change(start, end))
        return sorted(turn for turn in turns if start < turn <= end)

    def _edges(self, day: date) -> Iterator[datetime]:
        """Every beginning and end of the day's spans; both times where the clock shows it twice."""
        for start, end in self.spans_on(day):
            last = datetime.combine(day + _DAY, time.min) if end == time.max else datetime.combine(day, end)
            for wall in (datetime.combine(day, start), last):
                yield from (wall.replace(tzinfo=self.zone, fold=fold) for fold in (0, 1))

    def _clock_change(self, start: Instant, end: Instant) -> Instant:
        """Return the instant in ]start, end] at which the zone's clock is set; zones change at whole seconds."""
        before, after = start // SECOND, -(-end // SECOND)
        offset = to_datetime(before * SECOND).astimezone(self.zone).utcoffset()
        while after - before > 1:
            middle = (before + after) // 2
            if to_datetime(middle * SECOND).astimezone(self.zone).utcoffset() == offset:
                before = middle
            else:
                after = middle
        return after * SECOND


def parse_hours(
    lines: Iterable[str],
    zone: tzinfo,
    closed_on: Iterable[date] = (),
    opened_on: Mapping[date, str] | None = None,
    holidays: Holidays | None = None,
) -> OpeningHours:
    """Read lines such as ``mon-fri 08:30-12:00,13:30-17:00`` or ``sat 09:00-24:00``.

    ``opened_on`` gives a day's own hours, such as ``09:00-12:00,14:00-16:00``.

    Raises:
        ValueError: a line or a day's hours are not of this form; the message shows them.
    """
    week: list[list[tuple[time, time]]] = [[] for _ in _DAYS]
    for line in lines:
        found = _LINE.fullmatch(line)
        if found is None:
            raise ValueError(f"opening hours {line!r} are not of the form 'mon-fri 08:30-12:00,13:30-17:00'")
        first, last = _DAYS.index(found["first"]), _DAYS.index(found["last"] or found["first"])
        days = range(first, last + 1) if first <= last else (*range(first, 7), *range(last + 1))
        for day in days:
            week[day] += _spans(found["spans"], repr(line))
    return OpeningHours(
        zone,
        tuple(tuple(sorted(day)) for day in week),
        frozenset(closed_on),
        {day: _spans_of_day(day, spans) for day, spans in (opened_on or {}).items()},
        holidays,
    )


def _spans_of_day(day: date, spans: str) -> Spans:
    where = f"{spans!r} of {day}"
    if re.fullmatch(_SPANS_PATTERN, spans) is None:
        raise ValueError(f"opening hours {where} are not of the form '08:30-12:00,13:30-17:00'")
    return tuple(sorted(_spans(spans, where)))


def _spans(spans: str, where: str) -> list[tuple[time, time]]:
    return [_span(span, where) for span in spans.split(",")]


def _span(span: str, where: str) -> tuple[time, time]:
    start, end = span.split("-")
    try:
        pair = time.fromisoformat(start), time.max if end == _MIDNIGHT else time.fromisoformat(end)
    except ValueError as error:
        raise ValueError(f"opening hours {where}: {span!r} is no time of day") from error
    if pair[0] >= pair[1]:
        raise ValueError(f"opening hours {where}: {span!r} ends before it begins; split it at 24:00")
    return pair
