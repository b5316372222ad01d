"""Secrets that people type, kept as hashes: ``scrypt$n$r$p$salt$hash``, both in URL-safe base64 (RFC 4648, 5)."""

from __future__ import annotations

import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from functools import cache
from hashlib import scrypt
from hmac import compare_digest
from typing import Final

_N, _R, _P = 1 << 14, 8, 1  # RFC 7914 with 16 MiB: some 60 ms of one core
_SALT_BYTES: Final = 16
_HASH_BYTES: Final = 32
_MOST_MEMORY: Final = 64 << 20
_MOST_PASSES: Final = 16


@dataclass(frozen=True, slots=True)
class _Hash:
    n: int
    r: int
    p: int
    salt: bytes
    digest: bytes

    def of(self, secret: str) -> bytes:
        return scrypt(
            secret.encode("utf-8", "surrogatepass"),
            salt=self.salt,
            n=self.n,
            r=self.r,
            p=self.p,
            maxmem=2 * _MOST_MEMORY,
            dklen=len(self.digest),
        )

    def __str__(self) -> str:
        return "$".join(("scrypt", str(self.n), str(self.r), str(self.p), _encoded(self.salt), _encoded(self.digest)))


def hash_secret(secret: str) -> str:
    """Return the text form of a secret's hash, with a salt of its own."""
    salt = secrets.token_bytes(_SALT_BYTES)
    return str(_Hash(_N, _R, _P, salt, _Hash(_N, _R, _P, salt, bytes(_HASH_BYTES)).of(secret)))


def check_hash(text: str) -> None:
    """Say whether a text is a hash that telemon can use.

    Raises:
        ValueError: it is none, or would take more than 64 MiB or sixteen passes; without any message.
    """
    _parsed(text)


def verify_secret(secret: str, text: str) -> bool:
    """Whether this secret has this hash; where there is none (empty text), False, after as much work.

    Raises:
        ValueError: the text is no hash that telemon can use; without any message.
    """
    kept = _parsed(text or _decoy())
    return compare_digest(kept.of(secret), kept.digest) and bool(text)


@cache
def _decoy() -> str:
    return str(_Hash(_N, _R, _P, bytes(_SALT_BYTES), bytes(_HASH_BYTES)))


def _parsed(text: str) -> _Hash:
    try:
        name, n, r, p, salt, digest = text.split("$")
        kept = _Hash(int(n), int(r), int(p), urlsafe_b64decode(salt), urlsafe_b64decode(digest))
    except ValueError:
        raise ValueError from None  # whoever asks knows what the text was to be
    is_power = kept.n > 1 and kept.n & (kept.n - 1) == 0
    is_cheap = 0 < 128 * kept.n * kept.r <= _MOST_MEMORY and 0 < kept.p <= _MOST_PASSES  # RFC 7914, 2
    if name != "scrypt" or not (is_power and is_cheap and kept.salt and len(kept.digest) >= _SALT_BYTES):
        raise ValueError
    return kept


def _encoded(data: bytes) -> str:
    return urlsafe_b64encode(data).decode("ascii")
