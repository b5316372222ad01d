"""``telemon password``."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from telemon.errors import ConfigError
from telemon.texts import text
from telemon.wallboard.passwords import LONGEST, SHORTEST, hash_password, is_password


def command(
    *,
    stdin: Annotated[bool, typer.Option("--stdin", help=text()("cli.password_stdin"))] = False,
) -> None:
    """Print the hash of a password."""
    say = text()
    password = sys.stdin.readline().rstrip("\r\n") if stdin else _asked()
    if not is_password(password):
        raise ConfigError(say("sign_in.short", shortest=SHORTEST, longest=LONGEST))
    if not stdin:
        if typer.prompt(say("sign_in.again"), hide_input=True, err=True) != password:
            raise ConfigError(say("sign_in.differ"))
        typer.echo(say("sign_in.belongs"), err=True)
    typer.echo(f'password = "{hash_password(password)}"')


def _asked() -> str:
    return str(typer.prompt(text()("sign_in.password", shortest=SHORTEST), hide_input=True, err=True))
