"""Lists of channels: what is true after a gap, and what no event ever announced."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from telemon.ami import events as ami
from telemon.applications import DIALLED, RINGING_FOR
from telemon.attempts import Attempt
from telemon.instants import parse_stamp
from telemon.legs import Leg
from telemon.records import Flag

if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Set as AbstractSet

    from telemon.instants import Instant
    from telemon.tracker import Tracker

_MISSES_TO_FORGET: Final = 2  # a list may cross with a Hangup on the wire; two lists cannot


class Census:
    """Hold what the tracker believes against what Asterisk lists.

    ``unannounced`` counts the channels that two lists in a row showed and no event: the manager's user may not see
    them. ``missed`` counts the channels whose beginning or end no event told, though nothing seemed to be wrong.
    """

    def __init__(self, tracker: Tracker) -> None:
        self.unannounced = 0
        self.missed = 0
        self._tracker = tracker
        self._switch = tracker.switch
        self._listed: dict[str, ami.ListedChannel] = {}
        self._listed_bridges: dict[str, ami.ListedBridge] = {}
        self._strangers: frozenset[str] = frozenset()
        self._known_strangers: frozenset[str] = frozenset()

    @property
    def handlers(self) -> dict[type, Callable[[Any], None]]:
        """What to do with each event of a list."""
        return {
            ami.ListedBridge: self._listed_bridge,
            ami.ListedChannel: self._listed_channel,
            ami.ChannelsListed: self._channels_listed,
        }

    @property
    def is_empty(self) -> bool:
        """Whether no list is under way."""
        return not self._listed and not self._listed_bridges

    def begin_again(self) -> None:
        """Drop a list that will never be complete."""
        self._listed.clear()
        self._listed_bridges.clear()

    def _listed_bridge(self, event: ami.ListedBridge) -> None:
        self._listed_bridges[event.bridge] = event
        if event.bridge in self._switch.bridges:
            self._switch.bridge(event.bridge, event.bridge_type, event.technology)

    def _listed_channel(self, event: ami.ListedChannel) -> None:
        self._listed[event.uniqueid] = event

    def _channels_listed(self, event: ami.ChannelsListed) -> None:
        listed, self._listed = self._listed, {}
        bridges, self._listed_bridges = self._listed_bridges, {}
        gap, self._tracker.blind_since = self._tracker.blind_since, None
        for leg in list(self._switch.legs.values()):
            leg.misses = 0 if leg.uniqueid in listed else leg.misses + 1
            if leg.misses >= (_MISSES_TO_FORGET if gap is None else 1):
                self._tracker.gone_unseen(leg)
                self.missed += gap is None
        if gap is None:
            self._look_for_strangers(listed.keys() - self._switch.legs.keys())
            return
        self._tracker.sighted_at = event.at
        self._strangers = self._known_strangers = frozenset()
        for line in listed.values():
            if line.uniqueid not in self._tracker.gone:  # the list may cross with its Hangup on the wire
                self._found(line, gap, event.at, bridges.get(line.bridge))
        self._find_attempts(gap)
        for call in list(self._tracker.calls.values()):
            if Flag.ARRIVED_IN_GAP not in call.flags:
                call.flags.add(Flag.SEEN_THROUGH_GAP)
            self._tracker.look_for_answers(call.leg, event.at, not_before=max(gap, call.arrived_at))

    def _look_for_strangers(self, strangers: AbstractSet[str]) -> None:
        twice = self._strangers & strangers
        self.unannounced = len(twice)
        self.missed += len(twice - self._known_strangers)
        self._strangers, self._known_strangers = frozenset(strangers), frozenset(twice)

    def _found(self, line: ami.ListedChannel, gap: Instant, at: Instant, bridge: ami.ListedBridge | None) -> None:
        """Bring one leg up to date with what the list says of it."""
        leg = self._switch.legs.get(line.uniqueid)
        if leg is None:
            leg = Leg(line.uniqueid, line.channel, line.linkedid, line.state, line.context)
            self._switch.add(leg)
            if line.uniqueid == line.linkedid and not leg.is_local:
                self._found_caller(leg, line, max(gap, _second_of(line.uniqueid) or at), at)
        call = leg.call
        if (
            call is not None
            and call.alerting_at is None
            and call.service is not None
            and line.application in RINGING_FOR
        ):
            call.alert(at)
            call.flags.add(Flag.ALERTED_IN_GAP)
        leg.state = line.state
        leg.linkedid = line.linkedid
        leg.application = line.application
        if bridge is not None:
            self._switch.enter(leg, self._switch.bridge(bridge.bridge, bridge.bridge_type, bridge.technology))
        elif line.bridge:
            self._switch.enter(leg, self._switch.bridge(line.bridge))
        else:
            self._switch.leave(leg)

    def _found_caller(self, leg: Leg, line: ami.ListedChannel, created_at: Instant, at: Instant) -> None:
        """A caller who arrived unseen: after the gap began, and in the second that the uniqueid names."""
        call = self._tracker.caller_arrives(leg, line.exten, line.caller, min(created_at, at or created_at))
        call.flags.add(Flag.ARRIVED_IN_GAP)
        if line.application in RINGING_FOR and call.service is not None:
            call.alert(call.arrived_at)

    def _find_attempts(self, gap: Instant) -> None:
        """Phones that began to be rung while nobody watched: for whom the linkedid tells, since when the uniqueid."""
        calls = {call.leg.linkedid: call for call in self._tracker.calls.values()}
        for leg in self._switch.legs.values():
            call = calls.get(leg.linkedid)
            if call is None or leg.application not in DIALLED or leg.is_local or leg.attempt is not None:
                continue
            if self._tracker.numbering.is_machine(leg.interface):
                continue
            started_at = max(call.arrived_at, gap, _second_of(leg.uniqueid) or 0)
            leg.attempt = Attempt(leg.interface, started_at)
            call.rings(leg.attempt)


def _second_of(uniqueid: str) -> Instant | None:
    """Return the second in which a channel was created: its uniqueid holds it (``systemname-seconds.serial``)."""
    return parse_stamp(uniqueid.rpartition("-")[2].partition(".")[0])
