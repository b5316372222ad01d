"""Whatever the time, the zone and the order of things: the next test call keeps its rules, and each has one end."""

import random
from dataclasses import replace
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from telemon.duty_records import ProbeResult
from telemon.instants import SECOND, to_datetime
from telemon.probes.pursuit import AFTERWARDS, KEY_DEVICE, MINUTE, SETTLE, Answer, Pursuit, Timetable
from telemon.records import AttemptResult, Outcome
from tests.core.test_probes import ORDERED, PROBE, RING, at, call

ZONES = (
    "Europe/Paris",
    "America/Cayenne",
    "Australia/Lord_Howe",
    "Asia/Kathmandu",
    "Pacific/Apia",
    "America/Sao_Paulo",
)
# 2000 to 2036, any second
MOMENTS = st.integers(946_684_800, 2_082_758_400).map(lambda second: second * SECOND)
PER_DAY = st.one_of(st.integers(1, 24), st.sampled_from([1 / 31, 1 / 7, 0.5, 1.5, 2.7, 11.3]))


def hour(instant, zone):
    return to_datetime(instant).astimezone(zone).hour


@given(MOMENTS, st.sampled_from(ZONES), PER_DAY, st.integers(0, 3 * 86_400), st.integers())
@settings(max_examples=300, deadline=None)
def test_the_next_time_is_a_minute_ahead_at_another_hour_and_not_far(now, name, per_day, ago, seed):
    zone, rng, previous = ZoneInfo(name), random.Random(seed), now - ago * SECOND
    timetable = Timetable(per_day, zone)
    for due in (timetable.draw(now, previous, rng), timetable.postpone(now, previous, rng)):
        assert due > now
        assert due % MINUTE == 0
        assert hour(due, zone) != hour(previous, zone)
    assert timetable.draw(now, previous, rng) - now <= (2 * 1440 / per_day + 26 * 60) * MINUTE
    assert timetable.postpone(now, previous, rng) - now <= 182 * MINUTE


@given(
    MOMENTS,
    st.sampled_from(ZONES),
    st.integers(1, 24),
    st.integers(),
    st.lists(st.booleans(), min_size=40, max_size=40),
)
@settings(max_examples=100, deadline=None)
def test_restarts_at_any_time_never_make_a_burst(now, name, per_day, seed, restarts):
    """Each time is either kept, or lost to a restart half-way to it; no part of the day is tested twice."""
    zone, rng, placed, previous = ZoneInfo(name), random.Random(seed), [], None
    timetable = Timetable(per_day, zone)
    for lost in restarts:
        due = timetable.draw(now, previous, rng)
        if lost:
            now += (due - now) // 2
        else:
            now = previous = due
            placed.append(due)
    for first, third in zip(placed, placed[2:], strict=False):
        # two parts lie between, at least one of them whole, but for an hour that the clock skips
        assert third - first >= (1440 // per_day - 61) * MINUTE


RECORDS = [
    call(),
    call(Outcome.ABANDONED, attempt=AttemptResult.CANCELLED),
    call(Outcome.DIVERTED, attempt=AttemptResult.NO_ANSWER, diverted_at=at(5)),
    call(Outcome.UNKNOWN, ended_at=None),
    call(is_probe=False),
    replace(call(), answered_at=None),
]
TIMES = st.integers(-10, 200).map(at)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("respond"), TIMES, st.sampled_from(Answer)),
        st.tuples(st.just("finish"), st.sampled_from(RECORDS)),
        st.tuples(st.just("change"), TIMES, st.just(KEY_DEVICE), st.sampled_from(["INUSE", "NOT_INUSE"])),
        st.tuples(st.just("lose"), TIMES),
    ),
    max_size=8,
)


@given(STEPS, TIMES)
@settings(max_examples=500)
def test_each_probe_ends_and_its_result_is_no_more_than_was_seen(steps, now):
    pursuit = Pursuit(PROBE, RING)
    for name, *values in steps:
        getattr(pursuit, name)(*values)
    pursuit.verdict(now)
    done = pursuit.verdict(ORDERED + RING + AFTERWARDS + max(200 * SECOND, SETTLE) + AFTERWARDS)
    assert done is not None
    assert done.result is not None
    assert replace(done, result=None).ordered_at == PROBE.ordered_at
    people = {ProbeResult.CONFIRMED, ProbeResult.ANSWERED}
    assert (done.answered_at is not None) <= (done.result in people)
    assert (done.confirmed_at is not None) == (done.result is ProbeResult.CONFIRMED)
    assert (done.result in people | {ProbeResult.MACHINE, ProbeResult.UNANSWERED}) <= (done.call_id is not None)
    assert (done.result in {ProbeResult.FAILED, ProbeResult.UNKNOWN}) == bool(done.reason)
    if done.result is ProbeResult.CONFIRMED:
        assert done.answered_at is not None
        assert done.confirmed_at is not None
        assert done.ordered_at <= done.answered_at <= done.confirmed_at
    if done.delay is not None:
        assert done.delay >= 0
