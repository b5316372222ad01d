"""``telemon import``."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import TYPE_CHECKING, Annotated, Final, Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from sqlalchemy import select

from telemon.cadences import ring_cycle
from telemon.cli.common import ConfigOption, settle
from telemon.errors import ConfigError, SourceError
from telemon.instants import from_datetime, from_seconds
from telemon.ledger.models import TABLES
from telemon.ledger.pseudonym_key import load_or_create_key
from telemon.ledger.reader import read_observations
from telemon.ledger.repairing import BATCH, Repairer
from telemon.ledger.store import open_ledger
from telemon.repair.kinds import SourceKind
from telemon.repair.members import members_like, members_of
from telemon.repair.queue_log import Reader as QueueLogReader
from telemon.repair.settling import Sightings, Verdict
from telemon.repair.sources import open_source
from telemon.texts import text

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Iterator, Mapping
    from datetime import tzinfo

    from sqlalchemy import Engine

    from telemon.config import Config
    from telemon.config_pbx import PbxConfig
    from telemon.records import CallRecord
    from telemon.repair.sources import Source

_REFRESH_ROWS: Final = 1000
_VERDICTS: Final = {
    Verdict.REPAIRED: "import.repaired",
    Verdict.ADDED: "import.added",
    Verdict.IMPORTED: "import.imported",
    Verdict.COMPLETE: "import.complete",
    Verdict.UNKNOWN: "import.unknown",
    Verdict.DIFFERING: "import.differing",
    Verdict.NO_SERVICE: "import.no_service",
}
_REASONS: Final = {
    "no_time": "import.no_time",
    "no_uniqueid": "import.no_uniqueid",
    "unknown_event": "import.unknown_event",
    "no_beginning": "import.no_beginning",
    "NUL bytes": "import.nul_bytes",
    "not understood": "import.not_understood",
    "unfinished last line": "import.unfinished",
    "line too long": "import.too_long",
    "without channel or times": "import.no_channel_or_times",
    "without the caller's own row": "import.no_own_row",
    "without time": "import.no_time",
    "without channel": "import.no_channel",
    "channel that began before": "import.began_before",
}
_AT_ALL: Final = 253_402_300_799 * 1_000_000  # microseconds up to the last second of 9999


class Reader(Protocol):
    """What the readers of all kinds have in common."""

    passed_over: Counter[str]

    def feed(self, row: Mapping[str, str]) -> list[CallRecord]:
        """Return the calls that are over by this row."""

    def finish(self) -> list[CallRecord]:
        """Return the calls left."""


@dataclass(slots=True)
class _Tally:
    rows: int = 0
    calls: int = 0


def command(
    kind: Annotated[SourceKind, typer.Argument(help=text()("import.kind"), show_default=False)],
    where: Annotated[list[str], typer.Argument(help=text()("import.where"), show_default=False)],
    *,
    config: ConfigOption = None,
    pbx: Annotated[str | None, typer.Option("--pbx", help=text()("import.option_pbx"))] = None,
    table: Annotated[str, typer.Option("--table", help=text()("import.option_table"))] = "",
    zone: Annotated[str | None, typer.Option("--zone", help=text()("import.option_zone"))] = None,
    queues: Annotated[Path | None, typer.Option("--queues", help=text()("import.option_queues"))] = None,
    last_queue: Annotated[
        list[str] | None, typer.Option("--last-queue", help=text()("import.option_last_queue"))
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help=text()("import.option_dry_run"))] = False,
) -> None:
    """Fill the ledger's gaps, and the time before telemon, from Asterisk's own records; status 1 if none was read."""
    settings = settle(config)
    chosen = _pbx(settings, pbx)
    said_zone = _zone(settings, zone)
    engine = open_ledger(settings.ledger.url)
    members = {**members_like(_operators(engine, settings)), **_queues_conf(queues)}
    reader = _reader(kind, settings, chosen, said_zone, members, last_queue or [])
    repairer = Repairer(
        engine,
        kind,
        chosen.name,
        _sightings(engine, chosen),
        key=load_or_create_key(settings.ledger.key_file),
        ring_cycle=ring_cycle(settings.country),
        dry_run=dry_run,
    )
    tally = _Tally()
    with open_source(kind, *where, table=table) as source:
        calls = _calls(source, reader, tally)
        while batch := list(islice(calls, BATCH)):
            tally.calls += len(batch)
            repairer.take(batch)
        passed_over = source.passed_over + reader.passed_over
    engine.dispose()
    _report(tally, passed_over, repairer.counts, dry_run=dry_run)
    if tally.rows <= sum(reader.passed_over.values()):
        raise SourceError(text()("import.nothing", kind=kind.value, where=" ".join(where)))


def _pbx(settings: Config, name: str | None) -> PbxConfig:
    known = {pbx.name: pbx for pbx in settings.pbx}
    if name is None and len(known) == 1:
        return settings.pbx[0]
    if name not in known:
        raise ConfigError(text()("import.which_pbx", known=", ".join(known)))
    return known[name]


def _zone(settings: Config, name: str | None) -> tzinfo:
    if name is None:
        return settings.zone
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ConfigError(text()("config.zone", zone=name)) from error


def _operators(engine: Engine, settings: Config) -> set[str]:
    """Return every interface that telemon has ever seen ring, or is configured to be an operator's."""
    rung = select(TABLES["ring_attempts"].columns.operator).distinct()
    with engine.connect() as connection:
        return {*connection.execute(rung).scalars(), *(name for one in settings.service for name in one.operators)}


def _queues_conf(path: Path | None) -> dict[str, str]:
    if path is None:
        return {}
    try:
        return members_of(path.read_text("utf-8", "replace"))
    except OSError as error:
        raise SourceError(text()("import.no_queues", path=path, reason=error.strerror or error)) from error


def _sightings(engine: Engine, pbx: PbxConfig) -> Sightings:
    intervals = list(read_observations(engine, pbx.name, 0, _AT_ALL))
    return Sightings(intervals, from_datetime(datetime.now(UTC)), pbx.name)


def _reader(
    kind: SourceKind,
    settings: Config,
    pbx: PbxConfig,
    zone: tzinfo,
    members: Mapping[str, str],
    last_queues: list[str],
) -> Reader:
    site, numbering = settings.call_site(pbx), settings.numbering(pbx)
    short_abandon = from_seconds(settings.short_abandon_seconds)
    if kind is SourceKind.QUEUE_LOG:
        return QueueLogReader(site, numbering, short_abandon, zone, interfaces=members, last_queues=last_queues)
    if kind is SourceKind.CDR:
        from telemon.repair.cdr import Reader as CdrReader

        return CdrReader(site, numbering, short_abandon, zone)
    from telemon.repair.cel import Reader as CelReader

    return CelReader(site, numbering, short_abandon, zone)


def _calls(source: Source, reader: Reader, tally: _Tally) -> Iterator[CallRecord]:
    with _progress(source) as show:
        for row in source:
            tally.rows += 1
            if tally.rows % _REFRESH_ROWS == 0:
                show(source.done)
            yield from reader.feed(row)
        yield from reader.finish()


@contextmanager
def _progress(source: Source) -> Iterator[Callable[[int], None]]:
    """Keep a bar up to date on a terminal."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not sys.stderr.isatty(), transient=True) as bar:
        task = bar.add_task(text()("import.reading"), total=source.size)
        yield lambda done: bar.update(task, completed=done)


def _report(tally: _Tally, passed_over: Counter[str], counts: Counter[Verdict], *, dry_run: bool) -> None:
    say = text()
    if dry_run:
        typer.echo(say("import.dry_run"))
    typer.echo(say("import.read", rows=say.number(tally.rows, 0), calls=say.number(tally.calls, 0)))
    for why, count in sorted(passed_over.items()):
        if count:
            reason = say(_REASONS[why]) if why in _REASONS else why
            typer.echo(say("import.passed_over", count=say.number(count, 0), reason=reason))
    for verdict, key in _VERDICTS.items():
        if counts[verdict] or verdict in (Verdict.REPAIRED, Verdict.ADDED, Verdict.IMPORTED, Verdict.DIFFERING):
            typer.echo(say(key, count=say.number(counts[verdict], 0)))
    if counts[Verdict.DIFFERING]:
        typer.echo(say("import.reconcile"))
