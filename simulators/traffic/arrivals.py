"""Who calls when: a Poisson process whose rate is constant for minutes, and follows the almanac and the surges."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator

    from simulators.traffic.almanac import Almanac
    from simulators.traffic.scenario import Scenario

_CELL: Final = 900.0  # seconds; every zone's offset from UTC is a multiple, so no local hour begins within
_SURGE_CELL: Final = 60.0


def arrivals(
    scenario: Scenario, almanac: Almanac, starts_at: float, source: random.Random
) -> Iterator[tuple[float, str]]:
    """Yield seconds since ``starts_at`` (Unix seconds) and the service called, in order of time."""
    services = tuple(scenario.services)
    begins = 0.0
    while begins < scenario.lasts:
        size = _SURGE_CELL if _is_surging(scenario, begins) else _CELL
        ends = min(begins + size - (starts_at + begins) % size, scenario.lasts)
        rates = _rates(scenario, almanac, starts_at, (begins + ends) / 2)
        total = sum(rates)
        at = begins + source.expovariate(total) if total else ends
        while at < ends:
            yield at, source.choices(services, weights=rates)[0]
            at += source.expovariate(total)
        begins = ends


def _rates(scenario: Scenario, almanac: Almanac, starts_at: float, elapsed: float) -> list[float]:
    rates = almanac.rates(starts_at + elapsed)
    for surge in scenario.surges:
        factor = surge.factor_at(elapsed)
        if factor > 1:
            nth = list(scenario.services).index(surge.service)
            rates[nth] *= factor
    return rates


def _is_surging(scenario: Scenario, elapsed: float) -> bool:
    """Whether a surge is on, or begins before an ordinary cell would end."""
    return any(surge.begins - _CELL < elapsed < surge.ends for surge in scenario.surges)
