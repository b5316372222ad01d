"""``telemon prompts``."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer reads the annotation
from typing import Annotated

import typer

from telemon.cli.common import ConfigOption, settle
from telemon.texts import text


def command(
    sounds: Annotated[Path, typer.Argument(help=text()("presence.sounds"), show_default=False)],
    config: ConfigOption = None,
    force: Annotated[bool, typer.Option("--force", help=text()("presence.option_force"))] = False,  # noqa: FBT002 - typer's
) -> None:
    """Make the sound files, and say what was done."""
    from telemon.agi.prompts import Fate, make_prompts

    settings = settle(config)
    say = text()
    officers = [officer.officer for officer in settings.officer]
    fates = make_prompts(sounds, officers, overwrite=force, report=typer.echo)
    values = {fate.value: fates[fate] for fate in Fate}
    typer.echo(say("presence.prompts_done", folder=sounds, **values))
