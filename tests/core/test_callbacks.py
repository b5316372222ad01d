"""Lost callers to be called back: who is on the list, and what takes him off."""

from dataclasses import replace

import pytest

from telemon.callbacks.lost import MOST_LOSSES, Loss, LostCallers, entry_of
from telemon.callbacks.reading import concerns_nobody, contact_of, loss_of
from telemon.instants import SECOND
from telemon.records import Flag, Outcome
from telemon.rulesets import load_rulesets
from tests.ledger.kit import RICH

HOUR = 3600 * SECOND
KEEP = 24 * HOUR
RULES = load_rulesets()["qualipref"][-1]
KEY = ("pref31", "somebody")
T = 1_795_000_000 * SECOND


def loss(minutes, ref="", service="standard", number="0612345678"):
    at = T + minutes * 60 * SECOND
    return Loss(at, ref or f"call-{minutes}", at + KEEP, service, "abandoned", number)


def listed(*losses, now=T + HOUR):
    callers = LostCallers(KEEP)
    for one in losses:
        callers.lose(KEY, one, now)
    return callers


def test_a_caller_stands_once_with_the_first_and_the_last_of_his_calls():
    callers = listed(loss(1), loss(9, service="passeports", number="+33612345678"), loss(5))
    assert list(callers.all()) == [KEY]
    entry = entry_of("x", KEY, callers.losses(KEY))
    assert (entry.times, entry.first_at, entry.last_at) == (3, loss(1).at, loss(9).at)
    assert (entry.site, entry.service, entry.number) == ("pref31", "passeports", "+33612345678")


def test_the_number_is_in_no_repr():
    assert "0612345678" not in repr(entry_of("x", KEY, listed(loss(1)).losses(KEY)))


def test_the_same_call_told_twice_counts_once():
    assert len(listed(loss(1), loss(1)).losses(KEY)) == 1


def test_a_contact_takes_off_what_was_lost_before_and_nothing_later():
    callers = listed(loss(1), loss(5), loss(9))
    callers.reach(KEY, loss(5).at)
    assert callers.losses(KEY) == (loss(9),)
    callers.reach(KEY, loss(20).at)
    assert not callers.all()
    callers.lose(KEY, loss(7), T + HOUR)  # told late
    assert not callers.all()
    callers.lose(KEY, loss(21), T + HOUR)
    assert callers.losses(KEY) == (loss(21),)


def test_a_contact_at_one_site_is_none_at_another():
    callers = listed(loss(1))
    callers.reach(("pref09", KEY[1]), loss(5).at)
    assert KEY in callers.all()


def test_a_loss_is_forgotten_after_its_hours_to_the_microsecond():
    callers = listed(loss(1), loss(5))
    callers.expire(loss(1).until - 1)
    assert len(callers.losses(KEY)) == 2
    callers.expire(loss(1).until)
    assert callers.losses(KEY) == (loss(5),)
    callers.expire(loss(5).until)
    assert not callers.all()
    callers.lose(KEY, loss(5), loss(5).until)
    assert not callers.all()


def test_a_pbx_whose_clock_is_ahead_makes_nothing_last_longer():
    callers = LostCallers(KEEP)
    assert callers.until(T + 1000 * HOUR, T) == T + KEEP
    assert callers.until(T - HOUR, T) == T - HOUR + KEEP


def test_a_list_that_keeps_less_lets_go_earlier_of_what_another_one_told():
    callers = LostCallers(HOUR)
    callers.lose(KEY, loss(1), T)
    assert callers.losses(KEY)[0].until == loss(1).at + HOUR


def test_it_is_bounded_and_the_oldest_fall_out():
    callers = LostCallers(KEEP, most=3)
    for minute in (5, 1, 3, 2, 4):
        callers.lose(("s", str(minute)), loss(minute), T + HOUR)
    assert [key[1] for key in callers.all()] == ["5", "4", "3"]
    assert callers.fallen_out == 2
    one = listed(*(loss(minute) for minute in range(MOST_LOSSES + 5)))
    assert one.losses(KEY)[0] == loss(5)
    assert len(one.losses(KEY)) == MOST_LOSSES


# -- what a call means

LOST = replace(
    RICH, outcome=Outcome.ABANDONED, answered_at=None, answered_by=None, flags=(), machine_answered_at=None,
    diverted_at=None, alerting_at=RICH.arrived_at, ended_at=RICH.arrived_at + 30 * SECOND,
)  # fmt: skip


def lost(record, rules=RULES):
    return loss_of(record, rules, "0612345678", 0)


@pytest.mark.parametrize("outcome", sorted(set(Outcome) - {Outcome.SHORT_ABANDONED}))
def test_lost_is_what_the_rule_set_calls_lost(outcome):
    found = lost(replace(LOST, outcome=outcome))
    if outcome in RULES.lost:
        assert found is not None
        assert (found.at, found.ref, found.outcome) == (LOST.ended_at, LOST.call_id, outcome)
    else:
        assert found is None


def test_a_short_abandon_under_the_rule_sets_own_threshold_is_none():
    assert lost(replace(LOST, ended_at=LOST.arrived_at + 4 * SECOND)) is None
    assert lost(LOST, replace(RULES, short_abandon=40 * SECOND)) is None
    short = replace(LOST, outcome=Outcome.SHORT_ABANDONED)
    assert lost(short) is not None  # 30 s of ringing: short for the site, but not under this rule set


def test_an_answer_is_a_contact_until_the_end_of_the_talk_as_far_as_seen():
    assert RICH.answered_at is not None
    assert contact_of(RICH) == RICH.ended_at
    assert contact_of(replace(RICH, ended_at=None)) == RICH.answered_at
    assert contact_of(LOST) is None
    assert lost(RICH) is None


def test_a_machines_answer_is_no_contact_even_where_the_rule_set_counts_it():
    marianne = load_rulesets()["marianne"][-1]
    by_machine = replace(LOST, outcome=Outcome.DIVERTED, machine_answered_at=LOST.arrived_at + SECOND)
    assert contact_of(by_machine) is None
    assert lost(by_machine, marianne) is None
    assert lost(by_machine) is not None


def test_test_calls_and_the_house_itself_concern_nobody():
    assert concerns_nobody(replace(LOST, is_probe=True))
    assert concerns_nobody(replace(LOST, flags=(Flag.INTERNAL,)))
    assert not concerns_nobody(LOST)
