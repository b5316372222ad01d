"""Read a journal again: while it is written, after a crash, or years later."""

from __future__ import annotations

import logging
from itertools import chain, pairwise
from typing import TYPE_CHECKING

from telemon.errors import JournalError
from telemon.journal.records import Record, scan
from telemon.journal.segments import PLAIN, SEALED, Segment, load, segments_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from telemon.journal.entries import Entry

log = logging.getLogger(__name__)


def is_journal(path: Path) -> bool:
    """Whether this is a journal's folder, or one segment of it."""
    if path.is_dir():
        return any(path.glob(f"*{PLAIN}")) or any(path.glob(f"*{SEALED}"))
    return path.name.endswith((PLAIN, SEALED)) and path.is_file()


def read_entries(
    path: Path, start: int = 0, *, passed: Callable[[int], object] = lambda _: None
) -> Iterator[tuple[int, Entry]]:
    """Yield number and entry of each record from number ``start`` on, in order.

    Numbers that are missing are records that were lost: for want of memory, by damage, or purged. Damage is logged and
    passed over.

    Args:
        path: a journal's folder, which may be in use, or one segment.
        start: the first number wanted.
        passed: is told, after each segment, how many bytes it has on disk.

    Raises:
        JournalError: the folder or a segment cannot be read.
    """
    try:
        segments = segments_of(path) if path.is_dir() else [Segment(0, path, path.stat().st_size)]
        for segment, following in pairwise(chain(segments, (None,))):
            assert segment is not None  # only the last of all is
            if following is None or following.number > start:
                for record in _records(segment, torn_end=following is None):
                    if record.number >= start:
                        yield record.number, record.entry
            passed(segment.size)
    except OSError as error:
        raise JournalError(
            f"journal {path}: {error.strerror}; check the path, and that you may read the folder and its files"
        ) from error


def _records(segment: Segment, *, torn_end: bool) -> Iterator[Record]:
    path = segment.path
    data, problem = _load(path)
    for found in scan(data):
        if isinstance(found, Record):
            yield found
        elif torn_end and found.end == len(data):
            log.warning("journal %s: its last %d bytes are no whole record: passed over", path, len(data) - found.start)
        else:
            log.error("journal %s: damaged from byte %d to %d: passed over", path, found.start, found.end)
    if problem is not None:
        log.error("journal %s: cannot be unpacked beyond byte %d (%s): the rest is missing", path, len(data), problem)


def _load(path: Path) -> tuple[bytes, str | None]:
    try:
        return load(path)
    except FileNotFoundError:
        pass
    sealed = path.with_name(path.name.removesuffix(PLAIN) + SEALED)
    try:
        return load(sealed)  # sealed since we looked
    except FileNotFoundError:
        log.warning("journal %s: purged while it was read", path)
        return b"", None
