"""Who may see and do what on the wallboard: the one table that says so."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class Role(StrEnum):
    """What somebody is to the switchboard."""

    SUPERVISOR = "supervisor"
    DUTY_OFFICER = "duty_officer"
    AUDITOR = "auditor"
    ADMIN = "admin"


class Right(StrEnum):
    """One thing to be seen or done."""

    LIVE = "live"  # calls under way, operators
    NUMBERS = "numbers"  # callers' numbers, and whom to call back
    CALL_BACK = "call_back"  # say that somebody was called back
    FIGURES = "figures"  # the day's, and its curve
    PERMANENCE = "permanence"
    CRISIS = "crisis"
    CONDITIONS = "conditions"  # what is wrong now
    HEALTH = "health"  # telemon's own


RIGHTS: Final[dict[Role, frozenset[Right]]] = {
    Role.SUPERVISOR: frozenset(Right) - {Right.HEALTH},
    Role.DUTY_OFFICER: frozenset({Right.LIVE, Right.PERMANENCE, Right.CRISIS, Right.CONDITIONS}),
    Role.AUDITOR: frozenset({Right.FIGURES}),
    Role.ADMIN: frozenset(Right) - {Right.NUMBERS, Right.CALL_BACK},
}


def may(role: Role, right: Right) -> bool:
    """Whether this role has this right."""
    return right in RIGHTS[role]
