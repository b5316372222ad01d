"""``telemon calls``."""

from __future__ import annotations

import json
import sys
from typing import Annotated

import typer
from rich.console import Console

from telemon.cadences import ring_cycle
from telemon.cli.common import ConfigOption, ServiceOption, Shape, ShapeOption, end_with_the_pipe, period_of, settle
from telemon.cli.tables import calls_table
from telemon.export import call_json
from telemon.ledger.reader import read_calls
from telemon.ledger.store import open_ledger
from telemon.records import Outcome  # noqa: TC001 - typer reads the annotation
from telemon.texts import text


def command(
    config: ConfigOption = None,
    period: Annotated[str, typer.Option("--period", "-p", help=text()("cli.option_period"))] = "today",
    service: ServiceOption = None,
    outcome: Annotated[Outcome | None, typer.Option("--outcome", "-o", help=text()("cli.calls_outcome"))] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help=text()("cli.calls_limit"))] = 50,
    shape: ShapeOption = Shape.TABLE,
) -> None:
    """Print the newest calls of the ledger, oldest first."""
    settings = settle(config)
    end_with_the_pipe()
    span = period_of(period, settings)
    engine = open_ledger(settings.ledger.url)
    newest = read_calls(engine, span.start, span.end, service=service, outcome=outcome, limit=limit, newest_first=True)
    records = list(newest)[::-1]
    engine.dispose()
    cycle = ring_cycle(settings.country)
    if shape is Shape.TABLE:
        Console().print(calls_table(records, cycle, settings.zone))
        return
    for record in records:
        sys.stdout.write(json.dumps(call_json(record, cycle), ensure_ascii=False) + "\n")
