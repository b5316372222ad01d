"""``telemon probe``."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from telemon.ami.link import wall_clock
from telemon.cli.common import ConfigOption, ServiceOption, Shape, ShapeOption, end_with_the_pipe, period_of, settle
from telemon.cli.probe_views import GOOD, probes_table, reason_lines, result_line, stage_line
from telemon.errors import ProbeError
from telemon.instants import from_seconds
from telemon.ledger.pseudonym_key import load_or_create_key
from telemon.ledger.putting import put_now
from telemon.ledger.reading_crises import read_crises
from telemon.ledger.reading_probes import read_probes, read_unfinished
from telemon.ledger.store import open_ledger
from telemon.privacy import without_numbers
from telemon.probes.pursuit import left_over, probe_json
from telemon.texts import text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy import Engine

    from telemon.config import Config
    from telemon.duty_records import Probe
    from telemon.probes.once import Stage
    from telemon.probes.prober import Target


def command(
    config: ConfigOption = None,
    service: ServiceOption = None,
    number: Annotated[
        str | None, typer.Option("--number", "-n", help=text()("probe.option_number"), show_default=False)
    ] = None,
    wait: Annotated[
        float | None, typer.Option("--wait", "-w", min=5, max=300, help=text()("probe.option_wait"), show_default=False)
    ] = None,
    listed: Annotated[
        str | None, typer.Option("--list", "-l", metavar="PERIOD", help=text()("probe.option_list"))
    ] = None,
    shape: ShapeOption = Shape.TABLE,
) -> None:
    """Place a test call, or list past ones; status 1 if nobody answered."""
    settings = settle(config)
    if listed is not None:
        _list(settings, service, listed, shape)
        return
    logging.basicConfig(level=logging.CRITICAL)  # what the link would log is raised as the reason
    seconds = settings.probe.seconds if wait is None else wait
    target = _target(settings, service, number)
    engine = open_ledger(settings.ledger.url)
    try:
        _refuse_if_hindered(engine, settings, target)
        probe = _placed(settings, engine, target, seconds)
    finally:
        engine.dispose()
    if shape is Shape.NDJSON:
        _print_json(probe)
    else:
        Console(highlight=False).print(result_line(probe), markup=False, soft_wrap=True)
    if probe.result not in GOOD:
        raise typer.Exit(1)


def _target(settings: Config, service: str | None, number: str | None) -> Target:
    """Return whom to call.

    Raises:
        ConfigError: telemon may place no calls, or there is no permanence.
        ProbeError: it is not said which permanence.
    """
    from telemon.probes.prober import targets_of

    targets = {target.service: target for target in targets_of(settings)}
    known = ", ".join(sorted(targets))
    if service is None and len(targets) > 1:
        raise ProbeError(text()("probe.which", known=known))
    if service is not None and service not in targets:
        raise ProbeError(text()("probe.unknown", service=service, known=known))
    target = targets[service] if service is not None else next(iter(targets.values()))
    return target if number is None else replace(target, number=number)


def _refuse_if_hindered(engine: Engine, settings: Config, target: Target) -> None:
    """Place no call in a crisis, or beside another one."""
    for site in {settings.site, target.site}:
        for crisis in read_crises(engine, site):
            if crisis.closed_at is None:
                raise ProbeError(text()("probe.crisis", title=crisis.title or crisis.service))
    now, ring = wall_clock(), from_seconds(settings.probe.seconds)
    for other in read_unfinished(engine, [target.site]):
        if other.pbx == target.pbx and left_over(other, now, ring) is None:
            raise ProbeError(text()("probe.busy", service=other.service))


def _placed(settings: Config, engine: Engine, target: Target, seconds: float) -> Probe:
    """Place the call, keep it in the ledger, and show how it goes."""
    from telemon.probes.once import probe_once

    key = load_or_create_key(settings.ledger.key_file)

    def keep(probe: Probe) -> None:
        phone = probe.answered_by
        put_now(engine, probe if phone is None else replace(probe, answered_by=without_numbers(phone, key)))

    with _stages(target) as watch:
        return asyncio.run(probe_once(settings, target, seconds=seconds, tell=keep, watch=watch))


@contextmanager
def _stages(target: Target) -> Iterator[Callable[[Stage], None]]:
    """Show on standard error, a line for each stage, how far the call is; where somebody looks, how long it lasts."""
    console = Console(stderr=True, highlight=False)
    columns = SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn()
    said: list[str] = []
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as progress:
        task = progress.add_task("", total=None)

        def watch(stage: Stage) -> None:
            line = stage_line(target, stage)
            if line in said:
                return
            said.append(line)
            progress.update(task, description=line)
            if not console.is_terminal:
                console.print(line, markup=False, soft_wrap=True)

        yield watch


def _list(settings: Config, service: str | None, words: str, shape: Shape) -> None:
    end_with_the_pipe()
    span = period_of(words, settings, asked_as="--list")
    engine = open_ledger(settings.ledger.url)
    sites = [settings.call_site(pbx) for pbx in settings.pbx]
    probes = read_probes(engine, sites, span.start, span.end, service=service)
    engine.dispose()
    if shape is Shape.TABLE:
        console = Console()
        console.print(probes_table(probes, settings.zone))
        for line in reason_lines(probes, settings.zone):
            console.print(line, markup=False, highlight=False)
        return
    for probe in probes:
        _print_json(probe)


def _print_json(probe: Probe) -> None:
    sys.stdout.write(json.dumps(probe_json(probe), ensure_ascii=False) + "\n")
