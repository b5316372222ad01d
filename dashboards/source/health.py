"""*telemon*: its own health: what it sees, how late, and whether it can keep what it sees."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dashboards.source import palette, promql
from dashboards.source.board import Plan
from dashboards.source.columns import Column, show, worded
from dashboards.source.live import blindness
from dashboards.source.naming import condition_words, gap_words
from dashboards.source.sheet import Place, Sheet, ask, ask_rows, by_steps, colored, follow, said, steps

if TYPE_CHECKING:
    from collections.abc import Iterator

    from grafana_foundation_sdk.builders import stat, statetimeline, table, timeseries
    from grafana_foundation_sdk.cog.builder import Builder
    from grafana_foundation_sdk.models.dashboard import Panel

_LOST_EVER: Final = {
    "ledger_lost": "max(telemon_ledger_lost_records_total)",
    "journal_lost": f"sum({promql.of_pbx('telemon_journal_lost_records_total')})",
    "event_errors": f"sum({promql.of_pbx('telemon_event_errors_total')})",
}


def _panels(sheet: Sheet) -> Iterator[Builder[Panel]]:
    yield blindness(sheet, 1, Place(0, 0, 12, 5))
    yield _kept(sheet, 2, Place(12, 0, 12, 5))
    yield _seeing(sheet, 3, Place(0, 5, 24, 6))
    yield _lag(sheet, 4, Place(0, 11, 12, 8))
    yield _events(sheet, 5, Place(12, 11, 12, 8))
    yield _gaps(sheet, 6, Place(0, 19, 8, 8))
    yield _conditions(sheet, 7, Place(8, 19, 8, 8))
    yield _storage(sheet, 8, Place(16, 19, 8, 8))
    yield _pending(sheet, 9, Place(0, 27, 8, 8))
    yield _memory(sheet, 10, Place(8, 27, 8, 8))
    yield _processor(sheet, 11, Place(16, 27, 8, 8))


def _kept(sheet: Sheet, number: int, place: Place) -> stat.Panel:
    panel = sheet.stat(number, "kept", place, "none").decimals(0)
    for name, expr in _LOST_EVER.items():
        panel = panel.with_target(ask(name, expr, sheet.say(f"kept.{name}")))
    return panel.color_scheme(by_steps()).thresholds(steps((0, palette.GOOD), (1, palette.BAD)))


def _seeing(sheet: Sheet, number: int, place: Place) -> statetimeline.Panel:
    words = {"1": (sheet.say("seen.yes"), palette.GOOD), "0": (sheet.say("seen.no"), palette.BAD)}
    panel = sheet.timeline(number, "seeing", place, "none").mappings(said(words))
    return panel.with_target(follow("seeing", promql.of_pbx("telemon_observation_seeing"), "{{site}} {{pbx}}"))


def _lag(sheet: Sheet, number: int, place: Place) -> timeseries.Panel:
    panel = sheet.curve(number, "lag", place, "s")
    return panel.with_target(follow("lag", promql.of_pbx("telemon_ami_event_lag_seconds"), "{{site}} {{pbx}}"))


def _events(sheet: Sheet, number: int, place: Place) -> timeseries.Panel:
    panel = sheet.curve(number, "events", place, sheet.unit("events_a_second"))
    rate = promql.of_pbx("rate(telemon_ami_events_total[1m])")
    return panel.with_target(follow("events", rate, "{{site}} {{pbx}}"))


def _gaps(sheet: Sheet, number: int, place: Place) -> table.Panel:
    panel = sheet.table(number, "gaps", place, "s").no_value(sheet.say("gaps.none"))
    grown = promql.of_pbx("increase(telemon_observation_gap_seconds_total[$__range])", "cause")
    panel = panel.with_target(ask_rows("gaps", f"({grown}) > 0"))
    columns = (
        Column("Value", sheet.say("column.duration"), unit="s", width=90),
        Column("cause", sheet.say("column.cause"), mappings=worded(gap_words(sheet)), width=200),
        Column("pbx", sheet.say("column.pbx"), width=120),
        Column("site", sheet.say("column.site")),
    )
    return show(panel, columns, sort="Value", descending=True)


def _conditions(sheet: Sheet, number: int, place: Place) -> table.Panel:
    panel = sheet.table(number, "conditions", place, "none").no_value(sheet.say("conditions.none"))
    now = 'max by (site, kind, service) (telemon_condition{site=~"$site"})'
    panel = panel.with_target(ask_rows("conditions", now))
    columns = (
        Column("kind", sheet.say("column.kind"), mappings=worded(condition_words(sheet)), width=240),
        Column("service", sheet.say("column.service")),
        Column("site", sheet.say("column.site")),
        Column("Value", sheet.say("column.state"), mappings=tuple(said({"1": ("✗", palette.BAD)})), width=60),
    )
    return show(panel, columns, sort="kind")


def _storage(sheet: Sheet, number: int, place: Place) -> timeseries.Panel:
    panel = sheet.curve(number, "storage", place, "bytes")
    for name, color in (("size", palette.NEUTRAL), ("pending", palette.SLOW)):
        held = f"sum({promql.of_pbx(f'telemon_journal_{name}_bytes')})"
        panel = panel.with_target(follow(name, held, sheet.say(f"storage.{name}")))
        panel = panel.override_by_query(name, colored(color))
    return panel


def _pending(sheet: Sheet, number: int, place: Place) -> timeseries.Panel:
    panel = sheet.curve(number, "pending", place, sheet.unit("records")).decimals(0)
    waiting, failed = "sum(telemon_ledger_pending_records)", "sum(increase(telemon_ledger_errors_total[5m]))"
    for name, expr, color in (("waiting", waiting, palette.NEUTRAL), ("failed", failed, palette.BAD)):
        panel = panel.with_target(follow(name, expr, sheet.say(f"pending.{name}")))
        panel = panel.override_by_query(name, colored(color))
    return panel


def _memory(sheet: Sheet, number: int, place: Place) -> timeseries.Panel:
    panel = sheet.curve(number, "memory", place, "bytes")
    return panel.with_target(follow("memory", 'process_resident_memory_bytes{job="telemon"}', "{{instance}}"))


def _processor(sheet: Sheet, number: int, place: Place) -> timeseries.Panel:
    panel = sheet.curve(number, "processor", place, "percentunit").decimals(1)
    return panel.with_target(follow("processor", 'rate(process_cpu_seconds_total{job="telemon"}[1m])', "{{instance}}"))


PLAN: Final = Plan(
    slug="health",
    variables={"site": "telemon_pbx_info"},
    since="now-6h",
    refresh="15s",
    panels=_panels,
)
