"""What Asterisk 16 and 22 wrote as CEL of real calls, held against what the SIP side saw; and rows that lie."""

from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from telemon.instants import SECOND, to_datetime
from telemon.records import AttemptResult, EndedBy, Flag, Outcome, Provenance, TransferResult
from telemon.repair.cel import Reader
from telemon.services import EVERYTHING, Numbering, Service
from tests.core.records_kit import VERSIONS, paired, read, recorded, truths

TOLERANCE = 0.050
STEP = 1.001  # of whole seconds, either way
UNALLOCATED = "0999"  # a DDI that the dialplan refuses as unknown; without `extra`, nobody hears of that
PARIS = ZoneInfo("Europe/Paris")
ROWS = {version: recorded("cel", version) for version in VERSIONS}
CUT = {"killed_talking"}  # Asterisk was killed with the call, and CEL ends in the middle
GAPS = {"gap_abandoned"}  # unknown to the manager, whose link was cut; CEL saw it
GONE = {"whisper_hung_up"}  # the operator hung up while the dialplan spoke to him: joined for 0.2 ms
HELD = {"left_during_announcement"}  # the caller hung up while the queue spoke to the member: his channel went on
# events and apps as cel.conf.sample has them
SAMPLE = {"APP_START", "CHAN_START", "CHAN_END", "ANSWER", "HANGUP", "BRIDGE_ENTER", "BRIDGE_EXIT"}


def calls_of(rows, **options):
    calls, reader = read(Reader, rows, **options)
    assert not [reason for reason, count in reader.passed_over.items() if count]
    return calls


def pairs_of(version, rows):
    pairs, left = paired(calls_of(rows), truths(version))
    assert all(Flag.INTERNAL in call.flags or call.ddi == UNALLOCATED for call in left)
    return [(call, truth) for call, truth in pairs if truth["scenario"] not in GAPS]


def seconds(duration):
    return None if duration is None else duration / 1e6


def near(value, expected, tolerance):
    return seconds(value) == (None if expected is None else pytest.approx(expected, abs=tolerance))


def check_times(call, truth, tolerance):
    assert call.arrived_at / 1e6 == pytest.approx(truth["invite_at_unix"], abs=tolerance)
    if truth["scenario"] in CUT:
        assert call.ended_at is None
        return
    tolerance += truth["scenario"] in HELD
    heard = truth["ring_heard_seconds"]
    heard = heard if heard is not None else truth["since_first_phone_rang_seconds"]
    assert near(call.ring_duration, heard, tolerance) or (heard is None and not call.ring_duration)
    assert near(call.wait_duration, truth["wait_from_arrival_seconds"], tolerance)
    assert near(call.talk_duration, truth["talk_seconds"], tolerance)


def check_people(call, truth):
    assert call.answered_by == (truth["answered_by"] and f"PJSIP/{truth['answered_by']}")
    assert sorted(a.operator for a in call.attempts) == sorted(f"PJSIP/{phone['phone']}" for phone in truth["phones"])
    reached = [transfer.to for transfer in call.transfers if transfer.result is TransferResult.ANSWERED]
    assert reached == [f"PJSIP/{name}" for name in truth["transferred_to"]]
    assert (call.machine_answered_at is None) == (truth["machine_answered"] is None)


@pytest.mark.parametrize("version", VERSIONS)
def test_every_call_is_what_the_sip_side_saw(version):
    pairs = pairs_of(version, ROWS[version])
    assert len(pairs) > 60
    for call, truth in pairs:
        assert call is not None, truth
        assert call.outcome == ("unknown" if truth["scenario"] in GONE else truth["outcome"]), truth
        assert (call.ddi, call.caller, call.provenance) == (truth["ddi"], truth["caller"], Provenance.IMPORTED)
        assert Flag.WHOLE_SECONDS not in call.flags
        assert all(attempt.ringing_at is None for attempt in call.attempts)
        if truth["scenario"] not in CUT:
            assert call.ended_by == truth["ended_by"], truth
        check_people(call, truth)
        check_times(call, truth, TOLERANCE)


@pytest.mark.parametrize("version", VERSIONS)
def test_whole_seconds_are_flagged_and_a_second_off_at_most(version):
    rows = [row | {"eventtime": row["eventtime"].partition(".")[0]} for row in ROWS[version]]
    for call, truth in pairs_of(version, rows):
        assert Flag.WHOLE_SECONDS in call.flags
        if truth["scenario"] not in GONE:
            assert call.outcome in (truth["outcome"], Outcome.UNKNOWN), truth
            check_people(call, truth)
            check_times(call, truth, 2 * STEP)


@pytest.mark.parametrize("version", VERSIONS)
def test_attempts_say_what_became_of_each_phone(version):
    told = {truth["scenario"]: call for call, truth in pairs_of(version, ROWS[version])}
    results = {attempt.operator: attempt.result for attempt in told["ring_all"].attempts}
    assert results == {
        "PJSIP/op1": AttemptResult.CANCELLED, "PJSIP/op2": AttemptResult.ANSWERED, "PJSIP/op3": AttemptResult.CANCELLED,
    }  # fmt: skip
    assert told["turns_second_round"].attempts[0].result is AttemptResult.NO_ANSWER
    assert {attempt.result for attempt in told["dial_timeout"].attempts} == {AttemptResult.NO_ANSWER}
    assert {attempt.result for attempt in told["dial_all_busy"].attempts} == {AttemptResult.BUSY}
    assert told["abandoned_in_queue"].attempts[0].result is AttemptResult.CANCELLED
    assert told["declines_after_ringing"].attempts[0].result is AttemptResult.UNREACHABLE
    assert AttemptResult.PICKED_UP in {attempt.result for attempt in told["pickup_queue"].attempts}
    assert AttemptResult.FORWARDED in {attempt.result for attempt in told["forwarded_in_queue"].attempts}
    assert AttemptResult.NOT_ACCEPTED in {attempt.result for attempt in told["screened_then_next"].attempts}


@pytest.mark.parametrize("version", VERSIONS)
def test_without_extra_nobody_knows_who_hung_up(version):
    rows = [row | {"extra": ""} for row in ROWS[version]]
    for call, truth in pairs_of(version, rows):
        talked = (
            truth["talk_seconds"] is not None and truth["talk_seconds"] > 0.01
        )  # else: who knows who was gone first
        assert call.outcome is (Outcome.ANSWERED if talked else Outcome.UNKNOWN), truth
        assert call.ended_by is None
        assert call.answered_by == (f"PJSIP/{truth['answered_by']}" if talked else None)


@pytest.mark.parametrize("version", VERSIONS)
def test_events_and_apps_as_in_the_sample_never_give_a_wrong_outcome(version):
    rows = [
        row
        for row in ROWS[version]
        if row["eventtype"] in SAMPLE
        and (row["eventtype"] != "APP_START" or row["appname"].lower() in ("dial", "park"))
    ]
    calls, _ = read(Reader, rows)
    pairs, _ = paired(calls, truths(version))
    wrong = {t["scenario"] for call, t in pairs if call.outcome not in (t["outcome"], Outcome.UNKNOWN)}
    assert wrong <= GAPS
    assert all(call.alerting_at is None for call in calls)  # nobody said when they entered a queue
    assert sum(call.outcome is Outcome.ANSWERED for call in calls) > 40


# -- time


def moved(rows, by):
    """The same rows at another time, uniqueids included."""

    def move(stamp):
        whole, _, rest = stamp.rpartition("-")[2].partition(".")
        return f"{int(whole) + by}.{rest}"

    return [
        row
        | {name: move(row[name]) for name in ("eventtime", "uniqueid", "linkedid")}
        | {"extra": _moved_extra(row, move)}
        for row in rows
    ]


def _moved_extra(row, move):
    extra = row["extra"]
    for uniqueid in {r["uniqueid"] for r in ROWS["22"] if r["uniqueid"] in extra}:
        extra = extra.replace(f'"{uniqueid}"', f'"{move(uniqueid)}"')
    return extra


def in_paris(rows):
    """As dateformat = %F %T.%6q writes it."""
    return [
        row
        | {
            "eventtime": to_datetime(int(row["eventtime"].replace(".", "")))
            .astimezone(PARIS)
            .strftime("%Y-%m-%d %H:%M:%S.%f")
        }
        for row in rows
    ]


def of_one_call(scenario):
    caller = next(truth["caller"] for truth in truths("22") if truth["scenario"] == scenario)
    linkedid = next(row["linkedid"] for row in ROWS["22"] if row["cidnum"] == caller)
    return [row for row in ROWS["22"] if row["linkedid"] == linkedid]


@pytest.mark.parametrize(
    "begins",
    [
        "2026-10-24T23:59:57",  # 01:59:57 +02:00: on into the hour that comes twice
        "2026-10-25T00:59:57",  # 02:59:57 +02:00: on to 02:00 +01:00
        "2026-10-25T01:16:00",  # 02:16 +01:00 after a silent hour: only the uniqueid tells which 02:16
        "2026-10-25T01:59:57",  # 02:59:57 +01:00
        "2026-03-29T00:59:57",  # 01:59:57 +01:00: the next second is 03:00
        "2026-12-31T22:59:57",
        "2028-02-29T22:59:57",
    ],
)
def test_local_time_gives_the_same_call_in_every_night(begins):
    rows = of_one_call("ring_all")
    second = int(datetime.fromisoformat(begins).replace(tzinfo=UTC).timestamp())
    there = moved(rows, second - int(rows[0]["eventtime"].partition(".")[0]))
    (expected,) = calls_of(there)
    (call,) = calls_of(in_paris(there), zone=PARIS)
    assert call == expected
    assert call.answered_at - call.arrived_at > 2 * SECOND


# -- what rows may lack


def row(event, at, uniqueid, **more):
    return {"eventtype": event, "eventtime": f"{at:.6f}", "uniqueid": uniqueid, "linkedid": uniqueid, **more}


CALLER = {"channame": "DAHDI/1-1", "context": "from-pstn"}


def test_an_analogue_line_that_begins_in_s_is_a_caller():
    (call,) = calls_of([
        row("CHAN_START", 1795450000, "1795450000.0", exten="s", cidnum="0123", **CALLER),
        row("APP_START", 1795450000.1, "1795450000.0", exten="s", appname="Queue", appdata="line,r", **CALLER),
        row("HANGUP", 1795450009, "1795450000.0", exten="s",
            extra='{"hangupcause":16,"hangupsource":"DAHDI/1-1","dialstatus":""}', **CALLER),
    ])  # fmt: skip
    assert (call.outcome, call.queues, call.ended_by) == (Outcome.ABANDONED, ("line",), EndedBy.CALLER)
    assert seconds(call.wait_duration) == 9.0
    assert seconds(call.ring_duration) == 8.9


def test_an_originated_leg_is_none():
    calls = calls_of([
        row("CHAN_START", 1795450000, "1795450000.0", exten="s", channame="PJSIP/op1-1", context="from-trunk"),
        row("ANSWER", 1795450002, "1795450000.0", exten="s", appname="AppDial2", channame="PJSIP/op1-1"),
        row("HANGUP", 1795450009, "1795450000.0", channame="PJSIP/op1-1"),
    ])  # fmt: skip
    assert calls == []


@pytest.mark.parametrize(
    ("stays", "source", "outcome", "queues"),
    [
        (0.002, "", Outcome.BUSY, ()),  # joinempty: Queue ended at once, and the dialplan hung up
        (0.2, "DAHDI/1-1", Outcome.SHORT_ABANDONED, ("line",)),
        (12, "", Outcome.UNANSWERED, ("line",)),
    ],
)
def test_a_queue_is_entered_unless_it_ends_at_once(stays, source, outcome, queues):
    over = 1795450001 + stays
    (call,) = calls_of([
        row("CHAN_START", 1795450000, "1795450000.0", exten="0100", **CALLER),
        row("APP_START", 1795450001, "1795450000.0", appname="Queue", appdata="line,r", **CALLER),
        *([] if source else [row("APP_END", over, "1795450000.0", appname="Queue", appdata="line,r", **CALLER)]),
        row("HANGUP", over, "1795450000.0",
            extra=f'{{"hangupcause":16,"hangupsource":"{source}","dialstatus":""}}', **CALLER),
    ])  # fmt: skip
    assert (call.outcome, call.queues) == (outcome, queues)


def test_a_call_of_which_the_end_is_missing_is_unknown():
    rows = of_one_call("abandoned_in_queue")
    calls, _ = read(Reader, rows[: len(rows) // 2])
    (call,) = calls
    assert (call.outcome, call.ended_at) == (Outcome.UNKNOWN, None)
    assert Flag.ENDED_IN_GAP in call.flags


def test_only_calls_of_services_are_told():
    numbering = Numbering(services=(replace(EVERYTHING, name="mayor", ddis=("9999",), queues=("mayor",)),))
    calls, _ = read(Reader, ROWS["22"], numbering=numbering)
    assert calls == []
    numbering = Numbering(services=(Service(name="standard", ddis=("0200",)),))
    calls, _ = read(Reader, ROWS["22"], numbering=numbering)
    assert {call.ddi for call in calls} == {"0200"}


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        ({"eventtime": "yesterday"}, "without time"),
        ({"eventtime": "2026-02-30 10:00:00"}, "without time"),
        ({"eventtime": ""}, "without time"),
        ({"uniqueid": ""}, "without channel"),
        ({"linkedid": ""}, "without channel"),
        ({"eventtype": "HANGUP", "uniqueid": "1.1"}, "channel that began before"),
    ],
)
def test_a_row_of_which_nothing_can_be_made_is_counted(broken, reason):
    rows = of_one_call("ring_all")
    calls, reader = read(Reader, [rows[0] | broken, *rows])
    assert len(calls) == 1
    assert {key: count for key, count in reader.passed_over.items() if count} == {reason: 1}


@pytest.mark.parametrize("extra", ["{", "[1]", '"a"', "null", '{"hangupcause":"x","hangupsource":3}', "[" * 100_000])
def test_extra_that_is_no_such_json_is_as_if_it_were_not_there(extra):
    rows = [row | {"extra": extra} for row in of_one_call("ring_all")]
    (call,) = calls_of(rows)
    assert (call.outcome, call.ended_by) == (Outcome.ANSWERED, None)


SOME = [row for row in ROWS["22"] if row["eventtype"] not in ("DTMF", "STREAM_BEGIN", "STREAM_END")]
STARTS = [index for index, row in enumerate(SOME) if row["eventtype"] == "CHAN_START"]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(STARTS), st.integers(0, 120), st.randoms(use_true_random=False))
def test_lost_doubled_and_disordered_rows_never_break_the_reader(first, length, random):
    rows = [row for row in SOME[first : first + length] for _ in range(random.choice((0, 1, 1, 1, 1, 2)))]
    for _ in range(random.randrange(6)):
        if len(rows) > 1:
            place = random.randrange(len(rows) - 1)
            rows[place], rows[place + 1] = rows[place + 1], rows[place]
    calls, _ = read(Reader, rows, zone=UTC)
    assert len({call.call_id for call in calls}) == len(calls)
    for call in calls:
        instants = (call.arrived_at, call.alerting_at, call.answered_at, call.ended_at)
        known = [at for at in instants if at is not None]
        assert known == sorted(known)
        assert (call.outcome is Outcome.ANSWERED) == (call.answered_at is not None)
