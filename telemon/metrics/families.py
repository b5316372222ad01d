"""Families of metrics as text in Prometheus' format, each line made again only once its value is another.

A telemon that watches a hundred sites tells some hundred thousand series at each scrape, of which a few hundred
changed since the last one: what ``prometheus_client.generate_latest`` takes a second for is so a matter of
milliseconds. Format: https://prometheus.io/docs/instrumenting/exposition_formats/ (0.0.4).
"""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

Labels = tuple[str, ...]
Kind = Literal["gauge", "counter", "histogram"]
_ESCAPES: Final = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n"})
_CHILDREN: Final = 50  # rendered between two yields


def number(value: float) -> str:
    """Return a value as Prometheus reads it; whole numbers without a point."""
    if isinstance(value, int) or value.is_integer():
        return str(int(value))
    return repr(value).replace("inf", "Inf").replace("nan", "NaN")


def _head(name: str, kind: Kind, said: str) -> bytes:
    said = said.replace("\\", "\\\\").replace("\n", "\\n")
    return f"# HELP {name} {said}\n# TYPE {name} {kind}\n".encode()


def _pairs(names: Sequence[str], values: Labels) -> str:
    return ",".join(f'{name}="{value.translate(_ESCAPES)}"' for name, value in zip(names, values, strict=True))


class Family:
    """Gauges, or counters, of one name; a counter's name ends in ``_total``."""

    def __init__(self, name: str, said: str, labels: Sequence[str] = (), *, kind: Kind = "gauge") -> None:
        self._name = name
        self._head = _head(name, kind, said)
        self._names = tuple(labels)
        self._lines: dict[Labels, tuple[float, str, bytes]] = {}  # the value, what stands before it, the whole line

    def render(self, values: Iterable[tuple[Labels, float]]) -> bytes:
        """Return the family with exactly these series, each labels' once; nothing at all without any."""
        lines = self._lines
        found: list[bytes] = []
        for labels, value in values:
            known = lines.get(labels)
            if known is None or known[0] != value:
                start = self._start(labels) if known is None else known[1]
                known = lines[labels] = (value, start, f"{start}{number(value)}\n".encode())
            found.append(known[2])
        return self._head + b"".join(found) if found else b""

    def block(self, values: Iterable[tuple[Labels, float]]) -> bytes:
        """Return lines for ``join``, which whoever asks keeps himself."""
        return "".join([f"{self._start(labels)}{number(value)}\n" for labels, value in values]).encode()

    def join(self, blocks: Iterable[bytes]) -> bytes:
        """Return the family made of blocks; nothing at all without any."""
        text = b"".join(blocks)
        return self._head + text if text else b""

    def _start(self, labels: Labels) -> str:
        return f"{self._name}{{{_pairs(self._names, labels)}}} " if labels else f"{self._name} "


class Histogram:
    """Histograms of one name, all with the same bounds."""

    def __init__(self, name: str, said: str, labels: Sequence[str], bounds: Sequence[float]) -> None:
        self._name = name
        self._head = _head(name, "histogram", said)
        self._names = tuple(labels)
        self._bounds = (*map(float, bounds), float("inf"))
        self._children: dict[Labels, _Child] = {}

    def child(self, labels: Labels) -> _Child:
        """Return what observes for these labels."""
        child = self._children.get(labels)
        if child is None:
            child = self._children[labels] = _Child(self._bounds, *self._starts(labels))
        return child

    def render(self) -> Iterator[bytes]:
        """Yield the family in pieces, each a short piece of work."""
        children = list(self._children.values())
        if children:
            yield self._head
        for first in range(0, len(children), _CHILDREN):
            yield b"".join([child.text() for child in children[first : first + _CHILDREN]])

    def _starts(self, labels: Labels) -> tuple[list[str], str, str]:
        pairs = _pairs(self._names, labels)
        bounds = ["+Inf" if bound == float("inf") else repr(bound) for bound in self._bounds]
        buckets = [f'{self._name}_bucket{{{pairs},le="{bound}"}} ' for bound in bounds]
        return buckets, f"{self._name}_sum{{{pairs}}} ", f"{self._name}_count{{{pairs}}} "


class _Child:
    """One histogram, and its text as it was last rendered."""

    __slots__ = ("_bounds", "_count_start", "_counts", "_starts", "_sum", "_sum_start", "_text")

    def __init__(self, bounds: tuple[float, ...], starts: list[str], sum_start: str, count_start: str) -> None:
        self._bounds = bounds
        self._starts = starts
        self._sum_start, self._count_start = sum_start, count_start
        self._counts = [0] * len(bounds)
        self._sum = 0.0
        self._text: bytes | None = None

    def observe(self, value: float) -> None:
        """Count one value."""
        for place, bound in enumerate(self._bounds):
            if value <= bound:
                self._counts[place] += 1
                break
        self._sum += value
        self._text = None

    def text(self) -> bytes:
        if self._text is None:
            totals = list(accumulate(self._counts))
            lines = [f"{start}{total}" for start, total in zip(self._starts, totals, strict=True)]
            lines += [f"{self._count_start}{totals[-1]}", f"{self._sum_start}{number(self._sum)}", ""]
            self._text = "\n".join(lines).encode()
        return self._text
