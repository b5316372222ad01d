"""The parts of a permanence that a configuration calls for: what makes it reachable, when somebody must be on duty."""

from __future__ import annotations

from typing import TYPE_CHECKING

from telemon.duty.watch import CRISIS_LINE, DutyWatch
from telemon.instants import from_seconds
from telemon.night_switch import NightSwitch
from telemon.permanence.cover import Permanence
from telemon.permanence.reachability import PermanenceRules
from telemon.probes.pursuit import KEY_DEVICE
from telemon.records import ServiceKind
from telemon.roster.required import Charge, InCharge

if TYPE_CHECKING:
    from telemon.config import Config
    from telemon.config_pbx import PbxConfig
    from telemon.operators import Board
    from telemon.services import Service


def required_of(config: Config) -> InCharge | None:
    """Return when somebody must be on duty; None where there is no permanence: always."""
    services = config.numbering(config.pbx[0]).services
    charges = tuple(
        Charge(service.hours, tuple(day.hours for day in _by_day(service, services)))
        for service in services
        if service.kind is ServiceKind.PERMANENCE
    )
    return InCharge(charges) if charges else None


def rules_of(config: Config, pbx: PbxConfig) -> list[PermanenceRules]:
    """Return what makes each permanence of a PBX reachable."""
    services, own = config.numbering(pbx).services, config.permanence
    return [
        PermanenceRules(
            service=service,
            day_services=_by_day(service, services),
            officers=tuple(officer.officer for officer in config.officer),
            in_call_limit=from_seconds(own.in_call_minutes * 60),
            rang_out_limit=from_seconds(own.rang_out_minutes * 60),
            mobile_trunk=own.mobile_trunk,
            mobile_proof=from_seconds(own.mobile_proof_hours * 3600),
        )
        for service in services
        if service.kind is ServiceKind.PERMANENCE
    ]


def _by_day(permanence: Service, services: tuple[Service, ...]) -> tuple[Service, ...]:
    """Return those that answer for a permanence while they are open."""
    return tuple(service for service in services if service.outside_hours == permanence.name)


def devices_of(config: Config, pbx: PbxConfig) -> tuple[str, ...]:
    """Return the patterns of all devices of a PBX whose states tell anything."""
    services = config.numbering(pbx).services
    patterns = [pattern for service in services for pattern in service.operators]
    patterns += [pattern for rules in rules_of(config, pbx) for pattern in rules.devices]
    patterns += [switch.device_name for switch in _switches(services).values() if switch.device_name]
    if any(service.kind is ServiceKind.CRISIS for service in services):
        patterns.append(CRISIS_LINE)
    if any(service.kind is ServiceKind.PERMANENCE for service in services):
        patterns.append(KEY_DEVICE)
    return tuple(dict.fromkeys(patterns))


def duty_watch(config: Config, pbx: PbxConfig, board: Board) -> DutyWatch:
    """Return what listens to a PBX for its permanences, night switches, crisis lines and test calls."""
    services = config.numbering(pbx).services
    site = config.call_site(pbx)
    permanences = {
        rules.service.name: Permanence(site, config.observer, rules, board) for rules in rules_of(config, pbx)
    }
    return DutyWatch(permanences, _switches(services), services)


def _switches(services: tuple[Service, ...]) -> dict[str, NightSwitch]:
    """Return the night switch of each service that closes, whether anything tells of it but its calls or not."""
    return {service.name: NightSwitch(service) for service in services if service.hours and service.outside_hours}
