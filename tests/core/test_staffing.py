"""What each hour of the week needs: means of the hours that count, on both nights of the clocks too."""

from datetime import UTC, datetime, timedelta
from math import inf
from zoneinfo import ZoneInfo

import pytest

from telemon.buckets import HOUR
from telemon.figures.erlang import Promise, operators_needed
from telemon.figures.staffing import ENOUGH_GIVEN_UP, ENOUGH_TALKS, HourSums, slot_of, staffing_of
from telemon.instants import from_datetime

PARIS = ZoneInfo("Europe/Paris")
PROMISE = Promise(seconds=20, lost_below=0.1, within_at_least=0.9)


def at(year, month, day, hour):
    return from_datetime(datetime(year, month, day, hour, tzinfo=UTC))


def weeks_of(hour, count):
    return [hour + 7 * 24 * HOUR * number for number in range(count)]


def test_means_are_of_all_hours_that_count_also_those_without_calls():
    mondays = weeks_of(at(2026, 11, 2, 9), 4)  # 10 o'clock in Paris
    busy = HourSums(calls=40, answered=36, lost=4, given_up=4, talk=36 * 150.0, wait=40 * 9.0)
    found = staffing_of(
        mondays, {mondays[0]: busy, mondays[2]: busy}, {mondays[1]: 3.0, mondays[2]: 2.0}, PARIS, PROMISE
    )
    assert list(found) == [(1, 10)]
    (hour,) = found.values()
    assert (hour.calls, hour.present, hour.lost_ratio) == (20, 2.5, 0.1)
    assert hour.needed == operators_needed(20 / 3600, 150, 90, PROMISE)


def test_hours_that_do_not_count_are_passed_over():
    first, second = weeks_of(at(2026, 11, 2, 9), 2)
    calls = {hour: HourSums(calls=10, answered=10, talk=1000.0) for hour in (first, second)}
    assert staffing_of([first], calls, {}, PARIS, PROMISE)[1, 10].calls == 10
    assert staffing_of([], calls, {}, PARIS, PROMISE) == {}


def test_an_hour_nobody_calls_or_works_in_is_not_told_and_one_with_operators_needs_nobody():
    hour = at(2026, 11, 2, 9)
    assert staffing_of([hour], {}, {}, PARIS, PROMISE) == {}
    found = staffing_of([hour], {}, {hour: 2.0}, PARIS, PROMISE)[1, 10]
    assert (found.calls, found.needed, found.present, found.lost_ratio) == (0, 0, 2.0, None)


def test_where_nobody_was_ever_answered_the_need_is_not_known():
    hour = at(2026, 11, 2, 9)
    found = staffing_of([hour], {hour: HourSums(calls=3, lost=3, given_up=3, wait=60.0)}, {}, PARIS, PROMISE)[1, 10]
    assert (found.needed, found.lost_ratio) == (None, 1.0)


def test_talk_and_patience_are_the_hours_own_where_it_has_enough_calls():
    morning, evening = at(2026, 11, 2, 9), at(2026, 11, 2, 17)
    many = HourSums(
        calls=60, answered=ENOUGH_TALKS, given_up=ENOUGH_GIVEN_UP, lost=30, talk=ENOUGH_TALKS * 600.0, wait=400.0
    )
    few = HourSums(calls=60, answered=10, lost=0, talk=10 * 60.0, wait=0.0)
    found = staffing_of([morning, evening], {morning: many, evening: few}, {}, PARIS, PROMISE)
    talk, patience = (30 * 600 + 10 * 60) / 40, 400 / ENOUGH_GIVEN_UP
    assert found[1, 10].needed == operators_needed(60 / 3600, 600, 40, PROMISE)
    assert found[1, 18].needed == operators_needed(60 / 3600, talk, patience, PROMISE)
    longer = staffing_of([morning], {morning: many}, {}, PARIS, PROMISE, wrap_up=300)
    assert longer[1, 10].needed == operators_needed(60 / 3600, 900, 40, PROMISE) > found[1, 10].needed


def test_a_service_nobody_gives_up_at_is_infinitely_patient():
    hour = at(2026, 11, 2, 9)
    found = staffing_of([hour], {hour: HourSums(calls=30, answered=30, talk=4500.0)}, {}, PARIS, PROMISE)
    assert found[1, 10].needed == operators_needed(30 / 3600, 150, inf, PROMISE)


@pytest.mark.parametrize(
    ("day", "first", "hours"),
    [("2026-03-29", 23, {2: 0, 3: 1}), ("2026-10-25", 22, {2: 2, 3: 1})],  # of 23 and of 25 hours, both Sundays
)
def test_both_nights_of_the_clocks(day, first, hours):
    start = from_datetime(datetime.fromisoformat(f"{day}T00:00:00").replace(tzinfo=UTC) - timedelta(hours=24 - first))
    night = [start + number * HOUR for number in range(6)]
    shown = [slot_of(hour, PARIS) for hour in night]
    assert shown[0] == (7, 0)
    assert {hour: shown.count((7, hour)) for hour in hours} == hours
    one = HourSums(calls=6, answered=6, talk=600.0)
    found = staffing_of(night, dict.fromkeys(night, one), {}, PARIS, PROMISE)
    assert {slot: hour.calls for slot, hour in found.items()} == dict.fromkeys(set(shown), 6.0)
