"""What one PBX tells, handed on to those whom it concerns; and the things that somebody must know of."""

from dataclasses import replace
from zoneinfo import ZoneInfo

import pytest

from telemon.ami import events as ami
from telemon.ami.wire import Message
from telemon.duty.conditions import Condition, ConditionKind, Conditions, Key
from telemon.duty.watch import CRISIS_LINE, DeviceNews, DutyWatch
from telemon.duty_records import Coverage
from telemon.night_switch import Accord, NightSwitch
from telemon.observation import GapCause
from telemon.observer import Observer
from telemon.opening import ALWAYS, parse_hours
from telemon.permanence.cover import Permanence
from telemon.permanence.reachability import PermanenceRules
from telemon.probes.pursuit import KEY_DEVICE
from telemon.records import Outcome, ServiceKind
from telemon.services import Numbering, Service
from telemon.tracker import Tracker
from tests.core.permanence_kit import at, call

OPEN = parse_hours(ALWAYS, ZoneInfo("Europe/Paris"))
NIGHT = Service(name="permanence", kind=ServiceKind.PERMANENCE, queues=("permanence",))
DAY = Service(name="standard", ddis=("0100",), queues=("standard",), hours=OPEN, outside_hours="permanence")


class Pbx:
    """One PBX with a permanence, and an observer of it."""

    def __init__(self, day=DAY, *, rules=None):
        self.services = (day, NIGHT)
        patterns = (CRISIS_LINE, KEY_DEVICE, "PJSIP/duty")
        self.observer = Observer("pbx", Tracker("site", Numbering(services=self.services)), patterns)
        self.rules = rules or PermanenceRules(service=NIGHT)
        self.watch = self.watching()

    def watching(self, rules=None):
        permanence = Permanence("site", "", rules or self.rules, self.observer.board)
        return DutyWatch({"permanence": permanence}, {"standard": NightSwitch(self.services[0])}, self.services)

    def tell(self, second, name, **headers):
        lines = [f"Event: {name}", f"Timestamp: {at(second) / 1e6:.6f}", *(f"{k}: {v}" for k, v in headers.items())]
        self.observer.take([Message("event", name, "\r\n".join(lines).encode())], at(second))

    def device(self, second, name, state):
        self.tell(second, "DeviceStateChange", Device=name, State=state)

    def member(self, second, status=1, name="QueueMemberStatus"):
        self.tell(second, name, Queue="permanence", Interface="PJSIP/duty", Location="PJSIP/duty", InCall=0,
                  Status=status, Paused=0)  # fmt: skip

    def take_stock(self, second, status=1):
        self.observer.keep_time(at(second), at(second))
        self.tell(second, "CoreShowChannelsComplete")
        self.member(second, status, "QueueMember")
        self.tell(second, "QueueStatusComplete")
        self.tell(second, "DeviceStateListComplete")

    def stored(self, second, *, everything=False):
        told = self.watch.to_store(at(second), everything=everything)
        return [(one.started_at, one.ended_at, one.state) for one in told]


@pytest.fixture
def pbx():
    pbx = Pbx()
    pbx.observer.attend(pbx.watch, at(-1))
    pbx.take_stock(0)
    return pbx


def test_cover_is_known_once_all_lists_are_complete_and_no_sooner(pbx):
    pbx.watch.advance(at(5))
    assert pbx.stored(5) == [(at(0), at(5), Coverage.COVERED)]
    assert pbx.stored(6) == []
    assert pbx.stored(7, everything=True) == [(at(0), at(7), Coverage.COVERED)]


def test_whoever_attends_late_knows_what_was_heard_before():
    pbx = Pbx()
    pbx.take_stock(0)
    pbx.device(1, CRISIS_LINE, "INUSE")
    pbx.observer.attend(pbx.watch, at(2))
    assert pbx.watch.line_opened_at == at(2)
    assert pbx.stored(3) == [(at(2), at(3), Coverage.COVERED)]


def test_a_fall_of_the_link_makes_it_unknown_and_forgets_what_is_true_only_now(pbx):
    pbx.device(1, CRISIS_LINE, "INUSE")
    pbx.device(2, CRISIS_LINE, "INUSE")
    assert pbx.watch.line_opened_at == at(1)
    pbx.observer.lose(at(10), GapCause.LINK_CUT)
    assert pbx.watch.line_opened_at is None
    pbx.take_stock(20, status=5)
    assert pbx.stored(25) == [
        (at(0), at(10), Coverage.COVERED),
        (at(10), at(20), Coverage.UNKNOWN),
        (at(20), at(25), Coverage.UNCOVERED),
    ]


def test_the_crisis_line_closes_again_and_the_key_is_news_once(pbx):
    pbx.device(1, CRISIS_LINE, "INUSE")
    pbx.device(2, CRISIS_LINE, "NOT_INUSE")
    assert pbx.watch.line_opened_at is None
    pbx.device(3, KEY_DEVICE, "INUSE")
    assert pbx.watch.take_news() == [DeviceNews(at(3), KEY_DEVICE, "INUSE")]
    assert pbx.watch.take_news() == []


@pytest.mark.parametrize(
    ("change", "state"),
    [
        ({"queues": ("standard",)}, Accord.AGREES),
        ({"queues": ("permanence", "standard")}, Accord.DISAGREES),
        ({"outcome": Outcome.CLOSED, "queues": ()}, Accord.DISAGREES),
        ({"queues": ("elsewhere",)}, Accord.UNKNOWN),
        ({"queues": ()}, Accord.UNKNOWN),
    ],
)
def test_where_a_call_is_led_shows_whether_the_night_switch_agrees(pbx, change, state):
    switch = pbx.watch.switches["standard"]
    switch.judge(at(0))
    pbx.watch.finished([replace(call(1, 5, service="standard"), **change)])
    assert switch.judge(at(6)).state is state


def test_an_entry_of_the_database_tells_and_so_does_its_absence():
    pbx = Pbx(replace(DAY, night_switch="db:telemon/hours"))
    pbx.observer.attend(pbx.watch, at(0))
    assert pbx.observer.switch_keys == (("telemon", "hours"),)
    switch = pbx.watch.switches["standard"]
    pbx.tell(1, "DBGetResponse", Family="telemon", Key="hours", Val="closed")
    assert switch.judge(at(2)).state is Accord.DISAGREES
    pbx.observer.miss_entry("telemon", "hours", at(3))
    assert switch.judge(at(4)).state is Accord.UNKNOWN


def test_under_another_configuration_cover_goes_on_and_one_that_is_gone_ends(pbx):
    pbx.member(5, status=2)
    stricter = PermanenceRules(service=NIGHT, in_call_limit=1)
    pbx.watch.reconfigure(pbx.watching(stricter), pbx.observer.board, at(10))
    pbx.watch.reconfigure(DutyWatch({}, {}, pbx.services), pbx.observer.board, at(20))
    assert pbx.stored(30) == [
        (at(0), at(10), Coverage.COVERED),
        (at(10), at(20), Coverage.UNCOVERED),
        (at(20), at(30), Coverage.UNKNOWN),
    ]


def test_lost_events_take_back_what_was_told_of_that_time(pbx):
    pbx.watch.doubt(at(3), at(4))
    assert pbx.stored(5) == [
        (at(0), at(3), Coverage.COVERED),
        (at(3), at(4), Coverage.UNKNOWN),
        (at(4), at(5), Coverage.COVERED),
    ]


def test_a_device_state_that_is_listed_is_heard_as_one_that_changes():
    pbx = Pbx()
    pbx.watch.hear(ami.DeviceState(at(1), CRISIS_LINE, "INUSE"))
    assert pbx.watch.line_opened_at == at(1)


def test_each_condition_is_told_once_as_it_begins_and_once_as_it_ends():
    conditions, key = Conditions(), Key(ConditionKind.UNCOVERED, "permanence")
    assert conditions.update(at(0), {}) == ([], [])
    assert conditions.update(at(1), {key: "paused"}) == ([Condition(key, at(1), "paused")], [])
    assert conditions.update(at(2), {key: "gone"}) == ([], [])
    assert conditions.active == (Condition(key, at(1), "gone"),)
    assert conditions.update(at(3), {}) == ([], [Condition(key, at(1), "gone")])
    assert not conditions.active
