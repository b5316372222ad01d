"""One caller's call while it is played through, and the verdict when it is over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from simulators.plan import Expected, PlannedCall, Transfer
from telemon.records import AttemptResult, EndedBy, Outcome

if TYPE_CHECKING:
    from simulators.site import Line
    from simulators.traffic.agenda import Alarm
    from simulators.traffic.bells import Ring
    from simulators.traffic.people import Intent

SHORT_ABANDON_SECONDS: Final = 5.0  # DESIGN chapter 2, and telemon's own default


class LiveCall:
    """A call under way; times in seconds since the plan's beginning. ``planned`` is set when it is over."""

    __slots__ = (
        "alerted_at", "answered_at", "answered_by", "arrived", "closed", "diverted", "due", "intent", "leaves",
        "line", "machine_at", "name", "planned", "queues", "rings", "step", "talk", "transfer", "transferred_to",
    )  # fmt: skip

    def __init__(self, name: str, line: Line, intent: Intent, arrived: float) -> None:
        self.name = name
        self.line = line
        self.intent = intent
        self.arrived = arrived
        self.talk = intent.talk  # from the last answer on
        self.step = -1  # of its route
        self.leaves: Alarm | None = None  # the caller's patience ends
        self.due: Alarm | None = None  # what the switchboard does next
        self.closed = False
        self.diverted = False
        self.alerted_at: float | None = None
        self.machine_at: float | None = None
        self.answered_at: float | None = None
        self.answered_by: str | None = None
        self.transfer: Transfer | None = None
        self.transferred_to: str | None = None
        self.queues: list[str] = []
        self.rings: list[Ring] = []
        self.planned: PlannedCall | None = None

    def plan_next(self, alarm: Alarm | None) -> None:
        """Replace what the switchboard does next."""
        if self.due is not None:
            self.due.call_off()
        self.due = alarm

    def finish(self, now: float, ended_by: EndedBy) -> PlannedCall:
        """Close the books, and return the plan of this call."""
        for alarm in (self.leaves, self.due):
            if alarm is not None:
                alarm.call_off()
        intent = self.intent
        self.planned = PlannedCall(
            name=self.name,
            caller=intent.caller,
            ddi=self.line.ddi,
            service=self.line.service,
            arrives_at=self.arrived,
            patience=intent.patience,
            talk=self.talk,
            ended_by=intent.ended_by,
            phones=intent.phones,
            afterwards=self.transfer or intent.hold,
            expected=self._expected(now, ended_by),
        )
        return self.planned

    def _expected(self, now: float, ended_by: EndedBy) -> Expected:
        return Expected(
            outcome=self._outcome(now, ended_by),
            ended_after=round(now - self.arrived, 6),
            ended_by=ended_by,
            alerted_after=self._after(self._alerted(ended_by)),
            answered_after=self._after(self.answered_at),
            answered_by=self.answered_by,
            machine_after=self._after(self.machine_at),
            transferred_to=self.transferred_to,
            queues=tuple(self.queues),
            attempts=tuple(ring.planned(self.arrived) for ring in self.rings),
        )

    def _after(self, moment: float | None) -> float | None:
        return None if moment is None else round(moment - self.arrived, 6)

    def _alerted(self, ended_by: EndedBy) -> float | None:
        """Nothing ever rang where every phone of a bare dial refused it at once."""
        silent = not self.queues and all(ring.ends == ring.begins for ring in self.rings)
        return None if silent and ended_by is EndedBy.SWITCHBOARD else self.alerted_at

    def _outcome(self, now: float, ended_by: EndedBy) -> Outcome:
        """Decide by the table of DESIGN chapter 2."""
        if self.answered_at is not None:
            return Outcome.ANSWERED
        if self.closed and ended_by is EndedBy.SWITCHBOARD:
            return Outcome.CLOSED
        if ended_by is EndedBy.SWITCHBOARD:
            all_busy = bool(self.rings) and all(ring.result is AttemptResult.BUSY for ring in self.rings)
            return Outcome.BUSY if all_busy else Outcome.UNANSWERED
        if self.alerted_at is None:
            return Outcome.IVR_ONLY
        if self.diverted:
            return Outcome.DIVERTED
        short = round(now - self.alerted_at, 6) < SHORT_ABANDON_SECONDS
        return Outcome.SHORT_ABANDONED if short else Outcome.ABANDONED
