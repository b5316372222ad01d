"""Which truth is which row, from the instants of arrival alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from telemon.instants import Duration, Instant

_Arrival = tuple["Instant", int, int]  # when, then +1 and a truth's number, or -1 and a row's
_Trail = tuple[_Arrival, "_Trail"] | None  # the arrivals left alone so far, the last one first
_States = dict[int, tuple[int, _Trail]]


def match(truths: Sequence[Instant], rows: Sequence[Instant], window: Duration) -> Iterator[tuple[int, int]]:
    """Pair truths with rows so that the distances, and half a ``window`` for each one left alone, sum up to the least.

    So no pair is more than a window apart, and pairs are in order of arrival on both sides. Yield the numbers of both.
    """
    arrivals = [(at, 1, number) for number, at in enumerate(truths)]
    arrivals += [(at, -1, number) for number, at in enumerate(rows)]
    for cluster in _clusters(sorted(arrivals), window):
        is_pair = sorted(side for _, side, _ in cluster) == [-1, 1]
        alone = () if is_pair else set(_alone(cluster, window))
        paired = [arrival for arrival in cluster if arrival not in alone]
        ours = (number for _, side, number in paired if side > 0)
        theirs = (number for _, side, number in paired if side < 0)
        yield from zip(ours, theirs, strict=True)


def _clusters(arrivals: Sequence[_Arrival], window: Duration) -> Iterator[Sequence[_Arrival]]:
    """Cut where nobody comes for longer than a window."""
    begin = 0
    for end in range(1, len(arrivals) + 1):
        if end == len(arrivals) or arrivals[end][0] - arrivals[end - 1][0] > window:
            yield arrivals[begin:end]
            begin = end


def _alone(arrivals: Sequence[_Arrival], window: Duration) -> Iterator[_Arrival]:
    """Yield those arrivals that are best left alone.

    Going through all of them in order, a state is how many truths wait for a row (below 0: rows for a truth). Each
    one that waits adds to the cost as time passes; an arrival may join the queue, or be left alone at once. Of the
    states only those are kept that can still become the best, few unless more is lost than found.
    """
    states: _States = {0: (0, None)}
    before = arrivals[0][0]
    for arrival in arrivals:
        at, side, _ = arrival
        waited = _wait(states, at - before, window)
        states, before = {}, at
        for balance, (cost, trail) in waited.items():
            _reach(states, balance + side, cost, trail)
            _reach(states, balance, cost + window, (arrival, trail))
    trail = states[0][1]
    while trail is not None:
        arrival, trail = trail
        yield arrival


def _wait(states: _States, gap: Duration, window: Duration) -> _States:
    """Let time pass; all costs are doubled, so that half a window is a whole number."""
    waited = {balance: (cost + 2 * abs(balance) * gap, trail) for balance, (cost, trail) in states.items()}
    if len(waited) == 1:
        return waited
    best, (least, _) = min(waited.items(), key=lambda item: item[1][0])
    return {
        balance: (cost, trail)
        for balance, (cost, trail) in waited.items()
        if cost <= least + abs(balance - best) * window  # else leaving so many more alone from the best is cheaper
    }


def _reach(states: _States, balance: int, cost: int, trail: _Trail) -> None:
    known = states.get(balance)
    if known is None or cost < known[0]:
        states[balance] = (cost, trail)
