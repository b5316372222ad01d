"""What comes back from the ledger is what went in, but for the caller's number."""

import uuid
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlmodel import Session, select

from telemon.completeness import completeness
from telemon.instants import SECOND, to_datetime
from telemon.ledger.models import Call
from telemon.ledger.reader import read_calls, read_observations, totals
from telemon.ledger.rows import fullness
from telemon.observation import GapCause, Interval, Sight
from telemon.privacy import pseudonym
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
from tests.ledger.kit import (
    ALWAYS,
    CANARY,
    KEY,
    MAYBE_INSTANTS,
    RICH,
    T,
    as_stored,
    calls,
    locked,
    read_all,
    store,
    writing,
)


def test_a_rich_record_comes_back_equal_but_for_the_caller(engine):
    store(engine, RICH)
    assert read_all(engine) == [as_stored(RICH)]


def test_a_bare_record_comes_back_equal(engine):
    nothing: dict[str, Any] = dict.fromkeys((*MAYBE_INSTANTS, "ended_by", "answered_by", "hangup_cause"))
    bare = replace(RICH, **nothing, queues=(), attempts=(), transfers=(), flags=(), outcome=Outcome.UNKNOWN, caller="")
    store(engine, bare)
    assert read_all(engine) == [replace(bare, caller="anonymous")]


LATEST = 250_000_000_000 * SECOND
INSTANTS = st.integers(min_value=0, max_value=LATEST)
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)
NAMES = TEXTS.filter(lambda text: not any(character.isdigit() for character in text))
ATTEMPTS = st.builds(
    RingAttempt,
    operator=NAMES,
    started_at=INSTANTS,
    ringing_at=st.none() | INSTANTS,
    ended_at=st.none() | INSTANTS,
    result=st.sampled_from(AttemptResult),
)
TRANSFERS = st.builds(
    Transfer,
    kind=st.sampled_from(TransferKind),
    to=NAMES,
    at=INSTANTS,
    result=st.sampled_from(TransferResult),
)
RECORDS = st.builds(
    CallRecord,
    **dict.fromkeys(MAYBE_INSTANTS, st.none() | INSTANTS),
    **dict.fromkeys(("site", "service", "ddi", "linkedid", "caller"), TEXTS),
    call_id=TEXTS.filter(bool),
    service_kind=st.sampled_from(ServiceKind),
    arrived_at=INSTANTS,
    outcome=st.sampled_from(Outcome),
    ended_by=st.none() | st.sampled_from(EndedBy),
    answered_by=st.none() | NAMES,
    queues=st.lists(TEXTS, max_size=3).map(tuple),
    attempts=st.lists(ATTEMPTS, max_size=4).map(tuple),
    transfers=st.lists(TRANSFERS, max_size=3).map(tuple),
    hold_duration=st.integers(min_value=0, max_value=10**15),
    hangup_cause=st.none() | st.integers(min_value=0, max_value=127),
    is_probe=st.booleans(),
    flags=st.lists(st.sampled_from(Flag), unique=True).map(tuple),
    provenance=st.sampled_from(Provenance),
)


def fullest(records):
    """Of the records of each call the fullest, the later of two that are as full."""

    def of(record):
        return fullness(completeness(record), record.flags)

    best: dict[str, CallRecord] = {}
    for record in records:
        if record.call_id not in best or of(record) >= of(best[record.call_id]):
            best[record.call_id] = record
    return best.values()


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(records=st.lists(RECORDS, min_size=1, max_size=5))
def test_any_records_come_back_equal(engine, records):
    turn = uuid.uuid4().hex  # the ledger keeps what the examples before put
    records = [replace(record, call_id=f"{turn} {record.call_id}") for record in records]
    store(engine, *records)
    stored = {record.call_id: record for record in read_calls(engine, 0, LATEST + 1)}
    for record in fullest(records):
        assert stored[record.call_id] == as_stored(record)


def test_rows_show_aware_utc_and_derived_seconds(engine):
    store(engine, RICH)
    with Session(engine) as session:
        call = session.exec(select(Call).where(Call.arrived_at == to_datetime(T))).one()
    assert call.arrived_at == to_datetime(T)
    assert call.arrived_at.utcoffset() is not None
    assert (call.wait_seconds, call.ring_seconds) == (6.999999, 6.999998)
    assert call.operator_ring_seconds == (RICH.operator_ring_duration or 0) / SECOND > 0
    assert (call.talk_seconds, call.hold_seconds) == (53.000001, 1.234567)
    assert (call.queues, call.flags) == (["standard", "débordement"], ["seen_through_gap", "internal"])


@pytest.mark.parametrize(("ring_duration", "rings"), [(0, 1), (4_999_999, 1), (19_999_999, 4), (20 * SECOND, 5)])
def test_rings_are_the_bursts_begun(sqlite_engine, ring_duration, rings):
    record = replace(RICH, answered_at=RICH.alerting_at + ring_duration)
    store(sqlite_engine, record, replace(record, call_id="silent", alerting_at=None))
    with sqlite_engine.connect() as connection:
        stored = {row.call_id: row.rings for row in connection.execute(text("SELECT call_id, rings FROM calls"))}
    assert stored == {RICH.call_id: rings, "silent": None}


def test_the_later_version_of_a_call_replaces_the_earlier_with_its_children(engine):
    store(engine, RICH, RICH)
    later = replace(RICH, attempts=RICH.attempts[1:2], transfers=(), outcome=Outcome.ABANDONED, answered_at=None)
    store(engine, later)
    assert read_all(engine) == [as_stored(later)]
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM ring_attempts")).scalar_one() == 1


def test_several_batches_with_leftovers_are_all_stored(engine):
    records = calls(4321)
    store(engine, *records, *records[:10])
    assert read_all(engine) == [as_stored(record) for record in records]


def test_calls_are_found_by_period_service_and_outcome(engine):
    first, second, third = calls(3)
    second = replace(second, service="crise", outcome=Outcome.BUSY)
    store(engine, third, first, second)
    first, second, third = map(as_stored, (first, second, third))
    assert list(read_calls(engine, T, T + 2)) == [first, second]
    assert list(read_calls(engine, *ALWAYS, newest_first=True, limit=2)) == [third, second]
    assert list(read_calls(engine, *ALWAYS, service="standard")) == [first, third]
    assert list(read_calls(engine, *ALWAYS, outcome=Outcome.BUSY)) == [second]


def test_totals_leave_probe_and_internal_calls_out(engine):
    first, second, third, probe, internal = (replace(call, flags=()) for call in calls(5))
    store(
        engine,
        first,
        replace(second, flags=(Flag.ARRIVED_IN_GAP,)),
        replace(third, service="crise", outcome=Outcome.BUSY),
        replace(probe, is_probe=True),
        replace(internal, flags=(Flag.ARRIVED_IN_GAP, Flag.INTERNAL)),
    )
    assert totals(engine, [RICH.site]) == {
        (RICH.site, "standard", Outcome.ANSWERED): 2,
        (RICH.site, "crise", Outcome.BUSY): 1,
    }
    assert totals(engine, ["elsewhere"]) == {}


def test_observations_are_closed_and_found(engine):
    seen = Interval("pref31", T, None, Sight.SEEN)
    gap = Interval("pref31", T + 9, None, Sight.GAP, GapCause.LINK_CUT)
    store(engine, seen, replace(seen, ended_at=T + 9), gap, replace(seen, pbx="other"))
    assert list(read_observations(engine, "pref31", T, T + 10)) == [replace(seen, ended_at=T + 9), gap]
    assert list(read_observations(engine, "pref31", T + 9, T + 99)) == [gap]
    assert list(read_observations(engine, "pref31", T - 9, T)) == []


def test_text_that_no_database_takes_is_cleaned(engine):
    store(engine, replace(RICH, ddi="a\0b\udce9c", queues=("q\0",), answered_by="PJSIP/\udcff"))
    (stored,) = read_all(engine)
    assert (stored.ddi, stored.queues, stored.answered_by) == ("a\ufffdb\ufffdc", ("q\ufffd",), "PJSIP/\ufffd")


def test_a_number_is_nowhere_in_the_database(file, sqlite_engine, heard):
    attempt = replace(RICH.attempts[0], operator=f"Local/{CANARY}@mobiles")
    moved = (replace(RICH.transfers[0], to=CANARY), replace(RICH.transfers[1], to=CANARY[1:]))
    with writing(sqlite_engine) as writer, locked(file):
        writer.put(replace(RICH, attempts=(attempt,), transfers=moved, answered_by=attempt.operator))
        writer.put(replace(RICH, arrived_at=10**18))
        heard.wait_for("ERROR", "locked")
    with writing(sqlite_engine) as writer:
        writer.put(replace(RICH, attempts=(attempt,), transfers=moved, answered_by=attempt.operator))
        assert writer.flush(20)
        files = sorted(file.parent.glob("ledger.db*"))
        assert [path.name for path in files] == ["ledger.db", "ledger.db-shm", "ledger.db-wal"]
        written = b"".join(path.read_bytes() for path in files)
    assert pseudonym(CANARY, KEY).encode() in written
    assert CANARY[1:].encode() not in written
    assert not [line for _, line in heard.lines if CANARY[1:] in line]
