"""What the dashboards' queries judge is what telemon's own arithmetic says: asked of Prometheus' own engine."""

import json
import subprocess
from collections import Counter
from dataclasses import replace
from fractions import Fraction

import pytest

from dashboards.source import promql
from dashboards.source.board import DEFAULT_RULE_SET
from dashboards.source.promise import VERDICT_VALUES
from telemon.instants import SECOND
from telemon.measures import measure
from telemon.rates import Verdict
from telemon.records import Outcome
from telemon.rulesets import GoalKind, load_rulesets

RULES = load_rulesets()[DEFAULT_RULE_SET][-1]
EMPTY = measure((), RULES, 5 * SECOND)


def measures(answered, lost, short=0, unknown=0, within=0, undecided=0):
    """Return the measures of so many calls."""
    outcomes = Counter(
        {
            Outcome.ANSWERED: answered,
            Outcome.ABANDONED: lost,
            Outcome.SHORT_ABANDONED: short,
            Outcome.UNKNOWN: unknown,
        }
    )
    return replace(EMPTY, by_outcome=outcomes, within=within, undecided=undecided)


KINDS = {
    "lost": GoalKind.LOST_RATE_BELOW,
    "answered": GoalKind.ANSWER_RATE_AT_LEAST,
    "within_rings": GoalKind.WITHIN_RINGS_AT_LEAST,
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("bound", ["measured", "lower", "upper"])
def test_services_weighed_by_their_calls_give_the_rate_of_all_calls(kind, bound):
    one, two = (90, 10, 3, 2, 70), (12, 7, 0, 1, 5)
    counts = ("answered", "lost", "short_abandoned", "unknown", "within")
    parts = [(measures(*service), dict(zip(counts, service, strict=True))) for service in (one, two)]
    attribute = "value" if bound == "measured" else bound
    weights = [sum(told[result] for result in promql._WEIGHTS[kind, bound]) for _, told in parts]
    rates = [getattr(part.rate(KINDS[kind]), attribute) for part, _ in parts]
    together = measures(*(a + b for a, b in zip(one, two, strict=True)))
    summed = sum((rate * weight for rate, weight in zip(rates, weights, strict=True)), Fraction(0))
    assert summed / sum(weights) == getattr(together.rate(KINDS[kind]), attribute)


# Answered, lost, short, unknown; observed share; the verdict on "fewer than 10 % lost"
CASES = [
    ((91, 9, 0, 0), Fraction(1), Verdict.KEPT),
    ((90, 10, 0, 0), Fraction(1), Verdict.BROKEN),
    ((91, 9, 3, 0), Fraction(1), Verdict.UNDECIDED),
    ((910, 90, 0, 9), Fraction(1), Verdict.KEPT),
    ((910, 90, 0, 20), Fraction(1), Verdict.UNDECIDED),
    ((99, 1, 0, 0), Fraction(1, 2), Verdict.UNDECIDED),
    ((50, 50, 0, 0), Fraction(1, 2), Verdict.BROKEN),
    ((27, 3, 0, 0), Fraction(1), Verdict.BROKEN),
    ((62_991, 6_999, 0, 0), Fraction(1), Verdict.BROKEN),
    ((0, 4, 0, 0), Fraction(1), Verdict.BROKEN),
    ((0, 0, 0, 0), Fraction(1), None),
]


def series(told, share):
    """Return what telemon exposes of one service, as promtool reads it."""
    found = measures(*told)
    one = 'site="s",service="a",rule_set="qualipref",period="day"'
    results = zip(("answered", "lost", "short_abandoned", "unknown"), told, strict=True)
    lines = [(f'telemon_period_calls{{{one},result="{result}"}}', count) for result, count in results]
    rate = found.lost_rate
    for bound, value in (("measured", rate.value), ("lower", rate.lower), ("upper", rate.upper)):
        if value is not None:
            lines.append((f'telemon_period_rate{{{one},rate="lost",bound="{bound}"}}', float(value)))
    lines.append(('telemon_period_observed{site="s",period="day"}', float(share)))
    lines.append(('telemon_goal{rule_set="qualipref",rate="lost",sense="below"}', 0.1))
    return [{"series": name, "values": repr(value)} for name, value in lines]


def filled_in(expr):
    """Return a query with its variables as Grafana puts them in."""
    return expr.replace("$rule_set", "qualipref").replace("$site", ".*").replace("$service", ".*")


@pytest.mark.real("promtool")
@pytest.mark.parametrize(("told", "share", "verdict"), CASES)
def test_a_judged_panel_shows_exactly_the_verdict_of_telemon(tmp_path, told, share, verdict):
    goal = RULES.goals[0]
    rate = measures(*told).lost_rate
    assert verdict is (rate.widened(share).verdict(goal) if rate.value is not None else None)
    tests = [
        {"expr": f"0 * ({filled_in(expr)})", "exp_samples": [{"labels": "{}", "value": 0}] if name == verdict else []}
        for name, expr in promql.judged("lost", "day").items()
    ]
    number = [value for value, name in VERDICT_VALUES.items() if name == verdict]
    verdicts = filled_in(promql.verdicts(rule_set=promql.RULE_SET, period="day"))
    if verdict is not None:
        tests.append({"expr": f"sum({verdicts})", "exp_samples": [{"labels": "{}", "value": int(number[0])}]})
    ask_promtool(tmp_path, series(told, share), tests)


@pytest.mark.real("promtool")
def test_a_rate_without_a_goal_is_shown_without_a_verdict(tmp_path):
    told = [one for one in series((90, 10, 0, 0), Fraction(1)) if not one["series"].startswith("telemon_goal")]
    tests = [
        {"expr": f"0 * ({filled_in(expr)})", "exp_samples": [{"labels": "{}", "value": 0}] if name == "aimless" else []}
        for name, expr in promql.judged("lost", "day").items()
    ]
    ask_promtool(tmp_path, told, tests)


@pytest.mark.real("promtool")
@pytest.mark.parametrize(("told", "left"), [((95, 5, 0, 0), 5), ((80, 20, 0, 0), -10), ((100, 0, 0, 0), 10)])
def test_the_margin_left_is_what_may_still_be_lost(tmp_path, told, left):
    share = [{"labels": "{}", "value": left * 10}]
    tests = [
        {"expr": filled_in(promql.budget_calls("day")), "exp_samples": [{"labels": "{}", "value": left}]},
        {"expr": f"round(100 * ({filled_in(promql.budget_share('day'))}))", "exp_samples": share},
    ]
    ask_promtool(tmp_path, series(told, Fraction(1)), tests)


def ask_promtool(folder, told, tests):
    """Have Prometheus' own engine answer; JSON is YAML."""
    asked = [{"eval_time": "0m", **one} for one in tests]
    file = folder / "test.yml"
    file.write_text(json.dumps({"tests": [{"interval": "1m", "input_series": told, "promql_expr_test": asked}]}))
    done = subprocess.run(["promtool", "test", "rules", str(file)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
