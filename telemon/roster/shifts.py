"""Who is on duty when: shifts, the moments when nobody is, and those when several are."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from telemon.instants import Instant


class Required(Protocol):
    """When somebody must be on duty, as ``telemon.opening.OpeningHours`` has it."""

    def is_open(self, at: Instant) -> bool:
        """Whether somebody must be on duty at this instant."""
        ...

    def next_change(self, at: Instant) -> Instant | None:
        """Return the first instant after ``at`` with another answer; None if there is none in sight."""
        ...


@dataclass(frozen=True, slots=True, order=True)
class Shift:
    """One officer's duty from ``start`` up to, but not with, ``end``.

    ``officer`` is the id of an officer, or a name as it was written; ``source`` tells where the shift was read.
    """

    start: Instant
    end: Instant
    officer: str
    source: str = ""

    def __post_init__(self) -> None:
        """Refuse what lasts no time.

        Raises:
            ValueError: the end is not after the start.
        """
        if self.end <= self.start:
            raise ValueError(f"a shift of {self.officer} that ends at {self.end}, not after its start {self.start}")


@dataclass(frozen=True, slots=True)
class Hole:
    """Nobody is on duty from ``start`` up to ``end``, though somebody must be."""

    start: Instant
    end: Instant


@dataclass(frozen=True, slots=True)
class Double:
    """Several officers are on duty from ``start`` up to ``end``; their ids are sorted."""

    start: Instant
    end: Instant
    officers: tuple[str, ...]


@dataclass(frozen=True)
class Roster:
    """The shifts that overlap [``known_from``, ``known_until``); outside of it nothing is known.

    Overlapping shifts of one officer are one shift. ``shifts`` are sorted by start.
    """

    shifts: tuple[Shift, ...]
    known_from: Instant
    known_until: Instant

    def __post_init__(self) -> None:
        """Sort the shifts, and join what one officer has twice."""
        object.__setattr__(self, "shifts", tuple(sorted(_joined(self.shifts))))

    def on_duty(self, at: Instant) -> tuple[str, ...]:
        """Return the ids of who is on duty, sorted."""
        instants, officers = self._changes
        position = bisect_right(instants, at)
        return officers[position - 1] if position else ()

    def next_change(self, at: Instant) -> Instant | None:
        """Return the first instant after ``at`` at which others are on duty; None if there is none."""
        instants, _ = self._changes
        position = bisect_right(instants, at)
        return instants[position] if position < len(instants) else None

    def shift_of(self, officer: str, at: Instant) -> Shift | None:
        """Return the shift that this officer has at this instant."""
        return next(
            (shift for shift in self.shifts if shift.officer == officer and shift.start <= at < shift.end), None
        )

    def holes(self, start: Instant, end: Instant, required: Required | None = None) -> list[Hole]:
        """Return when, in the part of [start, end) that is known, nobody is on duty though somebody must be.

        Somebody must be at all times unless ``required`` knows better.
        """
        empty = [(begin, until) for begin, until, officers in self._stretches(start, end) if not officers]
        if required is not None:
            empty = [open_span for begin, until in empty for open_span in _open_spans(required, begin, until)]
        return [Hole(begin, until) for begin, until in empty]

    def doubles(self, start: Instant, end: Instant) -> list[Double]:
        """Return when, in the part of [start, end) that is known, several officers are on duty."""
        return [
            Double(begin, until, officers)
            for begin, until, officers in self._stretches(start, end)
            if len(officers) > 1
        ]

    @cached_property
    def _changes(self) -> tuple[list[Instant], list[tuple[str, ...]]]:
        """The instants at which others come on duty, and who is from there on."""
        moves = sorted(
            move
            for shift in self.shifts
            for move in ((shift.start, True, shift.officer), (shift.end, False, shift.officer))
        )  # at one instant, who goes comes before who comes: adjacent shifts leave no hole
        instants: list[Instant] = []
        officers: list[tuple[str, ...]] = []
        present: set[str] = set()
        for index, (at, comes, officer) in enumerate(moves):
            (present.add if comes else present.discard)(officer)
            last = index + 1 == len(moves) or moves[index + 1][0] != at
            now = tuple(sorted(present))
            if last and now != (officers[-1] if officers else ()):
                instants.append(at)
                officers.append(now)
        return instants, officers

    def _stretches(self, start: Instant, end: Instant) -> Iterator[tuple[Instant, Instant, tuple[str, ...]]]:
        """Yield from, until and who is on duty, without a break."""
        start, end = max(start, self.known_from), min(end, self.known_until)
        if start >= end:
            return
        instants, _ = self._changes
        inside = instants[bisect_right(instants, start) : bisect_right(instants, end - 1)]
        for begin, until in pairwise((start, *inside, end)):
            yield begin, until, self.on_duty(begin)


def _joined(shifts: Iterable[Shift]) -> Iterator[Shift]:
    """Yield the shifts with those joined that overlap and are of one officer; adjacent ones stay two."""
    latest: dict[str, Shift] = {}
    for shift in sorted(shifts):
        before = latest.get(shift.officer)
        if before is None or before.end <= shift.start:
            if before is not None:
                yield before
            latest[shift.officer] = shift
        elif shift.end > before.end:
            latest[shift.officer] = Shift(before.start, shift.end, shift.officer, before.source)
    yield from latest.values()


def _open_spans(required: Required, start: Instant, end: Instant) -> Iterator[tuple[Instant, Instant]]:
    at = start
    while at < end:
        change = required.next_change(at)
        until = end if change is None else min(change, end)
        if required.is_open(at):
            yield at, until
        at = until
