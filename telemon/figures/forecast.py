"""The rate that a month or a year will end with, if the rest of it goes as the same weekdays lately did.

With P the calls of the period so far and, of each day still to come, E the mean of the same weekday's calls over the
days of the past that were watched (of what is left of today: of the same weekday's calls from the next full hour on),
the forecast is the rate of P + ΣE: for the lost rate, lost ÷ (lost + answered) of these sums. All means are exact
fractions, nothing is smoothed, and a public holiday to come goes as its weekday.

It is the rate as measured, without bounds: short abandons, unknown calls and answers of unknown time are left out, as
``telemon.measures`` leaves them out of the value.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Final

from telemon.records import Outcome
from telemon.rulesets import GoalKind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from telemon.measures import Measures

FEWEST_DAYS: Final = 7  # of past without which nothing is foretold
_ZERO: Final = Fraction(0)


@dataclass(frozen=True, slots=True)
class Sums:
    """Part and whole of each rate; of a day to come, what is expected."""

    lost: Fraction = _ZERO
    counted: Fraction = _ZERO  # lost and answered
    answered: Fraction = _ZERO
    asked: Fraction = _ZERO
    within: Fraction = _ZERO
    decided: Fraction = _ZERO  # answered, and it can be told whether in time

    @classmethod
    def of(cls, measures: Measures) -> Sums:
        """Return those of calls that were measured."""
        spared = 0 if Outcome.SHORT_ABANDONED in measures.ruleset.lost else measures.short_abandoned
        answered, lost = measures.answered, measures.lost
        decided = answered - measures.undecided
        numbers = (lost, lost + answered, answered, measures.asked - spared, measures.within, decided)
        return cls(*map(Fraction, numbers))

    def __add__(self, other: Sums) -> Sums:
        return Sums(*(mine + theirs for mine, theirs in zip(self._all, other._all, strict=True)))

    def times(self, factor: Fraction) -> Sums:
        """Return them all, so many times."""
        return Sums(*(number * factor for number in self._all))

    def rate(self, kind: GoalKind) -> Fraction | None:
        """Return the rate that a goal of this kind limits; None without calls."""
        if kind is GoalKind.LOST_RATE_BELOW:
            part, whole = self.lost, self.counted
        elif kind is GoalKind.ANSWER_RATE_AT_LEAST:
            part, whole = self.answered, self.asked
        else:
            part, whole = self.within, self.decided
        return part / whole if whole else None

    @property
    def _all(self) -> tuple[Fraction, ...]:
        return (self.lost, self.counted, self.answered, self.asked, self.within, self.decided)


def mean(days: Sequence[Sums]) -> Sums:
    """Return the mean of some days, at least one."""
    return sum(days, Sums()).times(Fraction(1, len(days)))


def expected(
    past: Mapping[int, Sequence[Sums]], rest_of_today: Sequence[Sums], to_come: Mapping[int, int]
) -> Sums | None:
    """Return what is still to come of a period; None where too little is known of the past.

    Args:
        past: the days that were watched, by weekday (Monday is 0).
        rest_of_today: of those of today's weekday, what came from this hour of the day on.
        to_come: how many days of each weekday are still to come, today not among them.
    """
    if sum(map(len, past.values())) < FEWEST_DAYS:
        return None
    if any(count and not past.get(weekday) for weekday, count in to_come.items()) or not rest_of_today:
        return None
    days = (mean(past[weekday]).times(Fraction(count)) for weekday, count in to_come.items() if count)
    return sum(days, mean(rest_of_today))
