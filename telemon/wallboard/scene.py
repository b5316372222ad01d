"""What the wallboard is told, before anybody is shown anything: plain values of one instant, of all sites.

Instants are microseconds of this machine's clock, whatever a PBX's own clock says.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from telemon.duty_records import Coverage, UncoveredCause
    from telemon.instants import Instant
    from telemon.observation import GapCause
    from telemon.operators import Presence
    from telemon.records import Outcome, ServiceKind

ALL: Final = ("", "")
"""The key under which the figures of all services together stand."""
Share = tuple[float | None, float, float]
"""A share from 0 to 1, measured (None where only uncertain calls exist), with its lower and upper bound."""


class CallState(StrEnum):
    """Where a caller is."""

    WAITING = "waiting"  # the switchboard rings, or is about to
    TALKING = "talking"
    MACHINE = "machine"  # a greeting, a menu, voicemail


class CallNow(NamedTuple):
    """One call under way; ``call`` is any name that tells it from the others and says nothing of the caller."""

    call: str
    site: str
    service: str
    arrived_at: Instant
    alerting_at: Instant | None
    state: CallState
    caller: str
    operator: str | None


class ServiceNow(NamedTuple):
    """One service of one site; what is not seen now is None."""

    site: str
    service: str
    kind: ServiceKind
    waiting: int | None
    talking: int | None
    longest_since: Instant | None
    operators: Mapping[Presence, int] | None


class DayFigures(NamedTuple):
    """A service's calls of today so far; ``keeps`` whether the promise is kept, None where that is not decided."""

    answered: int
    lost: int
    within: int
    lost_rate: Share | None
    within_rate: Share | None
    keeps: bool | None


class Blind(NamedTuple):
    """A PBX that is not being watched."""

    pbx: str
    site: str
    since: Instant | None
    cause: GapCause | None


class Loss(NamedTuple):
    """A call that is over and lost; ``caller`` is empty where only the pseudonym is known any more."""

    at: Instant
    site: str
    service: str
    rings: int | None
    outcome: Outcome
    caller: str


class Callback(NamedTuple):
    """A lost caller to be called back; ``id`` says nothing of him."""

    id: str
    site: str
    service: str
    number: str
    times: int
    first: Instant
    last: Instant


class Cover(NamedTuple):
    """Whether a permanence can be reached, and who is on duty; None where nobody keeps that."""

    service: str
    state: Coverage
    cause: UncoveredCause | None
    on_duty: tuple[str, ...] | None


class CrisisNow(NamedTuple):
    """An open crisis cell; ``stages`` by name, None for those not reached."""

    service: str
    exercise: bool
    deadline: Instant
    stages: Mapping[str, Instant | None]
    people: int
    plan: int
    title: str


class Trouble(NamedTuple):
    """Something that is wrong now."""

    kind: str
    service: str
    since: Instant
    text: str


class PbxHealth(NamedTuple):
    """Whether telemon's link to a PBX stands."""

    pbx: str
    site: str
    connected: bool


class Scene(NamedTuple):
    """Everything, at one instant. ``pending`` are records that the ledger lacks, None where there is no ledger."""

    now: Instant
    services: tuple[ServiceNow, ...] = ()
    days: Mapping[tuple[str, str], DayFigures] = {}
    calls: tuple[CallNow, ...] = ()
    blind: tuple[Blind, ...] = ()
    losses: tuple[Loss, ...] = ()
    callbacks: tuple[Callback, ...] = ()
    permanence: tuple[Cover, ...] = ()
    crisis: tuple[CrisisNow, ...] = ()
    conditions: tuple[Trouble, ...] = ()
    pbx: tuple[PbxHealth, ...] = ()
    ledger: tuple[bool, int] | None = None
