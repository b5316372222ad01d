"""What a call, once it is over, was: the record that ledger, metrics, measures and replay all read.

Instants are microseconds since the epoch and durations microseconds (see ``telemon.instants``).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from telemon.instants import Duration, Instant


class ServiceKind(StrEnum):
    """What a service promises."""

    SWITCHBOARD = "switchboard"
    PERMANENCE = "permanence"
    CRISIS = "crisis"


class Outcome(StrEnum):
    """How a call ended for the caller; exactly one of these."""

    ANSWERED = "answered"
    ABANDONED = "abandoned"
    SHORT_ABANDONED = "short_abandoned"
    UNANSWERED = "unanswered"
    BUSY = "busy"
    DIVERTED = "diverted"
    FAILED = "failed"
    CLOSED = "closed"
    IVR_ONLY = "ivr_only"
    UNKNOWN = "unknown"


class EndedBy(StrEnum):
    """Which side ended the call."""

    CALLER = "caller"
    SWITCHBOARD = "switchboard"


class AttemptResult(StrEnum):
    """What became of one ring attempt."""

    ANSWERED = "answered"
    NO_ANSWER = "no_answer"  # it rang until the switchboard gave up
    CANCELLED = "cancelled"  # another operator answered, or the caller left
    BUSY = "busy"
    UNREACHABLE = "unreachable"  # refused without ringing: not registered, no route, rejected
    FORWARDED = "forwarded"  # the phone sent the call elsewhere (302)
    PICKED_UP = "picked_up"  # another phone took the call from this one
    NOT_ACCEPTED = "not_accepted"  # "press 1 to accept", and nobody did
    UNKNOWN = "unknown"  # its end fell into a gap


class TransferKind(StrEnum):
    """How a call left the operator who had answered it."""

    BLIND = "blind"
    ATTENDED = "attended"
    SEMI_ATTENDED = "semi_attended"
    REDIRECT = "redirect"  # moved by the manager or the dialplan, without a transfer event
    PARK = "park"


class TransferResult(StrEnum):
    """What became of a transfer."""

    ANSWERED = "answered"
    RETRIEVED = "retrieved"  # a parked caller taken back by hand
    NO_ANSWER = "no_answer"
    ABANDONED = "abandoned"  # the caller hung up before anybody answered
    UNKNOWN = "unknown"


class Flag(StrEnum):
    """What a reader of the record must know before trusting its times."""

    ALERTED_IN_GAP = "alerted_in_gap"  # it began to ring unseen, at some time before ``alerting_at``
    ANSWERED_IN_GAP = "answered_in_gap"
    ARRIVED_IN_GAP = "arrived_in_gap"
    CLOCK_STEPPED = "clock_stepped"  # the PBX's clock was set while the call lasted
    ENDED_IN_GAP = "ended_in_gap"
    SEEN_THROUGH_GAP = "seen_through_gap"
    INTERNAL = "internal"
    MACHINE_UNHEARD = "machine_unheard"  # a mobile's voicemail took an operator's leg; the caller went on hearing rings
    NO_TIMESTAMPS = "no_timestamps"
    WHOLE_SECONDS = "whole_seconds"  # from a record of Asterisk's own that knows no fractions


class Provenance(StrEnum):
    """Where the record comes from."""

    LIVE = "live"
    REPLAYED = "replayed"
    REPAIRED = "repaired"
    IMPORTED = "imported"


@dataclass(frozen=True, slots=True, kw_only=True)
class RingAttempt:
    """One operator's leg, alerted for one call."""

    operator: str
    started_at: Instant
    ringing_at: Instant | None
    ended_at: Instant | None
    result: AttemptResult

    @property
    def ring_duration(self) -> Duration | None:
        """How long the attempt lasted, None if its end was not seen."""
        return None if self.ended_at is None else max(0, self.ended_at - self.started_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """One time the caller was handed on after the answer; ``to`` is an interface, or the extension if nobody rang."""

    kind: TransferKind
    to: str
    at: Instant
    result: TransferResult


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRecord:
    """One call, from the first channel of the caller to the last hang-up."""

    call_id: str
    site: str
    service: str
    service_kind: ServiceKind
    ddi: str
    caller: str
    linkedid: str
    arrived_at: Instant
    alerting_at: Instant | None
    operator_ringing_at: Instant | None
    operator_up_at: Instant | None
    answered_at: Instant | None
    answered_not_before: Instant | None
    machine_answered_at: Instant | None
    diverted_at: Instant | None
    ended_at: Instant | None
    outcome: Outcome
    ended_by: EndedBy | None
    answered_by: str | None
    queues: tuple[str, ...]
    attempts: tuple[RingAttempt, ...]
    transfers: tuple[Transfer, ...]
    hold_duration: Duration
    hangup_cause: int | None
    is_probe: bool
    flags: tuple[Flag, ...]
    provenance: Provenance

    @property
    def wait_ended_at(self) -> Instant | None:
        """When the caller's wait was over: the answer, else the machine that took the call, else the end."""
        if self.answered_at is not None:
            return self.answered_at
        return self.diverted_at if self.diverted_at is not None else self.ended_at

    @property
    def wait_duration(self) -> Duration | None:
        """From the caller's first channel to the end of the wait."""
        return _between(self.arrived_at, self.wait_ended_at)

    @property
    def ring_duration(self) -> Duration | None:
        """From the first ring for this caller to the end of the wait."""
        return _between(self.alerting_at, self.wait_ended_at)

    @property
    def operator_ring_duration(self) -> Duration | None:
        """How long the answering operator's own phone rang: Ringing to Up."""
        return _between(self.operator_ringing_at, self.operator_up_at)

    @property
    def talk_duration(self) -> Duration | None:
        """From the answer to the end, holds and transfers included."""
        return _between(self.answered_at, self.ended_at)


def _between(start: Instant | None, end: Instant | None) -> Duration | None:
    return None if start is None or end is None else max(0, end - start)
