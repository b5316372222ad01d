"""What the tracker makes of what it did not see: gaps, lost hang-ups, restarts."""

import pytest

from telemon.ami import events as ami
from telemon.judgement import judge
from telemon.records import EndedBy, Flag, Outcome
from telemon.rulesets import load_rulesets
from tests.core.scene import Scene, seconds, since_start

RULES = load_rulesets()["qualipref"][-1]


def test_a_hang_up_that_never_came_is_made_up_for_by_the_second_list_without_the_channel():
    scene = Scene()
    scene.answered_call()
    scene.at(60).list_ends()
    assert scene.records == []  # one list may have crossed with the Hangup
    scene.at(120).list_ends()
    record = scene.only()
    assert (record.outcome, record.ended_at, record.talk_duration) == (Outcome.ANSWERED, None, None)
    assert Flag.ENDED_IN_GAP in record.flags
    assert not scene.tracker.switch.legs


@pytest.mark.parametrize("application", ["Queue", "Dial"])
def test_a_caller_who_arrived_unseen_and_is_still_waiting_is_dated_by_the_uniqueid(application):
    scene = Scene()
    scene.tracker.lose_link(scene.at(10).now)
    scene.at(30).listed("pbx-1795000020.7", "PJSIP/trunk", state=4, application=application)
    scene.list_ends()
    scene.at(32).dials("pbx-1795000020.7", "op1", "PJSIP/op1")
    scene.at(36).answers("pbx-1795000020.7", "op1")
    scene.at(40).hangs_up("pbx-1795000020.7")
    record = scene.only()
    assert (record.outcome, record.flags) == (Outcome.ANSWERED, (Flag.ARRIVED_IN_GAP,))
    assert since_start(record.arrived_at) == since_start(record.alerting_at) == 20
    assert seconds(record.ring_duration) == 16


def test_a_list_that_crosses_with_a_hang_up_does_not_bring_the_call_back():
    scene = Scene()
    caller = scene.answered_call()
    scene.tracker.lose_link(scene.at(10).now)
    scene.at(20).listed(caller, "PJSIP/trunk", application="Queue", bridge="b1")
    scene.hangs_up(caller)
    scene.ends("op1")
    scene.list_ends()
    assert scene.only().ended_by is EndedBy.CALLER


def test_a_restarted_asterisk_may_use_its_channel_names_again():
    scene = Scene()
    scene.answered_call()
    scene.tracker.lose_link(scene.at(10).now)
    scene.at(40).list_ends()
    killed = scene.only()
    scene.serial = 0
    second = scene.at(50).caller("1795000050.0")
    scene.joins(second)
    scene.dials(second, "1795000050.1", "PJSIP/op1")
    scene.at(53).answers(second, "1795000050.1")
    scene.at(60).hangs_up(second)
    scene.ends("1795000050.1")
    assert killed.outcome is Outcome.ANSWERED
    assert killed.ended_at is None
    again = scene.records[1]
    assert (again.outcome, again.answered_by, seconds(again.ring_duration)) == (Outcome.ANSWERED, "PJSIP/op1", 3)
    assert not scene.tracker.switch.legs


def test_an_answer_stays_where_who_ended_the_call_is_not_known():
    scene = Scene()
    caller = scene.answered_call()
    scene.tracker.lose_link(scene.at(10).now)
    scene.at(20).ends(caller)
    (record,) = scene.records
    assert (record.outcome, record.ended_by, record.flags) == (Outcome.ANSWERED, None, (Flag.ENDED_IN_GAP,))
    assert seconds(record.talk_duration) == pytest.approx(16, abs=0.1)


def test_a_hang_up_before_the_list_that_ends_a_gap_does_not_tell_who_ended_the_call():
    scene = Scene()
    caller = scene.caller()
    scene.joins(caller)
    scene.tracker.lose_link(scene.at(10).now)
    scene.at(20).ends(caller)
    record = scene.only()
    assert (record.outcome, record.ended_by) == (Outcome.UNKNOWN, None)


@pytest.mark.parametrize(("after", "outcome"), [(0.2, Outcome.UNKNOWN), (2, Outcome.UNANSWERED)])
def test_a_hang_up_right_after_a_gap_does_not_tell_who_ended_the_call(after, outcome):
    scene = Scene()
    caller = scene.caller()
    scene.joins(caller)
    scene.dials(caller, "op1", "PJSIP/op1")
    scene.tracker.lose_link(scene.at(10).now)
    scene.at(20).listed(caller, "PJSIP/trunk", state=4, application="Queue")
    scene.list_ends()
    scene.at(20 + after).ends(caller)
    record = scene.only()
    assert record.outcome is outcome
    assert (Flag.ENDED_IN_GAP in record.flags) == (record.ended_by is None) == (outcome is Outcome.UNKNOWN)


def test_a_known_caller_who_began_to_ring_in_a_gap_has_rung_for_at_least_as_long_as_was_seen():
    scene = Scene()
    caller = scene.caller()
    scene.at(2).runs(caller, "Playback")
    scene.tracker.lose_link(scene.at(5).now)
    scene.at(20).listed(caller, "PJSIP/trunk", state=4, application="Queue")
    scene.list_ends()
    scene.at(27).hangs_up(caller)
    record = scene.only()
    assert (record.outcome, seconds(record.ring_duration)) == (Outcome.ABANDONED, pytest.approx(7, abs=0.1))
    assert Flag.ALERTED_IN_GAP in record.flags
    judgement = judge(record, RULES)
    assert (judgement.at_least, judgement.at_most) == (record.ring_duration, None)


def test_the_hold_time_of_another_queue_does_not_date_an_answer_in_a_gap():
    scene = Scene()
    caller = scene.caller()
    scene.joins(caller, "first")
    scene.dials(caller, "op1", "PJSIP/op1")
    scene.tracker.lose_link(scene.at(10).now)
    scene.at(30).listed(caller, "PJSIP/trunk", application="Queue", bridge="b1")
    scene.listed("op1", "PJSIP/op1", application="AppQueue", bridge="b1")
    scene.list_ends()
    scene.tell(ami.AgentComplete, uniqueid=caller, hold_seconds=3, talk_seconds=5, queue="second")
    scene.at(40).hangs_up(caller)
    (record,) = scene.records
    assert since_start(record.answered_at) == pytest.approx(30, abs=0.1)
    assert Flag.ANSWERED_IN_GAP in record.flags
