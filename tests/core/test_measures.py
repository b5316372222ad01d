from __future__ import annotations

from dataclasses import replace
from datetime import date
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemon.errors import ConfigError
from telemon.instants import SECOND
from telemon.measures import measure, measure_by, measure_by_service, merge
from telemon.rates import Rate, Verdict
from telemon.records import CallRecord, Flag, Outcome, Provenance, ServiceKind
from telemon.rulesets import Clock, Goal, GoalKind, load_rulesets, ruleset_at

CYCLE = 5 * SECOND
HOUR = 3600 * SECOND
ARRIVED = 1_700_000_000 * SECOND
IVR = 3 * SECOND  # from the arrival to the first ring
RULESETS = load_rulesets()
QUALIPREF, MARIANNE, PLUS = (
    ruleset_at(RULESETS, name, date(2026, 1, 1)) for name in ("qualipref", "marianne", "services-publics-plus")
)
WITHIN = replace(QUALIPREF, goals=(Goal(GoalKind.WITHIN_RINGS_AT_LEAST, Fraction(1, 2)),))


def call(outcome=Outcome.ANSWERED, rang=2 * SECOND, **changes):
    """A call that arrived at ARRIVED, rang from 3 s later for ``rang``, and talked for a minute if answered."""
    over = ARRIVED + IVR + rang
    answered = outcome is Outcome.ANSWERED
    record = CallRecord(
        call_id="s:1", site="s", service="accueil", service_kind=ServiceKind.SWITCHBOARD, ddi="3900",
        caller="0102030405", linkedid="1", arrived_at=ARRIVED, alerting_at=ARRIVED + IVR,
        operator_ringing_at=None, operator_up_at=None,
        answered_at=over if answered else None, answered_not_before=None, machine_answered_at=None, diverted_at=None,
        ended_at=over + 60 * SECOND if answered else over, outcome=outcome, ended_by=None,
        answered_by="PJSIP/op1" if answered else None, queues=(), attempts=(), transfers=(), hold_duration=0,
        hangup_cause=16, is_probe=False, flags=(), provenance=Provenance.LIVE,
    )  # fmt: skip
    return replace(record, **changes)


def unknown():
    return call(Outcome.UNKNOWN, ended_at=None, flags=(Flag.ENDED_IN_GAP,))


def test_twenty_seconds_sharp_break_the_promise():
    measures = measure([call(rang=19_999_999), call(rang=20_000_000)], QUALIPREF, CYCLE)
    assert measures.within == 1
    assert measures.rings_answered.counts == {4: 1, 5: 1}
    assert measures.within_of_answered == Rate(Fraction(1, 2), Fraction(1, 2), Fraction(1, 2))


def test_nothing_measured_is_no_rate():
    measures = measure([], QUALIPREF, CYCLE, gap_duration=HOUR, period_duration=24 * HOUR)
    nothing = Rate(None, None, None)
    assert measures.offered == 0
    assert [measures.lost_rate, measures.answer_rate, measures.within_of_answered, measures.within_of_counted] == [
        nothing
    ] * 4
    assert measures.service_level(20 * SECOND) == nothing
    assert (measures.asa_seconds, measures.asa_rings, measures.waits.percentile(95), measures.waits.longest) == (
        None,
    ) * 4
    assert [verdict for _, verdict in measures.verdicts] == [Verdict.UNDECIDED]


def test_counts_and_figures_of_a_small_day():
    rang = [1, 4, 6, 7, 11, 30]  # seconds: rings 1, 1, 2, 2, 3, 7
    calls = [call(rang=seconds * SECOND) for seconds in rang]
    calls += [
        call(Outcome.ABANDONED, rang=12 * SECOND),
        call(Outcome.SHORT_ABANDONED, rang=4 * SECOND),
        call(Outcome.FAILED, alerting_at=None, ended_at=ARRIVED + SECOND),
        call(Outcome.IVR_ONLY, alerting_at=None),
        call(Outcome.CLOSED, alerting_at=None),
        call(is_probe=True),
        call(flags=(Flag.INTERNAL,)),
    ]
    measures = measure(calls, QUALIPREF, CYCLE)
    assert (measures.offered, measures.answered, measures.lost, measures.excluded) == (11, 6, 2, 2)
    assert (measures.probes, measures.internal, measures.short_abandoned, measures.unknown) == (1, 1, 1, 0)
    assert measures.by_outcome[Outcome.IVR_ONLY] == 1
    assert measures.rings_answered.counts == {1: 2, 2: 2, 3: 1, 7: 1}
    assert measures.rings_lost.counts == {3: 1}
    assert measures.asa_seconds == pytest.approx(59 / 6)
    assert measures.asa_rings == pytest.approx(16 / 6)
    spread = measures.rings_answered
    assert [spread.percentile(p) for p in (50, 90, 95, 100)] == [2, 7, 7, 7]
    assert [measures.answer_times.percentile(p) for p in (50, 83, 84)] == [6 * SECOND, 11 * SECOND, 30 * SECOND]
    assert measures.waits.count == 8
    assert measures.waits.longest == 33 * SECOND
    assert measures.waits.total == (59 + 6 * 3 + 15 + 1) * SECOND
    assert measures.within_of_answered.value == Fraction(5, 6)
    assert measures.within_of_counted == Rate(Fraction(5, 8), Fraction(5, 9), Fraction(5, 8))
    assert measures.service_level(11 * SECOND).value == Fraction(4, 8)  # 11.0 s is not less than 11 s
    assert measures.service_level(11_100_000).value == Fraction(5, 8)
    assert measures.lost_rate == Rate(Fraction(2, 8), Fraction(2, 8), Fraction(3, 9))
    assert measures.asked == 9
    assert measures.answer_rate == Rate(Fraction(6, 8), Fraction(6, 9), Fraction(6, 8))


@pytest.mark.parametrize("threshold", [0, -SECOND, 50_000])
def test_a_service_level_needs_tenths_of_a_second(threshold):
    with pytest.raises(ConfigError, match="tenths of a second"):
        measure([call()], QUALIPREF, CYCLE).service_level(threshold)


def test_all_unknown_leaves_everything_open():
    measures = measure([unknown(), unknown()], QUALIPREF, CYCLE)
    anything = Rate(None, Fraction(0), Fraction(1))
    assert [measures.lost_rate, measures.answer_rate, measures.within_of_answered, measures.within_of_counted] == [
        anything
    ] * 4
    assert measures.verdict(QUALIPREF.goals[0]) is Verdict.UNDECIDED


def test_only_short_abandons_leave_the_lost_rate_open():
    measures = measure([call(Outcome.SHORT_ABANDONED, rang=SECOND)], QUALIPREF, CYCLE)
    assert measures.lost_rate == Rate(None, Fraction(0), Fraction(1))


@pytest.mark.parametrize(
    ("answered", "abandoned", "short", "verdict"),
    [
        (95, 5, 0, Verdict.KEPT),
        (90, 10, 0, Verdict.BROKEN),  # 10 % is not fewer than 10 %
        (91, 9, 0, Verdict.KEPT),
        (95, 5, 6, Verdict.UNDECIDED),  # 5 % without the short abandons, 11/106 with them
        (95, 5, 5, Verdict.KEPT),  # 10/105
    ],
)
def test_verdict_on_fewer_than_ten_percent_lost(answered, abandoned, short, verdict):
    calls = [call()] * answered + [call(Outcome.ABANDONED, rang=9 * SECOND)] * abandoned
    calls += [call(Outcome.SHORT_ABANDONED, rang=SECOND)] * short
    assert measure(calls, QUALIPREF, CYCLE).verdicts == ((QUALIPREF.goals[0], verdict),)


def test_unknown_calls_are_answered_below_and_lost_above():
    calls = [call()] * 7 + [call(Outcome.UNANSWERED)] * 1 + [unknown()] * 2
    measures = measure(calls, QUALIPREF, CYCLE)
    assert measures.lost_rate == Rate(Fraction(1, 8), Fraction(1, 10), Fraction(3, 10))
    assert measures.answer_rate == Rate(Fraction(7, 8), Fraction(7, 10), Fraction(9, 10))
    assert measures.within_of_answered == Rate(Fraction(1), Fraction(7, 9), Fraction(1))
    assert measures.verdict(QUALIPREF.goals[0]) is Verdict.BROKEN  # 1/10 at the very least


@pytest.mark.parametrize(
    ("gap", "verdict"),
    [(0, Verdict.KEPT), (HOUR, Verdict.KEPT), (3 * HOUR, Verdict.UNDECIDED), (24 * HOUR, Verdict.UNDECIDED)],
)
def test_a_gap_opens_the_verdict_not_the_rate(gap, verdict):
    calls = [call()] * 98 + [call(Outcome.ABANDONED, rang=9 * SECOND)] * 2
    measures = measure(calls, QUALIPREF, CYCLE, gap_duration=gap, period_duration=24 * HOUR)
    seen = Fraction(2, 100)
    assert measures.lost_rate == Rate(seen, seen, seen)
    assert measures.observed_share == Fraction(24 * HOUR - gap, 24 * HOUR)
    assert measures.verdict(QUALIPREF.goals[0]) is verdict


def test_widened_bounds_by_hand():
    rate = Rate(Fraction(1, 4), Fraction(1, 5), Fraction(2, 5))
    assert rate.widened(Fraction(3, 4)) == Rate(Fraction(1, 4), Fraction(3, 20), Fraction(11, 20))


def test_gaps_must_fit_into_the_period():
    with pytest.raises(ValueError, match="do not fit"):
        measure([], QUALIPREF, CYCLE, gap_duration=1)
    with pytest.raises(ValueError, match="do not fit"):
        measure([], QUALIPREF, CYCLE, gap_duration=2 * HOUR, period_duration=HOUR)
    with pytest.raises(ValueError, match="ring cycle"):
        measure([], QUALIPREF, 0)
    assert measure([], QUALIPREF, CYCLE).observed_share is None


def test_short_abandons_are_judged_anew():
    calls = [call(Outcome.SHORT_ABANDONED, rang=4_999_999), call(Outcome.ABANDONED, rang=5_000_000)]
    strict, lax = replace(QUALIPREF, short_abandon=2 * SECOND), replace(QUALIPREF, short_abandon=8 * SECOND)
    assert [(m.lost, m.short_abandoned) for m in (measure(calls, r, CYCLE) for r in (QUALIPREF, strict, lax))] == [
        (1, 1), (2, 0), (0, 2)
    ]  # fmt: skip


def test_short_abandons_that_are_lost_count_once():
    both = replace(QUALIPREF, lost=QUALIPREF.lost | {Outcome.SHORT_ABANDONED})
    measures = measure([call(), call(Outcome.SHORT_ABANDONED, rang=SECOND)], both, CYCLE)
    assert measures.lost_rate == Rate(Fraction(1, 2), Fraction(1, 2), Fraction(1, 2))
    assert measures.answer_rate == Rate(Fraction(1, 2), Fraction(1, 2), Fraction(1, 2))


def machine_calls():
    voicemail = ARRIVED + IVR + 21 * SECOND
    unheard = {"machine_answered_at": ARRIVED + IVR + SECOND, "flags": (Flag.MACHINE_UNHEARD,)}
    return [
        call(rang=2 * SECOND),
        call(rang=30 * SECOND, machine_answered_at=ARRIVED + SECOND),  # IVR, then an operator
        call(Outcome.DIVERTED, rang=40 * SECOND, machine_answered_at=voicemail, diverted_at=voicemail),
        call(Outcome.ABANDONED, rang=9 * SECOND, **unheard),
        call(Outcome.IVR_ONLY, alerting_at=None, machine_answered_at=ARRIVED + SECOND),
        call(Outcome.CLOSED, alerting_at=None, machine_answered_at=ARRIVED + SECOND),
    ]  # fmt: skip


def test_qualipref_wants_an_operator():
    measures = measure(machine_calls(), QUALIPREF, CYCLE)
    assert (measures.answered, measures.answered_by_machine, measures.lost, measures.within) == (2, 0, 2, 1)
    assert measures.rings_answered.counts == {1: 1, 7: 1}
    assert measures.rings_lost.counts == {2: 1, 5: 1}  # the diverted caller's wait ended when the voicemail took over
    assert measures.lost_rate.value == Fraction(1, 2)


def test_marianne_takes_a_machine_that_the_caller_heard():
    measures = measure(machine_calls(), MARIANNE, CYCLE)
    assert (measures.answered, measures.answered_by_machine, measures.lost, measures.within) == (4, 3, 1, 3)
    assert measures.rings_answered.counts == {1: 3, 5: 1}
    assert measures.by_outcome[Outcome.CLOSED] == 1
    assert measures.waits.longest == 24 * SECOND
    assert measures.answer_times.total == (2 + 1 + 21 + 1) * SECOND
    assert measures.lost_rate.value == Fraction(1, 5)


def test_marianne_keeps_an_operator_who_was_faster():
    late = call(rang=2 * SECOND, machine_answered_at=ARRIVED + IVR + 4 * SECOND)
    measures = measure([late], MARIANNE, CYCLE)
    assert (measures.answered, measures.answered_by_machine) == (1, 0)
    assert measures.answer_times.total == 2 * SECOND


def test_services_publics_plus_counts_who_asked_for_an_operator():
    calls = [call()] * 17
    calls += [call(Outcome.SHORT_ABANDONED, rang=SECOND), call(Outcome.DIVERTED, machine_answered_at=ARRIVED + SECOND)]
    calls += [call(Outcome.FAILED, alerting_at=None)]
    calls += [call(Outcome.IVR_ONLY, alerting_at=None), call(Outcome.CLOSED, alerting_at=None)]
    measures = measure(calls, PLUS, CYCLE)
    assert measures.asked == 20
    assert measures.answer_rate == Rate(Fraction(17, 20), Fraction(17, 20), Fraction(17, 20))
    assert measures.verdicts == ((PLUS.goals[0], Verdict.KEPT),)
    worse = measure([*calls, call(Outcome.BUSY)], PLUS, CYCLE)
    assert worse.answer_rate.value == Fraction(17, 21)
    assert worse.verdicts[0][1] is Verdict.BROKEN
    blind = measure([*calls, unknown()], PLUS, CYCLE)
    assert blind.answer_rate == Rate(Fraction(17, 20), Fraction(17, 21), Fraction(18, 21))
    assert blind.verdicts[0][1] is Verdict.UNDECIDED


def test_what_is_not_lost_by_the_rule_set_was_asked_for_all_the_same():
    lenient = replace(QUALIPREF, lost=QUALIPREF.lost - {Outcome.DIVERTED})
    measures = measure([call(), call(Outcome.DIVERTED)], lenient, CYCLE)
    assert measures.lost_rate.value == 0
    assert measures.answer_rate.value == Fraction(1, 2)
    assert measures.waits.count == 1


@pytest.mark.parametrize(
    ("not_before", "at", "within", "undecided", "uncertain"),
    [
        (1, 4, 1, 0, 0),  # both in the first ring
        (1, 19, 1, 0, 1),  # kept either way, the ring unknown
        (19, 20, 0, 1, 1),
        (20, 40, 0, 0, 1),  # broken either way
        (None, 30, 0, 1, 1),
    ],
)
def test_an_answer_in_a_gap_counts_only_if_both_bounds_agree(not_before, at, within, undecided, uncertain):
    answered = call(
        rang=at * SECOND,
        answered_not_before=None if not_before is None else ARRIVED + IVR + not_before * SECOND,
        flags=(Flag.ANSWERED_IN_GAP,),
    )
    measures = measure([answered], WITHIN, CYCLE)
    assert (measures.within, measures.undecided, measures.uncertain) == (within, undecided, uncertain)
    assert measures.rings_answered.count == 1 - uncertain
    assert (measures.answer_times.count, measures.waits.count) == (0, 0)
    expected = Verdict.UNDECIDED if undecided else Verdict.KEPT if within else Verdict.BROKEN
    assert measures.verdict(WITHIN.goals[0]) is expected


def test_without_timestamps_outcomes_count_and_times_do_not():
    flags = (Flag.NO_TIMESTAMPS,)
    measures = measure(
        [call(flags=flags), call(Outcome.ABANDONED, rang=9 * SECOND, flags=flags), call()], WITHIN, CYCLE
    )
    assert (measures.answered, measures.lost, measures.within, measures.undecided, measures.uncertain) == (
        2,
        1,
        1,
        1,
        1,
    )
    assert measures.within_of_answered == Rate(Fraction(1), Fraction(1, 2), Fraction(1))
    assert measures.service_level(10 * SECOND) == Rate(Fraction(1, 2), Fraction(1, 3), Fraction(2, 3))
    assert (measures.rings_answered.count, measures.rings_lost.count, measures.waits.count) == (1, 0, 1)


def test_an_arrival_in_a_gap_can_only_have_waited_longer():
    flags = (Flag.ARRIVED_IN_GAP,)
    measures = measure([call(rang=SECOND, flags=flags), call(rang=21 * SECOND, flags=flags)], WITHIN, CYCLE)
    assert (measures.within, measures.undecided, measures.uncertain) == (0, 1, 2)


def test_a_rule_set_names_its_clock():
    ringing = ARRIVED + 8 * SECOND
    both = [call(rang=18 * SECOND, operator_ringing_at=ringing, operator_up_at=ringing + 12 * SECOND)]
    both += [call(Outcome.ABANDONED, rang=9 * SECOND)]
    by_clock = {clock: measure(both, replace(QUALIPREF, clock=clock), CYCLE) for clock in Clock}
    assert {clock: m.answer_times.total // SECOND for clock, m in by_clock.items()} == {
        Clock.ARRIVAL: 21, Clock.ALERTING: 18, Clock.OPERATOR: 12
    }  # fmt: skip
    assert {clock: m.within for clock, m in by_clock.items()} == {
        Clock.ARRIVAL: 0, Clock.ALERTING: 1, Clock.OPERATOR: 1
    }  # fmt: skip
    assert {clock: dict(m.rings_lost.counts) for clock, m in by_clock.items()} == {
        Clock.ARRIVAL: {3: 1}, Clock.ALERTING: {2: 1}, Clock.OPERATOR: {}
    }  # fmt: skip
    assert {m.waits.total // SECOND for m in by_clock.values()} == {33}


def test_an_answer_without_its_clock_is_uncertain():
    measures = measure([call()], replace(QUALIPREF, clock=Clock.OPERATOR), CYCLE)
    assert (measures.answered, measures.uncertain, measures.undecided) == (1, 1, 1)


def test_the_cycle_decides_how_many_rings():
    assert measure([call(rang=19 * SECOND)], QUALIPREF, 3 * SECOND).rings_answered.counts == {7: 1}


def test_groups():
    calls = [call(), call(service="crise"), call(Outcome.BUSY)]
    by_service = measure_by_service(calls, QUALIPREF, CYCLE, period_duration=HOUR)
    assert {name: (m.answered, m.lost) for name, m in by_service.items()} == {"accueil": (1, 1), "crise": (1, 0)}
    assert by_service["crise"] == measure([calls[1]], QUALIPREF, CYCLE, period_duration=HOUR)
    by_outcome = measure_by(calls, lambda record: record.outcome, QUALIPREF, CYCLE)
    assert {key: m.offered for key, m in by_outcome.items()} == {Outcome.ANSWERED: 2, Outcome.BUSY: 1}


def test_unlike_measures_do_not_merge():
    one = measure([], QUALIPREF, CYCLE)
    for other in (measure([], MARIANNE, CYCLE), measure([], QUALIPREF, SECOND)):
        with pytest.raises(ValueError, match="do not add up"):
            merge(one, other)
    with pytest.raises(ValueError, match="with and without a period"):
        merge(one, measure([], QUALIPREF, CYCLE, period_duration=HOUR))


@st.composite
def any_call(draw):
    outcome = draw(st.sampled_from(Outcome))
    rang = draw(st.integers(0, 40 * SECOND))
    instant = st.none() | st.integers(ARRIVED, ARRIVED + 60 * SECOND)
    record = call(outcome, rang, is_probe=draw(st.booleans()), service=draw(st.sampled_from(["a", "b"])))
    return replace(
        record,
        alerting_at=draw(st.sampled_from([record.alerting_at, None])),
        machine_answered_at=draw(instant),
        operator_ringing_at=draw(instant),
        operator_up_at=draw(instant),
        answered_not_before=draw(instant),
        ended_at=draw(st.sampled_from([record.ended_at, None])),
        flags=tuple(draw(st.sets(st.sampled_from(Flag)))),
    )


rulesets = st.sampled_from([QUALIPREF, MARIANNE, PLUS, replace(QUALIPREF, clock=Clock.OPERATOR)])
spans = st.tuples(st.integers(0, 10), st.integers(0, 10)).map(sorted)


@given(st.lists(any_call()), st.lists(any_call()), rulesets, spans, spans)
def test_merged_measures_are_those_of_the_union(first, second, ruleset, hour, next_hour):
    merged = merge(measure(first, ruleset, CYCLE, *hour), measure(second, ruleset, CYCLE, *next_hour))
    union = measure(
        first + second, ruleset, CYCLE, gap_duration=hour[0] + next_hour[0], period_duration=hour[1] + next_hour[1]
    )
    assert merged == union
    assert merged.lost_rate == union.lost_rate
    assert merged.answer_times.percentile(95) == union.answer_times.percentile(95)


@given(st.lists(any_call()), rulesets)
def test_values_lie_between_their_bounds(calls, ruleset):
    measures = measure(calls, ruleset, CYCLE)
    assert measures.offered + measures.excluded == len(calls)
    assert measures.within + measures.undecided <= measures.answered
    assert measures.rings_answered.count + measures.uncertain == measures.answered
    for rate in (*map(measures.rate, GoalKind), measures.within_of_counted, measures.service_level(10 * SECOND)):
        assert (rate.lower is None) == (rate.upper is None)
        if rate.lower is None or rate.upper is None:
            assert rate.value is None
            continue
        assert 0 <= rate.lower <= rate.upper <= 1
        assert rate.value is None or rate.lower <= rate.value <= rate.upper
