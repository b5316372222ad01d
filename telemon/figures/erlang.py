"""Erlang-A: how many operators a stream of calls needs where callers lose patience (the queue M/M/n+M).

Calls arrive at ``rate`` a second (Poisson); one of ``operators`` talks for ``talk`` seconds on average, a caller waits
for at most ``patience`` seconds on average (both exponential; ``patience`` may be infinite, which is Erlang C). The
number of calls in the system is a birth-death chain: up at the rate λ, down from k calls at kμ for k up to n, and at
nμ + (k-n)θ above, with μ = 1/talk and θ = 1/patience (C. Palm, "Research on telephone traffic carried by full
availability groups", Tele 1957; O. Garnett, A. Mandelbaum, M. Reiman, "Designing a call center with impatient
customers", M&SOM 4(3), 2002).

The chain is summed outwards from its most probable state, which is given the weight 1: no term is greater, so nothing
overflows, however many operators there are or however overloaded they be.

Whoever finds j callers waiting before him is served once j+1 calls have left the line before him. As the j callers
ahead lose patience too, that time V has 1 - exp(-θV) ~ Beta(j+1, nμ/θ); weighed with exp(-θV), the chance to be still
there, the chance to be served within t becomes c/(c+j+1) * I(1 - exp(-θt); j+1, c+1), c = nμ/θ, I the regularised
incomplete beta function: a sum of j+1 binomial terms, which gain one as j grows.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, expm1, inf, log
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_NEGLIGIBLE: Final = 1e-17  # of the weight summed up so far


@dataclass(frozen=True, slots=True)
class Line:
    """What callers meet: shares of all calls.

    ``lost`` give up waiting; ``waiting`` are not served at once; ``within`` are served before the promised time.
    """

    lost: float
    waiting: float
    within: float

    @property
    def answered(self) -> float:
        """The share that is served."""
        return 1 - self.lost

    @property
    def within_of_answered(self) -> float:
        """The share of the calls served that are served before the promised time."""
        return self.within / self.answered if self.answered > 0 else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """What has to be kept, each a share from 0 to 1: fewer are lost than, as many are answered, and answered in time.

    ``within`` is of the answered calls, in less than ``seconds``.
    """

    seconds: float
    lost_below: float = 1.0
    answered_at_least: float = 0.0
    within_at_least: float = 0.0

    def kept_by(self, line: Line) -> bool:
        """Whether a line keeps it."""
        return (
            line.lost < self.lost_below
            and line.answered >= self.answered_at_least
            and line.within_of_answered >= self.within_at_least
        )


def line_of(operators: int, rate: float, talk: float, patience: float, seconds: float) -> Line:
    """Return what callers meet; ``rate`` in calls a second, the others in seconds, ``operators`` at least 1.

    Raises:
        ValueError: nobody ever gives up, and more calls come than can be served: the line grows for ever.
    """
    if patience == inf and rate * talk >= operators:
        raise ValueError(
            f"{rate * talk:.2f} calls at once and {operators} operators: without impatience none is served"
        )
    down, impatience = operators / talk, 1 / patience
    below, above = _weights(operators, rate, talk, impatience)
    total = sum(below) + sum(above)
    served = _served_within(down, impatience, seconds)
    within = sum(weight * share for weight, share in zip(above, served, strict=False))
    given_up = sum(place * weight for place, weight in enumerate(above)) * impatience / rate
    return Line(
        lost=min(1.0, given_up / total),
        waiting=min(1.0, sum(above) / total),
        within=min(1.0, (sum(below) + within) / total),
    )


def operators_needed(rate: float, talk: float, patience: float, promise: Promise) -> int:
    """Return the least number of operators that keeps the promise; ``rate`` in calls a second, 0 needs nobody.

    Each further operator loses fewer calls and answers more of them in time, so halving finds it.
    """
    if rate <= 0:
        return 0

    def is_enough(operators: int) -> bool:
        if patience == inf and rate * talk >= operators:
            return False
        return promise.kept_by(line_of(operators, rate, talk, patience, promise.seconds))

    enough = 1
    while not is_enough(enough):
        enough *= 2
    too_few = enough // 2
    while enough - too_few > 1:
        middle = (enough + too_few) // 2
        if is_enough(middle):
            enough = middle
        else:
            too_few = middle
    return enough


def _weights(operators: int, rate: float, talk: float, impatience: float) -> tuple[list[float], list[float]]:
    """Return the weights of the states in which an operator is free, and of those with 0, 1, … callers waiting."""

    def down(calls: int) -> float:
        return min(calls, operators) / talk + max(0, calls - operators) * impatience

    peak = _peak(operators, rate, talk, impatience)
    falling = [1.0]
    calls = peak
    while calls > 0 and falling[-1] > 0:
        falling.append(falling[-1] * down(calls) / rate)
        calls -= 1
    weights = falling[::-1]  # of the states from ``calls`` to the peak
    lowest, highest, total, weight = calls, peak, sum(weights), 1.0
    while highest < operators or weight > _NEGLIGIBLE * total:
        highest += 1
        weight *= rate / down(highest)
        weights.append(weight)
        total += weight
    first = max(0, operators - lowest)
    return weights[:first], [0.0] * max(0, lowest - operators) + weights[first:]


def _peak(operators: int, rate: float, talk: float, impatience: float) -> int:
    """Return the most probable number of calls: the last to which the way up is as likely as the way down."""
    if rate * talk < operators or impatience == 0:
        return int(rate * talk)
    return operators + int((rate - operators / talk) / impatience)


def _served_within(down: float, impatience: float, seconds: float) -> Iterator[float]:
    """Yield, for 0, 1, … callers waiting before him, a caller's chance to be served within the time.

    ``down`` is nμ, ``impatience`` θ. The binomial terms are kept as logarithms: the first is exp(-(nμ+θ)t), which
    no float holds for a large n.
    """
    step = seconds if impatience == 0 else -expm1(-impatience * seconds) / impatience
    term = -(down + impatience) * seconds
    beyond = 0.0
    place = 0
    while True:
        beyond += exp(term)
        yield down / (down + (place + 1) * impatience) * max(0.0, 1.0 - beyond)
        factor = step * (impatience * place + down + impatience) / (place + 1)
        term = term + log(factor) if factor > 0 else -inf
        place += 1
