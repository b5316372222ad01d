"""Calls from the queue_log: held against real Asterisks, and against what no Asterisk writes."""

import gzip
import io
import json
from datetime import UTC
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators.ami.event import Event
from simulators.ami.queue_log import QueueLog
from telemon.instants import SECOND
from telemon.records import AttemptResult, EndedBy, Flag, Outcome, Provenance, TransferKind, TransferResult
from telemon.repair.kinds import SourceKind
from telemon.repair.members import members_like, members_of
from telemon.repair.queue_log import FIELDS, Reader
from telemon.repair.sources import open_source
from telemon.services import Numbering, Service
from tests.core.records_kit import VERSIONS, paired, truths
from tests.property.recorded import assert_sound

RECORDINGS = Path(__file__).parent.parent / "recordings" / "queue_log"
NAMES = sorted(f"{path.parent.name}/{path.stem}" for path in RECORDINGS.glob("*/*.queue_log"))
QUEUES_CONF = Path(__file__).parent.parent / "lab" / "capture" / "configuration" / "queues.conf"
# "Late" joins in a story; where members come and go, no file has their names.
INTERFACES = members_of(QUEUES_CONF.read_text("utf-8")) | {"Late": "PJSIP/svc1"}
THRESHOLD = 5 * SECOND
START = 1_795_000_000
CALLER = f"{START}.1"
STANDARD = Service(name="standard", ddis=("0102",), queues=("standard",))
SECOND_QUEUE = Service(name="debordement", queues=("second",))


def rows_of(lines):
    return [dict(zip(FIELDS, [*line.split("|"), *[""] * len(FIELDS)], strict=False)) for line in lines]


def read(lines, numbering=None, reader=None, **options):
    reader = reader or Reader("pbx", numbering or Numbering(), THRESHOLD, UTC, **options)
    records = [record for row in rows_of(lines) for record in reader.feed(row)]
    return records + reader.finish()


def at(seconds, rest, callid=CALLER):
    return f"{START + seconds}|{callid}|{rest}"


def joins(seconds=0, queue="standard", callid=CALLER):
    return at(seconds, f"{queue}|NONE|ENTERQUEUE||0611110001|1", callid)


def only(lines, numbering=None, **options):
    (record,) = read(lines, numbering, **options)
    assert_sound([record])
    return record


def since(instant):
    return None if instant is None else instant / SECOND - START


# Real Asterisks

# What the queue_log says otherwise than it was, for it does not know better.
WRONG = {
    "restarted": {"outcome": "abandoned", "ended_by": "caller"},  # Asterisk ended while the queue rang
    "restarted_talking": {"ended_by": "caller"},
    "pickup_queue": {"answered_by": "op1"},  # whose phone rang, not who took the call from there
}
LET_GO = {"leave_empty", "one_refuses_one_rings", "two_queues_unanswered"}  # by a timeout, or as nobody was left
THEN_MACHINE = {"queue_then_voicemail"}
HANDED_ON = {"blind_to_phone", "attended_to_phone", "attended_dtmf_queue"}


def recording(name):
    lines = (RECORDINGS / f"{name}.queue_log").read_text("utf-8").splitlines()
    return lines, json.loads((RECORDINGS / f"{name}.truth.json").read_text("utf-8"))["calls"]


def assert_true(record, truth, story):
    expected = {**truth, **(WRONG.get(story, {}) if truth["outcome"] != "answered" or story != "restarted" else {})}
    assert record.outcome == expected["outcome"]
    assert 0 <= truth["invite_at_unix"] + 0.1 - record.arrived_at / SECOND < 1.1
    assert (record.answered_at is None) == (truth["joined_at_unix"] is None)
    if record.answered_at is not None:
        assert record.answered_by == f"PJSIP/{expected['answered_by']}" or record.answered_by.startswith("Local/")
        assert abs(truth["joined_at_unix"] - record.answered_at / SECOND) < 1
    if story in HANDED_ON:
        assert record.ended_at is None
        assert Flag.ENDED_IN_GAP in record.flags
    else:
        assert abs(truth["end_at_unix"] - record.ended_at / SECOND) < 1
        assert record.ended_by == expected["ended_by"]


@pytest.mark.parametrize("name", NAMES)
def test_what_a_real_asterisk_wrote_is_read_as_what_happened(name):
    lines, calls = recording(name)
    story = name.partition("/")[2]
    last = ["*"] if story in LET_GO else []
    reader = Reader("pbx", Numbering(), THRESHOLD, UTC, interfaces=INTERFACES, last_queues=last)
    records = read(lines, reader=reader)
    assert not +reader.passed_over
    assert_sound([record for record in records if record.answered_by is not None or record.outcome != "answered"])
    by_caller = {record.caller: record for record in records}
    for truth in calls:
        record = by_caller.pop(truth["caller"])
        assert record.provenance is Provenance.IMPORTED
        assert Flag.WHOLE_SECONDS in record.flags
        if story in THEN_MACHINE:
            assert (record.outcome, record.ended_at) == (Outcome.UNKNOWN, None)
        else:
            assert_true(record, truth, story)
    # an operator who calls the second queue to hand a caller on: to the queue_log, a call like any other
    assert len(by_caller) == (story == "attended_dtmf_queue")


@pytest.mark.parametrize("name", [name for name in NAMES if name.partition("/")[2] in LET_GO])
def test_what_became_of_a_caller_whom_the_queue_let_go_is_not_guessed(name):
    lines, _ = recording(name)
    (record,) = read(lines)
    assert (record.outcome, record.ended_at, record.ended_by) == (Outcome.UNKNOWN, None, None)
    assert Flag.ENDED_IN_GAP in record.flags


def test_the_number_dialled_is_known_where_the_dialplan_logs_it():
    lines, calls = recording("22/did_logged")
    assert only(lines).ddi == calls[0]["ddi"]


def test_an_operator_who_calls_the_queue_is_known_by_a_number_like_the_phones_name():
    lines, _ = recording("22/calls_of_the_phones")
    records = read(lines, interfaces=INTERFACES)
    assert {record.caller: Flag.INTERNAL in record.flags for record in records} == {"0622200016": False, "op2": True}


def test_an_operator_who_consults_a_queue_is_known_by_the_number_that_the_caller_dialled():
    lines, _ = recording("22/attended_dtmf_queue")
    numbering = Numbering(services=(Service(name="standard", ddis=("0207", "_0X."), queues=("*",)),))
    assert {record.caller: Flag.INTERNAL in record.flags for record in read(lines, numbering)} == {
        "0622200013": False,
        "0207": True,
    }


# What a queue_log cannot know, by the story: who hung up, what became of a caller whom the manager moved away, that a
# member was a machine, who took a call by picking it up or by being forwarded to, which millisecond came first.
UNKNOWABLE = {
    "restarted", "hung_up_by_console", "absolute_timeout", "redirect_ringing_to_machine", "redirect_ringing_to_phone",
    "robot", "gap_abandoned", "left_at_answer_m3", "left_at_answer_m1", "left_at_answer_p0", "answered_for_a_blink",
}  # fmt: skip
TAKEN_FROM = {
    "pickup_queue", "pickup_queue_directed", "pickup_local", "pickup_local_n", "pickup_local_optimised",
    "forwarded_in_queue", "screened_queue_accepts",
}  # fmt: skip
LEFT_BY_THE_OPERATOR = {"attended_by_console", "attended_on_consultation", "attended_dtmf_queue"}


@pytest.mark.parametrize("version", VERSIONS)
def test_of_every_recorded_story_it_says_what_happened_or_nothing(version):
    lines = gzip.decompress((RECORDINGS / f"{version}.gz").read_bytes()).decode().splitlines()
    pairs, left = paired(read(lines, interfaces=INTERFACES), truths(version))
    known = [(call, truth) for call, truth in pairs if call is not None and truth["scenario"] not in UNKNOWABLE]
    assert len(known) > 40
    for call, truth in known:
        story = truth["scenario"]
        assert call.outcome in {truth["outcome"], Outcome.UNKNOWN}, story
        if call.answered_at is not None:
            assert abs(call.answered_at / SECOND - truth["joined_at_unix"]) < 1.05, story
            assert story in TAKEN_FROM or call.answered_by == f"PJSIP/{truth['answered_by']}", story
        if call.ended_at is not None and story not in LEFT_BY_THE_OPERATOR:
            assert abs(call.ended_at / SECOND - truth["end_at_unix"]) < 1.05, story
    # operators who call a queue themselves: told by their number, but for one who dials through a Local channel
    assert {call.caller for call in left if Flag.INTERNAL not in call.flags} == {"0207"}


def test_a_member_that_is_a_machine_is_no_answer():
    lines = [joins(0), at(2, "standard|Robot|CONNECT|2|x.2|2"), at(9, "standard|Robot|COMPLETECALLER|2|7|1")]
    numbering = Numbering(machines=("Local/s@robot*",))
    record = only(lines, numbering, interfaces={"Robot": "Local/s@robot/n"})
    assert (record.outcome, record.answered_by, since(record.diverted_at)) == (Outcome.DIVERTED, None, 2)


# The simulator's queue_log

# The dialplan, the manager and the start of the server write these; no event of a call tells of them.
_OF_OTHERS = ("|ADDMEMBER|", "|REMOVEMEMBER|", "|QUEUESTART|", "|DID|")


def told_events(name):
    text = gzip.decompress((RECORDINGS / f"{name}.ami.gz").read_bytes()).decode("utf-8", "replace")
    for message in text.split("\r\n\r\n"):
        lines = (line.partition(": ") for line in message.split("\r\n") if ": " in line)
        headers = [(name, value) for name, _, value in lines]
        known = dict(headers)
        if "Event" in known and "Timestamp" in known:
            rest = tuple(header for header in headers if header[0] not in {"Event", "Privilege", "Timestamp"})
            yield Event(known["Event"], rest), float(known["Timestamp"])


def without_milliseconds(lines):
    """How long a phone rang until the caller left, Asterisk counts from an instant of its own."""
    return [line.rpartition("|")[0] if "|RINGCANCELED|" in line else line for line in lines]


@pytest.mark.parametrize("name", NAMES)
def test_the_simulator_writes_what_asterisk_wrote_for_the_same_events(name):
    file = io.StringIO()
    log = QueueLog(file)
    for event, stamp in told_events(name):
        log.hear(event, stamp)
    start, *mine = file.getvalue().splitlines()
    real = [line for line in recording(name)[0] if not any(kind in line for kind in _OF_OTHERS)]
    assert without_milliseconds(mine) == without_milliseconds(real)
    assert start.endswith("|NONE|NONE|NONE|QUEUESTART|")
    for ours, theirs in zip(mine, real, strict=True):
        if "|RINGCANCELED|" in ours:
            assert abs(int(ours.rpartition("|")[2]) - int(theirs.rpartition("|")[2])) <= 5


# Each event


def test_a_call_that_overflows_counts_once():
    record = only(
        [
            joins(0),
            at(20, "standard|NONE|EXITWITHTIMEOUT|1|1|20"),
            joins(23, "second"),
            at(30, "second|Deb|CONNECT|7|x.2|6"),
            at(90, "second|Deb|COMPLETEAGENT|7|60|1"),
        ]
    )
    assert (record.queues, record.outcome, record.answered_by) == (("standard", "second"), Outcome.ANSWERED, "Deb")
    assert (since(record.alerting_at), since(record.answered_at), since(record.ended_at)) == (0, 30, 90)
    assert record.ended_by is EndedBy.SWITCHBOARD
    assert since(record.operator_ringing_at) == 24


def test_a_short_abandon_is_told_from_a_long_one():
    outcomes = [only([joins(0), at(wait, f"standard|NONE|ABANDON|1|1|{wait}")]).outcome for wait in (4, 5)]
    assert outcomes == [Outcome.SHORT_ABANDONED, Outcome.ABANDONED]


def test_an_abandon_that_was_a_redirect_is_none():
    lines = [joins(0), at(3, "standard|NONE|ABANDON|1|1|3"), joins(3, "second"), at(5, "second|B|CONNECT|2|x.3|2")]
    assert only(lines).outcome is Outcome.ANSWERED


def test_a_transfer_and_what_followed_it():
    connected = [joins(0), at(2, "standard|A|CONNECT|2|x.2|2")]
    record = only([*connected, at(9, "standard|A|BLINDTRANSFER|3001|from-internal|2|7|1")])
    (move,) = record.transfers
    assert (move.kind, move.to, move.result) == (TransferKind.BLIND, "3001", TransferResult.UNKNOWN)
    assert (record.ended_at, Flag.ENDED_IN_GAP in record.flags) == (None, True)
    back = [at(9, "standard|A|TRANSFER|0102|in|2|7|1"), joins(9, "second"), at(15, "second|NONE|ABANDON|1|1|6")]
    record = only([*connected, *back])
    assert [move.result for move in record.transfers] == [TransferResult.ABANDONED]
    assert (record.outcome, since(record.ended_at), record.ended_by) == (Outcome.ANSWERED, 15, EndedBy.CALLER)


@pytest.mark.parametrize("event", ["ATTENDEDTRANSFER|BRIDGE|b1|2|7|1", "ATTENDEDTRANSFER|LINK|c1|c2|2|7|1"])
def test_an_attended_transfer_without_its_beginning_still_says_when_it_was_answered(event):
    uniqueid = f"{START - 100}.9"
    record = only([at(0, "q|NONE|CONFIGRELOAD|", "NONE"), at(9, f"standard|A|{event}", uniqueid)])
    assert (since(record.answered_at), since(record.alerting_at)) == (2, 0)
    assert [(move.kind, move.result) for move in record.transfers] == [(TransferKind.ATTENDED, TransferResult.UNKNOWN)]


def test_rings_in_vain():
    record = only(
        [
            joins(0),
            at(3, "standard|A|RINGNOANSWER|3000"),
            at(4, "standard|B|RINGNOANSWER|0"),
            at(9, "standard|C|RINGCANCELED|4500"),
            at(9, "standard|NONE|ABANDON|1|1|9"),
        ]
    )
    assert [(attempt.operator, attempt.result, attempt.ring_duration) for attempt in record.attempts] == [
        ("A", AttemptResult.NO_ANSWER, 3 * SECOND),
        ("B", AttemptResult.NO_ANSWER, 0),
        ("C", AttemptResult.CANCELLED, 4_500_000),
    ]


@pytest.mark.parametrize("exit_", ["EXITWITHTIMEOUT|1|1|20", "EXITEMPTY|1|1|20"])
def test_where_the_queue_is_the_last_step_a_timeout_ends_the_call(exit_):
    lines = [joins(0), at(20, f"standard|NONE|{exit_}")]
    assert only(lines, last_queues=["other"]).outcome is Outcome.UNKNOWN
    record = only(lines, last_queues=["stand*"])
    assert (record.outcome, since(record.ended_at), record.ended_by) == (Outcome.UNANSWERED, 20, EndedBy.SWITCHBOARD)


@pytest.mark.parametrize("exit_", ["EXITWITHKEY|9|1|1|20", "SYSCOMPAT|3"])
def test_a_caller_who_goes_elsewhere_is_unknown(exit_):
    assert only([joins(0), at(20, f"standard|NONE|{exit_}")], last_queues=["*"]).outcome is Outcome.UNKNOWN


def test_services_by_queue_and_by_number():
    numbering = Numbering(services=(STANDARD, SECOND_QUEUE))
    did = at(0, "x|NONE|DID|0102")
    lines = [joins(2, "unnamed"), joins(5, "second"), at(30, "second|NONE|ABANDON|1|1|25")]
    by_number, by_queue = only([did, *lines], numbering), only(lines, numbering)
    assert (by_number.service, by_number.ddi, since(by_number.arrived_at)) == ("standard", "0102", 0)
    assert (by_queue.service, since(by_queue.alerting_at)) == ("debordement", 5)
    assert only([joins(0, "nobodys"), at(9, "nobodys|NONE|ABANDON|1|1|9")], numbering).service == ""


def test_a_probe_is_known_by_its_number():
    numbering = Numbering(probe_callers=frozenset({"0611110001"}))
    assert only([joins(0), at(9, "standard|NONE|ABANDON|1|1|9")], numbering).is_probe


def test_a_log_that_begins_in_the_middle_of_a_call():
    uniqueid = f"{START - 70}.5"
    lines = [joins(0), at(5, "standard|A|COMPLETECALLER|6|60|1", uniqueid), at(6, "standard|NONE|ABANDON|1|1|6")]
    cut, _ = sorted(read(lines), key=lambda record: record.arrived_at)
    assert [since(at) for at in (cut.arrived_at, cut.alerting_at, cut.answered_at, cut.ended_at)] == [-70, -61, -55, 5]
    assert cut.caller == ""


def test_a_line_about_a_channel_that_never_entered_is_passed_over():
    reader = Reader("pbx", Numbering(), THRESHOLD, UTC)
    optimised = at(9, "standard|A|COMPLETECALLER|2|7|1", f"{START + 2}.7")
    assert len(read([joins(0), optimised], reader=reader)) == 1
    assert reader.passed_over["no_beginning"] == 1


def test_calls_come_out_once_they_can_no_longer_change():
    reader = Reader("pbx", Numbering(), THRESHOLD, UTC)
    fed = [joins(0), at(9, "standard|NONE|ABANDON|1|1|9"), joins(100, callid=f"{START + 100}.2")]
    assert [reader.feed(row) for row in rows_of(fed)] == [[], [], []]
    (record,) = reader.feed(rows_of([joins(700, callid=f"{START + 700}.3")])[0])
    assert record.call_id == f"pbx:{CALLER}"
    assert len(reader.feed(rows_of([joins(7 * 3600, callid=f"{START + 25_200}.4")])[0])) == 2
    assert len(reader.finish()) == 1


# Other shapes of the same


@pytest.mark.parametrize(
    ("time", "zone", "instant"),
    [
        ("2026-11-18 17:46:40.250000", "UTC", 1_795_024_000.25),
        ("2026-11-18 17:46:40.250000", "Europe/Paris", 1_795_020_400.25),
        ("2026-11-18 17:46:40", "UTC", 1_795_024_000),
        ("1795024000.25", "UTC", 1_795_024_000.25),
    ],
)
def test_a_real_time_table_has_dates_in_the_zone_of_its_server(time, zone, instant):
    reader = Reader("pbx", Numbering(), THRESHOLD, ZoneInfo(zone))
    row = {"time": time, "callid": f"{int(instant)}.1", "queuename": "q", "agent": "NONE", "event": "ENTERQUEUE"}
    assert reader.feed({**row, "data2": "0611", "data3": "1"}) == []
    (record,) = reader.finish()
    assert (record.alerting_at, record.arrived_at) == (instant * SECOND, int(instant) * SECOND)


def test_a_name_before_the_uniqueid_does_not_matter():
    assert only([joins(0, callid=f"std-01-{START}.1")]).call_id == f"pbx:std-01-{START}.1"


def test_members_by_name():
    conf = """
        [standard]
        member => PJSIP/op1,0,Camille Durand,PJSIP/op1 ; morning
        member = PJSIP/op2
        ;member => PJSIP/op3,0,Nobody
        member => Local/0690@mobiles/n,2,"""
    assert members_of(conf) == {
        "Camille Durand": "PJSIP/op1",
        "PJSIP/op2": "PJSIP/op2",
        "Local/0690@mobiles/n": "Local/0690@mobiles/n",
    }
    assert members_like(["PJSIP/op1", "SIP/op2", "PJSIP/op2", "PJSIP/"]) == {"op1": "PJSIP/op1"}


# What no Asterisk writes


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("soon|1.1|q|NONE|ENTERQUEUE||06|1", "no_time"),
        (at(0, "q|NONE|ENTERQUEUE||06|1", "NONE"), "no_uniqueid"),
        (at(0, "q|NONE|ENTERQUEUE||06|1", "x" * 100), "no_uniqueid"),
        (at(0, "q|NONE|FORGED|1|2|3"), "unknown_event"),
        (at(5, "q|A|CONNECT|1|2|3", f"{START + 2}.9"), "no_beginning"),
    ],
)
def test_a_row_of_which_nothing_can_be_made_is_counted(line, reason):
    reader = Reader("pbx", Numbering(), THRESHOLD, UTC)
    assert len(read([joins(0), line, at(9, "standard|NONE|ABANDON|1|1|9")], reader=reader)) == 1
    assert dict(+reader.passed_over) == {reason: 1}


EVENTS = [
    "ENTERQUEUE", "DID", "CONNECT", "RINGNOANSWER", "RINGCANCELED", "AGENTDUMP", "ABANDON", "COMPLETECALLER",
    "COMPLETEAGENT", "BLINDTRANSFER", "TRANSFER", "ATTENDEDTRANSFER", "EXITWITHTIMEOUT", "EXITEMPTY", "EXITWITHKEY",
    "SYSCOMPAT", "PAUSE", "QUEUESTART",
]  # fmt: skip
anything = st.text(max_size=12)
rows = st.fixed_dictionaries(
    {
        "time": st.integers(START - 30, START + 30_000).map(str) | anything,
        "callid": st.sampled_from([CALLER, f"{START}.2", f"s-{START - 40}.3", "NONE"]) | anything,
        "queuename": st.sampled_from(["standard", "second"]) | anything,
        "agent": st.sampled_from(["NONE", "op1", "PJSIP/op2"]) | anything,
        "event": st.sampled_from(EVENTS) | anything,
    },
    optional={f"data{number}": st.integers(-5, 10**12).map(str) | anything for number in range(1, 6)},
)


@given(st.lists(rows, max_size=40))
def test_no_row_whatever_it_says_breaks_the_reader(given_rows):
    reader = Reader("pbx", Numbering(services=(STANDARD, SECOND_QUEUE)), THRESHOLD, UTC, last_queues=["second"])
    records = [record for row in given_rows for record in reader.feed(row)] + reader.finish()
    for record in records:
        assert record.call_id.startswith("pbx:")
        assert record.alerting_at is None or record.arrived_at <= record.alerting_at
        assert all(
            duration is None or duration >= 0
            for duration in (record.wait_duration, record.ring_duration, record.talk_duration)
        )
        assert (record.ended_at is None) == (record.ended_by is None)
        assert (record.ended_at is None) == (Flag.ENDED_IN_GAP in record.flags)
    assert sum(reader.passed_over.values()) <= len(given_rows)


def test_a_hostile_file_is_read_to_its_end(tmp_path):
    good = [joins(0), at(9, "standard|NONE|ABANDON|1|1|9")]
    hostile = [
        at(1, "standard|NONE|ENTERQUEUE|http://x?a|b|06|1", f"{START}.2").encode(),  # a pipe in the URL
        at(1, "standard|Jos\xe9|CONNECT|1|x|1", f"{START}.2").encode("latin-1"),
        at(2, "standard|A\r|RINGNOANSWER|1\r", f"{START}.2").encode(),
        at(2, "standard|A\0|RINGNOANSWER|1", f"{START}.2").encode(),
        b"1" * (1 << 20),
        b"",
        b"|" * 1000,
    ]
    end = at(10, "standard|A|COMPLETECALLER|1|2|1", CALLER).encode()[:-20]  # a half last line
    path = tmp_path / "queue_log"
    path.write_bytes(b"\n".join([good[0].encode(), *hostile, good[1].encode(), end]))
    reader = Reader("pbx", Numbering(), THRESHOLD, UTC)
    with open_source(SourceKind.QUEUE_LOG, str(path)) as source:
        records = [record for row in source for record in reader.feed(row)] + reader.finish()
        passed_over = source.passed_over + reader.passed_over
    first, second = sorted(records, key=lambda record: record.call_id)
    assert first.outcome is Outcome.ABANDONED
    assert (second.outcome, second.answered_by) == (Outcome.ANSWERED, "Jos\\xe9")
    assert sum(passed_over.values()) == 4, passed_over  # NUL, a megabyte, only pipes, and the half line
