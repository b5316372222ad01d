"""Which rule sets the figures of each current period are reckoned under."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from telemon.cadences import ring_cycle
from telemon.errors import ConfigError
from telemon.figures.erlang import Promise
from telemon.figures.spans import Span
from telemon.instants import to_seconds
from telemon.roll_ups import Definition
from telemon.rulesets import GoalKind, load_rulesets, ruleset_at

if TYPE_CHECKING:
    from collections.abc import Mapping

    from telemon.config import Config
    from telemon.figures.spans import Spans
    from telemon.rulesets import RuleSet

_HAIR: Final = 1e-6  # no finite staff loses nobody at all, or answers everybody in time
Rules = dict["Span", dict[str, "Definition"]]
"""Definitions by rule set's name."""


def rules_of(config: Config, spans: Spans) -> Rules:
    """Return the versions that are valid on each period's last day, as ``telemon stats`` takes them."""
    known = load_rulesets(config.rule_sets)
    names = {*(config.figures.rule_sets or known), config.rule_set}
    cycle = ring_cycle(config.country)
    found: Rules = {}
    for span in Span:
        valid = {name: _valid(known, name, spans, span) for name in sorted(names)}
        found[span] = {
            name: Definition.of(rules, cycle, config.timezone) for name, rules in valid.items() if rules is not None
        }
    return found


def _valid(known: Mapping[str, tuple[RuleSet, ...]], name: str, spans: Spans, span: Span) -> RuleSet | None:
    try:
        return ruleset_at(known, name, spans.last_day(span))
    except ConfigError:  # none of its versions is valid yet
        return None


def promise_of(definition: Definition, within_rings_share: float) -> Promise:
    """Return what staffing has to keep: the rule set's goals, or this share in time where it has none of its own.

    "Fewer than five rings" is less than four ring cycles: the first ring begins at once.
    """
    ruleset = definition.ruleset
    goals = {goal.kind: float(goal.limit) for goal in ruleset.goals}
    return Promise(
        seconds=to_seconds((ruleset.max_rings - 1) * definition.cycle),
        lost_below=max(goals.get(GoalKind.LOST_RATE_BELOW, 1.0), _HAIR),
        answered_at_least=min(goals.get(GoalKind.ANSWER_RATE_AT_LEAST, 0.0), 1 - _HAIR),
        within_at_least=min(goals.get(GoalKind.WITHIN_RINGS_AT_LEAST, within_rings_share), 1 - _HAIR),
    )
