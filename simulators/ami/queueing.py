"""One run of ``Queue()``: rounds of ringing until somebody answers, the caller gives up, or time is over.

Order and wording of the events follow Asterisk's apps/app_queue.c (``wait_for_answer``, ``rna``, ``ring_one``) as
recorded from 22.10.1: losers get two ``DialEnd``, and a timeout counts as ``QueueCallerAbandon`` too.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import TYPE_CHECKING

from simulators.ami.legs import RINGING, UP, Leg
from simulators.ami.plan import Strategy

if TYPE_CHECKING:
    from simulators.ami.event import Headers
    from simulators.ami.plan import Phone, QueueVisit
    from simulators.ami.teller import Teller

# How often app_queue looks again whether a member has become free (RECHECK).
_RECHECK_SECONDS = 1.0
# No operator lifts the receiver faster.
_REACTION_SECONDS = 0.3


class QueueEnd(StrEnum):
    """How the run ended; the values are app_queue's where it has one."""

    ANSWERED = "CONTINUE"
    ABANDONED = "ABANDON"
    TIMED_OUT = "TIMEOUT"


class _Happening(IntEnum):
    """What comes next in a round; the earlier one wins where two fall on the same instant."""

    ANSWERS = 0
    CALLER_LEAVES = 1
    REJECTS = 2
    TIME_IS_UP = 3


@dataclass(slots=True, eq=False)
class _Ringing:
    phone: Phone
    leg: Leg
    since: float

    def headers(self, queue: str) -> Headers:
        return (
            ("Queue", queue),
            ("Interface", self.phone.interface),
            ("MemberName", self.phone.member_name),
        )


class QueueRun:
    """Tells one run of ``Queue()`` for the teller's caller."""

    def __init__(self, teller: Teller, visit: QueueVisit) -> None:
        self._teller = teller
        self._visit = visit
        self._caller = teller.caller
        self._patience = math.inf if teller.plan.patience is None else teller.plan.patience
        self._joined = teller.epoch
        self._deadline = teller.now + visit.timeout_seconds
        self._round = teller.now
        self._round_epoch = teller.epoch
        self._turn = 0
        self._ringing: list[_Ringing] = []
        self._winner: _Ringing | None = None
        self._connected = 0

    @property
    def winner(self) -> Leg:
        """The channel of the operator who answered.

        Raises:
            LookupError: nobody has.
        """
        if self._winner is None:
            raise LookupError(f"nobody answered in queue {self._visit.queue}")
        return self._winner.leg

    def tell(self) -> QueueEnd:
        """Tell everything from the entry into the queue to the answer or the exit."""
        self._teller.say("QueueCallerJoin", self._caller.headers(), self._place(("Count", "1")))
        end = None
        while end is None:
            end = self._tell_round()
        return end

    def tell_completion(self, reason: str) -> None:
        """Tell ``AgentComplete``: the answered call is over for the queue (reason ``caller``, ``transfer``)."""
        if self._winner is None:
            return
        times: Headers = (
            ("HoldTime", str(self._connected - self._joined)),
            ("TalkTime", str(self._teller.epoch - self._connected)),
            ("Reason", reason),
        )
        about = self._teller.about(self._winner.leg)
        self._teller.say("AgentComplete", about, self._winner.headers(self._visit.queue), times)

    def _place(self, *more: tuple[str, str]) -> Headers:
        return (("Queue", self._visit.queue), ("Position", "1"), *more)

    def _tell_round(self) -> QueueEnd | None:
        self._round, self._round_epoch = self._teller.now, self._teller.epoch
        free = self._next_phones()
        if not free:
            return self._pause(_RECHECK_SECONDS)
        self._ring(free)
        while self._ringing:
            moment, happening, ringing = self._next_happening()
            self._teller.wait_until(moment)
            if happening is _Happening.ANSWERS:
                return self._answered(ringing)
            if happening is _Happening.CALLER_LEAVES:
                return self._abandoned()
            if happening is _Happening.REJECTS:
                self._rejected(ringing)
            else:
                self._nobody_answered()
        return self._timed_out() if self._teller.now >= self._deadline else self._pause(self._visit.retry_seconds)

    def _next_phones(self) -> list[Phone]:
        free = [phone for phone in self._visit.phones if phone.free_at <= self._teller.now]
        if self._visit.strategy is Strategy.RINGALL or not free:
            return free
        phone = free[self._turn % len(free)]
        self._turn += 1
        return [phone]

    def _pause(self, seconds: float) -> QueueEnd | None:
        """Wait with no phone ringing."""
        end = min(self._teller.now + seconds, self._deadline)
        self._teller.wait_until(min(end, self._patience))
        if self._patience <= end:
            return self._abandoned()
        return self._timed_out() if end == self._deadline else None

    def _next_happening(self) -> tuple[float, _Happening, _Ringing]:
        first = self._ringing[0]
        end = min(self._round + self._visit.ring_seconds, self._deadline)
        coming = [(self._patience, _Happening.CALLER_LEAVES, first), (end, _Happening.TIME_IS_UP, first)]
        for ringing in self._ringing:
            if ringing.phone.answers_at is not None:
                answers = max(ringing.phone.answers_at, ringing.since + _REACTION_SECONDS)
                coming.append((answers, _Happening.ANSWERS, ringing))
            if ringing.phone.rejects_after is not None:
                coming.append((ringing.since + ringing.phone.rejects_after, _Happening.REJECTS, ringing))
        return min(coming, key=lambda happening: happening[:2])

    def _ring(self, phones: list[Phone]) -> None:
        started = [self._dial(phone) for phone in phones]
        if self._visit.strategy is not Strategy.RINGALL:
            self._teller.connect_line(self._caller, started[0].leg)
        for ringing in started:
            leg = ringing.leg
            self._teller.change_state(leg, RINGING)
            self._teller.run_application(leg, "AppQueue", "(Outgoing Line)")
            self._teller.say("NewConnectedLine", leg.headers())
            self._teller.say("DialState", self._teller.about(leg), (("DialStatus", "RINGING"),))
        self._ringing += started

    def _dial(self, phone: Phone) -> _Ringing:
        leg = self._teller.new_phone(phone.interface)
        ringing = _Ringing(phone, leg, self._teller.now)
        before = self._teller.about(leg)  # DialBegin shows the channel as it was before the queue dressed it
        leg.exten = self._caller.exten
        leg.connect_to(self._caller)
        self._teller.say("AgentCalled", self._teller.about(leg), ringing.headers(self._visit.queue))
        self._teller.say("DialBegin", before, (("DialString", phone.interface),))
        return ringing

    def _cancel(self, losers: list[_Ringing]) -> None:
        for loser in losers:
            self._teller.dial_end(loser.leg, "CANCEL")

    def _answered(self, winner: _Ringing) -> QueueEnd:
        teller, losers = self._teller, [ringing for ringing in self._ringing if ringing is not winner]
        self._winner = winner
        teller.change_state(winner.leg, UP)
        teller.dial_end(winner.leg, "ANSWER")
        self._cancel(losers)
        teller.connect_line(self._caller, winner.leg)
        self._cancel(losers)
        self._connected = teller.epoch
        self._leave()
        times: Headers = (
            ("HoldTime", str(self._connected - self._joined)),
            ("RingTime", str(self._connected - self._round_epoch)),
        )
        teller.say("AgentConnect", teller.about(winner.leg), winner.headers(self._visit.queue), times)
        for loser in losers:
            teller.hang_up(loser.leg, 26)
        return QueueEnd.ANSWERED

    def _rejected(self, ringing: _Ringing) -> None:
        busy: Headers = (("Cause", "17"), ("TechCause", "486"))
        self._teller.say("HangupRequest", ringing.leg.headers(), busy)
        self._teller.dial_end(ringing.leg, "NOANSWER")
        self._tell_no_answer(ringing)
        self._teller.hang_up(ringing.leg, 17, 486)
        self._ringing.remove(ringing)
        if self._visit.strategy is Strategy.LINEAR and self._turn < len(self._visit.phones):
            self._ring(self._next_phones())

    def _nobody_answered(self) -> None:
        for ringing in self._ringing:
            self._tell_no_answer(ringing)
        for ringing in self._ringing:
            self._teller.dial_end(ringing.leg, "NOANSWER")
        self._cancel(self._ringing)
        self._hang_up_phones()

    def _tell_no_answer(self, ringing: _Ringing) -> None:
        milliseconds = 1000 * (self._teller.epoch - self._round_epoch)
        about = self._teller.about(ringing.leg)
        rang: Headers = (("RingTime", str(milliseconds)),)
        self._teller.say("AgentRingNoAnswer", about, ringing.headers(self._visit.queue), rang)

    def _hang_up_phones(self) -> None:
        for ringing in self._ringing:
            self._teller.hang_up(ringing.leg, 0)
        self._ringing.clear()

    def _abandoned(self) -> QueueEnd:
        """The caller hangs up before anybody has answered: SIP CANCEL, which Asterisk answers with 487."""
        cancelled: Headers = (("TechCause", "487"),)
        self._teller.say("HangupRequest", self._caller.headers(), (("Cause", "127"),), cancelled)
        self._cancel(self._ringing)
        self._cancel(self._ringing)
        self._leave_unanswered()
        self._teller.say("SoftHangupRequest", self._caller.headers(), (("Cause", "16"),), cancelled)
        self._hang_up_phones()
        self._teller.hang_up(self._caller, 127, 487)
        return QueueEnd.ABANDONED

    def _timed_out(self) -> QueueEnd:
        self._leave_unanswered()
        return QueueEnd.TIMED_OUT

    def _leave_unanswered(self) -> None:
        waited = str(self._teller.epoch - self._joined)
        place = self._place(("OriginalPosition", "1"), ("HoldTime", waited))
        self._teller.say("QueueCallerAbandon", self._caller.headers(), place)
        self._leave()

    def _leave(self) -> None:
        self._teller.say("QueueCallerLeave", self._caller.headers(), self._place(("Count", "0")))
