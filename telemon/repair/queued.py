"""One call while its queue_log is read: what its lines say so far, and the record they make."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from telemon.instants import SECOND
from telemon.records import (
    AttemptResult,
    CallRecord,
    EndedBy,
    Flag,
    Outcome,
    Provenance,
    RingAttempt,
    ServiceKind,
    Transfer,
    TransferKind,
    TransferResult,
)

if TYPE_CHECKING:
    from telemon.instants import Duration, Instant
    from telemon.services import Service

NOBODYS: Final = ""  # the service of a call that no configured service claims


@dataclass(slots=True, kw_only=True)
class QueuedCall:
    """What is known of one ``callid``; instants are whole seconds where the log has no fractions."""

    uniqueid: str
    created_at: Instant
    first_at: Instant
    caller: str = ""
    ddi: str = ""
    service: Service | None = None
    queues: list[str] = field(default_factory=list)
    entered_at: Instant | None = None
    alerting_at: Instant | None = None
    connected_at: Instant | None = None
    rung_for: Duration | None = None
    answered_by: str = ""
    machine_at: Instant | None = None
    attempts: list[RingAttempt] = field(default_factory=list)
    transfers: list[Transfer] = field(default_factory=list)
    ended_at: Instant | None = None
    ended_by: EndedBy | None = None

    @property
    def is_over(self) -> bool:
        """Whether its end was logged; a later line may still say that it went on."""
        return self.ended_at is not None

    @property
    def entered_any(self) -> bool:
        """Whether it was in a queue at all; a number dialled alone makes no call of a queue."""
        return bool(self.queues)

    # -- what the lines say

    def enter(self, queue: str, at: Instant, *, rings: bool) -> None:
        """The caller joins a queue, for the first time or again; ``rings`` where that is the switchboard ringing."""
        self._go_on()
        if self.connected_at is not None and self._pending() is None:
            self.transfers.append(Transfer(kind=TransferKind.REDIRECT, to=queue, at=at, result=TransferResult.UNKNOWN))
        self.queues.append(queue)
        self.entered_at = at
        if rings and self.alerting_at is None:
            self.alerting_at = at

    def rang(self, operator: str, at: Instant, duration: Duration, result: AttemptResult) -> None:
        """One member's phone was rung in vain."""
        self.attempts.append(
            RingAttempt(operator=operator, started_at=at - duration, ringing_at=None, ended_at=at, result=result)
        )

    def connect(self, operator: str, at: Instant, ring_seconds: int | None) -> None:
        """A member has the caller; the first one is the answer."""
        self._go_on()
        ringing_at = None if ring_seconds is None else at - ring_seconds * SECOND
        self.attempts.append(
            RingAttempt(
                operator=operator,
                started_at=at if ringing_at is None else ringing_at,
                ringing_at=ringing_at,
                ended_at=at,
                result=AttemptResult.ANSWERED,
            )
        )
        if self.connected_at is None:
            self.connected_at, self.answered_by = at, operator
            self.rung_for = None if ring_seconds is None else ring_seconds * SECOND
        self._settle(TransferResult.ANSWERED, operator)

    def meet_machine(self, at: Instant) -> None:
        """The member that took the call is a machine."""
        self._go_on()
        if self.machine_at is None:
            self.machine_at = at

    def hand_on(self, kind: TransferKind, to: str, at: Instant) -> None:
        """A member passes the caller on; what becomes of the call is no longer the queue's business."""
        self._go_on()
        self.transfers.append(Transfer(kind=kind, to=to, at=at, result=TransferResult.UNKNOWN))

    def leave(self) -> None:
        """The queue lets the caller go, and does not say where to."""
        self._go_on()
        if self.connected_at is not None:
            self._settle(TransferResult.NO_ANSWER)

    def end(self, at: Instant, by: EndedBy) -> None:
        """The call ends, as far as the queue can see."""
        self.ended_at, self.ended_by = at, by
        self._settle(TransferResult.ABANDONED if by is EndedBy.CALLER else TransferResult.NO_ANSWER)

    def _go_on(self) -> None:
        self.ended_at = self.ended_by = None

    def _pending(self) -> Transfer | None:
        last = self.transfers[-1] if self.transfers else None
        return last if last is not None and last.result is TransferResult.UNKNOWN else None

    def _settle(self, result: TransferResult, to: str = "") -> None:
        pending = self._pending()
        if pending is not None:
            self.transfers[-1] = Transfer(kind=pending.kind, to=to or pending.to, at=pending.at, result=result)

    # -- what they come to

    def record(self, site: str, short_abandon: Duration, *, is_probe: bool, is_internal: bool) -> CallRecord:
        """Return what the log knows of the call."""
        alerting_at = self.entered_at if self.alerting_at is None else self.alerting_at
        assert alerting_at is not None
        arrived_at = min(self.created_at, self.first_at, alerting_at)
        flags = {Flag.WHOLE_SECONDS}  # the arrival is the uniqueid's second even where the lines have fractions
        if self.ended_at is None:
            flags.add(Flag.ENDED_IN_GAP)
        if is_internal:
            flags.add(Flag.INTERNAL)
        answered = self.connected_at is not None
        outcome = self._outcome(alerting_at, short_abandon)
        ringing_at = None
        if self.connected_at is not None and self.rung_for is not None:
            ringing_at = max(arrived_at, self.connected_at - self.rung_for)
        return CallRecord(
            call_id=f"{site}:{self.uniqueid}",
            site=site,
            service=NOBODYS if self.service is None else self.service.name,
            service_kind=ServiceKind.SWITCHBOARD if self.service is None else self.service.kind,
            ddi=self.ddi,
            caller=self.caller,
            linkedid=self.uniqueid,
            arrived_at=arrived_at,
            alerting_at=alerting_at,
            operator_ringing_at=ringing_at,
            operator_up_at=self.connected_at if ringing_at is not None else None,
            answered_at=self.connected_at,
            answered_not_before=None,
            machine_answered_at=self.machine_at,
            diverted_at=self.machine_at if outcome is Outcome.DIVERTED else None,
            ended_at=self.ended_at,
            outcome=outcome,
            ended_by=self.ended_by,
            answered_by=self.answered_by if answered else None,
            queues=tuple(self.queues),
            attempts=tuple(self.attempts),
            transfers=tuple(self.transfers),
            hold_duration=0,
            hangup_cause=None,
            is_probe=is_probe,
            flags=tuple(sorted(flags)),
            provenance=Provenance.IMPORTED,
        )

    def _outcome(self, alerting_at: Instant, short_abandon: Duration) -> Outcome:
        if self.connected_at is not None:
            return Outcome.ANSWERED
        if self.ended_at is None:
            return Outcome.UNKNOWN
        if self.machine_at is not None:
            return Outcome.DIVERTED
        if self.ended_by is EndedBy.SWITCHBOARD:
            return Outcome.UNANSWERED
        return Outcome.SHORT_ABANDONED if self.ended_at - alerting_at < short_abandon else Outcome.ABANDONED
