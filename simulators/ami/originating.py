"""``Originate``: the checks of Asterisk's main/manager.c, and the one call that was recorded for it.

That call is the probe of ``dialplans/probe``: a Local channel that dials the permanence by a trunk which comes back in,
and speaks to the duty officer. Every other channel fails, as one does that Asterisk cannot reach.
"""

from __future__ import annotations

import asyncio
import gzip
import re
from functools import cache
from typing import TYPE_CHECKING, Final

from simulators.ami.event import Event
from simulators.ami.learning import learn
from simulators.ami.library import TAPES
from simulators.ami.telling import Caller, Part, tell
from telemon.instants import SECOND, from_seconds

if TYPE_CHECKING:
    from collections.abc import Callable

    from simulators.ami.actions import Request
    from simulators.ami.event import Headers, Told
    from simulators.ami.server import AmiServer
    from simulators.ami.session import Session
    from simulators.ami.tape import Tape
    from telemon.instants import Instant

    _Getter = Callable[[str], str]

_CHANNEL: Final = re.compile(r"Local/0102030406@telemon-probe(/n)?")
_NUMBER: Final = "0102030406"
_EXTENSION: Final = ("telemon-probe-speaks", "s")
_PRIORITIES: Final = ("1", "2", "3")
_QUEUED: Final = ("Message", "Originate successfully queued")
_LAST_WORD: Final = "OriginateResponse"
_WHOLE_NUMBER: Final = re.compile(r"\s*[+-]?\d+")  # as sscanf("%d") reads one
_CALLER_ID: Final = re.compile(r'"?(?P<name>[^"<]*?)"? *<(?P<number>[^>]*)>')
_UNKNOWN: Final = "<unknown>"
_TURN_SECONDS: Final = 0.01


def originate(session: Session, request: Request) -> None:
    """Do the action: at once with ``Async``, else the response comes when the call is answered, or has failed."""
    server, action_id = session.server, request.action_id
    if mistake := _mistake_in(request.get):
        session.respond("Error", action_id, ("Message", mistake))
    elif _is_true(request.get("Async")):
        session.respond("Success", action_id, _QUEUED)
        _Originated(server, request.get, lambda word: server.emit(Event(word.name, action_id + word.headers)))
    else:
        _Originated(server, request.get, lambda word: _respond(session, action_id, word))


def _respond(session: Session, action_id: Headers, word: Told) -> None:
    if word.get("Response") == "Success":
        session.respond("Success", action_id, _QUEUED)
    else:
        session.respond("Error", action_id, ("Message", "Originate failed"))


def _mistake_in(get: _Getter) -> str:
    """Say what Asterisk objects to before it calls anybody, the first in its order; empty if nothing."""
    channel, priority, timeout = get("Channel"), get("Priority"), get("Timeout")
    place = (get("Context"), get("Exten"))
    complete = all((*place, priority))
    mistakes = {
        "Channel not specified": not channel,
        "Invalid priority": priority and not _WHOLE_NUMBER.match(priority),
        "Invalid timeout": timeout and not _WHOLE_NUMBER.match(timeout),
        "Invalid channel": "/" not in channel,
        "Extension does not exist.": complete and (place != _EXTENSION or priority not in _PRIORITIES),
        "Originate with 'Exten' requires 'Context' and 'Priority'": not (
            complete or get("Application") or _is_true(get("Async"))
        ),
    }
    return next((message for message, is_made in mistakes.items() if is_made), "")


def _is_true(text: str) -> bool:
    """Read a switch as ``ast_true`` of main/utils.c does."""
    return text.lower() in ("yes", "true", "y", "t", "1", "on")


class _Originated:
    """One originated call; ``answered`` is given its last word, ``OriginateResponse``, when Asterisk says it."""

    def __init__(self, server: AmiServer, get: _Getter, answered: Callable[[Told], None]) -> None:
        self._server = server
        self._answered = answered
        self._booted_at = server.switchboard.booted_at
        if _CHANNEL.fullmatch(get("Channel")) is None or (get("Context"), get("Exten")) != _EXTENSION:
            asyncio.get_running_loop().call_soon(answered, _failure(get))
            return
        caller = Caller(number="", ddi=_NUMBER, arrives_at=from_seconds(server.clock.true_now))
        part = Part(tape=_tape(server.version), at=0)
        self._coming = tell(caller, [part], server.numbers, members=server.switchboard.member_names, extensions={})
        self._go_on(next(self._coming))

    def _go_on(self, upcoming: tuple[Instant, Told]) -> None:
        """Tell everything that is due, then wait; with a clock that waits for nobody, for others to move it on."""
        clock = self._server.clock
        last: tuple[Instant, Told] | None = upcoming
        while last is not None and self._lives:
            at, event = last
            if at / SECOND > clock.true_now:
                pause = clock.wait_for(at / SECOND) if clock.speed else _TURN_SECONDS
                asyncio.get_running_loop().call_later(pause, self._go_on, last)
                return
            self._tell(event, clock.shown(at / SECOND))
            last = next(self._coming, None)

    def _tell(self, event: Told, stamp: float) -> None:
        if event.name == _LAST_WORD:
            self._answered(event)
        else:
            self._server.emit(event, stamp)

    @property
    def _lives(self) -> bool:
        return self._server.is_up and self._server.switchboard.booted_at == self._booted_at


def _failure(get: _Getter) -> Event:
    """Asterisk's last word on a channel that cannot be had; what the request does not say is left out."""
    named = _CALLER_ID.fullmatch(get("CallerID"))
    asked = ((name, get(name)) for name in ("Channel", "Context", "Exten", "Application", "Data"))
    return Event(
        _LAST_WORD,
        (
            ("Response", "Failure"),
            *((name, value) for name, value in asked if value),
            ("Reason", "0"),
            ("Uniqueid", _UNKNOWN),
            ("CallerIDNum", named["number"] if named else _UNKNOWN),
            ("CallerIDName", (named and named["name"]) or _UNKNOWN),
        ),
    )


@cache
def _tape(version: str) -> Tape:
    return learn(gzip.decompress((TAPES / version / "originated" / "probe.ami.gz").read_bytes()), originated=True)
