"""How often each value occurred: one count per step, so that hours add up to days without loss.

Sums, means and the longest value are exact. Percentiles are exact to the step (rounded down): whole for rings, 0.1 s
for durations counted by ``TENTH``. Memory grows with the longest wait, not with the number of calls.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from telemon.instants import SECOND

if TYPE_CHECKING:
    from collections.abc import Mapping

    from telemon.instants import Duration

TENTH: Final[Duration] = SECOND // 10
_PERCENT: Final = 100


@dataclass(frozen=True, slots=True)
class Spread:
    """Values counted by multiples of ``step``; ``counts[n]`` is how many lay in [n * step, (n + 1) * step)."""

    step: int
    counts: Mapping[int, int] = field(default_factory=dict)
    total: int = 0
    longest: int | None = None

    @property
    def count(self) -> int:
        """How many values there are."""
        return sum(self.counts.values())

    @property
    def mean(self) -> float | None:
        """Their average, None without any."""
        count = self.count
        return self.total / count if count else None

    def percentile(self, percent: int) -> int | None:
        """Return the nearest-rank percentile (0 < percent ≤ 100), rounded down to the step; None without any value."""
        rank = -(-percent * self.count // _PERCENT)
        for step, count in sorted(self.counts.items()):
            rank -= count
            if rank <= 0:
                return step * self.step
        return None

    def below(self, limit: int) -> int:
        """Return how many values are less than ``limit``.

        Raises:
            ValueError: the limit is no multiple of the step, so the counts cannot tell.
        """
        if limit % self.step:
            raise ValueError(f"limit {limit} is no multiple of {self.step}")
        return sum(count for step, count in self.counts.items() if step < limit // self.step)

    def __add__(self, other: Spread) -> Spread:
        if self.step != other.step:
            raise ValueError(f"values counted by {self.step} and by {other.step} do not add up")
        longest = max((spread.longest for spread in (self, other) if spread.longest is not None), default=None)
        counts = Counter(self.counts) + Counter(other.counts)
        return Spread(self.step, dict(counts), self.total + other.total, longest)


class SpreadCounter:
    """A spread while it is being counted."""

    __slots__ = ("_counts", "_longest", "_step", "_total")

    def __init__(self, step: int) -> None:
        self._step = step
        self._counts: dict[int, int] = {}
        self._total = 0
        self._longest: int | None = None

    def add(self, value: int) -> None:
        """Count one value, at least 0."""
        step = value // self._step
        self._counts[step] = self._counts.get(step, 0) + 1
        self._total += value
        if self._longest is None or value > self._longest:
            self._longest = value

    def spread(self) -> Spread:
        """Return what was counted so far."""
        return Spread(self._step, dict(self._counts), self._total, self._longest)
