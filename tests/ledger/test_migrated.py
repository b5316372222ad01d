"""A ledger of an older telemon keeps what it has, and gains what it lacked."""

from dataclasses import replace
from itertools import product

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import text

from telemon.completeness import completeness
from telemon.instants import SECOND, to_datetime
from telemon.ledger import store as opening
from telemon.ledger.backup import back_up
from telemon.ledger.models import TABLES
from telemon.ledger.reader import read_calls, read_observations
from telemon.ledger.restore import restore
from telemon.ledger.rows import RowMaker
from telemon.ledger.store import open_ledger
from telemon.observation import GapCause, Interval, Sight
from telemon.records import Flag, Outcome, Provenance
from tests.ledger.kit import ALWAYS, CYCLE, KEY, RICH, T, as_stored

HOUR = 3600 * SECOND
FLAGS = [(), *((flag,) for flag in Flag), (Flag.INTERNAL, Flag.ARRIVED_IN_GAP)]
KINDS = list(product((Outcome.ANSWERED, Outcome.UNKNOWN), FLAGS, Provenance))
CALLS = [
    replace(RICH, call_id=f"pref31-{n:03}", arrived_at=T + n * HOUR // 2, outcome=outcome, flags=flags, provenance=by)
    for n, (outcome, flags, by) in enumerate(KINDS)
]
SEEN = Interval("pbx", T, T + 5, Sight.SEEN)
GAP = Interval("pbx", T + 5, None, Sight.GAP, GapCause.PBX_FROZEN)


def first_ledger(url):
    """Make a ledger as the first telemon wrote it, and return its engine."""
    engine = opening._engine(opening._parse(url), url)
    config = Config()
    config.set_main_option("script_location", str(opening._MIGRATIONS))
    rows = RowMaker(key=KEY, ring_cycle=CYCLE).rows([*CALLS, SEEN, GAP])
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        mark = "?" if engine.dialect.name == "sqlite" else "%s"
        for table, values in (
            ("calls", [row[:-1] for row in rows.calls]),
            ("ring_attempts", rows.attempts),
            ("transfers", rows.transfers),
            ("observations", [(row[0], *row[2:]) for row in rows.others["observations"]]),
        ):
            marks = ", ".join([mark] * len(values[0]))
            connection.exec_driver_sql(f"INSERT INTO {table} VALUES ({marks})", values)
    return engine


@pytest.fixture
def old_url(url):
    first_ledger(url).dispose()
    return url


def test_what_the_first_telemon_wrote_is_all_there(old_url):
    engine = open_ledger(old_url)
    assert list(read_calls(engine, *ALWAYS)) == [as_stored(call) for call in CALLS]
    assert list(read_observations(engine, "pbx", *ALWAYS)) == [SEEN, GAP]
    engine.dispose()


def test_each_call_gets_the_completeness_that_it_would_get_today(old_url):
    engine = open_ledger(old_url)
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT call_id, completeness FROM calls")).all()
    assert {row.call_id: row.completeness for row in rows} == {call.call_id: completeness(call) for call in CALLS}
    engine.dispose()


def test_each_hour_that_has_calls_is_stale(old_url):
    engine = open_ledger(old_url)
    with engine.connect() as connection:
        stale = connection.execute(text("SELECT site, hour, generation FROM stale_hours ORDER BY hour")).all()
    assert stale == [("pref31", hour, 1) for hour in sorted({call.arrived_at // HOUR for call in CALLS})]
    engine.dispose()


def test_a_backup_of_the_first_telemon_s_ledger_is_brought_up_to_date_as_it_is_restored(tmp_path):
    old, new = first_ledger(f"sqlite:///{tmp_path}/old.db"), open_ledger(f"sqlite:///{tmp_path}/new.db")
    back_up(old, tmp_path / "saved.db", overwrite=False, report=quietly)
    before = (tmp_path / "saved.db").read_bytes()
    restore(tmp_path / "saved.db", new, quietly)
    assert list(read_calls(new, *ALWAYS)) == [as_stored(call) for call in CALLS]
    assert list(read_observations(new, "pbx", *ALWAYS)) == [SEEN, GAP]
    assert (tmp_path / "saved.db").read_bytes() == before
    for engine in (old, new):
        engine.dispose()


def quietly(*_):
    pass


def test_two_observers_may_begin_at_the_same_instant_from_now_on(old_url):
    engine = open_ledger(old_url)
    with engine.begin() as connection:
        for observer in ("a", "b"):
            row = {"pbx": "pbx", "observer": observer, "started_at": to_datetime(T), "ended_at": None, "state": "seen"}
            connection.execute(TABLES["observations"].insert(), row)
    observers = [interval.observer for interval in read_observations(engine, "pbx", *ALWAYS)]
    assert observers == ["", "a", "b", ""]
    engine.dispose()
