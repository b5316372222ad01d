"""The roster as TOML: lines that repeat by the week, and when they make somebody's presence due."""

from datetime import date, time

import pytest

from telemon.opening import parse_hours
from telemon.roster.required import Charge, InCharge
from telemon.roster.table import ShiftLine, parse_days, read_table
from tests.core.roster_kit import HOUR, PARIS, at, wall

JUNE = at(2026, 6, 1), at(2026, 6, 15)


def night(days, last=None, every_weeks=1):
    return ShiftLine("a", days, time(18), time(8), date(2026, 1, 1), last, every_weeks)


def spans(*lines, start=JUNE[0], end=JUNE[1]):
    return [(wall(shift.start), wall(shift.end), shift.officer) for shift in read_table(lines, PARIS, start, end)]


@pytest.mark.parametrize(
    ("words", "days"),
    [
        ("mon", [0]),
        ("mon-fri", [0, 1, 2, 3, 4]),
        ("sat-sun", [5, 6]),
        ("fri-mon", [0, 4, 5, 6]),
        ("mon, wed,sat-sun", [0, 2, 5, 6]),
        ("tue-tue", [1]),
    ],
)
def test_days(words, days):
    assert sorted(parse_days(words)) == days


@pytest.mark.parametrize("words", ["", "lundi", "mon-", "mon-fri-sun", "-fri", "mon fri", "mon;fri"])
def test_days_that_are_none(words):
    with pytest.raises(ValueError, match="are not of the form"):
        night(words)


def test_a_line_repeats_at_least_each_week():
    with pytest.raises(ValueError, match="every_weeks = 0: write 1 for each week"):
        night("mon", every_weeks=0)


def test_nights_of_a_week():
    assert spans(night("fri-sat"), end=at(2026, 6, 8)) == [
        ("2026-06-05 18:00", "2026-06-06 08:00", "a"),
        ("2026-06-06 18:00", "2026-06-07 08:00", "a"),
    ]


def test_the_night_before_the_first_day_is_there():
    line = night("sun")
    assert [start for start, _, _ in spans(line, end=at(2026, 6, 2))] == ["2026-05-31 18:00"]
    assert spans(line, start=at(2026, 6, 1, 8), end=at(2026, 6, 2)) == []


def test_a_whole_day_and_one_up_to_midnight():
    whole = ShiftLine("a", "mon", time(8), time(8), date(2026, 1, 1))
    evening = ShiftLine("b", "mon", time(20), time(), date(2026, 1, 1))
    assert spans(whole, evening, end=at(2026, 6, 8)) == [
        ("2026-06-01 08:00", "2026-06-02 08:00", "a"),
        ("2026-06-01 20:00", "2026-06-02 00:00", "b"),
    ]


def test_each_second_week_counts_from_the_week_of_the_first_day():
    one = ShiftLine("a", "mon-sun", time(), time(), date(2026, 6, 4), every_weeks=2)  # from a Thursday
    two = ShiftLine("b", "mon-sun", time(), time(), date(2026, 6, 8), every_weeks=2)
    found = [(start[:10], officer) for start, _, officer in spans(one, two, end=at(2026, 6, 22))]
    assert found == [
        *((f"2026-06-{day:02}", "a") for day in (4, 5, 6, 7, 15, 16, 17, 18, 19, 20, 21)),
        *((f"2026-06-{day:02}", "b") for day in range(8, 15)),
    ]


def test_the_last_day_still_has_its_shift():
    line = night("mon-sun", last=date(2026, 6, 2))
    assert [start for start, _, _ in spans(line)] == ["2026-05-31 18:00", "2026-06-01 18:00", "2026-06-02 18:00"]


def test_nights_of_the_change_of_time():
    line = ShiftLine("a", "mon-sun", time(20), time(8), date(2026, 1, 1))
    spring = read_table([line], PARIS, at(2026, 3, 28, 12), at(2026, 3, 29, 12))
    autumn = read_table([line], PARIS, at(2026, 10, 24, 12), at(2026, 10, 25, 12))
    assert [[(shift.end - shift.start) // HOUR for shift in shifts] for shifts in (spring, autumn)] == [[11], [13]]


@pytest.mark.parametrize("start", [time(2), time(2, 30)])
def test_an_hour_that_the_clock_skips(start):
    line = ShiftLine("a", "sun", start, time(3), date(2026, 1, 1))
    assert spans(line, start=at(2026, 3, 28), end=at(2026, 3, 30)) == []


# Who must be on duty: the permanence, unless a switchboard is open in its stead


def hours(*lines, closed_on=()):
    return parse_hours(lines, PARIS, closed_on)


def changes(required, start, end):
    found, moment = [], start
    while (change := required.next_change(moment)) is not None and change < end:
        found.append((wall(change), required.is_open(change)))
        moment = change
    return found


def test_a_permanence_is_in_charge_while_its_switchboards_are_closed():
    standard = hours("mon-fri 08:30-12:00,13:30-17:00", closed_on=[date(2026, 6, 2)])
    desk = hours("mon-fri 11:00-14:00")
    required = InCharge((Charge(None, (standard, desk)),))
    assert changes(required, at(2026, 6, 1), at(2026, 6, 3)) == [
        ("2026-06-01 08:30", False),
        ("2026-06-01 17:00", True),
        ("2026-06-02 11:00", False),
        ("2026-06-02 14:00", True),
    ]


def test_a_permanence_with_hours_of_its_own():
    required = InCharge((Charge(hours("sat 00:00-24:00"), (hours("sat 09:00-12:00"),)),))
    assert changes(required, at(2026, 6, 1), at(2026, 6, 8)) == [
        ("2026-06-06 00:00", True),
        ("2026-06-06 09:00", False),
        ("2026-06-06 12:00", True),
        ("2026-06-07 00:00", False),
    ]


def test_any_permanence_is_enough():
    required = InCharge((Charge(hours("mon 08:00-12:00")), Charge(hours("mon 12:00-20:00"))))
    assert changes(required, at(2026, 6, 1), at(2026, 6, 2)) == [
        ("2026-06-01 08:00", True),
        ("2026-06-01 20:00", False),
    ]


def test_what_never_changes():
    same = hours("mon-fri 08:00-18:00")
    assert InCharge((Charge(None),)).next_change(at(2026, 6, 1)) is None
    assert InCharge((Charge(same, (same,)),)).next_change(at(2026, 6, 1)) is None
    assert not InCharge((Charge(None, (None,)),)).is_open(at(2026, 6, 1))
