"""``telemon pin``."""

from __future__ import annotations

import typer

from telemon.agi.pins import LONGEST, SHORTEST, hash_pin, is_pin, is_weak
from telemon.errors import PresenceError
from telemon.texts import text


def command() -> None:
    """Ask for a PIN twice, without showing it, and print its hash."""
    say = text()
    pin = typer.prompt(say("presence.pin"), hide_input=True, err=True)
    if not is_pin(pin):
        raise PresenceError(say("presence.no_pin", shortest=SHORTEST, longest=LONGEST))
    if is_weak(pin):
        raise PresenceError(say("presence.weak_pin"))
    if typer.prompt(say("presence.pin_again"), hide_input=True, err=True) != pin:
        raise PresenceError(say("presence.pins_differ"))
    typer.echo(say("presence.pin_belongs"), err=True)
    typer.echo(f'pin = "{hash_pin(pin)}"')
