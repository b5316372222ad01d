"""*Sites*: all of them beside each other, the worst first; a click opens one in *Standard en direct*."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from grafana_foundation_sdk.models.common import BigValueTextMode

from dashboards.source import palette, promql
from dashboards.source.board import Plan
from dashboards.source.columns import Column, show, transform
from dashboards.source.promise import MAX_RINGS, verdict_words
from dashboards.source.sheet import RATIO, Place, Sheet, ask, ask_rows, by_steps, colored, said, steps

if TYPE_CHECKING:
    from collections.abc import Iterator

    from grafana_foundation_sdk.builders import stat, table
    from grafana_foundation_sdk.cog.builder import Builder
    from grafana_foundation_sdk.models.dashboard import Panel

_SEEN: Final = f"min by (site) ({promql.of_pbx('telemon_observation_seeing')})"
_VERDICT: Final = f"min by (site) ({promql.verdicts(period='day', rule_set=promql.RULE_SET)})"


def _panels(sheet: Sheet) -> Iterator[Builder[Panel]]:
    yield _breaking(sheet, 1, Place(0, 0, 8, 5))
    yield _blind(sheet, 2, Place(8, 0, 8, 5))
    yield _waiting(sheet, 3, Place(16, 0, 8, 5))
    yield _comparison(sheet, 4, Place(0, 5, 24, 19))


def _count(sheet: Sheet, number: int, key: str, place: Place, expr: str) -> stat.Panel:
    panel = sheet.stat(number, key, place, sheet.unit("sites")).decimals(0)
    panel = panel.with_target(ask("sites", expr)).text_mode(BigValueTextMode.VALUE)
    return panel.color_scheme(by_steps()).thresholds(steps((0, palette.GOOD), (1, palette.BAD)))


def _breaking(sheet: Sheet, number: int, place: Place) -> stat.Panel:
    return _count(sheet, number, "breaking", place, f"count(({_VERDICT}) == -1) or 0 * count({_SEEN})")


def _blind(sheet: Sheet, number: int, place: Place) -> stat.Panel:
    panel = _count(sheet, number, "blind", place, f"count(({_SEEN}) == 0) or 0 * count({_SEEN})")
    return panel.no_value(sheet.say("blindness.silent"))


def _waiting(sheet: Sheet, number: int, place: Place) -> stat.Panel:
    panel = sheet.stat(number, "waiting", place, sheet.unit("callers")).decimals(0)
    panel = panel.with_target(ask("waiting", promql.total("telemon_calls_waiting"), ""))
    panel = panel.override_by_query("waiting", colored(palette.WARN))
    return panel.text_mode(BigValueTextMode.VALUE).no_value(sheet.say("unseen"))


def _comparison(sheet: Sheet, number: int, place: Place) -> table.Panel:
    asked = {
        "seen": _SEEN,
        "verdict": _VERDICT,
        "lost": promql.rate("lost", "measured", "day", "site"),
        "lower": promql.rate("lost", "lower", "day", "site"),
        "upper": promql.rate("lost", "upper", "day", "site"),
        "within": promql.rate("within_rings", "measured", "day", "site"),
        "month": promql.rate("lost", "measured", "month", "site"),
        "waiting": f"sum by (site) ({promql.each('telemon_calls_waiting')})",
        "longest": f"max by (site) ({promql.each('telemon_longest_wait_rings')})",
        "free": f"sum by (site) ({promql.each('telemon_operators', state='reachable')})",
    }
    panel = sheet.table(number, "comparison", place, "none")
    for name, expr in asked.items():
        panel = panel.with_target(ask_rows(name, expr))
    panel = show(panel, _columns(sheet))
    worst_first = [{"field": "Value #lost", "desc": True}]
    panel = panel.with_transformation(transform("sortBy", fields={}, sort=worst_first))
    return panel.min_width(80)


def _columns(sheet: Sheet) -> tuple[Column, ...]:
    live = f"/d/telemon-live-{sheet.say.language}?var-site=${{__data.fields.site:percentencode}}"
    seen = {"1": (sheet.say("seen.yes"), palette.GOOD), "0": (sheet.say("seen.no"), palette.BAD)}
    rings = ((0.0, palette.GOOD), (float(MAX_RINGS), palette.BAD))
    return (
        Column("site", sheet.say("column.site"), link=(sheet.say("open_live"), live)),
        Column("Value #seen", sheet.say("column.seen"), mappings=tuple(said(seen)), filled=True, width=130),
        Column(
            "Value #verdict",
            sheet.say("column.verdict"),
            mappings=tuple(said(verdict_words(sheet))),
            filled=True,
            width=170,
        ),
        Column("Value #lost", sheet.say("column.lost_today"), unit=RATIO),
        Column("Value #lower", sheet.say("column.lower"), unit=RATIO),
        Column("Value #upper", sheet.say("column.upper"), unit=RATIO),
        Column("Value #within", sheet.say("column.within_today"), unit=RATIO),
        Column("Value #month", sheet.say("column.lost_month"), unit=RATIO),
        Column("Value #waiting", sheet.say("column.waiting")),
        Column("Value #longest", sheet.say("column.longest"), steps=rings, filled=True),
        Column("Value #free", sheet.say("column.free")),
    )


PLAN: Final = Plan(
    slug="sites",
    variables={"site": "telemon_pbx_info", "service": "telemon_period_calls", "rule_set": "telemon_max_rings"},
    since="now/d",
    refresh="30s",
    panels=_panels,
)
