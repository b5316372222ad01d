"""The thread that writes the journal, so that whoever reads from Asterisk never waits for a disk."""

from __future__ import annotations

import errno
import logging
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Final

from telemon.errors import JournalError
from telemon.journal.folder import JournalFolder
from telemon.journal.records import MAXIMUM_PAYLOAD, encode, length_of
from telemon.journal.trouble import FULL, reason

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from telemon.instants import Duration, Instant
    from telemon.journal.entries import Entry

log = logging.getLogger(__name__)

GATHER_SECONDS: Final = 0.05  # how long a lone record may wait for company
BATCH_BYTES: Final = 4 << 20  # written at a time
MAXIMUM_WAITING_BYTES: Final = 64 << 20  # a minute of 2,000 events/s
FIRST_RETRY_SECONDS: Final = 0.25
LAST_RETRY_SECONDS: Final = 5.0
REMIND_SECONDS: Final = 30.0
TIDY_SECONDS: Final = 30.0  # between two looks at what became too old
_MB: Final = 1_000_000


def wall_clock() -> Instant:
    """Return this machine's time: what the age of a segment is measured by."""
    return time.time_ns() // 1000


class Journal:
    """Takes entries from any thread at once, and writes them, numbered and in order, from its own.

    A record is safe from ``kill -9`` at most 100 ms after it was appended, and from a power cut once the disk has
    synced: 50 ms and what one sync takes (on a shared test disk 32 ms as a rule, a quarter of a second at worst). While
    the disk refuses, records wait in memory and are written as soon as it accepts again; beyond ``maximum_waiting``
    bytes they are lost, counted and logged as CRITICAL, and their numbers stay missing.

    The oldest segments are removed when they are older than ``keep``, or while all together are longer than
    ``maximum_bytes``, or while the file system has less than ``free_bytes`` left. Where that does not help, the journal
    writes no more until there is room again: what is left of the disk is the ledger's.
    """

    def __init__(
        self,
        folder: Path,
        *,
        keep: Duration,
        maximum_bytes: int,
        free_bytes: int,
        maximum_waiting: int = MAXIMUM_WAITING_BYTES,
        clock: Callable[[], Instant] = wall_clock,
    ) -> None:
        """Open the folder, cut off a torn last record, and start the thread.

        Raises:
            JournalError: the folder cannot be used, or another process writes there.
        """
        self._folder = JournalFolder(folder, clock())
        self._name = str(folder)
        self._keep = keep
        self._maximum_bytes = maximum_bytes
        self._free_bytes = free_bytes
        self._maximum_waiting = maximum_waiting
        self._clock = clock
        self._waiting: deque[tuple[int, Entry]] = deque()
        self._accepting = threading.Lock()  # among those who append; the writer never holds it
        self._settled = threading.Condition()
        self._hurry = threading.Event()
        self._closing = False
        self._given_up = False
        self._failing_since: float | None = None
        self._reminded_at = 0.0
        self._cried_at: float | None = None  # that records are lost
        self._tidy_after = self._purge_after = 0.0
        self._accepted_total = self._accepted_bytes = self._written_bytes = 0
        self.next_number = self._folder.next_number
        self.written_total = 0
        self.lost_total = 0
        self.purged_total = 0  # segments
        self.last_error: str | None = None
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()

    @property
    def pending(self) -> int:
        """How many accepted records are not on disk yet."""
        return self._accepted_total - self.written_total

    @property
    def pending_bytes(self) -> int:
        """How many bytes these have."""
        return self._accepted_bytes - self._written_bytes

    @property
    def size_bytes(self) -> int:
        """What all segments take on disk."""
        return self._folder.size_bytes

    @property
    def failing(self) -> bool:
        """Whether the last attempt to write failed."""
        return self._failing_since is not None

    def append(self, entry: Entry) -> int:
        """Accept an entry for writing, and return its number; returns at once whatever the disk does.

        Raises:
            JournalError: the journal was closed.
        """
        length = length_of(entry)
        with self._accepting:
            if self._closing:
                raise JournalError(f"journal {self._name}: closed, it takes no more; this is telemon's mistake")
            number = self.next_number
            self.next_number = number + 1
            if self.pending_bytes + length <= self._maximum_waiting and length <= MAXIMUM_PAYLOAD:
                self._accepted_total += 1
                self._accepted_bytes += length
                self._waiting.append((number, entry))
                return number
            self.lost_total += 1
        self._cry(number, length)
        return number

    def skip_to(self, number: int) -> None:
        """Number the next record so at least: a checkpoint may know of numbers whose records were lost."""
        with self._accepting:
            self.next_number = max(self.next_number, number)

    def flush(self, timeout: float | None = None) -> bool:
        """Wait until what was accepted before is safe on disk; False if that takes longer than ``timeout`` seconds."""
        target = self._accepted_total
        self._hurry.set()
        with self._settled:
            return self._settled.wait_for(lambda: self.written_total >= target, timeout)

    def close(self, timeout: float) -> int:
        """Write what waits, for ``timeout`` seconds at most, and end the thread; return how many were not written."""
        with self._accepting:
            self._closing = True
        self._hurry.set()
        self._thread.join(timeout)
        if self._thread.is_alive():
            self._given_up = True
            self._hurry.set()
        left = self.pending
        if left:
            log.critical(
                "journal %s: closed with %d records not written (%s): they are lost",
                self._name, left, self.last_error or "the disk is slow",
            )  # fmt: skip
        return left

    # -- in the thread

    def _run(self) -> None:
        while not self._given_up:
            closing = self._closing  # read first: nothing is accepted after it, so an empty batch is the end
            if not closing and self.pending_bytes < BATCH_BYTES:
                self._hurry.wait(GATHER_SECONDS)
                self._hurry.clear()
            batch = self._take_batch()
            if batch:
                self._store(batch)
            elif closing:
                break
            if not closing:
                self._tidy()
        self._folder.close()

    def _take_batch(self) -> list[tuple[int, Entry]]:
        batch: list[tuple[int, Entry]] = []
        room = BATCH_BYTES
        while self._waiting and room > 0:
            batch.append(self._waiting.popleft())
            room -= length_of(batch[-1][1])
        return batch

    def _store(self, batch: list[tuple[int, Entry]]) -> None:
        """Write a batch, trying until it is on disk or the journal is given up."""
        retry = FIRST_RETRY_SECONDS
        while not self._given_up:
            try:
                data = b"".join(encode(number, entry) for number, entry in batch)
                self._write(data, batch[-1][0] + 1)
            except Exception as error:  # noqa: BLE001 - the thread must outlive whatever a disk does
                self._report_failure(error)
                self._hurry.wait(retry)
                self._hurry.clear()
                retry = FIRST_RETRY_SECONDS if self._closing else min(2 * retry, LAST_RETRY_SECONDS)
            else:
                self._report_success()
                with self._settled:
                    self.written_total += len(batch)
                    self._written_bytes += sum(length_of(entry) for _, entry in batch)
                    self._settled.notify_all()
                return

    def _write(self, data: bytes, next_number: int) -> None:
        while True:
            try:
                self._make_room(len(data))
                now = self._clock()
                self._folder.rotate(now)
                self._folder.write(data, next_number, now)
            except OSError as error:
                if error.errno not in FULL or not self._folder.older:
                    raise
                self._purge(logging.ERROR, "its disk is full")
            else:
                return

    def _make_room(self, needed: int = 0) -> None:
        """Remove the oldest segments while they are too old, or leave too little room for ``needed`` bytes more.

        Raises:
            OSError: too little is free on the disk, and nothing is left to remove.
        """
        folder = self._folder
        while folder.older and self._clock() - folder.older[0].ended_at > self._keep:
            self._purge(logging.INFO, "older than journals are kept ([journal] keep_days)")
        while folder.older and folder.size_bytes + needed > self._maximum_bytes:
            self._purge(logging.INFO, "more than [journal] maximum_megabytes")
        floor = self._free_bytes
        while floor and (free := folder.free_bytes) < floor + needed:
            why = f"{free / _MB:.1f} MB are free on its disk, {floor / _MB:.1f} the ledger's ([journal] free_megabytes)"
            if not folder.older:
                raise OSError(errno.ENOSPC, why)
            self._purge(logging.ERROR, why)

    def _purge(self, level: int, why: str) -> None:
        oldest = self._folder.older[0].segment
        self._folder.purge_oldest()
        self.purged_total += 1
        log.log(level, "journal %s: removed %s (%d bytes): %s", self._name, oldest.path.name, oldest.size, why)

    def _tidy(self) -> None:
        """Go on sealing, and now and then look for what is too old even when nobody calls."""
        now = time.monotonic()
        if now < self._tidy_after:
            return
        try:
            self._folder.seal_step()
            if now >= self._purge_after:
                self._purge_after = now + TIDY_SECONDS
                self._folder.rotate(self._clock())
                self._make_room()
        except Exception as error:  # noqa: BLE001 - as above
            self._tidy_after = now + TIDY_SECONDS
            log.error(  # noqa: TRY400 - the disk's trouble, not a mistake of ours to be traced
                "journal %s: cannot put older segments in order: %s; trying again in %.0f s",
                self._name, reason(error), TIDY_SECONDS,
            )  # fmt: skip

    # -- what is said

    def _cry(self, number: int, length: int) -> None:
        """Say that a record is lost: the first at once, then every 30 seconds how many there are."""
        now = time.monotonic()
        if self._cried_at is not None and now - self._cried_at < REMIND_SECONDS:
            return
        self._cried_at = now
        log.critical(
            "journal %s: record %d of %d bytes is lost, %d in all: %d bytes wait already (%s)",
            self._name, number, length, self.lost_total, self.pending_bytes, self.last_error or "the disk is slow",
        )  # fmt: skip

    def _report_failure(self, error: Exception) -> None:
        now = time.monotonic()
        self.last_error = reason(error)
        if self._failing_since is None:
            self._failing_since = now
        elif now - self._reminded_at < REMIND_SECONDS:
            return
        self._reminded_at = now
        log.error(
            "journal %s: cannot write: %s; %d records wait in memory, %d are lost, retrying",
            self._name, self.last_error, self.pending, self.lost_total,
        )  # fmt: skip

    def _report_success(self) -> None:
        if self._failing_since is None:
            return
        log.warning(
            "journal %s: writing again after %.1f s; %d records to catch up, %d were lost",
            self._name, time.monotonic() - self._failing_since, self.pending, self.lost_total,
        )  # fmt: skip
        self._failing_since = self._cried_at = None
        self.last_error = None
