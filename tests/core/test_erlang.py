"""Erlang-A against the chain solved directly, its limits, a simulation, and published values."""

import random
from heapq import heappop, heappush
from math import exp, factorial, inf, lgamma, log

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telemon.figures.erlang import Promise, line_of, operators_needed


def chain(operators, rate, talk, patience, most=600):
    """The stationary probabilities, from the balance equations in logarithms."""
    logs = [0.0]
    for calls in range(1, most):
        down = min(calls, operators) / talk + max(0, calls - operators) / patience
        logs.append(logs[-1] + log(rate / down))
    top = max(logs)
    weights = [exp(value - top) for value in logs]
    return [weight / sum(weights) for weight in weights]


def served_within(before, operators, talk, patience, seconds, steps=4000):
    """The chance of a caller who finds so many waiting: his own little chain, step by step (Runge-Kutta)."""
    down, theta = operators / talk, 1 / patience

    def slope(state):
        out = [0.0] * len(state)
        for ahead, share in enumerate(state[:-1]):
            leave = down + ahead * theta
            out[ahead] -= share * (leave + theta)
            out[ahead - 1 if ahead else -1] += share * leave
        return out

    state = [0.0] * before + [1.0, 0.0]  # by how many are ahead, last: served
    h = seconds / steps
    for _ in range(steps):
        a = slope(state)
        b = slope([x + h / 2 * k for x, k in zip(state, a, strict=True)])
        c = slope([x + h / 2 * k for x, k in zip(state, b, strict=True)])
        d = slope([x + h * k for x, k in zip(state, c, strict=True)])
        state = [x + h / 6 * (k + 2 * m + 2 * n + o) for x, k, m, n, o in zip(state, a, b, c, d, strict=True)]
    return state[-1]


@pytest.mark.parametrize(
    ("operators", "calls_an_hour", "talk", "patience"),
    [
        (1, 12, 120, 60),
        (3, 60, 150, 90),
        (10, 240, 140, 45),
        (10, 400, 140, 300),
        (50, 1200, 150, 60),
        (4, 90, 240, 20),
    ],
)
def test_shares_are_those_of_the_chain(operators, calls_an_hour, talk, patience):
    rate = calls_an_hour / 3600
    line = line_of(operators, rate, talk, patience, 20)
    states = chain(operators, rate, talk, patience)
    waiting = sum(states[operators:])
    lost = sum((calls - operators) / patience * share for calls, share in enumerate(states) if calls > operators) / rate
    assert line.waiting == pytest.approx(waiting, rel=1e-9)
    assert line.lost == pytest.approx(lost, rel=1e-9)
    busy = sum(min(calls, operators) * share for calls, share in enumerate(states))
    assert rate * line.answered == pytest.approx(busy / talk, rel=1e-9)  # what comes in is served or lost


@pytest.mark.parametrize(
    ("operators", "rate", "talk", "patience"), [(2, 1 / 60, 120, 60), (5, 1 / 20, 140, 40), (3, 1 / 60, 150, 900)]
)
def test_the_share_served_in_time_is_that_of_the_callers_own_chain(operators, rate, talk, patience):
    states = chain(operators, rate, talk, patience, 60)
    expected = sum(states[:operators]) + sum(
        share * served_within(before, operators, talk, patience, 20, steps=400)
        for before, share in enumerate(states[operators : operators + 25])
    )
    assert line_of(operators, rate, talk, patience, 20).within == pytest.approx(expected, abs=1e-7)


def erlang_c(operators, load):
    """The textbook's, for few operators."""
    terms = [load**k / factorial(k) for k in range(operators)]
    last = load**operators / factorial(operators) * operators / (operators - load)
    return last / (sum(terms) + last)


@pytest.mark.parametrize(("operators", "load"), [(1, 0.5), (5, 4.0), (12, 10.0), (20, 19.0)])
def test_without_impatience_it_is_erlang_c(operators, load):
    talk, seconds = 180, 20
    never = line_of(operators, load / talk, talk, inf, seconds)
    hardly = line_of(operators, load / talk, talk, 1e9, seconds)
    late = erlang_c(operators, load) * exp(-(operators - load) * seconds / talk)
    assert never.waiting == pytest.approx(erlang_c(operators, load), rel=1e-9)
    assert never.lost == 0
    assert never.within == pytest.approx(1 - late, rel=1e-9)
    assert hardly.waiting == pytest.approx(never.waiting, rel=1e-4)
    assert hardly.within == pytest.approx(never.within, rel=1e-4)


def test_with_talk_as_long_as_patience_the_line_is_a_poisson_crowd():
    """Then every caller leaves at one rate, waiting or served: M/M/∞."""
    load, operators, talk = 12.0, 10, 100
    line = line_of(operators, load / talk, talk, talk, 20)
    tail = 1 - sum(exp(k * log(load) - load - lgamma(k + 1)) for k in range(operators))
    assert line.waiting == pytest.approx(tail, rel=1e-9)


@pytest.mark.parametrize("operators", [300, 800, 3000])
def test_an_overloaded_crowd_is_a_stream(operators):
    """With many operators and twice the calls they can take, half of them are lost, whatever the patience."""
    line = line_of(operators, 2 * operators / 180, 180, 60, 20)
    assert line.lost == pytest.approx(0.5, abs=1e-6)
    assert line.waiting == pytest.approx(1, abs=1e-9)
    # the wait of all is patience * ln 2 = 41.6 s: nobody is served within 20 s
    assert line.within == pytest.approx(0, abs=1e-4)
    assert line_of(operators, 2 * operators / 180, 180, 60, 60).within == pytest.approx(0.5, abs=1e-3)


def test_more_calls_than_operators_and_no_impatience_is_refused():
    with pytest.raises(ValueError, match="without impatience"):
        line_of(5, 5 / 60, 60, inf, 20)
    assert operators_needed(5 / 60, 60, inf, Promise(seconds=20, within_at_least=0.9)) > 5


def test_published_values():
    """Mandelbaum and Zeltyn, "The Palm/Erlang-A queue, with applications to call centers" (2005), their first table.

    50 agents, 48 calls a minute, talk 1 minute, patience 2 minutes: 3.1 % abandon, the mean wait is 3.7 s, the agents
    are busy for 93 % of their time; without impatience the mean wait were 20.8 s.
    """
    rate, talk = 48 / 60, 60
    line = line_of(50, rate, talk, 120, 20)
    assert round(line.lost, 3) == 0.031
    assert round(line.lost * 120, 1) == 3.7  # Little: as many wait at once as give up in a patience
    assert round(rate * line.answered * talk / 50, 2) == 0.93
    assert round(line_of(50, rate, talk, inf, 20).waiting * talk / (50 - rate * talk), 1) == 20.8


def simulated(operators, rate, talk, patience, seconds, calls, seed=1):
    """First come, first served; each caller leaves when his patience ends."""
    chance = random.Random(seed)
    free_at = [0.0] * operators  # when each operator is free: with first come, first served that is all there is
    now, lost, within, answered = 0.0, 0, 0, 0
    heap: list[float] = []
    for at in free_at:
        heappush(heap, at)
    for _ in range(calls):
        now += chance.expovariate(rate)
        begins = max(now, heap[0])
        if begins - now >= chance.expovariate(1 / patience):
            lost += 1
            continue
        heappop(heap)
        heappush(heap, begins + chance.expovariate(1 / talk))
        answered += 1
        within += begins - now < seconds
    return lost / calls, within / answered


def test_a_simulation_of_events_agrees():
    args = (6, 150 / 3600, 150, 80, 20)
    lost, within = simulated(*args, calls=200_000)
    line = line_of(*args)
    assert line.lost == pytest.approx(lost, abs=0.005)
    assert line.within_of_answered == pytest.approx(within, abs=0.008)


QUALIPREF = Promise(seconds=20, lost_below=0.1, within_at_least=0.9)


@settings(max_examples=60, deadline=None)
@given(st.floats(0.01, 2000), st.floats(20, 900), st.floats(5, 3000))
def test_the_number_needed_is_the_least_that_keeps_the_promise(calls_an_hour, talk, patience):
    rate = calls_an_hour / 3600
    needed = operators_needed(rate, talk, patience, QUALIPREF)
    assert QUALIPREF.kept_by(line_of(needed, rate, talk, patience, 20))
    assert needed == 1 or not QUALIPREF.kept_by(line_of(needed - 1, rate, talk, patience, 20))


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 400), st.floats(0.1, 3), st.floats(20, 900), st.floats(1, 5000), st.floats(0.5, 120))
def test_shares_are_shares_and_one_more_operator_never_harms(operators, load, talk, patience, seconds):
    rate = load * operators / talk
    one, more = (line_of(count, rate, talk, patience, seconds) for count in (operators, operators + 1))
    for line in (one, more):
        assert 0 <= line.lost <= 1
        assert 0 <= line.within <= line.answered + 1e-9
        assert 0 <= line.waiting <= 1
    assert more.lost <= one.lost + 1e-9
    assert more.within_of_answered >= one.within_of_answered - 1e-9


def test_nobody_is_needed_where_nobody_calls_and_one_where_hardly_anybody_does():
    assert operators_needed(0, 180, 60, QUALIPREF) == 0
    assert operators_needed(1 / 3600 / 24, 180, 60, QUALIPREF) == 1
