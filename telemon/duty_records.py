"""What is kept of the permanence and of crises: cover, probes, who signed in, and each crisis with its people.

As in ``telemon.records``, instants are microseconds since the epoch in UTC.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from telemon.instants import Duration, Instant


class Coverage(StrEnum):
    """Whether somebody could be reached by telephone."""

    COVERED = "covered"
    UNCOVERED = "uncovered"
    UNKNOWN = "unknown"  # nobody was watching


class UncoveredCause(StrEnum):
    """Why nobody could be reached; where several hold, the first of these."""

    TRUNK_DOWN = "trunk_down"
    ROSTER_HOLE = "roster_hole"
    NOBODY_REGISTERED = "nobody_registered"
    ALL_PAUSED = "all_paused"
    ALL_IN_CALL = "all_in_call"
    RANG_OUT = "rang_out"


@dataclass(frozen=True, slots=True, kw_only=True)
class CoverInterval:
    """One stretch of one permanence in one state; ``ended_at`` is None while it lasts."""

    site: str
    service: str
    observer: str
    started_at: Instant
    ended_at: Instant | None
    state: Coverage
    cause: UncoveredCause | None = None


class ProbeResult(StrEnum):
    """What became of a test call."""

    CONFIRMED = "confirmed"  # the officer answered and pressed the key
    ANSWERED = "answered"  # an operator answered
    MACHINE = "machine"  # only a machine did
    UNANSWERED = "unanswered"
    FAILED = "failed"  # it could not be placed
    UNKNOWN = "unknown"  # a gap hid what became of it


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """One test call to a permanence; ``result`` is None while it rings, ``reason`` says why it failed.

    ``answered_by`` is an interface; ``ordered_by`` is ``schedule`` or ``command``.
    """

    probe_id: str
    site: str
    service: str
    pbx: str
    number: str
    ordered_by: str
    ordered_at: Instant
    result: ProbeResult | None = None
    call_id: str | None = None
    alerting_at: Instant | None = None
    answered_at: Instant | None = None
    confirmed_at: Instant | None = None
    ended_at: Instant | None = None
    answered_by: str | None = None
    reason: str = ""

    @property
    def delay(self) -> Duration | None:
        """From the order to the operator's answer, in microseconds."""
        return None if self.answered_at is None else self.answered_at - self.ordered_at


class PresenceAction(StrEnum):
    """What an officer told telemon."""

    SIGNED_IN = "signed_in"
    SIGNED_OUT = "signed_out"


@dataclass(frozen=True, slots=True, kw_only=True)
class PresenceChange:
    """An officer signed in or out; ``through`` is ``phone``, ``command`` or ``api``, ``extension`` the phone used."""

    site: str
    officer: str
    at: Instant
    action: PresenceAction
    through: str
    extension: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Officer:
    """Somebody who may be on duty. ``number`` is what he types on a phone, ``pin`` the hash of his secret.

    ``phones`` are interfaces of his own, ``mobile`` a number reached through the mobile trunk.
    """

    id: str
    name: str
    number: str = ""
    phones: tuple[str, ...] = ()
    mobile: str = ""
    pin: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Crisis:
    """One crisis cell, or an exercise of one, with the instant of each stage that it reached.

    ``plan`` is how many people the cell needs, ``deadline`` how long it may take until it is operational.
    """

    crisis_id: str
    site: str
    service: str
    title: str
    is_exercise: bool
    plan: int
    deadline: Duration
    ordered_at: Instant
    ordered_by: str
    staffed_at: Instant | None = None
    line_opened_at: Instant | None = None
    operational_at: Instant | None = None
    closed_at: Instant | None = None
    closed_by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CrisisMember:
    """Somebody's stay in a crisis cell; ``left_at`` is None while it lasts."""

    crisis_id: str
    person: str
    joined_at: Instant
    left_at: Instant | None = None
    through: str = "command"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attendance:
    """How many operators of a service could answer in one hour (``hour`` is its start), as one observer saw it.

    ``seen`` is how much of the hour was watched, ``present`` the sum of the time of all operators who could answer or
    were in a call, ``talking`` that of those in a call: ``present / seen`` is how many there were on average.
    """

    site: str
    service: str
    observer: str
    hour: Instant
    seen: Duration
    present: Duration
    talking: Duration
