"""*Engagements*: month and year against what was promised, what may still fail, and where it is heading."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from grafana_foundation_sdk.models.dashboard import DynamicConfigValue

from dashboards.source import palette, promql
from dashboards.source.board import Plan
from dashboards.source.columns import Column, show, worded
from dashboards.source.promise import bounds, judged, verdict_words
from dashboards.source.sheet import LOWEST, RATIO, Place, Sheet, ask, ask_rows, by_steps, colored, follow, said, steps

if TYPE_CHECKING:
    from collections.abc import Iterator

    from grafana_foundation_sdk.builders import stat, table, timeseries
    from grafana_foundation_sdk.cog.builder import Builder
    from grafana_foundation_sdk.models.dashboard import Panel

    from dashboards.source.sheet import ValueMapping

_ROW: Final = ("rule_set", "rate", "period")


def _panels(sheet: Sheet) -> Iterator[Builder[Panel]]:
    for first, period, x in ((1, "month", 0), (11, "year", 12)):
        yield judged(sheet, first, f"lost_{period}", Place(x, 0, 6, 5), promql.judged("lost", period))
        yield bounds(sheet, first + 1, f"lost_bounds_{period}", Place(x, 5, 6, 3), "lost", period)
        yield judged(sheet, first + 2, f"within_{period}", Place(x + 6, 0, 6, 5), promql.judged("within_rings", period))
        yield bounds(sheet, first + 3, f"within_bounds_{period}", Place(x + 6, 5, 6, 3), "within_rings", period)
        yield _budget(sheet, first + 4, period, Place(x, 8, 6, 5))
        yield _forecast(sheet, first + 5, period, Place(x + 6, 8, 6, 5))
    yield _all_promises(sheet, 21, Place(0, 13, 24, 9))
    yield _observed(sheet, 22, Place(0, 22, 6, 8))
    yield _course(sheet, 23, Place(6, 22, 18, 8))


def _budget(sheet: Sheet, number: int, period: str, place: Place) -> stat.Panel:
    panel = sheet.stat(number, f"budget_{period}", place, RATIO).decimals(0).color_scheme(by_steps())
    panel = panel.thresholds(steps((LOWEST, palette.BAD), (0, palette.WARN), (0.25, palette.GOOD)))
    panel = panel.with_target(ask("share", promql.budget_share(period), sheet.say("budget.share")))
    panel = panel.with_target(ask("calls", promql.budget_calls(period), sheet.say("budget.calls")))
    panel = panel.override_by_query("calls", [DynamicConfigValue("unit", sheet.unit("calls"))])
    return panel.no_value(sheet.say("budget.none"))


def _forecast(sheet: Sheet, number: int, period: str, place: Place) -> stat.Panel:
    panel = judged(sheet, number, f"forecast_{period}", place, promql.judged_forecast("lost", period))
    return panel.no_value(sheet.say("forecast.none"))


def _all_promises(sheet: Sheet, number: int, place: Place) -> table.Panel:
    panel = sheet.table(number, "all_promises", place, RATIO)
    months = ("month", "year")
    promised = "and on (rule_set, rate) telemon_goal"
    for bound in ("measured", "lower", "upper"):
        value = f"({promql.bounded(bound, *_ROW, period=months)})"
        panel = panel.with_target(ask_rows(bound, f"{value} {promised}"))
    limit = "on (rule_set, rate) group_left () max by (rule_set, rate) (telemon_goal)"
    upper = promql.each("telemon_period_rate", *_ROW, bound="upper", period=months)
    panel = panel.with_target(ask_rows("limit", f"0 * {upper} + {limit}"))
    panel = panel.with_target(ask_rows("verdict", promql.verdicts("period", period=months)))
    columns = (
        Column("rule_set", sheet.say("column.rule_set"), width=170),
        Column("rate", sheet.say("column.rate"), mappings=worded({k: sheet.say(f"rate.{k}") for k in promql.KINDS})),
        Column("period", sheet.say("column.period"), mappings=worded({k: sheet.say(f"period.{k}") for k in months})),
        Column(
            "Value #verdict",
            sheet.say("column.verdict"),
            unit="none",
            filled=True,
            mappings=_verdicts(sheet),
            width=200,
        ),
        Column("Value #measured", sheet.say("column.measured"), unit=RATIO),
        Column("Value #lower", sheet.say("column.lower"), unit=RATIO),
        Column("Value #upper", sheet.say("column.upper"), unit=RATIO),
        Column("Value #limit", sheet.say("column.limit"), unit=RATIO),
        Column("service", sheet.say("column.service")),
        Column("site", sheet.say("column.site")),
    )
    return show(panel, columns, sort="Value #verdict")


def _verdicts(sheet: Sheet) -> tuple[ValueMapping, ...]:
    return tuple(said(verdict_words(sheet)))


def _observed(sheet: Sheet, number: int, place: Place) -> stat.Panel:
    panel = sheet.stat(number, "observed", place, RATIO).decimals(2).color_scheme(by_steps())
    panel = panel.thresholds(steps((0, palette.BAD), (0.95, palette.WARN), (0.999, palette.GOOD)))
    for period in ("day", "month", "year"):
        least = f"min({promql.each('telemon_period_observed', scope=promql.SITE, period=period)})"
        panel = panel.with_target(ask(period, least, sheet.say(f"period.{period}")))
    return panel


def _course(sheet: Sheet, number: int, place: Place) -> timeseries.Panel:
    panel = sheet.curve(number, "course", place, RATIO).decimals(1)
    colors = {"measured": palette.NEUTRAL, "lower": palette.UNKNOWN, "upper": palette.UNKNOWN}
    for bound, color in colors.items():
        legend = sheet.say("course.measured" if bound == "measured" else f"bound.{bound}")
        panel = panel.with_target(follow(bound, promql.rate("lost", bound, "month"), legend, every="5m"))
        panel = panel.override_by_query(bound, colored(color))
    panel = panel.with_target(follow("limit", promql.goal("lost"), sheet.say("limit.lost"), every="5m"))
    return panel.override_by_query("limit", colored(palette.BAD))


PLAN: Final = Plan(
    slug="promises",
    variables={"site": "telemon_pbx_info", "service": "telemon_period_calls", "rule_set": "telemon_max_rings"},
    since="now-30d",
    refresh="1m",
    panels=_panels,
)
