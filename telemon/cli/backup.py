"""``telemon backup``."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer reads the annotation
from typing import Annotated

import typer

from telemon.cli.bars import stages
from telemon.cli.common import ConfigOption, settle
from telemon.ledger.backup import back_up, leftovers
from telemon.ledger.store import open_ledger
from telemon.texts import text

_MEGABYTE = 1_000_000


def command(
    target: Annotated[Path, typer.Argument(help=text()("backup.target"), show_default=False)],
    config: ConfigOption = None,
    force: Annotated[bool, typer.Option("--force", help=text()("backup.option_force"))] = False,  # noqa: FBT002 - typer's
) -> None:
    """Write the ledger to a file, and say what was proven about it."""
    settings = settle(config)
    say = text()
    for path in leftovers(target):
        typer.echo(say("backup.leftover", path=path), err=True)
    engine = open_ledger(settings.ledger.url, must_exist=True)
    try:
        with stages() as report:
            contents = back_up(engine, target, overwrite=force, report=report)
    finally:
        engine.dispose()
    rows = say.number(sum(content.rows for content in contents.values()), 0)
    calls = say.number(contents["calls"].rows, 0)
    size = say.number(target.stat().st_size / _MEGABYTE, 1)
    typer.echo(say("backup.done", path=target, calls=calls, size=size, rows=rows))
    typer.echo(say("backup.key_apart", key=settings.ledger.key_file))
