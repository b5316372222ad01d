"""The ledger on real SQLite files and a real PostgreSQL."""

import logging
import os
import pickle
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event, text
from sqlmodel import Session, SQLModel, select

from telemon.errors import ConfigError, LedgerError
from telemon.instants import SECOND, to_datetime
from telemon.ledger.models import Call
from telemon.ledger.store import (
    LedgerWriter,
    load_or_create_key,
    open_ledger,
    read_calls,
    read_observations,
    totals,
)
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

KEY = bytes(range(32))
CYCLE = 5 * SECOND
T = 1_763_880_006_851_132
ALWAYS = (0, 4_000_000_000 * SECOND)
CANARY = "+33699887766"
POSTGRESQL = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: int(folder.parent.name))

RICH = CallRecord(
    call_id="pref31-1763880006.42",
    site="pref31",
    service="standard",
    service_kind=ServiceKind.SWITCHBOARD,
    ddi="0534453400",
    caller=CANARY,
    linkedid="1763880006.42",
    arrived_at=T,
    alerting_at=T + 1,
    operator_ringing_at=T + 2 * SECOND,
    operator_up_at=T + 6 * SECOND,
    answered_at=T + 6_999_999,
    answered_not_before=T + 5 * SECOND,
    machine_answered_at=T + 3,
    diverted_at=T + 4,
    ended_at=T + 60 * SECOND,
    outcome=Outcome.ANSWERED,
    ended_by=EndedBy.CALLER,
    answered_by="PJSIP/op2",
    queues=("standard", "débordement"),
    attempts=tuple(
        RingAttempt(
            operator=f"PJSIP/op{number}",
            started_at=T + number,
            ringing_at=None if number == 1 else T + number + 7,
            ended_at=None if number == 3 else T + 9 * SECOND,
            result=result,
        )
        for number, result in enumerate((AttemptResult.BUSY, AttemptResult.ANSWERED, AttemptResult.UNKNOWN), 1)
    ),
    transfers=(
        Transfer(kind=TransferKind.BLIND, to="PJSIP/op7", at=T + 20 * SECOND, result=TransferResult.NO_ANSWER),
        Transfer(kind=TransferKind.PARK, to="701", at=T + 30 * SECOND, result=TransferResult.RETRIEVED),
    ),
    hold_duration=1_234_567,
    hangup_cause=16,
    is_probe=False,
    flags=(Flag.SEEN_THROUGH_GAP, Flag.INTERNAL),
    provenance=Provenance.REPLAYED,
)

MAYBE_INSTANTS = (
    "alerting_at",
    "operator_ringing_at",
    "operator_up_at",
    "answered_at",
    "answered_not_before",
    "machine_answered_at",
    "diverted_at",
    "ended_at",
)


def calls(count: int) -> list[CallRecord]:
    return [replace(RICH, call_id=f"pref31-{n:06}", arrived_at=T + n) for n in range(count)]


def read_all(engine) -> list[CallRecord]:
    return list(read_calls(engine, *ALWAYS))


def as_stored(record: CallRecord) -> CallRecord:
    return replace(record, caller=pseudonym(record.caller, KEY))


class Postgresql:
    """A server of our own, on a socket only, as a user that is not root."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._bin = POSTGRESQL[-1]
        self._user = "postgres" if os.geteuid() == 0 else None
        if self._user:
            shutil.chown(folder, self._user)
        self._run("initdb", "-D", "data", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync")

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [self._bin / program, *arguments],
            cwd=self._folder,
            user=self._user,
            group=self._user,
            extra_groups=[] if self._user else None,
            check=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )

    def start(self) -> None:
        options = f"-c listen_addresses= -c fsync=off -k {self._folder}"
        self._run("pg_ctl", "-D", "data", "-w", "-l", "log", "-o", options, "start")

    def stop(self) -> None:
        """Stop it the hard way, by the pid in its data folder."""
        self._run("pg_ctl", "-D", "data", "-w", "-m", "immediate", "stop")

    def new_database(self) -> str:
        name = f"ledger_{uuid.uuid4().hex}"
        with psycopg.connect(f"host={self._folder} user=postgres dbname=postgres", autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        return f"postgresql://postgres@/{name}?host={self._folder}"


@pytest.fixture(scope="module")
def postgresql() -> Iterator[Postgresql]:
    if not POSTGRESQL:
        reason = "no PostgreSQL server under /usr/lib/postgresql: install the package postgresql"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    with tempfile.TemporaryDirectory() as folder:
        server = Postgresql(Path(folder))
        server.start()
        yield server
        server.stop()


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path):
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/ledger.db"
    return request.getfixturevalue("postgresql").new_database()


@pytest.fixture
def engine(url):
    engine = open_ledger(url)
    yield engine
    engine.dispose()


@pytest.fixture
def file(tmp_path):
    return tmp_path / "ledger.db"


@pytest.fixture
def sqlite_engine(file):
    engine = open_ledger(f"sqlite:///{file}")
    yield engine
    engine.dispose()


@contextmanager
def writing(engine, **options) -> Iterator[LedgerWriter]:
    writer = LedgerWriter(engine, key=KEY, ring_cycle=CYCLE, **options)
    try:
        yield writer
    finally:
        writer.close(0.1)


def store(engine, *items) -> None:
    with writing(engine) as writer:
        for item in items:
            writer.put(item)
        assert writer.flush(30)
        assert writer.close(10) == 0


class Heard(logging.Handler):
    """The writer's log lines, which a test can wait for."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[tuple[str, str]] = []
        self._more = threading.Condition()

    def emit(self, record: logging.LogRecord) -> None:
        with self._more:
            self.lines.append((record.levelname, record.getMessage()))
            self._more.notify_all()

    def wait_for(self, level: str, part: str) -> str:
        def found() -> str | None:
            return next((line for name, line in self.lines if name == level and part in line), None)

        with self._more:
            line = self._more.wait_for(found, 20)
        assert line, f"no {level} with {part!r} in {self.lines}"
        return line


@pytest.fixture
def heard():
    handler = Heard()
    logger = logging.getLogger("telemon.ledger.writer")
    logger.addHandler(handler)
    yield handler
    logger.removeHandler(handler)


@contextmanager
def locked(file: Path) -> Iterator[None]:
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        yield
        other.execute("ROLLBACK")


# --- what is stored ---


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


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(records=st.lists(RECORDS, min_size=1, max_size=5))
def test_any_records_come_back_equal(engine, records):
    store(engine, *records)
    stored = {record.call_id: record for record in read_calls(engine, 0, LATEST + 1)}
    for record in {record.call_id: record for record in records}.values():
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
    assert totals(engine) == {("standard", Outcome.ANSWERED): 2, ("crise", Outcome.BUSY): 1}


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


# --- no number reaches the ledger ---


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


# --- a database that refuses ---


def test_a_locked_database_delays_and_never_blocks(file, sqlite_engine, heard):
    records = calls(5000)
    with writing(sqlite_engine) as writer:
        with locked(file):
            writer.put(records[0])
            heard.wait_for("ERROR", "database is locked")
            began = time.perf_counter()
            for record in records[1:]:
                writer.put(record)
            assert time.perf_counter() - began < 1  # SQLite alone waits 2 s for the lock
            assert (writer.failing, writer.pending, writer.written_total) == (True, 5000, 0)
            assert writer.errors_total >= 1
            assert "locked" in (writer.last_error or "")
        assert writer.flush(30)
        assert (writer.failing, writer.pending, writer.written_total, writer.last_error) == (False, 0, 5000, None)
    heard.wait_for("WARNING", "writing again")
    assert len([line for level, line in heard.lines if level == "ERROR"]) == 1
    assert len(read_all(sqlite_engine)) == 5000


def test_a_locked_table_delays_too(postgresql, heard):
    url = postgresql.new_database()
    engine = open_ledger(url)
    with writing(engine) as writer:
        with psycopg.connect(url) as other:
            other.execute("LOCK TABLE calls")
            writer.put(RICH)
            heard.wait_for("ERROR", "another program holds the tables")
        assert writer.flush(20)
    assert read_all(engine) == [as_stored(RICH)]
    engine.dispose()


def test_a_full_disk_delays_and_loses_nothing(sqlite_engine, heard):
    pages = [60]
    event.listen(
        sqlite_engine, "checkout", lambda connection, *_: connection.execute(f"PRAGMA max_page_count = {pages[0]}")
    )
    records = calls(3000)
    with writing(sqlite_engine) as writer:
        for record in records:
            writer.put(record)
        heard.wait_for("ERROR", "full")
        pages[0] = 1_000_000
        assert writer.flush(30)
    assert read_all(sqlite_engine) == [as_stored(record) for record in records]


def test_a_server_that_was_killed_delays_and_loses_nothing(postgresql, heard):
    engine = open_ledger(postgresql.new_database())
    records = calls(300)
    with writing(engine) as writer:
        writer.put(records[0])
        assert writer.flush(20)
        postgresql.stop()
        try:
            for record in records[1:]:
                writer.put(record)
            heard.wait_for("ERROR", "none is lost")
        finally:
            postgresql.start()
        assert writer.flush(30)
    assert read_all(engine) == [as_stored(record) for record in records]
    engine.dispose()


def test_beyond_the_maximum_each_lost_record_is_counted_and_named(file, sqlite_engine, heard):
    records = calls(5)
    with writing(sqlite_engine, maximum=3) as writer:
        with locked(file):
            for record in records:
                writer.put(record)
            assert (writer.pending, writer.dropped_total) == (3, 2)
            heard.wait_for("CRITICAL", "pref31-000003")
            heard.wait_for("CRITICAL", "pref31-000004")
        assert writer.flush(20)
    assert len(read_all(sqlite_engine)) == 3


def test_a_record_that_no_row_holds_is_lost_loudly_and_alone(engine, heard):
    records = calls(50)
    with writing(engine) as writer:
        for record in [*records, replace(RICH, call_id="absurd", arrived_at=10**18)]:
            writer.put(record)
        assert writer.flush(20)
        assert (writer.written_total, writer.rejected_total, writer.pending) == (50, 1, 0)
    heard.wait_for("CRITICAL", "absurd")
    assert len(read_all(engine)) == 50


def test_a_key_too_long_for_its_index_is_lost_loudly_and_alone(postgresql, heard):
    engine = open_ledger(postgresql.new_database())
    with writing(engine) as writer:
        for record in (replace(RICH, call_id=os.urandom(10_000).hex()), RICH):
            writer.put(record)
        assert writer.flush(20)
    heard.wait_for("CRITICAL", "index")
    assert read_all(engine) == [as_stored(RICH)]
    engine.dispose()


def test_closing_writes_what_was_just_accepted(sqlite_engine):
    for size in range(20):
        with writing(sqlite_engine) as writer:
            for record in calls(size):
                writer.put(record)
            assert writer.close(10) == 0
    assert len(read_all(sqlite_engine)) == 19


def test_closing_while_locked_says_what_is_lost(file, sqlite_engine, heard):
    with locked(file), writing(sqlite_engine) as writer:
        for record in calls(7):
            writer.put(record)
        assert writer.close(0.3) == 7
        heard.wait_for("CRITICAL", "7 records not written")
        with pytest.raises(LedgerError, match="closed"):
            writer.put(RICH)


CHILD = """
    import pickle, sys
    from dataclasses import replace
    from itertools import count
    from telemon.ledger.store import LedgerWriter, open_ledger

    url, start = sys.argv[1], int(sys.argv[2])
    record = pickle.load(sys.stdin.buffer)
    writer = LedgerWriter(open_ledger(url), key=bytes(32), ring_cycle=5_000_000)
    for number in count(start):
        size = number % 4
        for name in (f"call-{number}", f"call-{number // 2}"):
            writer.put(replace(record, call_id=name, attempts=record.attempts[:size], hangup_cause=size))
        if number % 50 == 49:
            writer.flush()
            print(number, flush=True)
"""


def test_a_writer_killed_in_mid_commit_leaves_whole_calls(file):
    flushed = -1
    for round_ in range(5):
        with subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(CHILD), f"sqlite:///{file}", str(flushed + 1)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        ) as child:
            assert child.stdin
            assert child.stdout
            child.stdin.write(pickle.dumps(replace(RICH, attempts=RICH.attempts + RICH.attempts)))
            child.stdin.close()
            for _ in range(3 + round_):
                flushed = int(child.stdout.readline())
            child.send_signal(signal.SIGKILL)
        engine = open_ledger(f"sqlite:///{file}")
        stored = {call.call_id: call for call in read_all(engine)}
        assert all(len(call.attempts) == call.hangup_cause for call in stored.values())
        assert {f"call-{number}" for number in range(flushed + 1)} <= stored.keys()
        with engine.connect() as connection:
            assert connection.execute(text("PRAGMA integrity_check")).scalar_one() == "ok"
            assert connection.execute(text("PRAGMA foreign_key_check")).all() == []
        engine.dispose()


# --- opening ---


def test_migrations_make_exactly_the_models(engine):
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, SQLModel.metadata) == []


def test_opening_again_changes_nothing(url, engine):
    store(engine, RICH)
    again = open_ledger(url)
    assert read_all(again) == [as_stored(RICH)]
    again.dispose()


def test_two_may_open_a_new_ledger_at_once(url):
    with ThreadPoolExecutor(2) as pool:
        for engine in pool.map(open_ledger, [url, url]):
            assert read_all(engine) == []
            engine.dispose()


def test_a_ledger_of_a_newer_telemon_is_refused(url, engine):
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(LedgerError, match=r"newer telemon.*'9999'.*upgrade telemon"):
        open_ledger(url)


def test_a_locked_ledger_that_is_up_to_date_opens(file, sqlite_engine):
    sqlite_engine.dispose()
    with locked(file):
        engine = open_ledger(f"sqlite:///{file}")
        assert read_all(engine) == []
        engine.dispose()


def test_a_read_only_file_is_refused(file, sqlite_engine):
    sqlite_engine.dispose()
    with pytest.raises(LedgerError, match=r"readonly.*the right to write"):
        open_ledger(f"sqlite:///file:{file}?mode=ro&uri=true")


def test_a_file_that_is_no_database_is_refused(file):
    file.write_bytes(b"call_id;site;service\n" * 100)
    with pytest.raises(LedgerError, match=r"not a database.*backup"):
        open_ledger(f"sqlite:///{file}")


def test_a_missing_server_is_named_without_the_password(tmp_path):
    with pytest.raises(LedgerError, match=r"cannot open.*start the server") as refused:
        open_ledger(f"postgresql://telemon:s3cret@/ledger?host={tmp_path}")
    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ("ledger.db", "cannot be read; write sqlite:///"),
        ("sqlite://", "in memory would be lost"),
        ("mysql://root@host/ledger", "'mysql' is no database"),
        ("sqlite:////no/such/folder/ledger.db", "its folder must exist"),
    ],
)
def test_a_wrong_url_is_refused_with_the_remedy(wrong, message):
    with pytest.raises(LedgerError, match=message):
        open_ledger(wrong)


# --- the key ---


def test_the_key_is_made_once_for_its_owner_only(tmp_path):
    path = tmp_path / "key"
    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(lambda _: load_or_create_key(path), range(32)))
    assert len(keys) == 1
    assert len(keys.pop()) >= 32
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_a_short_key_is_refused(tmp_path):
    (tmp_path / "key").write_bytes(b"secret\n")
    with pytest.raises(ConfigError, match="only 6 bytes, at least 32") as refused:
        load_or_create_key(tmp_path / "key")
    assert "secret" not in str(refused.value)


def test_an_unreadable_key_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="Is a directory"):
        load_or_create_key(tmp_path)
    with pytest.raises(ConfigError, match="No such file"):
        load_or_create_key(tmp_path / "nowhere" / "key")
