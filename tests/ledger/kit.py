"""What the ledger's tests share: records, a PostgreSQL of our own, a writer, and an ear for its log."""

import logging
import os
import shutil
import sqlite3
import subprocess
import threading
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import psycopg

from telemon.instants import SECOND
from telemon.ledger.reader import read_calls
from telemon.ledger.writer import LedgerWriter
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


@contextmanager
def locked(file: Path) -> Iterator[None]:
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        yield
        other.execute("ROLLBACK")
