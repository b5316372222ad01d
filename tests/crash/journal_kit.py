"""What the journal's tests share: entries that their number tells, journals on any folder, an ear for the log."""

import os
import random
from contextlib import contextmanager
from typing import NoReturn

import pytest

from telemon.instants import SECOND
from telemon.journal.entries import Clocked, Heard, Lost
from telemon.journal.reader import read_entries
from telemon.journal.writer import Journal
from telemon.observation import GapCause

T = 1_763_880_006_851_132
DAY = 24 * 3600 * SECOND
EVENT = b"Event: Hangup\r\nTimestamp: 1763880006.851132\r\nUniqueid: 1763880006.%d\r\nPad: %s\r\n\r\n"
PAD = random.Random(4).randbytes(1 << 20).hex().encode()


def entry_of(number, length=200):
    """Return an entry of which a test can tell that it is this one, and whole."""
    if number % 17 == 5:
        return Clocked(T + number, -number)
    if number % 17 == 11:
        return Lost(T + number, list(GapCause)[number % len(GapCause)])
    shift = number * 4001 % (1 << 20)
    return Heard(T + number, EVENT % (number, PAD[shift : shift + length]))


@contextmanager
def journal(folder, *, keep=7 * DAY, maximum_bytes=1 << 30, free_bytes=0, clock=lambda: T, **options):
    opened = Journal(folder, keep=keep, maximum_bytes=maximum_bytes, free_bytes=free_bytes, clock=clock, **options)
    try:
        yield opened
    finally:
        opened.close(10)


def append(opened, count, length=200):
    """Append entries, one after the other, each telling its number."""
    for _ in range(count):
        number = opened.next_number
        assert opened.append(entry_of(number, length)) == number


def write(folder, count, **options):
    with journal(folder, **options) as opened:
        append(opened, count)
        assert opened.flush(10)


def numbers_in(folder, start=0, length=200):
    """Return the numbers of the records, each of which was looked at."""
    numbers = []
    for number, entry in read_entries(folder, start):
        assert entry == entry_of(number, length)
        numbers.append(number)
    return numbers


def cannot(reason) -> NoReturn:
    """Skip a test with its reason; CI must run them all."""
    raise (pytest.fail if os.environ.get("CI") == "true" else pytest.skip).Exception(reason)
