"""Exact shares of calls with their bounds, and the verdict on a goal.

A rate is part ÷ whole. Calls not fully seen, or that a rule set leaves out, may belong to it otherwise: ``out`` of
them may be in the whole but not in the part, ``into`` of them in both. So it lies between part ÷ (whole + out) and
(part + into) ÷ (whole + into).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import TYPE_CHECKING

from telemon.rulesets import GoalKind

if TYPE_CHECKING:
    from telemon.rulesets import Goal


class Verdict(StrEnum):
    """Whether a goal was met; undecided where the bounds lie on both sides of it, or no call was seen."""

    KEPT = "kept"
    BROKEN = "broken"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True)
class Rate:
    """A share and its bounds, exact (``float()`` them to print).

    All None without any call; the value alone is None where only uncertain calls exist.
    """

    value: Fraction | None
    lower: Fraction | None
    upper: Fraction | None

    @classmethod
    def of(cls, part: int, whole: int, *, out: int, into: int) -> Rate:
        """Return part ÷ whole with the bounds that ``out`` and ``into`` uncertain calls leave (module docstring)."""
        if not whole + out + into:
            return cls(None, None, None)
        return cls(
            Fraction(part, whole) if whole else None,
            Fraction(part, whole + out) if whole + out else Fraction(0),
            Fraction(part + into, whole + into) if whole + into else Fraction(1),
        )

    def widened(self, observed_share: Fraction) -> Rate:
        """Return it for a period observed only in part; the value stays that of the calls seen."""
        if self.lower is None or self.upper is None:
            return self
        return Rate(self.value, observed_share * self.lower, observed_share * self.upper + 1 - observed_share)

    def verdict(self, goal: Goal) -> Verdict:
        """Hold the bounds against a goal."""
        if self.lower is None or self.upper is None:
            return Verdict.UNDECIDED
        if goal.kind is GoalKind.LOST_RATE_BELOW:
            kept, broken = self.upper < goal.limit, self.lower >= goal.limit
        else:
            kept, broken = self.lower >= goal.limit, self.upper < goal.limit
        if kept:
            return Verdict.KEPT
        return Verdict.BROKEN if broken else Verdict.UNDECIDED
