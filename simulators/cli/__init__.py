"""``telemon-sim``: calls with a known truth, for demonstrations, tests and rehearsals, from the command line."""

from __future__ import annotations

import sys

import typer

from simulators.cli import ami, compare, lab, sip
from telemon.errors import TelemonError
from telemon.texts import text

app = typer.Typer(help=text()("sim.help"), no_args_is_help=True, add_completion=False)
app.command("ami", help=text()("sim_ami.help"))(ami.command)
app.command("sip", help=text()("sim_sip.help"))(sip.command)
app.command("compare", help=text()("compare.help"))(compare.command)
app.add_typer(lab.app, name="lab")


@app.callback()
def _commands() -> None:
    """Keep every command one of its own."""


def main() -> None:
    """Run the command line; an error that was foreseen is one line and exit status 1."""
    try:
        app()
    except TelemonError as error:
        sys.exit(f"telemon-sim: {error}")
