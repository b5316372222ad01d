"""What Asterisk 16 and 22 wrote as CDR of real calls: never a claim that the SIP side contradicts."""

from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telemon.instants import SECOND
from telemon.records import AttemptResult, Flag, Outcome, Provenance, ServiceKind
from telemon.repair.cdr import Reader
from telemon.services import EVERYTHING, Numbering, Service
from tests.core.records_kit import VERSIONS, paired, read, recorded, truths

STEP = 1.05  # of whole seconds
PARIS = ZoneInfo("Europe/Paris")
ROWS = {version: recorded("cdr", version) for version in VERSIONS}
# A CDR is written once its channel has ended: of a killed Asterisk's calls there is none.
UNWRITTEN = {"killed_talking"}
# The member had picked up, and the queue spoke to him: CDR calls that an answer.
NEVER_JOINED = {"left_during_announcement"}


def pairs_of(version, rows=None):
    calls, reader = read(Reader, ROWS[version] if rows is None else rows)
    assert not reader.passed_over
    pairs, _ = paired(calls, truths(version))
    for call, truth in pairs:  # none of calls that rang no phone (unanswered = no), none of the phones' own
        absent = truth["outcome"] != "answered" or truth["caller"].startswith("op") or truth["scenario"] in UNWRITTEN
        assert call is not None or absent, truth
    return [(call, t) for call, t in pairs if call is not None and t["scenario"] not in NEVER_JOINED]


def claimed(call, truth):
    return call.outcome in (truth["outcome"], Outcome.UNKNOWN)


@pytest.mark.parametrize("version", VERSIONS)
def test_no_outcome_is_claimed_wrongly(version):
    pairs = pairs_of(version)
    assert {truth["scenario"] for call, truth in pairs if not claimed(call, truth)} == set()
    known = [call for call, truth in pairs if call.outcome is not Outcome.UNKNOWN]
    assert {call.outcome for call in known} == {Outcome.ANSWERED, Outcome.DIVERTED, Outcome.BUSY}
    for call, truth in pairs:
        assert (call.provenance, call.caller) == (Provenance.IMPORTED, truth["caller"])
        assert Flag.WHOLE_SECONDS in call.flags
        assert call.arrived_at / 1e6 == pytest.approx(truth["invite_at_unix"], abs=STEP)
        assert call.ddi in (truth["ddi"], "")
        if call.outcome is not Outcome.UNKNOWN:
            assert call.answered_by == (truth["answered_by"] and f"PJSIP/{truth['answered_by']}"), truth


@pytest.mark.parametrize("version", VERSIONS)
def test_every_answer_is_found_and_its_instant_exact_or_bounded(version):
    pairs = [(call, truth) for call, truth in pairs_of(version) if call.outcome is Outcome.ANSWERED]
    exact = [(call, truth) for call, truth in pairs if Flag.ANSWERED_IN_GAP not in call.flags]
    assert len(exact) > len(pairs) // 4
    for call, truth in exact:
        assert call.answered_at / 1e6 == pytest.approx(truth["joined_at_unix"], abs=STEP), truth
        assert call.answered_not_before is None
    for call, truth in pairs:
        if call.answered_not_before is not None:
            joined = truth["joined_at_unix"]
            assert call.answered_not_before / 1e6 - STEP <= joined <= call.answered_at / 1e6 + STEP, truth


@pytest.mark.parametrize("version", VERSIONS)
def test_an_end_is_only_told_where_it_was_seen(version):
    for call, truth in pairs_of(version):
        assert (call.ended_at is None) == (Flag.ENDED_IN_GAP in call.flags)
        if call.ended_at is not None:
            assert call.ended_at / 1e6 == pytest.approx(truth["end_at_unix"], abs=STEP), truth
        if call.diverted_at is not None and truth["taken_at_unix"] is not None:
            assert call.diverted_at / 1e6 == pytest.approx(truth["taken_at_unix"], abs=STEP), truth
        assert call.ended_by is None


@pytest.mark.parametrize("version", VERSIONS)
def test_without_linkedids_a_local_channel_ends_in_the_unknown(version):
    rows = [row | {"linkedid": ""} for row in ROWS[version]]
    for call, truth in pairs_of(version, rows):
        assert claimed(call, truth), truth


@pytest.mark.parametrize("version", VERSIONS)
def test_the_order_of_the_table_does_not_matter(version):
    written, _ = read(Reader, ROWS[version])
    by_start = sorted(ROWS[version], key=lambda row: (row["start"], row["uniqueid"], int(row["sequence"])))
    begun, _ = read(Reader, by_start)
    known = {call.call_id: call.outcome for call in written if call.service}
    assert {call.call_id: call.outcome for call in begun if call.service} == known


def test_calls_are_told_as_they_end_and_not_kept():
    calls, reader = [], Reader("test", Numbering(), 5 * SECOND, PARIS)
    for row in ROWS["22"]:
        calls += reader.feed({"peeraccount": "", **row})
    assert len(calls) > 100
    assert len(reader.finish()) < 20


# -- one row at a time

ROW = {
    "src": "0622200001", "dst": "0100", "dcontext": "from-trunk", "clid": "", "channel": "PJSIP/trunk-00000001",
    "dstchannel": "PJSIP/op1-00000002", "lastapp": "Dial", "lastdata": "PJSIP/op1,20", "start": "2026-11-23 16:00:00",
    "answer": "2026-11-23 16:00:07", "end": "2026-11-23 16:01:00", "duration": "60", "billsec": "53",
    "disposition": "ANSWERED", "uniqueid": "1795449600.1", "linkedid": "1795449600.1", "sequence": "1",
}  # fmt: skip
RANG_IN_VAIN = {"answer": "", "end": "2026-11-23 16:00:05", "duration": "5", "billsec": "0", "disposition": "NO ANSWER"}


def one(*rows, **options):
    calls, _ = read(Reader, rows, **options)
    (call,) = calls
    return call


def after(call):
    return {
        name: None if at is None else (at - call.arrived_at) / 1e6
        for name, at in (("answer", call.answered_at), ("earliest", call.answered_not_before), ("end", call.ended_at))
    }


def test_a_single_phone_leaves_the_answer_between_the_line_and_the_end():
    call = one(ROW)
    assert (call.outcome, call.answered_by) == (Outcome.ANSWERED, "PJSIP/op1")
    assert after(call) == {"answer": 60.0, "earliest": 7.0, "end": 60.0}
    assert Flag.ANSWERED_IN_GAP in call.flags


def test_a_phone_that_rang_in_vain_proves_that_the_line_was_down():
    vain = ROW | RANG_IN_VAIN | {"dstchannel": "PJSIP/op2-00000003", "sequence": "2"}
    call = one(vain, ROW)
    assert after(call) == {"answer": 7.0, "earliest": None, "end": 60.0}
    results = {attempt.operator: attempt.result for attempt in call.attempts}
    assert results == {"PJSIP/op1": AttemptResult.ANSWERED, "PJSIP/op2": AttemptResult.UNKNOWN}


def test_columns_that_older_tables_lack_are_computed():
    call = one({name: value for name, value in ROW.items() if name not in ("answer", "end", "linkedid", "sequence")})
    assert after(call) == {"answer": 60.0, "earliest": 7.0, "end": 60.0}


def test_fractions_are_kept():
    call = one(ROW | {"start": "1795449600.250000", "answer": "1795449607.5", "end": "1795449660.75"})
    assert after(call) == {"answer": 60.5, "earliest": 7.25, "end": 60.5}
    assert Flag.WHOLE_SECONDS not in call.flags


def test_a_machine_that_is_named_is_no_operator():
    numbering = Numbering(machines=("PJSIP/op1",))
    call = one(ROW, numbering=numbering)
    assert (call.outcome, call.answered_by, call.attempts) == (Outcome.UNKNOWN, None, ())


def test_a_call_that_went_through_a_menu_has_no_ddi_but_the_service_of_its_queue():
    menu = {"dst": "1", "dcontext": "menu"}
    numbering = Numbering(
        services=(Service(name="standard", kind=ServiceKind.PERMANENCE, ddis=("0100",), queues=("q",)),)
    )
    call = one(ROW | menu | {"lastapp": "Queue", "lastdata": "q,rt"}, numbering=numbering)
    assert (call.ddi, call.service, call.service_kind) == ("", "standard", ServiceKind.PERMANENCE)
    assert call.queues == ("q",)
    assert one(ROW | menu, numbering=numbering).service == ""


def test_phones_that_call_are_left_out():
    other = ROW | {"uniqueid": "1795449700.1", "linkedid": "1795449700.1", "dcontext": "from-internal"}
    calls, _ = read(Reader, [ROW, other | {"channel": "PJSIP/op1-00000009", "dstchannel": "PJSIP/op2-00000010"}])
    assert [call.call_id for call in calls] == ["test:1795449600.1"]
    named = Numbering(services=(Service(name="standard", ddis=("_!",), operators=("PJSIP/op*",)),))
    calls, _ = read(Reader, [other | {"channel": "PJSIP/op1-00000009"}], numbering=named)
    assert calls == []


def test_a_trunk_by_which_calls_also_go_on_to_mobiles_stays_a_trunk():
    forwarded = ROW | {"dstchannel": "PJSIP/trunk-00000002", "lastdata": "PJSIP/0690000001@trunk,20"}
    call = one(forwarded)
    assert (call.outcome, call.answered_by) == (Outcome.ANSWERED, "PJSIP/trunk")


def test_a_probe_is_one():
    assert one(ROW, numbering=Numbering(services=(EVERYTHING,), probe_callers=frozenset({"0622200001"}))).is_probe


@pytest.mark.parametrize(
    ("epoch", "start", "end"),
    [
        (1_792_887_000, "2026-10-25 02:10:00", "2026-10-25 02:11:00"),  # +02:00, the first time
        (1_792_890_600, "2026-10-25 02:10:00", "2026-10-25 02:11:00"),  # +01:00, the second
        (1_792_889_970, "2026-10-25 02:59:30", "2026-10-25 02:00:30"),  # from the first into the second
    ],
)
def test_the_uniqueid_tells_which_of_two_hours_it_was(epoch, start, end):
    row = ROW | {"uniqueid": f"{epoch}.1", "linkedid": f"{epoch}.1", "start": start, "end": end, "answer": end}
    call = one(row, zone=PARIS)
    assert call.arrived_at == epoch * SECOND
    assert call.ended_at - call.arrived_at == 60 * SECOND


@pytest.mark.parametrize(
    "broken",
    [
        {"start": ""}, {"start": "yesterday"}, {"start": "2026-13-01 00:00:00"}, {"duration": "-1"},
        {"duration": "nan"}, {"duration": "1e400"}, {"channel": ""}, {"uniqueid": ""},
    ],
)  # fmt: skip
def test_a_row_of_which_nothing_can_be_made_is_counted(broken):
    calls, reader = read(Reader, [ROW | broken, ROW])
    assert len(calls) == 1
    assert reader.passed_over == {"without channel or times": 1}


def test_rows_of_a_call_whose_own_is_missing_are_counted():
    calls, reader = read(Reader, [ROW | {"uniqueid": "1795449600.2", "channel": "Local/1@phones-1;2"}])
    assert calls == []
    assert reader.passed_over == {"without the caller's own row": 1}


CELLS = st.one_of(
    st.sampled_from(sorted({value for row in ROWS["22"] for value in row.values()})),
    st.text(max_size=12),
    st.integers(-(10**12), 10**12).map(str),
)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, len(ROWS["22"]) - 1), st.sampled_from(sorted(ROWS["22"][0])), CELLS), max_size=12)
)
def test_forged_cells_never_break_the_reader(forgeries):
    rows = [ROWS["22"][index] | {name: cell} for index, name, cell in forgeries]
    calls, _ = read(Reader, rows)
    for call in calls:
        assert call.answered_at is None or call.arrived_at <= (call.answered_not_before or call.answered_at)
        assert call.ended_at is None or call.ended_at >= call.arrived_at
