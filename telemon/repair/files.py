"""Rows out of files: which line is a header, which columns the others have, and which file comes first."""

from __future__ import annotations

import itertools
from collections import Counter
from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING, Final

from telemon.errors import SourceError
from telemon.repair.columns import COLUMNS, NEEDED, TIME, header, layout
from telemon.repair.kinds import SourceKind
from telemon.repair.lines import Cutter, LineReader, json_cells
from telemon.repair.sources import Source
from telemon.repair.stamps import read_stamp

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_TRIED: Final = 100  # lines; a file of which so many in a row are nothing known is another file
_LAST_DATA: Final = len(COLUMNS[SourceKind.QUEUE_LOG]) - 1


class FileSource(Source):
    """The rows of one or several files, the oldest file first."""

    def __init__(self, kind: SourceKind, paths: Sequence[str]) -> None:
        super().__init__()
        if not paths:
            raise SourceError(f"no file of {kind} was named; name one, - for standard input, or a database URL")
        self._kind = kind
        self._paths = sorted(paths, key=self._first_time) if len(paths) > 1 else list(paths)
        self._reader = LineReader(self._paths[0], self.passed_over)
        self._before = 0  # bytes of the files read to their end

    @property
    def size(self) -> int | None:
        """Bytes of all files; None for standard input."""
        return None if "-" in self._paths else sum(Path(path).stat().st_size for path in self._paths)

    @property
    def done(self) -> int:
        """Bytes read of all files."""
        return self._before + self._reader.done

    def __iter__(self) -> Iterator[dict[str, str]]:
        for path in self._paths:
            if path != self._reader.path:
                self._reader = LineReader(path, self.passed_over)
            yield from _Rows(self._kind, self._reader, self.passed_over)
            self._before, read = self._before + self._reader.done, self._reader
            read.close()

    def close(self) -> None:
        """Close the file that is being read."""
        self._reader.close()

    def _first_time(self, path: str) -> int:
        """When a file begins; an empty one comes first, where it does no harm."""
        reader = LineReader(path, Counter())
        try:
            rows = itertools.islice(_Rows(self._kind, reader, Counter()), _TRIED)
            stamps = (read_stamp(row[TIME[self._kind]], UTC) for row in rows)
            return next((stamp.at for stamp in stamps if stamp is not None), 0)
        finally:
            reader.close()


class _Rows:
    """The rows of one file."""

    def __init__(self, kind: SourceKind, reader: LineReader, passed_over: Counter[str]) -> None:
        self._kind = kind
        self._reader = reader
        self._passed_over = passed_over
        self._cutter: Cutter | None = None
        self._header: tuple[str, ...] | None = None
        self._strange = 0  # lines not understood, as long as none was

    def __iter__(self) -> Iterator[dict[str, str]]:
        empty = dict.fromkeys(COLUMNS[self._kind], "")
        understood = False
        for line in self._reader:
            row = self._row(line)
            if row:
                understood = True
                yield {**empty, **row}
            elif row is None:
                self._passed_over["not understood"] += 1
                self._strange += not understood
                if self._strange == _TRIED:
                    break
            else:
                understood = True
        if self._strange and not understood:
            raise self._nothing_known()

    def _nothing_known(self) -> SourceError:
        columns = ",".join(name for name in COLUMNS[self._kind] if name in NEEDED[self._kind])
        return SourceError(
            f"{self._reader.path}, line 1 to {self._reader.number}: no line is a record of {self._kind} as "
            f"Asterisk writes it; check the path, or put a header line before them that "
            f"names the columns, among them {columns}"
        )

    def _row(self, line: str) -> dict[str, str] | None:
        """Return one line's row, an empty one for a header, None if it is neither."""
        if line.startswith("{"):
            return self._json_row(line)
        cells = self._cells(line)
        if cells is None:
            return None
        meant = self._header if self._header is not None else layout(self._kind, cells)
        if meant is None and (names := header(self._kind, cells)) is not None:
            self._header = names
            return {}
        if meant is None or len(meant) != len(cells):
            return None
        return {name: cell for name, cell in zip(meant, cells, strict=True) if name}

    def _json_row(self, line: str) -> dict[str, str] | None:
        found = json_cells(line)
        names = header(self._kind, found[0]) if found is not None else None
        if found is None or names is None:
            return None
        return {name: value for name, value in zip(names, found[1], strict=True) if name}

    def _cells(self, line: str) -> list[str] | None:
        if self._kind is SourceKind.QUEUE_LOG and self._header is None and "|" in line:
            cells = line.split("|")  # main/logger.c ast_queue_log: nothing is quoted
            return [*cells[:_LAST_DATA], "|".join(cells[_LAST_DATA:])] if len(cells) > _LAST_DATA else cells
        if self._cutter is None:
            self._cutter = Cutter(line)
        return self._cutter.cells(line)
