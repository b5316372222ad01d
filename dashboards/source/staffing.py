"""*Affluence*: hour by weekday, how many call, how many operators that needs, how many are there, what is lost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from grafana_foundation_sdk.builders.dashboard import FieldColor
from grafana_foundation_sdk.models.common import (
    BigValueTextMode,
    TableCellBackgroundDisplayMode,
    TableColoredBackgroundCellOptions,
)
from grafana_foundation_sdk.models.dashboard import FieldColorModeId

from dashboards.source import palette, promql
from dashboards.source.board import Plan
from dashboards.source.columns import Column, show, transform, worded
from dashboards.source.promise import LOST_LIMIT
from dashboards.source.sheet import LOWEST, RATIO, Place, Sheet, ask, ask_rows, by_steps, steps

if TYPE_CHECKING:
    from collections.abc import Iterator

    from grafana_foundation_sdk.builders import stat, table
    from grafana_foundation_sdk.cog.builder import Builder
    from grafana_foundation_sdk.models.dashboard import Panel

_WEEKDAYS: Final = tuple("1234567")  # Monday first
_HOURS: Final = tuple(f"{hour:02}" for hour in range(24))
_CELL: Final = TableColoredBackgroundCellOptions(mode=TableCellBackgroundDisplayMode.BASIC)
_MATRIX: Final = "weekday\\hour"  # how Grafana names the first column
_LACK: Final = -0.5  # means of whole people: less than half a person short is no hour to act on


def _panels(sheet: Sheet) -> Iterator[Builder[Panel]]:
    yield _short_hours(sheet, 1, Place(0, 0, 6, 5))
    yield _most_missing(sheet, 2, Place(0, 5, 6, 4))
    yield _worst_hours(sheet, 3, Place(6, 0, 18, 9))
    shades = (("calls", _sum("calls")), ("needed", _sum("needed")), ("present", _sum("present")))
    yield _shaded(sheet, 4, "calls", Place(0, 9, 24, 9), shades[0][1])
    yield _lacking(sheet, 5, Place(0, 18, 24, 9))
    yield _losing(sheet, 6, Place(0, 27, 24, 9))
    yield _shaded(sheet, 7, "needed", Place(0, 36, 24, 9), shades[1][1])
    yield _shaded(sheet, 8, "present", Place(0, 45, 24, 9), shades[2][1])


def _hourly(what: str) -> str:
    return promql.each(f"telemon_staffing_{what}", "weekday", "hour")


def _sum(what: str) -> str:
    return f"sum by (weekday, hour) ({_hourly(what)})"


def _balance() -> str:
    """Return present minus needed; an hour in which nobody was there has no series of its own."""
    return f"(({_sum('present')}) or 0 * ({_sum('needed')})) - ({_sum('needed')})"


def _lost() -> str:
    """Return the share lost, of all chosen services together, each by its calls."""
    weighed = f"{_hourly('lost_ratio')} * {_hourly('calls')}"
    return f"sum by (weekday, hour) ({weighed}) / (({_sum('calls')}) > 0)"


def _short_hours(sheet: Sheet, number: int, place: Place) -> stat.Panel:
    panel = sheet.stat(number, "short_hours", place, sheet.unit("hours")).decimals(0)
    short = f"count(({_balance()}) < {_LACK}) or 0 * count({_sum('needed')})"
    panel = panel.with_target(ask("hours", short)).text_mode(BigValueTextMode.VALUE).color_scheme(by_steps())
    return panel.thresholds(steps((0, palette.GOOD), (1, palette.BAD)))


def _most_missing(sheet: Sheet, number: int, place: Place) -> stat.Panel:
    panel = sheet.stat(number, "most_missing", place, sheet.unit("operators")).decimals(1)
    missing = f"max(0 - ({_balance()})) > 0 or 0 * count({_sum('needed')})"
    panel = panel.with_target(ask("missing", missing)).text_mode(BigValueTextMode.VALUE).color_scheme(by_steps())
    return panel.thresholds(steps((0, palette.GOOD), (0.05, palette.WARN), (-_LACK, palette.BAD)))


def _worst_hours(sheet: Sheet, number: int, place: Place) -> table.Panel:
    panel = sheet.table(number, "worst_hours", place, "none").decimals(1)
    worst = f"bottomk(10, {_balance()})"
    for name, expr in (("calls", _sum("calls")), ("needed", _sum("needed")), ("present", _sum("present"))):
        panel = panel.with_target(ask_rows(name, f"({expr}) and ({worst})"))
    panel = panel.with_target(ask_rows("lost", f"({_lost()}) and ({worst})"))
    panel = panel.with_target(ask_rows("balance", worst))
    columns = (
        Column("weekday", sheet.say("column.weekday"), mappings=worded(_days(sheet))),
        Column("hour", sheet.say("column.hour")),
        Column("Value #balance", sheet.say("column.balance"), steps=_BALANCE, filled=True),
        Column("Value #needed", sheet.say("column.needed")),
        Column("Value #present", sheet.say("column.present")),
        Column("Value #calls", sheet.say("column.calls")),
        Column("Value #lost", sheet.say("column.lost"), unit=RATIO),
    )
    return show(panel, columns, sort="Value #balance")


_BALANCE: Final = ((LOWEST, palette.BAD), (_LACK, palette.WARN), (-0.05, palette.UNKNOWN), (0.05, palette.GOOD))


def _days(sheet: Sheet) -> dict[str, str]:
    return {day: sheet.say(f"weekday.{day}") for day in _WEEKDAYS}


def _matrix(sheet: Sheet, number: int, key: str, place: Place, unit: str, expr: str) -> table.Panel:
    """Lay the hours out as a week: a row for each day from Monday on, a column for each hour."""
    panel = sheet.table(number, key, place, unit).with_target(ask_rows("hours", expr))
    order = {name: index for index, name in enumerate((_MATRIX, *_HOURS))}
    for made in (
        transform("groupingToMatrix", columnField="hour", rowField="weekday", valueField="Value", emptyValue="null"),
        transform("organize", excludeByName={}, indexByName=order, renameByName={}, includeByName={}),
        transform("sortBy", fields={}, sort=[{"field": _MATRIX, "desc": False}]),
    ):
        panel = panel.with_transformation(made)
    day = Column(_MATRIX, sheet.say("column.weekday"), mappings=worded(_days(sheet)), width=80, plain=True)
    panel = panel.override_by_name(_MATRIX, day.properties()).min_width(50).cell_options(_CELL)
    return panel.no_value(" ")


def _shaded(sheet: Sheet, number: int, key: str, place: Place, expr: str) -> table.Panel:
    panel = _matrix(sheet, number, key, place, "none", expr).decimals(1).min(0)
    return panel.color_scheme(FieldColor().mode(FieldColorModeId.CONTINUOUS_BL_PU))


def _lacking(sheet: Sheet, number: int, place: Place) -> table.Panel:
    panel = _matrix(sheet, number, "balance", place, "none", _balance()).decimals(1)
    return panel.color_scheme(by_steps()).thresholds(steps(*_BALANCE, base=palette.NOTHING))


def _losing(sheet: Sheet, number: int, place: Place) -> table.Panel:
    panel = _matrix(sheet, number, "lost", place, RATIO, _lost()).decimals(0)
    bands = ((0.0, palette.GOOD), (LOST_LIMIT / 2, palette.WARN), (LOST_LIMIT, palette.BAD))
    return panel.color_scheme(by_steps()).thresholds(steps(*bands, base=palette.NOTHING))


PLAN: Final = Plan(
    slug="staffing",
    variables={"site": "telemon_staffing_calls", "service": "telemon_staffing_calls"},
    since="now-6h",
    refresh="5m",
    panels=_panels,
)
