"""``telemon restore``."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer reads the annotation
from typing import Annotated

import typer

from telemon.cli.bars import stages
from telemon.cli.common import ConfigOption, settle
from telemon.ledger.restore import restore
from telemon.ledger.store import open_ledger
from telemon.texts import text


def command(
    backup: Annotated[Path, typer.Argument(help=text()("restore.backup"), show_default=False)],
    config: ConfigOption = None,
) -> None:
    """Fill the configured ledger, which must be empty, and say what was proven about it."""
    settings = settle(config)
    say = text()
    engine = open_ledger(settings.ledger.url)
    try:
        with stages() as report:
            contents = restore(backup, engine, report)
    finally:
        engine.dispose()
    rows = say.number(sum(content.rows for content in contents.values()), 0)
    ledger = engine.url.render_as_string(hide_password=True)
    typer.echo(say("restore.done", ledger=ledger, calls=say.number(contents["calls"].rows, 0), rows=rows))
    typer.echo(say("restore.key_needed", key=settings.ledger.key_file))
