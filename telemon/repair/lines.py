"""Lines of a log file that nobody vouches for: too long, torn, of another encoding, in the middle of being written."""

from __future__ import annotations

import csv
import gzip
import json
import sys
import zlib
from typing import IO, TYPE_CHECKING, Final, cast

from telemon.errors import SourceError

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterator, Sequence
    from io import BufferedReader

LONGEST: Final = 1 << 20  # bytes; Asterisk's own buffers are 1024 (cdr_csv) to 16384 (cel_custom)
_GZIP: Final = b"\x1f\x8b"
_DELIMITERS: Final = ",;\t|"


class LineReader:
    """The lines of one file, numbered from 1; ``-`` is standard input, and gzip is known by its first bytes.

    Raises:
        SourceError: the file cannot be opened.
    """

    def __init__(self, path: str, passed_over: Counter[str]) -> None:
        self.path = path
        self.number = 0
        self._passed_over = passed_over
        try:
            stream = sys.stdin.buffer if path == "-" else open(path, "rb")  # noqa: SIM115, PTH123 - closed by close()
            self._raw = cast("BufferedReader", stream)
            packed = self._raw.peek(len(_GZIP)).startswith(_GZIP)
        except OSError as error:
            raise SourceError(
                f"{path}: cannot be read ({error.strerror}); check the path and its permissions"
            ) from error
        self._stream = cast("IO[bytes]", gzip.GzipFile(fileobj=self._raw)) if packed else self._raw

    @property
    def done(self) -> int:
        """Bytes read so far, as they lie on the disk."""
        return 0 if self.path == "-" or self._raw.closed else self._raw.tell()

    def close(self) -> None:
        """Close the file; standard input stays open."""
        if self.path != "-":
            self._raw.close()

    def __iter__(self) -> Iterator[str]:
        r"""Yield each whole line, without its end; bytes that are no UTF-8 stay visible as ``\xe9``."""
        try:
            while line := self._stream.readline(LONGEST):
                self.number += 1
                if (reason := self._flaw(line)) is not None:
                    self._passed_over[reason] += 1
                elif text := line.decode("utf-8", "backslashreplace").rstrip("\r\n"):
                    yield text
        except (OSError, EOFError, zlib.error) as error:
            raise SourceError(
                f"{self.path}, after line {self.number}: cannot be read on ({error}); "
                "if it was copied or packed, do that again"
            ) from error

    def _flaw(self, line: bytes) -> str | None:
        if not line.endswith(b"\n"):
            return self._skip(line)
        return "NUL bytes" if b"\0" in line else None

    def _skip(self, line: bytes) -> str:
        """Pass over the rest of a line that has no end: beyond all measure, or not written to its end."""
        if len(line) < LONGEST:
            return "unfinished last line"
        while line and not line.endswith(b"\n"):
            line = self._stream.readline(LONGEST)
        return "line too long"


class Cutter:
    """Cut lines of one CSV file into cells; the delimiter is whichever the first line has most of.

    One line is one record, as Asterisk writes it: a quote that nobody closes spoils its own line alone.
    """

    def __init__(self, first_line: str) -> None:
        self._delimiter = max(_DELIMITERS, key=first_line.count)

    def cells(self, line: str) -> list[str] | None:
        """Return the line's cells, None if it is no CSV."""
        try:
            (cells,) = csv.reader((line,), delimiter=self._delimiter, strict=True)
        except (csv.Error, ValueError):
            return None
        return cells


def json_cells(line: str) -> tuple[Sequence[str], Sequence[str]] | None:
    """Return names and values of a record that cdr_custom or cel_custom wrote with ``format = json``."""
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(record, dict):
        return None
    return list(record), [value if isinstance(value, str) else json.dumps(value) for value in record.values()]
