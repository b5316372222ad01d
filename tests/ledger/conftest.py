"""Databases for the ledger's tests: SQLite files, and a PostgreSQL of our own where it is installed."""

import logging
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from telemon.ledger.store import open_ledger
from tests.ledger.kit import Heard, Postgresql


@pytest.fixture(scope="module")
def postgresql() -> Iterator[Postgresql]:
    with tempfile.TemporaryDirectory() as folder:
        server = Postgresql(Path(folder))
        server.start()
        yield server
        server.stop()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.real("postgresql"))])
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


@pytest.fixture
def heard():
    handler = Heard()
    logger = logging.getLogger("telemon.ledger.writer")
    logger.addHandler(handler)
    yield handler
    logger.removeHandler(handler)
