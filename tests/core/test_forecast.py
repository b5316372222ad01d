"""The rate at the period's end: exact, and what it must be where that is plain."""

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from telemon.figures.forecast import FEWEST_DAYS, Sums, expected, mean
from telemon.rulesets import GoalKind

LOST = GoalKind.LOST_RATE_BELOW
counts = st.integers(0, 500)


def day(lost, answered, within=None):
    within = answered if within is None else within
    return Sums(*map(Fraction, (lost, lost + answered, answered, lost + answered, within, answered)))


days = st.builds(day, counts, counts)
weeks = st.fixed_dictionaries({weekday: st.lists(days, min_size=1, max_size=8) for weekday in range(7)})
left = st.dictionaries(st.integers(0, 6), st.integers(0, 52), max_size=7)


@given(days, weeks)
def test_with_nothing_to_come_it_is_the_present_rate(so_far, past):
    rest = expected(past, [Sums()], {})
    assert rest == Sums()
    assert [(so_far + rest).rate(kind) for kind in GoalKind] == [so_far.rate(kind) for kind in GoalKind]


@given(st.integers(1, 99), st.lists(st.integers(1, 50), min_size=8, max_size=8), left)
def test_where_every_day_had_one_rate_it_stays(lost, sizes, to_come):
    """However many calls each of them had."""
    past = {weekday: [day(lost * size, (100 - lost) * size)] for weekday, size in enumerate(sizes[:7])}
    so_far = day(lost * sizes[7], (100 - lost) * sizes[7])
    rest = expected(past, past[0], to_come)
    assert (so_far + rest).rate(LOST) == Fraction(lost, 100)


@given(days, weeks, left, st.integers(0, 6), st.integers(1, 100))
def test_a_worse_past_never_makes_a_better_forecast(so_far, past, to_come, weekday, more):
    worse = {**past, weekday: [past[weekday][0] + day(more, 0), *past[weekday][1:]]}
    one, other = (so_far + expected(known, known[3], to_come) for known in (past, worse))
    if one.counted and other.counted:
        assert other.rate(LOST) >= one.rate(LOST)


def test_the_reckoning_by_hand():
    """10 of 100 lost so far; a Monday to come as 20 of 50 and 10 of 50 were, a Tuesday as 0 of 100, today 1 of 2."""
    past = {0: [day(20, 30), day(10, 40)], 1: [day(0, 100)], 2: [day(5, 5)] * 4}
    rest = expected(past, [day(1, 1)], {0: 1, 1: 1})
    assert rest == day(15, 35) + day(0, 100) + day(1, 1)
    assert (day(10, 90) + rest).rate(LOST) == Fraction(10 + 15 + 0 + 1, 100 + 50 + 100 + 2)


def test_too_little_past_says_nothing():
    past = {weekday: [day(1, 9)] for weekday in range(FEWEST_DAYS)}
    assert expected(past, past[0], {0: 1}) is not None
    assert expected({0: [day(1, 9)] * (FEWEST_DAYS - 1)}, past[0], {0: 1}) is None
    assert expected({0: [day(1, 9)] * 50}, past[0], {6: 1}) is None  # no Sunday was seen
    assert expected(past, [], {0: 1}) is None


def test_rates_without_calls_are_none():
    assert [Sums().rate(kind) for kind in GoalKind] == [None] * 3
    assert day(0, 4, 3).rate(GoalKind.WITHIN_RINGS_AT_LEAST) == Fraction(3, 4)
    assert day(1, 4).rate(GoalKind.ANSWER_RATE_AT_LEAST) == Fraction(4, 5)
    assert mean([day(1, 2), day(3, 4)]) == day(2, 3)
