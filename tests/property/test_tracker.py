"""The tracker is total: lost, doubled and disordered events never break it, nor what its records say."""

import random
from itertools import combinations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telemon.ami import events as ami
from tests.property.recorded import NAMES, assert_sound, events_of, renamed, tracked

seeds = st.integers(0, 1 << 32).map(random.Random)
rates = st.sampled_from([0.0, 0.02, 0.1, 0.4])


def disturbed(events, chance, *, dropped, doubled, moved, reach):
    """Drop, double and displace events; a displaced one lands up to ``reach`` places away."""
    placed = []
    for place, event in enumerate(events):
        if chance.random() < dropped:
            continue
        for _ in range(1 + (chance.random() < doubled)):
            displacement = chance.uniform(-reach, reach) if chance.random() < moved else 0
            placed.append((place + displacement, event))
    return [event for _, event in sorted(placed, key=lambda pair: pair[0])]


@pytest.mark.parametrize("reach", [3, 30, 1000], ids=["near", "far", "anywhere"])
@settings(max_examples=500, deadline=None)
@given(name=st.sampled_from(NAMES), chance=seeds, dropped=rates, doubled=rates, moved=rates)
def test_lost_doubled_and_disordered_events_never_break_it(reach, name, chance, dropped, doubled, moved):
    events = disturbed(events_of(name), chance, dropped=dropped, doubled=doubled, moved=moved, reach=reach)
    assert_sound(tracked(events))


@settings(max_examples=400, deadline=None)
@given(first=st.sampled_from(NAMES), second=st.sampled_from(NAMES), chance=seeds, rate=rates, lag=st.integers(-9, 9))
def test_two_pbx_stories_at_once_do_not_disturb_each_other(first, second, chance, rate, lag):
    one = events_of(first)
    shift = one[-1].at - events_of(second)[-1].at + lag * 1_000_000
    other = [renamed(event, "b", shift) for event in events_of(second)]
    together = sorted([*one, *other], key=lambda event: event.at)
    assert_sound(tracked(disturbed(together, chance, dropped=rate, doubled=rate, moved=rate, reach=5)))


instants = st.integers(0, 60).map(lambda second: 1_795_000_000_000_000 + second * 500_000)
CALLER, SECOND_CALLER = "1795000000.0", "pbx-1795000002.3"
uniqueids = st.sampled_from([CALLER, CALLER, "1795000000.1", "1795000001.2", SECOND_CALLER, ""])
channels = st.sampled_from([
    "PJSIP/trunk-00000000", "PJSIP/op1-00000001", "PJSIP/op2-00000002",
    "Local/1@x-00000000;1", "Local/1@x-00000000;2", "",
])  # fmt: skip
fields = {
    "at": instants,
    "channel": channels,
    "new_name": channels,
    "dest_channel": channels,
    "retriever_channel": channels,
    "state": st.sampled_from([0, 3, 4, 4, 4, 5, 6, 7]),
    "context": st.sampled_from(["from-trunk", "from-internal", ""]),
    "exten": st.sampled_from(["0100", "s", ""]),
    "caller": st.sampled_from(["0611", ""]),
    "application": st.sampled_from(["Queue", "Dial", "VoiceMail", "Playback", "Busy", "Ringing", ""]),
    "cause": st.sampled_from([0, 1, 16, 17, 127]),
    "status": st.sampled_from(["ANSWER", "NOANSWER", "BUSY", "CANCEL", "CONTINUE", "TIMEOUT", "JOINEMPTY", ""]),
    "forward": st.sampled_from(["", "Local/1@x"]),
    "bridge": st.sampled_from(["b1", "b2", ""]),
    "second_bridge": st.sampled_from(["b1", ""]),
    "bridge_type": st.sampled_from(["basic", "parking"]),
    "technology": st.sampled_from(["simple_bridge", "holding_bridge"]),
    "queue": st.sampled_from(["q1", "q2"]),
    "hold_seconds": st.integers(0, 20),
    "talk_seconds": st.integers(0, 20),
    "result": st.sampled_from(["Success", "Fail"]),
}
KINDS: list[Any] = [
    ami.NewChannel, ami.NewState, ami.NewExten, ami.Rename, ami.HangupRequest, ami.Hangup, ami.DialBegin,
    ami.DialProgress, ami.DialEnd, ami.BridgeEnter, ami.BridgeLeave, ami.QueueJoin, ami.QueueStatus, ami.AgentConnect,
    ami.AgentComplete, ami.Hold, ami.Unhold, ami.BlindTransfer, ami.AttendedTransfer, ami.Pickup, ami.Parked,
    ami.Unparked, ami.ParkTimeout, ami.ListedChannel, ami.ListedBridge, ami.ChannelsListed,
]  # fmt: skip
anything = st.one_of(
    [st.builds(kind, **{field: fields.get(field, uniqueids) for field in kind._fields}) for kind in KINDS]
)


def story(at, uniqueid):
    """A caller in a queue, and a phone that rings and answers: what the senseless events then disturb."""
    phone = uniqueid + "1"
    return [
        ami.NewChannel(at, "PJSIP/trunk-0", 4, "0611", "from-trunk", "0100", uniqueid, uniqueid),
        ami.QueueJoin(at + 1, uniqueid, "q1"),
        ami.NewChannel(at + 2, "PJSIP/op1-1", 0, "op1", "from-internal", "s", phone, uniqueid),
        ami.DialBegin(at + 3, uniqueid, "PJSIP/op1-1", phone),
        ami.NewState(at + 4, 5, phone, uniqueid),
        ami.BridgeEnter(at + 4_000_000, "b1", "basic", "simple_bridge", phone, uniqueid),
        ami.BridgeEnter(at + 4_000_001, "b1", "basic", "simple_bridge", uniqueid, uniqueid),
        ami.HangupRequest(at + 9_000_000, uniqueid, 16),
        ami.Hangup(at + 9_000_001, phone, 16),
        ami.Hangup(at + 9_000_001, uniqueid, 16),
    ]


stories = st.builds(story, instants, st.sampled_from([CALLER, SECOND_CALLER]))


@settings(max_examples=1000, deadline=None)
@given(sense=st.lists(stories, max_size=2), nonsense=st.lists(anything, min_size=5, max_size=60), chance=seeds)
def test_events_that_make_no_sense_never_break_it(sense, nonsense, chance):
    streams = [list(stream) for stream in [*sense, nonsense]]
    events = []
    while streams := [stream for stream in streams if stream]:
        events.append(chance.choice(streams).pop(0))
    assert_sound(tracked(events))


# -- orders that Asterisk really shows


STAMPED = [name for name in NAMES if "no_timestamps" not in name]


def is_state(state):
    return lambda event: isinstance(event, ami.NewState) and event.state == state


def is_a(*kinds):
    return lambda event: isinstance(event, kinds)


BOTH_ORDERS = {
    "agent connect, caller up": (is_a(ami.AgentConnect), is_state(6)),
    "dial end, caller up": (is_a(ami.DialEnd), is_state(6)),
    "bridge leave, agent complete": (is_a(ami.BridgeLeave), is_a(ami.AgentComplete)),
    "transfer, bridge leave": (is_a(ami.BlindTransfer), is_a(ami.BridgeLeave)),
    "attended transfer, bridge leave": (is_a(ami.AttendedTransfer), is_a(ami.BridgeLeave)),
    "parked, bridge leave": (is_a(ami.Parked), is_a(ami.BridgeLeave)),
    "phone's hang-up, caller's": (is_a(ami.Hangup), is_a(ami.Hangup)),
    "queue join, transfer": (is_a(ami.QueueJoin), is_a(ami.BlindTransfer)),
    "phone ringing, dial begin": (is_state(5), is_a(ami.DialBegin)),
}
CLOSE = 5_000  # µs: what happened at once may be told in either order


def subjects(event):
    """The channels that an event is about: what concerns one channel keeps its order."""
    return {getattr(event, field, "") for field in ("uniqueid", "dest_uniqueid")} - {""}


def may_cross(moved, passed):
    return not any(subjects(moved) & subjects(event) or isinstance(event, ami.NewChannel) for event in passed)


def swapped(events, one, other):
    """Every stream in which one such pair of neighbouring moments is told the other way round."""
    for i, j in combinations(range(len(events)), 2):
        first, second, between = events[i], events[j], events[i + 1 : j]
        paired = (one(first) and other(second)) or (other(first) and one(second))
        if not paired or abs(first.at - second.at) > CLOSE or first == second:
            continue
        if may_cross(first, between):
            yield [*events[:i], *between, second, first, *events[j + 1 :]]
        if may_cross(second, between):
            yield [*events[:i], second, first, *between, *events[j + 1 :]]


def essence(records):
    return [
        (
            record.call_id,
            record.outcome,
            record.answered_by,
            record.ended_by,
            record.machine_answered_at is None,
            sorted((attempt.operator, attempt.result) for attempt in record.attempts),
            [(transfer.kind, transfer.to, transfer.result) for transfer in record.transfers],
        )
        for record in sorted(records, key=lambda record: record.call_id)
    ]


def times(records):
    return [
        instant
        for record in sorted(records, key=lambda record: record.call_id)
        for instant in (record.arrived_at, record.alerting_at, record.answered_at, record.diverted_at, record.ended_at)
    ]


@pytest.mark.parametrize("pair", BOTH_ORDERS)
def test_either_order_that_asterisk_shows_tells_the_same_story(pair):
    tried = 0
    for name in STAMPED:
        events = events_of(name)
        expected = tracked(events)
        for variant in swapped(events, *BOTH_ORDERS[pair]):
            tried += 1
            records = tracked(variant)
            assert essence(records) == essence(expected), name
            for instant, reference in zip(times(records), times(expected), strict=True):
                assert (instant is None) == (reference is None), name
                assert instant is None or abs(instant - reference) <= 50_000, name
    assert tried
