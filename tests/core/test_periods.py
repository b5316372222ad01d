"""Periods as people write them, on both DST days and on days that do not exist."""

from datetime import date
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from telemon.instants import SECOND, to_iso
from telemon.periods import parse_period

PARIS = ZoneInfo("Europe/Paris")
TODAY = date(2026, 11, 23)
HOUR = 3600 * SECOND


def period(words, zone=PARIS, today=TODAY):
    return parse_period(words, zone, today)


@pytest.mark.parametrize(
    ("words", "start", "end"),
    [
        ("2026", "2025-12-31T23:00:00", "2026-12-31T23:00:00"),
        ("2026-07", "2026-06-30T22:00:00", "2026-07-31T22:00:00"),
        ("2026-12", "2026-11-30T23:00:00", "2026-12-31T23:00:00"),
        ("2026-11-23", "2026-11-22T23:00:00", "2026-11-23T23:00:00"),
        ("today", "2026-11-22T23:00:00", "2026-11-23T23:00:00"),
        ("aujourd'hui", "2026-11-22T23:00:00", "2026-11-23T23:00:00"),
        ("yesterday", "2026-11-21T23:00:00", "2026-11-22T23:00:00"),
        ("hier", "2026-11-21T23:00:00", "2026-11-22T23:00:00"),
        ("2026-11-01..2026-11-07", "2026-10-31T23:00:00", "2026-11-07T23:00:00"),
        ("2025..2026", "2024-12-31T23:00:00", "2026-12-31T23:00:00"),
        ("2026-10..today", "2026-09-30T22:00:00", "2026-11-23T23:00:00"),
        ("2024-02-29", "2024-02-28T23:00:00", "2024-02-29T23:00:00"),
    ],
)
def test_from_local_midnight_to_local_midnight(words, start, end):
    got = period(words)
    assert (to_iso(got.start), to_iso(got.end)) == (f"{start}.000000+00:00", f"{end}.000000+00:00")
    assert got.label == words


@pytest.mark.parametrize(
    ("words", "hours"),
    [
        ("2026-03-29", 23),
        ("2026-10-25", 25),
        ("2026-11-23", 24),
        ("2026-03", 31 * 24 - 1),
        ("2026-10", 31 * 24 + 1),
        ("2026", 365 * 24),
        ("2024", 366 * 24),
        ("2024-02", 29 * 24),
        ("2026-02", 28 * 24),
    ],
)
def test_lengths(words, hours):
    assert period(words).duration == hours * HOUR


def test_in_another_time_zone():
    assert to_iso(period("2026-11-23", ZoneInfo("America/Montreal")).start) == "2026-11-23T05:00:00.000000+00:00"


def test_days_follow_each_other_without_a_hole():
    days = [period(f"2026-{month:02d}") for month in range(1, 13)]
    assert all(one.end == following.start for one, following in pairwise(days))
    assert (days[0].start, days[-1].end) == (period("2026").start, period("2026").end)


@pytest.mark.parametrize(
    "words",
    [
        "", " ", "tomorrow", "2026-13", "2026-00", "2026-02-29", "2026-11-31", "2026-1-1", "20261123", "0000", "0001",
        "9999", "9999-12", "9999-12-31", "2026..", "..2026", "..", "2026..2025", "2026-11-23..2026-11-22",
        "2025..2026..2027", "2026-11-23T10:00", "2026\n", "-2026",
    ],
)  # fmt: skip
def test_nonsense_is_refused_and_shown(words):
    with pytest.raises(ValueError, match=r"is no period|ends before it begins"):
        period(words)
