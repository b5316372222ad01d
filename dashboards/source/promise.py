"""Panels that hold a rate against its promise; the rate's colour comes with a word, from which query answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from grafana_foundation_sdk.builders.common import VizTextDisplayOptions
from grafana_foundation_sdk.models.common import BigValueColorMode

from dashboards.source import palette, promql
from dashboards.source.sheet import RATIO, Place, always, ask, colored
from telemon.rulesets import GoalKind, load_rulesets

if TYPE_CHECKING:
    from grafana_foundation_sdk.builders import stat

    from dashboards.source.sheet import Sheet

_SHIPPED: Final = load_rulesets()["qualipref"][-1]
MAX_RINGS: Final = _SHIPPED.max_rings
"""From this ring on it is too late, under the rule set that telemon ships; for colours that no query can choose."""
LOST_LIMIT: Final = next(float(goal.limit) for goal in _SHIPPED.goals if goal.kind is GoalKind.LOST_RATE_BELOW)
"""The share that may be lost, likewise."""
VERDICT_COLORS: Final = {
    "kept": palette.GOOD,
    "broken": palette.BAD,
    "undecided": palette.UNKNOWN,
    "aimless": palette.UNKNOWN,
}
VERDICT_VALUES: Final = {"1": "kept", "0": "undecided", "-1": "broken"}


def judged(sheet: Sheet, number: int, key: str, place: Place, told: dict[str, str], unit: str = RATIO) -> stat.Panel:
    """Show one value under the verdict that holds: of the queries in ``told`` exactly one answers."""
    panel = sheet.stat(number, key, place, unit)
    if unit == RATIO:
        panel = panel.decimals(1)
    for name, expr in told.items():
        panel = panel.with_target(ask(name, expr, sheet.say(f"verdict.{name}")))
        panel = panel.override_by_query(name, colored(VERDICT_COLORS[name]))
    return panel


def bounds(sheet: Sheet, number: int, key: str, place: Place, kind: str, period: str) -> stat.Panel:
    """Show the lower and upper bound of a rate, and the limit that was promised."""
    panel = sheet.stat(number, key, place, RATIO).decimals(1).color_scheme(always(palette.PLAIN))
    sizes = VizTextDisplayOptions().title_size(13).value_size(22)
    panel = panel.color_mode(BigValueColorMode.NONE).text(sizes)
    for bound in ("lower", "upper"):
        panel = panel.with_target(ask(bound, promql.rate(kind, bound, period), sheet.say(f"bound.{bound}")))
    return panel.with_target(ask("limit", promql.goal(kind), sheet.say(f"limit.{kind}")))


def verdict_words(sheet: Sheet) -> dict[str, tuple[str, str]]:
    """Return what the values of ``promql.verdicts`` mean: text and colour."""
    return {value: (sheet.say(f"verdict.{name}"), VERDICT_COLORS[name]) for value, name in VERDICT_VALUES.items()}
