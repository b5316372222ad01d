"""Who could answer now: the members of each queue, as the queue itself sees them."""

from __future__ import annotations

from enum import StrEnum
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from telemon.ami import events as ami

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


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


_DEVICE_PRESENCE = {
    "UNKNOWN": Presence.REACHABLE,
    "NOT_INUSE": Presence.REACHABLE,
    "INUSE": Presence.TALKING,
    "BUSY": Presence.TALKING,
    "RINGING": Presence.RINGING,
    "RINGINUSE": Presence.TALKING,
    "ONHOLD": Presence.TALKING,
}


Member = ami.MemberState | ami.ListedMember


def presence_of(member: Member) -> Presence:
    """Return what a queue member is doing."""
    if member.paused == "1":
        return Presence.PAUSED
    if member.in_call == "1":
        return Presence.TALKING
    return _PRESENCE.get(member.status, Presence.UNREACHABLE)


class Board:
    """All queue members of one PBX, and the devices that match the given patterns."""

    def __init__(self, devices: tuple[str, ...] = ()) -> None:
        self.patterns = devices
        self._devices: dict[str, Presence] = {}
        self._members: dict[tuple[str, str], Member] = {}
        self._listed: dict[tuple[str, str], Member] = {}
        self.queues: set[str] = set()
        self._handlers = self._table()

    def __getstate__(self) -> dict[str, Any]:
        """Return what a checkpoint keeps: everything but the table, which is code."""
        return {name: value for name, value in self.__dict__.items() if name != "_handlers"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take up what a checkpoint kept."""
        self.__dict__.update(state)
        self._handlers = self._table()

    def _table(self) -> dict[type, Callable[[Any], None]]:
        return {
            ami.MemberState: self._member_state,
            ami.MemberRemoved: self._member_removed,
            ami.ListedMember: self._listed_member,
            ami.ListedQueue: self._listed_queue,
            ami.MembersListed: self._members_listed,
            ami.DeviceState: self._device_state,
        }

    def feed(self, event: Any) -> None:
        """Take one event; those that say nothing about operators pass by."""
        handler = self._handlers.get(type(event))
        if handler is not None:
            handler(event)

    def _member_state(self, event: ami.MemberState) -> None:
        self._members[event.queue, event.interface] = event

    def _member_removed(self, event: ami.MemberRemoved) -> None:
        self._members.pop((event.queue, event.interface), None)

    def _listed_member(self, event: ami.ListedMember) -> None:
        self._listed[event.queue, event.interface] = event

    def _listed_queue(self, event: ami.ListedQueue) -> None:
        self.queues.add(event.queue)

    def _members_listed(self, _: ami.MembersListed) -> None:
        self._members, self._listed = self._listed, {}

    def _device_state(self, event: ami.DeviceState) -> None:
        if any(fnmatchcase(event.device, pattern) for pattern in self.patterns):
            self._devices[event.device] = _DEVICE_PRESENCE.get(event.state, Presence.UNREACHABLE)

    def clear(self) -> None:
        """Forget everybody: what is no longer seen must not be shown as if it were."""
        self._members.clear()
        self._devices.clear()
        self.queues.clear()
        self._listed.clear()

    def members(self) -> Iterable[Member]:
        """Return all members of all queues."""
        return self._members.values()

    def presences(self, queues: tuple[str, ...], devices: tuple[str, ...]) -> dict[str, Presence]:
        """Return what each operator of a service does, by interface, for its queue and device patterns.

        An operator in several queues is one operator; paused in one of them and free in another, he can be reached.
        """
        found = {
            device: presence
            for device, presence in self._devices.items()
            if any(fnmatchcase(device, pattern) for pattern in devices)
        }
        for member in self._members.values():
            if any(fnmatchcase(member.queue, pattern) for pattern in queues):
                known = found.get(member.interface)
                if known is None or known is Presence.PAUSED:
                    found[member.interface] = presence_of(member)
        return found
