"""Lost callers' numbers under lock and key: what the ledger's table holds in place of them.

The key file is made at the first start (mode 600), and is all that can read them. It is in no backup of the ledger. Two
telemons that share a ledger must share it, as they share that of the pseudonyms.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from base64 import urlsafe_b64encode
from typing import TYPE_CHECKING, NamedTuple

from cryptography.fernet import Fernet, InvalidToken

from telemon.callbacks.lost import Loss
from telemon.errors import ConfigError
from telemon.ledger.pseudonym_key import KEY_BYTES, load_or_create_key
from telemon.privacy import pseudonym

if TYPE_CHECKING:
    from pathlib import Path

    from telemon.callbacks.lost import Key
    from telemon.instants import Instant


class Sealed(NamedTuple):
    """What a token holds: the losses of one caller, and the latest contact if one is known."""

    losses: tuple[Loss, ...]
    contact: Instant | None


class Seal:
    """Encrypts with Fernet (AES-128-CBC and HMAC-SHA256), and gives names from which nothing can be told.

    The names are not the pseudonyms of the table ``calls``: nobody can tell from the two tables alone who it was.
    """

    def __init__(self, secret: bytes) -> None:
        self._fernet = Fernet(urlsafe_b64encode(_derived(secret, b"numbers")))
        self._caller_key = _derived(secret, b"callers")
        self._entry_key = _derived(secret, b"entries")

    def caller(self, number_key: str) -> str:
        """Return the name of a caller: 20 letters and digits."""
        return pseudonym(number_key, self._caller_key)

    def entry_id(self, key: Key) -> str:
        """Return the name of an entry in pages: 20 letters and digits, not the caller's."""
        return pseudonym("/".join(key), self._entry_key)

    def close(self, sealed: Sealed) -> str:
        """Return a token; at each time another one."""
        losses = [[loss.at, loss.ref, loss.until, loss.service, loss.outcome, loss.number] for loss in sealed.losses]
        return self._fernet.encrypt(json.dumps([sealed.contact, losses]).encode()).decode()

    def open(self, token: str) -> Sealed | None:
        """Return what a token holds; None if another key closed it, or it is damaged."""
        try:
            contact, losses = json.loads(self._fernet.decrypt(token.encode()))
            return Sealed(tuple(Loss(*loss) for loss in losses), contact)
        except (InvalidToken, ValueError, TypeError):
            return None


def load_seal(path: Path) -> Seal:
    """Return the seal of the key in this file, which is made if it is not there.

    Raises:
        ConfigError: the file cannot be read or made, or holds too little.
    """
    try:
        return Seal(load_or_create_key(path, "key of lost callers", "the list then begins anew"))
    except ConfigError as error:
        cause = error.__cause__
        why = cause.strerror if isinstance(cause, OSError) else f"fewer than {KEY_BYTES} bytes"
        raise ConfigError(
            f"callbacks key {path}: {why}; let the user that telemon runs as read it (or create it there), or delete "
            "the file to start with a new key (callers on the list so far are then lost from it)"
        ) from error


def _derived(secret: bytes, purpose: bytes) -> bytes:
    return hmac.digest(secret, b"telemon callbacks: " + purpose, hashlib.sha256)
