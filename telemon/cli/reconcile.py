"""``telemon reconcile``."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from telemon.cli.common import ConfigOption, Shape, ShapeOption, end_with_the_pipe, period_of, settle
from telemon.errors import SourceError
from telemon.instants import from_datetime, to_datetime, to_iso
from telemon.ledger.reader import read_observations
from telemon.ledger.store import open_ledger
from telemon.repair.settling import Sightings
from telemon.texts import text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import tzinfo

    from telemon.config import Config
    from telemon.instants import Instant
    from telemon.ledger.reconciling import Finding

DIFFERING: Final = 2
"""Exit status where something differs; 0 where all agree."""

_AT_ALL: Final = 253_402_300_799 * 1_000_000  # microseconds up to the last second of 9999
_HEADINGS: Final = (
    "reconcile.call", "reconcile.arrived", "reconcile.source", "reconcile.field", "reconcile.live", "reconcile.found",
)  # fmt: skip
Value = int | str | None


@dataclass(slots=True)
class _Tally:
    """Calls by what came out; one that several sources tell of counts once."""

    compared: set[str] = field(default_factory=set)
    differ: set[str] = field(default_factory=set)
    only_live: int = 0
    only_found: int = 0

    def add(self, finding: Finding) -> None:
        if finding.live is None:
            self.only_found += 1
        elif finding.found is None:
            self.only_live += 1
        else:
            self.compared.add(finding.call.call_id)
            if finding.differences:
                self.differ.add(finding.call.call_id)

    def numbers(self) -> dict[str, int]:
        return {
            "compared": len(self.compared),
            "agree": len(self.compared) - len(self.differ),
            "differ": len(self.differ),
            "only_live": self.only_live,
            "only_found": self.only_found,
        }


def command(
    period: Annotated[str, typer.Argument(help=text()("reconcile.period"), show_default=False)],
    config: ConfigOption = None,
    shape: ShapeOption = Shape.TABLE,
) -> None:
    """List each difference between what telemon saw and what Asterisk wrote; status 2 if there is any."""
    settings = settle(config)
    end_with_the_pipe()
    span = period_of(period, settings, asked_as="PERIOD")
    tally = _Tally()
    lines = _lines(settings, span.start, span.end, tally)
    if shape is Shape.NDJSON:
        for finding, name, live, found in lines:
            sys.stdout.write(json.dumps(_json(finding, name, live, found), ensure_ascii=False) + "\n")
        sys.stdout.write(json.dumps(tally.numbers()) + "\n")
    else:
        _print(lines, tally, settings.zone)
    if not tally.compared and not tally.only_live and not tally.only_found:
        raise SourceError(text()("reconcile.nothing"))
    if tally.differ or tally.only_live or tally.only_found:
        raise typer.Exit(DIFFERING)


def _lines(
    settings: Config, start: Instant, end: Instant, tally: _Tally
) -> Iterator[tuple[Finding, str, Value, Value]]:
    """Yield each difference: which call, field, and both values."""
    from telemon.ledger.reconciling import reconcile

    engine = open_ledger(settings.ledger.url)
    now = from_datetime(datetime.now(UTC))
    for pbx in settings.pbx:
        sightings = Sightings(list(read_observations(engine, pbx.name, 0, _AT_ALL)), now, pbx.name)
        for finding in reconcile(engine, pbx.name, settings.call_site(pbx), sightings, start, end):
            tally.add(finding)
            if finding.live is None or finding.found is None:
                live, found = (None if side is None else side.call_id for side in (finding.live, finding.found))
                yield finding, "call", live, found
            for name, seen, told in finding.differences:
                yield finding, name, seen, told
    engine.dispose()


def _json(finding: Finding, name: str, live: Value, found: Value) -> dict[str, Any]:
    return {
        "call_id": finding.call.call_id,
        "arrived_at": to_iso(finding.call.arrived_at),
        "source": finding.source.value,
        "field": name,
        "live": to_iso(live) if isinstance(live, int) else live,
        "found": to_iso(found) if isinstance(found, int) else found,
    }


def _print(lines: Iterator[tuple[Finding, str, Value, Value]], tally: _Tally, zone: tzinfo) -> None:
    say, console = text(), Console()
    table = Table(title=say("reconcile.title", zone=zone))
    for heading in _HEADINGS:
        table.add_column(say(heading), overflow="fold")
    for finding, name, live, found in lines:
        cells = (
            finding.call.call_id,
            say.moment(to_datetime(finding.call.arrived_at), zone),
            finding.source.value,
            name,
            say("reconcile.only_found") if finding.live is None else _shown(live, zone),
            say("reconcile.only_live") if finding.found is None else _shown(found, zone),
        )
        table.add_row(*map(Text, cells))
    if table.row_count:
        console.print(table)
    counts = {name: say.number(count, 0) for name, count in tally.numbers().items()}
    console.print(say("reconcile.agree", **counts), markup=False, highlight=False, soft_wrap=True)


def _shown(value: Value, zone: tzinfo) -> str:
    """Return an instant to the millisecond, in the order in which it sorts; anything else as it is."""
    if isinstance(value, int):
        return to_datetime(value).astimezone(zone).isoformat(" ", timespec="milliseconds")[:23]
    return text().number(None) if value is None else value
