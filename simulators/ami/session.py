"""One manager connection: bytes in, actions done, responses and events out."""

from __future__ import annotations

import asyncio
import secrets
from typing import TYPE_CHECKING

from simulators.ami import actions
from simulators.ami.access import CLASSES, EventFilter, User
from simulators.ami.event import Headers, render

if TYPE_CHECKING:
    from simulators.ami.server import AmiServer

BANNER = b"Asterisk Call Manager/11.0.0\r\n"
_LONGEST_REQUEST = 64 * 1024
# Beyond this much unread output a session is dropped at once, however short the stall.
_LARGEST_BACKLOG = 8 * 1024 * 1024


class Session(asyncio.Protocol):
    """One client. It is dropped when it does not read for ``writetimeout``, as Asterisk drops it."""

    def __init__(self, server: AmiServer) -> None:
        self.server = server
        self.user: User | None = None
        self.challenge = ""
        self.mask = CLASSES
        self.filter = EventFilter()
        self._transport: asyncio.Transport | None = None
        self._received = b""
        self._greeted = False
        self._stalled: asyncio.TimerHandle | None = None

    # What asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet the client, unless the server is frozen."""
        if not isinstance(transport, asyncio.Transport):
            raise TypeError(f"an AMI session needs a stream, not {type(transport).__name__}")
        self._transport = transport
        self.server.sessions.add(self)
        if self.server.frozen:
            self.freeze()
        else:
            self._greet()

    def connection_lost(self, _exc: Exception | None) -> None:
        """Forget the client."""
        self.resume_writing()
        self.server.sessions.discard(self)

    def data_received(self, data: bytes) -> None:
        """Do every action that is complete."""
        self._received += data
        while (end := self._received.find(b"\r\n\r\n")) >= 0 and self.alive:
            request, self._received = self._received[:end], self._received[end + 4 :]
            actions.perform(self, actions.Request.parse(request))
        if len(self._received) > _LONGEST_REQUEST:
            self.drop()

    def pause_writing(self) -> None:
        """Start the clock: the client does not read."""
        self._stalled = asyncio.get_running_loop().call_later(self.server.writetimeout, self.drop)

    def resume_writing(self) -> None:
        """Stop the clock: the client reads again, or is gone."""
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None

    # What the server and the actions call

    @property
    def alive(self) -> bool:
        """Whether the connection is open."""
        return self._transport is not None and not self._transport.is_closing()

    def respond(self, response: str, action_id: Headers, *headers: tuple[str, str]) -> None:
        """Send one response, with the request's ActionID echoed."""
        self.send(render((("Response", response), *action_id, *headers)))

    def deliver(self, event_class: str, message: bytes) -> None:
        """Send an event, if the user may read its class and the session wants it."""
        if self.user is None or event_class not in self.mask or not self.user.may_read(event_class):
            return
        if self.filter.passes(message):
            self.send(message)

    def send(self, message: bytes) -> None:
        """Write a message; a client that lets too much pile up is dropped."""
        if self._transport is None or self._transport.is_closing():
            return
        self._transport.write(message)
        if self._transport.get_write_buffer_size() > _LARGEST_BACKLOG:
            self.drop()

    def new_challenge(self) -> str:
        """Draw the number that an MD5 login must hash."""
        self.challenge = str(secrets.randbelow(2**31))
        return self.challenge

    def close(self) -> None:
        """Send what is pending, then close."""
        if self._transport is not None:
            self._transport.close()

    def drop(self) -> None:
        """Close at once; what is pending is lost."""
        if self._transport is not None:
            self._transport.abort()

    def freeze(self) -> None:
        """Stop reading; the connection stays open."""
        if self.alive and self._transport is not None:
            self._transport.pause_reading()

    def thaw(self) -> None:
        """Go on with whatever has arrived meanwhile."""
        if self.alive and self._transport is not None:
            self._transport.resume_reading()
            self._greet()

    def _greet(self) -> None:
        if not self._greeted:
            self._greeted = True
            self.send(BANNER)
