"""All services together."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from telemon.wallboard.scene import ALL, DayFigures

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from telemon.wallboard.scene import Scene, Share


class Total(NamedTuple):
    """Callers of all services; None where no service is seen now."""

    waiting: int | None
    talking: int | None
    day: DayFigures | None


def total_of(scene: Scene) -> Total:
    """Return the total of a scene; its day as reckoned from the ledger, else from the services' own days."""
    days = [day for key, day in scene.days.items() if key != ALL]
    return Total(
        _sum(service.waiting for service in scene.services),
        _sum(service.talking for service in scene.services),
        scene.days.get(ALL) or (_day_of(days) if days else None),
    )


def _sum(values: Iterable[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def _day_of(days: Sequence[DayFigures]) -> DayFigures:
    answered, lost = sum(day.answered for day in days), sum(day.lost for day in days)
    within = sum(day.within for day in days)
    verdicts = {day.keeps for day in days if day.answered + day.lost}
    return DayFigures(
        answered,
        lost,
        within,
        _share(lost, answered + lost, [day.lost_rate for day in days]),
        _share(within, answered, [day.within_rate for day in days]),
        verdicts.pop() if len(verdicts) == 1 else None,
    )


def _share(part: int, whole: int, of_services: Iterable[Share | None]) -> Share | None:
    """Return a share of all; it is a mean of the services' own, so it lies within the outermost of their bounds."""
    known = [share for share in of_services if share is not None]
    if not known:
        return None
    return (part / whole if whole else None, min(lower for _, lower, _ in known), max(upper for _, _, upper in known))
