"""What an observer declares of its own sight: clocks that were set, events that never came."""

import pytest

from telemon.ami.wire import Message
from telemon.instants import SECOND
from telemon.observation import GapCause, Sight
from telemon.observer import Observer
from telemon.records import Flag
from telemon.services import Numbering, Service
from telemon.tracker import Tracker

START = 1_795_000_000 * SECOND
HOUR = 3600
SERVICE = Service(name="standard", ddis=("0100",), queues=("standard",))


class Stage:
    """Tell an observer events. Our clock goes on evenly (``at``), whatever is done to the PBX's (``step``)."""

    def __init__(self):
        self.observer = Observer("pbx", Tracker("site", Numbering(services=(SERVICE,))), clock_tolerance=SECOND)
        self.records = []
        self.ours = START
        self.ahead = 0
        for second in (-7230, -7220, -7210, -7200):
            self.at(second).ping()
        self.list_channels()

    def at(self, second):
        self.ours = START + second * SECOND
        return self

    def step(self, seconds):
        self.ahead += seconds * SECOND

    def tell(self, name, **headers):
        stamp = f"{(self.ours + self.ahead) / SECOND:.6f}"
        lines = [f"Event: {name}", f"Timestamp: {stamp}", *(f"{key}: {value}" for key, value in headers.items())]
        self.take("\r\n".join(lines), name)

    def ping(self):
        self.observer.keep_time(self.ours + self.ahead, self.ours)

    def take(self, text, name):
        self.records += self.observer.take([Message("event", name, text.encode())], self.ours)

    def list_channels(self, *uniqueids):
        for uniqueid in uniqueids:
            self.take(
                f"Event: CoreShowChannel\r\nUniqueid: {uniqueid}\r\nLinkedid: {uniqueid}\r\nChannel: PJSIP/trunk-1\r\n"
                "ChannelState: 4\r\nContext: from-trunk\r\nExten: 0100\r\nApplication: Queue",
                "CoreShowChannel",
            )
        self.take("Event: CoreShowChannelsComplete", "CoreShowChannelsComplete")

    def arrives(self, uniqueid="1795000000.1"):
        self.tell("Newchannel", Channel="PJSIP/trunk-1", ChannelState=4, CallerIDNum="0611", Context="from-trunk",
                  Exten="0100", Uniqueid=uniqueid, Linkedid=uniqueid)  # fmt: skip

    def leaves(self, uniqueid="1795000000.1"):
        self.tell("Hangup", Channel="PJSIP/trunk-1", Uniqueid=uniqueid, Cause=16)

    def gaps(self):
        """Return the gaps that are over, in seconds since the start."""
        return [
            (round((one.started_at - START) / SECOND), round((one.ended_at - START) / SECOND), one.cause)
            for one in self.observer.watch.take_changed()
            if one.sight is Sight.GAP and one.ended_at is not None
        ]


@pytest.mark.parametrize(("by", "gap"), [(HOUR, (20, HOUR + 20)), (-HOUR, (20 - HOUR, 5))])
def test_a_clock_set_by_an_hour_is_a_gap_and_flags_the_calls_under_way(by, gap):
    stage = Stage()
    stage.at(5).arrives()
    stage.step(by)
    stage.at(20).leaves()
    stage.at(2 * HOUR).ping()
    assert stage.gaps() == [(*gap, GapCause.CLOCK_STEPPED)]
    (record,) = stage.records
    assert record.flags == (Flag.CLOCK_STEPPED,)
    assert record.ended_at >= record.arrived_at
    assert stage.observer.steps == 1
    assert not stage.observer.watch.is_blind


@pytest.mark.parametrize("by", [HOUR, -HOUR])
def test_a_call_that_outlasts_the_step_is_flagged_and_one_that_begins_after_it_is_not(by):
    stage = Stage()
    stage.at(5).arrives("1795000005.1")
    stage.step(by)
    stage.at(10).ping()
    stage.at(11).arrives("1795000011.2")
    stage.at(20).leaves("1795000005.1")
    stage.at(21).leaves("1795000011.2")
    stepped, later = stage.records
    assert (stepped.flags, later.flags) == ((Flag.CLOCK_STEPPED,), ())
    assert stepped.wait_duration >= 0
    assert later.wait_duration == 10 * SECOND


def test_while_a_time_comes_a_second_time_nothing_is_seen_for_sure():
    stage = Stage()
    stage.at(0).ping()
    stage.step(-HOUR)
    stage.at(10).ping()
    stage.list_channels()
    assert stage.observer.watch.is_blind
    stage.at(HOUR - 1).ping()
    assert stage.observer.watch.is_blind
    stage.at(HOUR + 1).ping()
    assert not stage.observer.watch.is_blind


def test_a_link_that_falls_while_a_time_comes_again_must_stand_before_anything_is_seen():
    stage = Stage()
    stage.at(0).ping()
    stage.step(-HOUR)
    stage.at(10).ping()
    stage.observer.lose(START + (20 - HOUR) * SECOND, GapCause.LINK_CUT)
    stage.at(HOUR + 1).ping()
    assert stage.observer.watch.is_blind
    stage.at(HOUR + 5).list_channels()
    current = stage.observer.watch.current
    assert current is not None
    assert current.started_at == START + SECOND  # when the list was asked for, by the PBX
    assert current.sight is Sight.SEEN


def test_a_hangup_that_never_came_makes_the_time_between_the_lists_a_gap():
    stage = Stage()
    stage.at(5).arrives()
    for second, uniqueids in ((100, ["1795000000.1"]), (200, []), (300, [])):
        stage.at(second).ping()
        stage.list_channels(*uniqueids)
    assert stage.gaps() == [(100, 200, GapCause.EVENTS_DROPPED)]
    assert not stage.observer.watch.is_blind
    assert stage.records[0].flags == (Flag.ENDED_IN_GAP,)


def test_a_call_that_no_event_announced_is_a_gap_once_and_not_at_every_list():
    stage = Stage()
    for second in (100, 200, 300, 400):
        stage.at(second).ping()
        stage.list_channels(*(["1795000150.7"] if second > 150 else []))
    assert stage.gaps() == [(100, 200, GapCause.EVENTS_DROPPED)]


@pytest.mark.parametrize(("uptime", "cause"), [(5, GapCause.PBX_DOWN), (100, GapCause.LINK_CUT)])
def test_a_pbx_that_started_in_the_gap_was_down(uptime, cause):
    stage = Stage()
    stage.at(10).observer.lose(START + 10 * SECOND, GapCause.LINK_CUT)
    stage.at(40).take(f"Event: FullyBooted\r\nUptime: {uptime}", "FullyBooted")
    stage.ping()
    stage.list_channels()
    assert stage.gaps() == [(10, 40, cause)]


def test_what_was_reached_is_told_in_the_time_of_the_pbx_alone():
    stage = Stage()
    stage.step(-HOUR * 24 * 365)
    observer = Observer("pbx", Tracker("site"))
    stage.observer = observer
    stage.at(0).take("Event: FullyBooted\r\nUptime: 5", "FullyBooted")
    assert observer.reached is None
    stage.at(1).ping()
    assert observer.reached == START + SECOND - HOUR * 24 * 365 * SECOND
