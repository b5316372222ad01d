"""The truth of a call from SIPp's logs alone: what cannot be brought about at will, and what must not pass unseen."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from simulators.plan import Expected, PlannedCall
from simulators.sip.dialogs import read_dialogs
from simulators.sip.verdict import failure_of, other_ways
from simulators.sip.witness import gather, time_greetings, truth_of
from telemon.records import EndedBy, Outcome

DIALLED = PlannedCall(name="dialled", caller="06", ddi="01", service="standard")
EXPECTED = Expected(outcome=Outcome.ANSWERED, ended_after=3, ended_by=EndedBy.CALLER)
START = datetime(2026, 11, 23, 7, tzinfo=UTC)


def dialog(folder, *messages):
    """What a party saw, of (seconds, "sent" or "received", first line, CSeq): written as SIPp does, and read back."""
    text = ""
    for seconds, way, start, cseq in messages:
        at = (START + timedelta(seconds=seconds)).strftime("%Y-%m-%d %H:%M:%S.%f")
        headers = f'From: "dialled" <sip:06@127.0.0.1>;tag=1\r\nCall-ID: a\r\nCSeq: 1 {cseq}\r\n'
        text += f"{'-' * 47} {at}\nUDP message {way} [99] bytes :\n\n{start}\r\n{headers}\r\n\n"
    log = folder / f"{len(list(folder.iterdir()))}.messages"
    log.write_text(text)
    (only,) = read_dialogs(log, ["op1"])
    return only


INVITE = (0.0, "sent", "INVITE sip:01@127.0.0.1 SIP/2.0", "INVITE")
RINGING = (0.1, "received", "SIP/2.0 180 Ringing", "INVITE")
CALLED = (0.05, "received", "INVITE sip:op1@127.0.0.1 SIP/2.0", "INVITE")


def test_a_caller_who_gives_up_in_the_moment_of_the_answer_was_answered(tmp_path):
    caller = dialog(
        tmp_path,
        INVITE,
        RINGING,
        (5.0, "sent", "CANCEL sip:01@127.0.0.1 SIP/2.0", "CANCEL"),
        (5.001, "received", "SIP/2.0 200 OK", "INVITE"),
        (5.002, "received", "SIP/2.0 481 Call/Transaction Does Not Exist", "CANCEL"),
        (5.003, "sent", "BYE sip:01@127.0.0.1 SIP/2.0", "BYE"),
    )
    phone = dialog(
        tmp_path,
        CALLED,
        (4.999, "sent", "SIP/2.0 200 OK", "INVITE"),
        (5.004, "received", "BYE sip:op1@127.0.0.1 SIP/2.0", "BYE"),
    )
    truth = truth_of(gather(DIALLED, caller, [phone]))
    assert (truth.outcome, truth.answered_by, truth.ended_by) == (Outcome.ANSWERED, "PJSIP/op1", EndedBy.CALLER)
    assert (truth.wait_duration, truth.talk_duration) == (5_001_000, 2_000)


def test_a_phone_whose_clock_was_read_later_than_the_callers_is_no_machine(tmp_path):
    caller = dialog(
        tmp_path,
        INVITE,
        RINGING,
        (3.0, "received", "SIP/2.0 200 OK", "INVITE"),
        (5.0, "sent", "BYE sip:01@127.0.0.1 SIP/2.0", "BYE"),
    )
    phone = dialog(
        tmp_path,
        CALLED,
        (3.002, "sent", "SIP/2.0 200 OK", "INVITE"),
        (5.001, "received", "BYE sip:op1@127.0.0.1 SIP/2.0", "BYE"),
    )
    truth = truth_of(gather(DIALLED, caller, [phone]))
    assert (truth.outcome, truth.machine_answered, truth.wait_duration) == (Outcome.ANSWERED, False, 3_002_000)


def test_after_a_greeting_the_ring_begins_even_if_no_phone_is_free(tmp_path):
    def greeted(ends):
        answered = (0.01, "received", "SIP/2.0 200 OK", "INVITE")
        return dialog(tmp_path, INVITE, answered, (ends, "sent", "BYE sip:01@127.0.0.1 SIP/2.0", "BYE"))

    called = (2.11, *CALLED[1:])
    cancelled = (8.0, "received", "CANCEL sip:op1@127.0.0.1 SIP/2.0", "CANCEL")
    terminated = (8.0, "sent", "SIP/2.0 487 Request Terminated", "INVITE")
    phone = dialog(tmp_path, called, cancelled, terminated)
    seen = [
        gather(DIALLED, greeted(8.0), [phone]),
        gather(DIALLED, greeted(9.0), []),
        gather(DIALLED, greeted(2.0), []),
    ]

    served, waited, left = map(truth_of, time_greetings(seen, ["standard"]))
    assert served.ring_duration == 8_000_000 - 2_110_000
    assert (waited.outcome, waited.ring_duration) == (Outcome.ABANDONED, 9_000_000 - 2_110_000)
    assert (left.outcome, left.ring_duration, left.machine_answered) == (Outcome.IVR_ONLY, None, True)
    assert truth_of(seen[1]).alerting_at is None  # nobody was ever served: SIP does not tell


def test_where_the_operators_are_real_the_caller_is_the_only_witness(tmp_path):
    caller = dialog(
        tmp_path,
        INVITE,
        RINGING,
        (6.0, "received", "SIP/2.0 200 OK", "INVITE"),
        (9.0, "received", "BYE sip:06@127.0.0.1 SIP/2.0", "BYE"),
    )
    truth = truth_of(gather(DIALLED, caller, None))
    assert (truth.outcome, truth.answered_by, truth.ended_by) == (Outcome.ANSWERED, None, EndedBy.SWITCHBOARD)
    assert (truth.ring_duration, truth.machine_answered, truth.rung) == (5_900_000, False, ())
    assert truth_of(gather(DIALLED, caller, [])).outcome is Outcome.DIVERTED  # no phone of ours took it: a machine did


@pytest.mark.parametrize(
    ("messages", "failure"),
    [
        ([], "never answered its INVITE"),
        ([(0.2, "received", "SIP/2.0 404 Not Found", "INVITE")], "refused it with 404"),
        ([(0.2, "received", "SIP/2.0 200 OK", "INVITE")], "it never ended"),
        ([(0.2, "received", "SIP/2.0 486 Busy Here", "INVITE")], None),
    ],
)
def test_a_call_that_failed_says_why(messages, failure, tmp_path):
    call = replace(DIALLED, expected=EXPECTED)
    said = failure_of(call, dialog(tmp_path, INVITE, *messages), [])
    assert said is None if failure is None else failure in (said or "")


def test_a_call_that_sipp_did_not_place_and_a_leg_that_never_ended_are_failures(tmp_path):
    refused = dialog(tmp_path, INVITE, (0.2, "received", "SIP/2.0 486 Busy Here", "INVITE"))
    assert failure_of(DIALLED, None, []) == "SIPp did not place it"
    assert "its call to op1" in (failure_of(DIALLED, refused, [dialog(tmp_path, CALLED)]) or "")


def test_another_way_than_planned_is_told(tmp_path):
    refused = dialog(tmp_path, INVITE, RINGING, (6.2, "received", "SIP/2.0 480 Temporarily Unavailable", "INVITE"))
    call = replace(DIALLED, expected=replace(EXPECTED, answered_by="op1"))
    truth = truth_of(gather(call, refused, []))
    assert list(other_ways([call], [truth])) == [("dialled", "planned answered by PJSIP/op1, was unanswered")]
    assert list(other_ways([replace(call, expected=None)], [truth])) == []
