"""Ring attempts and handovers while they are under way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from telemon.records import AttemptResult, RingAttempt, Transfer, TransferKind, TransferResult

if TYPE_CHECKING:
    from telemon.instants import Instant

USER_BUSY: Final = 17  # ITU-T Q.850
_UNREACHABLE_STATUSES: Final = frozenset({"CHANUNAVAIL", "CONGESTION", "INVALIDARGS"})
# What a dial's subroutine says when the person called did not accept (apps/app_dial.c, GOSUB_RESULT).
_NOT_ACCEPTED_STATUSES: Final = frozenset({"CONTINUE", "ABORT", "GOTO", "DONTCALL", "TORTURE"})


class Attempt:
    """One operator's leg while it is alerted for a call."""

    __slots__ = ("answered", "cause", "ended_at", "forwarded", "lost", "operator", "picked_up", "refused", "ringing_at",
                 "started_at", "status", "up_at")  # fmt: skip

    def __init__(self, operator: str, started_at: Instant) -> None:
        self.operator = operator
        self.started_at = started_at
        self.ringing_at: Instant | None = None
        self.up_at: Instant | None = None
        self.ended_at: Instant | None = None
        self.status = ""
        self.cause = 0
        self.refused = False
        self.forwarded = False
        self.picked_up = False
        self.answered = False
        self.lost = False  # it ended in a gap

    @property
    def result(self) -> AttemptResult:
        """What became of it, as far as is known by now: the first of these that holds."""
        status = self.status
        signs = (
            (self.answered, AttemptResult.ANSWERED),
            (self.picked_up, AttemptResult.PICKED_UP),
            (self.forwarded, AttemptResult.FORWARDED),
            (status in _NOT_ACCEPTED_STATUSES, AttemptResult.NOT_ACCEPTED),
            (status == "BUSY" or (self.refused and self.cause == USER_BUSY), AttemptResult.BUSY),
            (status in _UNREACHABLE_STATUSES or self.refused, AttemptResult.UNREACHABLE),
            (status == "NOANSWER" and self.up_at is None, AttemptResult.NO_ANSWER),
            (self.ended_at is None, AttemptResult.UNKNOWN),
        )
        # Otherwise it was called off, or its own phone answered but lost the race for the caller.
        return next((result for holds, result in signs if holds), AttemptResult.CANCELLED)

    @property
    def refused_at_once(self) -> bool:
        """Whether the phone was never made to ring: it refused, or is not there."""
        never_rang = self.ringing_at is None and self.up_at is None
        return never_rang and self.result in (AttemptResult.BUSY, AttemptResult.UNREACHABLE)

    def record(self) -> RingAttempt:
        """Return it as stored."""
        return RingAttempt(
            operator=self.operator,
            started_at=self.started_at,
            ringing_at=self.ringing_at,
            ended_at=None if self.ended_at is None else max(self.started_at, self.ended_at),
            result=self.result,
        )


class Handover:
    """One transfer while it is under way; ``result`` is None until somebody took over or the call ended."""

    __slots__ = ("at", "kind", "result", "to")

    def __init__(self, kind: TransferKind, to: str, at: Instant) -> None:
        self.kind = kind
        self.to = to
        self.at = at
        self.result: TransferResult | None = None

    def record(self) -> Transfer:
        """Return it as stored."""
        return Transfer(kind=self.kind, to=self.to, at=self.at, result=self.result or TransferResult.UNKNOWN)
