"""What somebody must know of now, and since when: the permanence is uncovered, the roster has a hole, a cell is late.

Decided from a state that others found, at a given time; who is told of it, and how, is the shell's business.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from telemon.instants import Instant


class ConditionKind(StrEnum):
    """What is wrong."""

    UNCOVERED = "uncovered"
    ROSTER_UNREADABLE = "roster_unreadable"
    ROSTER_HOLE = "roster_hole"
    NIGHT_SWITCH = "night_switch"
    PROBE_FAILED = "probe_failed"
    CRISIS_LATE = "crisis_late"
    CRISIS_STRAINED = "crisis_strained"


class Key(NamedTuple):
    """What is wrong, and with which service; the roster's troubles are no service's."""

    kind: ConditionKind
    service: str = ""


class Condition(NamedTuple):
    """One thing that is wrong, since when, and what to tell of it."""

    key: Key
    since: Instant
    text: str


class Conditions:
    """Remembers what is wrong, so that each thing is told once as it begins and once as it ends."""

    def __init__(self) -> None:
        self._active: dict[Key, Condition] = {}

    @property
    def active(self) -> tuple[Condition, ...]:
        """What is wrong now."""
        return tuple(self._active.values())

    def update(self, now: Instant, found: Mapping[Key, str]) -> tuple[list[Condition], list[Condition]]:
        """Take all that is wrong now; return what began, and what ended since the last time."""
        ended = [condition for key, condition in self._active.items() if key not in found]
        begun = [Condition(key, now, said) for key, said in found.items() if key not in self._active]
        for condition in ended:
            del self._active[condition.key]
        for key, said in found.items():
            self._active[key] = Condition(key, self._active[key].since if key in self._active else now, said)
        return begun, ended
