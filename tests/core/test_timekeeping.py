"""Whether a PBX's clock was set, told from late events, drift and simulated haste."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemon.instants import SECOND
from telemon.timekeeping import STEP, Step, Timekeeper

HOUR = 3600 * SECOND
START = 1_795_000_000 * SECOND
BEHIND = 7 * SECOND  # our clock and Asterisk's need not agree


def keeper_of(tolerance, questions=3):
    keeper = Timekeeper(tolerance)
    for second in range(-questions, 0):
        keeper.renew(START + second * SECOND, START + BEHIND + second * SECOND)
    return keeper


def heard(keeper, told):
    """Feed (Asterisk's seconds, ours) since the start; return the steps found."""
    at = START + BEHIND
    steps = [keeper.hear(START + round(theirs * SECOND), at + round(ours * SECOND)) for theirs, ours in told]
    return [step for step in steps if step is not None]


def test_a_clock_set_forward_is_a_step_from_the_time_expected_to_the_time_told():
    keeper = keeper_of(SECOND)
    assert heard(keeper, [(0, 0), (10, 10), (3620, 20), (3630, 30)]) == [
        Step(START + 20 * SECOND, START + HOUR + 20 * SECOND)
    ]


def test_a_clock_set_back_is_a_step_to_a_time_that_was_before():
    assert heard(keeper_of(SECOND), [(0, 0), (10, 10), (-3580, 20), (-3570, 30)]) == [
        Step(START + 10 * SECOND, START - HOUR + 20 * SECOND)
    ]


@given(st.lists(st.tuples(st.floats(0, 100), st.floats(0, 3600)), min_size=1, max_size=40))
def test_events_that_come_late_are_no_step(told):
    ours, line, latest = 0.0, [], 0.0
    theirs = 0.0
    for pause, lag in told:
        theirs += pause
        ours = max(ours, theirs + lag)
        latest = max(latest, ours)
        line.append((theirs, latest))
    assert heard(keeper_of(SECOND), line) == []


@pytest.mark.parametrize("rate", [1 + 5e-4, 1 - 5e-4])
def test_clocks_that_drift_apart_do_not_step(rate):
    keeper = keeper_of(SECOND)
    for second in range(0, 86_400, 10):
        assert heard(keeper, [(second * rate, second)]) == []
        keeper.renew(START + round(second * rate * SECOND), START + BEHIND + second * SECOND)
    assert heard(keeper, [(86_400 * rate + 30, 86_400)])


def test_a_simulation_may_run_as_it_likes():
    assert heard(keeper_of(None), [(3600 * hour, hour) for hour in range(100)]) == []
    assert heard(keeper_of(None), [(-3600 * hour, hour) for hour in range(100)]) == []


def test_what_is_shorter_than_a_step_is_not_called_one():
    least = STEP / SECOND
    assert heard(keeper_of(SECOND // 10), [(0, 0), (10 + 0.9 * least, 10), (10, 11)]) == []


def test_one_question_answered_late_does_not_make_the_next_stamp_a_step():
    keeper = Timekeeper(SECOND)
    keeper.renew(START, START + BEHIND + 5 * SECOND)
    assert heard(keeper, [(1, 1)]) == []


def test_after_parting_the_clocks_are_compared_anew():
    keeper = keeper_of(SECOND)
    heard(keeper, [(0, 0)])
    keeper.part()
    assert heard(keeper, [(7200, 10), (7210, 20)]) == []
