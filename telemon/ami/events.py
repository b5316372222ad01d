"""AMI messages as typed, frozen events: only those that telemon uses, only the headers that it needs.

Every event begins with ``at``, the instant at which Asterisk formatted it (its ``Timestamp`` header,
``timestampevents = yes``) or, lacking that, the instant given by the receiver. Header names are those of Asterisk 16
to 22 (``main/manager_channels.c``, ``manager_bridges.c``, ``stasis_bridges.c``, ``res_parking``, ``apps/app_queue.c``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from telemon.instants import Instant


class NewChannel(NamedTuple):
    """A channel exists; its first event."""

    at: Instant
    channel: str
    state: int
    caller: str
    context: str
    exten: str
    uniqueid: str
    linkedid: str


class NewState(NamedTuple):
    """A channel's state changed (``include/asterisk/channelstate.h``: 4 Ring, 5 Ringing, 6 Up, 7 Busy)."""

    at: Instant
    state: int
    uniqueid: str
    linkedid: str


class NewExten(NamedTuple):
    """A channel begins a dialplan step."""

    at: Instant
    uniqueid: str
    application: str


class Rename(NamedTuple):
    """A channel has another name from now on."""

    at: Instant
    new_name: str
    uniqueid: str


class HangupRequest(NamedTuple):
    """The far end of a channel hung up, or refused; ``cause`` is 0 where Asterisk gives none."""

    at: Instant
    uniqueid: str
    cause: int


class Hangup(NamedTuple):
    """A channel is gone; ``cause`` per ITU-T Q.850."""

    at: Instant
    uniqueid: str
    cause: int


class DialBegin(NamedTuple):
    """A leg is being rung; ``uniqueid`` is empty where nobody dials it (attended transfer by DTMF).

    ``dial_string`` is what the dialler gave the channel driver, a number dialled out of the house among it.
    """

    at: Instant
    uniqueid: str
    dest_channel: str
    dest_uniqueid: str
    dial_string: str = ""


class DialProgress(NamedTuple):
    """The dialled side sends early media: somebody or something is there."""

    at: Instant
    dest_uniqueid: str


class DialEnd(NamedTuple):
    """A leg is no longer being rung; comes twice for the losers of a queue."""

    at: Instant
    dest_uniqueid: str
    forward: str
    status: str


class BridgeEnter(NamedTuple):
    """A channel joined a bridge."""

    at: Instant
    bridge: str
    bridge_type: str
    technology: str
    uniqueid: str
    linkedid: str


class BridgeLeave(NamedTuple):
    """A channel left a bridge."""

    at: Instant
    bridge: str
    uniqueid: str


class QueueJoin(NamedTuple):
    """A caller waits in a queue."""

    at: Instant
    uniqueid: str
    queue: str


class QueueStatus(NamedTuple):
    """Why the dialplan's ``Queue()`` ended: ``VarSet`` of ``QUEUESTATUS``."""

    at: Instant
    uniqueid: str
    status: str


class AgentConnect(NamedTuple):
    """The queue says that a member took the caller; ``hold_seconds`` whole, since the join."""

    at: Instant
    uniqueid: str
    hold_seconds: int
    queue: str = ""


class AgentComplete(NamedTuple):
    """The queue says that the member and the caller are done."""

    at: Instant
    uniqueid: str
    hold_seconds: int
    talk_seconds: int
    queue: str = ""


class Hold(NamedTuple):
    """A channel put the other side on hold."""

    at: Instant
    uniqueid: str


class Unhold(NamedTuple):
    """A channel resumed."""

    at: Instant
    uniqueid: str


class BlindTransfer(NamedTuple):
    """A party handed the other one to an extension."""

    at: Instant
    result: str
    transferer: str
    transferee: str
    exten: str


class AttendedTransfer(NamedTuple):
    """A party joined its two calls, or replaced itself in a call still ringing (``target_state`` not Up)."""

    at: Instant
    result: str
    orig_transferer: str
    second_transferer: str
    second_bridge: str
    transferee: str
    target: str


class Pickup(NamedTuple):
    """A phone took the call that another phone was ringing for."""

    at: Instant
    uniqueid: str
    target: str


class Parked(NamedTuple):
    """A party waits on a parking space."""

    at: Instant
    parkee: str


class Unparked(NamedTuple):
    """Somebody fetched a parked party."""

    at: Instant
    parkee: str
    retriever_channel: str


class ParkTimeout(NamedTuple):
    """Nobody fetched the parked party: it goes back."""

    at: Instant
    parkee: str


class MemberState(NamedTuple):
    """A queue member as the queue sees it (``status`` per ``include/asterisk/devicestate.h``)."""

    at: Instant
    queue: str
    interface: str
    in_call: str
    status: int
    paused: str


class MemberRemoved(NamedTuple):
    """A member is no longer of this queue."""

    at: Instant
    queue: str
    interface: str


class DeviceState(NamedTuple):
    """A device's state by name (``main/devicestate.c``): ``NOT_INUSE``, ``INUSE``, ``RINGING``, ``UNAVAILABLE``…"""

    at: Instant
    device: str
    state: str


class DatabaseValue(NamedTuple):
    """What ``DBGet`` found (``main/db.c`` ``manager_dbget``); for an absent key there is no event, only an error."""

    at: Instant
    family: str
    key: str
    value: str


class FullyBooted(NamedTuple):
    """Asterisk will now answer every action; it started so many seconds ago."""

    at: Instant
    uptime_seconds: int


class ClockSeen(NamedTuple):
    """Something that only tells Asterisk's own time."""

    at: Instant


class Shutdown(NamedTuple):
    """Asterisk is going down in good order."""

    at: Instant


class Reloaded(NamedTuple):
    """Asterisk read its configuration anew."""

    at: Instant
    module: str


class ListedChannel(NamedTuple):
    """One line of ``CoreShowChannels``."""

    at: Instant
    channel: str
    state: int
    caller: str
    context: str
    exten: str
    uniqueid: str
    linkedid: str
    application: str
    bridge: str


class ListedMember(NamedTuple):
    """One line of ``QueueStatus``."""

    at: Instant
    queue: str
    interface: str
    in_call: str
    status: int
    paused: str


class ListedQueue(NamedTuple):
    """One queue of ``QueueStatus``."""

    at: Instant
    queue: str


class ChannelsListed(NamedTuple):
    """``CoreShowChannels`` is complete."""

    at: Instant


class MembersListed(NamedTuple):
    """``QueueStatus`` is complete."""

    at: Instant


class DevicesListed(NamedTuple):
    """``DeviceStateList`` is complete."""

    at: Instant


class ListedBridge(NamedTuple):
    """One line of ``BridgeList``."""

    at: Instant
    bridge: str
    bridge_type: str
    technology: str


Event = NamedTuple  # the union would be long and change with every event; the tracker dispatches on the type

_MEMBER: Final = ("Queue", "Interface", "InCall", "Status", "Paused")

SPECS: Final[dict[str, tuple[type[tuple[Any, ...]], tuple[str, ...]]]] = {
    "Newchannel": (
        NewChannel,
        ("Channel", "ChannelState", "CallerIDNum", "Context", "Exten", "Uniqueid", "Linkedid"),
    ),
    "Newstate": (NewState, ("ChannelState", "Uniqueid", "Linkedid")),
    "Newexten": (NewExten, ("Uniqueid", "Application")),
    "Rename": (Rename, ("Newname", "Uniqueid")),
    "HangupRequest": (HangupRequest, ("Uniqueid", "Cause")),
    "Hangup": (Hangup, ("Uniqueid", "Cause")),
    "DialBegin": (DialBegin, ("Uniqueid", "DestChannel", "DestUniqueid", "DialString")),
    "DialState": (DialProgress, ("DestUniqueid",)),
    "DialEnd": (DialEnd, ("DestUniqueid", "Forward", "DialStatus")),
    "BridgeEnter": (BridgeEnter, ("BridgeUniqueid", "BridgeType", "BridgeTechnology", "Uniqueid", "Linkedid")),
    "BridgeLeave": (BridgeLeave, ("BridgeUniqueid", "Uniqueid")),
    "QueueCallerJoin": (QueueJoin, ("Uniqueid", "Queue")),
    "VarSet": (QueueStatus, ("Uniqueid", "Value")),
    "AgentConnect": (AgentConnect, ("Uniqueid", "HoldTime", "Queue")),
    "AgentComplete": (AgentComplete, ("Uniqueid", "HoldTime", "TalkTime", "Queue")),
    "Hold": (Hold, ("Uniqueid",)),
    "Unhold": (Unhold, ("Uniqueid",)),
    "BlindTransfer": (BlindTransfer, ("Result", "TransfererUniqueid", "TransfereeUniqueid", "Extension")),
    "AttendedTransfer": (
        AttendedTransfer,
        (
            "Result",
            "OrigTransfererUniqueid",
            "SecondTransfererUniqueid",
            "SecondBridgeUniqueid",
            "TransfereeUniqueid",
            "TransferTargetUniqueid",
        ),
    ),
    "Pickup": (Pickup, ("Uniqueid", "TargetUniqueid")),
    "ParkedCall": (Parked, ("ParkeeUniqueid",)),
    "UnParkedCall": (Unparked, ("ParkeeUniqueid", "RetrieverChannel")),
    "ParkedCallTimeOut": (ParkTimeout, ("ParkeeUniqueid",)),
    "QueueMemberAdded": (MemberState, _MEMBER),
    "QueueMemberPause": (MemberState, _MEMBER),
    "QueueMemberStatus": (MemberState, _MEMBER),
    "QueueMemberRemoved": (MemberRemoved, ("Queue", "Interface")),
    "DeviceStateChange": (DeviceState, ("Device", "State")),
    "DBGetResponse": (DatabaseValue, ("Family", "Key", "Val")),
    "FullyBooted": (FullyBooted, ("Uptime",)),
    "SuccessfulAuth": (ClockSeen, ()),
    "Shutdown": (Shutdown, ()),
    "Reload": (Reloaded, ("Module",)),
    "CoreShowChannel": (
        ListedChannel,
        (
            "Channel",
            "ChannelState",
            "CallerIDNum",
            "Context",
            "Exten",
            "Uniqueid",
            "Linkedid",
            "Application",
            "BridgeId",
        ),
    ),
    "CoreShowChannelsComplete": (ChannelsListed, ()),
    "QueueMember": (ListedMember, ("Queue", "Location", "InCall", "Status", "Paused")),
    "QueueParams": (ListedQueue, ("Queue",)),
    "QueueStatusComplete": (MembersListed, ()),
    "DeviceStateListComplete": (DevicesListed, ()),
    "BridgeListItem": (ListedBridge, ("BridgeUniqueid", "BridgeType", "BridgeTechnology")),
}
"""Per event name its type, and the headers whose values follow ``at``, in the order in which Asterisk writes them."""

DEVICE_EVENTS: Final = frozenset({b"DeviceStateChange"})
"""Frequent, and only of use where a service's operators are known by device rather than by queue."""

WANTED: Final = frozenset(name.encode() for name in SPECS) - DEVICE_EVENTS
"""Names for ``wire.Parser``: every event that ``decode`` knows, but for those of devices."""

NEEDLES: Final = {b"VarSet": b"\r\nVariable: QUEUESTATUS\r\n", b"DialState": b"\r\nDialStatus: PROGRESS"}
"""Of these, only the events holding the given bytes are of use."""
