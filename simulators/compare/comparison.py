"""The whole of a comparison: metric by metric, and which calls differ."""

from __future__ import annotations

from array import array
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from simulators.compare.joining import WINDOW, join
from simulators.compare.metrics import Ruler, Status
from simulators.compare.numbers import Numbers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from simulators.compare.joining import Joined, Pair
    from simulators.compare.metrics import Difference, Metric
    from simulators.compare.row import LedgerRow
    from simulators.truth import CallTruth
    from telemon.instants import Duration
    from telemon.records import Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """One metric over all joined calls. ``greatest`` has its sign (the ledger's minus the truth's), ``p95`` has none.

    Both are None where nothing could deviate; microseconds.
    """

    metric: str
    same: int
    on_edge: int
    different: int
    greatest: Duration | None
    p95: Duration | None

    @property
    def compared(self) -> int:
        """Of how many calls."""
        return self.same + self.on_edge + self.different


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What came out. ``different`` and ``on_edge`` are numbers into ``joined.pairs``, in their order.

    ``outside`` counts the rows of other times; ``blind``: callers could not be compared, for want of a key;
    ``is_key_wrong``: there was one, but no caller of the ledger is the truth's under it.
    """

    joined: Joined
    tallies: tuple[Tally, ...]
    different: tuple[int, ...]
    on_edge: tuple[int, ...]
    ruler: Ruler
    outside: int
    blind: bool
    is_key_wrong: bool

    @property
    def is_clean(self) -> bool:
        """Whether there is no difference beyond the tolerance."""
        return not (self.different or self.joined.missing or self.joined.surplus)

    def differences(self, pair: Pair, status: Status) -> Iterator[Difference]:
        """Yield what is different, or only on the edge, in one joined call."""
        return (found for found in self.ruler.differences(*pair) if found.status is status)

    def faults(self) -> Iterator[tuple[CallTruth | None, LedgerRow | None]]:
        """Yield every call with a difference, in order of arrival; one side is None where nothing was joined."""
        faults: list[tuple[CallTruth | None, LedgerRow | None]] = [self.joined.pairs[n] for n in self.different]
        faults += [(truth, None) for truth in self.joined.missing]
        faults += [(None, row) for row in self.joined.surplus]
        yield from sorted(faults, key=_arrival)

    def outcomes(self) -> tuple[Counter[Outcome], Counter[Outcome]]:
        """Return how many calls of each outcome the truth and the ledger have."""
        truths = [truth for truth, _ in self.joined.pairs] + self.joined.missing
        rows = [row for _, row in self.joined.pairs] + self.joined.surplus
        return Counter(truth.outcome for truth in truths), Counter(row.outcome for row in rows)


def compare(
    truths: Sequence[CallTruth],
    rows: Sequence[LedgerRow],
    key: bytes | None,
    *,
    tolerance: Duration,
    ring_cycle: Duration,
    short_abandon: Duration,
    beyond: int = 0,
    track: Callable[[Sequence[Metric]], Iterable[Metric]] = iter,
) -> Comparison:
    """Join all rows with their truths, and hold them against each other; ``track`` may follow the progress.

    ``key`` is that of the pseudonyms, None where it is not known; ``beyond`` counts rows of other times that were not
    even read; durations are microseconds.
    """
    numbers = Numbers(truths, rows, key)
    joined = join(truths, rows, numbers, max(WINDOW, tolerance))
    ruler = Ruler(numbers, tolerance=tolerance, ring_cycle=ring_cycle, short_abandon=short_abandon)
    different: set[int] = set()
    on_edge: set[int] = set()
    tallies = tuple(_tally(joined.pairs, metric, ruler, different, on_edge) for metric in track(ruler.metrics))
    return Comparison(
        joined=joined,
        tallies=tallies,
        different=tuple(sorted(different)),
        on_edge=tuple(sorted(on_edge)),
        ruler=ruler,
        outside=len(joined.outside) + beyond,
        blind=numbers.blind,
        is_key_wrong=key is not None and bool(joined.pairs) and not any(numbers.knows(row) for _, row in joined.pairs),
    )


def _tally(pairs: Sequence[Pair], metric: Metric, ruler: Ruler, different: set[int], on_edge: set[int]) -> Tally:
    """Count one metric, and add the numbers of the pairs in which it is not the same."""
    same, edges, differences = 0, 0, 0
    deviations, is_timed = array("q"), metric.is_timed
    for number, (truth, row) in enumerate(pairs):
        expected, found = metric.expected(truth), metric.found(row)
        if expected is None and metric.where_known:
            continue
        if is_timed and isinstance(expected, int) and isinstance(found, int):
            deviations.append(found - expected)
        if (
            expected == found
            or (status := ruler.status(metric, truth, expected, found, from_records=row.from_records)) is Status.SAME
        ):
            same += 1
        elif status is Status.ON_EDGE:
            edges += 1
            on_edge.add(number)
        else:
            differences += 1
            different.add(number)
    sizes = sorted(map(abs, deviations))
    return Tally(
        metric=metric.name,
        same=same,
        on_edge=edges,
        different=differences,
        greatest=max(deviations, key=abs, default=None),
        p95=sizes[-(-95 * len(sizes) // 100) - 1] if sizes else None,
    )


def _arrival(fault: tuple[CallTruth | None, LedgerRow | None]) -> int:
    call = fault[0] or fault[1]
    assert call is not None
    return call.arrived_at
