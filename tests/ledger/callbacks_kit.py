"""What the tests of the list of lost callers share: their calls, a clock, and the list of a folder."""

from dataclasses import replace

from sqlalchemy import select

from telemon.callbacks.keeping import Callbacks
from telemon.config import load
from telemon.instants import SECOND
from telemon.ledger.models import TABLES
from telemon.records import Outcome
from tests.ledger.kit import CANARY, RICH, T

HOUR = 3600 * SECOND
NATIONAL = "0699887766"
SITE = "pref31"


class Clock:
    def __init__(self):
        self.now = T + HOUR

    def __call__(self):
        return self.now


def lost(minutes=0, caller=CANARY, site=SITE, **changes):
    arrived_at = T + minutes * 60 * SECOND
    return replace(
        RICH, call_id=f"{site}-{arrived_at}-{caller}", site=site, caller=caller, arrived_at=arrived_at,
        alerting_at=arrived_at, ended_at=arrived_at + 30 * SECOND, outcome=Outcome.ABANDONED, answered_at=None,
        answered_by=None, machine_answered_at=None, diverted_at=None, flags=(), **changes,
    )  # fmt: skip


def answered(minutes, caller=CANARY, **changes):
    arrived_at = T + minutes * 60 * SECOND
    return replace(
        lost(minutes, caller), call_id=f"answered-{arrived_at}", outcome=Outcome.ANSWERED,
        answered_at=arrived_at + 5 * SECOND, ended_at=arrived_at + 90 * SECOND, **changes,
    )  # fmt: skip


def callbacks_of(folder, engine, clock, settings="", head=f'site = "{SITE}"'):
    """Make what a daemon of this folder has; ``settings`` of [callbacks]."""
    path = folder / "telemon.toml"
    path.write_text(f'{head}\n[callbacks]\n{settings}\n[ledger]\nkey_file = "{folder}/telemon.key"\n')
    return Callbacks(load(path), engine, clock=clock)


def rows(engine):
    with engine.connect() as connection:
        return connection.execute(select(TABLES["lost_callers"])).all()


def numbers(callbacks):
    return [entry.number for entry in callbacks.entries()]


def files(tmp_path):
    return {path.name: path.read_bytes() for path in sorted(tmp_path.glob("ledger.db*"))}
