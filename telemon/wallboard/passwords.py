"""Passwords of those who sign in at the wallboard, kept as hashes (``telemon.hashing``).

What is typed as one character and what is typed as a letter and its accent is the same password (Unicode's NFC).
"""

from __future__ import annotations

from typing import Final
from unicodedata import normalize

from telemon.hashing import hash_secret, verify_secret

SHORTEST: Final = 12
LONGEST: Final = 200


def is_password(password: str) -> bool:
    """Whether it is as long as a password has to be, and no longer than one may be."""
    return SHORTEST <= len(password) <= LONGEST


def hash_password(password: str) -> str:
    """Return the text form of a password's hash, with a salt of its own."""
    return hash_secret(normalize("NFC", password))


def verify_password(password: str, text: str) -> bool:
    """Whether this password has this hash; where there is none (empty text), False, after as much work."""
    return verify_secret(normalize("NFC", password[:LONGEST]), text)
