"""``telemon init``."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Annotated

import typer

from telemon.errors import ConfigError
from telemon.texts import text


def command(
    path: Annotated[Path, typer.Argument(help=text()("cli.init_path"))] = Path("telemon.toml"),
) -> None:
    """Write the commented configuration; never over one that exists."""
    template = files("telemon").joinpath(f"templates/telemon.{text().language}.toml").read_text(encoding="utf-8")
    try:
        with path.open("x", encoding="utf-8") as target:
            target.write(template)
    except FileExistsError as error:
        raise ConfigError(text()("cli.init_exists", path=path)) from error
    except OSError as error:
        raise ConfigError(text()("cli.init_failed", path=path, reason=error.strerror)) from error
    typer.echo(text()("cli.init_done", path=path))
