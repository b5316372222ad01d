"""Rows of CEL → the events by which the manager would have told the same.

What is concluded where CEL says nothing is written in ``telemon.repair.cel``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from telemon.ami import events as ami
from telemon.instants import SECOND
from telemon.legs import DOWN, RING, RINGING, UP

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Iterator

    from telemon.instants import Duration, Instant
    from telemon.legs import Leg
    from telemon.records import CallRecord
    from telemon.repair.cel_rows import CelRow
    from telemon.tracker import Tracker

AT_ONCE: Final[Duration] = SECOND // 2
"""Nobody rejects a call so fast, and no network refuses one so slowly."""

_REDIRECTED: Final = frozenset({0, 23})  # ITU-T Q.850: redirection to new destination; what a 302 leaves, but for 16
# As in telemon.outcomes: left by Busy() and Congestion(), but by an earlier dial as well.
_REFUSALS: Final = frozenset({17, 34, 42})
_OF_QUEUES: Final = frozenset({"Queue", "AppQueue"})
_NO_EXTEN: Final = frozenset({"", "s"})
_AFTER_HANGUP: Final = "h"


@dataclass(slots=True)
class _Channel:
    """What rows said of one channel so far."""

    started: CelRow
    linkedid: str
    application: str = ""
    data: str = ""
    told: bool = False  # the tracker knows it
    bridged: bool = False
    up_at: Instant | None = None
    idle_since: Instant | None = None  # no application is known to run
    forwarded_at: Instant | None = None  # a phone that it rang sent it elsewhere
    left_at: Instant | None = None  # its dialplan went on in the extension h
    queue: tuple[str, Instant] | None = None  # which it seems to enter, and when


class Teller:
    """Tell a tracker what happened, row by row.

    ``finished`` are the calls that are over, ``unsure`` the uniqueids of callers of whom no row said who hung up.
    """

    def __init__(self, tracker: Tracker, passed_over: Counter[str]) -> None:
        self.finished: list[CallRecord] = []
        self.unsure: set[str] = set()
        self.whole = False  # the rows know whole seconds only
        self.queues_are_said: bool | None = None  # whether apps of cel.conf names queue; None while none was seen
        self._ends_are_said = False  # events of cel.conf holds APP_END, which its sample leaves out
        self._passed_over = passed_over
        self._tracker = tracker
        self._channels: dict[str, _Channel] = {}
        self._linked: dict[str, dict[str, None]] = {}  # the channels of each linkedid, oldest first
        self._handlers: dict[str, Callable[[_Channel, CelRow], None]] = {
            "ANSWER": self._answer,
            "APP_START": self._application_starts,
            "APP_END": self._application_ends,
            "BRIDGE_ENTER": self._bridge_enter,
            "BRIDGE_EXIT": self._bridge_exit,
            "BLINDTRANSFER": self._blind_transfer,
            "ATTENDEDTRANSFER": self._attended_transfer,
            "PICKUP": self._pickup,
            "FORWARD": self._forward,
            "PARK_START": self._park_start,
            "PARK_END": self._park_end,
            "HANGUP": self._hangup,
            "CHAN_END": self._channel_end,
        }

    def knows(self, event: str) -> bool:
        """Whether this event tells anything."""
        return event == "CHAN_START" or event in self._handlers

    def take(self, row: CelRow) -> None:
        """Take one event."""
        if row.event == "CHAN_START":
            self._channel_start(row)
        else:
            self._about(row)

    def _tell(self, event: Any) -> None:
        self.finished += self._tracker.feed(event)

    def _about(self, row: CelRow) -> None:
        """Take an event of a channel that is known to exist."""
        channel = self._channels.get(row.uniqueid)
        if channel is None:
            self._passed_over["channel that began before"] += row.event == "HANGUP"
            return
        if not channel.told and row.event != "CHAN_END":
            self._tell_of(channel, RING if row.application and row.event != "ANSWER" else DOWN)
        self._follow(channel, row)
        if channel.queue is not None:
            self._consider_queue(channel, row)
        self._handlers[row.event](channel, row)

    # -- channels

    def _channel_start(self, row: CelRow) -> None:
        if row.uniqueid in self._channels:
            return
        channel = self._channels[row.uniqueid] = _Channel(row, row.linkedid)
        self._linked.setdefault(row.linkedid, {})[row.uniqueid] = None
        if row.uniqueid != row.linkedid:
            dialler = self._dialler(row)
            self._tell_of(channel, DOWN)
            self._tell(ami.DialBegin(row.at, dialler, row.channel, row.uniqueid))
        elif row.exten not in _NO_EXTEN or row.channel.startswith("Local/"):
            self._tell_of(channel, RING)
        # Otherwise an originated leg, or an analogue line: whether it runs an application unanswered will tell.

    def _tell_of(self, channel: _Channel, state: int) -> None:
        channel.told = True
        row = channel.started
        self._tell(
            ami.NewChannel(row.at, row.channel, state, row.caller, row.context, row.exten, row.uniqueid, row.linkedid)
        )

    def _dialler(self, row: CelRow) -> str:
        """Return the channel that rings this new one: of the same call, and in no bridge; empty if none is.

        An operator's transfer by keys is dialled by nobody: the caller then is still in the bridge.
        """
        free = [leg for leg in self._legs_of(row.linkedid) if leg.bridge is None and leg.uniqueid != row.uniqueid]
        callers = [leg for leg in free if leg.call is not None]
        far_halves = [leg for leg in free if leg.name.endswith(";2")]
        for leg in (*callers[:1], *far_halves[-1:]):
            channel = self._channels[leg.uniqueid]
            if channel.queue is not None:
                self._joins(channel)
            return leg.uniqueid
        return ""

    def _legs_of(self, linkedid: str) -> Iterator[Leg]:
        for uniqueid in self._linked.get(linkedid, ()):
            leg = self._tracker.switch.legs.get(uniqueid)
            if leg is not None:
                yield leg

    def _follow(self, channel: _Channel, row: CelRow) -> None:
        """Take over what any row says beside its event: linkedid, application."""
        if row.linkedid != channel.linkedid:
            self._linked.get(channel.linkedid, {}).pop(row.uniqueid, None)
            self._linked.setdefault(row.linkedid, {})[row.uniqueid] = None
            channel.linkedid = row.linkedid
            if (leg := self._tracker.switch.legs.get(row.uniqueid)) is not None:
                leg.linkedid = row.linkedid
        if row.exten == _AFTER_HANGUP:
            channel.left_at = channel.left_at or row.at
        elif row.application and row.event != "APP_END" and (row.application, row.data) != (
            channel.application, channel.data
        ):  # fmt: skip
            self._runs(channel, row)

    def _runs(self, channel: _Channel, row: CelRow) -> None:
        """The channel runs an application, whether or not ``apps`` of cel.conf lets it say so."""
        channel.application, channel.data, channel.idle_since = row.application, row.data, None
        if row.application in _OF_QUEUES and not self.queues_are_said:
            self.queues_are_said = row.event == "APP_START"
        self._tell(ami.NewExten(row.at, row.uniqueid, row.application))
        if row.application == "Queue":
            channel.queue = (row.data.partition(",")[0], row.at)

    def _answer(self, channel: _Channel, row: CelRow) -> None:
        channel.up_at = row.at
        self._tell(ami.NewState(row.at, UP, row.uniqueid, row.linkedid))

    def _application_starts(self, _channel: _Channel, _row: CelRow) -> None:
        """All is said in ``_follow``."""

    def _application_ends(self, channel: _Channel, row: CelRow) -> None:
        channel.application, channel.data, channel.idle_since = "", "", row.at
        self._ends_are_said = True

    def _channel_end(self, channel: _Channel, row: CelRow) -> None:
        """The end of a channel whose HANGUP was not written."""
        self.unsure.add(row.uniqueid)
        self._ends(channel, row)

    def _hangup(self, channel: _Channel, row: CelRow) -> None:
        source = row.extra.source
        if source is None:
            self.unsure.add(row.uniqueid)
        elif source == channel.started.channel:
            if self._may_be_refused(channel, row):
                self.unsure.add(row.uniqueid)
            self._leaves(channel, row)
        self._end_attempt(channel, row)
        self._ends(channel, row)

    def _may_be_refused(self, channel: _Channel, row: CelRow) -> bool:
        """Whether Busy() or Congestion() may have run unnamed: of them, Asterisk says the same as of a hang-up."""
        leg = self._tracker.switch.legs.get(row.uniqueid)
        if leg is None or leg.call is None or leg.call.refused or row.extra.cause not in _REFUSALS:
            return False
        if channel.idle_since is None:
            return not self._ends_are_said
        return self.whole or row.at > channel.idle_since

    def _leaves(self, channel: _Channel, row: CelRow) -> None:
        attempt = self._attempt(row)
        if attempt is not None and channel.up_at is None and row.at - attempt.started_at > AT_ONCE:
            self._tell(ami.NewState(row.at, RINGING, row.uniqueid, row.linkedid))
        self._tell(ami.HangupRequest(channel.left_at or row.at, row.uniqueid, row.extra.cause))

    def _end_attempt(self, channel: _Channel, row: CelRow) -> None:
        """Say of a phone that is no longer rung what Dial and Queue would have said."""
        attempt = self._attempt(row)
        if attempt is None or channel.bridged:
            return
        if row.extra.source == channel.started.channel and self._is_forward(row):
            self._tell(ami.DialEnd(row.at, row.uniqueid, forward="elsewhere", status="CANCEL"))
        elif channel.up_at is not None and row.at - channel.up_at > AT_ONCE:
            self._tell(ami.DialEnd(row.at, row.uniqueid, forward="", status="CONTINUE"))

    def _is_forward(self, row: CelRow) -> bool:
        """Whether a phone ended because it had sent its call elsewhere."""
        if row.extra.cause not in _REDIRECTED:
            return False
        told = (self._channels[uniqueid].forwarded_at for uniqueid in self._linked.get(row.linkedid, ()))
        return any(at is not None and 0 <= row.at - at < AT_ONCE for at in told)

    def _forward(self, channel: _Channel, row: CelRow) -> None:
        channel.forwarded_at = row.at

    def _attempt(self, row: CelRow) -> Any:
        leg = self._tracker.switch.legs.get(row.uniqueid)
        return None if leg is None else leg.attempt

    def _ends(self, channel: _Channel, row: CelRow) -> None:
        self._tell(ami.Hangup(row.at, row.uniqueid, row.extra.cause))
        del self._channels[row.uniqueid]
        linked = self._linked.get(channel.linkedid, {})
        linked.pop(row.uniqueid, None)
        if not linked:
            self._linked.pop(channel.linkedid, None)

    # -- queues

    def _consider_queue(self, channel: _Channel, row: CelRow) -> None:
        """Decide whether the queue let the caller in, once the next row of the channel says how long it took."""
        assert channel.queue is not None
        queue, since = channel.queue
        at_once = row.at - since < (2 * SECOND if self.whole else AT_ONCE)
        hung_up = row.event == "HANGUP" and row.extra.source == channel.started.channel
        if not at_once or hung_up:
            self._joins(channel)
        elif row.event in {"APP_END", "HANGUP"} or (channel.application, channel.data.partition(",")[0]) != (
            "Queue",
            queue,
        ):
            channel.queue = None
            self._tell(ami.QueueStatus(row.at, row.uniqueid, "JOINEMPTY"))

    def _joins(self, channel: _Channel) -> None:
        assert channel.queue is not None
        (queue, since), channel.queue = channel.queue, None
        self._tell(ami.QueueJoin(since, channel.started.uniqueid, queue))

    # -- bridges

    def _bridge_enter(self, channel: _Channel, row: CelRow) -> None:
        channel.bridged = True
        bridge = row.extra.bridge or self._bridge_with(row)
        self._tell(ami.BridgeEnter(row.at, bridge, "", row.extra.technology, row.uniqueid, row.linkedid))

    def _bridge_with(self, row: CelRow) -> str:
        """Where ``extra`` is not kept, the peers tell which bridge it is."""
        for leg in self._tracker.switch.legs.values():
            if leg.name in row.peers and leg.bridge is not None:
                return leg.bridge.bridge_id
        return f"of {row.uniqueid} at {row.at}"

    def _bridge_exit(self, _: _Channel, row: CelRow) -> None:
        leg = self._tracker.switch.legs.get(row.uniqueid)
        own = leg.bridge.bridge_id if leg is not None and leg.bridge is not None else ""
        self._tell(ami.BridgeLeave(row.at, row.extra.bridge or own, row.uniqueid))

    # -- what operators do with callers

    def _blind_transfer(self, _: _Channel, row: CelRow) -> None:
        extra = row.extra
        self._tell(ami.BlindTransfer(row.at, "Success", row.uniqueid, extra.transferee, extra.exten))

    def _attended_transfer(self, _: _Channel, row: CelRow) -> None:
        extra = row.extra
        self._tell(
            ami.AttendedTransfer(
                row.at, "Success", row.uniqueid, extra.second, extra.second_bridge, extra.transferee, extra.target
            )
        )

    def _pickup(self, _: _Channel, row: CelRow) -> None:
        self._tell(ami.Pickup(row.at, row.extra.picker, row.uniqueid))

    def _park_start(self, _: _Channel, row: CelRow) -> None:
        self._tell(ami.Parked(row.at, row.uniqueid))

    def _park_end(self, _: _Channel, row: CelRow) -> None:
        if row.extra.reason == "ParkedCallUnparked":
            self._tell(ami.Unparked(row.at, row.uniqueid, row.extra.retriever))
        elif row.extra.reason == "ParkedCallTimeOut":
            self._tell(ami.ParkTimeout(row.at, row.uniqueid))
