"""The next change of the opening hours is the first at which they are another, whatever a zone does to its clock."""

from datetime import UTC, date, datetime, timedelta
from functools import cache
from itertools import pairwise
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from telemon.instants import SECOND, from_datetime, to_datetime
from telemon.opening import parse_hours
from telemon.public_holidays import holidays_of

MINUTE = 60 * SECOND
SEEN = 4000  # minutes looked through one by one
ZONES = (
    "Europe/Paris",
    "America/St_Johns",  # changed at one minute past midnight
    "America/Havana",  # changes at midnight and at one o'clock
    "America/Sao_Paulo",  # had days that began at one o'clock
    "Australia/Lord_Howe",  # half an hour
    "Antarctica/Troll",  # two hours
    "Africa/Casablanca",  # four times a year
    "America/Miquelon",
    "Pacific/Apia",  # had no 30 December 2011
    "Indian/Reunion",  # never
)
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@cache
def clock_changes(name):
    """Return, to the hour before, the instants at which the zone's clock was set from 2008 to 2030; or new years."""
    zone = ZoneInfo(name)
    start = datetime(2008, 1, 1, tzinfo=UTC)
    hours = (start + timedelta(hours=hour) for hour in range(22 * 366 * 24))
    offsets = [(hour, hour.astimezone(zone).utcoffset()) for hour in hours]
    found = [before for (before, old), (_, new) in pairwise(offsets) if old != new]
    return tuple(found) or tuple(datetime(year, 12, 31, 23, tzinfo=UTC) for year in range(2008, 2030))


def wall(minute):
    return f"{minute // 60:02}:{minute % 60:02}"


@st.composite
def spans(draw):
    """One to three spans of a day, more often than not about the hours at which clocks are set."""
    usual = st.one_of(
        st.integers(0, 1440), st.sampled_from([0, 1, 59, 60, 90, 119, 120, 150, 180, 181, 240, 1439, 1440])
    )
    pairs = draw(st.lists(st.tuples(usual, usual), min_size=1, max_size=3))
    return ",".join(f"{wall(min(pair))}-{wall(max(pair))}" if pair[0] != pair[1] else "02:00-03:00" for pair in pairs)


@st.composite
def situations(draw):
    name = draw(st.sampled_from(ZONES))
    near = draw(st.sampled_from(clock_changes(name)))
    at = from_datetime(near) + draw(st.integers(-48 * 3600 * SECOND, 4 * 3600 * SECOND))
    lines = [f"{day} {draw(spans())}" for day in DAYS if draw(st.booleans())] or draw(
        st.sampled_from([[], ["mon-sun 00:00-24:00"]])
    )
    around = [near.date() + timedelta(days=days) for days in (-1, 0, 1)]
    closed_on = draw(st.sets(st.sampled_from(around)))
    opened_on = draw(st.dictionaries(st.sampled_from(around), spans(), max_size=2))
    holidays = draw(st.sampled_from([None, holidays_of("fr")]))
    return parse_hours(lines, ZoneInfo(name), closed_on, opened_on, holidays), at


@settings(max_examples=200, deadline=None)
@given(situations())
def test_the_next_change_is_the_first_minute_with_another_answer(situation):
    hours, at = situation
    was_open = hours.is_open(at)
    first = at // MINUTE * MINUTE + MINUTE
    minutes = range(first, first + SEEN * MINUTE, MINUTE)
    expected = next((minute for minute in minutes if hours.is_open(minute) != was_open), None)

    change = hours.next_change(at)

    if expected is None:
        assert change is None or change >= minutes.stop
    else:
        assert change == expected
    if change is not None:
        assert hours.is_open(change - 1) == was_open
        assert hours.is_open(change) != was_open


@settings(max_examples=30, deadline=None)
@given(situations())
def test_an_answer_holds_until_the_next_change(situation):
    hours, at = situation
    for _ in range(6):
        change = hours.next_change(at)
        if change is None:
            break
        states = {hours.is_open(at + (change - at) * part // 97) for part in range(97)}
        assert len(states) == 1
        at = change


def test_the_clocks_of_these_zones_are_set_indeed():
    assert len(clock_changes("Europe/Paris")) == 2 * 22
    assert datetime(2011, 12, 30, 9, tzinfo=UTC) in clock_changes("Pacific/Apia")
    assert to_datetime(from_datetime(datetime(2011, 12, 30, 10, tzinfo=UTC))).astimezone(
        ZoneInfo("Pacific/Apia")
    ).date() == date(2011, 12, 31)
