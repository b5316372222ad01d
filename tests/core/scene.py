"""A stage for stories told in events: one PBX, its channels, and a clock in seconds."""

from telemon.ami import events as ami
from telemon.instants import SECOND
from telemon.tracker import Tracker

START = 1_795_000_000 * SECOND
MILLISECOND = 1_000
TRUNK = "from-trunk"
PHONES = "from-internal"


class Scene:
    """Feed a tracker. ``at(seconds)`` sets the clock; each event comes a millisecond after the one before."""

    def __init__(self, numbering=None):
        self.tracker = Tracker("pbx", numbering)
        self.records = []
        self.now = START
        self.serial = 0
        self.tell(ami.ChannelsListed)

    def at(self, seconds):
        self.now = START + round(seconds * SECOND)
        return self

    def tell(self, kind, **fields):
        self.records += self.tracker.feed(kind(at=self.now, **fields))
        self.now += MILLISECOND

    def channel(self, uniqueid, interface, *, state=0, exten="s", context=PHONES, caller="", linkedid=""):
        self.serial += 1
        name = interface if ";" in interface else f"{interface}-{self.serial:08x}"
        self.tell(
            ami.NewChannel,
            channel=name,
            state=state,
            caller=caller,
            context=context,
            exten=exten,
            uniqueid=uniqueid,
            linkedid=linkedid or uniqueid,
        )

    def caller(self, uniqueid="1795000000.0", ddi="0100", number="0611110001", context=TRUNK):
        self.channel(uniqueid, "PJSIP/trunk", state=4, exten=ddi, context=context, caller=number)
        return uniqueid

    def phone_calls(self, uniqueid, interface, exten):
        self.channel(uniqueid, interface, state=4, exten=exten, caller=interface)
        return uniqueid

    def runs(self, uniqueid, application):
        self.tell(ami.NewExten, uniqueid=uniqueid, application=application)

    def joins(self, uniqueid, queue="standard"):
        self.tell(ami.QueueJoin, uniqueid=uniqueid, queue=queue)

    def dials(self, source, uniqueid, interface, *, ringing=True, new=True):
        """Ring a phone for a leg; a dead one (``ringing=False``) is dialled and never says anything."""
        if new:
            self.channel(uniqueid, interface, linkedid=source)
        self.tell(ami.DialBegin, uniqueid=source, dest_channel=f"{interface}-{self.serial:08x}", dest_uniqueid=uniqueid)
        if ringing:
            self.state(uniqueid, 5)
        return uniqueid

    def state(self, uniqueid, state):
        self.tell(ami.NewState, state=state, uniqueid=uniqueid, linkedid=uniqueid)

    def up(self, uniqueid):
        self.state(uniqueid, 6)

    def dial_ends(self, uniqueid, status):
        self.tell(ami.DialEnd, dest_uniqueid=uniqueid, forward="", status=status)

    def bridge(self, bridge, *uniqueids, kind="basic", technology="simple_bridge"):
        for uniqueid in uniqueids:
            self.tell(
                ami.BridgeEnter, bridge=bridge, bridge_type=kind, technology=technology, uniqueid=uniqueid, linkedid=""
            )

    def leaves(self, bridge, *uniqueids):
        for uniqueid in uniqueids:
            self.tell(ami.BridgeLeave, bridge=bridge, uniqueid=uniqueid)

    def answers(self, caller, phone, bridge="b1"):
        """A rung phone is lifted, and both are joined."""
        self.up(phone)
        self.dial_ends(phone, "ANSWER")
        self.up(caller)
        self.bridge(bridge, phone, caller)

    def hangs_up(self, *uniqueids, cause=16):
        """The far end hangs up its own line."""
        for uniqueid in uniqueids:
            self.tell(ami.HangupRequest, uniqueid=uniqueid, cause=cause)
            self.ends(uniqueid, cause=cause)

    def ends(self, *uniqueids, cause=16):
        """The switchboard ends a line."""
        for uniqueid in uniqueids:
            self.tell(ami.Hangup, uniqueid=uniqueid, cause=cause)

    def listed(self, uniqueid, interface, *, state=6, context=TRUNK, exten="0100", application="", bridge="", serial=9):
        self.tell(
            ami.ListedChannel,
            channel=f"{interface}-{serial:08x}",
            state=state,
            caller="0611110001",
            context=context,
            exten=exten,
            uniqueid=uniqueid,
            linkedid=uniqueid,
            application=application,
            bridge=bridge,
        )

    def list_ends(self):
        self.tell(ami.ChannelsListed)

    def answered_call(self, phone="op1", seconds=4):
        """The usual beginning: a caller in the queue, answered by one phone."""
        caller = self.caller()
        self.runs(caller, "Queue")
        self.joins(caller)
        self.dials(caller, phone, f"PJSIP/{phone}")
        self.at(seconds)
        self.answers(caller, phone)
        return caller

    def only(self):
        """The one call that is over, nothing else being left of it."""
        (record,) = self.records
        assert not self.tracker.calls
        return record


def seconds(duration):
    """Whole tenths of a second: the milliseconds between the events of one moment do not matter."""
    return None if duration is None else round(duration / SECOND, 1)


def since_start(instant):
    return None if instant is None else seconds(instant - START)
