"""Callers after the answer: transfers, parking, conferences and consultations, told event by event."""

import pytest

from telemon.ami import events as ami
from telemon.records import Flag, Outcome, TransferKind, TransferResult
from tests.core.scene import Scene, seconds


def transfers(record):
    return [(transfer.kind, transfer.to, transfer.result) for transfer in record.transfers]


def attended(scene, caller, *, second_bridge, target="svc"):
    scene.tell(
        ami.AttendedTransfer,
        result="Success",
        orig_transferer="op1",
        second_transferer="op1b",
        second_bridge=second_bridge,
        transferee=caller,
        target=target,
    )


def parks(scene, caller, bridge="b1", lot="lot"):
    scene.tell(ami.Parked, parkee=caller)
    scene.leaves(bridge, caller)
    scene.bridge(lot, caller, kind="parking", technology="holding_bridge")


def fetches(scene, caller, phone, bridge, lot="lot"):
    scene.phone_calls(phone, f"PJSIP/{phone}", "701")
    scene.runs(phone, "ParkedCall")
    scene.up(phone)
    name = scene.tracker.switch.legs[phone].name
    scene.tell(ami.Unparked, parkee=caller, retriever_channel=name)
    scene.leaves(lot, caller)
    scene.bridge(bridge, caller, phone)


def test_three_in_a_conference_are_one_answered_call():
    scene = Scene()
    caller = scene.answered_call()
    scene.at(10).phone_calls("op2", "PJSIP/op2", "8000")
    scene.runs("op2", "ConfBridge")
    scene.up("op2")
    scene.bridge("b1", "op2")
    scene.at(20).hangs_up("op1")
    scene.at(30).hangs_up(caller)
    scene.ends("op2")
    record = scene.only()
    assert (record.outcome, record.answered_by, record.transfers) == (Outcome.ANSWERED, "PJSIP/op1", ())
    assert seconds(record.talk_duration) == 26


def consults_a_queue(scene):
    """The operator asks the overflow queue on a second line, and op3 answers there."""
    scene.phone_calls("op1b", "PJSIP/op1", "4000")
    scene.runs("op1b", "Queue")
    scene.joins("op1b", "overflow")
    scene.dials("op1b", "op3", "PJSIP/op3")
    scene.at(12).answers("op1b", "op3", "b2")


@pytest.mark.parametrize("event_first", [True, False])
def test_an_operator_who_consults_a_queue_and_then_transfers_makes_one_call(event_first):
    scene = Scene()
    caller = scene.answered_call()
    scene.at(8).tell(ami.Hold, uniqueid="op1")
    consults_a_queue(scene)
    scene.at(15).tell(ami.Unhold, uniqueid="op1")
    if event_first:
        attended(scene, caller, second_bridge="b2", target="op3")
    scene.leaves("b2", "op3")
    scene.leaves("b1", "op1")
    scene.bridge("b1", "op3")
    if not event_first:
        attended(scene, caller, second_bridge="b2", target="op3")
    scene.leaves("b2", "op1b")
    scene.ends("op1", "op1b")
    scene.at(25).hangs_up(caller)
    scene.ends("op3")
    record = scene.only()
    assert (record.call_id, record.answered_by) == (f"pbx:{caller}", "PJSIP/op1")
    assert transfers(record) == [(TransferKind.ATTENDED, "PJSIP/op3", TransferResult.ANSWERED)]
    assert (seconds(record.hold_duration), seconds(record.talk_duration)) == (7, 21)


def test_a_consultation_that_leads_to_no_transfer_is_a_call_of_its_own_flagged_internal():
    scene = Scene()
    caller = scene.answered_call()
    scene.at(8)
    consults_a_queue(scene)
    scene.at(15).hangs_up("op1b")
    scene.ends("op3")
    scene.at(20).hangs_up(caller)
    consultation, call = scene.records
    assert Flag.INTERNAL in consultation.flags
    assert (call.outcome, call.flags, call.transfers) == (Outcome.ANSWERED, (), ())


@pytest.mark.parametrize("answered", [True, False])
def test_a_caller_handed_to_a_phone_that_still_rings(answered):
    scene = Scene()
    caller = scene.answered_call()
    scene.at(8).phone_calls("op1b", "PJSIP/op1", "3001")
    scene.dials("op1b", "svc", "PJSIP/svc")
    scene.at(10)
    attended(scene, caller, second_bridge="", target="")
    scene.leaves("b1", "op1", caller)
    scene.ends("op1", "op1b")
    if answered:
        scene.at(13).up("svc")
        scene.dial_ends("svc", "ANSWER")
        scene.bridge("b2", "svc", caller)
        scene.at(20)
    scene.at(20).hangs_up(caller)
    record = scene.only()
    result = TransferResult.ANSWERED if answered else TransferResult.ABANDONED
    assert transfers(record) == [(TransferKind.SEMI_ATTENDED, "PJSIP/svc", result)]
    assert record.outcome is Outcome.ANSWERED


@pytest.mark.parametrize("join_first", [True, False])
def test_a_blind_transfer_into_a_queue_is_one_transfer_of_one_call(join_first):
    scene = Scene()
    caller = scene.answered_call()
    scene.at(8).leaves("b1", "op1", caller)
    happenings = [
        lambda: scene.joins(caller, "overflow"),
        lambda: scene.tell(ami.BlindTransfer, result="Success", transferer="op1", transferee=caller, exten="4000"),
    ]
    for happens in happenings if join_first else reversed(happenings):
        happens()
    scene.ends("op1")
    scene.dials(caller, "op3", "PJSIP/op3")
    scene.at(11).answers(caller, "op3", "b2")
    scene.at(20).hangs_up(caller)
    record = scene.only()
    assert transfers(record) == [(TransferKind.BLIND, "PJSIP/op3", TransferResult.ANSWERED)]
    assert (record.answered_by, record.queues) == ("PJSIP/op1", ("standard", "overflow"))


def test_a_transfer_that_nobody_answers_leaves_the_call_answered():
    scene = Scene()
    caller = scene.answered_call()
    scene.at(8).tell(ami.BlindTransfer, result="Success", transferer="op1", transferee=caller, exten="3001")
    scene.leaves("b1", "op1", caller)
    scene.ends("op1")
    scene.dials(caller, "svc", "PJSIP/svc")
    scene.at(28).dial_ends("svc", "NOANSWER")
    scene.ends("svc", caller)
    record = scene.only()
    assert record.outcome is Outcome.ANSWERED
    assert transfers(record) == [(TransferKind.BLIND, "PJSIP/svc", TransferResult.NO_ANSWER)]


def test_a_call_redirected_after_the_answer_is_a_transfer_without_an_event_of_its_own():
    scene = Scene()
    caller = scene.answered_call()
    scene.at(9).leaves("b1", caller, "op1")
    scene.ends("op1")
    scene.dials(caller, "svc", "PJSIP/svc")
    scene.at(11).answers(caller, "svc", "b2")
    scene.at(17).hangs_up(caller)
    record = scene.only()
    assert transfers(record) == [(TransferKind.REDIRECT, "PJSIP/svc", TransferResult.ANSWERED)]
    assert record.answered_by == "PJSIP/op1"


def test_a_parked_caller_who_gives_up_was_answered_and_then_left_alone():
    scene = Scene()
    caller = scene.answered_call()
    parks(scene.at(8), caller)
    scene.ends("op1")
    scene.at(28).hangs_up(caller)
    record = scene.only()
    assert record.outcome is Outcome.ANSWERED
    assert transfers(record) == [(TransferKind.PARK, "", TransferResult.ABANDONED)]
    assert (seconds(record.hold_duration), seconds(record.talk_duration)) == (20, 24)


def test_parking_by_blind_transfer_is_one_handover():
    scene = Scene()
    caller = scene.answered_call()
    scene.at(8).tell(ami.BlindTransfer, result="Success", transferer="op1", transferee=caller, exten="700")
    parks(scene, caller)
    scene.ends("op1")
    fetches(scene.at(18), caller, "op2", "b2")
    scene.at(28).hangs_up(caller, "op2")
    assert transfers(scene.only()) == [(TransferKind.PARK, "PJSIP/op2", TransferResult.RETRIEVED)]


def test_a_caller_parked_twice_has_two_handovers():
    scene = Scene()
    caller = scene.answered_call()
    parks(scene.at(8), caller)
    scene.ends("op1")
    fetches(scene.at(18), caller, "svc", "b2")
    parks(scene.at(20), caller, "b2")
    scene.ends("svc")
    fetches(scene.at(25), caller, "op2", "b3")
    scene.at(30).hangs_up(caller)
    scene.ends("op2")
    record = scene.only()
    assert transfers(record) == [
        (TransferKind.PARK, "PJSIP/svc", TransferResult.RETRIEVED),
        (TransferKind.PARK, "PJSIP/op2", TransferResult.RETRIEVED),
    ]
    assert seconds(record.hold_duration) == 15


def test_two_callers_in_one_parking_lot_do_not_answer_each_other():
    scene = Scene()
    first = scene.answered_call()
    second = scene.caller("1795000001.9", number="0611110002")
    scene.dials(second, "op2", "PJSIP/op2")
    scene.at(6).answers(second, "op2", "b2")
    parks(scene.at(8), first, "b1")
    parks(scene.at(9), second, "b2")
    scene.ends("op1", "op2")
    fetches(scene.at(12), first, "svc", "b3")
    scene.at(20).hangs_up(first, second)
    by_id = {record.call_id: record for record in scene.records}
    assert transfers(by_id[f"pbx:{first}"]) == [(TransferKind.PARK, "PJSIP/svc", TransferResult.RETRIEVED)]
    assert transfers(by_id[f"pbx:{second}"]) == [(TransferKind.PARK, "", TransferResult.ABANDONED)]


def test_an_operator_parked_beside_a_caller_does_not_answer_after_a_gap():
    scene = Scene()
    caller = scene.caller()
    scene.joins(caller)
    scene.tracker.lose_link(scene.at(10).now)
    scene.at(30).tell(ami.ListedBridge, bridge="lot", bridge_type="parking", technology="holding_bridge")
    scene.listed(caller, "PJSIP/trunk", bridge="lot")
    scene.listed("1795000020.5", "PJSIP/op1", context="from-internal", bridge="lot")
    scene.list_ends()
    scene.at(40).hangs_up(caller, "1795000020.5")
    assert scene.only().answered_at is None


def test_a_caller_whose_parking_times_out_and_who_is_parked_again_has_two_handovers():
    scene = Scene()
    caller = scene.answered_call()
    parks(scene.at(8), caller)
    scene.ends("op1")
    scene.at(28).tell(ami.ParkTimeout, parkee=caller)
    scene.leaves("lot", caller)
    parks(scene.at(29), caller, "")
    scene.at(40).hangs_up(caller)
    assert transfers(scene.only()) == [
        (TransferKind.PARK, "", TransferResult.NO_ANSWER),
        (TransferKind.PARK, "", TransferResult.ABANDONED),
    ]
