"""A stream of AMI bytes as a busy Asterisk sends it: recorded calls of six kinds, each told with its own identity."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

RECORDINGS = Path(__file__).parent.parent / "tests" / "recordings" / "22"
KINDS = ("a1_queue_ring", "c1_dial_ringall", "e1_overflow_answered", "g1_blind_refer", "h1_abandon_queue", "k2_local_n")
_STAMP = re.compile(rb"(?<=\r\nTimestamp: )\d+\.\d+")
_EPOCH = re.compile(rb"\r\nUniqueid: (\d+)\.")
_SECONDS_BETWEEN_CALLS = 60
BASE = 1_800_000_000


def recorded_call(kind: str) -> list[bytes]:
    """Return the events of one recording (``read = all``), from Newchannel to the last after the hang-up."""
    recorded = gzip.decompress((RECORDINGS / f"{kind}.ami.gz").read_bytes())
    blocks = re.sub(rb"(\r\n){3,}", b"\r\n\r\n", recorded).split(b"\r\n\r\n")
    events = [block for block in blocks if block.startswith(b"Event: ") and b"\r\nActionID: " not in block]
    first = next(number for number, block in enumerate(events) if block.startswith(b"Event: Newchannel"))
    return [block + b"\r\n\r\n" for block in events[first:] if b"\r\nTimestamp: " in block]


def stream(minimum: int) -> tuple[list[bytes], int]:
    """Return at least so many events, as one block of bytes a call of each kind in turn, and how many they are."""
    recorded = {kind: recorded_call(kind) for kind in KINDS}
    calls: list[bytes] = []
    count = 0
    while count < minimum:
        kind = KINDS[len(calls) % len(KINDS)]
        calls.append(_moved(b"".join(recorded[kind]), BASE + len(calls) * _SECONDS_BETWEEN_CALLS))
        count += len(recorded[kind])
    return calls, count


def _moved(told: bytes, to: int) -> bytes:
    """Give a call its own identity and time; ``to`` in Unix seconds."""
    found = _EPOCH.search(told)
    if found is None:
        raise ValueError("a recorded call without a Uniqueid")
    by = to - int(found[1])
    own = re.sub(rb"(?<=id: )\d{10}(?=\.\d+\r)", lambda epoch: b"%d" % (int(epoch[0]) + by), told)
    return _STAMP.sub(lambda stamp: b"%d%s" % (int(stamp[0][:10]) + by, stamp[0][10:]), own)


def stamped(block: bytes, now: float) -> bytes:
    """Return the bytes with every Timestamp set to this Unix time."""
    return _STAMP.sub(b"%.6f" % now, block)
