"""The columns of tables: what is shown, in which order, under which name, and how cells are coloured."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from grafana_foundation_sdk.models.dashboard import DataTransformerConfig, DynamicConfigValue

from dashboards.source import palette
from dashboards.source.sheet import RATIO, said, steps

if TYPE_CHECKING:
    from collections.abc import Sequence

    from grafana_foundation_sdk.builders import table

    from dashboards.source.sheet import ValueMapping

FILLED: Final = {"type": "color-background", "mode": "basic"}
PLAIN: Final = {"type": "auto"}
MOMENT: Final = "time:DD/MM HH:mm:ss"


class Column(NamedTuple):
    """One column: the field it shows, its heading, and what is special about it."""

    field: str
    title: str
    unit: str = ""
    """Where it is empty, a label's column is text, though it may look like a number."""
    decimals: int = 1
    """Of shares."""
    mappings: tuple[ValueMapping, ...] = ()
    steps: tuple[tuple[float, str], ...] = ()
    """Colours of the cell by value, each from a value on, as for ``sheet.steps``."""
    filled: bool = False
    """The cell is filled with the colour of its value or mapping."""
    link: tuple[str, str] | None = None
    """What a click on the cell offers: title, address."""
    width: int = 0
    plain: bool = False
    """Not filled, where the table's other cells are."""

    def properties(self) -> list[DynamicConfigValue]:
        """Return what an override says of it."""
        found: list[tuple[str, Any]] = [("displayName", self.title)]
        unit = self.unit or ("" if self.field.startswith("Value") else "string")
        if unit:
            found.append(("unit", unit))
        if self.unit == RATIO:
            found.append(("decimals", self.decimals))
        if self.mappings:
            found.append(("mappings", list(self.mappings)))
        if self.steps:
            thresholds = steps(*self.steps, base=palette.NOTHING).build()
            found += [("thresholds", thresholds), ("color", {"mode": "thresholds"})]
        if self.filled or self.plain:
            found.append(("custom.cellOptions", FILLED if self.filled else PLAIN))
        if self.link:
            title, url = self.link
            found.append(("links", [{"title": title, "url": url, "targetBlank": False}]))
        if self.width:
            found.append(("custom.width", self.width))
        return [DynamicConfigValue(name, value) for name, value in found]


def transform(name: str, **options: Any) -> DataTransformerConfig:
    """Return one of Grafana's transformations."""
    return DataTransformerConfig(id_val=name, options=options)


def worded(texts: dict[str, str]) -> tuple[ValueMapping, ...]:
    """Return mappings from values to words, without colours."""
    return tuple(said({value: (text, "") for value, text in texts.items()}))


def show(panel: table.Panel, columns: Sequence[Column], *, sort: str = "", descending: bool = False) -> table.Panel:
    """Join the queries' rows by their labels and show these columns, in this order."""
    order = {column.field: place for place, column in enumerate(columns)}
    panel = panel.with_transformation(transform("merge"))
    panel = panel.with_transformation(
        transform("organize", excludeByName={"Time": True}, indexByName=order, renameByName={}, includeByName={})
    )
    if sort:
        panel = panel.with_transformation(transform("sortBy", fields={}, sort=[{"field": sort, "desc": descending}]))
    for column in columns:
        panel = panel.override_by_name(column.field, column.properties())
    return panel
