"""Who could answer now: the members of each queue, as the queue itself sees them."""

from __future__ import annotations

from enum import StrEnum
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from telemon.ami import events as ami

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from telemon.instants import Instant


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


_GONE: Final = frozenset({"UNAVAILABLE", "INVALID"})
_NAMES: Final = 16_384  # pairs of a name and patterns whose match is remembered

_REGISTERED: Final = frozenset(status for status, presence in _PRESENCE.items() if presence is not Presence.UNREACHABLE)

Member = ami.MemberState | ami.ListedMember


class Line(NamedTuple):
    """One operator's line: registered, paused in every queue that could ring it, in a call since when (None: not)."""

    is_registered: bool
    is_paused: bool
    talking_since: Instant | None


@lru_cache(_NAMES)
def matches(name: str, patterns: tuple[str, ...]) -> bool:
    """Whether one of the patterns is of this queue or device."""
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def presence_of(member: Member) -> Presence:
    """Return what a queue member is doing."""
    if member.paused == "1":
        return Presence.PAUSED
    if member.in_call == "1":
        return Presence.TALKING
    return _PRESENCE.get(member.status, Presence.UNREACHABLE)


class Board:
    """All queue members of one PBX, and the devices that match the given patterns.

    ``latest`` is the queue or device that the last event was about, None if about all of them.
    """

    def __init__(self, devices: tuple[str, ...] = ()) -> None:
        self.patterns = devices
        self._devices: dict[str, str] = {}  # their states by name
        self._talking: dict[str, Instant] = {}  # interfaces in a call, and since when
        self._members: dict[tuple[str, str], Member] = {}
        self._listed: dict[tuple[str, str], Member] = {}
        self.queues: set[str] = set()
        self.latest: str | None = None
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
            self.latest = getattr(event, "queue", None) or getattr(event, "device", None)

    def _member_state(self, event: ami.MemberState) -> None:
        self._members[event.queue, event.interface] = event
        self._note_talk(event.interface, event.at, event)

    def _member_removed(self, event: ami.MemberRemoved) -> None:
        self._members.pop((event.queue, event.interface), None)
        self._note_talk(event.interface, event.at)

    def _listed_member(self, event: ami.ListedMember) -> None:
        self._listed[event.queue, event.interface] = event

    def _listed_queue(self, event: ami.ListedQueue) -> None:
        self.queues.add(event.queue)

    def _members_listed(self, event: ami.MembersListed) -> None:
        self._members, self._listed = self._listed, {}
        for (_, interface), member in self._members.items():
            self._note_talk(interface, event.at, member)
        for interface in list(self._talking):
            self._note_talk(interface, event.at)

    def _device_state(self, event: ami.DeviceState) -> None:
        if matches(event.device, self.patterns):
            self._devices[event.device] = event.state
            self._note_talk(event.device, event.at, event.state)

    def _note_talk(self, interface: str, at: Instant, *told: Member | str) -> None:
        """Keep since when this interface is in a call: until neither a queue nor the device says so any more."""
        if any(map(_says_talking, told)):
            self._talking.setdefault(interface, at)
        elif interface in self._talking and not any(map(_says_talking, self._said_of(interface))):
            del self._talking[interface]

    def _said_of(self, interface: str) -> Iterator[Member | str]:
        if interface in self._devices:
            yield self._devices[interface]
        yield from (member for (_, name), member in self._members.items() if name == interface)

    def clear(self) -> None:
        """Forget everybody: what is no longer seen must not be shown as if it were."""
        self._members.clear()
        self._devices.clear()
        self._talking.clear()
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
            device: _DEVICE_PRESENCE.get(state, Presence.UNREACHABLE)
            for device, state in self._devices.items()
            if matches(device, devices)
        }
        for member in self._members.values():
            if matches(member.queue, queues):
                known = found.get(member.interface)
                if known is None or known is Presence.PAUSED:
                    found[member.interface] = presence_of(member)
        return found

    def device_state(self, device: str) -> str | None:
        """Return a device's state by ``DeviceStateChange``'s name; None if none was told, or no pattern asks for it."""
        return self._devices.get(device)

    def is_gone(self, device: str) -> bool:
        """Whether Asterisk says that nobody can be reached by this device: a trunk that answers no qualify."""
        return self._devices.get(device) in _GONE

    def lines(self, queues: tuple[str, ...], devices: tuple[str, ...]) -> dict[str, Line]:
        """Return the line of each operator of a service, by interface, for its queue and device patterns.

        Unlike ``presences``, it tells a paused line that is registered from one that is not.
        """
        found: dict[str, list[tuple[bool, bool]]] = {}
        for device, state in self._devices.items():
            if matches(device, devices):
                found.setdefault(device, []).append((state in _DEVICE_PRESENCE, False))
        for member in self._members.values():
            if matches(member.queue, queues):
                found.setdefault(member.interface, []).append((member.status in _REGISTERED, member.paused == "1"))
        return {
            interface: Line(
                any(is_registered for is_registered, _ in said),
                all(is_paused for _, is_paused in said),
                self._talking.get(interface),
            )
            for interface, said in found.items()
        }


def _says_talking(said: Member | str) -> bool:
    if isinstance(said, str):
        return _DEVICE_PRESENCE.get(said) is Presence.TALKING
    return said.in_call == "1" or _PRESENCE.get(said.status) is Presence.TALKING
