"""What shall become of one call: who calls, which phones ring, who answers, and how it ends.

All times are seconds. The defaults of a queue are those of Asterisk's queues.conf.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Strategy(StrEnum):
    """Which phones of a queue ring together (``strategy`` in queues.conf)."""

    RINGALL = "ringall"
    LINEAR = "linear"


@dataclass(frozen=True, slots=True, kw_only=True)
class Phone:
    """One queue member's phone, and what its operator does when it rings.

    ``answers_at`` and ``free_at`` count from the call's arrival: the operator answers then, or as soon as the phone
    rings if that is later; the phone is engaged with an earlier call until ``free_at``. ``rejects_after`` counts
    from the phone's own first ring of each attempt.
    """

    interface: str
    member_name: str
    answers_at: float | None = None
    rejects_after: float | None = None
    free_at: float = 0.0

    @property
    def endpoint(self) -> str:
        """The endpoint's name, which is also the number that its channels show: ``op1`` of ``PJSIP/op1``."""
        return self.interface.partition("/")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueVisit:
    """One run of ``Queue()``: the phones that it may ring, and its timings.

    ``ring_seconds`` and ``retry_seconds`` are ``timeout`` and ``retry`` of queues.conf; ``timeout_seconds`` is the
    fifth argument of ``Queue()``, after which the dialplan goes on.
    """

    queue: str
    phones: tuple[Phone, ...]
    strategy: Strategy = Strategy.RINGALL
    ring_seconds: float = 15.0
    retry_seconds: float = 5.0
    timeout_seconds: int = 300
    options: str = "rtk"


@dataclass(frozen=True, slots=True, kw_only=True)
class BlindTransfer:
    """The operator sends the caller on by REFER, ``after`` seconds of talk, to a service whose phone answers."""

    extension: str
    interface: str
    after: float
    answers_after: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Voicemail:
    """What follows the last queue's timeout, and how long the caller leaves a message."""

    mailbox: str
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One call to a switchboard, entirely decided.

    ``patience`` counts from the arrival: the caller hangs up then if nobody has answered (None: never).
    ``talk_seconds`` counts from the last answer to the caller's hang-up.
    """

    caller: str
    ddi: str
    queues: tuple[QueueVisit, ...]
    talk_seconds: float = 60.0
    patience: float | None = None
    transfer: BlindTransfer | None = None
    voicemail: Voicemail | None = None
    context: str = "from-trunk"
    trunk: str = "PJSIP/trunk"
