"""Asterisk's own records as rows: log files, CSV files and database tables all read alike."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Iterator

    from telemon.repair.kinds import SourceKind


class Source(ABC):
    """Rows in order, to be read once; each has the columns that ``telemon.repair.columns.COLUMNS`` names.

    Attributes: ``unit`` of ``size`` and ``done``, ``"bytes"`` (as they lie on the disk) or ``"rows"``; ``passed_over``
    counts by reason what could not even be cut into a row.
    """

    unit = "bytes"

    def __init__(self) -> None:
        self.passed_over: Counter[str] = Counter()

    @property
    @abstractmethod
    def size(self) -> int | None:
        """How much there is to read; None where nobody knows."""

    @property
    @abstractmethod
    def done(self) -> int:
        """How much of it is read."""

    @abstractmethod
    def __iter__(self) -> Iterator[dict[str, str]]:
        """Yield each row; what a row lacks is empty.

        Raises:
            SourceError: it cannot be read on; the message names the file and line, or the table, and what to do.
        """

    @abstractmethod
    def close(self) -> None:
        """Let go of files and connections."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_source(kind: SourceKind, *where: str, table: str = "") -> Source:
    """Open files (plain or gzipped, rotated ones in any order), ``-`` for standard input, or one database URL.

    ``table`` is that of a database; where it is empty, the one table with the columns of such records is taken.

    Raises:
        SourceError: not there, not readable, or no records of this kind; the message says what to do.
    """
    # Files need no database driver, and a database no file.
    if len(where) == 1 and "://" in where[0]:
        from telemon.repair.tables import TableSource

        return TableSource(kind, where[0], table)
    from telemon.repair.files import FileSource

    return FileSource(kind, where)
