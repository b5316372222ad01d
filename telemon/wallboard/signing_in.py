"""Signing in with name and password: in a thread, few at a time, and not for ever.

Whoever there is not is refused like whoever gives a wrong password: with the same words, after the same work, and
locked after as many tries.
"""

from __future__ import annotations

import asyncio
from enum import Enum, auto
from typing import TYPE_CHECKING, Final
from unicodedata import normalize

from telemon.agi.lockout import Lockout
from telemon.wallboard.passwords import verify_password

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from telemon.config_web import UserConfig
    from telemon.instants import Duration, Instant

CHECKS_AT_ONCE: Final = 2  # each takes a core's 60 ms and 16 MiB
MOST_WAITING: Final = 20
NAMES_PER_ADDRESS: Final = 4  # a whole office may come from one address: it is locked after four times as many tries


class Refusal(Enum):
    """Why somebody does not get in."""

    WRONG = auto()
    LOCKED = auto()
    BUSY = auto()


class SignIn:
    """Checks passwords.

    Args:
        users: who may sign in; those without a password never can.
        attempts: wrong ones for one name until it is locked.
        lock: for how long.
    """

    def __init__(
        self, users: Iterable[UserConfig], attempts: int, lock: Duration, clock: Callable[[], Instant]
    ) -> None:
        self._names = Lockout(attempts, lock)
        self._addresses = Lockout(NAMES_PER_ADDRESS * attempts, lock)
        self._clock = clock
        self._checking = asyncio.Semaphore(CHECKS_AT_ONCE)
        self._waiting = 0
        self.reconfigure(users)

    def reconfigure(self, users: Iterable[UserConfig]) -> None:
        """Go on with other users."""
        self._users = {normalize("NFC", user.name): user for user in users if user.password}

    @property
    def has_users(self) -> bool:
        """Whether anybody can sign in."""
        return bool(self._users)

    async def check(self, name: str, password: str, address: str) -> UserConfig | Refusal:
        """Return who signs in from this address, or why he does not."""
        name, now = normalize("NFC", name), self._clock()
        if self._waiting >= MOST_WAITING:
            return Refusal.BUSY
        if self._addresses.locked_until(address, now) is not None or not self._names.begin(name.casefold(), now):
            return Refusal.LOCKED
        user = self._users.get(name)
        self._waiting += 1
        try:
            async with self._checking:
                is_right = await asyncio.to_thread(verify_password, password, "" if user is None else user.password)
        finally:
            self._waiting -= 1
        if not is_right or user is None:
            self._addresses.begin(address, now)
            return Refusal.WRONG
        self._names.right(name.casefold())
        return user
