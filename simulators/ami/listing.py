"""The event lists that answer ``CoreShowChannels``, ``Status``, ``BridgeList``, ``QueueStatus`` and the like.

Headers and their order are those of Asterisk 22.10.1; items carry neither ``Privilege`` nor ``Timestamp``, except
``Status`` with its ``Privilege: Call``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from simulators.ami.event import Headers
    from simulators.ami.switchboard import Channel, Queue, Switchboard


def core_show_channels(board: Switchboard, now: float, action_id: Headers) -> list[Headers]:
    """One item per channel."""
    return [
        (
            ("Event", "CoreShowChannel"),
            *action_id,
            *channel.headers,
            ("Application", channel.application),
            ("ApplicationData", channel.data),
            ("Duration", _duration(now - channel.created_at)),
            ("BridgeId", channel.bridge),
        )
        for channel in board.channels.values()
    ]


def status(board: Switchboard, now: float, action_id: Headers) -> list[Headers]:
    """One item per channel, in the wording of ``Status``."""
    return [_status_of(channel, now, action_id) for channel in board.channels.values()]


def _status_of(channel: Channel, now: float, action_id: Headers) -> Headers:
    shown = dict(channel.headers)
    return (
        ("Event", "Status"),
        ("Privilege", "Call"),
        *channel.headers,
        ("Type", "PJSIP"),
        ("DNID", ""),
        ("EffectiveConnectedLineNum", shown["ConnectedLineNum"]),
        ("EffectiveConnectedLineName", shown["ConnectedLineName"]),
        ("TimeToHangup", "0"),
        ("BridgeID", channel.bridge),
        ("Application", channel.application),
        ("Data", channel.data),
        ("Nativeformats", "(alaw)"),
        ("Readformat", "alaw"),
        ("Readtrans", ""),
        ("Writeformat", "alaw"),
        ("Writetrans", ""),
        ("Callgroup", "0"),
        ("Pickupgroup", "0"),
        ("Seconds", str(int(now - channel.created_at))),
        *action_id,
    )


def bridges(board: Switchboard, _now: float, action_id: Headers) -> list[Headers]:
    """One item per bridge."""
    return [(("Event", "BridgeListItem"), *action_id, *headers) for headers in board.bridges.values()]


def device_states(board: Switchboard, _now: float, action_id: Headers) -> list[Headers]:
    """One item per device; the items have the name of the live event."""
    return [
        (("Event", "DeviceStateChange"), *action_id, ("Device", device), ("State", state))
        for device, state in board.devices.items()
    ]


def parked_calls(_board: Switchboard, _now: float, _action_id: Headers) -> list[Headers]:
    """Nobody parks calls here."""
    return []


def queue_status(
    board: Switchboard, now: float, action_id: Headers, *, only: str = "", member: str = ""
) -> list[Headers]:
    """Each queue with its members and waiting callers.

    ``only`` is the one queue to be shown, whatever its case; ``member`` the name or interface of the one member.
    """
    queues = [queue for queue in board.queues.values() if only.lower() in ("", queue.name.lower())]
    return [item for queue in queues for item in _status_of_queue(board, queue, now, action_id, member)]


def _status_of_queue(board: Switchboard, queue: Queue, now: float, action_id: Headers, member: str) -> list[Headers]:
    return [
        (
            ("Event", "QueueParams"),
            ("Queue", queue.name),
            ("Max", "0"),
            ("Strategy", queue.strategy),
            ("Calls", str(len(queue.waiting))),
            ("Holdtime", str(queue.hold_time)),
            ("TalkTime", str(queue.talk_time)),
            ("Completed", str(queue.completed)),
            ("Abandoned", str(queue.abandoned)),
            ("ServiceLevel", "0"),
            ("ServicelevelPerf", "0.0"),
            ("ServicelevelPerf2", "0.0"),
            ("Weight", "0"),
            *action_id,
        ),
        *_members(board, queue, action_id, member),
        *_entries(queue, now, action_id),
    ]


def _members(board: Switchboard, queue: Queue, action_id: Headers, only: str) -> list[Headers]:
    """QueueMember says what QueueMemberStatus says, with two names changed and without ``Ringinuse``."""
    renamed = {"MemberName": "Name", "Interface": "Location"}
    return [
        (
            ("Event", "QueueMember"),
            *(
                (renamed.get(name, name), value)
                for name, value in board.member_status(queue, member)
                if name != "Ringinuse"
            ),
            *action_id,
        )
        for member in queue.members
        if only in ("", member.name, member.interface)
    ]


def _entries(queue: Queue, now: float, action_id: Headers) -> list[Headers]:
    return [
        (
            ("Event", "QueueEntry"),
            ("Queue", queue.name),
            ("Position", str(place)),
            ("Channel", caller.channel),
            ("Uniqueid", caller.uniqueid),
            ("CallerIDNum", caller.number),
            ("CallerIDName", caller.name),
            ("ConnectedLineNum", "unknown"),
            ("ConnectedLineName", "unknown"),
            ("Wait", str(int(now - caller.joined_at))),
            ("Priority", "0"),
            *action_id,
        )
        for place, caller in enumerate(queue.waiting, 1)
    ]


def _duration(seconds: float) -> str:
    whole = int(seconds)
    return f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}"
