"""One call as a state machine: what happened to a caller, from arrival to outcome.

The phases and the facts that move a call between them are the table ``TRANSITIONS``; a fact that is not in a phase's
row changes nothing, so the machine is total. Which events amount to which fact is ``telemon.tracker``'s business.
Rules: DESIGN chapter 2.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final

from telemon.attempts import Attempt, Handover
from telemon.outcomes import decide
from telemon.records import AttemptResult, CallRecord, EndedBy, Flag, Provenance, TransferKind, TransferResult

if TYPE_CHECKING:
    from telemon.instants import Duration, Instant
    from telemon.legs import Leg
    from telemon.services import Service


class Phase(StrEnum):
    """Where the caller is."""

    ARRIVED = "arrived"  # nobody has been rung yet: greeting, IVR
    ALERTING = "alerting"  # the switchboard rings for this caller
    WITH_MACHINE = "with_machine"  # a machine took the call after it had rung: voicemail, announcement
    ANSWERED = "answered"  # joined to an operator
    HANDED_ON = "handed_on"  # an operator passed the caller on, and nobody took over yet
    PARKED = "parked"  # waiting in a parking lot, after the answer
    OVER = "over"


class Fact(StrEnum):
    """What can happen to a call."""

    ALERTED = "alerted"
    MACHINE_TOOK = "machine_took"
    JOINED = "joined"
    HANDED_ON = "handed_on"
    PARKED = "parked"
    ENDED = "ended"


TRANSITIONS: Final[dict[Phase, dict[Fact, Phase]]] = {
    Phase.ARRIVED: {
        Fact.ALERTED: Phase.ALERTING,
        Fact.JOINED: Phase.ANSWERED,
        Fact.ENDED: Phase.OVER,
    },
    Phase.ALERTING: {
        Fact.MACHINE_TOOK: Phase.WITH_MACHINE,
        Fact.JOINED: Phase.ANSWERED,
        Fact.ENDED: Phase.OVER,
    },
    Phase.WITH_MACHINE: {
        Fact.ALERTED: Phase.ALERTING,  # an announcement between two queues: still the caller's one wait
        Fact.JOINED: Phase.ANSWERED,
        Fact.ENDED: Phase.OVER,
    },
    Phase.ANSWERED: {
        Fact.JOINED: Phase.ANSWERED,
        Fact.HANDED_ON: Phase.HANDED_ON,
        Fact.PARKED: Phase.PARKED,
        Fact.ENDED: Phase.OVER,
    },
    Phase.HANDED_ON: {
        Fact.JOINED: Phase.ANSWERED,
        Fact.HANDED_ON: Phase.HANDED_ON,
        Fact.PARKED: Phase.PARKED,
        Fact.ENDED: Phase.OVER,
    },
    Phase.PARKED: {
        Fact.JOINED: Phase.ANSWERED,
        Fact.HANDED_ON: Phase.HANDED_ON,
        Fact.ENDED: Phase.OVER,
    },
    Phase.OVER: {},
}

AFTER_ANSWER: Final = frozenset({Phase.ANSWERED, Phase.HANDED_ON, Phase.PARKED})


class Call:
    """One caller's call while it lasts; ``record()`` once it is over."""

    __slots__ = (
        "alerted_by_dial_only", "alerting_at", "answered_at", "answered_by", "answered_not_before",
        "arrived_at", "attempts", "bridged_at", "call_id", "caller", "caller_hung_up", "closed", "ddi",
        "diverted_at", "ended_at", "ender_unseen", "flags", "handovers", "hangup_cause", "hold_duration", "hold_since",
        "holder", "is_probe", "latest", "left_at", "leg", "machine_answered_at", "operator_ringing_at",
        "operator_up_at", "operators", "phase", "queue_status", "queued_at", "queues", "refused", "service", "site",
    )  # fmt: skip

    def __init__(self, *, site: str, leg: Leg, service: Service | None, ddi: str, caller: str, at: Instant) -> None:
        self.site = site
        self.call_id = f"{site}:{leg.uniqueid}"
        self.leg = leg
        self.service = service
        self.ddi = ddi
        self.caller = caller
        self.arrived_at = at
        self.latest = at  # the last instant that counted
        self.phase = Phase.ARRIVED
        self.alerting_at: Instant | None = None
        self.alerted_by_dial_only = True
        self.machine_answered_at: Instant | None = None
        self.diverted_at: Instant | None = None
        self.bridged_at: Instant | None = None  # first bridge with anything, a Local half included
        self.answered_at: Instant | None = None
        self.answered_not_before: Instant | None = None
        self.answered_by: str | None = None
        self.operator_ringing_at: Instant | None = None
        self.operator_up_at: Instant | None = None
        self.operators: frozenset[str] = frozenset()  # legs the caller talks, or last talked, to
        self.ended_at: Instant | None = None
        self.hangup_cause: int | None = None
        self.caller_hung_up = False
        self.ender_unseen = False  # the word of who ended it may have fallen into a gap
        self.left_at: Instant | None = None  # when the caller hung up; the channel may outlive it
        self.refused = False
        self.closed = False
        self.queue_status = ""
        self.queued_at: Instant | None = None
        self.queues: list[str] = []
        self.attempts: list[Attempt] = []
        self.handovers: list[Handover] = []
        self.hold_duration: Duration = 0
        self.hold_since: Instant | None = None
        self.holder = ""
        self.is_probe = False
        self.flags: set[Flag] = set()

    def _apply(self, fact: Fact) -> bool:
        after = TRANSITIONS[self.phase].get(fact)
        if after is None:
            return False
        self.phase = after
        return True

    def _clock(self, at: Instant) -> Instant:
        """Return the instant of a fact. A call's own time never runs back, though stamps and the order of events do."""
        self.latest = max(self.latest, at)
        return self.latest

    @property
    def waiting(self) -> bool:
        """Whether the switchboard rings for this caller now."""
        return self.phase is Phase.ALERTING

    @property
    def is_outside(self) -> bool:
        """Whether it is a call of a service, from outside: neither a phone's own nor one to nowhere."""
        return self.service is not None and Flag.INTERNAL not in self.flags

    @property
    def reached_nobody(self) -> bool:
        """Whether nobody was rung and no queue entered."""
        return self.alerting_at is None and not self.attempts and not self.queues

    # -- before the answer

    def alert(self, at: Instant, *, by_dial: bool = False) -> None:
        """The switchboard rings for this caller. The clock starts once and never restarts."""
        self._apply(Fact.ALERTED)
        if self.phase is not Phase.ALERTING:
            return
        self.diverted_at = None
        if self.alerting_at is None:
            self.alerting_at = self._clock(at)
        else:
            self.alerting_at = max(self.arrived_at, min(self.alerting_at, at))
        self.alerted_by_dial_only = self.alerted_by_dial_only and by_dial

    def rings(self, attempt: Attempt) -> None:
        """A phone is rung for this call."""
        self.attempts.append(attempt)
        handover = self._open_handover()
        if handover is not None and self.phase is Phase.HANDED_ON:
            handover.to = attempt.operator

    def machine_answers(self, at: Instant) -> None:
        """A machine answered the caller's line."""
        if self.machine_answered_at is None and self.phase not in AFTER_ANSWER:
            self.machine_answered_at = self._clock(at)

    def machine_takes(self, at: Instant) -> None:
        """A machine has the caller after it had rung: unless it comes back, the wait ended here."""
        if self._apply(Fact.MACHINE_TOOK):
            self.diverted_at = self._clock(at)

    # -- the answer and after

    def join(self, operators: list[Leg], at: Instant, *, not_before: Instant | None = None) -> None:
        """Hear an operator. ``not_before`` is set where the joining itself was not seen."""
        ids = frozenset(leg.uniqueid for leg in operators)
        if self.phase in AFTER_ANSWER:
            self._hear_another(operators, ids, at)
            return
        if not self._apply(Fact.JOINED):
            return
        leg = next((leg for leg in operators if leg.attempt in self.attempts), operators[0])
        self.answered_at = self._clock(at)
        self.answered_by = leg.interface
        self.diverted_at = None
        self.operators = ids
        self.operator_ringing_at = leg.ringing_at
        self.operator_up_at = leg.up_at
        if leg.attempt is not None:
            leg.attempt.answered = True
            leg.attempt.lost = not_before is not None
        if not_before is not None:
            self.flags.add(Flag.ANSWERED_IN_GAP)
            self.answered_not_before = min(not_before, self.answered_at)

    def _hear_another(self, operators: list[Leg], ids: frozenset[str], at: Instant) -> None:
        new = ids - self.operators
        if not new:
            return
        leg = next(leg for leg in operators if leg.uniqueid in new)
        if self.phase is Phase.ANSWERED and ids.isdisjoint(self.operators):
            # Nobody of before is there any more: somebody or something moved the caller, and need not have said so.
            self._moved_to(leg, at)
        handover = self._open_handover()
        if handover is not None:
            handover.result = TransferResult.ANSWERED
            handover.to = leg.interface
            if leg.attempt is not None:
                leg.attempt.answered = True
        self._apply(Fact.JOINED)
        self.operators = ids
        self.resume(at)

    def _moved_to(self, leg: Leg, at: Instant) -> None:
        if self._open_handover() is None:
            self.handovers.append(Handover(TransferKind.REDIRECT, leg.interface, at))

    def queue_held(self, held: Duration) -> None:
        """Where the answer fell into a gap, the queue's own hold time says when it was, to the second."""
        if self.answered_at is not None and self.queued_at is not None and self.answered_not_before is not None:
            earliest = max(self.answered_not_before, self.alerting_at or self.arrived_at)
            self.answered_at = min(max(self.queued_at + held, earliest), self.answered_at)

    def _open_handover(self) -> Handover | None:
        last = self.handovers[-1] if self.handovers else None
        return last if last is not None and last.result is None else None

    def hand_on(self, kind: TransferKind, to: str, at: Instant, *, taken_by: Leg | None = None) -> None:
        """An operator passes the caller on; ``taken_by`` where the next one already has the caller."""
        if self.phase not in AFTER_ANSWER:
            return
        if self._was_inferred(taken_by):
            self.handovers[-1].kind = kind  # the transfer's own event came after the move
            return
        pending = self._open_handover()
        if pending is not None and pending.kind is TransferKind.REDIRECT:
            pending.kind, pending.to = kind, to  # the transfer's own event came after what it caused
        elif pending is not None and kind is TransferKind.REDIRECT:
            return  # what was already under way goes on
        else:
            self._close_handover(TransferResult.NO_ANSWER)
            pending = Handover(kind, to, at)
            self.handovers.append(pending)
        if taken_by is None:
            self._apply(Fact.HANDED_ON)
        else:
            pending.result, pending.to = TransferResult.ANSWERED, taken_by.interface

    def _was_inferred(self, taken_by: Leg | None) -> bool:
        """Whether this handover was already concluded from the caller's hearing another operator."""
        if taken_by is None or not self.handovers:
            return False
        last = self.handovers[-1]
        inferred = last.kind is TransferKind.REDIRECT and last.result is TransferResult.ANSWERED
        return inferred and last.to == taken_by.interface

    def park(self, at: Instant) -> None:
        """The caller waits on a parking space."""
        if self._apply(Fact.PARKED):
            pending = self._open_handover()
            if pending is not None and self._leads_nowhere(pending):
                self.handovers.remove(pending)  # a transfer to the parking space itself
            self._close_handover(TransferResult.NO_ANSWER)
            self.handovers.append(Handover(TransferKind.PARK, "", at))
            self.hold("parking", at)

    def _leads_nowhere(self, handover: Handover) -> bool:
        """Whether nobody was rung for it so far."""
        rung = any(attempt.started_at >= handover.at for attempt in self.attempts)
        return handover.kind is not TransferKind.PARK and not rung

    def unpark(self, retriever: str, at: Instant) -> None:
        """Somebody fetched the caller from the parking space."""
        last = self.handovers[-1] if self.handovers else None
        if last is not None and last.kind is TransferKind.PARK:
            last.result, last.to = TransferResult.RETRIEVED, retriever
            self.resume(at)

    def park_timeout(self, at: Instant) -> None:
        """Nobody fetched the caller: the parking lot rings back."""
        if self.phase is Phase.PARKED:
            self._apply(Fact.HANDED_ON)
            self.resume(at)

    def _close_handover(self, result: TransferResult) -> None:
        pending = self._open_handover()
        if pending is not None:
            pending.result = result

    def hold(self, holder: str, at: Instant) -> None:
        """The caller hears music instead of the operator."""
        if self.phase in AFTER_ANSWER and self.hold_since is None:
            self.hold_since, self.holder = self._clock(at), holder

    def resume(self, at: Instant, holder: str | None = None) -> None:
        """The hold is over; with ``holder``, only if it was that one's."""
        if self.hold_since is None or (holder is not None and holder != self.holder):
            return
        self.hold_duration += self._clock(at) - self.hold_since
        self.hold_since = None

    # -- the end

    def leave(self, at: Instant) -> None:
        """The caller hung up; an announcement to an operator, or the dialplan's ``h``, may hold the channel longer."""
        self.caller_hung_up = True
        if self.left_at is None:
            self.left_at = at

    def end(self, at: Instant, cause: int) -> None:
        """The caller's own channel is gone."""
        if self.left_at is not None and Flag.NO_TIMESTAMPS not in self.flags:
            at = min(at, self.left_at)
        self.resume(at)
        self.ended_at = self._clock(at)
        self.hangup_cause = cause
        self._close_handover(TransferResult.ABANDONED if self.caller_hung_up else TransferResult.NO_ANSWER)
        self._apply(Fact.ENDED)

    def lose_sight(self) -> None:
        """The call ended while nobody was watching."""
        self.hold_since = None
        self._close_handover(TransferResult.UNKNOWN)
        self.flags.add(Flag.ENDED_IN_GAP)
        self._apply(Fact.ENDED)

    def record(self, short_abandon: Duration, provenance: Provenance) -> CallRecord:
        """Return the finished call; ``short_abandon`` below which an abandoned call is a short one."""
        if self.service is None:
            raise ValueError(f"call {self.call_id} belongs to no service")
        self._settle()
        outcome = decide(self, short_abandon)
        ender_seen = self.ended_at is not None and (self.caller_hung_up or not self.ender_unseen)
        if not ender_seen:
            self.flags.add(Flag.ENDED_IN_GAP)
        return CallRecord(
            call_id=self.call_id,
            site=self.site,
            service=self.service.name,
            service_kind=self.service.kind,
            ddi=self.ddi,
            caller=self.caller,
            linkedid=self.leg.linkedid,
            arrived_at=self.arrived_at,
            alerting_at=self.alerting_at,
            operator_ringing_at=self.operator_ringing_at,
            operator_up_at=self.operator_up_at,
            answered_at=self.answered_at,
            answered_not_before=self.answered_not_before,
            machine_answered_at=self.machine_answered_at,
            diverted_at=self.diverted_at,
            ended_at=self.ended_at,
            outcome=outcome,
            ended_by=None if not ender_seen else EndedBy.CALLER if self.caller_hung_up else EndedBy.SWITCHBOARD,
            answered_by=self.answered_by,
            queues=tuple(self.queues),
            attempts=tuple(attempt.record() for attempt in self.attempts),
            transfers=tuple(handover.record() for handover in self.handovers),
            hold_duration=self.hold_duration,
            hangup_cause=self.hangup_cause,
            is_probe=self.is_probe,
            flags=tuple(sorted(self.flags)),
            provenance=provenance,
        )

    def _settle(self) -> None:
        """Draw the conclusions that only the whole call allows."""
        for attempt in self.attempts:
            if attempt.ended_at is None and self.ended_at is not None and not attempt.lost:
                attempt.ended_at = max(attempt.started_at, self.ended_at)
        self._settle_unaccepted()
        if self.answered_at is not None or self.ended_at is None:
            return
        nobody_answered = all(attempt.status != "ANSWER" for attempt in self.attempts)
        if self.bridged_at is not None and self.diverted_at is None and nobody_answered:
            # In a bridge, but never with anybody: behind the Local channel was a machine.
            self.machine_answers_unseen(self.bridged_at)
        if not self.caller_hung_up and self._nobody_rang():
            self.alerting_at = None

    def _settle_unaccepted(self) -> None:
        """A mobile that picked up and was not accepted was a machine, though the caller went on hearing rings."""
        unaccepted = [a.up_at for a in self.attempts if a.result is AttemptResult.NOT_ACCEPTED and a.up_at is not None]
        if unaccepted and self.machine_answered_at is None:
            self.machine_answered_at = min(unaccepted)
            self.flags.add(Flag.MACHINE_UNHEARD)

    def machine_answers_unseen(self, at: Instant) -> None:
        """Take it that a machine had the caller from this instant on."""
        if self.machine_answered_at is None:
            self.machine_answered_at = at
        if self.alerting_at is not None:
            self.diverted_at = max(at, self.alerting_at)

    def _nobody_rang(self) -> bool:
        """Whether a dial was begun, but every phone refused it before it could ring: the caller heard nothing."""
        return (
            self.alerted_by_dial_only
            and self.diverted_at is None
            and bool(self.attempts)
            and all(attempt.refused_at_once for attempt in self.attempts)
        )
