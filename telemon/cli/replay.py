"""``telemon replay``."""

from __future__ import annotations

import json
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from telemon.cadences import ring_cycle
from telemon.cli.common import ConfigOption, Shape, ShapeOption, end_with_the_pipe, settle
from telemon.cli.tables import calls_table
from telemon.errors import LedgerError
from telemon.export import call_json
from telemon.playback import playback, size_of
from telemon.texts import text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from telemon.config import Config
    from telemon.instants import Duration
    from telemon.ledger.writer import LedgerWriter
    from telemon.playback import Playback, Portion
    from telemon.records import CallRecord

MOST_WAITING: Final = 20_000  # records, until the ledger has caught up
PATIENCE_SECONDS: Final = 30.0  # with a database that refuses


def command(
    sources: Annotated[list[str], typer.Argument(help=text()("cli.replay_sources"), show_default=False)],
    config: ConfigOption = None,
    shape: ShapeOption = Shape.NDJSON,
    into: Annotated[str | None, typer.Option("--into", help=text()("cli.replay_into"), show_default=False)] = None,
) -> None:
    """Print the calls of journals and captures, in order of arrival, or write them into a ledger."""
    settings = settle(config)
    end_with_the_pipe()
    cycle = ring_cycle(settings.country)
    if into is not None:
        _write(sources, settings, cycle, into)
        return
    records = [call for portion in _portions(sources, settings) for call in portion.calls]
    records.sort(key=lambda record: record.arrived_at)
    _print(records, settings, cycle, shape)


def _print(records: Sequence[CallRecord], settings: Config, cycle: Duration, shape: Shape) -> None:
    if shape is Shape.TABLE:
        Console().print(calls_table(records, cycle, settings.zone))
        return
    for record in records:
        sys.stdout.write(json.dumps(call_json(record, cycle), ensure_ascii=False) + "\n")


def _write(sources: Sequence[str], settings: Config, cycle: Duration, url: str) -> None:
    calls = intervals = 0
    with _ledger(url, settings, cycle) as ledger:
        for portion in _portions(sources, settings):
            for call in portion.calls:
                ledger.put(call)
            for interval in portion.intervals:
                ledger.put(interval)
            calls += len(portion.calls)
            intervals += len(portion.intervals)
            if ledger.pending > MOST_WAITING:
                _catch_up(ledger)
        _catch_up(ledger)
    typer.echo(text()("cli.replay_written", calls=calls, intervals=intervals))


@contextmanager
def _ledger(url: str, settings: Config, cycle: Duration) -> Iterator[LedgerWriter]:
    from telemon.ledger.pseudonym_key import load_or_create_key
    from telemon.ledger.store import open_ledger
    from telemon.ledger.writer import LedgerWriter

    engine = open_ledger(url)
    writer = LedgerWriter(engine, key=load_or_create_key(settings.ledger.key_file), ring_cycle=cycle)
    try:
        yield writer
    finally:
        writer.close(0)
        engine.dispose()


def _catch_up(ledger: LedgerWriter) -> None:
    """Wait until the ledger has everything.

    Raises:
        LedgerError: its database refuses for too long, or cannot hold a record.
    """
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not ledger.flush(1):
        if not ledger.failing:
            deadline = time.monotonic() + PATIENCE_SECONDS
        elif time.monotonic() > deadline:
            raise LedgerError(text()("cli.replay_refused", reason=ledger.last_error))


def _portions(sources: Sequence[str], settings: Config) -> Iterator[Portion]:
    """Yield what the sources hold, one after the other, and say what could not be used."""
    with _progress() as bar:
        task = bar.add_task("replay", total=sum(size_of(path) for path in sources if path != "-") or None)
        for path in sources:
            source = playback(path, settings)
            yield from source.portions(lambda count: bar.advance(task, count))
            _report(path, source)


def _progress() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty())


def _report(path: str, source: Playback) -> None:
    decoder, failures = source.observer.decoder, source.observer.failures
    if decoder.unstamped:
        typer.echo(text()("cli.replay_unstamped", path=path, count=decoder.unstamped), err=True)
    if source.torn or decoder.ambiguous or failures:
        counts = {"malformed": source.torn, "ambiguous": decoder.ambiguous, "failures": failures}
        typer.echo(text()("cli.replay_passed", path=path, **counts), err=True)
