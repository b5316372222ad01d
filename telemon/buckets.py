"""Hours, days, months and years of a time zone, and which of them make up a period.

A day runs from midnight to midnight: 23 or 25 hours at a change of the clocks. Its hours begin at midnight and wherever
the clock on the wall shows a full hour, so that they need not be those of UTC (Pacific/Marquesas is at -9:30), and a
change by half an hour (Australia/Lord_Howe) leaves a shorter one.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from datetime import date, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Final, NamedTuple

from telemon.instants import SECOND, from_datetime, to_datetime

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import tzinfo

    from telemon.instants import Duration, Instant

HOUR: Final[Duration] = 3600 * SECOND
_DAY: Final = timedelta(days=1)
_DECEMBER: Final = 12
_DAYS_REMEMBERED: Final = 4096


class Span(StrEnum):
    """How long a bucket is, the finest first."""

    HOUR = "hour"
    DAY = "day"
    MONTH = "month"
    YEAR = "year"


FINER: Final = {Span.YEAR: Span.MONTH, Span.MONTH: Span.DAY, Span.DAY: Span.HOUR}


class Piece(NamedTuple):
    """Part of a period: whole buckets of one span side by side, or with ``span`` None whatever lies in between."""

    span: Span | None
    start: Instant
    end: Instant


class Buckets:
    """The buckets of one time zone."""

    def __init__(self, zone: tzinfo) -> None:
        self.zone = zone

    def starts(self, span: Span, start: Instant, end: Instant) -> list[Instant]:
        """Return where the buckets begin that have a part in [start, end), and where the last of them ends."""
        if end <= start:
            return []
        day = self._day_of(start)
        if span is Span.HOUR:
            return self._hours(day, start, end)
        day = _first_day(span, day)
        edges = [_midnight(day, self.zone)]
        while edges[-1] < end:
            day = _next_day(span, day)
            edges.append(_midnight(day, self.zone))
        return edges

    def whole(self, span: Span, start: Instant, end: Instant) -> Piece:
        """Return the buckets that have a part in [start, end), as one piece."""
        edges = self.starts(span, start, end)
        return Piece(span, edges[0], edges[-1])

    def cover(self, start: Instant, end: Instant, stale: Sequence[int] = ()) -> list[Piece]:
        """Return pieces that make up [start, end) exactly, each of the coarsest buckets possible, in order.

        ``stale`` are hours in UTC since the epoch, sorted, of which no bucket may be used: they come with span None.
        """
        pieces: list[Piece] = []
        for piece in self._cover(Span.YEAR, Piece(Span.YEAR, start, end), start, end, stale):
            last = pieces[-1] if pieces else None
            if last is not None and last.span is piece.span and last.end == piece.start:
                pieces[-1] = Piece(piece.span, last.start, piece.end)
            else:
                pieces.append(piece)
        return pieces

    def _cover(self, span: Span, within: Piece, start: Instant, end: Instant, stale: Sequence[int]) -> Iterator[Piece]:
        for begin, finish in pairwise(self.starts(span, max(start, within.start), min(end, within.end))):
            if begin == finish:
                continue  # a day that a zone left out, such as 2011-12-30 in Pacific/Apia
            if start <= begin and finish <= end and not _any_in(stale, begin, finish):
                yield Piece(span, begin, finish)
            elif span is Span.HOUR:
                yield Piece(None, max(start, begin), min(end, finish))
            else:
                yield from self._cover(FINER[span], Piece(span, begin, finish), start, end, stale)

    def _day_of(self, instant: Instant) -> date:
        """Return the day whose midnights enclose the instant: clocks put back at midnight show the day before again."""
        day = to_datetime(instant).astimezone(self.zone).date()
        while _midnight(day + _DAY, self.zone) <= instant:
            day += _DAY
        return day

    def _hours(self, day: date, start: Instant, end: Instant) -> list[Instant]:
        edges: list[Instant] = []
        while not edges or edges[-1] < end:
            edges += _hours_of(day, self.zone)[len(edges) > 0 :]
            day += _DAY
        return edges[bisect_right(edges, start) - 1 : bisect_left(edges, end) + 1]


def _any_in(stale: Sequence[int], start: Instant, end: Instant) -> bool:
    """Whether one of the stale hours has a part in [start, end)."""
    index = bisect_left(stale, start // HOUR)
    return index < len(stale) and stale[index] * HOUR < end


def _first_day(span: Span, day: date) -> date:
    if span is Span.DAY:
        return day
    return day.replace(day=1) if span is Span.MONTH else day.replace(month=1, day=1)


def _next_day(span: Span, day: date) -> date:
    """Return the first day of the next bucket, ``day`` being the first of this one."""
    if span is Span.DAY:
        return day + _DAY
    if span is Span.YEAR:
        return day.replace(year=day.year + 1)
    return day.replace(year=day.year + day.month // _DECEMBER, month=day.month % _DECEMBER + 1)


@lru_cache(_DAYS_REMEMBERED)
def _midnight(day: date, zone: tzinfo) -> Instant:
    return from_datetime(datetime(day.year, day.month, day.day, tzinfo=zone))


@lru_cache(_DAYS_REMEMBERED)
def _hours_of(day: date, zone: tzinfo) -> tuple[Instant, ...]:
    """Return where the hours of a day begin, and its end."""
    edges = [_midnight(day, zone)]
    end = _midnight(day + _DAY, zone)
    while edges[-1] < end:
        shown = to_datetime(edges[-1]).astimezone(zone)
        past = (shown.minute * 60 + shown.second) * SECOND
        edges.append(min(edges[-1] + HOUR - past, end))
    return tuple(edges)
