"""*Standard en direct*: what rings now, and today against the promise. Made to be read from across a room."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from grafana_foundation_sdk.builders.common import StackingConfig
from grafana_foundation_sdk.models.common import BarAlignment, BigValueTextMode, GraphDrawStyle, StackingMode
from grafana_foundation_sdk.models.dashboard import DynamicConfigValue

from dashboards.source import palette, promql
from dashboards.source.board import Plan
from dashboards.source.columns import MOMENT, Column, show, worded
from dashboards.source.naming import outcome_words
from dashboards.source.promise import MAX_RINGS, bounds, judged
from dashboards.source.sheet import Place, Sheet, ask, ask_rows, by_steps, colored, follow, said, steps
from telemon.operators import Presence

if TYPE_CHECKING:
    from collections.abc import Iterator

    from grafana_foundation_sdk.builders import bargauge, stat, table, timeseries
    from grafana_foundation_sdk.cog.builder import Builder
    from grafana_foundation_sdk.models.dashboard import Panel

_AS_LINE: Final = [
    DynamicConfigValue("custom.drawStyle", "line"),
    DynamicConfigValue("custom.fillOpacity", 0),
    DynamicConfigValue("custom.stacking", {"mode": "none", "group": "A"}),
]
"""Beside the stacked bars of the answered and the lost: all that came, which is more."""
_RINGS: Final = ("1", "2", "3", "4", "5", "6+")
_PRESENCE_COLORS: Final = {
    Presence.REACHABLE: palette.GOOD,
    Presence.RINGING: palette.WARN,
    Presence.TALKING: palette.BUSY,
    Presence.PAUSED: palette.SLOW,
    Presence.UNREACHABLE: palette.UNKNOWN,
}


def _panels(sheet: Sheet) -> Iterator[Builder[Panel]]:
    yield blindness(sheet, 1, Place(0, 0, 24, 3))
    yield _longest(sheet, 2, Place(0, 3, 7, 7))
    yield _waiting(sheet, 3, Place(7, 3, 7, 7))
    yield _ringing(sheet, 4, Place(14, 3, 10, 7))
    yield judged(sheet, 5, "lost_today", Place(0, 10, 7, 5), promql.judged("lost", "day"))
    yield bounds(sheet, 6, "lost_bounds", Place(0, 15, 7, 3), "lost", "day")
    yield judged(sheet, 7, "within_today", Place(7, 10, 7, 5), promql.judged("within_rings", "day"))
    yield bounds(sheet, 8, "within_bounds", Place(7, 15, 7, 3), "within_rings", "day")
    yield _operators(sheet, 9, Place(14, 10, 10, 8))
    yield _quarters(sheet, 10, Place(0, 18, 14, 8))
    yield _losses(sheet, 11, Place(14, 18, 10, 8))


def blindness(sheet: Sheet, number: int, place: Place) -> stat.Panel:
    """Say whether all that is shown was seen: how many PBXs are not being watched."""
    blind = f"sum(1 - ({promql.of_pbx('telemon_observation_seeing')}))"
    words = {"0": (sheet.say("blindness.none"), palette.GOOD)}
    panel = sheet.stat(number, "blindness", place, "none").with_target(ask("blind", blind))
    panel = panel.text_mode(BigValueTextMode.VALUE).unit(f"suffix:{sheet.say('blindness.some')}")
    panel = panel.mappings(said(words)).color_scheme(by_steps())
    return panel.thresholds(steps((0, palette.GOOD), (1, palette.BAD), base=palette.BAD)).no_value(
        sheet.say("blindness.silent")
    )


def _longest(sheet: Sheet, number: int, place: Place) -> stat.Panel:
    longest = promql.worst("telemon_longest_wait_rings")
    allowed = 'scalar(max(telemon_max_rings{rule_set="$rule_set"}))'
    told = {"kept": f"{longest} < {allowed}", "broken": f"{longest} >= {allowed}"}
    panel = judged(sheet, number, "longest", place, told, sheet.unit("rings")).decimals(0)
    return panel.no_value(sheet.say("unseen"))


def _waiting(sheet: Sheet, number: int, place: Place) -> stat.Panel:
    waiting, talking = promql.total("telemon_calls_waiting"), promql.total("telemon_calls_talking")
    panel = sheet.stat(number, "waiting", place, sheet.unit("callers")).no_value(sheet.say("unseen"))
    panel = panel.with_target(ask("waiting", waiting, sheet.say("waiting.waiting")))
    panel = panel.with_target(ask("talking", talking, sheet.say("waiting.talking")))
    panel = panel.override_by_query("waiting", colored(palette.WARN))
    return panel.override_by_query("talking", colored(palette.BUSY))


def _ringing(sheet: Sheet, number: int, place: Place) -> bargauge.Panel:
    panel = sheet.bars(number, "ringing", place, sheet.unit("callers")).no_value(sheet.say("unseen"))
    for ring in _RINGS:
        late = int(ring.rstrip("+")) >= MAX_RINGS
        ref_id = f"ring{ring.rstrip('+')}"
        legend = f"{sheet.say('ringing.late' if late else 'ringing.timely')} {ring}"
        panel = panel.with_target(ask(ref_id, promql.total("telemon_calls_ringing", ring=ring), legend))
        panel = panel.override_by_query(ref_id, colored(palette.BAD if late else palette.NEUTRAL))
    return panel


def _operators(sheet: Sheet, number: int, place: Place) -> bargauge.Panel:
    panel = sheet.bars(number, "operators", place, sheet.unit("operators"))
    for state, color in _PRESENCE_COLORS.items():
        legend = sheet.say(f"operators.{state.value}")
        panel = panel.with_target(ask(state.value, promql.total("telemon_operators", state=state.value), legend))
        panel = panel.override_by_query(state.value, colored(color))
    return panel.no_value(sheet.say("unseen"))


def _quarters(sheet: Sheet, number: int, place: Place) -> timeseries.Panel:
    results = {
        "offered": ("answered", "lost", "short_abandoned", "unknown"),
        "answered": ("answered",),
        "lost": ("lost",),
    }
    colors = {"offered": palette.UNKNOWN, "answered": palette.GOOD, "lost": palette.BAD}
    panel = sheet.curve(number, "quarters", place, sheet.unit("calls")).decimals(0)
    panel = panel.draw_style(GraphDrawStyle.BARS).bar_alignment(BarAlignment.BEFORE).fill_opacity(60).line_width(1)
    for name, wanted in results.items():
        counted = promql.select("telemon_period_calls", rule_set="$rule_set", period="day", result=wanted)
        grown = f"sum(max by (site, service, result) (round(increase({counted}[15m]))))"
        panel = panel.with_target(follow(name, grown, sheet.say(f"quarters.{name}"), every="15m"))
        drawn = _AS_LINE if name == "offered" else []
        panel = panel.override_by_query(name, [*colored(colors[name]), *drawn])
    return panel.stacking(StackingConfig().mode(StackingMode.NORMAL).group("A"))


def _losses(sheet: Sheet, number: int, place: Place) -> table.Panel:
    panel = sheet.table(number, "losses", place, "none").no_value(sheet.say("losses.none"))
    when = f"1000 * {promql.each('telemon_last_loss_timestamp_seconds', 'outcome')}"
    panel = panel.with_target(ask_rows("when", when))
    panel = panel.with_target(ask_rows("rings", promql.each("telemon_last_loss_rings", "outcome")))
    columns = (
        Column("Value #when", sheet.say("column.when"), unit=MOMENT, width=150),
        Column("service", sheet.say("column.service")),
        Column("outcome", sheet.say("column.outcome"), mappings=worded(outcome_words(sheet))),
        Column("Value #rings", sheet.say("column.rings"), unit="none", width=100),
        Column("site", sheet.say("column.site")),
    )
    return show(panel, columns, sort="Value #when", descending=True)


PLAN: Final = Plan(
    slug="live",
    variables={"site": "telemon_pbx_info", "service": "telemon_period_calls", "rule_set": "telemon_max_rings"},
    since="now/d",
    refresh="5s",
    panels=_panels,
)
