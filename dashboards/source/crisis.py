"""*Crise*: the crisis cell's stopwatch, how far it has come, who is there, and what its line bears."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from grafana_foundation_sdk.builders.common import VizTextDisplayOptions
from grafana_foundation_sdk.models.common import BigValueTextMode

from dashboards.source import palette, promql
from dashboards.source.board import Plan
from dashboards.source.sheet import Place, Sheet, ask, by_steps, colored, follow, said, steps
from telemon.crisis.stages import Limit, Stage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from grafana_foundation_sdk.builders import bargauge, stat, timeseries
    from grafana_foundation_sdk.cog.builder import Builder
    from grafana_foundation_sdk.models.dashboard import Panel

_QUARTER_HOUR: Final = 900
_RUNNING: Final = 'max by (site, service) (telemon_crisis_open{site=~"$site"})'


def _panels(sheet: Sheet) -> Iterator[Builder[Panel]]:
    yield _remaining(sheet, 1, Place(0, 0, 10, 8))
    yield _open(sheet, 2, Place(10, 0, 14, 4))
    yield _stages(sheet, 3, Place(10, 4, 14, 4))
    yield _people(sheet, 4, Place(0, 8, 10, 5))
    yield _limits(sheet, 5, Place(10, 8, 14, 5))
    yield _line(sheet, 6, Place(0, 13, 12, 9))
    yield _longest(sheet, 7, Place(12, 13, 12, 9))


def _remaining(sheet: Sheet, number: int, place: Place) -> stat.Panel:
    left = promql.each("telemon_crisis_remaining_seconds")
    legends = {name: f"{{{{service}}}} · {sheet.say(f'remaining.{name}')}" for name in ("left", "late")}
    panel = sheet.stat(number, "remaining", place, "dthms").no_value(sheet.say("open.none"))
    panel = panel.with_target(ask("left", f"{left} >= 0", legends["left"]))
    panel = panel.with_target(ask("late", f"0 - ({left} < 0)", legends["late"]))
    panel = panel.override_by_query("late", colored(palette.BAD)).color_scheme(by_steps())
    return panel.thresholds(steps((0, palette.WARN), (_QUARTER_HOUR, palette.GOOD)))


def _open(sheet: Sheet, number: int, place: Place) -> stat.Panel:
    running = f"sum({promql.each('telemon_crisis_open', 'exercise')})"
    real, drill = (f"sum({promql.each('telemon_crisis_open', exercise=value)})" for value in ("false", "true"))
    told = {"real": f"{real} > 0", "exercise": f"{drill} > 0", "none": f"0 * max(telemon_build_info) unless {running}"}
    colors = {"real": palette.BAD, "exercise": palette.WARN, "none": palette.GOOD}
    panel = sheet.stat(number, "open", place, "none").text_mode(BigValueTextMode.NAME)
    for name, expr in told.items():
        panel = panel.with_target(ask(name, expr, sheet.say(f"open.{name}")))
        panel = panel.override_by_query(name, colored(colors[name]))
    return panel.no_value(sheet.say("blindness.silent"))


def _stages(sheet: Sheet, number: int, place: Place) -> stat.Panel:
    words = {"1": (sheet.say("stage.reached"), palette.GOOD), "0": (sheet.say("stage.awaited"), palette.UNKNOWN)}
    panel = sheet.stat(number, "stages", place, "none").text(VizTextDisplayOptions().title_size(15).value_size(26))
    panel = panel.mappings(said(words)).no_value(sheet.say("open.none"))
    for stage in Stage:
        reached = f"min({promql.each('telemon_crisis_stage', stage=stage.value)})"
        panel = panel.with_target(ask(stage.value, reached, sheet.say(f"stage.{stage.value}")))
    return panel


def _people(sheet: Sheet, number: int, place: Place) -> bargauge.Panel:
    panel = sheet.bars(number, "people", place, sheet.unit("people")).no_value(sheet.say("open.none"))
    for name, color in (("people", palette.GOOD), ("plan", palette.UNKNOWN)):
        panel = panel.with_target(ask(name, promql.total(f"telemon_crisis_{name}"), sheet.say(f"people.{name}")))
        panel = panel.override_by_query(name, colored(color))
    return panel


def _limits(sheet: Sheet, number: int, place: Place) -> stat.Panel:
    words = {"1": (sheet.say("limits.exceeded"), palette.BAD), "0": (sheet.say("limits.within"), palette.GOOD)}
    panel = sheet.stat(number, "limits", place, "none").mappings(said(words)).no_value(sheet.say("open.none"))
    for limit in Limit:
        exceeded = f"max({promql.each('telemon_crisis_exceeded', limit=limit.value)}) or 0 * max({_RUNNING})"
        panel = panel.with_target(ask(limit.value, exceeded, sheet.say(f"limits.{limit.value}")))
    return panel


def _of_cell(metric: str) -> str:
    return f"{promql.each(metric)} and on (site, service) {_RUNNING}"


def _line(sheet: Sheet, number: int, place: Place) -> timeseries.Panel:
    panel = sheet.curve(number, "line", place, sheet.unit("callers")).decimals(0)
    for name, color in (("waiting", palette.SLOW), ("talking", palette.BUSY)):
        now = f"sum({_of_cell(f'telemon_calls_{name}')})"
        panel = panel.with_target(follow(name, now, sheet.say(f"line.{name}")))
        panel = panel.override_by_query(name, colored(color))
    return panel.no_value(sheet.say("open.none"))


def _longest(sheet: Sheet, number: int, place: Place) -> timeseries.Panel:
    panel = sheet.curve(number, "longest", place, sheet.unit("rings")).decimals(0)
    longest = f"max({_of_cell('telemon_longest_wait_rings')})"
    panel = panel.with_target(follow("longest", longest, sheet.say("longest.rings")))
    return panel.override_by_query("longest", colored(palette.NEUTRAL)).no_value(sheet.say("open.none"))


PLAN: Final = Plan(
    slug="crisis",
    variables={"site": "telemon_pbx_info", "service": "telemon_period_calls"},
    since="now-3h",
    refresh="5s",
    panels=_panels,
)
