"""What the commands share: options, configuration, the end of a pipe."""

from __future__ import annotations

import signal
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from telemon.config import load
from telemon.texts import text, use

if TYPE_CHECKING:
    from telemon.config import Config

ConfigOption = Annotated[
    Path | None, typer.Option("--config", "-c", help=text()("cli.option_config"), show_default=False)
]
ServiceOption = Annotated[str | None, typer.Option("--service", "-s", help=text()("cli.option_service"))]


class Shape(StrEnum):
    """How to print."""

    TABLE = "table"
    NDJSON = "ndjson"


ShapeOption = Annotated[Shape, typer.Option("--format", "-f", help=text()("cli.option_format"))]


def settle(path: Path | None) -> Config:
    """Read the configuration and speak its language.

    Raises:
        ConfigError: it cannot be read or understood.
    """
    config = load(path)
    if config.language is not None:
        use(config.language)
    return config


def end_with_the_pipe() -> None:
    """Let a command that only prints end, as others do, when the reader of its pipe has had enough."""
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
