"""Who has given wrong PINs too often, and until when nothing more is taken from him."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from telemon.instants import Duration, Instant


@dataclass(slots=True)
class _Tries:
    count: int = 0
    last: Instant = 0


class Lockout:
    """Counts the wrong PINs of each key: a number keyed in, or a phone.

    A try counts as wrong as soon as it begins, until ``right`` says otherwise: tries made at the same time, on several
    phones, cannot all slip through before the first of them is judged. With the last of ``attempts`` the key is locked
    for ``lock``; tries while locked count for nothing, so that nobody can keep a lock alive for ever. After ``lock``
    without another one, wrong tries are forgotten.

    At most ``capacity`` keys are remembered. Beyond that the one whose last try is the oldest is forgotten; to get
    there within ``lock`` takes a third as many phones, each of which is locked after three tries itself.
    """

    def __init__(self, attempts: int, lock: Duration, *, capacity: int = 10_000) -> None:
        self._attempts = attempts
        self._lock = lock
        self._capacity = capacity
        self._tries: dict[str, _Tries] = {}  # in the order of their last try

    def __len__(self) -> int:
        """Return how many keys are remembered."""
        return len(self._tries)

    def locked_until(self, key: str, at: Instant) -> Instant | None:
        """Return when the lock of this key ends; None if it is not locked at this instant."""
        tries = self._tries.get(key)
        if tries is None or tries.count < self._attempts or self._is_over(tries, at):
            return None
        return tries.last + self._lock

    def begin(self, key: str, at: Instant) -> bool:
        """Count a try, as wrong for now; False, and nothing counted, if the key is locked."""
        if self.locked_until(key, at) is not None:
            return False
        tries = self._tries.pop(key, None)
        if tries is None or self._is_over(tries, at):
            tries = _Tries()
        tries.count += 1
        tries.last = at
        self._tries[key] = tries
        if len(self._tries) > self._capacity:
            del self._tries[next(iter(self._tries))]
        return True

    def right(self, key: str) -> None:
        """Forget the wrong tries of this key: its PIN was right."""
        self._tries.pop(key, None)

    def _is_over(self, tries: _Tries, at: Instant) -> bool:
        """Whether the last try is longer ago than a lock lasts; one from the future, before a clock was set, is not."""
        return at - tries.last >= self._lock
