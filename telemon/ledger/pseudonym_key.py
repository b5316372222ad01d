"""Keys, that of the pseudonyms above all: each read from its file, which is made at the first start."""

from __future__ import annotations

import os
import secrets
from typing import TYPE_CHECKING

from telemon.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

KEY_BYTES = 32  # RFC 2104 section 3: at least as long as the hash's output


def load_or_create_key(
    path: Path, name: str = "pseudonym key", lost_with_it: str = "callers known so far then get new pseudonyms"
) -> bytes:
    """Return the key in this file, stripped of white space; if absent, make one that only its owner can read.

    Two processes that start at once end up with the same key. ``name`` and ``lost_with_it`` are for the operator.

    Raises:
        ConfigError: the file cannot be read or made, or holds fewer than 32 bytes.
    """
    try:
        if not path.exists():
            _create(path)
        key = path.read_bytes().strip()
    except OSError as error:
        raise ConfigError(
            f"{name} {path}: {error.strerror}; let the user that telemon runs as read it "
            "(or create it there, at the first start)"
        ) from error
    if len(key) < KEY_BYTES:
        raise ConfigError(
            f"{name} {path}: only {len(key)} bytes, at least {KEY_BYTES} are needed; put the saved key back, "
            f"or delete the file to start with a new key ({lost_with_it})"
        )
    return key


def _create(path: Path) -> None:
    """Write a new key beside ``path``, then link it there: nobody ever sees a part of it, and the first one wins."""
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_hex(KEY_BYTES).encode("ascii") + b"\n")
            file.flush()
            os.fsync(file.fileno())
        path.hardlink_to(fresh)
    except FileExistsError:
        pass  # another process was quicker: its key is the one
    finally:
        fresh.unlink()
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
