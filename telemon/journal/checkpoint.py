"""The checkpoint beside a journal: the observer's state, and from which record on the journal must be read again.

A checkpoint is written only once every call that ended before it is committed in the ledger. So whatever a kill
leaves behind, the last whole checkpoint and the records after it give back every call that the ledger may lack.
"""

from __future__ import annotations

import logging
import os
import struct
import zlib
from typing import TYPE_CHECKING, Final, NamedTuple

from telemon.freezing import FINGERPRINT

if TYPE_CHECKING:
    from pathlib import Path

log = logging.getLogger(__name__)

NAME: Final = "checkpoint"
_MAGIC: Final = b"telemon checkpoint 1\n"
_HEAD: Final = struct.Struct(f">{len(_MAGIC)}s{len(FINGERPRINT)}sQI")  # magic, fingerprint, number, CRC-32 of the rest


class Checkpoint(NamedTuple):
    """``state`` is that of ``telemon.freezing`` before the record ``number``."""

    number: int
    state: bytes


def write_checkpoint(folder: Path, checkpoint: Checkpoint) -> None:
    """Replace the checkpoint of this folder; a kill leaves the old one or the new one.

    Raises:
        OSError: the disk refuses.
    """
    target = folder / NAME
    fresh = target.with_suffix(".new")
    number = checkpoint.number.to_bytes(8)
    head = _HEAD.pack(_MAGIC, FINGERPRINT, checkpoint.number, zlib.crc32(number + checkpoint.state))
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(head + checkpoint.state)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(target)
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def read_checkpoint(folder: Path) -> Checkpoint | None:
    """Return the checkpoint of this folder; None if there is none that this version can go on with."""
    try:
        content = (folder / NAME).read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        log.warning("%s: the checkpoint cannot be read (%s); reading the whole journal instead", folder, error.strerror)
        return None
    state = content[_HEAD.size :]
    if len(content) > _HEAD.size:
        magic, fingerprint, number, crc = _HEAD.unpack_from(content)
        if magic == _MAGIC and crc == zlib.crc32(number.to_bytes(8) + state):
            if fingerprint == FINGERPRINT:
                return Checkpoint(number, state)
            log.info("%s: the checkpoint is of another version; reading the whole journal instead", folder)
            return None
    log.warning("%s: the checkpoint is damaged; reading the whole journal instead", folder)
    return None
