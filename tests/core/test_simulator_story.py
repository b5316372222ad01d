"""The simulator's stories against what a real Asterisk told in the same situations."""

import gzip
import itertools
from collections import Counter
from pathlib import Path

import pytest

from simulators.ami.demo import OPERATORS, demo_switchboard, traffic
from simulators.ami.event import Event
from simulators.ami.plan import BlindTransfer, Phone, Plan, QueueVisit, Strategy, Voicemail
from simulators.ami.story import story
from simulators.ami.switchboard import Switchboard

RECORDINGS = Path(__file__).parents[1] / "recordings"
STARTS_AT = 1795416378.2
# Not told by a story: noise, or a consequence that only the whole switchboard knows.
IGNORED = frozenset(
    {
        "Cdr", "DeviceStateChange", "ExtensionStatus", "FullyBooted", "NewConnectedLine", "QueueMemberStatus",
        "RTCPReceived", "RTCPSent", "SuccessfulAuth", "TestEvent", "VarSet",
    },
)  # fmt: skip
# Differ from one run of the same call to the next, or with the site's language.
IDENTITIES = ("Uniqueid", "Linkedid", "Language")


def op(number, **behaviour):
    return Phone(interface=f"PJSIP/op{number}", member_name=f"Operateur {number}", **behaviour)


def ring_all(*phones):
    return (QueueVisit(queue="standard", phones=phones, timeout_seconds=90),)


def linear(*phones, **timings):
    return QueueVisit(queue="standard_lin", strategy=Strategy.LINEAR, phones=phones, **timings)


# The plans of the situations that were recorded, as recordings/README.md and the truth files describe them.
PLANS = {
    "a1_queue_ring": Plan(
        caller="0611110001", ddi="0100", queues=ring_all(op(1, answers_at=6), op(2), op(3)), talk_seconds=7
    ),
    "h1_abandon_queue": Plan(caller="0611110001", ddi="0100", queues=ring_all(op(1), op(2), op(3)), patience=7),
    "i3_reject_then_answer": Plan(
        caller="0611110001",
        ddi="0110",
        queues=(linear(op(1, rejects_after=2), op(2, answers_at=4), timeout_seconds=60),),
        talk_seconds=4,
    ),
    "e2_overflow_voicemail": Plan(
        caller="0611110001",
        ddi="0107",
        queues=(
            linear(op(1), op(2), ring_seconds=6, retry_seconds=1, timeout_seconds=8, options="r"),
            QueueVisit(queue="debordement", phones=(op(3),), ring_seconds=10, timeout_seconds=8, options="r"),
        ),
        voicemail=Voicemail(mailbox="9100", seconds=6),
    ),
    "g1_blind_refer": Plan(
        caller="0611110001",
        ddi="0100",
        queues=ring_all(op(1, answers_at=4), op(2), op(3)),
        talk_seconds=7,
        transfer=BlindTransfer(extension="3001", interface="PJSIP/svc1", after=3, answers_after=2),
    ),
}


def recorded(version, situation):
    """The live events of a recording."""
    capture = (RECORDINGS / version / f"{situation}.ami.gz").read_bytes()
    stream = gzip.decompress(capture).decode()
    for message in stream.split("\r\n\r\n"):
        lines = [line.partition(":") for line in message.strip("\r\n").split("\r\n")]
        headers = tuple((name, value.strip()) for name, _, value in lines)
        if headers[0][0] == "Event" and "Privilege" in dict(headers) and headers[0][1] not in IGNORED:
            rest = tuple(header for header in headers[1:] if header[0] not in ("Privilege", "Timestamp"))
            yield Event(headers[0][1], rest)


def told(situation):
    events = story(PLANS[situation], starts_at=STARTS_AT, serials=itertools.count())
    return [event for _, event in events if event.name not in IGNORED]


def names(events):
    return Counter(event.name for event in events)


def header_names(events):
    return Counter((event.name, tuple(name for name, _ in event.headers)) for event in events)


def headers_by_event(events) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for event in events:
        found.setdefault(event.name, set()).update(name for name, _ in event.headers)
    return found


def comparable(event):
    dropped = ("DestChannelState", "DestChannelStateDesc") if event.name == "DialState" else ()
    kept = (pair for pair in event.headers if not pair[0].endswith(IDENTITIES) and pair[0] not in dropped)
    return event.name, tuple(kept)


@pytest.mark.parametrize("version", ["16", "22"])
@pytest.mark.parametrize("situation", PLANS)
def test_a_story_has_the_events_of_the_recorded_call(version, situation):
    assert names(told(situation)) == names(recorded(version, situation))


@pytest.mark.parametrize("situation", PLANS)
def test_every_event_has_the_headers_of_asterisk_22_in_their_order(situation):
    assert header_names(told(situation)) == header_names(recorded("22", situation))


@pytest.mark.parametrize("situation", PLANS)
def test_every_value_but_identities_is_that_of_asterisk_22(situation):
    """DialState's channel state is left out: Asterisk's own topics race there."""
    real = Counter(comparable(event) for event in recorded("22", situation))
    assert Counter(comparable(event) for event in told(situation)) == real


@pytest.mark.parametrize("situation", PLANS)
def test_asterisk_16_has_no_header_that_a_story_lacks(situation):
    """Except ``Cause`` of a caller's BYE, which 22 no longer gives."""
    ours, theirs = headers_by_event(told(situation)), headers_by_event(recorded("16", situation))
    missing = {name: theirs[name] - ours[name] for name in theirs if theirs[name] - ours[name]}
    assert missing in ({}, {"HangupRequest": {"Cause"}})


@pytest.mark.parametrize("situation", PLANS)
def test_offsets_never_go_back(situation):
    offsets = [offset for offset, _ in story(PLANS[situation], starts_at=STARTS_AT, serials=itertools.count())]
    assert offsets == sorted(offsets)
    assert offsets[0] == 0.0


def test_what_always_comes_before_what():
    order = [event.name for event in told("a1_queue_ring")]
    answer = [
        "QueueCallerJoin",
        "AgentCalled",
        "QueueCallerLeave",
        "AgentConnect",
        "BridgeEnter",
        "AgentComplete",
    ]
    assert [name for name in dict.fromkeys(order) if name in answer] == answer
    assert order.index("AgentComplete") < order.index("Hangup", order.index("AgentComplete"))
    ends = [event.get("DialStatus") for event in told("a1_queue_ring") if event.name == "DialEnd"]
    assert ends == ["ANSWER", "CANCEL", "CANCEL", "CANCEL", "CANCEL"]


def test_an_engaged_phone_is_not_rung_before_it_is_free():
    plan = Plan(caller="0199000001", ddi="0102030405", queues=ring_all(op(1, free_at=7, answers_at=9)))
    events = story(plan, starts_at=STARTS_AT, serials=itertools.count())
    begun = next(offset for offset, event in events if event.name == "DialBegin")
    connected = next(offset for offset, event in events if event.name == "AgentConnect")
    assert 7 <= begun < 8.1
    assert connected == pytest.approx(9, abs=0.01)


def test_a_caller_leaves_between_two_rounds():
    queue = QueueVisit(queue="standard", phones=(op(1),), ring_seconds=5, retry_seconds=4)
    plan = Plan(caller="0199000001", ddi="0102030405", queues=(queue,), patience=7)
    events = story(plan, starts_at=STARTS_AT, serials=itertools.count())
    abandoned = next(offset for offset, event in events if event.name == "QueueCallerAbandon")
    assert abandoned == pytest.approx(7, abs=0.01)
    assert names(event for _, event in events)["Hangup"] == 2


def test_the_switchboard_adds_what_a_single_call_cannot_know():
    board = Switchboard({"standard": {"PJSIP/op1": "Camille", "PJSIP/op2": "Inès", "PJSIP/op3": "Ali"}}, booted_at=0.0)
    serials = itertools.count()
    calls = [story(PLANS["h1_abandon_queue"], starts_at=STARTS_AT, serials=serials) for _ in range(2)]
    merged = sorted(itertools.chain(calls[0], ((offset + 1, event) for offset, event in calls[1])), key=_time)
    heard = [event for offset, event in merged for event in board.tell(event, STARTS_AT + offset)]
    joined = [(event.get("Position"), event.get("Count")) for event in heard if event.name == "QueueCallerJoin"]
    left = [
        (event.get("Position"), event.get("OriginalPosition")) for event in heard if event.name == "QueueCallerAbandon"
    ]
    assert joined == [("1", "1"), ("2", "2")]
    assert left == [("1", "1"), ("1", "2")]
    states = [
        event.get("State")
        for event in heard
        if event.name == "DeviceStateChange" and event.get("Device") == "PJSIP/op1"
    ]
    members = [
        event.get("Status")
        for event in heard
        if event.name == "QueueMemberStatus" and event.get("Interface") == "PJSIP/op1"
    ]
    assert (states, members) == (["BUSY", "NOT_INUSE"], ["3", "1"])
    assert (board.channels, board.bridges, board.queues["standard"].abandoned) == ({}, {}, 2)


def _time(told_event):
    return told_event[0]


def first_minutes(seed, seconds=1800):
    return list(itertools.takewhile(lambda told_event: told_event[0] < seconds, traffic(seed, starts_at=STARTS_AT)))


def test_the_demo_is_seeded_and_begins_at_once():
    assert first_minutes(7, 60) == first_minutes(7, 60)
    assert first_minutes(7, 60) != first_minutes(8, 60)
    assert first_minutes(7, 60)[0][0] == 0.0


def test_the_demo_never_rings_an_engaged_operator():
    engaged = set()
    for _, event in first_minutes(3):
        phone = event.get("Channel").rpartition("-")[0]
        if phone in OPERATORS and event.name == "Newchannel":
            assert phone not in engaged
            engaged.add(phone)
        elif phone in OPERATORS and event.name == "Hangup":
            engaged.remove(phone)
    assert names(event for _, event in first_minutes(3))["AgentConnect"] > 100


def test_the_demo_shows_every_kind_of_call():
    events = names(event for _, event in first_minutes(1))
    calls = events["QueueCallerJoin"]
    assert 500 < calls < 700  # one every 3 s for half an hour
    assert 0.75 < events["AgentConnect"] / calls < 0.95
    assert min(events[name] for name in ("BlindTransfer", "AgentRingNoAnswer", "QueueCallerAbandon")) > 5


def test_the_demo_leaves_the_switchboard_consistent():
    board = demo_switchboard(STARTS_AT)
    for moment, event in first_minutes(2, 600):
        board.tell(event, STARTS_AT + moment)
    bridged = {channel.bridge for channel in board.channels.values()} - {""}
    assert bridged <= set(board.bridges)
    assert sum(len(queue.waiting) for queue in board.queues.values()) <= len(board.channels)
    assert sum(queue.completed for queue in board.queues.values()) > 100
