"""Which row of a ledger is which call of a truth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from simulators.compare.matching import match
from telemon.instants import SECOND

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    from simulators.compare.numbers import Numbers
    from simulators.compare.row import LedgerRow
    from simulators.truth import CallTruth
    from telemon.instants import Duration, Instant

WINDOW: Final[Duration] = 2 * SECOND
_CLOSE: Final[Duration] = SECOND // 10  # for those of which only the DDI or only the caller is the same
Pair = tuple["CallTruth", "LedgerRow"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined:
    """All truths and rows: ``pairs`` and ``missing`` in the truth's order of arrival, ``surplus`` in the ledger's.

    ``outside`` are the rows that arrived before or after the truth's own period: not the rehearsal's.
    """

    pairs: list[Pair]
    missing: list[CallTruth]
    surplus: list[LedgerRow]
    outside: list[LedgerRow]


def period(truths: Sequence[CallTruth], window: Duration = WINDOW) -> tuple[Instant, Instant]:
    """Return when the first call of a truth may have arrived and when the last was over, both included."""
    first = min(truth.arrived_at for truth in truths) - window
    return first, max(max(truth.ended_at, truth.arrived_at + window) for truth in truths)


def join(truths: Sequence[CallTruth], rows: Sequence[LedgerRow], numbers: Numbers, window: Duration = WINDOW) -> Joined:
    """Join by call id where the truth knows it, then by caller and DDI, then by either, each time by arrival.

    A call whose caller or DDI the ledger has wrong is so still found, if it arrived at nearly the same instant.
    """
    joining = _Joining(truths, rows)
    joining.by_call_id()
    if numbers.blind:
        joining.by(lambda truth: truth.ddi, lambda row: row.ddi, window)
    else:
        joining.by(
            lambda truth: (truth.ddi, numbers.caller(truth)), lambda row: (row.ddi, numbers.caller_found(row)), window
        )
        joining.by(numbers.caller, numbers.caller_found, _CLOSE)
        joining.by(lambda truth: truth.ddi, lambda row: row.ddi, _CLOSE)
    return joining.joined(*period(truths, window))


class _Joining:
    """Truths and rows by number, and those that are still without a partner."""

    def __init__(self, truths: Sequence[CallTruth], rows: Sequence[LedgerRow]) -> None:
        self._truths = sorted(truths, key=lambda truth: truth.arrived_at)
        self._rows = sorted(rows, key=lambda row: row.arrived_at)
        self._partners: dict[int, int] = {}  # of a truth, the row
        self._free_rows = set(range(len(rows)))

    def by_call_id(self) -> None:
        """Join what has the same id; of rows that share one, the first."""
        known: dict[str, int] = {}
        for number, row in enumerate(self._rows):
            known.setdefault(row.call_id, number)
        for number, truth in enumerate(self._truths):
            if truth.call_id in known:
                self._pair(number, known.pop(truth.call_id))

    def by(
        self, of_truth: Callable[[CallTruth], Hashable], of_row: Callable[[LedgerRow], Hashable], window: Duration
    ) -> None:
        """Join what has the same key and arrived within a window, as closely as all of them together can be."""
        groups: dict[Hashable, tuple[list[int], list[int]]] = {}
        for number, truth in enumerate(self._truths):
            if number not in self._partners:
                groups.setdefault(of_truth(truth), ([], []))[0].append(number)
        for number in sorted(self._free_rows):
            group = groups.get(of_row(self._rows[number]))
            if group is not None:
                group[1].append(number)
        for ours, theirs in groups.values():
            if theirs:
                arrivals = [self._truths[number].arrived_at for number in ours]
                found = [self._rows[number].arrived_at for number in theirs]
                for our, their in match(arrivals, found, window):
                    self._pair(ours[our], theirs[their])

    def joined(self, first: Instant, last: Instant) -> Joined:
        """Return the result; ``first`` and ``last`` bound the truth's own period."""
        free = [self._rows[number] for number in sorted(self._free_rows)]
        return Joined(
            pairs=[(self._truths[number], self._rows[row]) for number, row in sorted(self._partners.items())],
            missing=[truth for number, truth in enumerate(self._truths) if number not in self._partners],
            surplus=[row for row in free if first <= row.arrived_at <= last],
            outside=[row for row in free if not first <= row.arrived_at <= last],
        )

    def _pair(self, truth: int, row: int) -> None:
        self._partners[truth] = row
        self._free_rows.discard(row)
