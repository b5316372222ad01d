"""Panels in few words: each helper returns a builder of the SDK with what all panels of its kind share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

from grafana_foundation_sdk.builders import (
    bargauge,
    common,
    dashboard,
    prometheus,
    stat,
    statetimeline,
    table,
    timeseries,
)
from grafana_foundation_sdk.models import common as kinds
from grafana_foundation_sdk.models.dashboard import (
    DataSourceRef,
    DynamicConfigValue,
    FieldColorModeId,
    GridPos,
    RangeMap,
    RegexMap,
    SpecialValueMap,
    Threshold,
    ThresholdsMode,
    ValueMap,
    ValueMappingResult,
)
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from dashboards.source import palette

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dashboards.source.words import Words

SOURCE: Final = DataSourceRef(type_val="prometheus", uid="telemon-prometheus")
RATIO: Final = "percentunit"
LOWEST: Final = -1e9
"""A threshold below every value, but above none at all."""

ValueMapping = ValueMap | RangeMap | RegexMap | SpecialValueMap
_Panel = TypeVar("_Panel", stat.Panel, table.Panel, timeseries.Panel, bargauge.Panel, statetimeline.Panel)


class Place(NamedTuple):
    """Where a panel stands on the grid of 24 columns, and its size."""

    x: int
    y: int
    w: int
    h: int


def ask(ref_id: str, expr: str, legend: str = "") -> prometheus.Dataquery:
    """Return a query for the present value."""
    return prometheus.Dataquery().ref_id(ref_id).datasource(SOURCE).expr(expr).legend_format(legend).instant()


def ask_rows(ref_id: str, expr: str) -> prometheus.Dataquery:
    """Return a query for present values as the rows of a table: one column for each label, one for the value."""
    return ask(ref_id, expr).format(PromQueryFormat.TABLE)


def follow(ref_id: str, expr: str, legend: str = "", *, every: str = "") -> prometheus.Dataquery:
    """Return a query for values over time, no closer together than ``every``."""
    query = prometheus.Dataquery().ref_id(ref_id).datasource(SOURCE).expr(expr).legend_format(legend).range()
    return query.interval(every) if every else query


def said(texts: Mapping[str, tuple[str, str]]) -> list[ValueMapping]:
    """Return value mappings: value → (text, colour), no colour where it is empty."""
    results = {
        value: ValueMappingResult(text=text, color=color or None, index=index)
        for index, (value, (text, color)) in enumerate(texts.items())
    }
    return [ValueMap(results)]


def steps(*above: tuple[float, str], base: str = palette.UNKNOWN) -> dashboard.ThresholdsConfig:
    """Return thresholds: each value from which a colour holds; ``base`` is what Grafana paints no value at all."""
    found = [Threshold(value=None, color=base), *(Threshold(value=value, color=color) for value, color in above)]
    return dashboard.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(found)


def by_steps() -> dashboard.FieldColor:
    """Return the colour mode that goes by thresholds."""
    return dashboard.FieldColor().mode(FieldColorModeId.THRESHOLDS)


def always(color: str) -> dashboard.FieldColor:
    """Return the colour mode of one fixed colour."""
    return dashboard.FieldColor().mode(FieldColorModeId.FIXED).fixed_color(color)


def colored(color: str) -> list[DynamicConfigValue]:
    """Return an override's properties that give a series one colour."""
    return [DynamicConfigValue("color", {"mode": "fixed", "fixedColor": color})]


class Sheet:
    """Begins the panels of one dashboard in one language."""

    def __init__(self, say: Words) -> None:
        self.say = say

    def unit(self, name: str) -> str:
        """Return Grafana's unit for a noun of ours, which it puts after the number and a space."""
        return f"suffix:{self.say(f'unit.{name}')}"

    def _begin(self, panel: _Panel, number: int, key: str, place: Place, unit: str) -> _Panel:
        grid = GridPos(x=place.x, y=place.y, w=place.w, h=place.h)
        titled = panel.id(number).title(self.say(f"{key}.title")).description(self.say(f"{key}.description"))
        return titled.datasource(SOURCE).grid_pos(grid).unit(unit).no_value(self.say("nothing"))

    def stat(self, number: int, key: str, place: Place, unit: str) -> stat.Panel:
        """Begin a big number, or several tiles side by side."""
        latest = common.ReduceDataOptions().calcs(["lastNotNull"]).fields("").values(False)
        panel = self._begin(stat.Panel(), number, key, place, unit).reduce_options(latest)
        panel = panel.color_mode(kinds.BigValueColorMode.BACKGROUND_SOLID).graph_mode(kinds.BigValueGraphMode.NONE)
        panel = panel.justify_mode(kinds.BigValueJustifyMode.CENTER).text_mode(kinds.BigValueTextMode.VALUE_AND_NAME)
        return panel.orientation(kinds.VizOrientation.AUTO).wide_layout(False).color_scheme(always(palette.UNKNOWN))

    def bars(self, number: int, key: str, place: Place, unit: str) -> bargauge.Panel:
        """Begin one bar for each series, from zero."""
        latest = common.ReduceDataOptions().calcs(["lastNotNull"]).fields("").values(False)
        panel = self._begin(bargauge.Panel(), number, key, place, unit).reduce_options(latest)
        panel = panel.display_mode(kinds.BarGaugeDisplayMode.BASIC).value_mode(kinds.BarGaugeValueMode.TEXT)
        panel = panel.show_unfilled(True).orientation(kinds.VizOrientation.HORIZONTAL)
        return panel.name_placement(kinds.BarGaugeNamePlacement.LEFT).min(0).color_scheme(always(palette.NEUTRAL))

    def curve(self, number: int, key: str, place: Place, unit: str) -> timeseries.Panel:
        """Begin lines over time."""
        legend = common.VizLegendOptions().display_mode(kinds.LegendDisplayMode.LIST).show_legend(True)
        legend = legend.placement(kinds.LegendPlacement.BOTTOM).calcs([])
        tooltip = common.VizTooltipOptions().mode(kinds.TooltipDisplayMode.MULTI).sort(kinds.SortOrder.NONE)
        panel = self._begin(timeseries.Panel(), number, key, place, unit).legend(legend).tooltip(tooltip)
        panel = panel.draw_style(kinds.GraphDrawStyle.LINE).line_width(2).fill_opacity(0).min(0)
        shades = dashboard.FieldColor().mode(FieldColorModeId.SHADES).fixed_color(palette.NEUTRAL)
        panel = panel.color_scheme(shades)
        return panel.show_points(kinds.VisibilityMode.NEVER).span_nulls(False)

    def table(self, number: int, key: str, place: Place, unit: str) -> table.Panel:
        """Begin a table."""
        panel = self._begin(table.Panel(), number, key, place, unit)
        return panel.show_header(True).cell_height(kinds.TableCellHeight.SM)

    def timeline(self, number: int, key: str, place: Place, unit: str) -> statetimeline.Panel:
        """Begin one band for each series, coloured and labelled by its state."""
        legend = common.VizLegendOptions().display_mode(kinds.LegendDisplayMode.LIST).show_legend(True)
        legend = legend.placement(kinds.LegendPlacement.BOTTOM).calcs([])
        tooltip = common.VizTooltipOptions().mode(kinds.TooltipDisplayMode.SINGLE).sort(kinds.SortOrder.NONE)
        panel = self._begin(statetimeline.Panel(), number, key, place, unit).legend(legend).tooltip(tooltip)
        panel = panel.color_scheme(by_steps()).thresholds(steps()).merge_values(True)
        panel = panel.show_value(kinds.VisibilityMode.AUTO).row_height(0.8)
        return panel.align_value(kinds.TimelineValueAlignment.CENTER).fill_opacity(90).line_width(0)
