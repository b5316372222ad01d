"""What every story needs: a clock of its own, the caller's channel, and the sentences about one channel."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from simulators.ami.event import Event, Headers
from simulators.ami.legs import DOWN, RING, Bridge, Leg, hangup_headers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from simulators.ami.plan import Plan

_SECOND = 1_000_000
# Between two events of one burst; a real Asterisk 22 takes 0.2 to 1 ms.
_STEP = 300


class Teller:
    """Keeps the story so far: the clock, the caller's channel, and the events already told.

    The clock counts whole microseconds since the call's arrival, so that a story is the same on every machine.
    """

    def __init__(self, plan: Plan, starts_at: float, serials: Iterator[int]) -> None:
        self.plan = plan
        self.told: list[tuple[float, Event]] = []
        self._starts_at = round(starts_at * _SECOND)
        self._serials = serials
        self._clock = 0
        self.caller = self.new_leg(plan.trunk, RING, plan.caller, plan.context, plan.ddi)

    @property
    def now(self) -> float:
        """Seconds since the call's arrival."""
        return self._clock / _SECOND

    @property
    def epoch(self) -> int:
        """The whole Unix second, in which Asterisk counts hold, ring and talk times."""
        return (self._starts_at + self._clock) // _SECOND

    def wait_until(self, seconds: float) -> None:
        """Move the clock forward to this many seconds after the arrival; never back."""
        self._clock = max(self._clock, round(seconds * _SECOND))

    def say(self, name: str, *parts: Headers) -> None:
        """Tell one event, made of these runs of headers."""
        self.told.append((self.now, Event(name, tuple(header for part in parts for header in part))))
        self._clock += _STEP

    def new_leg(self, interface: str, state: int, number: str, context: str, exten: str) -> Leg:
        """Name a new channel as chan_pjsip does: the endpoint and eight hexadecimal digits; nothing is told yet."""
        serial = next(self._serials)
        uniqueid = f"{self.epoch}.{serial}"
        return Leg(
            channel=f"{interface}-{serial:08x}",
            state=state,
            number=number,
            context=context,
            exten=exten,
            uniqueid=uniqueid,
            linkedid=uniqueid,
        )

    def new_phone(self, interface: str) -> Leg:
        """Create the channel to a phone and tell of it."""
        number = interface.partition("/")[2]
        leg = self.new_leg(interface, DOWN, number, "from-internal", "s")
        leg.name, leg.linkedid = number, self.caller.linkedid
        self.say("Newchannel", leg.headers())
        return leg

    def change_state(self, leg: Leg, state: int) -> None:
        """Tell that the channel rings or is up."""
        leg.state = state
        self.say("Newstate", leg.headers())

    def run_application(self, leg: Leg, application: str, data: str) -> None:
        """Tell that the dialplan, or the dialling application, runs an application on the channel."""
        running: Headers = (("Extension", leg.exten), ("Application", application), ("AppData", data))
        self.say("Newexten", leg.headers(), running)

    def next_priority(self, application: str, data: str) -> None:
        """Go on in the caller's dialplan."""
        self.caller.priority += 1
        self.run_application(self.caller, application, data)

    def connect_line(self, leg: Leg, other: Leg) -> None:
        """Show ``other`` as the connected line of the channel, and say so if that is news."""
        before = leg.connected_number
        leg.connect_to(other)
        if leg.connected_number != before:
            self.say("NewConnectedLine", leg.headers())

    def about(self, leg: Leg) -> Headers:
        """The caller's channel and another one's as destination."""
        return self.caller.headers() + leg.headers("Dest")

    def dial_end(self, leg: Leg, status: str) -> None:
        """Tell how dialling this phone ended: ANSWER, NOANSWER, CANCEL."""
        self.say("DialEnd", self.about(leg), (("DialStatus", status),))

    def hang_up(self, leg: Leg, cause: int, sip_status: int | None = None) -> None:
        """Tell that the channel is gone."""
        self.say("Hangup", leg.headers(), hangup_headers(cause, sip_status))

    def build_bridge(self, *legs: Leg) -> Bridge:
        """Create a bridge and let the channels enter it, in this order."""
        identity = f"{self.caller.uniqueid}/{len(self.told)}"
        bridge = Bridge(str(uuid.uuid5(uuid.NAMESPACE_OID, identity)))
        self.say("BridgeCreate", bridge.headers())
        for leg in legs:
            bridge.members.append(leg)
            self.say("BridgeEnter", bridge.headers(), leg.headers())
        return bridge

    def leave_bridge(self, bridge: Bridge, leg: Leg) -> None:
        """Let one channel leave; the last one out closes the bridge."""
        bridge.members.remove(leg)
        self.say("BridgeLeave", bridge.headers(), leg.headers())
        if not bridge.members:
            self.say("BridgeDestroy", bridge.headers())
