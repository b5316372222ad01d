"""One exchange between the list in memory and the ledger's table: what each lacks, it gets from the other."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, NamedTuple

from telemon.callbacks.sealing import Sealed
from telemon.ledger.keeping_lost_callers import (
    LostCallerRow,
    any_expired,
    changing,
    put,
    read_lost_callers,
    remove,
    remove_expired,
    rows_of,
    wipe,
)

if TYPE_CHECKING:
    from threading import Lock

    from sqlalchemy import Engine

    from telemon.callbacks.lost import Key, LostCallers
    from telemon.callbacks.sealing import Seal
    from telemon.instants import Instant

log = logging.getLogger(__name__)


class _Plan(NamedTuple):
    """What the table lacks: tokens to write, numbers to erase, rows to remove."""

    tokens: dict[Key, Sealed]
    reached: list[LostCallerRow]
    gone: list[Key]

    @property
    def erases(self) -> bool:
        return bool(self.reached or self.gone)


class Exchange:
    """Belongs to one thread at a time; takes the list's lock while it reads or changes the list, never to wait."""

    def __init__(self, engine: Engine, seal: Seal, callers: LostCallers, lock: Lock, sites: frozenset[str]) -> None:
        self._engine = engine
        self._seal = seal
        self._list = callers
        self._lock = lock
        self._sites = sites
        self._opened: dict[str, Sealed | None] = {}  # what each token of the last reading holds
        self._unreadable = 0
        self._unwiped = True  # whoever ran before may have been killed before this

    def run(self, now: Instant) -> None:
        """Exchange.

        Raises:
            LedgerError: the database refuses; nothing was written, and the next time makes up for it.
        """
        plan = self._merged(read_lost_callers(self._engine, self._sites), now)
        if any(plan) or any_expired(self._engine, now):
            with changing(self._engine) as connection:
                plan = self._merged(rows_of(connection, self._sites), now)
                put(connection, [*(self._row(key, sealed) for key, sealed in plan.tokens.items()), *plan.reached])
                remove(connection, plan.gone)
                expired = remove_expired(connection, now)
            self._unwiped |= plan.erases or expired > 0
        self._wipe()

    def erase_all(self) -> None:
        """Remove every row of these sites: nothing is to be kept.

        Raises:
            LedgerError: the database refuses.
        """
        if rows := read_lost_callers(self._engine, self._sites):
            with changing(self._engine) as connection:
                remove(connection, [(row.site, row.caller) for row in rows])
            self._unwiped = True
        self._wipe()

    def _wipe(self) -> None:
        if self._unwiped:
            self._unwiped = not wipe(self._engine)

    def _merged(self, rows: list[LostCallerRow], now: Instant) -> _Plan:
        """Take what the rows say, and return what they do not say."""
        self._open(rows)
        stored = {(row.site, row.caller): row for row in rows}
        with self._lock:
            self._list.expire(now)
        for key, row in stored.items():
            content = self._content(row)
            if content is not None:
                with self._lock:  # for each of them: nobody waits for all
                    self._list.merge(key, content.losses, content.contact, now)
        with self._lock:
            losses = self._list.snapshot()
            contacts = {key: self._list.contact(key) for key in (*losses, *stored)}
        ours = {key: Sealed(tuple(sorted(known)), contacts[key]) for key, known in losses.items()}
        settled = [row for key, row in stored.items() if key not in ours and self._opened.get(row.number)]
        reached = [(row, contacts[row.site, row.caller]) for row in settled]
        return _Plan(
            {key: sealed for key, sealed in ours.items() if self._lacks(stored.get(key), sealed, now)},
            [_without_number(row, contact) for row, contact in reached if contact is not None],
            [(row.site, row.caller) for row, contact in reached if contact is None],
        )

    def _lacks(self, row: LostCallerRow | None, ours: Sealed, now: Instant) -> bool:
        content = None if row is None else self._content(row)
        if content is None:
            return True
        return {loss for loss in content.losses if loss.until > now} != set(ours.losses)

    def _content(self, row: LostCallerRow) -> Sealed | None:
        return self._opened[row.number] if row.number else Sealed((), row.last_at)

    def _open(self, rows: list[LostCallerRow]) -> None:
        known = self._opened
        tokens = {row.number for row in rows if row.number}
        self._opened = {token: known[token] if token in known else self._seal.open(token) for token in tokens}
        unreadable = sum(content is None for content in self._opened.values())
        if unreadable > self._unreadable:
            log.warning(
                "%d lost callers in the ledger were closed with another key than that of this telemon; they are left "
                "off the list, and erased when they expire",
                unreadable,
            )
        self._unreadable = unreadable

    def _row(self, key: Key, sealed: Sealed) -> LostCallerRow:
        first, last = sealed.losses[0], sealed.losses[-1]
        return LostCallerRow(
            site=key[0],
            caller=key[1],
            service=last.service,
            number=self._seal.close(sealed),
            last_outcome=last.outcome,
            times=len(sealed.losses),
            first_at=first.at,
            last_at=last.at,
            expires_at=max(loss.until for loss in sealed.losses),
        )


def _without_number(row: LostCallerRow, contact: Instant) -> LostCallerRow:
    return row._replace(service="", number="", last_outcome="", times=0, first_at=contact, last_at=contact)
