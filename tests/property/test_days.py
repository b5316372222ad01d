"""Seen and unseen time, day by day: whatever the clocks on the wall do, the days add up to the year."""

from datetime import date, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telemon.gaps import gaps_of
from telemon.instants import SECOND
from telemon.observation import GapCause, Interval, Sight
from telemon.periods import parse_period

HOUR = 3600 * SECOND
NEVER = 1 << 60


def days_of(year, zone):
    day = date(year, 1, 1)
    while day.year == year:
        yield parse_period(day.isoformat(), zone, day)
        day += timedelta(days=1)


@st.composite
def accounts(draw):
    """Return what one or two observers wrote during a year, in hours and odd seconds."""
    written = []
    for observer in draw(st.sampled_from([["a"], ["a", "b"]])):
        at = parse_period("2024", ZoneInfo("UTC"), date(2024, 1, 1)).start
        for hours, second, sight in draw(
            st.lists(st.tuples(st.integers(1, 900), st.integers(0, 3599), st.sampled_from(Sight)), max_size=12)
        ):
            end = at + hours * HOUR + second * SECOND
            cause = GapCause.LINK_CUT if sight is Sight.GAP else None
            written.append(Interval("pbx", at, end, sight, cause, observer))
            at = end
    return sorted(written, key=lambda one: one.started_at)


@settings(max_examples=30)
@given(accounts(), st.sampled_from(["Europe/Paris", "Pacific/Marquesas", "America/St_Johns", "Indian/Reunion"]))
def test_the_gaps_of_the_days_are_those_of_the_year(written, name):
    zone = ZoneInfo(name)
    year = parse_period("2024", zone, date(2024, 1, 1))
    whole = sum(gap.duration for gap in gaps_of(written, year.start, year.end, NEVER, pbx="pbx"))
    by_day = 0
    for day in days_of(2024, zone):
        gaps = gaps_of(written, day.start, day.end, NEVER, pbx="pbx")
        assert all(gap.duration > 0 and day.start <= gap.start and gap.end <= day.end for gap in gaps)
        by_day += sum(gap.duration for gap in gaps)
    assert by_day == whole


@pytest.mark.parametrize(
    ("year", "name", "odd"),
    [
        (2024, "Europe/Paris", {"2024-03-31": 23, "2024-10-27": 25}),
        (2026, "Europe/Paris", {"2026-03-29": 23, "2026-10-25": 25}),
        (2024, "Pacific/Marquesas", {}),
    ],
)
def test_days_have_23_24_or_25_hours_and_make_up_the_year(year, name, odd):
    zone = ZoneInfo(name)
    days = list(days_of(year, zone))
    assert {day.label: day.duration // HOUR for day in days if day.duration != 24 * HOUR} == odd
    assert len(days) == (366 if year % 4 == 0 else 365)
    assert [day.end for day in days[:-1]] == [day.start for day in days[1:]]
    assert sum(day.duration for day in days) == parse_period(str(year), zone, date(year, 1, 1)).duration
