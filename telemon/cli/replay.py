"""``telemon replay``."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import track

from telemon.cadences import ring_cycle
from telemon.cli.common import ConfigOption, Shape, ShapeOption, end_with_the_pipe, settle
from telemon.cli.tables import calls_table
from telemon.export import call_json
from telemon.instants import from_seconds
from telemon.replay import Replay, read_capture
from telemon.texts import text

if TYPE_CHECKING:
    from telemon.config import Config
    from telemon.records import CallRecord


def command(
    captures: Annotated[list[str], typer.Argument(help=text()("cli.replay_captures"), show_default=False)],
    config: ConfigOption = None,
    shape: ShapeOption = Shape.NDJSON,
) -> None:
    """Print the calls of raw captures, in order of arrival."""
    settings = settle(config)
    end_with_the_pipe()
    cycle = ring_cycle(settings.country)
    records: list[CallRecord] = []
    quiet = not sys.stderr.isatty()
    for path in track(captures, "replay", console=Console(stderr=True), disable=quiet or len(captures) == 1):
        records += _replay(path, settings)
    records.sort(key=lambda record: record.arrived_at)
    if shape is Shape.TABLE:
        Console().print(calls_table(records, cycle, settings.zone))
        return
    for record in records:
        sys.stdout.write(json.dumps(call_json(record, cycle), ensure_ascii=False) + "\n")


def _replay(path: str, settings: Config) -> list[CallRecord]:
    pbx = settings.pbx[0]
    session = Replay(
        settings.call_site(pbx),
        settings.numbering(pbx),
        short_abandon=from_seconds(settings.short_abandon_seconds),
    )
    records: list[CallRecord] = []
    for chunk in read_capture(path):
        records += session.feed(chunk)
    if session.parser.error is not None:
        raise session.parser.error
    records += session.finish()
    decoder = session.observer.decoder
    if decoder.unstamped:
        typer.echo(text()("cli.replay_unstamped", path=path, count=decoder.unstamped), err=True)
    if session.parser.malformed or decoder.ambiguous or session.observer.failures:
        counts = {"malformed": session.parser.malformed, "ambiguous": decoder.ambiguous}
        typer.echo(text()("cli.replay_passed", path=path, failures=session.observer.failures, **counts), err=True)
    return records
