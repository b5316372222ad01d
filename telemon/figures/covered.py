"""The cover of a permanence that several PBXs serve, and of a period in parts."""

from __future__ import annotations

from bisect import bisect_right
from itertools import pairwise
from typing import TYPE_CHECKING

from telemon.duty_records import Coverage
from telemon.rates import Rate

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from telemon.permanence.coverage import Cover, Stretch

_ORDER = (Coverage.COVERED, Coverage.UNKNOWN, Coverage.UNCOVERED)


def anywhere(timelines: Sequence[Sequence[Stretch]]) -> list[Stretch]:
    """Return one timeline of those of several PBXs over the same time: whoever is reached by one PBX is reached.

    Where none covers, it is unknown if one of them is.
    """
    if len(timelines) == 1:
        return list(timelines[0])
    edges = sorted({edge for line in timelines for stretch in line for edge in stretch[:2]})
    starts = [[stretch.start for stretch in line] for line in timelines]
    return [
        min(
            (line[bisect_right(start, begin) - 1] for line, start in zip(timelines, starts, strict=True)),
            key=lambda stretch: _ORDER.index(stretch.state),
        )._replace(start=begin, end=end)
        for begin, end in pairwise(edges)
    ]


def share(covers: Iterable[Cover]) -> Rate:
    """Return covered ÷ required, with its bounds, of parts of a period taken together."""
    covered = known = unknown = 0
    for cover in covers:
        covered += cover.covered
        known += cover.covered + cover.uncovered_total
        unknown += cover.unknown
    return Rate.of(covered, known, out=unknown, into=unknown)
