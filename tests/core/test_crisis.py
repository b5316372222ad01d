"""The crisis cell's stopwatch: stages, countdown, people, and what is exceeded."""

from dataclasses import replace

import pytest

from telemon.crisis.stages import (
    CrisisStatus,
    Excess,
    Limit,
    LineNow,
    Stage,
    Step,
    Thresholds,
    headcount,
    present,
    progress,
    steps,
    verdict_at,
)
from telemon.duty_records import Crisis, CrisisMember
from telemon.instants import SECOND
from telemon.rates import Verdict

T = 1_795_464_005_000_000
HOUR = 3600 * SECOND
CRISIS = Crisis(
    crisis_id="prefecture:crise:2026-11-23T19:40:05Z",
    site="prefecture",
    service="crise",
    title="Usine",
    is_exercise=False,
    plan=3,
    deadline=HOUR,
    ordered_at=T,
    ordered_by="cdurand",
)
THRESHOLDS = Thresholds(maximum_waiting=10, maximum_wait=120 * SECOND, minimum_staff=2)


def stay(person, joined, left=None):
    return CrisisMember(
        crisis_id=CRISIS.crisis_id, person=person, joined_at=T + joined, left_at=None if left is None else T + left
    )


def told(crisis, members=(), *, line=None, answered=None):
    return progress(crisis, members, line_opened_at=line, first_answered_at=answered)


def test_an_order_alone_reaches_the_first_stage_only():
    assert told(CRISIS) == CRISIS
    assert steps(CRISIS) == (
        Step(Stage.ORDERED, T, 0, HOUR),
        Step(Stage.STAFFED, None, None, None),
        Step(Stage.LINE_OPEN, None, None, None),
        Step(Stage.OPERATIONAL, None, None, None),
    )


def test_every_stage_is_stamped_with_its_own_instant():
    there = told(CRISIS, [stay("a", 10), stay("b", 20), stay("c", 30)], line=T + 15, answered=T + HOUR + 1)
    assert (there.staffed_at, there.line_opened_at, there.operational_at) == (T + 30, T + 15, T + HOUR + 1)
    assert steps(there)[3] == Step(Stage.OPERATIONAL, T + HOUR + 1, HOUR + 1, -1)


def test_the_cell_is_staffed_when_all_are_there_at_once():
    members = [stay("a", 10, 50), stay("b", 20), stay("b", 25), stay("c", 50), stay("a", 70, 71), stay("d", 80)]
    assert headcount(members, T + 50) == 2  # a goes in the instant in which c comes; b has signed in twice
    assert told(CRISIS, members).staffed_at == T + 70
    assert present(members, T + 75) == ("b", "c")


def test_a_cell_of_whom_enough_never_meet_is_not_staffed():
    assert told(CRISIS, [stay("a", 1, 2), stay("b", 2, 3), stay("c", 3, 4)]).staffed_at is None


def test_a_stage_never_moves():
    stamped = replace(CRISIS, staffed_at=T + 5, line_opened_at=T + 6, operational_at=T + 7)
    assert told(stamped, [stay("a", 0), stay("b", 0), stay("c", 0)], line=T, answered=T + 1) == stamped


def test_a_line_open_before_the_order_is_open_from_the_order_on():
    assert told(CRISIS, line=T - HOUR).line_opened_at == T


@pytest.mark.parametrize(("at", "is_operational"), [(T - 1, False), (T, True), (T + 99, True), (T + 100, False)])
def test_only_an_answer_between_order_and_closure_makes_it_operational(at, is_operational):
    closed = replace(CRISIS, closed_at=T + 100)
    assert told(closed, answered=at).operational_at == (at if is_operational else None)


def test_nothing_is_stamped_from_the_closure_on():
    closed = replace(CRISIS, closed_at=T + 100)
    members = [stay("a", 1), stay("b", 2), stay("c", 100)]
    assert told(closed, members, line=T + 100) == closed


@pytest.mark.parametrize(
    ("operational", "closed", "now", "verdict", "remaining"),
    [
        (None, None, HOUR - 1, Verdict.UNDECIDED, 1),
        (None, None, HOUR, Verdict.BROKEN, 0),
        (None, None, HOUR + 5, Verdict.BROKEN, -5),
        (HOUR - 1, None, 2 * HOUR, Verdict.KEPT, 1),
        (HOUR, None, 2 * HOUR, Verdict.BROKEN, 0),
        (None, HOUR - 1, 2 * HOUR, Verdict.UNDECIDED, 1),
        (None, HOUR, 2 * HOUR, Verdict.BROKEN, 0),
    ],
)
def test_less_than_an_hour_means_less(operational, closed, now, verdict, remaining):
    crisis = replace(
        CRISIS,
        operational_at=None if operational is None else T + operational,
        closed_at=None if closed is None else T + closed,
    )
    status = CrisisStatus(crisis=crisis, members=(), now=T + now)
    assert (verdict_at(crisis, T + now), status.verdict, status.remaining) == (verdict, verdict, remaining)


def exceeded(line, *, people=2, **stages):
    members = tuple(stay(str(number), 0) for number in range(people))
    status = CrisisStatus(crisis=replace(CRISIS, **stages), members=members, now=T + 60 * SECOND, line=line)
    return status.exceeded(THRESHOLDS)


def test_what_is_at_its_threshold_is_not_exceeded():
    assert exceeded(LineNow(waiting=10, longest_wait=120 * SECOND), staffed_at=T) == ()


def test_everything_exceeded_is_told():
    assert exceeded(LineNow(waiting=11, longest_wait=120 * SECOND + 1), people=1, line_opened_at=T) == (
        Excess(Limit.WAITING, 11, 10),
        Excess(Limit.WAIT, 120 * SECOND + 1, 120 * SECOND),
        Excess(Limit.STAFF, 1, 2),
    )


def test_too_few_people_are_a_fault_only_once_the_cell_had_met():
    assert exceeded(None, people=0) == ()
    assert exceeded(None, people=0, operational_at=T) == (Excess(Limit.STAFF, 0, 2),)


def test_a_closed_cell_exceeds_nothing():
    assert exceeded(LineNow(waiting=99, longest_wait=HOUR), people=0, staffed_at=T, closed_at=T + 1) == ()


def test_a_line_of_which_only_the_ledger_tells_may_exceed_the_wait():
    assert exceeded(LineNow(waiting=None, longest_wait=HOUR)) == (Excess(Limit.WAIT, HOUR, 120 * SECOND),)
