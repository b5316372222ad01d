"""One folder of segments on disk, the newest open for writing. Not for two threads at once."""

from __future__ import annotations

import errno
import fcntl
import logging
import os
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from telemon.errors import JournalError
from telemon.instants import SECOND
from telemon.journal.entries import Lost
from telemon.journal.records import Record, instant_of, scan
from telemon.journal.segments import (
    Segment,
    create,
    load,
    plain_path,
    remove,
    remove_leftovers,
    seal,
    segments_of,
)
from telemon.journal.trouble import FULL

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from telemon.instants import Duration, Instant

log = logging.getLogger(__name__)

SEGMENT_BYTES: Final = 16 << 20
SEGMENT_AGE: Final[Duration] = 3600 * SECOND


@dataclass(slots=True)
class _Older:
    """A segment that is written no more, and when that was."""

    segment: Segment
    ended_at: Instant


class JournalFolder:
    """The segments of one journal.

    ``older`` are those written no more, oldest first; ``next_number`` is the number after the last record on disk;
    ``size_bytes`` is what all of them take.
    """

    def __init__(self, path: Path, now: Instant) -> None:
        """Open the folder, make it if there is none, and cut off a torn end.

        Raises:
            JournalError: it cannot be made, read or written, or another process writes there.
        """
        self.path = path
        self.next_number = 0
        self.older: deque[_Older] = deque()
        self._sealing: Generator[None, None, Path] | None = None
        self._descriptor: int | None = None
        self._older_bytes = 0
        self._size = 0  # of the current segment; bytes after it are of a write that failed
        self._first_at: Instant | None = None  # in the current segment
        self._last_at: Instant = now
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = _lock(path)
            try:
                remove_leftovers(path)
                self._open(now)
            except OSError:
                os.close(self._lock)
                raise
        except OSError as error:
            raise JournalError(
                f"journal {path}: {error.strerror}; let the user that telemon runs as read and write this folder, or "
                "name another in [journal] folder"
            ) from error

    def _open(self, now: Instant) -> None:
        segments = segments_of(self.path)
        current = segments.pop() if segments and not segments[-1].sealed else None
        if current is None:
            self.next_number = _last_number(segments[-1]) + 1 if segments else 0
            self._path = plain_path(self.path, self.next_number)
            try:
                self._begin(self.next_number)
            except OSError as error:
                if error.errno not in FULL:
                    raise  # of a full disk the first write will say it, and make room
        else:
            self._go_on(current, now)
        for segment in segments:
            self.older.append(_Older(segment, _written_at(segment.path)))
            self._older_bytes += segment.size

    def _begin(self, number: int) -> None:
        path = plain_path(self.path, number)
        self._descriptor = create(path)
        self._path = path
        self._size, self._first_at = os.fstat(self._descriptor).st_size, None

    def _go_on(self, segment: Segment, now: Instant) -> None:
        """Take up the newest segment where its last whole record ends."""
        self._path, self.next_number = segment.path, segment.number
        self._descriptor = os.open(segment.path, os.O_RDWR | os.O_CLOEXEC)
        data, _ = load(segment.path)
        for found in scan(data):
            if isinstance(found, Record):
                self._size, self.next_number = found.end, found.number + 1
                if self._first_at is None:  # a ``Lost`` has the PBX's time, not ours
                    self._first_at = now if isinstance(found.entry, Lost) else instant_of(found.entry)
            elif found.end < len(data):
                log.error("journal %s: %d bytes are damaged from byte %d on", self._path, found.end - found.start,
                          found.start)  # fmt: skip
        if self._size < len(data):
            log.warning(
                "journal %s: its last %d bytes are no whole record (a crash in mid-write): cut off; it goes on with "
                "record %d", self._path, len(data) - self._size, self.next_number,
            )  # fmt: skip
            os.ftruncate(self._descriptor, self._size)
            os.fsync(self._descriptor)
        self._last_at = _written_at(segment.path)

    @property
    def size_bytes(self) -> int:
        """What the segments take on disk."""
        return self._size + self._older_bytes

    @property
    def free_bytes(self) -> int:
        """What the file system has left for us.

        Raises:
            OSError: it does not say.
        """
        status = os.statvfs(self.path)
        return status.f_bavail * status.f_frsize

    def write(self, data: bytes, next_number: int, now: Instant) -> None:
        """Write whole records, and wait until they are on disk; after an error the same may be written again.

        ``next_number`` is the number after the last of them.

        Raises:
            OSError: the disk refuses.
        """
        descriptor = self._writable()
        try:
            written = 0
            while written < len(data):
                written += os.pwrite(descriptor, memoryview(data)[written:], self._size + written)
            os.fdatasync(descriptor)
        except OSError:
            # After a failed fsync Linux holds the pages for clean: they must be written again, into a file opened anew.
            self._release()
            raise
        self._size += len(data)
        self._last_at, self.next_number = now, next_number
        if self._first_at is None:
            self._first_at = now

    def _writable(self) -> int:
        """Return the current segment's descriptor, opened again after an error, or begun again where it is gone."""
        if self._descriptor is not None and os.fstat(self._descriptor).st_nlink == 0:
            log.error("journal %s: somebody removed it with what it held; beginning another", self._path)
            self._release()
            self._begin(self.next_number)
        if self._descriptor is None:
            try:
                self._descriptor = os.open(self._path, os.O_RDWR | os.O_CLOEXEC)
                self._size = min(self._size, os.fstat(self._descriptor).st_size)
            except FileNotFoundError:
                self._begin(self.next_number)
        assert self._descriptor is not None
        return self._descriptor

    def rotate(self, now: Instant) -> None:
        """Begin another segment if the current one is long or old enough.

        Raises:
            OSError: the disk refuses.
        """
        if self._first_at is None or (self._size < SEGMENT_BYTES and now - self._first_at < SEGMENT_AGE):
            return
        finished = Segment(int(self._path.name.partition(".")[0]), self._path, self._size)
        self._release()
        self._begin(self.next_number)
        self.older.append(_Older(finished, self._last_at))
        self._older_bytes += finished.size

    def seal_step(self) -> None:
        """Go one step towards the next sealed segment, if there is one to seal: at most some 20 ms on a healthy disk.

        Raises:
            OSError: the disk refuses; the segment stays as it is.
        """
        target = next((older for older in self.older if not older.segment.sealed), None)
        if target is None:
            return
        if self._sealing is None:
            self._sealing = seal(target.segment.path)
        try:
            next(self._sealing)
        except StopIteration as end:
            self._sealing = None
            sealed = Segment(target.segment.number, end.value, end.value.stat().st_size)
            self._older_bytes += sealed.size - target.segment.size
            target.segment = sealed
        except BaseException:
            self._sealing = None
            raise

    def purge_oldest(self) -> None:
        """Remove the oldest segment.

        Raises:
            OSError: the folder cannot be written.
        """
        oldest = self.older[0].segment
        if not oldest.sealed and self._sealing is not None:
            self._sealing.close()
            self._sealing = None
        remove(oldest.path)
        self.older.popleft()
        self._older_bytes -= oldest.size

    def close(self) -> None:
        """Let another process have the folder."""
        if self._sealing is not None:
            self._sealing.close()
        self._release()
        os.close(self._lock)

    def _release(self) -> None:
        if self._descriptor is not None:
            descriptor, self._descriptor = self._descriptor, None
            os.close(descriptor)


def _lock(folder: Path) -> int:
    """Hold the folder for this process; the kernel gives it back however the process ends.

    Raises:
        JournalError: another process holds it.
        OSError: the file cannot be written.
    """
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip()
        os.close(descriptor)
        if error.errno != errno.EWOULDBLOCK:
            raise
        raise JournalError(
            f"journal {folder}: another telemon (process {holder or 'unknown'}) writes there; end it first, or name "
            "another folder in [journal] folder"
        ) from error
    with suppress(OSError):  # only for the message above: a full disk is no reason not to start
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode("ascii"), 0)
    return descriptor


def _last_number(segment: Segment) -> int:
    data, _ = load(segment.path)
    numbers = [found.number for found in scan(data) if isinstance(found, Record)]
    return numbers[-1] if numbers else segment.number


def _written_at(path: Path) -> Instant:
    return path.stat().st_mtime_ns // 1000
