"""Sessions: what a signed-in browser carries, and what ends it. Nothing is kept here but those that were signed out."""

from __future__ import annotations

import secrets
from hashlib import sha256
from hmac import compare_digest, digest
from typing import TYPE_CHECKING, Final

from itsdangerous import BadData, URLSafeSerializer

from telemon.instants import SECOND
from telemon.wallboard.visitors import Visitor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from telemon.config_web import UserConfig
    from telemon.instants import Duration, Instant

LONGEST_COOKIE: Final = 2048  # characters
_RECORD_DIGITS: Final = 24  # of the hash of a user's entry
_ENDED: Final = 10_000  # sessions signed out that are remembered


class Sessions:
    """Makes and reads the cookie's value.

    Signed with the key in ``web.key``, so it cannot be made up. It names the user, when it ends, and a hash of his
    entry in the configuration: with another password or role, or without an entry, it is void.
    """

    def __init__(
        self, key: bytes, users: Iterable[UserConfig], lasting: Duration, clock: Callable[[], Instant]
    ) -> None:
        self._key = key
        self._lasting = lasting
        self._clock = clock
        self._ended: dict[str, Instant] = {}  # when they would have ended by themselves
        self._signer = URLSafeSerializer(
            key, salt="telemon.wallboard.session", signer_kwargs={"key_derivation": "hmac", "digest_method": sha256}
        )
        self.reconfigure(users)

    def reconfigure(self, users: Iterable[UserConfig]) -> None:
        """Go on with other users."""
        self._users = {user.name: user for user in users}

    def begin(self, user: UserConfig) -> str:
        """Return the cookie's value of a new session."""
        ends_at = self._clock() + self._lasting
        said = self._signer.dumps([user.name, ends_at // SECOND, secrets.token_urlsafe(16), self._record(user)])
        assert isinstance(said, str)  # this serializer returns no bytes
        return said

    def read(self, value: str) -> Visitor | None:
        """Return whose session this is; None if it is none, or over."""
        if not value or len(value) > LONGEST_COOKIE:
            return None
        try:
            name, ends, session, record = self._signer.loads(value)
        except (BadData, ValueError, TypeError):
            return None
        user = self._users.get(name)
        if user is None or not compare_digest(record, self._record(user)):
            return None
        visitor = Visitor(user.name, user.role, ends * SECOND, session, user)
        return visitor if self.lasts(visitor) else None

    def lasts(self, visitor: Visitor) -> bool:
        """Whether a visit may go on: not expired, not signed out, its user still as he was."""
        if self._clock() >= visitor.expires_at or visitor.binding in self._ended:
            return False
        return visitor.user is None or self._users.get(visitor.user.name) == visitor.user

    def end(self, visitor: Visitor) -> None:
        """Sign out: whoever copied the cookie has nothing of it either, until telemon starts again."""
        now = self._clock()
        self._ended = {session: at for session, at in self._ended.items() if at > now}
        self._ended[visitor.binding] = visitor.expires_at
        if len(self._ended) > _ENDED:
            del self._ended[next(iter(self._ended))]

    def token(self, visitor: Visitor) -> str:
        """Return the token by which one of our pages proves to be this visitor's."""
        return digest(self._key, f"csrf\0{visitor.binding}".encode(), "sha256").hex()

    def is_token(self, visitor: Visitor, said: str) -> bool:
        """Whether this is that token."""
        return compare_digest(said.encode("utf-8", "replace"), self.token(visitor).encode())

    def _record(self, user: UserConfig) -> str:
        entry = f"user\0{user.name}\0{user.role}\0{user.password}"
        return digest(self._key, entry.encode("utf-8", "replace"), "sha256").hex()[:_RECORD_DIGITS]
