"""Events of one PBX → calls: which event means which fact about which call.

Pure: every event carries its instant. ``Tracker.feed`` takes events in the order of arrival and returns the calls that
are over. Asterisk does not fix the order across topics (channel, dial, bridge, queue), so each handler asks what is
true now rather than what came just before.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Final

from telemon.ami import events as ami
from telemon.applications import REACHING, REFUSING, SPEAKING
from telemon.attempts import Attempt
from telemon.calls import AFTER_ANSWER, Call, Phase
from telemon.census import Census
from telemon.handovers import Desk
from telemon.instants import SECOND
from telemon.legs import BUSY, RING, RINGING, UP, Leg, Switch
from telemon.records import CallRecord, Flag, Provenance, TransferKind
from telemon.services import EVERYTHING, Numbering

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from telemon.instants import Duration, Instant

DEFAULT_SHORT_ABANDON: Final = 5 * SECOND

_UNALLOCATED: Final = 1  # Q.850: the number dialled does not exist
_REQUEST_LEADS: Final = SECOND  # by how much a HangupRequest may come before its Hangup, at most, and have been missed
_FOUND: Final = frozenset({Flag.ARRIVED_IN_GAP, Flag.SEEN_THROUGH_GAP})  # by the list after a gap
_GONE_REMEMBERED: Final = 4096  # a uniqueid is never used again, but a list may still show one that just hung up


class Tracker:
    """Follow every call of one PBX.

    Args:
        site: prefix of each ``call_id``.
        numbering: which channels are callers, and of which service.
        short_abandon: below this ring duration an abandoned call is ``short_abandoned``.
        provenance: stamped on each record.
    """

    def __init__(
        self,
        site: str,
        numbering: Numbering | None = None,
        *,
        short_abandon: Duration = DEFAULT_SHORT_ABANDON,
        provenance: Provenance = Provenance.LIVE,
    ) -> None:
        self.site = site
        self.numbering = numbering or Numbering()
        self.calls: dict[str, Call] = {}  # by the uniqueid of the caller's leg
        self.switch = Switch()
        self.stamped = True  # set to False while events come without Asterisk's own time
        self.blind_since: Instant | None = 0  # nothing was watched before the first snapshot
        self.sighted_at: Instant | None = None  # when the last gap ended
        self._desk = Desk(self.switch, self.calls, self.numbering)
        self.short_abandon = short_abandon
        self._provenance = provenance
        self._orphans: dict[str, list[Leg]] = {}  # legs dialled by a Local half that nobody is known to dial yet
        self.gone: OrderedDict[str, None] = OrderedDict()  # the last legs forgotten, oldest first
        self.census = Census(self)
        self._finished: list[CallRecord] = []
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
            ami.NewChannel: self._new_channel,
            ami.NewState: self._new_state,
            ami.NewExten: self._new_exten,
            ami.Rename: self._rename,
            ami.HangupRequest: self._hangup_request,
            ami.Hangup: self._hangup,
            ami.DialBegin: self._dial_begin,
            ami.DialProgress: self._dial_progress,
            ami.DialEnd: self._dial_end,
            ami.BridgeEnter: self._bridge_enter,
            ami.BridgeLeave: self._bridge_leave,
            ami.QueueJoin: self._queue_join,
            ami.QueueStatus: self._queue_status,
            ami.AgentConnect: self._agent_connect,
            ami.AgentComplete: self._agent_connect,
            **self.census.handlers,
            **self._desk.handlers,
        }

    def feed(self, event: Any) -> list[CallRecord]:
        """Take one event (of ``telemon.ami.events``) and return the calls that it ended."""
        handler = self._handlers.get(type(event))
        if handler is not None:
            handler(event)
            if self._finished:
                return self._take_finished()
        return []

    def lose_link(self, at: Instant) -> None:
        """Nothing is seen from now on; ends at the next complete list of channels."""
        if self.blind_since is None:
            self.blind_since = at
        self.census.begin_again()

    def give_up(self) -> list[CallRecord]:
        """Close what is still open, as not seen to the end (a capture that stops, a daemon that ends)."""
        for call in list(self.calls.values()):
            call.lose_sight()
            self._finish(call)
        return self._take_finished()

    def reconfigure(self, numbering: Numbering, short_abandon: Duration) -> None:
        """Go on under another configuration; a call of a service that is no longer configured keeps the old one."""
        self.numbering = self._desk.numbering = numbering
        self.short_abandon = short_abandon
        services = {service.name: service for service in numbering.services}
        for call in self.calls.values():
            if call.service is not None:
                call.service = services.get(call.service.name, call.service)

    def flag_open_calls(self, flag: Flag) -> None:
        """Mark every call under way."""
        for call in self.calls.values():
            call.flags.add(flag)

    def open_calls(self) -> Iterable[Call]:
        """Return the calls under way that belong to a service."""
        return (call for call in self.calls.values() if call.service is not None)

    def _take_finished(self) -> list[CallRecord]:
        finished, self._finished = self._finished, []
        return finished

    def _finish(self, call: Call) -> None:
        del self.calls[call.leg.uniqueid]
        call.leg.call = None
        if call.service is None or self._is_unallocated(call):
            return
        self._finished.append(call.record(self.short_abandon, self._provenance))

    @staticmethod
    def _is_unallocated(call: Call) -> bool:
        """Whether the dialplan itself said that this DDI does not exist, and the site named no DDIs of its own."""
        return call.service is EVERYTHING and call.hangup_cause == _UNALLOCATED and call.reached_nobody

    # -- channels

    def _new_channel(self, event: ami.NewChannel) -> None:
        if event.uniqueid in self.switch.legs or event.uniqueid in self.gone or not event.uniqueid:
            return
        leg = Leg(event.uniqueid, event.channel, event.linkedid, event.state, event.context)
        self.switch.add(leg)
        if event.state == RING and event.uniqueid == event.linkedid and not leg.is_local:
            self.caller_arrives(leg, event.exten, event.caller, event.at)

    def caller_arrives(self, leg: Leg, ddi: str, caller: str, at: Instant) -> Call:
        """Open a call; one from a phone, or to no known service, stays unnamed until it enters a service's queue."""
        inbound = self.numbering.is_inbound(leg.context)
        service = self.numbering.service_dialled(leg.context, ddi) if inbound else None
        call = Call(site=self.site, leg=leg, service=service, ddi=ddi, caller=caller, at=at)
        call.closed = service is not None and not service.is_open(at)
        call.is_probe = caller in self.numbering.probe_callers
        if not inbound:
            call.flags.add(Flag.INTERNAL)
        if not self.stamped:
            call.flags.add(Flag.NO_TIMESTAMPS)
        leg.call = call
        self.calls[leg.uniqueid] = call
        return call

    def _new_state(self, event: ami.NewState) -> None:
        leg = self.switch.legs.get(event.uniqueid)
        if leg is None:
            return
        leg.state = event.state
        if event.state == RINGING:
            if leg.ringing_at is None:
                leg.ringing_at = event.at
            if leg.attempt is not None and leg.attempt.ringing_at is None:
                leg.attempt.ringing_at = event.at
        elif event.state == UP:
            self._leg_up(leg, event.at)
        elif event.state == BUSY and leg.call is not None:
            leg.call.refused = True

    def _leg_up(self, leg: Leg, at: Instant) -> None:
        if leg.up_at is None:
            leg.up_at = at
        if leg.attempt is not None and leg.attempt.up_at is None:
            leg.attempt.up_at = at
        call = leg.call
        if call is None or call.phase in AFTER_ANSWER or leg.application in REACHING:
            return
        if leg.application not in SPEAKING and any(a.up_at is not None or a.picked_up for a in call.attempts):
            return  # an application that tells nothing (FollowMe, Stasis, none seen), and a phone is up: it is for that
        call.machine_answers(at)
        call.machine_takes(at)

    def _new_exten(self, event: ami.NewExten) -> None:
        leg = self.switch.legs.get(event.uniqueid)
        if leg is None:
            return
        leg.application = event.application
        call = leg.call
        if call is None or leg.left_cause is not None:
            return  # what the dialplan does after the caller left (``h``) concerns nobody
        if event.application == "Ringing" and call.service is not None:
            call.alert(event.at)
        elif event.application in REFUSING:
            call.refused = True
        elif event.application in SPEAKING and leg.state == UP:
            since = _unexplained_up(leg, call) or event.at
            call.machine_answers(since)
            call.machine_takes(since)

    def _rename(self, event: ami.Rename) -> None:
        leg = self.switch.legs.get(event.uniqueid)
        if leg is not None:
            self.switch.rename(leg, event.new_name)

    def _hangup_request(self, event: ami.HangupRequest) -> None:
        leg = self.switch.legs.get(event.uniqueid)
        if leg is None:
            return
        if leg.left_cause is None:
            leg.left_cause = event.cause
        if leg.call is not None and not leg.call.refused:
            # After Busy() or Congestion() Asterisk reports a request too, though the caller only heard the tone.
            leg.call.leave(event.at)
        if leg.attempt is not None:
            self._refuse(leg.attempt, leg)

    @staticmethod
    def _refuse(attempt: Attempt, leg: Leg) -> None:
        """The phone itself refused; a queue may have called that a NOANSWER already."""
        if leg.left_cause is not None and leg.up_at is None and attempt.status in ("", "NOANSWER"):
            attempt.refused = True
            attempt.cause = leg.left_cause

    def _hangup(self, event: ami.Hangup) -> None:
        leg = self.switch.legs.get(event.uniqueid)
        if leg is None:
            return
        attempt = leg.attempt
        if attempt is not None:
            attempt.cause = attempt.cause or event.cause
            if attempt.ended_at is None and not attempt.lost:
                attempt.ended_at = event.at
        if leg.call is not None:
            leg.call.ender_unseen = self._request_missed(leg.call, event.at)
            leg.call.end(event.at, event.cause)
            self._finish(leg.call)
        else:
            for call in self._desk.callers_with(leg):
                call.resume(event.at, leg.uniqueid)
        self._forget(leg)

    def _request_missed(self, call: Call, at: Instant) -> bool:
        """Whether the word that the caller hung up may lie in a gap that the hang-up itself came just after."""
        if self.blind_since is not None:
            return call.arrived_at < self.blind_since  # heard before the list that ends the gap is complete
        found = not _FOUND.isdisjoint(call.flags)
        return found and self.sighted_at is not None and abs(at - self.sighted_at) < _REQUEST_LEADS

    def _forget(self, leg: Leg) -> None:
        self._orphans.pop(leg.uniqueid, None)
        self.switch.remove(leg)
        self.gone[leg.uniqueid] = None
        if len(self.gone) > _GONE_REMEMBERED:
            self.gone.popitem(last=False)

    # -- dials and queues

    def _dial_begin(self, event: ami.DialBegin) -> None:
        leg = self.switch.legs.get(event.dest_uniqueid)
        source = self.switch.legs.get(event.uniqueid)
        if leg is None or source is None or leg.call is not None:
            return
        leg.dialled_by = event.uniqueid
        if source.call is not None and source.call.phase is Phase.ANSWERED:
            # The caller's own channel dials after the answer: somebody or something moved it.
            source.call.hand_on(TransferKind.REDIRECT, "", event.at)
        call = self.switch.call_rung_by(source)
        if call is None:
            self._orphans.setdefault(source.uniqueid, []).append(leg)
        else:
            self._ring(call, leg, event.at)

    def _ring(self, call: Call, leg: Leg, at: Instant) -> None:
        """A leg is rung for this call: an attempt, unless it is only the wiring towards one."""
        if self.numbering.is_machine(leg.interface):
            return
        call.alert(at, by_dial=True)
        if leg.is_local:
            half = self.switch.other_half(leg)
            for orphan in self._orphans.pop(half.uniqueid, ()) if half is not None else ():
                self._ring(call, orphan, at)
        elif leg.attempt is None:
            leg.attempt = Attempt(leg.interface, at)
            leg.attempt.ringing_at = leg.ringing_at
            self._refuse(leg.attempt, leg)  # a refusal may overtake the DialBegin
            call.rings(leg.attempt)

    def _dial_progress(self, event: ami.DialProgress) -> None:
        leg = self.switch.legs.get(event.dest_uniqueid)
        if leg is not None and leg.attempt is not None and leg.attempt.ringing_at is None:
            leg.attempt.ringing_at = event.at

    def _dial_end(self, event: ami.DialEnd) -> None:
        leg = self.switch.legs.get(event.dest_uniqueid)
        attempt = leg.attempt if leg is not None else None
        if attempt is None or attempt.ended_at is not None:
            return
        attempt.ended_at = event.at
        attempt.status = event.status
        attempt.forwarded = bool(event.forward)

    def _queue_join(self, event: ami.QueueJoin) -> None:
        leg = self.switch.legs.get(event.uniqueid)
        call = self.switch.call_rung_by(leg) if leg is not None else None
        if leg is None or call is None:
            return
        service = self.numbering.service_of_queue(event.queue)
        if call.service is None and service is not None:
            call.service = service
            call.closed = not service.is_open(call.arrived_at)
        if leg is call.leg and call.phase is Phase.ANSWERED:
            call.hand_on(TransferKind.REDIRECT, event.queue, event.at)
        call.queues.append(event.queue)
        call.queued_at = event.at
        if service is not None or (call.service is not None and not call.service.queues):
            call.alert(event.at)  # a service that names no queues has all that its DDIs lead to

    def _queue_status(self, event: ami.QueueStatus) -> None:
        call = self.calls.get(event.uniqueid)
        if call is not None:
            call.queue_status = event.status

    def _agent_connect(self, event: ami.AgentConnect | ami.AgentComplete) -> None:
        call = self.calls.get(event.uniqueid)
        if call is not None and event.queue in ("", *call.queues[-1:]):  # of a queue joined unseen, no join is known
            call.queue_held(event.hold_seconds * SECOND)

    # -- bridges

    def _bridge_enter(self, event: ami.BridgeEnter) -> None:
        leg = self.switch.legs.get(event.uniqueid)
        if leg is None:
            return
        leg.linkedid = event.linkedid or leg.linkedid
        bridge = self.switch.bridge(event.bridge, event.bridge_type, event.technology)
        self.switch.enter(leg, bridge)
        if not bridge.holding and len(bridge.legs) > 1:
            self.look_for_answers(leg, event.at)

    def look_for_answers(self, leg: Leg, at: Instant, not_before: Instant | None = None) -> None:
        """Whoever now hears an operator is answered."""
        joined = self.switch.joined(leg)
        for caller in joined:
            call = caller.call
            if call is None or call.service is None or call.left_at is not None or len(joined) == 1:
                continue  # who hung up in the instant of the answer is bridged, but no longer there
            if call.bridged_at is None:
                call.bridged_at = at
            operators = self._desk.operators_among(joined, caller)
            if operators:
                call.join(operators, at, not_before=not_before)

    def _bridge_leave(self, event: ami.BridgeLeave) -> None:
        leg = self.switch.legs.get(event.uniqueid)
        if leg is not None and leg.bridge is not None and leg.bridge.bridge_id == event.bridge:
            self.switch.leave(leg)

    def gone_unseen(self, leg: Leg) -> None:
        """A leg is gone, and nobody saw how."""
        if leg.attempt is not None and leg.attempt.ended_at is None:
            leg.attempt.lost = True
        if leg.call is not None:
            leg.call.lose_sight()
            self._finish(leg.call)
        self._forget(leg)


def _unexplained_up(leg: Leg, call: Call) -> Instant | None:
    """When the line went up for no phone, in a queue or dial that a redirect had ended without a word."""
    explained = call.machine_answered_at is not None or any(attempt.up_at is not None for attempt in call.attempts)
    return None if explained else leg.up_at
