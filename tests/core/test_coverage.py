"""What a permanence's intervals come to: observers joined, required time only, sums of days, months and years."""

from dataclasses import replace
from datetime import UTC, datetime
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemon.buckets import Buckets, Span
from telemon.duty_records import Coverage, CoverInterval, UncoveredCause
from telemon.gaps import TRAILING
from telemon.instants import SECOND, from_datetime
from telemon.opening import parse_hours
from telemon.permanence.coverage import Cover, Stretch, required_part, sums, timeline
from telemon.rates import Rate

COVERED, UNCOVERED, UNKNOWN = Coverage
TRUNK_DOWN, ROSTER_HOLE, NOBODY, PAUSED, IN_CALL, RANG_OUT = UncoveredCause
PARIS = ZoneInfo("Europe/Paris")
HOUR = 3600 * SECOND
MUCH_LATER = 10**9 * SECOND


def told(start, end, state=COVERED, cause=None, observer=""):
    return CoverInterval(
        site="site", service="permanence", observer=observer, started_at=start * SECOND,
        ended_at=None if end is None else end * SECOND, state=state, cause=cause,
    )  # fmt: skip


def absent(start, end, cause=NOBODY, observer=""):
    return told(start, end, UNCOVERED, cause, observer)


def found(intervals, now=MUCH_LATER):
    """The stretches from second 10 to 60, in seconds."""
    stretches = timeline(intervals, 10 * SECOND, 60 * SECOND, now)
    return [(one.start / SECOND, one.end / SECOND, one.cause or one.state) for one in stretches]


@pytest.mark.parametrize(
    ("intervals", "expected"),
    [
        ([], [(10, 60, UNKNOWN)]),
        ([told(0, 100)], [(10, 60, COVERED)]),
        ([told(0, 30), absent(30, 35), told(35, 80)], [(10, 30, COVERED), (30, 35, NOBODY), (35, 60, COVERED)]),
        # before telemon ran, while it was blind, and after it was stopped
        ([told(20, 30), told(30, 40, UNKNOWN), told(40, 50)], [
            (10, 20, UNKNOWN), (20, 30, COVERED), (30, 40, UNKNOWN), (40, 50, COVERED), (50, 60, UNKNOWN),
        ]),
        # one key after the other, but one state
        ([told(0, 30), told(30, 40), absent(40, 45), absent(45, 60)], [(10, 40, COVERED), (40, 60, NOBODY)]),
        # never renewed: nothing is known of how long it lasted
        ([told(20, None)], [(10, 60, UNKNOWN)]),
        ([told(60, 70), told(0, 10)], [(10, 60, UNKNOWN)]),
    ],
)  # fmt: skip
def test_every_instant_is_in_one_state(intervals, expected):
    assert found(intervals) == expected


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (told(0, 60), told(0, 60, UNKNOWN, observer="b"), [(10, 60, COVERED)]),
        (told(0, 30), told(30, 60, observer="b"), [(10, 60, COVERED)]),
        (absent(0, 60), told(0, 60, UNKNOWN, observer="b"), [(10, 60, NOBODY)]),
        (told(0, 60), absent(20, 30, observer="b"), [(10, 20, COVERED), (20, 30, NOBODY), (30, 60, COVERED)]),
        (absent(0, 40, PAUSED), absent(20, 60, TRUNK_DOWN, "b"), [(10, 20, PAUSED), (20, 60, TRUNK_DOWN)]),
    ],
)
def test_what_one_observer_knows_beats_what_another_does_not_and_uncovered_wins(one, other, expected):
    assert found([one, other]) == found([other, one]) == expected


@pytest.mark.parametrize(
    ("intervals", "now", "expected"),
    [
        ([told(0, 40)], 45, [(10, 45, COVERED)]),
        ([told(0, 40)], 40 + TRAILING // SECOND, [(10, 55, COVERED)]),
        ([told(0, 40)], 41 + TRAILING // SECOND, [(10, 40, COVERED), (40, 56, UNKNOWN)]),
        ([told(0, 30), absent(30, 40)], 45, [(10, 30, COVERED), (30, 45, NOBODY)]),
        ([told(0, 40), told(40, None, UNKNOWN)], 45, [(10, 40, COVERED), (40, 45, UNKNOWN)]),
        ([told(42, None)], 45, [(10, 42, UNKNOWN), (42, 45, COVERED)]),
        ([told(0, 40), told(0, 20, observer="b")], 45, [(10, 45, COVERED)]),
        ([told(0, 40), absent(0, 38, observer="b")], 45, [(10, 45, NOBODY)]),
        ([told(0, 70)], 45, [(10, 45, COVERED)]),
        ([told(0, 70)], 10, []),
    ],
)  # fmt: skip
def test_what_lasts_goes_on_until_now_if_it_was_renewed_lately(intervals, now, expected):
    assert found(intervals, now * SECOND) == expected


def test_only_required_time_counts():
    hours = parse_hours(["mon 08:00-12:00"], UTC)
    start = from_datetime(datetime(2026, 11, 23, tzinfo=UTC))  # a Monday
    stretches = [
        Stretch(start, start + 9 * HOUR, UNCOVERED, NOBODY),
        Stretch(start + 9 * HOUR, start + 48 * HOUR, COVERED),
    ]
    assert required_part(stretches, None) == stretches
    assert required_part(stretches, hours) == [
        Stretch(start + 8 * HOUR, start + 9 * HOUR, UNCOVERED, NOBODY),
        Stretch(start + 9 * HOUR, start + 12 * HOUR, COVERED),
    ]


def test_the_rate_lies_between_what_the_unknown_may_have_been():
    cover = Cover(start=0, end=100, required=100, covered=60, unknown=20, uncovered={NOBODY: 15, PAUSED: 5})
    assert cover.uncovered_total == 20
    assert (cover.rate.value, cover.rate.lower, cover.rate.upper) == (
        Fraction(3, 4),
        Fraction(3, 5),
        Fraction(4, 5),
    )
    blind = replace(cover, covered=0, unknown=100, uncovered={})
    assert blind.rate == Rate(None, Fraction(0), Fraction(1))
    nothing = replace(blind, required=0, unknown=0)
    assert nothing.rate == Rate(None, None, None)


@pytest.mark.parametrize(("month", "day", "hours"), [(3, 29, 23), (10, 25, 25), (11, 23, 24)])
def test_the_days_of_the_change_of_clocks_have_their_own_length(month, day, hours):
    start = from_datetime(datetime(2026, month, day, tzinfo=PARIS))
    edges = Buckets(PARIS).starts(Span.DAY, start, start + HOUR)
    stretches = timeline([], edges[0], edges[-1], MUCH_LATER * 2)
    (cover,) = sums(stretches, edges)
    assert (cover.required, cover.unknown) == (hours * HOUR, hours * HOUR)


CHANGES = st.lists(
    st.tuples(st.integers(1, 40 * 86_400), st.sampled_from([COVERED, UNKNOWN, *UncoveredCause])), max_size=30
)
YEAR = from_datetime(datetime(2026, 1, 1, tzinfo=PARIS)), from_datetime(datetime(2027, 1, 1, tzinfo=PARIS))


def rows(changes, observer):
    """One observer's intervals over the year, from 2025-12-20 on."""
    at, intervals = from_datetime(datetime(2025, 12, 20, tzinfo=PARIS)) // SECOND, []
    for length, what in changes:
        cause = what if isinstance(what, UncoveredCause) else None
        intervals.append(told(at, at + length, UNCOVERED if cause else what, cause, observer))
        at += length
    return intervals


@given(st.lists(CHANGES, min_size=1, max_size=3))
def test_days_make_up_months_and_these_the_year(all_changes):
    intervals = [row for number, changes in enumerate(all_changes) for row in rows(changes, str(number))]
    stretches = timeline(intervals, *YEAR, MUCH_LATER * 2)
    buckets = Buckets(PARIS)
    days, months, years = (sums(stretches, buckets.starts(span, *YEAR)) for span in (Span.DAY, Span.MONTH, Span.YEAR))
    assert (len(days), len(months), len(years)) == (365, 12, 1)
    for covers in (days, months, years):
        assert all(
            one.covered + one.uncovered_total + one.unknown == one.required == one.end - one.start for one in covers
        )
        assert sum(one.covered for one in covers) == years[0].covered
        assert sum(one.unknown for one in covers) == years[0].unknown
        for cause in UncoveredCause:
            assert sum(one.uncovered.get(cause, 0) for one in covers) == years[0].uncovered.get(cause, 0)
    assert years[0].covered == sum(one.duration for one in stretches if one.state is COVERED)


STEPS = st.lists(st.tuples(st.integers(1, 20), st.sampled_from([COVERED, UNKNOWN, *UncoveredCause])), max_size=6)


@given(st.lists(STEPS, min_size=1, max_size=3))
def test_second_by_second_the_strongest_word_of_all_observers_holds(all_steps):
    intervals = []
    for number, steps in enumerate(all_steps):
        at = 0
        for length, what in steps:
            is_cause = isinstance(what, UncoveredCause)
            intervals.append(
                told(at, at + length, UNCOVERED if is_cause else what, what if is_cause else None, str(number))
            )
            at += length
    stretches = found(intervals)
    order = [*UncoveredCause, COVERED, UNKNOWN]
    for second in range(10, 60):
        words = [one.cause or one.state for one in intervals if one.started_at <= second * SECOND < one.ended_at]
        ((_, _, state),) = [one for one in stretches if one[0] <= second < one[1]]
        assert state is min([*words, UNKNOWN], key=order.index)
