"""The switch as events show it: channels (legs), the bridges that join them, and who rings whom.

A Local channel has two halves, ``name;1`` and ``name;2``: what enters one comes out of the other. So two legs hear
each other when a path leads from one to the other through shared bridges and Local halves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from telemon.attempts import Attempt
    from telemon.calls import Call
    from telemon.instants import Instant

# Channel states: include/asterisk/channelstate.h
DOWN: Final = 0
RING: Final = 4
RINGING: Final = 5
UP: Final = 6
BUSY: Final = 7

# Bridges in which nobody talks to anybody: parking lots, waiting agents (bridges/bridge_holding.c).
_HOLDING_TYPES: Final = frozenset({"parking", "holding", "agent_hold"})
_HOLDING_TECHNOLOGY: Final = "holding_bridge"


class Leg:
    """One channel."""

    __slots__ = (
        "application",
        "attempt",
        "bridge",
        "call",
        "context",
        "dialled_by",
        "left_cause",
        "linkedid",
        "misses",
        "name",
        "ringing_at",
        "state",
        "uniqueid",
        "up_at",
    )

    def __init__(self, uniqueid: str, name: str, linkedid: str, state: int, context: str) -> None:
        self.uniqueid = uniqueid
        self.name = name
        self.linkedid = linkedid
        self.state = state
        self.context = context
        self.application = ""
        self.bridge: Bridge | None = None
        self.dialled_by: str | None = None
        self.call: Call | None = None  # set on the caller's own leg only
        self.attempt: Attempt | None = None  # set on a leg alerted for a call
        self.ringing_at: Instant | None = None
        self.up_at: Instant | None = None
        self.left_cause: int | None = None  # its own side hung up or refused, with this Q.850 cause; 0 if none was told
        self.misses = 0  # snapshots in a row that did not list it

    @property
    def is_local(self) -> bool:
        """Whether this is one half of a Local channel: wiring, nobody's telephone."""
        return self.name.startswith("Local/")

    @property
    def interface(self) -> str:
        """The device without the channel's serial number: ``PJSIP/op1``."""
        return interface_of(self.name)


class Bridge:
    """Channels that hear each other, unless it is a waiting room."""

    __slots__ = ("bridge_id", "holding", "legs")

    def __init__(self, bridge_id: str) -> None:
        self.bridge_id = bridge_id
        self.holding = False
        self.legs: dict[str, Leg] = {}


def interface_of(channel: str) -> str:
    """Return the interface of a channel name: ``PJSIP/op1-0000002a`` is one of ``PJSIP/op1``."""
    return channel.rpartition("-")[0] or channel


class Switch:
    """All legs and bridges of one PBX that are known to exist."""

    def __init__(self) -> None:
        self.legs: dict[str, Leg] = {}
        self.bridges: dict[str, Bridge] = {}
        self._by_name: dict[str, Leg] = {}

    def add(self, leg: Leg) -> None:
        """Take a new leg in."""
        self.legs[leg.uniqueid] = leg
        self._by_name[leg.name] = leg

    def remove(self, leg: Leg) -> None:
        """Forget a leg."""
        self.leave(leg)
        self.legs.pop(leg.uniqueid, None)
        if self._by_name.get(leg.name) is leg:
            del self._by_name[leg.name]

    def rename(self, leg: Leg, name: str) -> None:
        """Give a leg another name (a masquerade renames both sides)."""
        if self._by_name.get(leg.name) is leg:
            del self._by_name[leg.name]
        leg.name = name
        self._by_name[name] = leg

    def bridge(self, bridge_id: str, bridge_type: str = "", technology: str = "") -> Bridge:
        """Return the bridge of this id, made if it was unknown."""
        bridge = self.bridges.get(bridge_id)
        if bridge is None:
            bridge = self.bridges[bridge_id] = Bridge(bridge_id)
        if bridge_type in _HOLDING_TYPES or technology == _HOLDING_TECHNOLOGY:
            bridge.holding = True
        return bridge

    def enter(self, leg: Leg, bridge: Bridge) -> None:
        """Put a leg into a bridge, out of any other."""
        if leg.bridge is not bridge:
            self.leave(leg)
            leg.bridge = bridge
        bridge.legs[leg.uniqueid] = leg
        self.bridges[bridge.bridge_id] = bridge

    def leave(self, leg: Leg) -> None:
        """Take a leg out of its bridge; an empty bridge is forgotten."""
        bridge = leg.bridge
        if bridge is None:
            return
        leg.bridge = None
        bridge.legs.pop(leg.uniqueid, None)
        if not bridge.legs:
            self.bridges.pop(bridge.bridge_id, None)

    def other_half(self, leg: Leg) -> Leg | None:
        """Return the other half of a Local channel."""
        if leg.name.endswith(";1"):
            return self._by_name.get(leg.name[:-1] + "2")
        if leg.name.endswith(";2"):
            return self._by_name.get(leg.name[:-1] + "1")
        return None

    def joined(self, leg: Leg) -> list[Leg]:
        """Return every leg that this one hears, itself first, through shared bridges and Local halves."""
        reached = [leg]
        seen = {leg.uniqueid}
        for current in reached:  # grows while it is walked
            for neighbour in self._neighbours(current):
                if neighbour.uniqueid not in seen:
                    seen.add(neighbour.uniqueid)
                    reached.append(neighbour)
        return reached

    def _neighbours(self, leg: Leg) -> Iterator[Leg]:
        bridge = leg.bridge
        if bridge is not None and not bridge.holding:
            yield from bridge.legs.values()
        if leg.is_local:
            half = self.other_half(leg)
            if half is not None:
                yield half

    def call_rung_by(self, leg: Leg) -> Call | None:
        """Return the call for which this leg dials or is dialled: up the chain of dials and Local halves."""
        seen: set[str] = set()
        current: Leg | None = leg
        while current is not None and current.uniqueid not in seen:
            if current.call is not None:
                return current.call
            seen.add(current.uniqueid)
            if current.is_local and current.dialled_by is None:
                current = self.other_half(current)
            else:
                current = self.legs.get(current.dialled_by or "")
        return None
