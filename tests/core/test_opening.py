"""Opening hours by the clock on the wall, both nights of the change of time included."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from telemon.instants import from_datetime
from telemon.opening import ALWAYS, parse_hours

PARIS = ZoneInfo("Europe/Paris")


def instant(iso):
    return from_datetime(datetime.fromisoformat(iso))


def is_open(lines, wall, *, fold=0):
    return parse_hours(lines, PARIS).is_open(
        from_datetime(datetime.fromisoformat(wall).replace(tzinfo=PARIS, fold=fold))
    )


@pytest.mark.parametrize(
    ("wall", "expected"),
    [
        ("2026-11-23T08:29:59.999999", False),
        ("2026-11-23T08:30:00", True),
        ("2026-11-23T11:59:59.999999", True),
        ("2026-11-23T12:00:00", False),
        ("2026-11-23T13:30:00", True),
        ("2026-11-27T16:59:59", True),
        ("2026-11-28T09:00:00", False),
        ("2026-11-29T09:00:00", False),
    ],
)
def test_a_span_begins_with_its_first_microsecond_and_ends_before_its_last(wall, expected):
    assert is_open(["mon-fri 08:30-12:00,13:30-17:00"], wall) is expected


def test_a_day_until_midnight_is_open_to_its_very_last_microsecond():
    assert is_open(["mon-sun 00:00-24:00"], "2026-11-23T23:59:59.999999")
    assert is_open(["mon-sun 00:00-24:00"], "2026-11-24T00:00:00")
    assert not is_open(["mon 09:00-24:00"], "2026-11-24T00:00:00")


def test_a_range_of_days_may_go_round_the_end_of_the_week():
    for day, expected in (("2026-11-27", False), ("2026-11-28", True), ("2026-11-30", True), ("2026-12-01", False)):
        assert is_open(["sat-mon 09:00-10:00"], f"{day}T09:30") is expected


@pytest.mark.parametrize(
    ("utc", "expected"),
    [
        # 29 March 2026: 02:00 becomes 03:00, so a span of 02:00-03:00 does not happen.
        ("2026-03-29T00:59:59+00:00", False),
        ("2026-03-29T01:00:00+00:00", False),
        # 25 October 2026: 03:00 becomes 02:00, so it happens twice.
        ("2026-10-24T23:59:59+00:00", False),
        ("2026-10-25T00:00:00+00:00", True),
        ("2026-10-25T00:59:59+00:00", True),
        ("2026-10-25T01:00:00+00:00", True),
        ("2026-10-25T01:59:59+00:00", True),
        ("2026-10-25T02:00:00+00:00", False),
    ],
)
def test_the_nights_of_the_change_of_time_follow_the_clock_on_the_wall(utc, expected):
    hours = parse_hours(["sun 02:00-03:00"], PARIS)
    assert hours.is_open(from_datetime(datetime.fromisoformat(utc))) is expected


def test_round_the_clock_is_open_in_both_nights_of_the_change_of_time():
    hours = parse_hours(["mon-sun 00:00-24:00"], PARIS)
    for day in (datetime(2026, 3, 28, 22, tzinfo=UTC), datetime(2026, 10, 24, 21, tzinfo=UTC)):
        start = from_datetime(day)
        assert all(hours.is_open(start + minute * 60_000_000) for minute in range(27 * 60))


def test_no_line_is_never_open():
    assert not is_open([], "2026-11-23T12:00")


@pytest.mark.parametrize(
    "line",
    [
        "mon-fri", "monday 08:00-12:00", "mon 8:00-12:00", "mon 08:00-12:00,", "mon 25:00-26:00", "mon 12:00-12:00",
        "mon 18:00-08:00", "mon 08:00-24:30", "mon 24:00-24:00", "mon 08:60-09:00", "mon 08:00-12:00\n", "",
    ],
)  # fmt: skip
def test_a_line_that_makes_no_sense_is_shown_in_the_error(line):
    with pytest.raises(ValueError, match="opening hours") as caught:
        parse_hours([line], PARIS)
    assert repr(line) in str(caught.value)


def test_a_day_off_is_closed_from_midnight_to_midnight_on_the_wall():
    hours = parse_hours(ALWAYS, PARIS, [date(2026, 5, 1)])
    assert hours.is_open(instant("2026-04-30T21:59:59+00:00"))
    assert not hours.is_open(instant("2026-04-30T22:00:00+00:00"))
    assert not hours.is_open(instant("2026-05-01T21:59:59+00:00"))
    assert hours.is_open(instant("2026-05-01T22:00:00+00:00"))
