"""What the simulated Asterisk knows: channels, bridges, queues, members and devices, learnt from its own events.

Every event passes through :meth:`Switchboard.tell` before it is broadcast, so that answers to actions always agree
with what was told. Consequences that no single call knows are added here, as res_pjsip and app_queue add them:
device states from channels, members' states from devices, positions and counts from the callers waiting.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from simulators.ami.event import Event
from simulators.site import Pattern

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from simulators.ami.event import Headers, Told
    from simulators.site import Site

_CHANNEL_HEADERS = frozenset(
    {
        "Channel", "ChannelState", "ChannelStateDesc", "CallerIDNum", "CallerIDName", "ConnectedLineNum",
        "ConnectedLineName", "Language", "AccountCode", "Context", "Exten", "Priority", "Uniqueid", "Linkedid",
    },
)  # fmt: skip
_STATE_CHANGES = ("Newchannel", "Newstate", "Hangup")
# Every second event is one of these, and the switchboard learns nothing from them.
CHANGES_NOTHING = frozenset({"VarSet"})
_DOWN = "0"  # enum ast_channel_state in include/asterisk/channelstate.h
# Source: enum ast_device_state in Asterisk's include/asterisk/devicestate.h, as QueueMember's Status gives it.
_TAKING_TURNS = (Pattern.QUEUE, Pattern.MENU, Pattern.OVERFLOW)
_DEVICE_STATES = {"NOT_INUSE": "1", "BUSY": "3"}


@dataclass(slots=True)
class Channel:
    """One live channel: the event with its latest snapshot, what it runs, since when (Unix seconds), and its bridge."""

    latest: Told
    created_at: float
    application: str = ""
    data: str = ""
    bridge: str = ""

    @property
    def headers(self) -> Headers:
        """The latest snapshot."""
        return tuple(header for header in self.latest.headers if header[0] in _CHANNEL_HEADERS)


@dataclass(slots=True)
class Member:
    """One member of one queue, with the statistics that app_queue keeps."""

    interface: str
    name: str
    calls_taken: int = 0
    last_call: int = 0
    in_call: bool = False
    last_pause: int = 0
    paused_reason: str | None = None  # None while not paused


@dataclass(slots=True)
class Caller:
    """One caller in a queue."""

    channel: str
    uniqueid: str
    number: str
    name: str
    joined_at: float
    original_position: int


@dataclass(slots=True)
class Queue:
    """One queue: its members, who waits, and its statistics."""

    name: str
    members: list[Member]
    strategy: str = "ringall"
    waiting: list[Caller] = field(default_factory=list)
    completed: int = 0
    abandoned: int = 0
    hold_time: int = 0
    talk_time: int = 0

    def position_of(self, uniqueid: str) -> int:
        """Return the caller's place in the queue, from 1; 0 if the caller is not in it."""
        places = (place for place, caller in enumerate(self.waiting, 1) if caller.uniqueid == uniqueid)
        return next(places, 0)

    def member(self, interface: str) -> Member | None:
        """Return the member with this interface, if there is one."""
        return next((member for member in self.members if member.interface == interface), None)


class Switchboard:
    """The state of one simulated Asterisk."""

    def __init__(
        self,
        queues: dict[str, dict[str, str]],
        *,
        phones: Iterable[str] = (),
        taking_turns: Collection[str] = (),
        booted_at: float,
    ) -> None:
        """Configure the switchboard.

        Args:
            queues: members of each queue: ``{"standard": {"PJSIP/op1": "Camille Durand"}}``.
            phones: further phones, that belong to no queue.
            taking_turns: the queues whose phones ring one after the other (``strategy = rrmemory``).
            booted_at: Unix seconds.
        """
        self._members = queues
        self._strategies = dict.fromkeys(taking_turns, "rrmemory")
        self._phones = {*phones, *(interface for members in queues.values() for interface in members)}
        self.forget(booted_at)

    @classmethod
    def of_site(cls, site: Site, *, booted_at: float) -> Self:
        """Configure the switchboard of a site; its phones are members of queues under their own names."""
        queues = {
            queue: {f"PJSIP/{phone}": phone for phone in phones}
            for line in site.lines
            for queue, phones in zip(line.queues, line.phones, strict=False)
        }
        taking_turns = [queue for line in site.lines if line.pattern in _TAKING_TURNS for queue in line.queues]
        phones = [f"PJSIP/{phone}" for phone in site.phones]
        return cls(queues, phones=phones, taking_turns=taking_turns, booted_at=booted_at)

    def forget(self, booted_at: float) -> None:
        """Start anew, as after a restart: only the configuration remains."""
        self.booted_at = booted_at
        self.processed_calls = 0
        self.channels: dict[str, Channel] = {}
        self.bridges: dict[str, Headers] = {}
        self.devices = dict.fromkeys(sorted(self._phones), "NOT_INUSE")
        self.queues = {
            name: Queue(
                name,
                [Member(interface, title) for interface, title in members.items()],
                self._strategies.get(name, "ringall"),
            )
            for name, members in self._members.items()
        }

    def hang_up_everything(self) -> list[Event]:
        """Return what Asterisk tells of its channels when it is stopped."""
        ended = (("Cause", "0"), ("Cause-txt", "Unknown"))
        newest_first = reversed(self.channels.values())
        return [Event("Hangup", channel.headers + ended) for channel in newest_first]

    @property
    def member_names(self) -> dict[str, str]:
        """The name of each phone (``op1``) as a member of queues."""
        members = (member for queue in self.queues.values() for member in queue.members)
        return {member.interface.partition("/")[2]: member.name for member in members}

    def pause(self, interface: str, now: float, *, paused: bool, reason: str = "") -> list[Event]:
        """Pause a member in all its queues, or let it go on; return what is to be told of it."""
        told = []
        for queue in self.queues.values():
            member = queue.member(interface)
            if member is not None:
                member.paused_reason = reason if paused else None
                member.last_pause = int(now) if paused else member.last_pause
                told.append(Event("QueueMemberPause", self.member_status(queue, member)))
        return told

    @property
    def current_calls(self) -> int:
        """How many channels run a dialplan: the callers', not the phones that are rung for them."""
        latest = (channel.latest for channel in self.channels.values())
        return sum(event.get("Uniqueid") == event.get("Linkedid") for event in latest)

    def tell(self, event: Told, now: float) -> list[Told]:
        """Learn from an event and return what is to be broadcast: the event, completed, and its consequences."""
        if event.name in CHANGES_NOTHING:
            return [event]
        self._learn_channel(event, now)
        if event.name.startswith("Bridge"):
            self._learn_bridge(event)
        queue = self.queues.get(event.get("Queue"))
        told = [event] if queue is None else self._learn_queue(queue, event, now)
        return told + self._device_changes(event) if event.name in _STATE_CHANGES else told

    def _learn_channel(self, event: Told, now: float) -> None:
        uniqueid = event.get("Uniqueid")
        if event.name == "Newchannel":
            self.channels[uniqueid] = Channel(event, now)
            self.processed_calls += event.get("ChannelState") != _DOWN
            return
        channel = self.channels.get(uniqueid)
        if channel is None:
            return
        channel.latest = event
        if event.name == "Newexten":
            channel.application, channel.data = event.get("Application"), event.get("AppData")
        elif event.name == "Hangup":
            del self.channels[uniqueid]

    def _learn_bridge(self, event: Told) -> None:
        bridge = event.get("BridgeUniqueid")
        self.bridges[bridge] = tuple(header for header in event.headers if header[0].startswith("Bridge"))
        channel = self.channels.get(event.get("Uniqueid"))
        if event.name == "BridgeDestroy":
            self.bridges.pop(bridge, None)
        elif channel is not None:
            channel.bridge = bridge if event.name == "BridgeEnter" else ""

    def _learn_queue(self, queue: Queue, event: Told, now: float) -> list[Told]:
        if event.name == "QueueCallerJoin":
            return self._join(queue, event, now)
        if event.name == "QueueCallerAbandon":
            queue.abandoned += 1
            return [self._place(queue, event)]
        if event.name == "QueueCallerLeave":
            return self._leave(queue, event)
        member = queue.member(event.get("Interface"))
        if member is not None and event.name == "AgentConnect":
            member.in_call = True
            queue.hold_time = _average(queue.hold_time, int(event.get("HoldTime")))
        elif member is not None and event.name == "AgentComplete":
            member.in_call, member.last_call = False, int(now)
            member.calls_taken += 1
            queue.completed += 1
            queue.talk_time = _average(queue.talk_time, int(event.get("TalkTime")))
        return [event]

    def _join(self, queue: Queue, event: Told, now: float) -> list[Told]:
        place = len(queue.waiting) + 1
        caller = Caller(
            event.get("Channel"),
            event.get("Uniqueid"),
            event.get("CallerIDNum"),
            event.get("CallerIDName"),
            now,
            place,
        )
        queue.waiting.append(caller)
        joined = event.replaced(Position=str(place), Count=str(place))
        return [*self._device_change(f"Queue:{queue.name}", "RINGING"), joined]

    def _place(self, queue: Queue, event: Told) -> Told:
        place = queue.position_of(event.get("Uniqueid"))
        if place == 0:
            return event
        original = queue.waiting[place - 1].original_position
        return event.replaced(Position=str(place), OriginalPosition=str(original))

    def _leave(self, queue: Queue, event: Told) -> list[Told]:
        left = self._place(queue, event).replaced(Count=str(max(0, len(queue.waiting) - 1)))
        queue.waiting = [caller for caller in queue.waiting if caller.uniqueid != event.get("Uniqueid")]
        emptied = [] if queue.waiting else self._device_change(f"Queue:{queue.name}", "NOT_INUSE")
        return [*emptied, left]

    def _device_changes(self, event: Told) -> list[Told]:
        """Device state of the channel's endpoint, and what it means for the queues that its phone serves."""
        device = event.get("Channel").rpartition("-")[0]
        changed = self._device_change(device, self._device_state(device))
        if not changed:
            return []
        members = [(queue, member) for queue in self.queues.values() if (member := queue.member(device))]
        return changed + [Event("QueueMemberStatus", self.member_status(queue, member)) for queue, member in members]

    def _device_state(self, device: str) -> str:
        """As ``device_state_busy_at = 1`` gives it; a trunk without contacts is UNAVAILABLE while idle."""
        own = (channel.latest for channel in self.channels.values())
        states = [event.get("ChannelState") for event in own if event.get("Channel").rpartition("-")[0] == device]
        engaged = any(state != _DOWN for state in states)
        if device in self._phones:
            return "BUSY" if engaged else "NOT_INUSE"
        return "INUSE" if engaged else "UNAVAILABLE"

    def _device_change(self, device: str, state: str) -> list[Told]:
        if self.devices.get(device) == state:
            return []
        self.devices[device] = state
        return [Event("DeviceStateChange", (("Device", device), ("State", state)))]

    def member_status(self, queue: Queue, member: Member) -> Headers:
        """The headers of ``QueueMemberStatus`` (app_queue.c, ``queue_member_blob_create``)."""
        return (
            ("Queue", queue.name),
            ("MemberName", member.name),
            ("Interface", member.interface),
            ("StateInterface", member.interface),
            ("Membership", "static"),
            ("Penalty", "0"),
            ("CallsTaken", str(member.calls_taken)),
            ("LastCall", str(member.last_call)),
            ("LastPause", str(member.last_pause)),
            ("LoginTime", str(int(self.booted_at))),
            ("InCall", str(int(member.in_call))),
            ("Status", _DEVICE_STATES[self.devices[member.interface]]),
            ("Paused", str(int(member.paused_reason is not None))),
            ("PausedReason", member.paused_reason or ""),
            ("Ringinuse", "0"),
            ("Wrapuptime", "0"),
        )


def _average(before: int, latest: int) -> int:
    """app_queue's running average of hold and talk times (``recalc_holdtime``): three parts old, one part new."""
    return (3 * before + latest) >> 2
