"""From what somebody types to a switchboard and a plan."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from simulators.sip.address import sip_address
from simulators.sip.target import Target, lab_target
from simulators.site import PREFECTURE
from telemon.errors import TelemonError
from telemon.texts import text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from simulators.plan import Plan

_CONSOLE = "console"  # the lab's login that may pause members


def choose_target(
    to: str | None, *, phones: str | None, single: Sequence[str], no_phones: bool, own_pbx: bool
) -> Target:
    """Return the switchboard at ``to``, or the lab that is up.

    Args:
        to: a SIP URI, or None for the lab.
        phones: HOST:PORT of this machine that plays every phone but those named in ``single`` (NAME=HOST:PORT).
        single: phones at an address of their own.
        no_phones: the operators are real.
        own_pbx: whether calls may leave this machine.

    Raises:
        TelemonError: no lab is up, an address is wrong or not permitted, or it is not said who plays the phones.
    """
    if to is None:
        return _lab(phones, single, no_phones=no_phones)
    address = sip_address(to, own_pbx=own_pbx)
    played = {name: sip_address(where, own_pbx=own_pbx) for name, where in _pairs("--phone", single).items()}
    if unknown := played.keys() - set(PREFECTURE.phones):
        raise TelemonError(text()("sim_sip.no_phone", name=min(unknown), known=", ".join(PREFECTURE.phones)))
    if phones is not None:
        shared = sip_address(phones, own_pbx=own_pbx)
        played = dict.fromkeys(PREFECTURE.phones, shared) | played
    if bool(played) == no_phones:
        raise TelemonError(text()("sim_sip.who_answers"))
    return Target(address=address, site=PREFECTURE, phones=played)


def choose_plan(
    scenario: str, target: Target, *, seed: int, squeeze: float, calls: int | None, ddis: Sequence[str]
) -> Plan:
    """Draw a scenario's calls; with ``ddis`` (SERVICE=NUMBER) only those to these services, at these numbers.

    Raises:
        TelemonError: there is no such scenario or service, or no call is left.
    """
    from simulators.traffic import draw, load_scenario

    numbers = _pairs("--ddi", ddis)
    services = {line.service for line in target.site.lines}
    if unknown := numbers.keys() - services:
        raise TelemonError(text()("sim_sip.no_service", name=min(unknown), known=", ".join(sorted(services))))
    limit = None if numbers else calls
    plan = draw(load_scenario(scenario), seed=seed, site=target.site, squeeze=squeeze, limit=limit)
    return _dialling(plan, numbers, calls) if numbers else plan


def _dialling(plan: Plan, numbers: Mapping[str, str], calls: int | None) -> Plan:
    chosen = [replace(call, ddi=numbers[call.service]) for call in plan.calls if call.service in numbers]
    return replace(plan, calls=tuple(chosen[:calls]))


def _lab(phones: str | None, single: Sequence[str], *, no_phones: bool) -> Target:
    from simulators.lab.upkeep import read_lab

    if phones or single or no_phones:
        raise TelemonError(text()("sim_sip.lab_phones"))
    lab = read_lab()
    if lab is None:
        raise TelemonError(text()("sim_sip.no_lab"))
    return lab_target(lab, PREFECTURE, console=_CONSOLE)


def _pairs(option: str, values: Iterable[str]) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for value in values:
        name, sign, rest = value.partition("=")
        if not (name and sign and rest):
            raise TelemonError(text()("sim_sip.bad_pair", option=option, given=value))
        pairs[name] = rest
    return pairs
