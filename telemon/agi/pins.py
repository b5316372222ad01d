"""PINs, kept as hashes (``telemon.hashing``).

A PIN has so few values that whoever holds a hash can try them all, however slow scrypt makes each try: the hash keeps
the PIN from the eyes of those who read the configuration, and telemon's lock (``telemon.agi.lockout``) from being
guessed.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Final

from telemon import hashing

SHORTEST: Final = 4
LONGEST: Final = 12


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
    return hashing.hash_secret(pin)


def check_hash(text: str) -> None:
    """Say whether a text is a hash that telemon can use.

    Raises:
        ValueError: it is none, or would take more than 64 MiB or sixteen passes.
    """
    try:
        hashing.check_hash(text)
    except ValueError as error:
        raise ValueError("no hash of a PIN that telemon can use; 'telemon pin' prints one") from error


def verify_pin(pin: str, text: str) -> bool:
    """Whether this PIN has this hash; where there is none (empty text), False, after as much work.

    Raises:
        ValueError: the text is no hash that telemon can use.
    """
    try:
        return hashing.verify_secret(pin, text)
    except ValueError as error:
        raise ValueError("no hash of a PIN that telemon can use; 'telemon pin' prints one") from error
