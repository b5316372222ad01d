"""Opening hours by the clock on the wall, both nights of the change of time included."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from telemon.instants import SECOND, from_datetime, to_iso
from telemon.opening import ALWAYS, parse_hours
from telemon.public_holidays import holidays_of

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


# -- exceptions

LABOUR_DAY = date(2026, 5, 1)  # a Friday
WORKDAYS = ["mon-fri 08:30-12:00,13:30-17:00"]


@pytest.mark.parametrize(
    ("exceptions", "wall", "expected"),
    [
        ({}, "2026-05-01T10:00", True),
        ({"holidays": holidays_of("fr")}, "2026-05-01T10:00", False),
        ({"holidays": holidays_of("fr")}, "2026-04-30T10:00", True),
        ({"holidays": holidays_of("fr"), "opened_on": {LABOUR_DAY: "09:00-11:00"}}, "2026-05-01T10:00", True),
        ({"holidays": holidays_of("fr"), "opened_on": {LABOUR_DAY: "09:00-11:00"}}, "2026-05-01T11:00", False),
        ({"closed_on": [LABOUR_DAY], "opened_on": {LABOUR_DAY: "09:00-11:00"}}, "2026-05-01T10:00", True),
        ({"closed_on": [date(2026, 5, 4)], "holidays": holidays_of("fr")}, "2026-05-04T10:00", False),
        ({"opened_on": {date(2026, 5, 2): "14:00-16:00,22:00-24:00"}}, "2026-05-02T23:59:59.999999", True),
        ({"opened_on": {date(2026, 5, 2): "14:00-16:00,22:00-24:00"}}, "2026-05-02T10:00", False),
        # A working day with other hours than usual: its own hours are the only ones.
        ({"opened_on": {date(2026, 5, 5): "14:00-16:00"}}, "2026-05-05T10:00", False),
    ],
)
def test_opened_goes_before_closed_before_holiday_before_weekday(exceptions, wall, expected):
    hours = parse_hours(WORKDAYS, PARIS, **exceptions)
    assert hours.is_open(from_datetime(datetime.fromisoformat(wall).replace(tzinfo=PARIS))) is expected


@pytest.mark.parametrize("spans", ["", "9:00-12:00", "mon 09:00-12:00", "12:00-09:00", "09:00-24:30", "09:00-12:00,"])
def test_a_days_own_hours_that_make_no_sense_are_shown_with_their_day(spans):
    with pytest.raises(ValueError, match="of 2026-05-01") as caught:
        parse_hours(WORKDAYS, PARIS, opened_on={LABOUR_DAY: spans})
    assert repr(spans) in str(caught.value)


def test_days_off_are_the_workdays_that_the_exceptions_close():
    hours = parse_hours(
        WORKDAYS, PARIS, [date(2026, 5, 15), date(2026, 5, 16)], {date(2026, 5, 8): "09:00-12:00"}, holidays_of("fr")
    )
    assert list(hours.days_off(date(2026, 5, 1), date(2026, 5, 31))) == [
        date(2026, 5, 1), date(2026, 5, 14), date(2026, 5, 15), date(2026, 5, 25),
    ]  # fmt: skip


# -- the next change


def changes(hours, start, count):
    found, at = [], instant(start)
    for _ in range(count):
        at = hours.next_change(at)
        found.append(to_iso(at)[:19])
    return found


@pytest.mark.parametrize(
    ("lines", "start", "expected"),
    [
        (WORKDAYS, "2026-11-27T11:00:00+00:00", ["2026-11-27T12:30:00", "2026-11-27T16:00:00", "2026-11-30T07:30:00"]),
        (["fri 22:00-24:00", "sat 00:00-06:00"], "2026-11-27T12:00:00+00:00", [
            "2026-11-27T21:00:00", "2026-11-28T05:00:00", "2026-12-04T21:00:00",
        ]),
        (["fri 22:00-24:00"], "2026-11-27T22:00:00+00:00", ["2026-11-27T23:00:00", "2026-12-04T21:00:00"]),
        (["mon-fri 08:00-12:00,11:00-13:00"], "2026-11-27T08:00:00+00:00", ["2026-11-27T12:00:00"]),
        # 29 March 2026: at 01:00 UTC 02:00 becomes 03:00.
        (["sun 02:00-03:00"], "2026-03-28T00:00:00+00:00", ["2026-04-05T00:00:00"]),
        (["sun 02:30-04:00"], "2026-03-28T00:00:00+00:00", ["2026-03-29T01:00:00", "2026-03-29T02:00:00"]),
        (["sun 01:00-02:30"], "2026-03-28T00:00:00+00:00", ["2026-03-29T00:00:00", "2026-03-29T01:00:00"]),
        (["sun 03:00-04:00"], "2026-03-28T00:00:00+00:00", ["2026-03-29T01:00:00", "2026-03-29T02:00:00"]),
        # 25 October 2026: at 01:00 UTC 03:00 becomes 02:00.
        (["sun 02:00-03:00"], "2026-10-24T00:00:00+00:00", ["2026-10-25T00:00:00", "2026-10-25T02:00:00"]),
        (["sun 01:30-02:30"], "2026-10-24T00:00:00+00:00", [
            "2026-10-24T23:30:00", "2026-10-25T00:30:00", "2026-10-25T01:00:00", "2026-10-25T01:30:00",
        ]),
        (["sun 02:30-03:30"], "2026-10-24T00:00:00+00:00", [
            "2026-10-25T00:30:00", "2026-10-25T01:00:00", "2026-10-25T01:30:00", "2026-10-25T02:30:00",
        ]),
    ],
)  # fmt: skip
def test_the_next_change_is_where_the_clock_on_the_wall_makes_it(lines, start, expected):
    assert changes(parse_hours(lines, PARIS), start, len(expected)) == expected


@pytest.mark.parametrize(
    ("line", "start", "expected"),
    [
        ("sat 23:30-23:45", "2010-11-07T02:30:30+00:00", ["2010-11-07T03:00:00", "2010-11-07T03:15:00"]),
        ("sun 00:00-00:01", "2010-11-06T03:00:00+00:00", ["2010-11-07T02:30:00", "2010-11-07T02:31:00"]),
    ],
)
def test_where_a_clock_is_set_back_over_midnight_a_day_comes_twice(line, start, expected):
    """Newfoundland, 7 November 2010: at 02:31 UTC, one minute past midnight became one past eleven the day before."""
    hours = parse_hours([line], ZoneInfo("America/St_Johns"))
    assert changes(hours, start, len(expected)) == expected


def test_a_change_is_after_the_instant_asked_for():
    hours = parse_hours(WORKDAYS, PARIS)
    opening = instant("2026-11-27T07:30:00+00:00")
    assert hours.next_change(opening - 1) == opening
    assert hours.next_change(opening) == instant("2026-11-27T11:00:00+00:00")


def test_what_never_changes_has_no_next_change():
    at = instant("2026-11-27T07:30:00+00:00")
    assert parse_hours(ALWAYS, PARIS).next_change(at) is None
    assert parse_hours([], PARIS).next_change(at) is None


@pytest.mark.parametrize(("days", "seen"), [(399, True), (401, False)])
def test_an_exception_is_in_sight_for_400_days(days, seen):
    at = instant("2026-01-01T00:00:00+01:00")
    day = date.fromordinal(date(2026, 1, 1).toordinal() + days)
    change = parse_hours(ALWAYS, PARIS, [day]).next_change(at)
    assert change == (from_datetime(datetime(day.year, day.month, day.day, tzinfo=PARIS)) if seen else None)


def test_a_whole_year_of_changes_adds_up_to_its_working_hours():
    hours = parse_hours(WORKDAYS, PARIS, holidays=holidays_of("fr", "67"))
    at, end = instant("2026-01-01T00:00:00+01:00"), instant("2027-01-01T00:00:00+01:00")
    opened = 0
    while (change := hours.next_change(at)) < end:
        opened += change - at if hours.is_open(at) else 0
        at = change
    # 261 weekdays, less 9 holidays of all France and Good Friday; Saint Stephen's Day is a Saturday.
    assert opened == (261 - 10) * 7 * 3600 * SECOND
