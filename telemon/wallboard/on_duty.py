"""What the duties tell the wallboard: cover, who is on duty, crisis cells, what is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from telemon.crisis.stages import FIELDS
from telemon.duty_records import Coverage
from telemon.wallboard.scene import Cover, CrisisNow, Trouble

if TYPE_CHECKING:
    from collections.abc import Mapping

    from telemon.duty.duties import Duties
    from telemon.instants import Instant


class DutyPart(NamedTuple):
    """The part of a scene that the duties know."""

    permanence: tuple[Cover, ...] = ()
    crisis: tuple[CrisisNow, ...] = ()
    conditions: tuple[Trouble, ...] = ()


def duty_part(duties: Duties, now: Instant, names: Mapping[str, str]) -> DutyPart:
    """Return what the duties know now; ``names`` are those of officers by their id."""
    return DutyPart(_covers(duties, now, names), _crises(duties), _troubles(duties))


def _covers(duties: Duties, now: Instant, names: Mapping[str, str]) -> tuple[Cover, ...]:
    present = duties.staffing.on_duty(now)
    on_duty = None if present is None else tuple(sorted(names.get(officer, officer) for officer in present))
    known = duties.covers()
    services = sorted({service for _, watch in duties.watches() for service in watch.permanences})
    return tuple(
        Cover(service, known[service].state, known[service].cause, on_duty)
        if service in known
        else Cover(service, Coverage.UNKNOWN, None, on_duty)
        for service in services
    )


def _crises(duties: Duties) -> tuple[CrisisNow, ...]:
    return tuple(
        CrisisNow(
            service,
            status.crisis.is_exercise,
            status.crisis.ordered_at + status.crisis.deadline,
            {stage.value: getattr(status.crisis, field) for stage, field in FIELDS.items()},
            len(status.people),
            status.crisis.plan,
            status.crisis.title,
        )
        for service, status in duties.crisis.statuses.items()
    )


def _troubles(duties: Duties) -> tuple[Trouble, ...]:
    return tuple(
        Trouble(condition.key.kind.value, condition.key.service, condition.since, condition.text)
        for condition in duties.conditions.active
    )
