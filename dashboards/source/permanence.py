"""*Permanence 24/7*: whether somebody can be reached now, when nobody could and why, test calls, the roster."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from grafana_foundation_sdk.models.common import BigValueTextMode, VizOrientation

from dashboards.source import palette, promql
from dashboards.source.board import Plan
from dashboards.source.columns import MOMENT, Column, show, worded
from dashboards.source.naming import cause_words, probe_words
from dashboards.source.sheet import RATIO, Place, Sheet, always, ask, ask_rows, by_steps, colored, follow, said, steps
from telemon.duty_records import UncoveredCause

if TYPE_CHECKING:
    from collections.abc import Iterator

    from grafana_foundation_sdk.builders import bargauge, stat, statetimeline, table
    from grafana_foundation_sdk.cog.builder import Builder
    from grafana_foundation_sdk.models.dashboard import Panel

_UNKNOWN, _UNCOVERED, _COVERED, _FIRST_CAUSE = -1, 0, 1, 2


def _panels(sheet: Sheet) -> Iterator[Builder[Panel]]:
    yield _now(sheet, 1, Place(0, 0, 9, 7))
    yield _officers(sheet, 2, Place(9, 0, 4, 7))
    yield _roster_hole(sheet, 3, Place(13, 0, 5, 4))
    yield _roster_file(sheet, 4, Place(13, 4, 5, 3))
    yield _night_switch(sheet, 5, Place(18, 0, 6, 7))
    yield _states(sheet, 6, Place(0, 7, 24, 7))
    yield _coverage(sheet, 7, Place(0, 14, 12, 8))
    yield _causes(sheet, 8, Place(12, 14, 12, 8))
    yield _last_probes(sheet, 9, Place(0, 22, 12, 7))
    yield _probe_results(sheet, 10, Place(12, 22, 12, 7))


def _state() -> str:
    """Return each permanence's state as one number, its causes among them; -1 wherever none is known."""
    known = promql.each("telemon_permanence_covered")
    causes = " or ".join(
        f"{_FIRST_CAUSE + place} * ({promql.each('telemon_permanence_uncovered', cause=cause.value)} == 1)"
        for place, cause in enumerate(UncoveredCause)
    )
    before = promql.select("telemon_permanence_covered")
    absent = f"0 * max by (site, service) (last_over_time({before}[1d])) - 1"
    return f"({known} == 1) or {causes} or {known} or {absent}"


def _state_words(sheet: Sheet) -> dict[str, tuple[str, str]]:
    words = {
        str(_COVERED): (sheet.say("state.covered"), palette.GOOD),
        str(_UNCOVERED): (sheet.say("state.uncovered"), palette.BAD),
        str(_UNKNOWN): (sheet.say("state.unknown"), palette.UNKNOWN),
    }
    for place, text in enumerate(cause_words(sheet).values()):
        words[str(_FIRST_CAUSE + place)] = (f"✗ {text}", palette.BAD)
    return words


def _now(sheet: Sheet, number: int, place: Place) -> stat.Panel:
    panel = sheet.stat(number, "now", place, "none").with_target(ask("state", _state(), "{{site}} {{service}}"))
    return panel.mappings(said(_state_words(sheet))).no_value(sheet.say("now.none"))


def _officers(sheet: Sheet, number: int, place: Place) -> stat.Panel:
    panel = sheet.stat(number, "officers", place, sheet.unit("people"))
    on_duty = f"sum({promql.each('telemon_officers_on_duty', scope=promql.SITE)})"
    panel = panel.with_target(ask("officers", on_duty)).text_mode(BigValueTextMode.VALUE)
    return panel.color_scheme(by_steps()).thresholds(steps((0, palette.BAD), (1, palette.GOOD)))


def _roster_hole(sheet: Sheet, number: int, place: Place) -> stat.Panel:
    soonest = f"min({promql.each('telemon_roster_hole_seconds', scope=promql.SITE)})"
    panel = sheet.stat(number, "hole", place, "dtdhms").with_target(ask("hole", soonest))
    panel = panel.text_mode(BigValueTextMode.VALUE).color_scheme(always(palette.GOOD))
    panel = panel.override_by_query("hole", colored(palette.BAD))
    return panel.no_value(sheet.say("hole.none"))


def _roster_file(sheet: Sheet, number: int, place: Place) -> stat.Panel:
    readable = f"min({promql.each('telemon_roster_readable', scope=promql.SITE)})"
    words = {"1": (sheet.say("roster.readable"), palette.GOOD), "0": (sheet.say("roster.unreadable"), palette.BAD)}
    panel = sheet.stat(number, "roster", place, "none").with_target(ask("readable", readable))
    panel = panel.text_mode(BigValueTextMode.VALUE).mappings(said(words))
    return panel.no_value(sheet.say("roster.none"))


def _night_switch(sheet: Sheet, number: int, place: Place) -> stat.Panel:
    agrees = promql.each("telemon_night_switch_agrees", "service", scope=promql.SITE)  # of services, not of permanences
    words = {"1": (sheet.say("switch.agrees"), palette.GOOD), "0": (sheet.say("switch.disagrees"), palette.BAD)}
    panel = sheet.stat(number, "switch", place, "none").orientation(VizOrientation.HORIZONTAL)
    panel = panel.with_target(ask("agrees", agrees, "{{site}} {{service}}"))
    return panel.mappings(said(words)).no_value(sheet.say("switch.none"))


def _states(sheet: Sheet, number: int, place: Place) -> statetimeline.Panel:
    panel = sheet.timeline(number, "states", place, "none").with_target(
        follow("state", _state(), "{{site}} {{service}}")
    )
    return panel.mappings(said(_state_words(sheet))).no_value(sheet.say("now.none"))


def _coverage(sheet: Sheet, number: int, place: Place) -> table.Panel:
    panel = sheet.table(number, "coverage", place, RATIO)
    for bound in ("lower", "upper"):
        panel = panel.with_target(ask_rows(bound, promql.each("telemon_coverage", "period", bound=bound)))
    periods = worded({name: sheet.say(f"period.{name}") for name in ("day", "month", "year")})
    whole = ((0.0, palette.BAD), (0.99, palette.WARN), (1.0, palette.GOOD))
    columns = (
        Column("service", sheet.say("column.service")),
        Column("period", sheet.say("column.period"), mappings=periods),
        Column("Value #lower", sheet.say("coverage.lower"), unit=RATIO, steps=whole, filled=True, decimals=3),
        Column("Value #upper", sheet.say("coverage.upper"), unit=RATIO, decimals=3),
        Column("site", sheet.say("column.site")),
    )
    return show(panel, columns, sort="service")


def _causes(sheet: Sheet, number: int, place: Place) -> bargauge.Panel:
    panel = sheet.bars(number, "causes", place, RATIO).decimals(2).max(1)
    for cause, text in cause_words(sheet).items():
        seen = promql.select("telemon_permanence_uncovered", cause=cause)
        share = f"max(avg_over_time({seen}[$__range]))"
        panel = panel.with_target(ask(cause, share, text))
        panel = panel.override_by_query(cause, colored(palette.BAD))
    return panel


def _last_probes(sheet: Sheet, number: int, place: Place) -> table.Panel:
    panel = sheet.table(number, "probes", place, "none").no_value(sheet.say("probes.none"))
    panel = panel.with_target(ask_rows("when", f"1000 * {promql.each('telemon_probe_timestamp_seconds')}"))
    panel = panel.with_target(ask_rows("reached", promql.each("telemon_probe_reached")))
    panel = panel.with_target(ask_rows("delay", promql.each("telemon_probe_delay_seconds")))
    words = {"1": (sheet.say("probes.reached"), palette.GOOD), "0": (sheet.say("probes.missed"), palette.BAD)}
    columns = (
        Column("service", sheet.say("column.service")),
        Column("Value #reached", sheet.say("column.result"), mappings=tuple(said(words)), filled=True),
        Column("Value #when", sheet.say("column.when"), unit=MOMENT),
        Column("Value #delay", sheet.say("column.delay"), unit="s"),
        Column("site", sheet.say("column.site")),
    )
    return show(panel, columns, sort="Value #when", descending=True)


def _probe_results(sheet: Sheet, number: int, place: Place) -> table.Panel:
    panel = sheet.table(number, "probe_results", place, sheet.unit("calls"))
    panel = panel.no_value(sheet.say("probes.none"))
    panel = panel.with_target(ask_rows("count", promql.each("telemon_probes_total", "result")))
    columns = (
        Column("service", sheet.say("column.service")),
        Column("result", sheet.say("column.result"), mappings=worded(probe_words(sheet)), width=230),
        Column("Value", sheet.say("column.calls"), unit="none"),
        Column("site", sheet.say("column.site")),
    )
    return show(panel, columns, sort="Value", descending=True)


PLAN: Final = Plan(
    slug="permanence",
    variables={"site": "telemon_coverage", "service": "telemon_coverage"},
    since="now-24h",
    refresh="15s",
    panels=_panels,
)
