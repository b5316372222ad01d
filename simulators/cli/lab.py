"""``telemon-sim lab``."""

from __future__ import annotations

import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from simulators.lab.roots import Version
from telemon.texts import text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from simulators.lab.upkeep import RunningLab

app = typer.Typer(help=text()("sim_lab.help"), no_args_is_help=True)


@app.command(help=text()("sim_lab.up"))
def up(
    *,
    asterisk: Annotated[
        Version | None, typer.Option(help=text()("sim_lab.option_asterisk"), show_default=False)
    ] = None,
) -> None:
    """Start it, and say what to do next; Ctrl-C undoes what was begun."""
    from simulators.lab import upkeep

    for ending in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, signal.default_int_handler)  # they too shall leave nothing behind
    console = Console(highlight=False)
    before = upkeep.read_lab()
    with _steps(console) as tell:
        lab = upkeep.up(asterisk, tell)
    _describe(console, lab, "sim_lab.is_up" if before is None else "sim_lab.is_up_already")
    config = upkeep.telemon_config()
    _print(console, text()("sim_lab.next"))
    for command in (f"telemon run -c {config}", "telemon-sim sip --scenario monday-morning", "telemon-sim lab down"):
        _print(console, f"  {command}")
    _print(console, text()("sim_lab.removes", folder=config.parent))


@app.command(help=text()("sim_lab.down"))
def down(
    *,
    roots: Annotated[bool, typer.Option("--roots", help=text()("sim_lab.option_roots"))] = False,
) -> None:
    """End it and remove everything it wrote; without --roots its packages stay for the next time."""
    from simulators.lab import upkeep
    from simulators.lab.asterisk import lab_folder
    from simulators.lab.roots import remove_root

    console, say = Console(highlight=False), text()
    lab = upkeep.down()
    if lab is None:
        _print(console, say("sim_lab.not_up"))
    else:
        _print(console, say("sim_lab.is_down", version=lab.version, pid=lab.pid))
    if roots:
        for version in Version:
            remove_root(version)
        _print(console, say("sim_lab.no_roots", folder=lab_folder()))


@app.command(help=text()("sim_lab.status"))
def status() -> None:
    """Say whether it is up, and where; status 1 if it is not."""
    from simulators.lab import upkeep

    console, say = Console(highlight=False), text()
    lab = upkeep.noted_lab()
    if lab is None:
        _print(console, say("sim_lab.start_it"))
        raise typer.Exit(1)
    if not lab.is_running:
        _print(console, say("sim_lab.died", version=lab.version, pid=lab.pid, log=lab.log))
        raise typer.Exit(1)
    _describe(console, lab, "sim_lab.is_up")


def _describe(console: Console, lab: RunningLab, state: str) -> None:
    """Print the text ``state``, and where everything is."""
    from simulators.lab.upkeep import HOST, telemon_config

    say = text()
    _print(console, say(state, version=lab.version, pid=lab.pid))
    _print(console, say("sim_lab.ami", host=HOST, port=lab.ami_port, user=lab.ami_user, config=telemon_config()))
    _print(console, say("sim_lab.sip", host=HOST, port=lab.sip_port, phones=len(lab.phone_ports)))
    _print(console, say("sim_lab.log", log=lab.log))


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

        def tell(step: str) -> None:
            finish()
            progress.add_task(step, total=None)
            if not console.is_terminal:
                _print(console, step)

        yield tell
        finish()
