r"""Journal records as bytes, without any input or output.

One record, all numbers little-endian::

    offset  bytes  what
         0      4  mark: NUL, "TJ", format 1
         4      4  CRC-32 of all that follows (zlib's: ISO 3309, ITU-T V.42)
         8      4  length of the payload
        12      8  number: 0, 1, 2, … through all segments
        20      8  instant, signed (microseconds since the epoch)
        28      1  kind: 1 heard, 2 clocked, 3 lost
        29      …  payload: AMI bytes; Asterisk's clock (8 bytes, signed); the cause in ASCII

A CRC finds every tear and every burst of up to 32 wrong bits; it is no defence against forgery, and need not be: who
can write here owns the machine. A caller cannot: what Asterisk sends is made of C strings, so no NUL, and no mark,
can come with a name or number.
"""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING, Final, NamedTuple

from telemon.journal.entries import Clocked, Heard, Lost
from telemon.observation import GapCause

if TYPE_CHECKING:
    from collections.abc import Iterator

    from telemon.instants import Instant
    from telemon.journal.entries import Entry

MARK: Final = b"\x00TJ\x01"
MAXIMUM_PAYLOAD: Final = 8 << 20  # a chunk is a few hundred kB, and one message at most 1 MiB (telemon.ami.wire)
_SUM: Final = struct.Struct("<I")
_HEAD: Final = struct.Struct("<IQqB")
_CLOCK: Final = struct.Struct("<q")
_SUMMED: Final = len(MARK) + _SUM.size  # where the bytes begin that the sum covers
OVERHEAD: Final = _SUMMED + _HEAD.size
_HEARD, _CLOCKED, _LOST = 1, 2, 3


class Record(NamedTuple):
    """A whole record; ``end`` is the offset of the byte after it."""

    number: int
    entry: Entry
    end: int


class Damage(NamedTuple):
    """Bytes from ``start`` to before ``end`` that hold no whole record. At the end of the data: a torn end."""

    start: int
    end: int


def instant_of(entry: Entry) -> Instant:
    """Return when the entry was made."""
    return entry[0]


def length_of(entry: Entry) -> int:
    """Return about how many bytes the entry's record has; exact for all but the few ``Lost``."""
    return OVERHEAD + (len(entry.data) if isinstance(entry, Heard) else _CLOCK.size)


def encode(number: int, entry: Entry) -> bytes:
    """Return the record of one entry.

    Raises:
        ValueError: the payload is longer than ``MAXIMUM_PAYLOAD``.
    """
    if isinstance(entry, Heard):
        kind, payload = _HEARD, entry.data
    elif isinstance(entry, Clocked):
        kind, payload = _CLOCKED, _CLOCK.pack(entry.clock)
    else:
        kind, payload = _LOST, entry.cause.value.encode("ascii")
    if len(payload) > MAXIMUM_PAYLOAD:
        raise ValueError(f"{len(payload)} bytes in one record, at most {MAXIMUM_PAYLOAD} are possible")
    head = _HEAD.pack(len(payload), number, instant_of(entry), kind)
    return b"".join((MARK, _SUM.pack(zlib.crc32(payload, zlib.crc32(head))), head, payload))


def decode(data: bytes, start: int = 0) -> Record | None:
    """Return the record that begins at ``start``; None if no whole one does."""
    if len(data) - start < OVERHEAD or not data.startswith(MARK, start):
        return None
    length, number, instant, kind = _HEAD.unpack_from(data, start + _SUMMED)
    end = start + OVERHEAD + length
    if length > MAXIMUM_PAYLOAD or end > len(data):
        return None
    (expected,) = _SUM.unpack_from(data, start + len(MARK))
    if zlib.crc32(memoryview(data)[start + _SUMMED : end]) != expected:
        return None
    entry = _entry(kind, instant, data[start + OVERHEAD : end])
    return None if entry is None else Record(number, entry, end)


def _entry(kind: int, instant: Instant, payload: bytes) -> Entry | None:
    """Return the entry; None for what only a later version could have written."""
    if kind == _HEARD:
        return Heard(instant, payload)
    if kind == _CLOCKED and len(payload) == _CLOCK.size:
        return Clocked(instant, *_CLOCK.unpack(payload))
    if kind == _LOST:
        cause = next((cause for cause in GapCause if cause.value.encode("ascii") == payload), None)
        return None if cause is None else Lost(instant, cause)
    return None


def scan(data: bytes) -> Iterator[Record | Damage]:
    """Yield the records of a segment in order, and between them the stretches that cannot be read."""
    start = 0
    while start < len(data):
        record = decode(data, start)
        if record is not None:
            yield record
            start = record.end
            continue
        following = _next_record(data, start + 1)
        yield Damage(start, following)
        start = following


def _next_record(data: bytes, start: int) -> int:
    """Return where the next whole record begins, or the end of the data."""
    while (start := data.find(MARK, start)) >= 0:
        if decode(data, start) is not None:
            return start
        start += 1
    return len(data)
