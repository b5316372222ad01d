"""What was seen in part, completed from what Asterisk wrote: never against what was seen, never twice otherwise."""

import gzip
import itertools
from dataclasses import replace
from datetime import UTC
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators.ami.switchboard import Switchboard
from telemon.ami import events as ami
from telemon.ami.decoder import Decoder
from telemon.ami.events import NEEDLES, WANTED
from telemon.ami.wire import Parser
from telemon.instants import SECOND
from telemon.judgement import judge
from telemon.observation import GapCause, Interval, Sight
from telemon.records import (
    AttemptResult,
    CallRecord,
    EndedBy,
    Flag,
    Outcome,
    Provenance,
    RingAttempt,
    ServiceKind,
    Transfer,
    TransferKind,
    TransferResult,
)
from telemon.repair.differences import differences
from telemon.repair.kinds import SourceKind
from telemon.repair.mending import is_complete, mend
from telemon.repair.queue_log import Reader
from telemon.repair.settling import Sightings, Verdict, settle
from telemon.rulesets import load_rulesets
from telemon.services import Numbering
from telemon.tracker import Tracker
from tests.core.test_queue_log import INTERFACES, NAMES, RECORDINGS, recording, rows_of, told_events

T = 1_795_000_000 * SECOND
RULES = [rules for versions in load_rulesets({}).values() for rules in versions]
QUEUE_LOG, CDR, CEL = SourceKind.QUEUE_LOG, SourceKind.CDR, SourceKind.CEL

# The queue_log is wrong about these (see test_queue_log), or about whose phone it was.
UNTRUE = {"restarted", "restarted_talking", "pickup_queue"}
STORIES = [name for name in NAMES if name.partition("/")[2] not in UNTRUE]


# Random gaps in real calls


@cache
def tracked_events(name):
    data = gzip.decompress((RECORDINGS / f"{name}.ami.gz").read_bytes())
    decoder = Decoder()
    messages = Parser(WANTED, NEEDLES, capture=True).receive_data(data)
    decoded = (decoder.decode(message, 0) for message in messages if message.kind == "event")
    return [event for event in decoded if event is not None]


@cache
def written(name):
    reader = Reader("pbx", Numbering(), 5 * SECOND, UTC, interfaces=INTERFACES)
    records = [record for row in rows_of(recording(name)[0]) for record in reader.feed(row)] + reader.finish()
    return {record.call_id: record for record in records}


def seen(name, cut=None, back=None):
    """The calls of a recording, as seen by a telemon whose link was down from ``cut`` to ``back``."""
    tracker, records, events = Tracker("pbx"), [], tracked_events(name)
    records += tracker.feed(ami.ChannelsListed(events[0].at))
    for event in events if cut is None else [event for event in events if event.at <= cut]:
        records += tracker.feed(event)
    if cut is not None:
        tracker.lose_link(cut)
        for event in [*listed(name, back), *(event for event in events if event.at > back)]:
            records += tracker.feed(event)
    records += tracker.give_up()
    return {record.call_id: record for record in records}


def listed(name, at):
    """What Asterisk lists at an instant."""
    board = Switchboard({}, booted_at=0)
    for event, stamp in told_events(name):
        if stamp <= at / SECOND:
            board.tell(event, stamp)
    for bridge, headers in board.bridges.items():
        known = dict(headers)
        if "BridgeType" in known:  # else the board only heard of its merging with another
            yield ami.ListedBridge(at, bridge, known["BridgeType"], known["BridgeTechnology"])
    for uniqueid, channel in board.channels.items():
        known = dict(channel.headers)
        yield ami.ListedChannel(
            at, known["Channel"], int(known["ChannelState"]), known["CallerIDNum"], known["Context"], known["Exten"],
            uniqueid, known["Linkedid"], channel.application, channel.bridge,
        )  # fmt: skip
    yield ami.ChannelsListed(at)


def assert_in_order(call):
    order = [call.arrived_at, call.alerting_at, call.answered_at, call.ended_at]
    known = [at for at in order if at is not None]
    assert known == sorted(known), call
    assert call.ended_by is None or call.ended_at is not None
    assert call.ended_by is not None or Flag.ENDED_IN_GAP in call.flags or call.outcome is Outcome.ANSWERED
    assert (call.outcome is Outcome.ANSWERED) == (call.answered_at is not None) == (call.answered_by is not None)
    assert all(attempt.ring_duration is None or attempt.ring_duration >= 0 for attempt in call.attempts)
    assert call.operator_ring_duration is None or call.operator_ring_duration >= 0
    assert call.operator_up_at is None or call.operator_up_at <= call.answered_at
    assert call.diverted_at is None or call.alerting_at <= call.diverted_at


def assert_as_it_was(mended, whole):
    """Held against the same call seen from beginning to end."""
    assert mended.outcome is whole.outcome
    assert mended.answered_by == whole.answered_by or mended.answered_by.startswith("Local/")
    for name in ("arrived_at", "answered_at", "ended_at"):
        ours, true = getattr(mended, name), getattr(whole, name)
        assert ours is None or near(ours, true), name
    for rules in RULES:
        truth, judged = judge(whole, rules), judge(mended, rules)
        if truth.at_least is None or truth.by_machine or judged.at_least is None:
            continue  # of machines a queue_log knows nothing
        assert judged.at_least <= truth.at_least + 0.01 * SECOND, rules.name
        assert judged.at_most is None or truth.at_least <= judged.at_most + 0.01 * SECOND, rules.name


OF_GAPS = frozenset(flag for flag in Flag if flag.value.endswith("_gap"))


def near(ours, true):
    return abs(ours - true) <= 1.01 * SECOND


@given(st.sampled_from(STORIES), st.floats(-0.1, 1), st.floats(0, 1))
def test_calls_cut_by_any_gap_are_mended_to_what_they_were(name, cut, length):
    events = tracked_events(name)
    begin, end = events[0].at, events[-1].at
    lost = round(begin + cut * (end - begin))
    back = round(min(lost + 1 + length * (end - begin), end + SECOND))
    whole, log = seen(name), written(name)
    left = seen(name, lost, back)
    for call_id, truth in whole.items():
        found = {QUEUE_LOG: log[call_id]} if call_id in log else {}
        live = left.get(call_id)
        if live is None and not found:
            continue
        mended = mend(live, found)
        assert_in_order(mended)
        assert mend(mended, found) == mended
        if not found or (log[call_id].outcome is Outcome.UNKNOWN and mended.outcome is Outcome.UNKNOWN):
            continue
        if mended is live and not OF_GAPS.isdisjoint(live.flags):
            # What was seen stays, and what it may have missed is not hidden.
            assert (
                differences(live, log[call_id]) or live.answered_at is None or near(live.answered_at, truth.answered_at)
            )
            continue
        assert_as_it_was(mended, truth)
        if live is not None:
            assert (mended.provenance is Provenance.REPAIRED) == (mended != live)
        assert is_complete(mended) or log[call_id].ended_at is None


def test_the_gaps_of_that_test_do_leave_something_to_mend():
    """Else it would prove nothing."""
    flags, outcomes = set(), set()
    for name in STORIES:
        events = tracked_events(name)
        begin, length = events[0].at, events[-1].at - events[0].at
        for cut, back in itertools.combinations((-0.1, 0.15, 0.3, 0.5, 0.7, 0.9, 1.1), 2):
            for call in seen(name, round(begin + cut * length), round(begin + back * length)).values():
                flags.update(call.flags)
                outcomes.add(call.outcome)
    assert {Flag.ARRIVED_IN_GAP, Flag.ANSWERED_IN_GAP, Flag.ENDED_IN_GAP} <= flags
    assert {Outcome.UNKNOWN, Outcome.ANSWERED} <= outcomes


# One rule each


def call(**changes):
    """A call of the standard that rang from 0 s, answered at 10 s, over at 60 s."""
    plain = CallRecord(
        call_id="pbx:1795000000.1",
        site="pbx",
        service="standard",
        service_kind=ServiceKind.SWITCHBOARD,
        ddi="0102",
        caller="0611",
        linkedid="1795000000.1",
        arrived_at=T,
        alerting_at=T,
        operator_ringing_at=None,
        operator_up_at=None,
        answered_at=T + 10 * SECOND,
        answered_not_before=None,
        machine_answered_at=None,
        diverted_at=None,
        ended_at=T + 60 * SECOND,
        outcome=Outcome.ANSWERED,
        ended_by=EndedBy.CALLER,
        answered_by="PJSIP/op1",
        queues=("standard",),
        attempts=(),
        transfers=(),
        hold_duration=0,
        hangup_cause=16,
        is_probe=False,
        flags=(),
        provenance=Provenance.LIVE,
    )
    return replace(plain, **changes)


def lost(**changes):
    """The same, lost to sight before the answer."""
    gone = {"answered_at": None, "answered_by": None, "ended_at": None, "ended_by": None, "hangup_cause": None}
    return call(outcome=Outcome.UNKNOWN, flags=(Flag.ENDED_IN_GAP,), **gone, **changes)


def told(**changes):
    """The same, from a source with whole seconds."""
    return call(provenance=Provenance.IMPORTED, **{"flags": (Flag.WHOLE_SECONDS,), **changes})


def left(at, **changes):
    outcome = {"outcome": Outcome.ABANDONED, "answered_at": None, "answered_by": None}
    return told(ended_at=at, **outcome, **changes)


def seconds(at):
    return None if at is None else (at - T) / SECOND


def test_what_was_seen_whole_stays_whatever_the_sources_say():
    whole = call()
    assert mend(whole, {QUEUE_LOG: left(T + 30 * SECOND)}) is whole


def test_without_sources_nothing_changes():
    assert mend(lost(), {}) == lost()


def test_cel_before_cdr_before_queue_log():
    sources = {kind: told(answered_at=T + number * SECOND) for number, kind in enumerate((QUEUE_LOG, CDR, CEL), 11)}
    answers = []
    while sources:
        answers.append(seconds(mend(lost(), sources).answered_at))
        sources.pop(next(kind for kind in (CEL, CDR, QUEUE_LOG) if kind in sources))
    assert answers == [13, 12, 11]


def test_the_order_in_which_sources_are_given_does_not_matter():
    some = {QUEUE_LOG: told(ended_at=None, ended_by=None), CDR: left(T + 40 * SECOND), CEL: told(ddi="")}
    assert len({mend(None, dict(order)) for order in itertools.permutations(some.items())}) == 1
    assert len({mend(lost(), dict(order)) for order in itertools.permutations(some.items())}) == 1


def test_what_the_first_source_does_not_say_the_next_does():
    silent = told(ended_at=None, ended_by=None, ddi="", flags=(Flag.ENDED_IN_GAP,))
    mended = mend(None, {CEL: silent, QUEUE_LOG: told(ddi="0102")})
    assert (mended.ddi, seconds(mended.ended_at), mended.ended_by) == ("0102", 60, EndedBy.CALLER)
    assert Flag.ENDED_IN_GAP not in mended.flags


def test_a_source_that_knows_the_outcome_is_heard_before_one_that_does_not():
    unknown = told(**{name: getattr(lost(), name) for name in ("outcome", "answered_at", "answered_by", "ended_at")})
    unknown = replace(unknown, ended_by=None, flags=(Flag.ENDED_IN_GAP, Flag.WHOLE_SECONDS))
    for live in (None, lost()):
        mended = mend(live, {CEL: unknown, QUEUE_LOG: told()})
        assert (mended.outcome, seconds(mended.answered_at), seconds(mended.ended_at)) == (Outcome.ANSWERED, 10, 60)
    assert mend(lost(), {CEL: unknown}) == lost()


def test_only_a_decisive_instant_makes_a_call_known_to_the_second():
    answered = call(ended_at=None, ended_by=None, flags=(Flag.ENDED_IN_GAP,))
    mended = mend(answered, {QUEUE_LOG: told(ended_at=T + 59 * SECOND)})
    assert (mended.flags, seconds(mended.ended_at), mended.provenance) == ((), 59, Provenance.REPAIRED)
    assert mend(lost(), {QUEUE_LOG: told()}).flags == (Flag.WHOLE_SECONDS,)
    assert mend(lost(), {CEL: told(flags=())}).flags == ()


def test_an_end_before_the_call_was_last_seen_is_not_its_end():
    talking = call(ended_at=None, ended_by=None, flags=(Flag.ENDED_IN_GAP,), answered_at=T + 30 * SECOND)
    assert mend(talking, {QUEUE_LOG: told(ended_at=T + 20 * SECOND)}) is talking
    ringing = lost(attempts=(RingAttempt(operator="PJSIP/op2", started_at=T + 50 * SECOND, ringing_at=None,
                                         ended_at=None, result=AttemptResult.UNKNOWN),))  # fmt: skip
    assert mend(ringing, {QUEUE_LOG: left(T + 20 * SECOND)}) is ringing
    assert mend(ringing, {QUEUE_LOG: told(answered_at=T + 20 * SECOND)}) is ringing


def test_an_abandoned_queue_does_not_end_a_call_that_was_answered():
    talking = call(ended_at=None, ended_by=None, flags=(Flag.ENDED_IN_GAP,))
    assert mend(talking, {QUEUE_LOG: left(T + 20 * SECOND)}) is talking


def test_instants_of_the_source_never_come_before_those_seen():
    ringing = lost(alerting_at=T + 9_700_000, arrived_at=T + 9_600_000)
    mended = mend(ringing, {QUEUE_LOG: told(arrived_at=T + 9 * SECOND, answered_at=T + 9 * SECOND)})
    assert (seconds(mended.arrived_at), seconds(mended.alerting_at), seconds(mended.answered_at)) == (9.6, 9.7, 9.7)


def test_an_answer_in_the_gap_lies_between_its_bounds():
    bracketed = {"answered_at": T + 20 * SECOND, "answered_not_before": T + 8 * SECOND}
    found = call(**bracketed, flags=(Flag.ANSWERED_IN_GAP,))
    mended = mend(found, {QUEUE_LOG: told()})
    assert (seconds(mended.answered_at), mended.answered_not_before) == (10, None)
    assert mended.flags == (Flag.WHOLE_SECONDS,)
    for elsewhere in (T + 5 * SECOND, T + 70 * SECOND):  # before it was seen waiting, after it was seen to end
        assert mend(found, {QUEUE_LOG: told(answered_at=elsewhere, ended_at=T + 99 * SECOND)}) is found


def test_how_short_an_abandon_was_is_decided_with_the_ringing_that_nobody_saw():
    late = {"alerting_at": T + 57 * SECOND, "arrived_at": T, "outcome": Outcome.SHORT_ABANDONED}
    found = call(**late, answered_at=None, answered_by=None, flags=(Flag.ARRIVED_IN_GAP,))
    mended = mend(found, {QUEUE_LOG: left(T + 60 * SECOND)})
    assert (mended.outcome, seconds(mended.alerting_at)) == (Outcome.ABANDONED, 0)


def test_attempts_under_way_are_closed_and_later_ones_added():
    under_way = RingAttempt(
        operator="PJSIP/op1", started_at=T + 1_200_000, ringing_at=T + SECOND * 2, ended_at=None,
        result=AttemptResult.UNKNOWN,
    )  # fmt: skip
    ended = replace(under_way, started_at=T + SECOND, ended_at=T + 4 * SECOND, result=AttemptResult.NO_ANSWER)
    answers = replace(ended, operator="PJSIP/op2", started_at=T + 5 * SECOND, ended_at=T + 10 * SECOND)
    answers = replace(answers, result=AttemptResult.ANSWERED)
    mended = mend(lost(attempts=(under_way,)), {QUEUE_LOG: told(attempts=(ended, answers), answered_by="PJSIP/op2")})
    assert mended.attempts == (replace(under_way, ended_at=T + 4 * SECOND, result=AttemptResult.NO_ANSWER), answers)


def test_a_transfer_under_way_ends_as_the_source_says():
    move = Transfer(kind=TransferKind.BLIND, to="3001", at=T + 20 * SECOND, result=TransferResult.UNKNOWN)
    handed_on = call(ended_at=None, ended_by=None, flags=(Flag.ENDED_IN_GAP,), transfers=(move,))
    reached = replace(move, to="PJSIP/svc1", result=TransferResult.ANSWERED)
    mended = mend(handed_on, {CEL: told(transfers=(reached,))})
    assert mended.transfers == (replace(move, result=TransferResult.ANSWERED),)


def test_where_only_who_hung_up_was_not_seen_the_end_stays():
    end = T + 31 * SECOND
    gone = lost(alerting_at=T + SECOND)
    mended = mend(replace(gone, ended_at=end), {QUEUE_LOG: left(T + 30 * SECOND)})
    assert (mended.outcome, mended.ended_at, mended.ended_by) == (Outcome.ABANDONED, end, EndedBy.CALLER)
    talking = call(ended_at=end, ended_by=None, flags=(Flag.ENDED_IN_GAP,))
    mended = mend(talking, {QUEUE_LOG: told(ended_at=T + 30 * SECOND)})
    assert (mended.ended_at, mended.ended_by, mended.flags) == (end, EndedBy.CALLER, ())


# Differences


def test_what_agrees_to_the_second_is_no_difference():
    shifted = {name: getattr(call(), name) - 900_000 for name in ("arrived_at", "alerting_at", "answered_at")}
    assert differences(call(), told(**shifted)) == []
    assert [found.field for found in differences(call(), told(flags=(), **shifted))] == [*shifted]


@pytest.mark.parametrize(
    ("found", "fields"),
    [
        (left(T + 60 * SECOND), ["outcome", "answered_at"]),
        (told(answered_by="PJSIP/op9"), ["answered_by"]),
        (told(answered_by="Camille Durand"), []),
        (told(ended_at=T + 90 * SECOND), ["ended_at"]),
        (told(ended_at=None, ended_by=None, flags=(Flag.ENDED_IN_GAP, Flag.WHOLE_SECONDS)), []),
        (told(arrived_at=T - 30 * SECOND), ["arrived_at"]),
        (told(outcome=Outcome.UNKNOWN, answered_at=None, ended_at=None), []),
    ],
)
def test_each_difference_is_named(found, fields):
    named = differences(call(), found)
    assert [difference.field for difference in named] == fields
    assert all(difference.live != difference.found for difference in named)


def test_what_fell_into_a_gap_contradicts_nothing():
    flags = (Flag.ARRIVED_IN_GAP, Flag.ANSWERED_IN_GAP, Flag.ENDED_IN_GAP)
    assert differences(call(flags=flags), told(arrived_at=T - 99 * SECOND, answered_at=T, ended_at=T + SECOND)) == []


def test_a_short_abandon_by_a_hair_is_no_difference():
    seen_short = call(outcome=Outcome.SHORT_ABANDONED, answered_at=None, answered_by=None, ended_at=T + 4_900_000)
    assert differences(seen_short, left(T + 5 * SECOND)) == []
    assert [found.field for found in differences(seen_short, left(T + 9 * SECOND))] == ["outcome", "ended_at"]


# What an import does with a call


def sightings(*, now=T + 3600 * SECOND):
    """Watched from -1000 s, not from 100 s to 200 s, and no more after 1000 s."""
    edges = [(-1000, 100, Sight.SEEN, None), (100, 200, Sight.GAP, GapCause.LINK_CUT), (200, 1000, Sight.SEEN, None)]
    intervals = [
        Interval("pbx", T + first * SECOND, T + last * SECOND, sight, cause) for first, last, sight, cause in edges
    ]
    return Sightings(intervals, now, "pbx")


def arriving(at, lasting=20, **changes):
    arrived_at = T + at * SECOND
    times = {"alerting_at": arrived_at, "answered_at": arrived_at + SECOND, "ended_at": arrived_at + lasting * SECOND}
    return told(arrived_at=arrived_at, **times, **changes)


@pytest.mark.parametrize(
    ("at", "lasting", "verdict"),
    [
        (-2000, 20, Verdict.IMPORTED),
        (-500, 20, Verdict.DIFFERING),
        (97, 1, Verdict.DIFFERING),
        (98, 1, Verdict.ADDED),
        (90, 20, Verdict.ADDED),  # it ended in the gap, and went with telemon's memory
        (150, 20, Verdict.ADDED),
        (202, 20, Verdict.ADDED),
        (203, 20, Verdict.DIFFERING),
        (2000, 20, Verdict.ADDED),  # telemon did not run any more
    ],
)
def test_a_call_that_the_ledger_does_not_have_is_added_only_where_nobody_watched(at, lasting, verdict):
    settled = settle(None, None, {QUEUE_LOG: arriving(at, lasting)}, sightings())
    assert settled.verdict is verdict
    provenance = {Verdict.IMPORTED: Provenance.IMPORTED, Verdict.ADDED: Provenance.REPAIRED}.get(verdict)
    assert (settled.row and settled.row.provenance) == provenance


def test_before_any_observation_everything_is_imported():
    settled = settle(None, None, {QUEUE_LOG: arriving(0)}, Sightings([], T, "pbx"))
    assert settled.verdict is Verdict.IMPORTED


def test_a_call_of_no_service_is_never_added_but_may_complete_one():
    nobodys = told(service="")
    assert settle(None, None, {QUEUE_LOG: nobodys}, Sightings([], T, "pbx")).verdict is Verdict.NO_SERVICE
    settled = settle(lost(), None, {QUEUE_LOG: nobodys}, sightings())
    assert settled.row is not None
    assert (settled.verdict, settled.row.service, settled.live) == (Verdict.REPAIRED, "standard", lost())


def test_a_repaired_call_is_repaired_from_what_was_seen_and_not_again():
    first = settle(lost(), None, {QUEUE_LOG: told()}, sightings())
    again = settle(first.row, first.live, {QUEUE_LOG: told()}, sightings())
    assert (again.verdict, again.row) == (Verdict.COMPLETE, None)
    more = {QUEUE_LOG: told(), CEL: told(answered_at=T + 10_400_000, flags=())}
    both = settle(first.row, first.live, more, sightings())
    assert both.row == settle(lost(), None, more, sightings()).row
    assert both.row is not None
    assert seconds(both.row.answered_at) == 10.4


def test_a_call_that_was_seen_after_all_takes_the_place_of_its_repair():
    settled = settle(call(), lost(), {QUEUE_LOG: told()}, sightings())
    assert (settled.verdict, settled.row) == (Verdict.COMPLETE, None)


def test_contradictions_and_ignorance_are_told_apart():
    assert settle(call(), None, {QUEUE_LOG: left(T + 60 * SECOND)}, sightings()).verdict is Verdict.DIFFERING
    assert settle(lost(), None, {}, sightings()).verdict is Verdict.UNKNOWN
