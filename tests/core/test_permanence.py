"""A permanence's intervals: what begins when, for which cause, and what turns out only later."""

import pytest

from telemon.duty_records import Coverage, ProbeResult, UncoveredCause
from telemon.records import Outcome
from tests.core.permanence_kit import OFFICERS, Stage, Turns, at, call, device, member, open_in, probe, rules


def test_each_change_of_the_only_phone_has_its_cause():
    stage = Stage().begin()
    stage.tell(member(1, status=5), member(2), member(3, paused=1), member(4, paused=0), member(5, status=6))
    stage.tell(device(6, "PJSIP/operator", "UNAVAILABLE"), device(7, "PJSIP/operator", "NOT_INUSE"))
    assert stage.told(10) == [
        (0, "covered"), (1, "nobody_registered"), (2, "covered"), (3, "all_paused"), (4, "covered"),
        (6, "trunk_down"), (7, "covered"),
    ]  # fmt: skip


def test_intervals_follow_each_other_and_the_last_is_open():
    stage = Stage().begin().tell(member(1.5, status=5), member(2)).store()
    first, second, third = stage.rows.values()
    assert (first.started_at, first.ended_at, first.state, first.cause) == (at(0), at(1.5), Coverage.COVERED, None)
    assert (second.started_at, second.ended_at, second.cause) == (at(1.5), at(2), UncoveredCause.NOBODY_REGISTERED)
    assert (third.started_at, third.ended_at) == (at(2), None)
    assert stage.permanence.current == third
    assert (third.site, third.service, third.observer) == ("site", "permanence", "")


@pytest.mark.parametrize("asked", [(), (30,), (29.999999, 30, 31, 100)])
def test_a_call_is_too_long_from_the_limit_on_whenever_time_is_looked_at(asked):
    stage = Stage().begin().tell(member(10, status=2))
    for second in asked:
        stage.permanence.advance(at(second))
    stage.tell(member(100, status=1))
    assert stage.told(200) == [(0, "covered"), (40, "all_in_call"), (100, "covered")]


def test_a_call_that_ends_in_time_leaves_it_covered():
    stage = Stage().begin().tell(member(10, status=2), member(39.999999, status=1))
    assert stage.told(200) == [(0, "covered")]


def test_opening_hours_and_shifts_change_at_their_own_instants_however_late_time_is_looked_at():
    day = open_in(Turns([100, 200], [True, False], before=False))
    stage = Stage(rules([day]))
    stage.permanence.duty = Turns([150, 250, 300], [frozenset(), frozenset({"x"}), frozenset()], frozenset({"x"}))
    stage.permanence.next_duty_change = stage.permanence.duty.next_change
    stage.begin(member(0, status=5), member(0, "PJSIP/op1", queue="standard"))
    assert stage.told(1000) == [
        (0, "nobody_registered"), (100, "covered"), (200, "roster_hole"), (250, "nobody_registered"),
        (300, "roster_hole"),
    ]  # fmt: skip


def test_while_nothing_is_seen_nothing_is_known_even_of_time_that_was_told():
    stage = Stage()
    stage.permanence.lose(at(-5))
    stage.begin().tell(member(3, status=2)).store()
    stage.permanence.advance(at(40))  # 33: in call too long
    stage.store()
    stage.permanence.lose(at(20))  # it was frozen since then
    stage.tell(member(45, status=5))
    stage.permanence.see(at(50))
    assert stage.told(60) == [(-5, "unknown"), (0, "covered"), (20, "unknown"), (50, "nobody_registered")]


def test_what_went_missing_is_taken_back_and_what_follows_stays():
    stage = Stage().begin().tell(member(10, status=5), member(20)).store()
    stage.permanence.doubt(at(5), at(15))
    assert stage.told(60) == [(0, "covered"), (5, "unknown"), (15, "nobody_registered"), (20, "covered")]


# what calls prove


def test_a_call_that_nobody_answers_makes_it_uncovered_since_it_rang_until_the_limit():
    stage = Stage().begin().store()
    stage.permanence.finished(call(10, 25))
    assert stage.told(300) == [(0, "covered"), (10, "rang_out"), (25 + 60, "covered")]


@pytest.mark.parametrize("is_stored", [True, False])
def test_a_call_that_rang_out_says_nothing_of_time_with_another_cause(is_stored):
    stage = Stage().begin().tell(member(12, status=5), member(15), member(30, paused=1), member(40))
    if is_stored:
        stage.store()
    stage.permanence.finished(call(10, 45))
    assert stage.told(300) == [
        (0, "covered"), (10, "rang_out"), (12, "nobody_registered"), (15, "rang_out"), (30, "all_paused"),
        (40, "rang_out"), (105, "covered"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "prove",
    [
        lambda permanence: permanence.finished(call(50, 80, answered=55)),
        lambda permanence: permanence.probed(probe(50, ProbeResult.ANSWERED, answered=55, ended=80)),
        lambda permanence: permanence.probed(probe(50, ProbeResult.CONFIRMED, answered=55, ended=80)),
        lambda permanence: permanence.signed_in(at(55)),
    ],
)
def test_whoever_answers_or_signs_in_ends_it_from_that_instant_on(prove):
    stage = Stage().begin()
    stage.permanence.finished(call(10, 25))
    prove(stage.permanence)
    assert stage.told(300) == [(0, "covered"), (10, "rang_out"), (55, "covered")]


def test_an_answer_says_nothing_of_what_rang_out_after_it():
    stage = Stage().begin()
    stage.permanence.finished(call(10, 25))
    stage.permanence.finished(call(60, 70))  # while the one answered at 55 goes on
    stage.store()
    stage.permanence.finished(call(50, 80, answered=55))
    assert stage.told(300) == [(0, "covered"), (10, "rang_out"), (55, "covered"), (60, "rang_out"), (130, "covered")]


def test_an_answer_between_its_ringing_and_its_end_ends_it():
    stage = Stage().begin()
    stage.permanence.finished(call(12, 18, answered=14))
    stage.permanence.finished(call(10, 25))
    assert stage.told(300) == [(0, "covered"), (10, "rang_out"), (14, "covered")]


@pytest.mark.parametrize(
    "record",
    [
        call(10, 25, service="standard"),
        call(10, 25, is_probe=True),
        call(10, 25, outcome=Outcome.ABANDONED),
        call(10, 25, outcome=Outcome.DIVERTED),
    ],
)
def test_other_calls_say_nothing_of_it(record):
    stage = Stage().begin()
    stage.permanence.finished(record)
    assert stage.told(300) == [(0, "covered")]


@pytest.mark.parametrize(
    ("result", "told"),
    [
        (ProbeResult.UNANSWERED, [(0, "covered"), (12, "rang_out"), (90, "covered")]),
        (ProbeResult.MACHINE, [(0, "covered"), (12, "rang_out"), (90, "covered")]),
        (ProbeResult.FAILED, [(0, "covered")]),
        (ProbeResult.UNKNOWN, [(0, "covered")]),
        (None, [(0, "covered")]),
    ],
)
def test_a_test_call_that_nobody_answers_counts_as_any_other(result, told):
    stage = Stage().begin()
    stage.permanence.probed(probe(10, result, alerting=12, ended=30))
    stage.permanence.probed(probe(10, ProbeResult.UNANSWERED, alerting=12, ended=30, service="other"))
    assert stage.told(300) == told


def test_a_mobile_counts_for_so_long_after_the_last_test_call_that_was_answered():
    found = rules(officers=OFFICERS, mobile_trunk="PJSIP/gsm", mobile_proof=100_000_000)
    stage = Stage(found).begin(member(0, status=5), device(0, "PJSIP/gsm", "NOT_INUSE"))
    stage.permanence.probed(probe(10, ProbeResult.CONFIRMED, alerting=12, answered=20, ended=20))
    stage.permanence.probed(probe(60, ProbeResult.ANSWERED, alerting=62, answered=70, ended=75))
    stage.tell(device(90, "PJSIP/gsm", "UNAVAILABLE"), device(95, "PJSIP/gsm", "NOT_INUSE"))
    assert stage.told(300) == [
        (0, "nobody_registered"), (20, "covered"), (90, "trunk_down"), (95, "covered"), (170, "nobody_registered"),
    ]  # fmt: skip


# order and repetition


def test_an_event_late_by_a_little_is_taken_at_the_latest_change():
    stage = Stage().begin().tell(member(10, status=5), member(9.5))
    assert stage.told(20) == [(0, "covered")]
    stage.tell(member(12, status=5)).store().tell(member(11.5))
    assert stage.told(20) == [(0, "covered")]
    assert stage.rows[at(12)].state is Coverage.COVERED  # its row stays, and says so


def test_the_same_news_twice_changes_nothing():
    once, twice = Stage().begin(), Stage().begin()
    for stage, times in ((once, 1), (twice, 2)):
        for _ in range(times):
            stage.tell(*[member(1, status=5)] * times, *[member(2)] * times)
            for _ in range(times):
                stage.permanence.finished(call(10, 25))
                stage.permanence.finished(call(50, 80, answered=55))
    assert twice.told(300) == once.told(300)


def test_nothing_is_told_twice():
    stage = Stage().begin().tell(member(1, status=5))
    assert len(stage.permanence.take_changed()) == 2
    assert stage.permanence.take_changed() == []
    stage.tell(member(1.5, status=5), device(1.6, "PJSIP/other", "INUSE"))
    assert stage.permanence.take_changed() == []


def test_other_rules_hold_from_when_they_are_said_to():
    stage = Stage(officers=OFFICERS).begin(member(0, status=5), device(0, "PJSIP/gsm", "NOT_INUSE"))
    fresh = Stage(officers=OFFICERS, mobile_trunk="PJSIP/gsm").permanence
    stage.board.patterns = fresh.rules.devices
    stage.board.feed(device(5, "PJSIP/gsm", "NOT_INUSE"))
    stage.permanence.reconfigure(fresh)
    stage.permanence.on_duty_changed(at(10))
    assert stage.told(20) == [(0, "nobody_registered"), (10, "covered")]
