"""``telemon-sim lab``."""

from __future__ import annotations

import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from simulators.lab.roots import Version

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from simulators.lab.upkeep import RunningLab

app = typer.Typer(
    help="A real Asterisk of its own, configured as a préfecture's switchboard: up, down, status.",
    no_args_is_help=True,
)


@app.command()
def up(
    *,
    asterisk: Annotated[
        Version | None, typer.Option(help="Which Asterisk to start; 22 if not given.", show_default=False)
    ] = None,
) -> None:
    """Start it, and say what to do next; the first time its packages are fetched from Debian, about a minute.

    Needs Linux, Debian or Ubuntu, root rights and debootstrap. Everything listens on 127.0.0.1. Ctrl-C undoes it.
    """
    from simulators.lab import upkeep

    for ending in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, signal.default_int_handler)  # they too shall leave nothing behind
    console = Console(highlight=False)
    before = upkeep.read_lab()
    with _steps(console) as say:
        lab = upkeep.up(asterisk, say)
    _describe(console, lab, "is up" if before is None else "is up already")
    config = upkeep.telemon_config()
    _print(console, "Next:")
    for command in (f"telemon run -c {config}", "telemon-sim sip --scenario monday-morning", "telemon-sim lab down"):
        _print(console, f"  {command}")
    _print(console, f"The last one also removes {config.parent}, with the ledger that telemon writes there.")


@app.command()
def down(
    *,
    roots: Annotated[bool, typer.Option("--roots", help="Remove the cached Asterisks too (some 1 GB).")] = False,
) -> None:
    """End it and remove everything it wrote; without --roots its packages stay for the next time."""
    from simulators.lab import upkeep
    from simulators.lab.asterisk import lab_folder
    from simulators.lab.roots import remove_root

    console = Console(highlight=False)
    lab = upkeep.down()
    if lab is None:
        _print(console, "The lab is not up.")
    else:
        _print(console, f"The lab is down: Asterisk {lab.version} (process {lab.pid}) has ended, its files are gone.")
    if roots:
        for version in Version:
            remove_root(version)
        _print(console, f"No Asterisk is kept in {lab_folder()} any more.")


@app.command()
def status() -> None:
    """Say whether it is up, and where; status 1 if it is not."""
    from simulators.lab import upkeep

    console = Console(highlight=False)
    lab = upkeep.noted_lab()
    if lab is None:
        _print(console, "The lab is not up; start it: telemon-sim lab up")
        raise typer.Exit(1)
    if not lab.is_running:
        _print(
            console,
            f"The lab's Asterisk {lab.version} (process {lab.pid}) has died; its log is {lab.log}."
            " Start another: telemon-sim lab up; or clear away what it left: telemon-sim lab down",
        )
        raise typer.Exit(1)
    _describe(console, lab, "is up")


def _describe(console: Console, lab: RunningLab, state: str) -> None:
    from simulators.lab.upkeep import HOST, telemon_config

    _print(console, f"The lab {state}: Asterisk {lab.version}, process {lab.pid}.")
    _print(console, f"  AMI      {HOST}:{lab.ami_port}, user {lab.ami_user}, secret in {telemon_config()}")
    _print(console, f"  SIP      {HOST}:{lab.sip_port}, {len(lab.phone_ports)} phones")
    _print(console, f"  log      {lab.log}")


def _print(console: Console, line: str) -> None:
    console.print(line, markup=False, soft_wrap=True)


@contextmanager
def _steps(console: Console) -> Iterator[Callable[[str], None]]:
    """Show each step with the time it takes; where there is no terminal, a line as it begins."""
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = SpinnerColumn(finished_text="✓"), TextColumn("{task.description}", markup=False), TimeElapsedColumn()
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:

        def finish() -> None:
            for task in progress.task_ids:
                progress.update(task, total=1, completed=1)

        def say(step: str) -> None:
            finish()
            progress.add_task(step, total=None)
            if not console.is_terminal:
                _print(console, step)

        yield say
        finish()
