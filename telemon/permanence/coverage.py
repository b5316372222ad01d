"""How much of a period a permanence was covered: what its observers tell, joined, cut to what was required, summed.

Every instant of a period so far is in exactly one state, so that ``covered``, ``uncovered`` and ``unknown`` add up to
``required`` to the microsecond, and the days to the month and the year.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from dataclasses import dataclass, field
from itertools import groupby, pairwise
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from telemon.duty_records import Coverage, UncoveredCause
from telemon.gaps import TRAILING
from telemon.rates import Rate

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from telemon.duty_records import CoverInterval
    from telemon.instants import Duration, Instant

_ORDER: Final = list(UncoveredCause)  # where two observers give two causes, the first of them


class Required(Protocol):
    """When the permanence is required, as ``telemon.opening.OpeningHours`` has it."""

    def is_open(self, at: Instant) -> bool:
        """Whether it is required at this instant."""
        ...

    def next_change(self, at: Instant) -> Instant | None:
        """Return the first instant after ``at`` with another answer; None if there is none in sight."""
        ...


class Stretch(NamedTuple):
    """From ``start`` up to ``end`` in one state; ``cause`` is that of an uncovered one."""

    start: Instant
    end: Instant
    state: Coverage
    cause: UncoveredCause | None = None

    @property
    def duration(self) -> Duration:
        """Its length."""
        return self.end - self.start


@dataclass(frozen=True, slots=True, kw_only=True)
class Cover:
    """What a period came to; durations in microseconds. ``required`` ends with the present where the period does not.

    ``uncovered`` has the causes that occurred.
    """

    start: Instant
    end: Instant
    required: Duration = 0
    covered: Duration = 0
    unknown: Duration = 0
    uncovered: dict[UncoveredCause, Duration] = field(default_factory=dict)

    @property
    def uncovered_total(self) -> Duration:
        """How long nobody could be reached, whatever the cause."""
        return sum(self.uncovered.values())

    @property
    def rate(self) -> Rate:
        """Covered ÷ known, between covered ÷ required and (covered + unknown) ÷ required."""
        known = self.covered + self.uncovered_total
        return Rate.of(self.covered, known, out=self.unknown, into=self.unknown)


def timeline(intervals: Iterable[CoverInterval], start: Instant, end: Instant, now: Instant) -> list[Stretch]:
    """Return the stretches that make up [start, end), or what of it is not after ``now``, in order and merged.

    ``intervals`` are the ledger's of one permanence, of all its observers. What one of them knows beats what another
    does not; where both know, uncovered wins. What nobody tells of is unknown: telemon did not run. The last interval
    of an observer is taken to go on until ``now`` if it was renewed less than ``telemon.gaps.TRAILING`` ago.
    """
    end = min(end, now)
    told = [piece for piece in _told(intervals, now) if piece.start < end and piece.end > start]
    edges = sorted({start, end, *(edge for piece in told for edge in (piece.start, piece.end) if start < edge < end)})
    return _merged(_joined(told, edges)) if end > start else []


def required_part(stretches: Iterable[Stretch], required: Required | None) -> list[Stretch]:
    """Return what of the stretches lies in the required time: all of it without ``required``."""
    if required is None:
        return list(stretches)
    return [
        stretch._replace(start=begin, end=finish)
        for stretch in stretches
        for begin, finish in _open_spans(required, stretch.start, stretch.end)
    ]


def sums(stretches: Iterable[Stretch], edges: Sequence[Instant]) -> list[Cover]:
    """Sum up the stretches between each two edges, which are in order and span them all (``telemon.buckets``)."""
    sums_of: list[defaultdict[tuple[Coverage, UncoveredCause | None], Duration]] = [defaultdict(int) for _ in edges[1:]]
    for stretch in stretches:
        place, begin = bisect_right(edges, stretch.start) - 1, stretch.start
        while begin < stretch.end:
            finish = min(stretch.end, edges[place + 1])
            sums_of[place][stretch.state, stretch.cause] += finish - begin
            place, begin = place + 1, finish
    return [_cover(begin, finish, found) for (begin, finish), found in zip(pairwise(edges), sums_of, strict=True)]


def _cover(start: Instant, end: Instant, found: dict[tuple[Coverage, UncoveredCause | None], Duration]) -> Cover:
    return Cover(
        start=start,
        end=end,
        required=sum(found.values()),
        covered=found.get((Coverage.COVERED, None), 0),
        unknown=found.get((Coverage.UNKNOWN, None), 0),
        uncovered={
            cause: found[Coverage.UNCOVERED, cause] for cause in _ORDER if found.get((Coverage.UNCOVERED, cause))
        },
    )


def _told(intervals: Iterable[CoverInterval], now: Instant) -> Iterator[Stretch]:
    """Yield what each observer knows, as far as it does."""
    in_order = sorted(intervals, key=lambda interval: (interval.observer, interval.started_at))
    for _, group in groupby(in_order, key=lambda interval: interval.observer):
        own = list(group)
        for interval in own:
            last = interval.started_at if interval.ended_at is None else interval.ended_at
            if interval is own[-1] and now - last <= TRAILING:
                last = max(last, now)
            if interval.state is not Coverage.UNKNOWN and last > interval.started_at:
                yield Stretch(interval.started_at, last, interval.state, interval.cause)


def _joined(told: Iterable[Stretch], edges: Sequence[Instant]) -> Iterator[Stretch]:
    """Yield one stretch between each two edges: the strongest of what is told of it."""
    begins = defaultdict(list)
    ends = defaultdict(list)
    for piece in told:
        begins[max(piece.start, edges[0])].append(_strength(piece))
        ends[piece.end].append(_strength(piece))
    under_way: defaultdict[tuple[int, int], int] = defaultdict(int)
    for begin, finish in pairwise(edges):
        for strength in begins[begin]:
            under_way[strength] += 1
        for strength in ends[begin]:
            under_way[strength] -= 1
        strongest = max((strength for strength, count in under_way.items() if count), default=None)
        yield _piece(begin, finish, strongest)


def _strength(piece: Stretch) -> tuple[int, int]:
    """Return a key whose greatest is what holds where several are told."""
    if piece.cause is None:
        return 0, 0
    return 1, -_ORDER.index(piece.cause)


def _piece(begin: Instant, finish: Instant, strength: tuple[int, int] | None) -> Stretch:
    if strength is None:
        return Stretch(begin, finish, Coverage.UNKNOWN)
    is_uncovered, place = strength
    if is_uncovered:
        return Stretch(begin, finish, Coverage.UNCOVERED, _ORDER[-place])
    return Stretch(begin, finish, Coverage.COVERED)


def _merged(pieces: Iterable[Stretch]) -> list[Stretch]:
    merged: list[Stretch] = []
    for piece in pieces:
        last = merged[-1] if merged else None
        if last is not None and (last.state, last.cause) == (piece.state, piece.cause):
            merged[-1] = last._replace(end=piece.end)
        else:
            merged.append(piece)
    return merged


def _open_spans(required: Required, start: Instant, end: Instant) -> Iterator[tuple[Instant, Instant]]:
    begin, is_open = start, required.is_open(start)
    while begin < end:
        turn = required.next_change(begin)
        finish = end if turn is None else min(turn, end)
        if is_open:
            yield begin, finish
        begin, is_open = finish, not is_open
