"""The desks of a configuration: one for each service of kind ``crisis``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from telemon.crisis.desk import CellRules, CrisisDesk, now
from telemon.crisis.stages import Thresholds
from telemon.errors import CrisisError
from telemon.instants import from_seconds
from telemon.records import ServiceKind
from telemon.texts import text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sqlalchemy import Engine

    from telemon.config import Config
    from telemon.instants import Instant


def desks(settings: Config, engine: Engine, clock: Callable[[], Instant] = now) -> dict[str, CrisisDesk]:
    """Return the desk of each crisis service of a configuration, by the service's name."""
    own = settings.crisis
    thresholds = Thresholds(
        maximum_waiting=own.maximum_waiting,
        maximum_wait=from_seconds(own.maximum_wait_seconds),
        minimum_staff=own.minimum_staff,
    )
    rules = CellRules(staff=own.staff, deadline=from_seconds(own.deadline_minutes * 60), thresholds=thresholds)
    sites = tuple(dict.fromkeys(settings.call_site(pbx) for pbx in settings.pbx))
    aliases = {
        other.casefold(): officer.id
        for officer in settings.officer
        for other in (officer.id, officer.name, officer.number)
        if other
    }
    return {
        service.name: CrisisDesk(
            engine, settings.site, service.name, call_sites=sites, rules=rules, aliases=aliases, clock=clock
        )
        for service in settings.service
        if service.kind is ServiceKind.CRISIS
    }


def choose(desks: Mapping[str, CrisisDesk], service: str | None) -> CrisisDesk:
    """Return the desk of the named service, or the only one there is.

    Raises:
        CrisisError: there is none, no such, or more than one and none is named.
    """
    known = ", ".join(sorted(desks))
    if not desks:
        raise CrisisError(text()("crisis.no_service"))
    if service is None and len(desks) > 1:
        raise CrisisError(text()("crisis.which_service", known=known))
    desk = next(iter(desks.values())) if service is None else desks.get(service)
    if desk is None:
        raise CrisisError(text()("crisis.unknown_service", service=service, known=known))
    return desk
