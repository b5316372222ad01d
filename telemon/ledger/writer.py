"""The thread that writes the ledger, so that nobody else ever waits for the database."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from typing import TYPE_CHECKING

from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, SQLAlchemyError

from telemon.errors import LedgerError
from telemon.ledger.duty_rows import TABLE_OF
from telemon.ledger.rows import RowMaker
from telemon.ledger.statements import OvertakenError, Statements
from telemon.ledger.trouble import reason
from telemon.observation import Interval
from telemon.records import CallRecord

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Engine

    from telemon.instants import Duration
    from telemon.ledger.rows import Item

log = logging.getLogger(__name__)

BATCH = 2000  # records in one transaction
GATHER_SECONDS = 0.25  # how long a lone record may wait for company
FIRST_RETRY_SECONDS = 0.25
LAST_RETRY_SECONDS = 5.0
REMIND_SECONDS = 30.0
MAXIMUM_WAITING = 1_000_000  # about 1.7 GB; over an hour of the 200 calls/s that one Asterisk was seen to carry
_LIMIT_EXCEEDED = "54"  # PostgreSQL's appendix A, class 54: such as a key too long for its index


class LedgerWriter:
    """Takes records from any thread at once, and writes them in batches from its own.

    A record given twice is one row: what says less (``telemon.completeness``) never replaces what says more, else the
    later version replaces the earlier one with its attempts and transfers. While the database refuses, records wait in
    memory and are written, in order, as soon as it accepts again. Records are lost in two cases only, each counted and
    logged as CRITICAL: more than ``maximum`` wait (``dropped_total``), or no row can hold what one says, such as a year
    beyond 9999 (``rejected_total``).

    A committed batch survives ``kill -9`` and a power cut, and is committed whole or not at all.
    """

    def __init__(self, engine: Engine, *, key: bytes, ring_cycle: Duration, maximum: int = MAXIMUM_WAITING) -> None:
        """Start the thread. ``key`` is the pseudonyms', ``ring_cycle`` the site's (ITU-T E.180), in microseconds."""
        self._engine = engine
        self._name = engine.url.render_as_string(hide_password=True)
        self._rows = RowMaker(key=key, ring_cycle=ring_cycle)
        self._statements = Statements(engine.dialect)
        self._maximum = maximum
        self._waiting: deque[Item] = deque()
        self._accepting = threading.Lock()  # among those who put; the writer never holds it
        self._settled = threading.Condition()
        self._wake = threading.Event()
        self._closing = False
        self._given_up = False
        self._failing_since: float | None = None
        self._reminded_at = 0.0
        self.accepted_total = 0
        self.written_total = 0
        self.rejected_total = 0
        self.dropped_total = 0
        self.errors_total = 0
        self.last_error: str | None = None
        self._thread = threading.Thread(target=self._run, name="ledger", daemon=True)
        self._thread.start()

    @property
    def pending(self) -> int:
        """How many accepted records are not in the database yet."""
        return self.accepted_total - self.settled_total

    @property
    def settled_total(self) -> int:
        """How many of the accepted records, from the first on, are committed or refused for good; never blocks.

        Whoever notes ``accepted_total`` after a ``put`` knows, once this has reached it, that the ledger has all that
        was put so far, but for what ``rejected_total`` and ``dropped_total`` count.
        """
        return self.written_total + self.rejected_total

    @property
    def failing(self) -> bool:
        """Whether the last attempt to write failed."""
        return self._failing_since is not None

    def put(self, item: Item) -> None:
        """Accept a record for writing; returns at once whatever the database does.

        Raises:
            LedgerError: the writer was closed.
        """
        with self._accepting:
            if self._closing:
                raise LedgerError(f"ledger {self._name}: closed, it takes no more records; this is telemon's mistake")
            if self.pending < self._maximum:
                self.accepted_total += 1
                self._waiting.append(item)
                return
            self.dropped_total += 1
        log.critical(
            "ledger %s: %d records wait already, the most that memory may hold: %s is lost, %d lost in all",
            self._name, self._maximum, _label(item), self.dropped_total,
        )  # fmt: skip

    def flush(self, timeout: float | None = None) -> bool:
        """Wait until what was accepted before is written; False if that takes longer than ``timeout`` seconds."""
        target = self.accepted_total
        self._wake.set()
        with self._settled:
            return self._settled.wait_for(lambda: self.settled_total >= target, timeout)

    def close(self, timeout: float) -> int:
        """Write what waits, for ``timeout`` seconds at most, and end the thread; return how many were not written."""
        with self._accepting:
            self._closing = True
        self._wake.set()
        self._thread.join(timeout)
        if self._thread.is_alive():
            self._given_up = True
            self._wake.set()
        left = self.pending
        if left:
            log.critical(
                "ledger %s: closed with %d records not written (%s); they are lost to it, replay them from a capture",
                self._name, left, self.last_error or "the database is slow",
            )  # fmt: skip
        return left

    def _run(self) -> None:
        while not self._given_up:
            closing = self._closing  # read first: nothing is accepted after it, so an empty batch is the end
            if len(self._waiting) < BATCH and not closing:
                self._wake.wait(GATHER_SECONDS)
                self._wake.clear()
            batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), BATCH))]
            if batch:
                self._store(batch)
            elif closing:
                return

    def _store(self, batch: Sequence[Item]) -> None:
        """Write a batch, trying until it is written or the writer gives up."""
        retry = FIRST_RETRY_SECONDS
        while not self._given_up:
            try:
                self._write(batch)
            except Exception as error:  # noqa: BLE001 - the thread must outlive whatever a driver raises
                if _blames_the_data(error):
                    self._isolate(batch, error)
                    return
                self._report_failure(error)
                self._wake.wait(retry)
                self._wake.clear()
                retry = FIRST_RETRY_SECONDS if self._closing else min(2 * retry, LAST_RETRY_SECONDS)
            else:
                self._report_success()
                self._settle(written=len(batch))
                return

    def _write(self, batch: Sequence[Item]) -> None:
        rows = self._rows.rows(batch)
        while True:
            try:
                with self._engine.begin() as connection:
                    self._statements.begin(connection)
                    self._statements.write(connection, rows)
            except OvertakenError:
                continue
            return

    def _isolate(self, batch: Sequence[Item], error: Exception) -> None:
        """Write halves of a batch that cannot be stored as a whole, down to the one record that no row can hold."""
        if len(batch) > 1:
            middle = len(batch) // 2
            self._store(batch[:middle])
            self._store(batch[middle:])
            return
        self.errors_total += 1
        log.critical(
            "ledger %s: no row can hold %s, it is lost (%s); please report it",
            self._name, _label(batch[0]), reason(error),
        )  # fmt: skip
        self._settle(rejected=1)

    def _settle(self, *, written: int = 0, rejected: int = 0) -> None:
        with self._settled:
            self.written_total += written
            self.rejected_total += rejected
            self._settled.notify_all()

    def _report_failure(self, error: Exception) -> None:
        """Count, and log at the first failure and then every 30 seconds."""
        now = time.monotonic()
        self.errors_total += 1
        self.last_error = reason(error)
        if self._failing_since is None:
            self._failing_since = now
        elif now - self._reminded_at < REMIND_SECONDS:
            return
        self._reminded_at = now
        log.error(
            "ledger %s: cannot write: %s; %d records wait in memory, none is lost, retrying",
            self._name, self.last_error, self.pending,
        )  # fmt: skip

    def _report_success(self) -> None:
        if self._failing_since is None:
            return
        log.warning(
            "ledger %s: writing again after %.1f s; %d records to catch up",
            self._name, time.monotonic() - self._failing_since, self.pending,
        )  # fmt: skip
        self._failing_since = None
        self.last_error = None


def _label(item: Item) -> str:
    if isinstance(item, CallRecord):
        return f"call {item.call_id!r}"
    if isinstance(item, Interval):
        return f"observation of {item.pbx!r}"
    return f"what is kept in table {TABLE_OF[type(item)]!r}"


def _blames_the_data(error: Exception) -> bool:
    """Whether trying the same rows again must fail again, whatever becomes of the database."""
    if isinstance(error, DBAPIError):
        sqlstate = getattr(error.orig, "sqlstate", None) or ""
        return isinstance(error, (DataError, IntegrityError)) or sqlstate.startswith(_LIMIT_EXCEEDED)
    return not isinstance(error, (SQLAlchemyError, OSError, MemoryError))
