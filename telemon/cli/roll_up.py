"""``telemon roll-up``."""

from __future__ import annotations

import time
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from telemon.cadences import ring_cycle
from telemon.cli.common import ConfigOption, settle
from telemon.ledger.rolling_up import Roller
from telemon.ledger.store import open_ledger
from telemon.roll_ups import definitions
from telemon.rulesets import load_rulesets
from telemon.texts import text


def command(
    config: ConfigOption = None,
    everything: Annotated[bool, typer.Option("--all", help=text()("cli.roll_up_all"))] = False,  # noqa: FBT002 - typer's
) -> None:
    """Bring the roll-ups up to date, or build them from nothing."""
    settings = settle(config)
    sites = [settings.call_site(pbx) for pbx in settings.pbx]
    known = definitions(load_rulesets(settings.rule_sets), ring_cycle(settings.country), settings.timezone)
    engine = open_ledger(settings.ledger.url)
    roller = Roller(engine, sites, known)
    began = time.monotonic()
    if everything:
        roller.forget()
    with Progress(console=Console(stderr=True)) as progress:
        ahead = max(1, roller.ahead())
        task = progress.add_task(text()("cli.roll_up_doing"), total=ahead)
        while hours := roller.step():
            progress.advance(task, hours)
        progress.update(task, completed=ahead)
    engine.dispose()
    seconds = text().number(time.monotonic() - began, 1)
    typer.echo(text()("cli.roll_up_done", sites=", ".join(sites), sets=len(known), seconds=seconds))
