"""What shall happen: calls, and what each phone does with each of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class RingsOn:
    """The phone rings until the switchboard cancels the call."""


@dataclass(frozen=True, slots=True)
class Rejects:
    """The phone refuses at once: 486 Busy Here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """The phone rings for ``after`` seconds, answers, and stays until the other side hangs up.

    With ``transfer_to`` it talks for ``transfer_after`` seconds, then hands the caller on to that extension by
    a blind REFER (RFC 5589, 6).
    """

    after: float
    transfer_to: str | None = None
    transfer_after: float = 3.0


Behaviour = RingsOn | Rejects | Answers


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedCall:
    """One call through the trunk; all durations in seconds.

    ``caller`` (digits) names the call: no two calls placed together may share it. ``phones`` says what each phone
    does when it is called for this caller; a phone not named rings on. The caller hangs up ``talk`` seconds after
    the answer (BYE), or, if nobody has answered, ``patience`` seconds after it began to ring (CANCEL).
    """

    caller: str
    ddi: str
    start_after: float = 0.0
    talk: float = 3.0
    patience: float = 30.0
    phones: Mapping[str, Behaviour] = field(default_factory=dict)
