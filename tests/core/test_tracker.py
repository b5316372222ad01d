"""Callers up to the answer or the loss: situations that the recordings lack, told event by event."""

from zoneinfo import ZoneInfo

import pytest

from telemon.ami import events as ami
from telemon.instants import to_datetime
from telemon.opening import parse_hours
from telemon.records import AttemptResult, EndedBy, Flag, Outcome
from telemon.services import Numbering, Service
from tests.core.scene import START, Scene, seconds, since_start

TOWN_HALL = Service(name="town hall", ddis=("0100",), queues=("standard",))


def results(record):
    return [(attempt.operator, attempt.result) for attempt in record.attempts]


# -- answered


@pytest.mark.parametrize("dialplan_seen", [True, False])
def test_a_call_picked_up_from_a_queue_is_answered_by_the_one_who_picked_it_up(dialplan_seen):
    scene = Scene()
    caller = scene.caller()
    if dialplan_seen:
        scene.runs(caller, "Queue")
    scene.joins(caller)
    scene.dials(caller, "op1", "PJSIP/op1")
    scene.at(4).phone_calls("op2", "PJSIP/op2", "*8")
    scene.up("op2")
    scene.at(4.5).tell(ami.Pickup, uniqueid="op2", target="op1")
    scene.up(caller)
    scene.ends("op1")
    scene.bridge("b1", "op2", caller)
    scene.at(9).hangs_up(caller)
    scene.ends("op2")
    record = scene.only()
    assert (record.outcome, record.answered_by) == (Outcome.ANSWERED, "PJSIP/op2")
    assert results(record) == [("PJSIP/op1", AttemptResult.PICKED_UP)]
    assert (seconds(record.ring_duration), seconds(record.talk_duration)) == (4.5, 4.5)
    assert record.machine_answered_at is None


def test_a_service_that_names_no_queues_rings_in_any_that_its_ddis_lead_to():
    scene = Scene(Numbering(services=(Service(name="town hall", ddis=("0100",)),)))
    caller = scene.caller()
    scene.at(1).joins(caller, "whatever")
    scene.at(8).hangs_up(caller)
    assert seconds(scene.only().ring_duration) == 7


def test_an_announcement_between_two_queues_is_part_of_the_callers_one_wait():
    scene = Scene()
    caller = scene.caller()
    scene.runs(caller, "Queue")
    scene.joins(caller)
    scene.dials(caller, "op1", "PJSIP/op1")
    scene.at(8).dial_ends("op1", "NOANSWER")
    scene.ends("op1", cause=0)
    scene.runs(caller, "Answer")
    scene.up(caller)
    scene.runs(caller, "BackGround")
    scene.at(14).runs(caller, "Queue")
    scene.joins(caller, "overflow")
    scene.dials(caller, "op2", "PJSIP/op2")
    scene.at(17).answers(caller, "op2")
    scene.at(20).hangs_up(caller)
    record = scene.only()
    assert record.outcome is Outcome.ANSWERED
    assert record.diverted_at is None
    assert since_start(record.machine_answered_at) == 8
    assert (seconds(record.ring_duration), record.queues) == (17, ("standard", "overflow"))


def test_a_mobile_that_is_not_accepted_and_then_an_operator_who_answers():
    scene = Scene()
    caller = scene.caller()
    scene.runs(caller, "Dial")
    scene.dials(caller, "gsm", "PJSIP/gsm")
    scene.at(3).up("gsm")
    scene.at(9).dial_ends("gsm", "CONTINUE")
    scene.ends("gsm")
    scene.dials(caller, "op2", "PJSIP/op2")
    scene.at(12).answers(caller, "op2")
    scene.at(20).hangs_up(caller)
    record = scene.only()
    assert (record.outcome, record.answered_by) == (Outcome.ANSWERED, "PJSIP/op2")
    assert results(record) == [("PJSIP/gsm", AttemptResult.NOT_ACCEPTED), ("PJSIP/op2", AttemptResult.ANSWERED)]
    assert seconds(record.ring_duration) == 12
    assert seconds(record.operator_ring_duration) == 3


@pytest.mark.parametrize("joined_first", [True, False])
def test_the_caller_who_hangs_up_in_the_very_second_of_the_answer(joined_first):
    scene = Scene()
    caller = scene.caller()
    scene.runs(caller, "Queue")
    scene.joins(caller)
    scene.dials(caller, "op1", "PJSIP/op1")
    scene.at(6).up("op1")
    scene.dial_ends("op1", "ANSWER")
    scene.up(caller)
    if joined_first:
        scene.bridge("b1", "op1", caller)
        scene.hangs_up(caller)
    else:
        scene.tell(ami.HangupRequest, uniqueid=caller, cause=127)
        scene.bridge("b1", "op1")
        scene.ends(caller, cause=127)
    scene.ends("op1")
    record = scene.only()
    assert record.outcome is (Outcome.ANSWERED if joined_first else Outcome.ABANDONED)
    assert record.answered_by == ("PJSIP/op1" if joined_first else None)
    assert (seconds(record.ring_duration), record.ended_by) == (6, EndedBy.CALLER)
    assert record.machine_answered_at is None


def test_uniqueids_may_begin_with_the_name_of_the_system():
    scene = Scene()
    caller = scene.caller("std-01-1795000000.0")
    scene.joins(caller)
    scene.dials(caller, "std-01-1795000000.1", "PJSIP/op1")
    scene.at(2).answers(caller, "std-01-1795000000.1")
    scene.at(5).hangs_up(caller)
    assert (scene.only().outcome, scene.only().call_id) == (Outcome.ANSWERED, "pbx:std-01-1795000000.0")


# -- lost


@pytest.mark.parametrize("application", ["Queue", "Dial"])
def test_a_dead_phone_leaves_the_caller_unanswered(application):
    scene = Scene()
    caller = scene.caller()
    scene.runs(caller, application)
    if application == "Queue":
        scene.joins(caller)
    scene.dials(caller, "op1", "PJSIP/op1", ringing=False)
    scene.at(15).dial_ends("op1", "NOANSWER")
    scene.ends("op1", cause=0)
    scene.ends(caller)
    record = scene.only()
    assert (record.outcome, record.ended_by) == (Outcome.UNANSWERED, EndedBy.SWITCHBOARD)
    assert results(record) == [("PJSIP/op1", AttemptResult.NO_ANSWER)]
    assert seconds(record.ring_duration) == 15


def test_a_queue_in_which_every_phone_is_busy_was_busy():
    scene = Scene()
    caller = scene.caller()
    scene.runs(caller, "Queue")
    scene.joins(caller)
    for moment, phone in ((0.1, "op1"), (2, "op2")):
        scene.at(moment).dials(caller, phone, f"PJSIP/{phone}", ringing=False)
        scene.tell(ami.HangupRequest, uniqueid=phone, cause=17)
        scene.dial_ends(phone, "NOANSWER")
        scene.ends(phone, cause=17)
    scene.at(20).tell(ami.QueueStatus, uniqueid=caller, status="TIMEOUT")
    scene.ends(caller)
    record = scene.only()
    assert record.outcome is Outcome.BUSY
    assert results(record) == [("PJSIP/op1", AttemptResult.BUSY), ("PJSIP/op2", AttemptResult.BUSY)]
    assert seconds(record.ring_duration) == 20


@pytest.mark.parametrize(("status", "outcome"), [("JOINEMPTY", Outcome.BUSY), (None, Outcome.FAILED)])
def test_a_queue_that_lets_nobody_in_is_busy_or_where_it_does_not_say_so_failed(status, outcome):
    scene = Scene()
    caller = scene.caller()
    if status:
        scene.tell(ami.QueueStatus, uniqueid=caller, status=status)
    scene.at(0.1).ends(caller)
    record = scene.only()
    assert (record.outcome, record.alerting_at, record.ring_duration) == (outcome, None, None)


def test_voicemail_is_known_even_where_the_manager_shows_no_dialplan():
    scene = Scene()
    caller = scene.caller()
    scene.joins(caller)
    scene.dials(caller, "op1", "PJSIP/op1")
    scene.at(10).dial_ends("op1", "NOANSWER")
    scene.ends("op1", cause=0)
    scene.up(caller)
    scene.at(18).hangs_up(caller)
    record = scene.only()
    assert (record.outcome, record.ended_by) == (Outcome.DIVERTED, EndedBy.CALLER)
    assert since_start(record.machine_answered_at) == since_start(record.diverted_at) == 10
    assert seconds(record.ring_duration) == 10


def test_a_local_member_behind_which_a_voicemail_answers_diverts_the_caller():
    scene = Scene()
    caller = scene.caller()
    scene.runs(caller, "Queue")
    scene.joins(caller)
    scene.channel("l1", "Local/9@vm-0000;1", linkedid=caller)
    scene.channel("l2", "Local/9@vm-0000;2", state=4, linkedid=caller)
    scene.dials(caller, "l1", "Local/9@vm-0000;1", ringing=False, new=False)
    scene.at(3).runs("l2", "VoiceMail")
    scene.up("l2")
    scene.up("l1")
    scene.dial_ends("l1", "ANSWER")
    scene.up(caller)
    scene.bridge("b1", "l1", caller)
    scene.at(15).hangs_up(caller)
    scene.ends("l1", "l2")
    record = scene.only()
    assert (record.outcome, record.answered_by, record.attempts) == (Outcome.DIVERTED, None, ())
    assert since_start(record.machine_answered_at) == since_start(record.diverted_at) == 3
    assert seconds(record.ring_duration) == 3


def test_a_call_redirected_while_it_rings_is_no_transfer():
    scene = Scene()
    caller = scene.caller()
    scene.runs(caller, "Queue")
    scene.joins(caller)
    scene.dials(caller, "op1", "PJSIP/op1")
    scene.at(4).runs(caller, "Dial")
    scene.dial_ends("op1", "CANCEL")
    scene.ends("op1", cause=0)
    scene.dials(caller, "svc1", "PJSIP/svc1")
    scene.at(7).answers(caller, "svc1")
    scene.at(9).hangs_up(caller)
    record = scene.only()
    assert (record.outcome, record.answered_by, record.transfers) == (Outcome.ANSWERED, "PJSIP/svc1", ())
    assert seconds(record.ring_duration) == 7


# -- not calls of the switchboard, or not in its hours


def test_a_call_to_no_services_number_counts_nowhere():
    scene = Scene(Numbering(services=(TOWN_HALL,)))
    caller = scene.caller(ddi="0199")
    scene.dials(caller, "op1", "PJSIP/op1")
    scene.at(2).answers(caller, "op1")
    scene.at(5).hangs_up(caller)
    scene.ends("op1")
    assert scene.records == []
    assert not scene.tracker.calls


@pytest.mark.parametrize("far_end", ["PJSIP/op2", "PJSIP/trunk"], ids=["another phone", "outside"])
def test_what_a_phone_dials_counts_nowhere(far_end):
    scene = Scene()
    scene.phone_calls("op1", "PJSIP/op1", "1002")
    scene.dials("op1", "far", far_end)
    scene.at(2).answers("op1", "far")
    assert list(scene.tracker.open_calls()) == []
    scene.at(5).hangs_up("op1")
    scene.ends("far")
    assert scene.records == []


def test_an_operator_who_calls_the_queue_is_flagged_internal():
    scene = Scene(Numbering(services=(TOWN_HALL,)))
    scene.phone_calls("op2", "PJSIP/op2", "4000")
    scene.joins("op2")
    scene.dials("op2", "op1", "PJSIP/op1")
    scene.at(9).hangs_up("op2")
    record = scene.only()
    assert (record.outcome, record.service) == (Outcome.ABANDONED, "town hall")
    assert Flag.INTERNAL in record.flags


@pytest.mark.parametrize(("patient", "outcome"), [(True, Outcome.CLOSED), (False, Outcome.IVR_ONLY)])
def test_a_caller_who_hears_that_the_town_hall_is_closed(patient, outcome):
    hours = parse_hours([f"{to_datetime(START):%a}".lower() + " 00:00-00:01"], ZoneInfo("Europe/Paris"))
    service = Service(name="town hall", ddis=("0100",), hours=hours)
    scene = Scene(Numbering(services=(service,)))
    caller = scene.caller()
    scene.up(caller)
    scene.runs(caller, "Playback")
    scene.at(8)
    (scene.ends if patient else scene.hangs_up)(caller)
    record = scene.only()
    assert (record.outcome, record.ring_duration) == (outcome, None)
    assert since_start(record.machine_answered_at) == 0
