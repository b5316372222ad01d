"""How many operators each hour of the week needs, against those who were there: one service of one site.

Hours are UTC hours, taken to be of the weekday and hour that the site's clocks show at their start: the night of 25
hours has its hour 2 twice, that of 23 hours has none. Only the hours given count, each for one; of those without a
call the mean must know.

Talk is the mean from answer to end of the hour's own calls, or of all the service's where the hour has fewer than
``ENOUGH_TALKS``; ``wrap_up`` is added. Patience is likewise the time that all callers waited after alerting, answered
or not, divided by the number of those who gave up: the maximum-likelihood estimate where patience is exponential and
an answer cuts it short. A service nobody gave up at is taken to be infinitely patient.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import lru_cache
from math import inf
from typing import TYPE_CHECKING, Final

from telemon.figures.erlang import operators_needed
from telemon.instants import to_datetime

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import tzinfo

    from telemon.figures.erlang import Promise
    from telemon.instants import Instant

ENOUGH_TALKS: Final = 30
ENOUGH_GIVEN_UP: Final = 10
_HOUR_SECONDS: Final = 3600
_DECIMALS: Final = 1  # of talk and patience: nearly equal hours are reckoned once
_REMEMBERED: Final = 16_384
Slot = tuple[int, int]
"""Weekday from 1 (Monday) to 7, and hour from 0 to 23, of the site's clocks."""


@dataclass(frozen=True, slots=True)
class HourSums:
    """The calls of some hours: those that asked for an operator, and of these answered, lost and given up.

    ``talk`` in seconds of the answered calls, ``wait`` in seconds from alerting to the end of the wait of all.
    """

    calls: int = 0
    answered: int = 0
    lost: int = 0
    given_up: int = 0
    talk: float = 0.0
    wait: float = 0.0

    def __add__(self, other: HourSums) -> HourSums:
        return HourSums(
            self.calls + other.calls,
            self.answered + other.answered,
            self.lost + other.lost,
            self.given_up + other.given_up,
            self.talk + other.talk,
            self.wait + other.wait,
        )


@dataclass(frozen=True, slots=True)
class Staffing:
    """One hour of the week: means of the hours that count; None where it cannot be said."""

    calls: float
    needed: int | None
    present: float | None
    lost_ratio: float | None


def slot_of(hour: Instant, zone: tzinfo) -> Slot:
    """Return the weekday and hour of a UTC hour's start."""
    local = to_datetime(hour).astimezone(zone)
    return local.isoweekday(), local.hour


def staffing_of(
    hours: Iterable[Instant],
    calls: Mapping[Instant, HourSums],
    present: Mapping[Instant, float],
    zone: tzinfo,
    promise: Promise,
    *,
    wrap_up: float = 0.0,
) -> dict[Slot, Staffing]:
    """Return each hour of the week in which there were calls or operators.

    Args:
        hours: starts of the UTC hours that count.
        calls: what came in which hour; hours that do not count are passed over.
        present: operators who could answer, on average, in the hours in which that was seen.
        zone: the site's.
        promise: what is to be kept.
        wrap_up: seconds after each call that no event tells of.
    """
    counted: defaultdict[Slot, list[Instant]] = defaultdict(list)
    for hour in hours:
        counted[slot_of(hour, zone)].append(hour)
    sums = {slot: _sum(calls, starts) for slot, starts in counted.items()}
    whole = sum(sums.values(), HourSums())
    found: dict[Slot, Staffing] = {}
    for slot, starts in sorted(counted.items()):
        own = sums[slot]
        seen = [present[hour] for hour in starts if hour in present]
        there = sum(seen) / len(seen) if seen else None
        if not own.calls and not there:
            continue
        rate = own.calls / len(starts)
        judged = own.lost + own.answered
        found[slot] = Staffing(
            calls=rate,
            needed=_needed(rate, own, whole, promise, wrap_up),
            present=there,
            lost_ratio=own.lost / judged if judged else None,
        )
    return found


def _sum(calls: Mapping[Instant, HourSums], starts: Iterable[Instant]) -> HourSums:
    return sum((calls[hour] for hour in starts if hour in calls), HourSums())


def _needed(rate: float, own: HourSums, whole: HourSums, promise: Promise, wrap_up: float) -> int | None:
    talking = own if own.answered >= ENOUGH_TALKS else whole
    leaving = own if own.given_up >= ENOUGH_GIVEN_UP else whole
    if not rate:
        return 0
    if not talking.talk:
        return None
    talk = talking.talk / talking.answered + wrap_up
    patience = max(leaving.wait, 1.0) / leaving.given_up if leaving.given_up else inf
    return _reckoned(rate, round(talk, _DECIMALS), round(patience, _DECIMALS), promise)


@lru_cache(_REMEMBERED)
def _reckoned(rate: float, talk: float, patience: float, promise: Promise) -> int:
    return operators_needed(rate / _HOUR_SECONDS, talk, patience, promise)
