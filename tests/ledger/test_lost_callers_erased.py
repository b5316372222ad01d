"""Lost callers kept by themselves: the thread that writes them, and what is left in the files when they are erased."""

import threading
from functools import partial

import pytest
from sqlalchemy import select

from telemon.callbacks.exchange import Exchange
from telemon.callbacks.lost import Loss, LostCallers
from telemon.callbacks.sealing import load_seal
from telemon.errors import LedgerError
from telemon.ledger.keeping_lost_callers import changing, wipe
from telemon.ledger.models import TABLES
from tests.acceptance.shell import until as eventually
from tests.ledger.callbacks_kit import HOUR, NATIONAL, SITE, Clock, callbacks_of, files, lost, numbers, rows
from tests.ledger.kit import CANARY, T, locked


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def make(tmp_path, engine, clock):
    return partial(callbacks_of, tmp_path, engine, clock)


# -- the thread


async def test_it_is_written_by_itself_and_at_the_end(make, engine):
    callbacks = make()
    callbacks.start()
    callbacks.finished([lost(0)])
    await eventually(lambda: len(rows(engine)) == 1)
    callbacks.finished([lost(1, "0511223344")])
    callbacks.stop()
    assert len(rows(engine)) == 2


async def test_while_the_ledger_is_away_the_list_goes_on_and_is_written_later(
    tmp_path, sqlite_engine, file, clock, caplog
):
    callbacks = callbacks_of(tmp_path, sqlite_engine, clock)
    with locked(file):
        callbacks.start()
        callbacks.finished([lost(0)])
        await eventually(lambda: callbacks.errors_total)
        callbacks.finished([lost(1, "0511223344")])
        assert numbers(callbacks) == ["0511223344", CANARY]
    await eventually(lambda: len(rows(sqlite_engine)) == 2, seconds=10)
    callbacks.stop()
    assert "cannot" in caplog.text
    assert NATIONAL[1:] not in caplog.text


def test_nobody_waits_while_the_ledger_makes_the_thread_wait(tmp_path, sqlite_engine, file):
    """What the event loop calls needs the list's lock alone, which is not held while the database is asked."""
    callers, lock = LostCallers(HOUR), threading.Lock()
    exchange = Exchange(sqlite_engine, load_seal(tmp_path / "key"), callers, lock, frozenset({SITE}))
    callers.lose((SITE, "somebody"), Loss(T, "call", T + HOUR, "standard", "abandoned", NATIONAL), T)
    failed = threading.Event()

    def run():
        try:
            exchange.run(T)
        except LedgerError:
            failed.set()

    with locked(file):
        thread = threading.Thread(target=run)
        thread.start()
        held = 0
        while thread.is_alive():
            free = lock.acquire(timeout=0.5)
            held += not free
            if free:
                lock.release()
            thread.join(0.01)
    assert failed.is_set()
    assert not held


# -- in SQLite's files


@pytest.fixture
def kept(tmp_path, sqlite_engine, clock):
    callbacks = callbacks_of(tmp_path, sqlite_engine, clock)
    callbacks.finished([lost(minute) for minute in range(50)])  # a token of several pages of the file
    callbacks.finished([lost(1, "0511223344")])
    callbacks.exchange()
    return callbacks


def tokens(engine):
    return {row.number.encode() for row in rows(engine) if row.number}


def test_no_file_of_the_ledger_holds_a_number(kept, tmp_path):
    assert len(kept.entries()) == 2
    found = files(tmp_path)
    assert len(found) > 1
    assert not [name for name, data in found.items() if NATIONAL[1:].encode() in data or b"511223344" in data]


@pytest.mark.parametrize("how", ["expired", "reached"])
def test_nothing_of_what_was_erased_is_left_in_the_files(kept, tmp_path, sqlite_engine, clock, how):
    before = tokens(sqlite_engine)
    pieces = {token[start : start + 24] for token in before for start in range(0, len(token) - 24, 24)}
    assert any(piece in data for data in files(tmp_path).values() for piece in pieces)
    if how == "expired":
        clock.now += 26 * HOUR
    else:
        for entry in kept.entries():
            kept.done(entry.id, "alice")
    kept.exchange()
    assert not tokens(sqlite_engine)
    left = [name for name, data in files(tmp_path).items() for piece in pieces if piece in data]
    assert left == []


@pytest.mark.parametrize("killed", [False, True])
def test_a_reader_holds_up_the_wiping_but_not_the_writing(kept, tmp_path, sqlite_engine, clock, killed):
    pieces = {token[-200:-100] for token in tokens(sqlite_engine)}
    with sqlite_engine.connect() as reader:
        reader.exec_driver_sql("BEGIN")
        reader.execute(select(TABLES["lost_callers"])).all()
        clock.now += 26 * HOUR
        kept.exchange()
        assert not tokens(sqlite_engine)
        assert any(piece in data for data in files(tmp_path).values() for piece in pieces)
    (callbacks_of(tmp_path, sqlite_engine, clock) if killed else kept).exchange()
    assert not any(piece in data for data in files(tmp_path).values() for piece in pieces)


def test_what_it_asks_of_sqlite_is_not_left_to_others(sqlite_engine):
    with sqlite_engine.connect() as connection:
        before = [
            connection.exec_driver_sql(f"PRAGMA {name}").scalar_one() for name in ("secure_delete", "busy_timeout")
        ]
    with changing(sqlite_engine):
        pass
    assert wipe(sqlite_engine)
    with sqlite_engine.connect() as connection:
        after = [
            connection.exec_driver_sql(f"PRAGMA {name}").scalar_one() for name in ("secure_delete", "busy_timeout")
        ]
    assert after == before
