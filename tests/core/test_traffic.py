"""The traffic model: its plans hold together, and its callers, talks and surges are as the scenario says."""

import itertools
import math
import random
import statistics
import tracemalloc
from collections import Counter, defaultdict
from datetime import date, datetime
from functools import partial
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulators.plan import Answers, Hold, PlannedAttempt, PlannedCall, PlannedPause, Rejects, RingsOn, Transfer
from simulators.site import PREFECTURE, Pattern
from simulators.traffic import draw, load_scenario, scenario_names, stream
from simulators.traffic.agenda import Agenda
from simulators.traffic.almanac import Almanac
from simulators.traffic.arrivals import arrivals
from simulators.traffic.callers import LiveCall
from simulators.traffic.people import Intent, patience
from simulators.traffic.rota import pauses
from simulators.traffic.scenario import Callers
from simulators.traffic.switchboard import GREETING_SECONDS, Switchboard
from telemon.records import AttemptResult, EndedBy, Outcome
from tests.core.traffic_kit import scenario

PARIS = ZoneInfo("Europe/Paris")
MICRO = 2e-6  # what rounding to microseconds may come to
EXTENSIONS = set(PREFECTURE.extensions.values())
WAITED_IN_VAIN = {Outcome.ABANDONED, Outcome.UNANSWERED, Outcome.BUSY, Outcome.DIVERTED, Outcome.FAILED}


def drawn(chosen, **how):
    """Every plan here states what is expected; without annotations nobody need say so at each call."""
    return draw(chosen, **how)


# -- what must hold of every plan


def outcome_by_the_table(call, line):
    """DESIGN chapter 2, read from what happened to the caller."""
    told = call.expected
    if told.answered_after is not None:
        return Outcome.ANSWERED
    closed = told.machine_after == 0 and not told.queues and not told.attempts and told.ended_after > GREETING_SECONDS
    if told.ended_by is EndedBy.SWITCHBOARD:
        if closed:
            return Outcome.CLOSED
        refused = told.attempts and {attempt.result for attempt in told.attempts} == {AttemptResult.BUSY}
        return Outcome.BUSY if refused else Outcome.UNANSWERED
    if told.alerted_after is None:
        return Outcome.IVR_ONLY
    if line.pattern is Pattern.OVERFLOW and told.machine_after is not None:
        return Outcome.DIVERTED
    return Outcome.SHORT_ABANDONED if told.ended_after - told.alerted_after < 5.0 else Outcome.ABANDONED


def check_attempt(attempt, call):
    """A phone does what the plan says it would do, and only as long as the call lasts."""
    told, behaviour = call.expected, call.phones[attempt.phone]
    assert attempt.begins >= 0
    assert 0 <= attempt.lasts <= told.ended_after - attempt.begins + MICRO
    if attempt.result is AttemptResult.ANSWERED:
        assert isinstance(behaviour, Answers)
        assert behaviour.accepts is not False
        assert attempt.lasts == pytest.approx(behaviour.after + (2.5 if behaviour.accepts else 0), abs=MICRO)
    elif attempt.result is AttemptResult.BUSY:
        assert isinstance(behaviour, Rejects)
        assert attempt.lasts == pytest.approx(behaviour.after, abs=MICRO)
    elif attempt.result is AttemptResult.NOT_ACCEPTED:
        assert behaviour.accepts is False
        assert told.machine_after == pytest.approx(attempt.begins + behaviour.after, abs=MICRO)
    else:
        assert attempt.result in (AttemptResult.NO_ANSWER, AttemptResult.CANCELLED)
        if not isinstance(behaviour, RingsOn):
            decides_after = behaviour.after + (2.5 if getattr(behaviour, "accepts", None) else 0)
            assert attempt.lasts <= decides_after + MICRO


def check_answer(call):
    told = call.expected
    before = [attempt for attempt in told.attempts if attempt.begins < told.answered_after]
    after = [attempt for attempt in told.attempts if attempt.begins >= told.answered_after]
    (winner,) = (attempt for attempt in before if attempt.result is AttemptResult.ANSWERED)
    assert winner.phone == told.answered_by
    assert max(attempt.begins + attempt.lasts for attempt in before) <= told.answered_after + MICRO
    assert winner.begins + winner.lasts == pytest.approx(told.answered_after, abs=MICRO)
    assert told.alerted_after < told.answered_after <= call.patience + MICRO
    joined_last = told.answered_after
    if after:
        (onward,) = after
        assert isinstance(call.afterwards, Transfer)
        assert onward.phone == PREFECTURE.extensions[call.afterwards.to]
        assert onward.begins == pytest.approx(told.answered_after + call.afterwards.after, abs=MICRO)
        assert (onward.result is AttemptResult.ANSWERED) is (told.transferred_to == onward.phone)
        joined_last = onward.begins + onward.lasts if told.transferred_to else joined_last
    if told.transferred_to or not after or told.ended_by is EndedBy.CALLER:
        assert told.ended_after == pytest.approx(joined_last + call.talk, abs=MICRO)
    if not after:
        assert told.ended_by is call.ended_by
    if isinstance(call.afterwards, Hold):
        assert call.afterwards.after + call.afterwards.lasts < call.talk


def check_call(call):
    told, line = call.expected, PREFECTURE.line(call.service)
    assert call.ddi == line.ddi
    assert set(line.operators) <= set(call.phones) <= set(line.operators) | EXTENSIONS
    assert told.outcome is outcome_by_the_table(call, line)
    assert told.queues == line.queues[: len(told.queues)]
    assert [a.begins for a in told.attempts] == sorted(a.begins for a in told.attempts)
    for attempt in told.attempts:
        check_attempt(attempt, call)
        assert attempt.queue in (*told.queues, "")
    if told.alerted_after is not None:
        assert told.alerted_after == (GREETING_SECONDS if line.pattern is Pattern.MENU else 0.0)
    else:
        assert not told.queues
        assert all(attempt.lasts == 0 for attempt in told.attempts)
    if told.outcome is Outcome.ANSWERED:
        check_answer(call)
        return
    assert told.answered_by is None
    assert told.transferred_to is None
    assert all(attempt.result is not AttemptResult.ANSWERED for attempt in told.attempts)
    if told.ended_by is EndedBy.CALLER:
        assert told.ended_after == pytest.approx(call.patience, abs=MICRO)
    else:
        assert told.ended_after <= call.patience + MICRO


def engagements(calls):
    """Yield for each phone when it rang or talked, and until when it then was not to be rung by a queue."""
    by_phone = defaultdict(list)
    for call in calls:
        told = call.expected
        for attempt in told.attempts:
            begins, ends = call.arrives_at + attempt.begins, call.arrives_at + attempt.begins + attempt.lasts
            if attempt.lasts == 0 and attempt.result is AttemptResult.BUSY:
                continue  # it was engaged already, and said so
            answered = attempt.result is AttemptResult.ANSWERED
            if answered:
                handed_on = isinstance(call.afterwards, Transfer) and attempt.phone == told.answered_by
                ends = call.arrives_at + (
                    told.answered_after + call.afterwards.after if handed_on else told.ended_after
                )
                ends = min(ends, call.arrives_at + told.ended_after)
            by_phone[attempt.phone].append((begins, ends, attempt, answered))
    return {phone: sorted(spans, key=lambda span: span[:2]) for phone, spans in by_phone.items()}


def check_plan(plan, *, wrap_up):
    assert len({call.name for call in plan.calls}) == len(plan.calls)
    for call in plan.calls:
        check_call(call)
    spans_of = engagements(plan.calls)
    for phone, spans in spans_of.items():
        for (_, ends, _, answered), (begins, _, attempt, _) in itertools.pairwise(spans):
            rest = wrap_up if answered and attempt.queue and phone not in EXTENSIONS else 0.0
            assert begins >= ends + rest - MICRO, f"{phone} rings at {begins}, but is engaged until {ends + rest}"
    for pause in plan.pauses:
        for begins, _, attempt, _ in spans_of.get(pause.phone, ()):
            assert not pause.begins < begins < pause.ends, f"{attempt} rings in {pause}"


def in_order(items):
    moments = [item.arrives_at if isinstance(item, PlannedCall) else item.begins for item in items]
    return moments == sorted(moments)


@pytest.fixture(scope="module")
def weeks_of_the_year():
    """The first seven weeks of ``year``: 1 January, the storm of February, and some 25,000 calls."""
    begun = load_scenario("year").model_copy(update={"lasts_hours": 1100})
    return drawn(begun, seed=7)


@pytest.mark.parametrize("name", [name for name in scenario_names() if name != "year"])
@pytest.mark.parametrize("squeeze", [1.0, 20.0])
def test_every_scenario_holds_together(name, squeeze):
    chosen = load_scenario(name)
    plan = drawn(chosen, seed=3, squeeze=squeeze, limit=1500)
    assert len(plan.calls) > 20
    check_plan(plan, wrap_up=chosen.operators.wrap_up_seconds / squeeze)


def test_the_year_holds_together(weeks_of_the_year):
    check_plan(weeks_of_the_year, wrap_up=load_scenario("year").operators.wrap_up_seconds)


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    squeeze=st.sampled_from([1.0, 7.0, 40.0]),
    calls=st.sampled_from([500, 4000, 20_000]),
    absent=st.sampled_from([0.0, 0.2, 1.0]),
    reject=st.sampled_from([0.0, 0.3, 1.0]),
    sigma=st.sampled_from([0.0, 1.5]),
    services=st.sets(st.sampled_from([line.service for line in PREFECTURE.lines]), min_size=1),
)
def test_any_scenario_holds_together(seed, squeeze, calls, absent, reject, sigma, services):
    habits = {"absent_share": absent, "reject_share": reject, "reaction_sigma": sigma}
    chosen = scenario(
        calls_per_day=calls,
        services={service: {"share": 1 / len(services)} for service in sorted(services)},
        operators={"usual": habits, "extensions": habits, "pauses_per_hour": 4.0,
                   "rota": [{"phones": ["op1", "cri1", "acc1", "duty"], "hours": ["mon-fri 09:10-09:30,09:35-17:00"]}]},
        flapping=[{"phone": "op2"}],
    )  # fmt: skip
    items = list(stream(chosen, seed=seed, squeeze=squeeze, limit=150))
    assert in_order(items)
    plan = drawn(chosen, seed=seed, squeeze=squeeze, limit=150)
    assert (*plan.calls, *plan.pauses) == tuple(sorted(items, key=lambda item: isinstance(item, PlannedPause)))
    check_plan(plan, wrap_up=12.0 / squeeze)


def test_every_fate_occurs_in_the_year(weeks_of_the_year):
    calls = weeks_of_the_year.calls
    outcomes = Counter(call.expected.outcome for call in calls)
    assert set(outcomes) == set(Outcome) - {Outcome.FAILED, Outcome.UNKNOWN}
    results = Counter(attempt.result for call in calls for attempt in call.expected.attempts)
    assert set(results) == {
        AttemptResult.ANSWERED, AttemptResult.NO_ANSWER, AttemptResult.BUSY, AttemptResult.CANCELLED,
        AttemptResult.NOT_ACCEPTED,
    }  # fmt: skip
    assert {pause.reason for pause in weeks_of_the_year.pauses} == {"off duty", "break", "pause", "unreachable"}
    assert any("debordement" in call.expected.queues and call.expected.answered_by == "deb1" for call in calls)
    assert any(call.expected.answered_by == "gsm" for call in calls)
    assert {call.expected.transferred_to for call in calls} == EXTENSIONS | {None}
    answered = [call for call in calls if call.expected.answered_by]
    assert any(isinstance(call.afterwards, Hold) for call in answered)
    assert any(call.expected.ended_by is EndedBy.SWITCHBOARD and call.afterwards is None for call in answered)
    lost_in_transfer = [call for call in answered if isinstance(call.afterwards, Transfer)
                        and not call.expected.transferred_to]  # fmt: skip
    assert {call.expected.ended_by for call in lost_in_transfer} == set(EndedBy)
    left_early = [call for call in calls if call.service == "titres" and call.patience < GREETING_SECONDS]
    assert any(call.expected.outcome is Outcome.IVR_ONLY for call in left_early)


# -- the same again, and only so much


def test_the_same_seed_gives_the_same_plan_and_another_one_does_not():
    monday = load_scenario("monday-morning")
    assert drawn(monday, seed=1, squeeze=20) == drawn(monday, seed=1, squeeze=20)
    assert drawn(monday, seed=1, squeeze=20) != drawn(monday, seed=2, squeeze=20)


def test_calls_and_pauses_come_in_order_of_time():
    items = list(stream(load_scenario("flapping-phone"), seed=4))
    assert in_order(items)
    assert {type(item) for item in items} == {PlannedCall, PlannedPause}


@pytest.mark.parametrize("limit", [0, 1, 37])
def test_a_limit_is_kept_exactly(limit):
    plan = drawn(load_scenario("understaffed"), seed=1, limit=limit)
    assert len(plan.calls) == limit
    check_plan(plan, wrap_up=12.0)


def test_memory_does_not_grow_with_the_number_of_calls():
    items = stream(load_scenario("year"), seed=1)
    calls = (item for item in items if isinstance(item, PlannedCall))
    for _ in itertools.islice(calls, 2000):
        pass
    tracemalloc.start()
    try:
        for _ in itertools.islice(calls, 4000):
            pass
        grown, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert grown < 500_000  # 4000 calls, had they been kept, would take some ten times as much


def test_squeezing_shortens_what_is_not_measured_and_leaves_what_is():
    chosen = scenario(callers={"hasty_share": 0.0}, talks={"transfer_share": 0, "hold_share": 0}, calls_per_day=9000)
    real, squeezed = (drawn(chosen, seed=5, squeeze=squeeze) for squeeze in (1.0, 10.0))
    assert squeezed.calls[-1].arrives_at == pytest.approx(real.calls[-1].arrives_at / 10, rel=0.01)
    for part in (lambda c: c.patience, lambda c: c.phones["op1"].after if isinstance(c.phones["op1"], Answers) else 0):
        medians = [statistics.median(part(call) for call in plan.calls) for plan in (real, squeezed)]
        assert medians[1] == pytest.approx(medians[0], rel=0.1)
    talks = [statistics.median(call.talk for call in plan.calls) for plan in (real, squeezed)]
    assert talks[1] == pytest.approx(talks[0] / 10, rel=0.15)


def test_the_calendar_begins_where_it_is_told_to():
    chosen = scenario(services={"standard": {"share": 1.0, "hours": ["mon-fri 08:30-17:00"]}}, calls_per_day=3000)
    assert Outcome.CLOSED not in {call.expected.outcome for call in drawn(chosen, seed=1).calls}
    saturday = datetime(2026, 11, 28, 9, tzinfo=PARIS).timestamp()
    plan = drawn(chosen, seed=1, starts_at=saturday)
    assert plan.starts_at == saturday
    assert {call.expected.outcome for call in plan.calls} <= {Outcome.CLOSED, Outcome.IVR_ONLY}


# -- how many, and when


def counts(chosen, key, seed=11):
    almanac = Almanac(chosen)
    source = random.Random(seed)
    told = arrivals(chosen, almanac, chosen.starts_at, source)
    return Counter(key(almanac.local(chosen.starts_at + at), service) for at, service in told)


def about(expected):
    """Five standard deviations of a Poisson count: it fails by chance once in two million times."""
    return pytest.approx(expected, abs=5 * math.sqrt(expected))


def test_callers_follow_hour_weekday_season_and_service():
    hours = [0] * 8 + [5, 20, 10] + [0] * 2 + [5] + [0] * 10
    weekdays = [2.0, 1.0, 1.0, 1.0, 1.0, 0.5, 0.0]
    months = [1.0, 0.5] + [1.0] * 10
    chosen = scenario(
        begins="2026-02-02T00:00", lasts_hours=28 * 24, calls_per_day=4000, profiles={"own": hours},
        weekdays=weekdays, months=months,
        services={"standard": {"share": 0.75, "profile": "own"}, "titres": {"share": 0.25, "profile": "own"}},
    )  # fmt: skip
    of_week = 4000 * 0.5 * sum(weekdays) * 4
    by_hour = counts(chosen, lambda local, _: local.hour)
    assert set(by_hour) == {8, 9, 10, 13}
    for hour, number in by_hour.items():
        assert number == about(of_week * hours[hour] / 40)
    by_day = counts(chosen, lambda local, _: local.weekday())
    assert set(by_day) == set(range(6))
    for day, number in by_day.items():
        assert number == about(4000 * 0.5 * weekdays[day] * 4)
    by_service = counts(chosen, lambda _, service: service)
    assert by_service["standard"] == about(of_week * 0.75)
    assert by_service["titres"] == about(of_week * 0.25)


def test_seasons_differ():
    chosen = scenario(begins="2026-01-01T00:00", lasts_hours=8760, calls_per_day=300, holiday_factor=1.0,
                               months=[2.0, 1.0] + [0.0] * 10, weekdays=[1.0] * 7)  # fmt: skip
    by_month = counts(chosen, lambda local, _: local.month)
    assert set(by_month) == {1, 2}
    assert by_month[1] == about(300 * (30 * 2.0 + 1.0))  # on 1 January, a holiday, its own factor counts ...
    assert by_month[2] == about(300 * 28)


def test_gaps_between_callers_are_exponential():
    chosen = scenario(profiles={"flat": [1] * 24}, services={"standard": {"share": 1, "profile": "flat"}},
                      weekdays=[1] * 7, months=[1] * 12, calls_per_day=86_400, lasts_hours=3)  # fmt: skip
    moments = [at for at, _ in arrivals(chosen, Almanac(chosen), chosen.starts_at, random.Random(2))]
    gaps = sorted(later - earlier for earlier, later in itertools.pairwise(moments))
    worst = max(abs(nth / len(gaps) - (1 - math.exp(-gap))) for nth, gap in enumerate(gaps))
    assert worst < 1.95 / math.sqrt(len(gaps))  # Kolmogorov-Smirnov, one in a thousand


def test_a_crisis_brings_twenty_times_the_calls_within_minutes():
    chosen = scenario(
        profiles={"flat": [1] * 24}, weekdays=[1] * 7, months=[1] * 12, calls_per_day=24 * 600, lasts_hours=4,
        services={"standard": {"share": 0.5, "profile": "flat"}, "crise": {"share": 0.5, "profile": "flat"}},
        surges=[{"service": "crise", "begins_after_hours": 1, "ramp_minutes": 5, "plateau_minutes": 55,
                 "decay_minutes": 60}],
    )  # fmt: skip
    moments = [at for at, service in arrivals(chosen, Almanac(chosen), chosen.starts_at, random.Random(3))
               if service == "crise"]  # fmt: skip
    by_hour = Counter(at // 3600 for at in moments)
    assert by_hour[0] == about(300)
    assert by_hour[1] == about(300 * (20 * 55 + 10.5 * 5) / 60)
    assert by_hour[2] == about(300 * 10.5)
    assert by_hour[3] == about(300)
    assert sum(3900 <= at < 4200 for at in moments) == about(300 * 20 / 12)


@pytest.mark.parametrize(("day", "hours"), [("2026-03-29T00:00", 23), ("2026-10-25T00:00", 25)])
def test_the_nights_of_the_changing_clock_have_the_calls_of_their_real_hours(day, hours):
    chosen = scenario(
        begins=day, lasts_hours=hours, calls_per_day=24_000, profiles={"flat": [1] * 24}, weekdays=[1] * 7,
        months=[1] * 12, services={"permanence": {"share": 1, "profile": "flat"}},
    )  # fmt: skip
    by_hour = counts(chosen, lambda local, _: local.hour)
    assert by_hour.total() == about(1000 * hours)
    assert by_hour[2] == (about(2000) if hours == 25 else 0)
    assert by_hour[23] == about(1000)


@pytest.mark.parametrize(("day", "opens_after"), [("2026-03-29T00:00", 7), ("2026-10-25T00:00", 9)])
def test_on_the_days_of_the_changing_clock_shifts_begin_by_the_wall(day, opens_after):
    chosen = scenario(
        begins=day, lasts_hours=12,
        operators={"rota": [{"phones": ["op1"], "hours": ["sun 08:00-24:00"]}], "pauses_per_hour": 0},
    )  # fmt: skip
    told = list(pauses(chosen, Almanac(chosen), PREFECTURE, chosen.starts_at, 1))
    assert told == [PlannedPause(phone="op1", begins=0.0, ends=opens_after * 3600.0, reason="off duty")]


def test_a_service_round_the_clock_never_closes_and_its_phone_is_always_staffed():
    for day in ("2026-03-29T00:00", "2026-10-25T00:00", "2026-12-25T00:00"):
        chosen = scenario(begins=day, lasts_hours=24, services={"permanence": {"share": 1.0, "weekdays": [1] * 7,
                          "holiday_factor": 1.0}}, calls_per_day=300)  # fmt: skip
        plan = drawn(chosen, seed=1)
        assert not [pause for pause in plan.pauses if pause.phone == "duty"]
        outcomes = {call.expected.outcome for call in plan.calls}
        assert Outcome.ANSWERED in outcomes
        assert not outcomes & {Outcome.CLOSED, Outcome.IVR_ONLY}


def test_a_public_holiday_has_fewer_calls_and_closed_doors():
    holiday = load_scenario("holiday")
    before = holiday.model_copy(update={"begins": datetime.fromisoformat("2026-11-04T00:00")})
    (on_holiday, ordinary) = (drawn(chosen, seed=2) for chosen in (holiday, before))
    assert len(on_holiday.calls) < len(ordinary.calls) / 2
    offices = [call for call in on_holiday.calls if call.service != "permanence"]
    assert {call.expected.outcome for call in offices} <= {Outcome.CLOSED, Outcome.IVR_ONLY}
    assert len(offices) > 10
    off = [pause for pause in on_holiday.pauses if pause.phone == "op1"]
    assert [(pause.begins, pause.ends) for pause in off] == [(0.0, 86_400.0)]


def test_regions_have_holidays_of_their_own():
    day = date(2026, 12, 26)
    assert not Almanac(scenario(holidays="FR")).is_holiday(day)
    assert Almanac(scenario(holidays="FR-57")).is_holiday(day)


# -- people


@pytest.mark.parametrize(("scale", "shape"), [(90.0, 1.3), (40.0, 0.8)])
def test_patience_is_weibull(scale, shape):
    callers = Callers(patience_seconds=scale, patience_shape=shape, hasty_share=0.0)
    source = random.Random(1)
    draws = sorted(patience(callers, source) for _ in range(100_000))
    for part in (0.1, 0.5, 0.9):
        assert draws[int(part * len(draws))] == pytest.approx(scale * (-math.log(1 - part)) ** (1 / shape), rel=0.05)


def test_talks_are_log_normal():
    chosen = scenario(talks={"median_seconds": 100.0, "sigma": 0.5, "transfer_share": 0, "hold_share": 0},
                      lasts_hours=24, begins="2026-11-23T00:00", calls_per_day=5000)  # fmt: skip
    logs = [math.log(call.talk) for call in drawn(chosen, seed=1).calls]
    assert statistics.median(logs) == pytest.approx(math.log(100.0), abs=0.04)
    assert statistics.stdev(logs) == pytest.approx(0.5, abs=0.03)


def test_who_was_lost_calls_again_with_the_same_number():
    chosen = scenario(lasts_hours=6, calls_per_day=100, callers={"retry_share": 0.8, "retry_seconds": 60},
                      operators={"usual": {"absent_share": 1.0}})  # fmt: skip
    by_number = defaultdict(list)
    for call in drawn(chosen, seed=1).calls:
        by_number[call.caller].append(call)
    lost = again = 0
    for calls in by_number.values():
        for earlier, later in itertools.pairwise(calls):
            assert earlier.expected.outcome in WAITED_IN_VAIN
            assert later.service == earlier.service
            assert later.arrives_at >= earlier.arrives_at + earlier.expected.ended_after + 2.0 - 1e-3
        again += len(calls) - 1
        lost += sum(call.expected.outcome in WAITED_IN_VAIN for call in calls)
    assert lost > 200
    assert again / lost == pytest.approx(0.8, abs=0.1)


def test_numbers_belong_to_nobody():
    plan = drawn(load_scenario("monday-morning"), seed=1)
    assert {call.caller[:6] for call in plan.calls} == {"019900", "063998"}
    assert {len(call.caller) for call in plan.calls} == {10}


def test_slow_absent_and_refusing_operators_are_as_told():
    chosen = load_scenario("monday-morning")
    behaviours = defaultdict(list)
    for call in drawn(chosen, seed=1).calls:
        for phone, behaviour in call.phones.items():
            behaviours[phone].append(behaviour)
    share = {phone: Counter(map(type, told)) for phone, told in behaviours.items()}
    total = len(behaviours["op1"])
    assert share["op9"][RingsOn] / total == pytest.approx(0.3, abs=0.1)
    assert share["op4"][Rejects] / total == pytest.approx(0.2, abs=0.1)
    medians = {phone: statistics.median(b.after for b in behaviours[phone] if isinstance(b, Answers))
               for phone in ("op1", "op6")}  # fmt: skip
    assert medians == {"op1": pytest.approx(4.5, rel=0.15), "op6": pytest.approx(10.0, rel=0.15)}


def test_a_flapping_phone_comes_and_goes():
    plan = drawn(load_scenario("flapping-phone"), seed=1)
    outages = [pause for pause in plan.pauses if pause.phone == "duty" and pause.reason == "unreachable"]
    assert len(outages) == pytest.approx(16 * 60 / 35, rel=0.5)
    assert all(earlier.ends < later.begins for earlier, later in itertools.pairwise(outages))


def test_monday_morning_is_what_a_rehearsal_needs():
    monday = load_scenario("monday-morning")
    assert len(drawn(monday, seed=1).calls) >= 500
    calls = drawn(monday, seed=1, squeeze=20.0).calls
    assert len(calls) >= 500
    moves = [(call.arrives_at, 1) for call in calls]
    moves += [(call.arrives_at + call.expected.ended_after, -1) for call in calls]
    assert max(itertools.accumulate(step for _, step in sorted(moves))) >= 20
    assert 180 <= max(moment for moment, _ in moves) <= 380
    outcomes = Counter(call.expected.outcome for call in calls)
    assert outcomes[Outcome.ABANDONED] >= 20
    assert outcomes[Outcome.SHORT_ABANDONED] >= 5
    assert sum(call.expected.transferred_to is not None for call in calls) >= 15
    attempts = [attempt for call in calls for attempt in call.expected.attempts]
    assert {f"op{number}" for number in range(1, 11)} <= {attempt.phone for attempt in attempts}
    assert sum(attempt.result is AttemptResult.BUSY and attempt.lasts > 0 for attempt in attempts) >= 20


# -- the queue, to the second


def play(service, *calls):
    """Play calls, each (arrives, patience, phones), through one line; talk 100 s, no wrap-up."""
    agenda, line, told = Agenda(), PREFECTURE.line(service), {}
    switchboard = Switchboard(
        PREFECTURE,
        agenda,
        wrap_up=0.0,
        over=lambda call, now, ended_by: told.update({call.name: call.finish(now, ended_by).expected}),
    )
    for nth, (arrives, patience_seconds, phones) in enumerate(calls):
        intent = Intent(
            caller="", patience=patience_seconds, talk=100.0, message=5.0, ended_by=EndedBy.CALLER, phones=dict(phones)
        )
        call = LiveCall(str(nth), line, intent, arrives)
        agenda.at(arrives, partial(switchboard.arrive, call))
    while agenda.step():
        pass
    return [told[str(nth)] for nth in range(len(calls))]


def attempts(expected):
    return [(a.phone, a.begins, a.lasts, a.result.value) for a in expected.attempts]


def test_one_phone_rings_at_a_time_and_the_next_after_a_pause():
    (told,) = play("standard", (0.0, 300.0, {"op3": Answers(after=2.0)}))
    assert attempts(told) == [
        ("op1", 0.0, 15.0, "no_answer"),
        ("op2", 16.0, 15.0, "no_answer"),
        ("op3", 32.0, 2.0, "answered"),
    ]
    assert (told.answered_after, told.answered_by, told.ended_after) == (34.0, "op3", 134.0)


def test_a_refusal_lets_the_next_phone_ring_for_what_is_left():
    (told,) = play("standard", (0.0, 20.0, {"op1": Rejects(after=4.0)}))
    assert attempts(told) == [
        ("op1", 0.0, 4.0, "busy"),
        ("op2", 4.0, 11.0, "no_answer"),
        ("op3", 16.0, 4.0, "cancelled"),
    ]
    assert told.outcome is Outcome.ABANDONED


def test_nobody_answers_until_the_queue_gives_up():
    (told,) = play("standard", (0.0, 300.0, {}))
    assert told.attempts[-1] == PlannedAttempt(
        phone="op8", queue="standard", begins=112.0, lasts=8.0, result=AttemptResult.NO_ANSWER
    )
    assert (told.outcome, told.ended_by, told.ended_after) == (Outcome.UNANSWERED, EndedBy.SWITCHBOARD, 120.0)


def test_two_callers_are_served_in_order_by_phones_of_their_own():
    first = {"etr1": RingsOn(), "etr2": Answers(after=1.0)}
    second = {"etr1": Answers(after=1.0), "etr2": Answers(after=1.0)}
    told = play("etrangers", (0.0, 300.0, first), (1.0, 300.0, second), (2.0, 300.0, second))
    assert attempts(told[0])[0] == ("etr1", 0.0, 15.0, "no_answer")
    assert attempts(told[1]) == [("etr2", 0.0, 1.0, "answered")]
    # At 15 s etr1 is free, but the first caller is ahead and pauses only: the third has no turn until 20 s.
    assert attempts(told[0])[1] == ("etr1", 16.0, 4.0, "no_answer")
    assert attempts(told[2]) == [("etr1", 18.0, 1.0, "answered")]


def test_a_caller_for_whom_no_phone_is_free_looks_again_each_second():
    phones = {f"tit{number}": Answers(after=1.0) for number in (1, 2, 3)}
    told = play("titres", *[(0.0, 500.0, phones)] * 3, (0.5, 500.0, phones))
    assert told[3].alerted_after == 2.1
    # The phones are free again at 103.1 s; this caller looks at 2.6, 3.6 ... 103.6 s.
    assert attempts(told[3]) == [("tit1", 103.1, 1.0, "answered")]


def test_an_overflow_ends_in_voicemail():
    (told,) = play("etrangers", (0.0, 30.0, {"deb1": RingsOn()}))
    assert (told.outcome, told.queues, told.ended_after) == (Outcome.ABANDONED, ("etrangers", "debordement"), 30.0)
    (told,) = play("etrangers", (0.0, 60.0, {"deb1": RingsOn()}))
    assert (told.outcome, told.machine_after, told.ended_after) == (Outcome.DIVERTED, 40.0, 45.0)
    assert told.ended_by is EndedBy.CALLER


@pytest.mark.parametrize(
    ("mobile", "result", "ended_after"),
    [
        (Answers(after=4.0, accepts=True), "answered", 126.5),
        (Answers(after=4.0, accepts=False), "not_accepted", 41.2),
        (RingsOn(), "no_answer", 40.0),
        (Rejects(after=3.0), "busy", 23.0),
    ],
)
def test_the_permanence_goes_on_to_the_mobile(mobile, result, ended_after):
    (told,) = play("permanence", (0.0, 300.0, {"gsm": mobile}))
    assert attempts(told)[:2] == [("duty", 0.0, 15.0, "no_answer"), ("duty", 16.0, 4.0, "no_answer")]
    assert attempts(told)[2][:2] == ("gsm", 20.0)
    assert attempts(told)[2][3] == result
    assert told.ended_after == ended_after
    assert told.machine_after == (24.0 if result == "not_accepted" else None)
    assert told.outcome is (Outcome.ANSWERED if result == "answered" else Outcome.UNANSWERED)


def test_all_phones_ring_at_once_and_a_phone_in_use_refuses():
    free = {"acc1": Answers(after=3.0), "acc2": Answers(after=2.0), "acc3": Rejects(after=1.0)}
    told = play("accueil", (0.0, 90.0, free), (5.0, 90.0, free | {"acc3": RingsOn()}))
    assert attempts(told[0]) == [
        ("acc1", 0.0, 2.0, "cancelled"),
        ("acc2", 0.0, 2.0, "answered"),
        ("acc3", 0.0, 1.0, "busy"),
    ]
    assert attempts(told[1])[:2] == [("acc1", 0.0, 3.0, "answered"), ("acc2", 0.0, 0.0, "busy")]


def test_where_every_phone_is_in_use_the_caller_hears_busy_at_once():
    quick = {f"acc{n}": Answers(after=1.0) for n in (1, 2, 3)}
    told = play("accueil", *[(2.0 * n, 90.0, quick) for n in range(4)])[3]
    assert (told.outcome, told.ended_after, told.alerted_after) == (Outcome.BUSY, 0.0, None)
    assert attempts(told) == [(f"acc{n}", 0.0, 0.0, "busy") for n in (1, 2, 3)]


def test_the_crisis_queue_rings_all_who_are_free():
    phones = {f"cri{n}": Answers(after=float(n)) for n in range(1, 6)}
    told = play("crise", (0.0, 90.0, phones), (2.0, 90.0, phones))
    assert attempts(told[0]) == [("cri1", 0.0, 1.0, "answered")] + [
        (f"cri{n}", 0.0, 1.0, "cancelled") for n in range(2, 6)
    ]
    assert {a.phone for a in told[1].attempts} == {"cri2", "cri3", "cri4", "cri5"}
    assert told[1].answered_by == "cri2"


@pytest.mark.parametrize(("leaves", "outcome"), [(2.0, Outcome.IVR_ONLY), (7.0, Outcome.SHORT_ABANDONED),
                                                 (7.1, Outcome.ABANDONED)])  # fmt: skip
def test_how_soon_a_caller_leaves_a_menu_decides(leaves, outcome):
    (told,) = play("titres", (0.0, leaves, {}))
    assert (told.outcome, told.ended_after, told.machine_after) == (outcome, leaves, 0.0)


def test_the_year_has_some_two_hundred_thousand_first_calls():
    assert counts(load_scenario("year"), lambda *_: "").total() == pytest.approx(195_000, rel=0.05)
