"""``telemon unit``."""

from __future__ import annotations

import shutil
import stat
import sys
from contextlib import suppress
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Final

import typer
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from telemon.cli.common import ConfigOption, settle
from telemon.config import PLACES
from telemon.config_duty import PINS_CREDENTIAL
from telemon.config_web import API_CREDENTIAL
from telemon.texts import text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from telemon.config import Config

_STATE: Final = Path("/var/lib/telemon")  # StateDirectory= of the unit
_HIDDEN: Final = tuple(map(Path, ("/home", "/root", "/run/user", "/tmp", "/var/tmp")))  # noqa: S108 - ProtectHome=, PrivateTmp=


def command(config: ConfigOption = None) -> None:
    """Print the unit that runs telemon with this configuration; beside it, on standard error, what to do with it."""
    path = (config or PLACES[-1]).absolute()
    settings = settle(path)
    executable = _executable()
    typer.echo(_unit(executable, path, settings), nl=False)
    for line in _remarks(executable, path, settings):
        typer.echo(line, err=True)


def _executable() -> Path:
    """Return the command beside this Python, as a virtual environment has it; else the one that PATH names."""
    beside = Path(sys.executable).parent / "telemon"
    return beside if beside.exists() else Path(shutil.which("telemon") or beside)


def _unit(executable: Path, config: Path, settings: Config) -> str:
    secrets = [(f"{pbx.name}.secret", pbx.secret_file) for pbx in settings.pbx]
    secrets += [(f"{pbx.name}.originate", pbx.originate_secret_file) for pbx in settings.pbx]
    secrets += [(API_CREDENTIAL, settings.web.token_file), (PINS_CREDENTIAL, settings.agi.pins_file)]
    credentials = [
        f"LoadCredential={name}:{_escaped(path)}" for name, path in secrets if path is not None and path.is_absolute()
    ]
    unit = files("telemon").joinpath("service/telemon.service").read_text(encoding="utf-8")
    for name, value in {
        "@EXECUTABLE@": _quoted(executable),
        "@CONFIG@": _quoted(config),
        "@CREDENTIALS@": "\n".join(credentials) or "#LoadCredential=pbx.secret:/etc/telemon/ami.secret",
    }.items():
        unit = unit.replace(name, value)
    return unit


def _escaped(path: Path) -> str:
    """Return a path in which systemd finds no specifier (systemd.unit(5))."""
    return str(path).replace("%", "%%")


def _quoted(path: Path) -> str:
    """Return a path as one word of a command line (systemd.service(5))."""
    plain = _escaped(path).replace("\\", "\\\\").replace('"', '\\"').replace("$", "$$")
    return f'"{plain}"' if plain != str(path) or " " in plain else plain


def _remarks(executable: Path, config: Path, settings: Config) -> Iterator[str]:
    """Yield what stands in the way of such a service, and how to install it."""
    say = text()
    for path in (executable, config):
        if any(path.is_relative_to(folder) for folder in _HIDDEN):
            yield say("unit.hidden", path=path)
    if not config.stat().st_mode & stat.S_IROTH:
        yield say("unit.unreadable", path=config)
    for path in _written(settings):
        if path.is_absolute() and not path.is_relative_to(_STATE):
            yield say("unit.elsewhere", path=path, folder=_STATE)
    yield say("unit.install", config=config)


def _written(settings: Config) -> Iterator[Path]:
    with suppress(ArgumentError):  # "telemon run" says what is wrong with it
        url = make_url(settings.ledger.url)
        if url.get_backend_name() == "sqlite" and url.database:
            yield Path(url.database)
    yield settings.ledger.key_file
    yield from map(settings.journal_folder, settings.pbx)
