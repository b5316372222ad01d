"""What shall become of a call: the plan that the traffic model draws, and that SIPp or the AMI simulator carries out.

All durations are seconds.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from telemon.records import AttemptResult, EndedBy, Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class RingsOn:
    """The phone rings until the switchboard cancels the call: an operator who is away."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejects:
    """The phone rings for ``after`` seconds, then refuses: 486 Busy Here; with 0 it refuses without ringing."""

    after: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Forwards:
    """The phone sends the call to another extension at once: 302 Moved Temporarily."""

    to: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """The phone rings for ``after`` seconds, then answers.

    With ``accepts`` the one who answers must press 1 to take the call, and does so (or never does).
    """

    after: float
    accepts: bool | None = None


Behaviour = RingsOn | Rejects | Forwards | Answers


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """The operator talks for ``after`` seconds, then hands the caller on to ``to`` by a blind REFER (RFC 5589, 6)."""

    to: str
    after: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """The operator talks for ``after`` seconds, holds the caller for ``lasts``, then talks on."""

    after: float
    lasts: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedAttempt:
    """One phone that is to ring: ``begins`` counts from the caller's arrival; ``queue`` is empty for a bare Dial."""

    phone: str
    queue: str
    begins: float
    lasts: float
    result: AttemptResult


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What the plan comes to, if nothing else happens: the truth, known beforehand.

    ``alerted_after``, ``answered_after``, ``machine_after`` and ``ended_after`` count from the caller's arrival;
    ``answered_by`` is a phone's name; ``queues`` are those that the caller entered, in order.
    """

    outcome: Outcome
    ended_after: float
    ended_by: EndedBy
    alerted_after: float | None = None
    answered_after: float | None = None
    answered_by: str | None = None
    machine_after: float | None = None
    transferred_to: str | None = None
    queues: tuple[str, ...] = ()
    attempts: tuple[PlannedAttempt, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedCall:
    """One call, entirely decided by those who take part in it.

    ``name`` is unique in a plan: the caller shows it as display name, so that phones and truth know which call it is
    (a caller who was lost may call again with the same number). ``arrives_at`` counts from the plan's beginning. The
    caller hangs up ``patience`` seconds after dialling if no operator has answered, else ``talk`` seconds after the
    last answer (the operator does if ``ended_by`` says so). ``phones`` says what each phone would do if it were
    called for this caller; one that is not named rings on. ``afterwards`` is what the operator who answers does then.
    """

    name: str
    caller: str
    ddi: str
    service: str
    arrives_at: float = 0.0
    patience: float = 60.0
    talk: float = 3.0
    ended_by: EndedBy = EndedBy.CALLER
    phones: Mapping[str, Behaviour] = field(default_factory=dict)
    afterwards: Transfer | Hold | None = None
    expected: Expected | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedPause:
    """An operator who takes no calls for a while; seconds since the plan's beginning."""

    phone: str
    begins: float
    ends: float
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Everything that shall happen from ``starts_at`` (Unix seconds) on; ``calls`` in order of arrival."""

    scenario: str
    seed: int
    starts_at: float
    calls: tuple[PlannedCall, ...]
    pauses: tuple[PlannedPause, ...] = ()
