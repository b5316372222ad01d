"""Channels and bridges as events describe them: the snapshot headers of one instant.

Source: Asterisk's main/manager_channels.c and main/manager_bridges.c; the order of headers is that of 22.10.1.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from simulators.ami.event import Headers

DOWN, RING, RINGING, UP = 0, 4, 5, 6
UNKNOWN = "<unknown>"
STATE_NAMES = {DOWN: "Down", RING: "Ring", RINGING: "Ringing", UP: "Up"}
CAUSES = {
    0: "Unknown",
    16: "Normal Clearing",
    17: "User busy",
    26: "Answered elsewhere",
    127: "Interworking, unspecified",
}


@dataclass(slots=True, kw_only=True)
class Leg:
    """One channel while a story is told."""

    channel: str
    state: int
    number: str
    context: str
    exten: str
    uniqueid: str
    linkedid: str
    priority: int = 1
    name: str = UNKNOWN
    connected_number: str = UNKNOWN
    connected_name: str = UNKNOWN

    def connect_to(self, other: Leg) -> None:
        """Show the other's number and name as the connected line."""
        self.connected_number, self.connected_name = other.number, other.name

    def headers(self, prefix: str = "") -> Headers:
        """The channel's snapshot; ``prefix`` is ``Dest``, ``Transferer`` or ``Transferee`` for another's."""
        pairs = (
            ("Channel", self.channel),
            ("ChannelState", str(self.state)),
            ("ChannelStateDesc", STATE_NAMES[self.state]),
            ("CallerIDNum", self.number),
            ("CallerIDName", self.name),
            ("ConnectedLineNum", self.connected_number),
            ("ConnectedLineName", self.connected_name),
            ("Language", "fr"),
            ("AccountCode", ""),
            ("Context", self.context),
            ("Exten", self.exten),
            ("Priority", str(self.priority)),
            ("Uniqueid", self.uniqueid),
            ("Linkedid", self.linkedid),
        )
        return tuple((prefix + name, value) for name, value in pairs)


@dataclass(slots=True)
class Bridge:
    """One two-party bridge while a story is told."""

    uniqueid: str
    members: list[Leg] = field(default_factory=list)

    def headers(self) -> Headers:
        """The bridge's snapshot."""
        return (
            ("BridgeUniqueid", self.uniqueid),
            ("BridgeType", "basic"),
            ("BridgeTechnology", "simple_bridge"),
            ("BridgeCreator", UNKNOWN),
            ("BridgeName", UNKNOWN),
            ("BridgeNumChannels", str(len(self.members))),
            ("BridgeVideoSourceMode", "none"),
        )


def hangup_headers(cause: int, sip_status: int | None = None) -> Headers:
    """The end of ``Hangup``: cause (ITU-T Q.850), its text, and since Asterisk 22 the SIP status behind it."""
    headers: Headers = (("Cause", str(cause)), ("Cause-txt", CAUSES[cause]))
    return headers if sip_status is None else (*headers, ("TechCause", str(sip_status)))
