"""When a PBX was not seen: what remains of a period once every observer's stretches of seeing are taken off."""

from __future__ import annotations

from itertools import groupby, zip_longest
from math import inf
from typing import TYPE_CHECKING, Final, NamedTuple

from telemon.instants import SECOND
from telemon.observation import GapCause, Sight

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from telemon.instants import Duration, Instant
    from telemon.observation import Interval

TRAILING: Final[Duration] = 15 * SECOND
"""How old the ledger's word of a stretch of seeing may be while that goes on: the daemon renews it every
``telemon.daemon.SIGHT_SECONDS``, and half as long again may pass until it is written."""

_Stretch = tuple["Instant", "Instant"]


class Gap(NamedTuple):
    """A stretch in which nobody saw a PBX; ``cause`` is a ``GapCause``, or ``unknown``."""

    start: Instant
    duration: Duration
    cause: str
    pbx: str

    @property
    def end(self) -> Instant:
        """When somebody saw again."""
        return self.start + self.duration


class _Account(NamedTuple):
    """What one observer wrote about one PBX."""

    seen: list[_Stretch]
    blind: list[tuple[Instant, Instant, str]]


def gaps_of(intervals: Iterable[Interval], start: Instant, end: Instant, now: Instant, *, pbx: str) -> list[Gap]:
    """Return the gaps of one PBX between two instants, in order.

    ``intervals`` are the ledger's of that PBX, each observer's in order of their starts. A time is a gap only if no
    observer saw it. Its cause is what befell the observer that saw longest before it (of those that saw nothing before:
    the one that saw first after it); where that one wrote nothing, telemon did not run. An observer's last stretch of
    seeing is taken to go on until ``now`` if it was renewed less than ``TRAILING`` ago.
    """
    by_observer = groupby(sorted(intervals, key=lambda interval: interval.observer), lambda interval: interval.observer)
    accounts = [_account(list(own), end, now) for _, own in by_observer] or [_Account([], [])]
    return [
        Gap(first, last - first, cause, pbx)
        for begin, finish in _unseen((stretch for account in accounts for stretch in account.seen), start, end)
        for first, last, cause in _pieces(begin, finish, _teller(accounts, begin, finish).blind)
    ]


def _account(intervals: Sequence[Interval], end: Instant, now: Instant) -> _Account:
    account = _Account([], [])
    for interval, following in zip_longest(intervals, intervals[1:]):
        if interval.sight is Sight.SEEN:
            last = interval.started_at if interval.ended_at is None else interval.ended_at
            goes_on = following is None and now - last <= TRAILING
            account.seen.append((interval.started_at, max(last, now) if goes_on else last))
            continue
        last = end if following is None else following.started_at  # unless telemon could close it
        finish = last if interval.ended_at is None else interval.ended_at
        account.blind.append((interval.started_at, finish, interval.cause.value if interval.cause else "unknown"))
    return account


def _unseen(seen: Iterable[_Stretch], start: Instant, end: Instant) -> Iterator[_Stretch]:
    reached = start
    for first, last in sorted(seen):
        if reached < min(first, end):
            yield reached, min(first, end)
        reached = max(reached, last)
    if reached < end:
        yield reached, end


def _teller(accounts: Sequence[_Account], begin: Instant, finish: Instant) -> _Account:
    """Return the account of the observer that knows best why nobody saw this stretch."""

    def closeness(account: _Account) -> tuple[float, float]:
        before = max((last for _, last in account.seen if last <= begin), default=-inf)
        after = min((first for first, _ in account.seen if first >= finish), default=inf)
        return before, -after

    return max(accounts, key=closeness)


def _pieces(
    start: Instant, end: Instant, blind: Iterable[tuple[Instant, Instant, str]]
) -> Iterator[tuple[Instant, Instant, str]]:
    """Divide one gap by cause."""
    for begin, finish, cause in blind:
        first, last = max(begin, start), min(finish, end)
        if last > first:
            if first > start:
                yield start, first, GapCause.TELEMON_STOPPED.value
            yield first, last, cause
            start = last
    if end > start:
        yield start, end, GapCause.TELEMON_STOPPED.value
