"""Who could answer now: the members of each queue, as the queue itself sees them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from telemon.ami import events as ami

if TYPE_CHECKING:
    from collections.abc import Iterable


class Presence(StrEnum):
    """What an operator's line does."""

    REACHABLE = "reachable"  # free to take a call
    RINGING = "ringing"
    TALKING = "talking"
    PAUSED = "paused"
    UNREACHABLE = "unreachable"


# Device states: include/asterisk/devicestate.h
_PRESENCE = {
    0: Presence.REACHABLE,  # unknown: a Local member, whose state nobody tracks, is rung all the same
    1: Presence.REACHABLE,
    2: Presence.TALKING,
    3: Presence.TALKING,
    4: Presence.UNREACHABLE,
    5: Presence.UNREACHABLE,
    6: Presence.RINGING,
    7: Presence.TALKING,
    8: Presence.TALKING,
}


@dataclass(frozen=True, slots=True)
class Member:
    """One operator in one queue."""

    queue: str
    interface: str
    name: str
    status: int
    paused: bool
    in_call: bool

    @property
    def presence(self) -> Presence:
        """What this member is doing."""
        if self.paused:
            return Presence.PAUSED
        return Presence.TALKING if self.in_call else _PRESENCE.get(self.status, Presence.UNREACHABLE)


class Board:
    """All queue members of one PBX."""

    def __init__(self) -> None:
        self._members: dict[tuple[str, str], Member] = {}
        self._listed: dict[tuple[str, str], Member] = {}

    def feed(self, event: Any) -> None:
        """Take one event; those that say nothing about members pass by."""
        if isinstance(event, ami.MemberState):
            self._members[event.queue, event.interface] = _member(event)
        elif isinstance(event, ami.MemberRemoved):
            self._members.pop((event.queue, event.interface), None)
        elif isinstance(event, ami.ListedMember):
            self._listed[event.queue, event.interface] = _member(event)
        elif isinstance(event, ami.MembersListed):
            self._members, self._listed = self._listed, {}

    def clear(self) -> None:
        """Forget everybody: what is no longer seen must not be shown as if it were."""
        self._members.clear()
        self._listed.clear()

    def members(self) -> Iterable[Member]:
        """Return all members of all queues."""
        return self._members.values()


def _member(event: ami.MemberState | ami.ListedMember) -> Member:
    return Member(
        queue=event.queue,
        interface=event.interface,
        name=event.name,
        status=event.status,
        paused=event.paused == "1",
        in_call=event.in_call == "1",
    )
