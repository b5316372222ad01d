"""When a PBX was not seen: what remains of a period once every stretch of seeing is taken off."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final

from telemon.daemon import SIGHT_SECONDS
from telemon.instants import from_seconds
from telemon.observation import GapCause, Sight

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from telemon.instants import Duration, Instant
    from telemon.observation import Interval

Gap = tuple["Instant", "Duration", str]
_TRAILING: Final = from_seconds(1.5 * SIGHT_SECONDS)


def gaps_of(intervals: Sequence[Interval], start: Instant, end: Instant, now: Instant) -> list[Gap]:
    """Return the gaps of one PBX between two instants, each as start, duration and cause.

    ``intervals`` are the ledger's, in order of their starts; two observers of one PBX may have written them. What
    neither wrote of is a time without telemon. The ledger learns every ``SIGHT_SECONDS`` how far the present stretch
    of seeing reaches, so the last one is taken to go on until ``now``.
    """
    blind = list(_blind(intervals, end))
    gaps: list[Gap] = []
    reached = start
    for interval in intervals:
        if interval.sight is Sight.GAP:
            continue
        gaps += _pieces(reached, min(interval.started_at, end), blind)
        last = interval.started_at if interval.ended_at is None else interval.ended_at
        goes_on = interval is intervals[-1] and now - last <= _TRAILING
        reached = max(reached, now if goes_on else last)
    return [*gaps, *_pieces(reached, end, blind)]


def _blind(intervals: Sequence[Interval], end: Instant) -> Iterator[tuple[Instant, Instant, str]]:
    """Yield the ledger's own gaps; one that telemon could not close ends where it began to write again."""
    for interval, following in pairwise([*intervals, None]):
        if interval is not None and interval.sight is Sight.GAP:
            last = end if following is None else following.started_at
            finish = last if interval.ended_at is None else interval.ended_at
            yield interval.started_at, finish, "unknown" if interval.cause is None else interval.cause.value


def _pieces(start: Instant, end: Instant, blind: Sequence[tuple[Instant, Instant, str]]) -> Iterator[Gap]:
    """Divide one gap by cause."""
    for begin, finish, cause in blind:
        first, last = max(begin, start), min(finish, end)
        if last > first:
            if first > start:
                yield start, first - start, GapCause.TELEMON_STOPPED.value
            yield first, last - first, cause
            start = last
    if end > start:
        yield start, end - start, GapCause.TELEMON_STOPPED.value
