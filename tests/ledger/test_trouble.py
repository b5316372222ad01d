"""A database that refuses delays the ledger; it loses nothing and stops nobody."""

import os
import pickle
import signal
import subprocess
import sys
import textwrap
import time
from dataclasses import replace

import psycopg
import pytest
from sqlalchemy import event, text

from telemon.errors import LedgerError
from telemon.ledger.store import open_ledger
from tests.ledger.kit import RICH, as_stored, calls, locked, read_all, writing


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


@pytest.mark.real("postgresql")
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


@pytest.mark.real("postgresql")
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


@pytest.mark.real("postgresql")
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
    from telemon.ledger.store import open_ledger
    from telemon.ledger.writer import LedgerWriter

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


# What a checkpoint relies on


def test_what_is_settled_is_known_without_waiting(file, sqlite_engine, heard):
    records = calls(3)
    with writing(sqlite_engine, maximum=3) as writer:
        assert writer.settled_total == writer.accepted_total == 0
        with locked(file):
            for record in records:
                writer.put(record)
            noted = writer.accepted_total
            heard.wait_for("ERROR", "none is lost")
            assert (noted, writer.settled_total) == (3, 0)
            writer.put(RICH)
            assert (writer.accepted_total, writer.dropped_total) == (noted, 1)
        assert writer.flush(20)
        assert writer.settled_total == noted
        writer.put(replace(RICH, call_id="absurd", arrived_at=10**18))
        assert writer.flush(20)
        assert (writer.settled_total, writer.rejected_total) == (noted + 1, 1)


def test_what_is_settled_is_in_the_ledger_whatever_comes_next(file, sqlite_engine):
    """Read by another connection each time the count has moved."""
    reader = open_ledger(f"sqlite:///{file}")
    with writing(sqlite_engine) as writer:
        for start in range(0, 300, 50):
            for record in calls(300)[start : start + 50]:
                writer.put(record)
            noted = writer.accepted_total
            while (settled := writer.settled_total) < noted:
                assert len(read_all(reader)) >= settled
            assert len(read_all(reader)) == noted
    reader.dispose()


def test_sqlite_is_told_to_keep_what_is_committed_through_a_power_cut(sqlite_engine):
    """FULL is 2 (https://www.sqlite.org/pragma.html#pragma_synchronous)."""
    with sqlite_engine.connect() as connection:
        assert connection.execute(text("PRAGMA synchronous")).scalar_one() == 2
        assert connection.execute(text("PRAGMA journal_mode")).scalar_one() == "wal"
