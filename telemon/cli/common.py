"""What the commands share: options, configuration, the end of a pipe."""

from __future__ import annotations

import signal
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from telemon.config import load
from telemon.errors import ConfigError
from telemon.periods import Period, parse_period
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


def period_of(words: str, settings: Config, *, asked_as: str = "--period") -> Period:
    """Read a period as the user wrote it, in the site's time zone.

    Raises:
        ConfigError: it is none; the message begins with the option or argument that was given it.
    """
    try:
        return parse_period(words, settings.zone, datetime.now(settings.zone).date())
    except ValueError as error:
        raise ConfigError(f"{asked_as}: {error}") from error
