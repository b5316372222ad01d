"""Whatever the ledger can hold goes through a backup unchanged, from each database into each."""

import itertools
import uuid
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import inspect

from telemon.ledger.backup import back_up
from telemon.ledger.copying import COLUMNS, Tally, contents_of, database
from telemon.ledger.reader import read_calls, snapshot
from telemon.ledger.restore import restore
from telemon.ledger.store import open_ledger
from tests.ledger.kit import as_stored, calls, read_all, store
from tests.ledger.test_stored import LATEST, RECORDS

PLAIN = st.none() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text(max_size=5)
ROWS = st.lists(st.tuples(PLAIN, PLAIN), max_size=6)


def quietly(*_):
    pass


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.real("postgresql"))])
def fresh(request, tmp_path):
    """Urls of empty ledgers."""
    if request.param == "sqlite":
        return (f"sqlite:///{tmp_path}/fresh{number}.db" for number in itertools.count())
    return iter(request.getfixturevalue("postgresql").new_database, None)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(records=st.lists(RECORDS, min_size=1, max_size=20, unique_by=lambda record: record.call_id))
def test_any_records_come_back_equal_from_a_backup(engine, fresh, tmp_path, records):
    """The ledger grows from example to example; each is saved and restored as a whole."""
    turn = uuid.uuid4().hex
    store(engine, *(replace(record, call_id=f"{turn} {record.call_id}") for record in records))
    saved, other = tmp_path / f"{turn}.db", open_ledger(next(fresh))
    contents = back_up(engine, saved, overwrite=False, report=quietly)
    assert restore(saved, other, quietly) == contents
    assert list(read_calls(other, 0, LATEST + 1)) == list(read_calls(engine, 0, LATEST + 1))
    other.dispose()


def test_what_is_written_while_a_backup_is_made_is_not_in_it(url, engine, tmp_path):
    """Written at each word of progress, from the first to the last."""
    records = calls(1500)
    store(engine, *records)
    other = open_ledger(url)
    said = []

    def write(*step):
        said.append(step)
        store(other, replace(records[0], call_id=f"meanwhile-{len(said)}"), replace(records[1], hangup_cause=len(said)))

    contents = back_up(engine, tmp_path / "saved.db", overwrite=False, report=write)
    saved = open_ledger(f"sqlite:///{tmp_path}/saved.db")
    assert read_all(saved) == [as_stored(record) for record in records]
    assert contents["calls"].rows == len(records)
    assert len(read_all(other)) == len(records) + len(said)
    assert len({doing for doing, _, _ in said}) > 1
    for each in (saved, other):
        each.dispose()


def test_columns_come_in_the_order_of_the_models(engine):
    for table, columns in COLUMNS.items():
        assert [column["name"] for column in inspect(engine).get_columns(table)] == columns
    with snapshot(engine) as connection:
        assert database(connection).tables() == COLUMNS


@given(ROWS, st.randoms())
def test_a_digest_does_not_depend_on_the_order_of_the_rows(rows, chance):
    shuffled = list(rows)
    chance.shuffle(shuffled)
    assert Tally(quietly).take(rows) == Tally(quietly).take(shuffled)


@given(ROWS, st.tuples(PLAIN, PLAIN), st.integers(0, 5))
def test_a_digest_shows_a_row_added_twice_missing_or_changed(rows, row, place):
    digest = Tally(quietly).take(rows).digest
    assert Tally(quietly).take([*rows, row]).digest != digest
    assert Tally(quietly).take([*rows, row, row]).digest != digest
    if place < len(rows) and rows[place] != row:
        assert Tally(quietly).take([*rows[:place], row, *rows[place + 1 :]]).digest != digest


def test_progress_reaches_its_end(engine):
    told = []
    with snapshot(engine) as connection:
        contents_of(database(connection), "reading", lambda *step: told.append(step))
    assert {(done, total) for _, done, total in told} == {(0, 0)}
    store(engine, *calls(1100))
    told.clear()
    with snapshot(engine) as connection:
        contents = contents_of(database(connection), "reading", lambda *step: told.append(step))
    done = [step for _, step, _ in told]
    assert done == sorted(done)
    assert done[-1] == told[-1][2] == sum(content.rows for content in contents.values()) > 3000
