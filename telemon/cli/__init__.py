"""The command line. Each command is one file; this one only puts them together."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from telemon import __version__
from telemon.cli import (
    backup,
    calls,
    check,
    coverage,
    crisis,
    dashboards,
    demo,
    import_,
    init,
    password,
    pin,
    probe,
    prompts,
    reconcile,
    replay,
    restore,
    roll_up,
    roster,
    run,
    stats,
    unit,
)
from telemon.errors import TelemonError
from telemon.texts import text

app = typer.Typer(
    name="telemon",
    help=text()("cli.help"),
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)
for module in (
    run,
    demo,
    init,
    check,
    calls,
    stats,
    coverage,
    replay,
    unit,
    import_,
    reconcile,
    roll_up,
    backup,
    restore,
    probe,
    roster,
    password,
    pin,
    prompts,
):
    name = module.__name__.rpartition(".")[2].rstrip("_")  # import is no name for a module
    app.command(name.replace("_", "-"), help=text()(f"cli.{name}"))(module.command)
app.add_typer(crisis.app, name="crisis", help=text()("cli.crisis"))
app.add_typer(dashboards.app, name="dashboards", help=text()("cli.dashboards"))


def _show_version(wanted: bool) -> None:  # noqa: FBT001 - typer's callback
    if wanted:
        typer.echo(f"telemon {__version__}")
        raise typer.Exit


@app.callback()
def options(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help=text()("cli.version"))
    ] = False,
) -> None:
    """Nothing but what every command shares."""


def main() -> None:
    """Run the command line; what is telemon's own to say goes to standard error as one message, with status 1."""
    try:
        app()
    except TelemonError as error:
        typer.echo(f"telemon: {error}", err=True)
        sys.exit(1)
