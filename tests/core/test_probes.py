"""Test calls: what a verdict follows from, and when the next one is due."""

import random
from dataclasses import replace
from datetime import datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from telemon.duty_records import Probe, ProbeResult
from telemon.instants import SECOND, from_datetime, to_datetime
from telemon.probes.pursuit import (
    AFTERWARDS,
    KEY_DEVICE,
    MINUTE,
    SETTLE,
    Answer,
    Pursuit,
    Timetable,
    Why,
    left_over,
    probe_json,
    reason,
)
from telemon.records import AttemptResult, CallRecord, Outcome, Provenance, RingAttempt, ServiceKind

PARIS = ZoneInfo("Europe/Paris")
ORDERED = from_datetime(datetime(2026, 11, 23, 2, 17, tzinfo=PARIS))
RING = 60 * SECOND
PROBE = Probe(
    probe_id="probe-1",
    site="pref",
    service="permanence",
    pbx="pbx",
    number="0102030406",
    ordered_by="schedule",
    ordered_at=ORDERED,
)


def at(seconds):
    return ORDERED + round(seconds * SECOND)


def call(outcome=Outcome.ANSWERED, *, attempt=AttemptResult.ANSWERED, **more):
    """The probe's call, which rings at 1 s, is answered at 4 s and over at 12 s."""
    answered = outcome is Outcome.ANSWERED
    fields = {
        "call_id": "pref:1.1",
        "site": "pref",
        "service": "permanence",
        "service_kind": ServiceKind.PERMANENCE,
        "ddi": "0102030406",
        "caller": "0102030499",
        "linkedid": "1.1",
        "arrived_at": at(0.5),
        "alerting_at": at(1),
        "operator_ringing_at": None,
        "operator_up_at": None,
        "answered_at": at(4) if answered else None,
        "answered_not_before": None,
        "machine_answered_at": None,
        "diverted_at": None,
        "ended_at": at(12),
        "outcome": outcome,
        "ended_by": None,
        "answered_by": "PJSIP/duty" if answered else None,
        "queues": ("permanence",),
        "attempts": (
            RingAttempt(operator="PJSIP/duty", started_at=at(1), ringing_at=at(1), ended_at=at(4), result=attempt),
        ),
        "transfers": (),
        "hold_duration": 0,
        "hangup_cause": 16,
        "is_probe": True,
        "flags": (),
        "provenance": Provenance.LIVE,
    }
    return CallRecord(**{**fields, **more})


def verdict(*records, now=13.0, answer=Answer.REACHED, detail="", key=None, lost=None):
    pursuit = Pursuit(PROBE, RING)
    if answer is not None:
        pursuit.respond(at(4), answer, detail)
    if key is not None:
        pursuit.change(at(key), KEY_DEVICE, "INUSE")
    if lost is not None:
        pursuit.lose(at(lost))
    for record in records:
        pursuit.finish(record)
    return pursuit.verdict(at(now))


# -- what became of it


def test_who_answers_and_presses_the_key_confirms():
    done = verdict(call(), key=8)
    assert done == replace(
        PROBE,
        result=ProbeResult.CONFIRMED,
        call_id="pref:1.1",
        alerting_at=at(1),
        answered_at=at(4),
        confirmed_at=at(8),
        ended_at=at(12),
        answered_by="PJSIP/duty",
    )
    assert done.delay == 4 * SECOND


def test_without_a_key_an_answer_is_an_answer():
    done = verdict(call())
    assert (done.result, done.confirmed_at, done.delay, done.reason) == (ProbeResult.ANSWERED, None, 4 * SECOND, "")


@pytest.mark.parametrize("key", [-1, 2])
def test_a_key_of_before_the_answer_was_pressed_in_another_call(key):
    assert verdict(call(), key=key).result is ProbeResult.ANSWERED


def test_a_key_of_another_call_hides_none_of_this_one():
    pursuit = Pursuit(PROBE, RING)
    for seconds in (-1, 2, 8, 9):
        pursuit.change(at(seconds), KEY_DEVICE, "INUSE")
    pursuit.finish(call())
    assert pursuit.abandon(at(13)).confirmed_at == at(8)


def test_the_first_such_call_is_the_one_that_was_ordered():
    assert verdict(call(), call(Outcome.ABANDONED, arrived_at=at(11))).result is ProbeResult.ANSWERED


@pytest.mark.parametrize(("device", "state"), [("Custom:telemon-night", "INUSE"), (KEY_DEVICE, "NOT_INUSE")])
def test_other_devices_and_states_confirm_nothing(device, state):
    pursuit = Pursuit(PROBE, RING)
    pursuit.change(at(8), device, state)
    pursuit.finish(call())
    assert pursuit.abandon(at(13)).result is ProbeResult.ANSWERED


@pytest.mark.parametrize(
    ("record", "result"),
    [
        (call(Outcome.ABANDONED, attempt=AttemptResult.CANCELLED), ProbeResult.UNANSWERED),
        (call(Outcome.SHORT_ABANDONED, attempt=AttemptResult.CANCELLED), ProbeResult.UNANSWERED),
        (call(Outcome.UNANSWERED, attempt=AttemptResult.NO_ANSWER), ProbeResult.UNANSWERED),
        (call(Outcome.BUSY, attempt=AttemptResult.BUSY), ProbeResult.UNANSWERED),
        (call(Outcome.FAILED, attempt=AttemptResult.UNREACHABLE), ProbeResult.UNANSWERED),
        (call(Outcome.UNANSWERED, attempt=AttemptResult.NOT_ACCEPTED), ProbeResult.MACHINE),
        (call(Outcome.DIVERTED, attempt=AttemptResult.NO_ANSWER, diverted_at=at(5)), ProbeResult.MACHINE),
        (call(Outcome.CLOSED, attempts=(), alerting_at=None, machine_answered_at=at(1)), ProbeResult.MACHINE),
        (call(Outcome.UNKNOWN, attempt=AttemptResult.UNKNOWN, ended_at=None), ProbeResult.UNKNOWN),
    ],
)
def test_each_outcome_has_its_result(record, result):
    done = verdict(record, answer=Answer.FAILED)
    assert done.result is result
    assert (done.answered_at, done.answered_by, done.delay) == (None, None, None)


def test_an_answer_after_a_machine_is_an_answer():
    """The line greets, then an operator takes the call."""
    assert verdict(call(machine_answered_at=at(1)), key=8).result is ProbeResult.CONFIRMED


@pytest.mark.parametrize(
    "stranger",
    [
        call(is_probe=False),
        call(site="elsewhere"),
        call(service="standard", ddi="0102030405"),
        call(arrived_at=at(-30)),
    ],
)
def test_a_call_of_somebody_else_is_not_the_probes(stranger):
    assert verdict(stranger) is None


def test_a_number_that_leads_to_another_service_is_still_the_number():
    assert verdict(call(service="standard")).result is ProbeResult.ANSWERED


@pytest.mark.parametrize(
    ("lost", "record", "result"),
    [
        (2, call(), ProbeResult.UNKNOWN),
        (6, call(), ProbeResult.ANSWERED),
        (6, call(Outcome.ABANDONED, attempt=AttemptResult.CANCELLED), ProbeResult.UNKNOWN),
        (12.5, call(Outcome.ABANDONED, attempt=AttemptResult.CANCELLED), ProbeResult.UNANSWERED),
    ],
)
def test_what_a_gap_hid_is_not_known(lost, record, result):
    assert verdict(record, lost=lost).result is result


def test_after_a_gap_the_call_is_waited_for_then_given_up():
    limit = (RING + AFTERWARDS) / SECOND
    assert verdict(lost=2, now=limit - 1) is None
    done = verdict(lost=2, now=limit)
    assert (done.result, done.reason) == (ProbeResult.UNKNOWN, "gap")


@pytest.mark.parametrize(("answer", "why"), [(Answer.REFUSED, Why.REFUSED), (Answer.NO_LOGIN, Why.NO_LOGIN)])
def test_what_was_not_placed_fails_at_once_and_says_why(answer, why):
    done = verdict(answer=answer, detail="Permission denied", now=4)
    assert (done.result, done.reason) == (ProbeResult.FAILED, f"{why.value}: Permission denied")


@pytest.mark.parametrize(
    ("answer", "wait", "result", "why"),
    [
        (Answer.FAILED, 4 * SECOND + SETTLE, ProbeResult.FAILED, reason(Why.NOT_RETURNED, "FAILURE")),
        (Answer.REACHED, 4 * SECOND + AFTERWARDS, ProbeResult.FAILED, reason(Why.NOT_RECOGNISED)),
        (Answer.UNHEARD, RING + AFTERWARDS + SETTLE, ProbeResult.UNKNOWN, reason(Why.NO_RESPONSE)),
        (None, RING + AFTERWARDS + SETTLE, ProbeResult.UNKNOWN, reason(Why.NO_RESPONSE)),
    ],
)
def test_a_call_that_never_comes_in_is_waited_for_so_long(answer, wait, result, why):
    assert verdict(answer=answer, detail="FAILURE", now=(wait - 1) / SECOND) is None
    done = verdict(answer=answer, detail="FAILURE", now=wait / SECOND)
    assert (done.result, done.reason) == (result, why)


def test_whoever_looks_and_sees_no_call_waits_no_longer_than_it_takes_to_settle():
    pursuit = Pursuit(PROBE, RING)
    pursuit.is_missing = True
    pursuit.respond(at(4), Answer.REACHED)
    assert pursuit.verdict(at(4) + SETTLE - 1) is None
    done = pursuit.verdict(at(4) + SETTLE)
    assert done is not None
    assert done.reason == "not_recognised"


def test_where_nothing_will_be_heard_any_more_nothing_is_waited_for():
    pursuit = Pursuit(PROBE, RING)
    pursuit.give_up(at(3))
    assert pursuit.verdict(at(2)) is None
    done = pursuit.verdict(at(3))
    assert done is not None
    assert (done.result, done.reason) == (ProbeResult.UNKNOWN, "gap")


def test_whoever_stops_before_the_end_says_so():
    pursuit = Pursuit(PROBE, RING)
    done = pursuit.abandon(at(3))
    assert (done.result, done.reason, done.ended_at) == (ProbeResult.UNKNOWN, "stopped", at(3))
    pursuit.finish(call())
    assert pursuit.abandon(at(13)).result is ProbeResult.ANSWERED


def test_a_probe_that_nobody_will_finish_is_told_from_one_under_way():
    limit = RING + AFTERWARDS + SETTLE
    assert left_over(PROBE, ORDERED + limit - 1, RING) is None
    done = left_over(PROBE, ORDERED + limit, RING)
    assert done is not None
    assert (done.result, done.reason) == (ProbeResult.UNKNOWN, "no_response")


def test_json_holds_instants_and_the_delay():
    shown = probe_json(verdict(call(), key=8))
    assert shown["answered_at"] == "2026-11-23T01:17:04.000000+00:00"
    assert (shown["delay_seconds"], shown["result"]) == (4.0, "confirmed")
    assert shown["confirmed_at"] == "2026-11-23T01:17:08.000000+00:00"
    assert probe_json(PROBE)["result"] is None


# -- when


def local(instant):
    return to_datetime(instant).astimezone(PARIS)


def drawn(per_day, count, *, seed=1, start=ORDERED):
    """The next times, each placed as it is due."""
    timetable, rng = Timetable(per_day, PARIS), random.Random(seed)
    times, previous, now = [], None, start
    for _ in range(count):
        previous = now = timetable.draw(now, previous, rng)
        times.append(now)
    return times


def test_times_are_spread_over_all_hours_and_weekdays():
    year = drawn(1, 365)
    hours = [local(time).hour for time in year]
    assert set(hours) == set(range(24))
    assert max(map(hours.count, set(hours))) < 3 * 365 / 24
    assert {local(time).weekday() for time in year} == set(range(7))
    assert len({local(time).date() for time in year}) == 365


def test_several_a_day_each_have_their_own_part_of_the_day():
    times = drawn(3, 30, start=from_datetime(datetime(2026, 11, 23, tzinfo=PARIS)))
    assert [local(time).hour // 8 for time in times] == [0, 1, 2] * 10


def test_one_a_week_comes_once_a_week_on_any_day():
    times = drawn(1 / 7, 52)
    assert {local(time).weekday() for time in times} == set(range(7))
    assert all(later - earlier < 14 * 1440 * MINUTE for earlier, later in pairwise(times))


def test_another_seed_draws_another_time():
    assert len({drawn(1, 1, seed=seed)[0] for seed in range(20)}) > 15


def test_after_a_restart_nothing_is_made_up_for():
    """Three days of standstill: one probe in what is left of the present day, then one a day."""
    previous = from_datetime(datetime(2026, 11, 20, 9, 3, tzinfo=PARIS))
    now = from_datetime(datetime(2026, 11, 23, 22, 0, 30, tzinfo=PARIS))
    timetable, rng = Timetable(1, PARIS), random.Random(3)
    first = timetable.draw(now, previous, rng)
    second = timetable.draw(first, first, rng)
    assert (local(first).day, local(second).day) == (23, 24)


def test_a_restart_after_the_days_probe_draws_none_for_the_same_day():
    previous = from_datetime(datetime(2026, 11, 23, 9, 3, tzinfo=PARIS))
    now = from_datetime(datetime(2026, 11, 23, 10, 0, tzinfo=PARIS))
    for seed in range(50):
        assert local(Timetable(1, PARIS).draw(now, previous, random.Random(seed))).day == 24


def test_a_clock_that_was_set_back_does_not_end_the_tests():
    ahead = ORDERED + 400 * 1440 * MINUTE
    assert Timetable(1, PARIS).draw(ORDERED, ahead, random.Random(1)) < ORDERED + 2 * 1440 * MINUTE


def test_what_is_postponed_follows_within_an_hour_at_another_hour_of_the_day():
    previous = from_datetime(datetime(2026, 11, 22, 3, 30, tzinfo=PARIS))
    now = from_datetime(datetime(2026, 11, 23, 2, 40, 10, tzinfo=PARIS))
    times = {Timetable(1, PARIS).postpone(now, previous, random.Random(seed)) for seed in range(300)}
    assert {local(time).hour for time in times} == {2}
    assert min(times) > now
    within = from_datetime(datetime(2026, 11, 23, 2, 59, 30, tzinfo=PARIS))
    later = Timetable(1, PARIS).postpone(within, previous, random.Random(1))
    assert local(later).hour == 4


@pytest.mark.parametrize("per_day", [0, 0.01, 24.5, -1])
def test_what_cannot_be_drawn_is_refused(per_day):
    with pytest.raises(ValueError, match="can be drawn"):
        Timetable(per_day, PARIS)


def test_a_machine_that_slept_over_the_time_is_told_from_one_that_is_in_time():
    timetable = Timetable(1, PARIS)
    assert not timetable.is_too_late(ORDERED, ORDERED + MINUTE)
    assert timetable.is_too_late(ORDERED, ORDERED + 2 * MINUTE)
