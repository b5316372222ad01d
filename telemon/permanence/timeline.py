"""The intervals of one permanence as one observer tells them: adjacent, merged, and open to correction for a while.

A call that nobody answers shows only at its end that nobody could be reached since it began to ring, and a frozen PBX
that nothing was known for some seconds. So the latest part of the past can still be painted over. An instant at which
an interval was once told to begin stays the beginning of one, for the ledger has a row with that key: two intervals of
one state may then lie side by side, which whoever reads them joins (``telemon.permanence.coverage``).
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from telemon.duty_records import Coverage, CoverInterval
from telemon.instants import SECOND

if TYPE_CHECKING:
    from telemon.duty_records import UncoveredCause
    from telemon.instants import Duration, Instant

KEPT: Final[Duration] = 7200 * SECOND
"""How much of the past can be painted over: longer than any caller listens to ringing."""
_MAXIMUM_KEPT: Final = 1024


class State(NamedTuple):
    """What is true of a stretch of time."""

    coverage: Coverage
    cause: UncoveredCause | None = None


COVERED: Final = State(Coverage.COVERED)
UNKNOWN: Final = State(Coverage.UNKNOWN)


@dataclass(slots=True)
class _Segment:
    """From ``start`` up to the start of the next one."""

    start: Instant
    state: State
    is_told: bool = False  # somebody has an interval that begins here
    is_changed: bool = True


class Timeline:
    """The intervals of one service, the latest of which lasts."""

    def __init__(self, site: str, service: str, observer: str) -> None:
        self.site = site
        self.service = service
        self.observer = observer
        self._segments: list[_Segment] = []

    @property
    def latest(self) -> Instant | None:
        """When the present interval began."""
        return self._segments[-1].start if self._segments else None

    @property
    def current(self) -> CoverInterval | None:
        """The interval that lasts."""
        return self._interval(len(self._segments) - 1) if self._segments else None

    def begin(self, at: Instant, state: State) -> None:
        """From now on this is true; an instant before the present interval is taken as its beginning."""
        if not self._segments:
            self._segments.append(_Segment(at, state))
            return
        current = self._segments[-1]
        if state == current.state:
            return
        if at > current.start:
            current.is_changed = True
            self._segments.append(_Segment(at, state))
        else:
            current.state, current.is_changed = state, True
            self._merge()

    def paint(self, start: Instant, end: Instant | None, state: State, *, only: State | None = None) -> None:
        """Say otherwise of the time from ``start`` to ``end`` (None: from then on), or of what ``only`` was there."""
        if end is not None and end <= start:
            return
        self._split(start)
        if end is not None:
            self._split(end)
        for segment in self._segments:
            is_within = start <= segment.start and (end is None or segment.start < end)
            if is_within and segment.state != state and only in (None, segment.state):
                segment.state, segment.is_changed = state, True
        self._merge()

    def take_changed(self) -> list[CoverInterval]:
        """Return the intervals that are not as they were told last, in order."""
        changed = [number for number, segment in enumerate(self._segments) if segment.is_changed]
        intervals = [self._interval(number) for number in changed]
        for number in changed:
            self._segments[number].is_changed, self._segments[number].is_told = False, True
        self._forget()
        return intervals

    def _split(self, at: Instant) -> None:
        place = bisect_right(self._segments, at, key=lambda segment: segment.start)
        if place and self._segments[place - 1].start < at:
            divided = self._segments[place - 1]
            divided.is_changed = True
            self._segments.insert(place, _Segment(at, divided.state))

    def _merge(self) -> None:
        kept: list[_Segment] = []
        for segment in self._segments:
            if kept and kept[-1].state == segment.state and not segment.is_told:
                kept[-1].is_changed = True
            else:
                kept.append(segment)
        self._segments = kept

    def _forget(self) -> None:
        ends = [segment.start for segment in self._segments[1:]]
        too_old = sum(end < self._segments[-1].start - KEPT for end in ends)
        del self._segments[: max(too_old, len(self._segments) - _MAXIMUM_KEPT)]

    def _interval(self, number: int) -> CoverInterval:
        segment = self._segments[number]
        return CoverInterval(
            site=self.site,
            service=self.service,
            observer=self.observer,
            started_at=segment.start,
            ended_at=self._segments[number + 1].start if number + 1 < len(self._segments) else None,
            state=segment.state.coverage,
            cause=segment.state.cause,
        )
