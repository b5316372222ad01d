"""A tape is cut into parts, from which calls that were never recorded can be put together.

While a caller waits, what happens is a row of rounds: phones ring until the round is over. Each round speaks only of
the caller's leg and of its own, so any row of rounds makes a call, with any ending behind it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from simulators.ami.tape import Burst, Line, Tape

if TYPE_CHECKING:
    from telemon.instants import Duration


def cut(tape: Tape) -> list[Tape]:
    """Cut a tape into its opening, its rounds and its ending; each part's bursts count from the part's own beginning.

    A part begins with the first leg that is dialled while none is, and with each burst in which nobody rings, from
    the moment at which the caller waits; what follows the answer stays in one piece.
    """
    return _Cutter(tape).parts()


class _Cutter:
    """Walks over a tape once; ``_rows`` are the parts so far: of each line its burst, its own instant, and itself."""

    def __init__(self, tape: Tape) -> None:
        self._tape = tape
        self._rows: list[list[tuple[Duration, Duration, Line]]] = [[]]
        self._alive: set[int] = set()
        self._part_of: dict[int, int] = {}
        self._waits = self._answered = False

    def parts(self) -> list[Tape]:
        for burst in self._tape.bursts:
            if self._waits and not self._alive and not self._answered:
                self._rows.append([])
            for line in burst.lines:
                self._take(burst.at, line)
        return [self._part(row) for row in self._rows if row]

    def _take(self, at: Duration, line: Line) -> None:
        if line.creates and not self._alive and not self._answered and self._rows[-1]:
            self._rows.append([])
        if line.creates:
            self._alive.add(line.creates)
            self._part_of[line.creates] = len(self._rows) - 1
        elif line.name == "Hangup" or (line.name == "DialEnd" and line.headers["DialStatus"] != "ANSWER"):
            self._alive -= line.legs
        self._answered |= line.mark == "answered"
        if line.mark in ("joined", "round"):
            self._waits = True
        elif line.headers.get("Application") == "VoiceMail":
            self._waits = False
        others = [self._part_of[leg] for leg in line.legs if leg in self._part_of]
        self._rows[max(others, default=len(self._rows) - 1)].append((at, at + line.offset, line))

    def _part(self, row: list[tuple[Duration, Duration, Line]]) -> Tape:
        start = row[0][1]
        bursts: dict[Duration, list[tuple[Duration, Line]]] = {}
        for burst, told, line in row:
            bursts.setdefault(burst, []).append((told, line))
        return replace(
            self._tape,
            phones=tuple(phone for phone in self._tape.phones if any(f"r_{phone})" in line.text for *_, line in row)),
            bursts=tuple(_burst(lines, start) for lines in bursts.values()),
        )


def _burst(lines: list[tuple[Duration, Line]], start: Duration) -> Burst:
    first = lines[0][0]
    return Burst(first - start, tuple(replace(line, offset=told - first) for told, line in lines))
