"""Of what several tell of one call the ledger keeps what says most, whoever writes first, last or at once."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import permutations, product

import pytest
from sqlalchemy import text

from telemon.completeness import completeness
from telemon.instants import SECOND
from telemon.ledger.reader import read_observations
from telemon.ledger.rows import RowMaker
from telemon.ledger.statements import Statements
from telemon.ledger.store import open_ledger
from telemon.observation import GapCause, Interval, Sight
from telemon.records import Flag, Outcome, Provenance
from tests.ledger.kit import ALWAYS, CYCLE, KEY, RICH, T, as_stored, read_all, store, writing

HOUR = 3600 * SECOND
UNKNOWN = replace(RICH, outcome=Outcome.UNKNOWN, answered_at=None, ended_at=None, attempts=RICH.attempts[:1])
IMPORTED = replace(RICH, provenance=Provenance.IMPORTED, flags=(Flag.WHOLE_SECONDS,), transfers=())
REPAIRED = replace(RICH, provenance=Provenance.REPAIRED, flags=(), transfers=RICH.transfers[:1])
SEEN = replace(RICH, flags=())
VERSIONS = (UNKNOWN, IMPORTED, REPAIRED, SEEN)


def stale(engine):
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT site, hour, generation FROM stale_hours ORDER BY site, hour")).all()
    return {(site, hour): generation for site, hour, generation in rows}


def children(engine):
    with engine.connect() as connection:
        return [
            connection.execute(text(f"SELECT count(*) FROM {name}")).scalar() for name in ("ring_attempts", "transfers")
        ]


@pytest.mark.parametrize("together", [True, False])
def test_the_order_in_which_versions_come_does_not_matter(engine, together):
    expected = []
    for number, versions in enumerate(permutations(VERSIONS)):
        told = [replace(version, call_id=f"pref31-{number:02}", arrived_at=T + number) for version in versions]
        for batch in [told] if together else [[version] for version in told]:
            store(engine, *batch)
        expected.append(as_stored(replace(SEEN, call_id=f"pref31-{number:02}", arrived_at=T + number)))
    assert read_all(engine) == expected
    assert children(engine) == [3 * len(expected), 2 * len(expected)]


@pytest.mark.parametrize(("first", "second"), list(product(VERSIONS, VERSIONS)))
def test_the_fuller_of_two_stays_and_of_equals_the_later(sqlite_engine, first, second):
    second = replace(second, hangup_cause=17)
    store(sqlite_engine, first)
    store(sqlite_engine, second)
    kept = second if completeness(second) >= completeness(first) else first
    assert read_all(sqlite_engine) == [as_stored(kept)]


def test_a_batch_holds_new_fuller_and_poorer_calls_at_once(engine):
    calls = [replace(RICH, call_id=f"pref31-{n:04}", arrived_at=T + n) for n in range(1500)]
    before = [
        replace(call, outcome=VERSIONS[n % 4].outcome, flags=VERSIONS[n % 4].flags) for n, call in enumerate(calls)
    ]
    after = [replace(call, flags=(Flag.SEEN_THROUGH_GAP,), attempts=(), hangup_cause=1) for call in calls]
    store(engine, *before[:1000])
    store(engine, *after)
    kept = [max(pair, key=completeness) for pair in zip(after[:1000], before[:1000], strict=True)]
    assert read_all(engine) == [as_stored(call) for call in (*kept, *after[1000:])]


# Hours to roll up again


def test_each_hour_that_changes_is_marked_with_the_change(engine):
    later = replace(SEEN, call_id="pref31-later", arrived_at=T + 2 * HOUR)
    elsewhere = replace(SEEN, call_id="pref09-1", site="pref09")
    store(engine, SEEN, later, elsewhere)
    hour = T // HOUR
    assert stale(engine) == {("pref09", hour): 1, ("pref31", hour): 1, ("pref31", hour + 2): 1}
    store(engine, later)
    assert stale(engine)["pref31", hour + 2] == 2
    assert stale(engine)["pref31", hour] == 1


def test_what_was_not_taken_marks_nothing(engine):
    store(engine, SEEN)
    store(engine, UNKNOWN, Interval("pbx", T, None, Sight.SEEN))
    assert stale(engine) == {("pref31", T // HOUR): 1}


def test_a_call_whose_arrival_moves_marks_the_hour_that_it_leaves_too(engine):
    """Known at first from the uniqueid to the second, then to the microsecond."""
    edge = (T // HOUR + 1) * HOUR
    store(engine, replace(UNKNOWN, arrived_at=edge - SECOND))
    store(engine, replace(SEEN, arrived_at=edge))
    assert stale(engine) == {("pref31", edge // HOUR - 1): 2, ("pref31", edge // HOUR): 1}


def test_the_marks_are_written_with_the_calls_or_not_at_all(engine):
    statements, maker = Statements(engine.dialect), RowMaker(key=KEY, ring_cycle=CYCLE)
    with engine.connect() as connection:
        statements.begin(connection)
        statements.write(connection, maker.rows([RICH]))
        connection.rollback()
    assert (read_all(engine), stale(engine)) == ([], {})


# Two writers at once


def test_two_writers_of_the_same_calls_never_block_each_other_for_good(url):
    """Each knows half of the calls better; both write them in small batches, in two orders, at the same time."""
    engines = [open_ledger(url), open_ledger(url)]
    calls = [replace(SEEN, call_id=f"pref31-{n:04}", arrived_at=T + n * 60 * SECOND) for n in range(400)]
    poorer = [replace(UNKNOWN, call_id=call.call_id, arrived_at=call.arrived_at) for call in calls]
    told = [
        [(call, poor)[n % 2] for n, (call, poor) in enumerate(zip(calls, poorer, strict=True))],
        [(poor, call)[n % 2] for n, (call, poor) in enumerate(zip(calls, poorer, strict=True))][::-1],
    ]
    ready = threading.Barrier(2)

    def write(engine, records):
        with writing(engine) as writer:
            ready.wait()
            for start in range(0, len(records), 20):
                for record in records[start : start + 20]:
                    writer.put(record)
                assert writer.flush(60)
            return writer.errors_total

    with ThreadPoolExecutor(2) as pool:
        errors = list(pool.map(write, engines, told))
    assert errors == [0, 0]
    assert read_all(engines[0]) == [as_stored(call) for call in calls]
    assert children(engines[0]) == [3 * len(calls), 2 * len(calls)]
    for engine in engines:
        engine.dispose()


@pytest.mark.real("postgresql")
def test_a_call_that_another_commits_meanwhile_is_compared_again(postgresql):
    """PostgreSQL shows no row that is not committed; the writer waits for it, and then keeps what says more."""
    url = postgresql.new_database()
    engines = [open_ledger(url), open_ledger(url)]
    maker, statements = RowMaker(key=KEY, ring_cycle=CYCLE), Statements(engines[0].dialect)
    with writing(engines[1]) as writer:
        with engines[0].begin() as connection:
            statements.write(connection, maker.rows([SEEN]))
            writer.put(UNKNOWN)
            waiting = text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
            with engines[0].connect() as other:
                while not other.execute(waiting).scalar_one():
                    other.rollback()
        assert writer.flush(20)
        assert (writer.errors_total, writer.written_total) == (0, 1)
    assert read_all(engines[0]) == [as_stored(SEEN)]
    assert stale(engines[0]) == {("pref31", T // HOUR): 1}
    for engine in engines:
        engine.dispose()


# Observations


def test_what_is_over_and_lasted_no_time_leaves_the_place_to_what_followed(engine):
    cut = Interval("pbx", T, None, Sight.GAP, GapCause.LINK_CUT)
    store(engine, Interval("pbx", T, T, Sight.SEEN), cut, Interval("pbx", T, T, Sight.SEEN))
    assert list(read_observations(engine, "pbx", *ALWAYS)) == [cut]
    store(engine, Interval("pbx", T, T, Sight.SEEN))
    assert list(read_observations(engine, "pbx", *ALWAYS)) == [cut]


def test_two_observers_write_beside_each_other(engine):
    seen = [Interval("pbx", T, T + 5, Sight.SEEN, observer=name) for name in ("", "a", "b")]
    store(engine, *seen[::-1])
    store(engine, replace(seen[1], ended_at=T + 9))
    assert list(read_observations(engine, "pbx", *ALWAYS)) == [seen[0], replace(seen[1], ended_at=T + 9), seen[2]]
