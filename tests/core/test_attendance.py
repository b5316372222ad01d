"""Operators' time by the hour: exact between changes, never counted twice."""

from hypothesis import given
from hypothesis import strategies as st

from telemon.buckets import HOUR
from telemon.duty_records import Attendance
from telemon.figures.attendance import AttendanceLog
from telemon.instants import SECOND

T = 490_000 * HOUR
MINUTE = 60 * SECOND


def row(hour=T, seen=0, present=0, talking=0):
    return Attendance(
        site="s", service="standard", observer="one", hour=hour, seen=seen, present=present, talking=talking
    )


def test_time_is_summed_up_between_changes_and_cut_at_the_hour():
    log = AttendanceLog("one")
    log.tell(T + 50 * MINUTE, "s", "standard", 3, 1)
    log.tell(T + 70 * MINUTE, "s", "standard", 2, 2)
    log.lose(T + 75 * MINUTE, "s")
    log.tell(T + 80 * MINUTE, "s", "standard", 5, 0)
    assert log.take() == [
        row(T, 10 * MINUTE, 30 * MINUTE, 10 * MINUTE),
        row(T + HOUR, 15 * MINUTE, 40 * MINUTE, 20 * MINUTE),
    ]
    assert log.take() == []
    log.tell(T + 81 * MINUTE, "s", "standard", 5, 0)
    assert log.take() == [row(T + HOUR, 16 * MINUTE, 45 * MINUTE, 20 * MINUTE)]


def test_a_restart_goes_on_with_the_hour_that_the_ledger_has():
    log = AttendanceLog("one", [row(T, 10 * MINUTE, 20 * MINUTE, 5 * MINUTE)])
    assert log.take() == []
    log.tell(T + 30 * MINUTE, "s", "standard", 1, 1)
    log.lose(T + 40 * MINUTE, "s")
    assert log.take() == [row(T, 20 * MINUTE, 30 * MINUTE, 15 * MINUTE)]


def test_losing_one_site_leaves_the_others():
    log = AttendanceLog("one")
    for site in ("s", "other"):
        log.tell(T, site, "standard", 1, 0)
    log.lose(T + MINUTE, "s")
    log.tell(T + 2 * MINUTE, "other", "standard", 1, 0)
    assert {one.site: one.seen for one in log.take()} == {"s": MINUTE, "other": 2 * MINUTE}


@given(st.lists(st.tuples(st.integers(0, 3 * HOUR), st.integers(0, 9), st.integers(0, 9)), max_size=30))
def test_no_instant_counts_twice_whatever_the_clock_does(told):
    log = AttendanceLog("one")
    most = 0
    for at, present, talking in told:
        log.tell(T + at, "s", "standard", present, talking)
        most = max(most, at)
    rows = log.take()
    assert all(0 <= one.seen <= HOUR for one in rows)
    assert sum(one.seen for one in rows) == (most - told[0][0] if told else 0)
    assert all(one.present <= 9 * one.seen for one in rows)
