"""The list of lost callers who are to be called back.

A caller stands on it once per site, from the first call that was lost until a later contact: somebody answered another
call of his, called him back, or said so by hand. Each loss is kept with its instant (the end of the call), and of each
caller the latest contact (the end of the conversation); a loss stands for as long as no contact is later. So it does
not matter in which order calls end or are told, whether one is told twice, or by whom: two lists that heard of the
same, in whatever parts, become one by ``merge``. An overlap decides itself: whoever was lost on a second line while
being talked to on the first has been talked to since, and whoever went on waiting there after the talk has not.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from telemon.instants import Duration, Instant

MOST_CALLERS: Final = 5000  # of all sites; beyond, whoever was lost longest ago falls out
MOST_LOSSES: Final = 100  # of one caller; beyond, the oldest are not counted any more
_MOST_CONTACTS: Final = 20_000  # remembered for calls that end late
_NEVER: Final = -1

Key = tuple[str, str]
"""Site, and who: any name that is equal for all spellings of a number."""


@dataclass(frozen=True, slots=True, order=True)
class Loss:
    """One lost call; ``until`` when it is to be forgotten, ``number`` as it may be dialled."""

    at: Instant
    ref: str
    until: Instant
    service: str
    outcome: str
    number: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One caller to be called back; ``id`` tells nothing to whoever has not this list."""

    id: str
    site: str
    service: str
    number: str
    times: int
    first_at: Instant
    last_at: Instant

    def __repr__(self) -> str:
        """Leave the number out: a repr ends up in a log."""
        return f"Entry({self.id!r}, {self.site!r}, {self.service!r}, times={self.times})"


class LostCallers:
    """Who was lost and not reached since. ``keep``: how long a loss stands, in microseconds.

    ``version`` is another one after each change, ``fallen_out`` counts callers for whom was no room.
    """

    def __init__(self, keep: Duration, *, most: int = MOST_CALLERS) -> None:
        self.fallen_out = 0
        self.version = 0
        self._keep = keep
        self._most = most
        self._losses: dict[Key, dict[str, Loss]] = {}
        self._contacts: OrderedDict[Key, Instant] = OrderedDict()
        self._expires_at: Instant | None = None  # before that, nothing does

    def __len__(self) -> int:
        """How many callers there are."""
        return len(self._losses)

    def until(self, at: Instant, now: Instant) -> Instant:
        """Return when a loss is to be forgotten; a PBX whose clock is ahead cannot make it later."""
        return min(at, now) + self._keep

    def lose(self, key: Key, loss: Loss, now: Instant) -> None:
        """Take a lost call."""
        if loss.until > loss.at + self._keep:
            loss = replace(loss, until=loss.at + self._keep)  # of a list that keeps them longer
        if loss.until <= now or loss.at <= self._contacts.get(key, _NEVER):
            return
        losses = self._losses.setdefault(key, {})
        known = losses.get(loss.ref)
        if known is not None and known <= loss:
            return
        losses[loss.ref] = loss
        self._expires_at = loss.until if self._expires_at is None else min(self._expires_at, loss.until)
        if len(losses) > MOST_LOSSES:
            oldest = min(losses.values())
            del losses[oldest.ref]
            if oldest is loss:
                return
        self.version += 1
        if len(self._losses) > self._most:
            self._drop_oldest()

    def reach(self, key: Key, at: Instant) -> None:
        """Somebody talked to this caller, until this instant at least."""
        if at <= self._contacts.get(key, _NEVER):
            return
        self._contacts[key] = at
        self._contacts.move_to_end(key)
        if len(self._contacts) > _MOST_CONTACTS:
            self._contacts.popitem(last=False)
        self._keep_only(key, [loss for loss in self._losses.get(key, {}).values() if loss.at > at])

    def merge(self, key: Key, losses: Iterable[Loss], contact: Instant | None, now: Instant) -> None:
        """Take what another list knows of one caller."""
        if contact is not None:
            self.reach(key, contact)
        for loss in losses:
            self.lose(key, loss, now)

    def expire(self, now: Instant) -> None:
        """Forget what is too old."""
        while self._contacts and next(iter(self._contacts.values())) + self._keep <= now:
            self._contacts.popitem(last=False)
        if self._expires_at is None or self._expires_at > now:
            return
        for key, losses in list(self._losses.items()):
            if any(loss.until <= now for loss in losses.values()):
                self._keep_only(key, [loss for loss in losses.values() if loss.until > now])
        everything = (loss.until for losses in self._losses.values() for loss in losses.values())
        self._expires_at = min(everything, default=None)

    def losses(self, key: Key) -> tuple[Loss, ...]:
        """Return what stands of one caller, oldest first."""
        return tuple(sorted(self._losses.get(key, {}).values()))

    def contact(self, key: Key) -> Instant | None:
        """Return the latest contact with a caller, if it is remembered."""
        return self._contacts.get(key)

    def snapshot(self) -> Mapping[Key, tuple[Loss, ...]]:
        """Return everybody, in no order; quickly."""
        return {key: tuple(losses.values()) for key, losses in self._losses.items()}

    def all(self) -> Mapping[Key, tuple[Loss, ...]]:
        """Return everybody with his losses, oldest first; whoever was lost last comes first."""
        losses = {key: tuple(sorted(known)) for key, known in self.snapshot().items()}
        return dict(sorted(losses.items(), key=lambda item: (item[1][-1].at, item[0]), reverse=True))

    def _keep_only(self, key: Key, losses: list[Loss]) -> None:
        if len(losses) == len(self._losses.get(key, {})):
            return
        if losses:
            self._losses[key] = {loss.ref: loss for loss in losses}
        else:
            del self._losses[key]
        self.version += 1

    def _drop_oldest(self) -> None:
        oldest = min(self._losses, key=lambda key: (max(loss.at for loss in self._losses[key].values()), key))
        del self._losses[oldest]
        self.fallen_out += 1
        self.version += 1


def entry_of(entry_id: str, key: Key, losses: tuple[Loss, ...]) -> Entry:
    """Return one caller as shown: with the latest spelling and service."""
    first, last = losses[0], losses[-1]
    return Entry(entry_id, key[0], last.service, last.number, len(losses), first.at, last.at)
