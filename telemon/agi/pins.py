"""PINs, kept as hashes: ``scrypt$n$r$p$salt$hash``, salt and hash in URL-safe base64 (RFC 4648, 5).

A PIN has so few values that whoever holds a hash can try them all, however slow scrypt makes each try: the hash keeps
the PIN from the eyes of those who read the configuration, and telemon's lock (``telemon.agi.lockout``) from being
guessed.
"""

from __future__ import annotations

import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from functools import cache
from hashlib import scrypt
from hmac import compare_digest
from itertools import pairwise
from typing import Final

SHORTEST: Final = 4
LONGEST: Final = 12
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

    def of(self, pin: str) -> bytes:
        return scrypt(
            pin.encode(), salt=self.salt, n=self.n, r=self.r, p=self.p, maxmem=2 * _MOST_MEMORY, dklen=len(self.digest)
        )


def is_pin(pin: str) -> bool:
    """Whether these are as many digits as a PIN may have."""
    return SHORTEST <= len(pin) <= LONGEST and pin.isascii() and pin.isdigit()


def is_weak(pin: str) -> bool:
    """Whether anybody would guess it within three tries: one digit over and over, or a run such as 1234 or 9876."""
    steps = {(int(after) - int(before)) % 10 for before, after in pairwise(pin)}
    return len(steps) == 1 and steps <= {0, 1, 9}


def hash_pin(pin: str) -> str:
    """Return the text form of a PIN's hash, with a salt of its own.

    Raises:
        ValueError: it is no PIN.
    """
    if not is_pin(pin):
        raise ValueError(f"a PIN has {SHORTEST} to {LONGEST} digits and nothing else")
    salt = secrets.token_bytes(_SALT_BYTES)
    digest = _Hash(_N, _R, _P, salt, bytes(_HASH_BYTES)).of(pin)
    return "$".join(("scrypt", str(_N), str(_R), str(_P), _encoded(salt), _encoded(digest)))


def check_hash(text: str) -> None:
    """Say whether a text is a hash that telemon can use.

    Raises:
        ValueError: it is none, or would take more than 64 MiB or sixteen passes.
    """
    _parsed(text)


def verify_pin(pin: str, text: str) -> bool:
    """Whether this PIN has this hash; where there is none (empty text), False, after as much work.

    Raises:
        ValueError: the text is no hash that telemon can use.
    """
    kept = _parsed(text or _decoy())
    return compare_digest(kept.of(pin), kept.digest) and bool(text)


@cache
def _decoy() -> str:
    return "$".join(("scrypt", str(_N), str(_R), str(_P), _encoded(bytes(_SALT_BYTES)), _encoded(bytes(_HASH_BYTES))))


def _parsed(text: str) -> _Hash:
    try:
        name, n, r, p, salt, digest = text.split("$")
        kept = _Hash(int(n), int(r), int(p), urlsafe_b64decode(salt), urlsafe_b64decode(digest))
    except ValueError as error:
        raise ValueError("no hash of a PIN; 'telemon pin' prints one") from error
    is_power = kept.n > 1 and kept.n & (kept.n - 1) == 0
    is_cheap = 0 < 128 * kept.n * kept.r <= _MOST_MEMORY and 0 < kept.p <= _MOST_PASSES  # RFC 7914, 2
    if name != "scrypt" or not (is_power and is_cheap and kept.salt and len(kept.digest) >= _SALT_BYTES):
        raise ValueError("no hash of a PIN that telemon can use; 'telemon pin' prints one")
    return kept


def _encoded(data: bytes) -> str:
    return urlsafe_b64encode(data).decode("ascii")
