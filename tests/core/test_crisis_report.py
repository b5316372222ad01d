"""A crisis report: every figure from calls laid out by hand."""

from dataclasses import replace

import pytest

from telemon.crisis.export import report_json
from telemon.crisis.report import MINUTE, Peak, crisis_report, first_answered_at, readable_step
from telemon.gaps import Gap
from telemon.instants import SECOND
from telemon.rates import Rate, Verdict
from telemon.records import CallRecord, EndedBy, Flag, Outcome, Provenance, ServiceKind
from telemon.rulesets import load_rulesets
from tests.core.test_crisis import CRISIS, HOUR, T, stay

RULES = load_rulesets()["qualipref"][-1]
CYCLE = 5 * SECOND


def call(arrived, wait, outcome=Outcome.ANSWERED, *, talk=60, **more):
    """A call ``arrived`` and ``wait`` seconds long in coming to its end or answer."""
    at = T + round(arrived * SECOND)
    over = at + round(wait * SECOND)
    answered = outcome is Outcome.ANSWERED
    fields = {
        "call_id": f"prefecture-{at}-{wait}",
        "site": "prefecture",
        "service": "crise",
        "service_kind": ServiceKind.CRISIS,
        "ddi": "0102030407",
        "caller": "x",
        "linkedid": "1",
        "arrived_at": at,
        "alerting_at": at,
        "operator_ringing_at": None,
        "operator_up_at": None,
        "answered_at": over if answered else None,
        "answered_not_before": None,
        "machine_answered_at": None,
        "diverted_at": None,
        "ended_at": over + talk * SECOND if answered else over,
        "outcome": outcome,
        "ended_by": EndedBy.CALLER,
        "answered_by": "PJSIP/cri1" if answered else None,
        "queues": ("crise",),
        "attempts": (),
        "transfers": (),
        "hold_duration": 0,
        "hangup_cause": 16,
        "is_probe": False,
        "flags": (),
        "provenance": Provenance.LIVE,
    }
    return CallRecord(**{**fields, **more})


def report(calls, members=(), gaps=(), *, crisis=CRISIS, until=10 * 60, **more):
    closed = replace(crisis, closed_at=T + until * SECOND, closed_by="cdurand")
    return crisis_report(closed, members, calls, gaps, now=T + 2 * HOUR, ruleset=RULES, cycle=CYCLE, **more)


CALLS = [
    call(0, 12),
    call(59.999999, 30),
    call(60, 20, Outcome.ABANDONED),
    call(61, 2, Outcome.SHORT_ABANDONED),
    call(70, 41, Outcome.UNANSWERED),
    call(150, 5.5),
    call(155, 3, Outcome.IVR_ONLY),
]


def test_the_curve_counts_calls_by_the_minute_in_which_they_arrived():
    made = report(CALLS, until=170)
    assert [(point.start - T, point.end - T) for point in made.curve] == [
        (0, MINUTE),
        (MINUTE, 2 * MINUTE),
        (2 * MINUTE, 170 * SECOND),
    ]
    assert [(point.offered, point.answered, point.lost) for point in made.curve] == [(2, 2, 0), (3, 0, 2), (2, 1, 0)]


def test_a_wider_curve_has_the_same_calls():
    (point,) = report(CALLS, until=170, step=5 * MINUTE).curve
    assert (point.offered, point.answered, point.lost, point.waiting) == (7, 3, 2, 3)


def test_totals_and_rate_are_those_of_the_rule_set():
    measures = report(CALLS).measures
    assert (measures.offered, measures.answered, measures.lost) == (7, 3, 2)
    assert measures.by_outcome[Outcome.ABANDONED] == measures.by_outcome[Outcome.UNANSWERED] == 1
    assert measures.lost_rate == Rate.of(2, 5, out=0, into=1)


def test_waits_are_exact():
    made = report(CALLS)
    assert made.waits_answered.percentile(50) == 12 * SECOND
    assert made.waits_answered.percentile(95) == made.waits_answered.longest == 30 * SECOND
    assert (made.waits_lost.percentile(50), made.waits_lost.longest) == (20 * SECOND, 41 * SECOND)
    assert (made.waits.count, made.waits.percentile(50)) == (5, 20 * SECOND)


def test_the_peak_is_the_most_who_wait_at_once_and_when_it_began():
    made = report(CALLS)
    assert made.peak == Peak(3, T + 61 * SECOND, is_certain=True)  # three wait at 70 s, too, but later
    assert [point.waiting for point in made.curve[:4]] == [1, 3, 1, 0]


def test_whoever_comes_as_another_is_answered_does_not_wait_with_him():
    assert report([call(10, 5), call(15, 5)]).peak == Peak(1, T + 10 * SECOND, is_certain=True)


def test_a_wait_over_several_minutes_is_in_each_of_them():
    made = report([call(30, 200), call(100, 30)])
    assert [point.waiting for point in made.curve[:5]] == [1, 2, 2, 1, 0]


def test_nobody_waits_on_a_closed_line_or_an_announcement():
    made = report([call(5, 50, Outcome.CLOSED), call(6, 50, Outcome.IVR_ONLY), call(7, 0, Outcome.BUSY)])
    assert made.peak == Peak(0, None, is_certain=True)


def test_probes_internal_calls_and_other_services_count_nowhere():
    others = [
        call(5, 9, is_probe=True),
        call(6, 9, flags=(Flag.INTERNAL,)),
        call(7, 9, service="standard"),
        call(-0.000001, 9),
        call(600, 9),
    ]
    made = report(others)
    assert (made.measures.offered, made.measures.excluded, made.waits.count) == (0, 2, 0)
    assert made.peak.waiting == sum(point.waiting for point in made.curve) == 0
    assert made.crisis.operational_at is None


def test_a_call_of_the_crisis_may_last_beyond_it():
    made = report([call(599, 30)])
    assert (made.measures.answered, made.waits.longest) == (1, 30 * SECOND)
    assert made.crisis.operational_at is None  # it was answered after the closure


def test_staff_minute_by_minute():
    members = [stay("a", 0), stay("b", 30 * SECOND, 90 * SECOND), stay("c", 60 * SECOND)]
    staff = [(point.staff_least, point.staff_most) for point in report([], members, until=180).curve]
    assert staff == [(1, 2), (2, 3), (2, 2)]


def test_stages_that_only_the_calls_prove_are_in_the_report():
    members = [stay("a", 1), stay("b", 2), stay("c", 3)]
    made = report([call(9, 30), call(10, 3)], members)
    assert made.crisis.operational_at == T + 13 * SECOND
    assert [step.delay for step in made.steps] == [0, 3, None, 13 * SECOND]
    assert made.verdict is Verdict.KEPT


def test_a_stage_once_stamped_stays():
    stamped = replace(CRISIS, operational_at=T + 50 * SECOND)
    assert report([call(9, 30)], crisis=stamped).crisis.operational_at == T + 50 * SECOND


def test_a_gap_is_declared_and_makes_the_peak_a_least():
    gaps = [Gap(T - SECOND, 31 * SECOND, "link_cut", "pbx"), Gap(T + 9000 * SECOND, SECOND, "link_cut", "pbx")]
    made = report(CALLS, gaps=gaps, until=300)
    assert made.gaps == (Gap(T, 30 * SECOND, "link_cut", "pbx"),)
    assert [point.is_seen for point in made.curve] == [False, True, True, True, True]
    assert not made.peak.is_certain
    assert float(made.measures.observed_share) == pytest.approx(0.9)


def test_a_gap_of_one_minute_is_in_that_minute_only():
    made = report([], gaps=[Gap(T + MINUTE, MINUTE, "link_cut", "pbx")], until=180)
    assert [point.is_seen for point in made.curve] == [True, False, True]


def test_two_pbxs_are_watched_for_twice_the_time():
    gaps = [Gap(T, 30 * SECOND, "link_cut", "a"), Gap(T, 30 * SECOND, "link_cut", "b")]
    assert float(report([], gaps=gaps, until=300, pbxs=2).measures.observed_share) == pytest.approx(0.9)


def test_an_unknown_call_widens_the_rate_and_is_in_no_wait():
    made = report([call(1, 5), call(2, 9, Outcome.UNKNOWN, ended_at=None)])
    assert made.measures.lost_rate == Rate.of(0, 1, out=1, into=1)
    assert (made.waits.count, made.peak) == (1, Peak(1, T + SECOND, is_certain=False))


def test_an_answer_in_a_gap_may_have_been_earlier():
    late = replace(CRISIS, operational_at=T + HOUR + 1)
    assert report([], crisis=late, until=2 * 3600).verdict is Verdict.BROKEN
    hidden = [Gap(T + HOUR - SECOND, 5 * SECOND, "link_cut", "pbx")]
    assert report([], gaps=hidden, crisis=late, until=2 * 3600).verdict is Verdict.UNDECIDED
    after = [Gap(T + HOUR, SECOND, "link_cut", "pbx")]
    assert report([], gaps=after, crisis=late, until=2 * 3600).verdict is Verdict.BROKEN


def test_an_open_crisis_is_reported_up_to_now():
    made = crisis_report(CRISIS, (), CALLS, (), now=T + 65 * SECOND, ruleset=RULES, cycle=CYCLE)
    assert (made.is_final, made.end, made.measures.offered) == (False, T + 65 * SECOND, 4)


def test_a_crisis_closed_at_once_has_a_report():
    made = report([], until=0)
    assert (made.curve, made.measures.observed_share, made.verdict) == ((), None, Verdict.UNDECIDED)
    assert report_json(made)["curve"] == []


def test_the_first_answer_is_the_earliest_not_the_first_arrived():
    assert first_answered_at([call(1, 30), call(2, 5), call(0, 1, is_probe=True)]) == T + 7 * SECOND
    assert first_answered_at([call(1, 30, Outcome.ABANDONED)]) is None


@pytest.mark.parametrize(
    ("hours", "minutes"), [(0.01, 1), (2, 1), (2.001, 5), (10, 5), (10.1, 15), (30, 15), (72, 60), (9999, 60)]
)
def test_the_curve_stays_readable(hours, minutes):
    assert readable_step(round(hours * HOUR)) == minutes * MINUTE


def test_json_says_it_in_seconds_and_utc():
    told = report_json(report(CALLS, [stay("a", 0)], [Gap(T, SECOND, "link_cut", "pbx")]))
    assert told["waits"]["all"] == {"count": 5, "median_seconds": 20, "p95_seconds": 41, "longest_seconds": 41}
    assert told["peak_waiting"] == {"callers": 3, "at": "2026-11-23T20:01:06.000000+00:00", "is_certain": False}
    assert told["stages"][3] == {
        "stage": "operational",
        "at": "2026-11-23T20:00:17.000000+00:00",
        "delay_seconds": 12,
        "margin_seconds": 3588,
    }
    assert told["curve"][1]["start"] == "2026-11-23T20:01:05.000000+00:00"
    assert told["lost_rate"] == {"value": 0.4, "lower": 0.4, "upper": 0.5}
    assert told["gaps"][0]["cause"] == "link_cut"
