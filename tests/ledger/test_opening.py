"""Opening a ledger and its key: what is made, and what is refused with its remedy."""

import stat
from concurrent.futures import ThreadPoolExecutor

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import text
from sqlmodel import SQLModel

from telemon.errors import ConfigError, LedgerError
from telemon.ledger.pseudonym_key import load_or_create_key
from telemon.ledger.store import open_ledger
from tests.ledger.kit import RICH, as_stored, locked, read_all, store


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


def test_four_may_open_a_new_file_at_once_every_time(tmp_path):
    for turn in range(15):
        with ThreadPoolExecutor(4) as pool:
            for engine in pool.map(open_ledger, [f"sqlite:///{tmp_path}/{turn}.db"] * 4):
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
