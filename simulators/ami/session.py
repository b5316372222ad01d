"""One manager connection: bytes in, actions done, responses and events out."""

from __future__ import annotations

import asyncio
import secrets
from typing import TYPE_CHECKING

from simulators.ami import actions
from simulators.ami.access import CLASSES, EventFilter, User
from simulators.ami.event import Headers, render
from simulators.ami.tape import TapedEvent

if TYPE_CHECKING:
    from simulators.ami.event import Told
    from simulators.ami.server import AmiServer
    from simulators.ami.tape import Line

_LONGEST_REQUEST = 64 * 1024
# Beyond this much unread output a session is dropped at once, however short the stall.
_LARGEST_BACKLOG = 8 * 1024 * 1024
_TURN_SECONDS = 0.05  # a slow link carries something this often


class Session(asyncio.Protocol):
    """One client. It is dropped when it does not read for ``writetimeout``, as Asterisk drops it."""

    def __init__(self, server: AmiServer) -> None:
        self.server = server
        self.user: User | None = None
        self.challenge = ""
        self.mask = CLASSES
        self.filter = EventFilter()
        self.asked_at = 0.0
        self._transport: asyncio.Transport | None = None
        self._received = b""
        self._greeted = False
        self._stalled: asyncio.TimerHandle | None = None
        self._unsent = bytearray()
        self._sending: asyncio.Handle | None = None
        self._verdicts: dict[Line, bool] = {}

    # What asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet the client, unless the server is frozen, or down."""
        if not isinstance(transport, asyncio.Transport):
            raise TypeError(f"an AMI session needs a stream, not {type(transport).__name__}")
        self._transport = transport
        if not self.server.is_up:
            transport.abort()
            return
        self.server.sessions.add(self)
        if self.server.frozen:
            self.freeze()
        else:
            self._greet()

    def connection_lost(self, _exc: Exception | None) -> None:
        """Forget the client."""
        if self._sending is not None:
            self._sending.cancel()
        self.resume_writing()
        self.server.sessions.discard(self)

    def data_received(self, data: bytes) -> None:
        """Do every action that is complete."""
        self._received += data
        while (end := self._received.find(b"\r\n\r\n")) >= 0 and self.alive:
            request, self._received = self._received[:end], self._received[end + 4 :]
            self.asked_at = asyncio.get_running_loop().time()
            actions.perform(self, actions.Request.parse(request))
        if len(self._received) > _LONGEST_REQUEST:
            self.drop()

    def pause_writing(self) -> None:
        """Start the clock: the client does not read."""
        self._stalled = asyncio.get_running_loop().call_later(self.server.writetimeout, self.drop)
        self.server.keeping_up.clear()

    def resume_writing(self) -> None:
        """Stop the clock: the client reads again, or is gone."""
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None
        if not any(session.stalled for session in self.server.sessions):
            self.server.keeping_up.set()

    # What the server and the actions call

    @property
    def alive(self) -> bool:
        """Whether the connection is open."""
        return self._transport is not None and not self._transport.is_closing()

    def respond(self, response: str, action_id: Headers, *headers: tuple[str, str]) -> None:
        """Send one response, with the request's ActionID echoed."""
        self.send(render((("Response", response), *action_id, *headers)))

    @property
    def sent(self) -> bool:
        """Whether nothing is left to be read by the operating system."""
        return not self._unsent and (self._transport is None or not self._transport.get_write_buffer_size())

    @property
    def stalled(self) -> bool:
        """Whether the client leaves so much unread that nothing more can be written."""
        return self._stalled is not None

    def wants(self, event: Told) -> bool:
        """Whether the user may read the event, the session asked for its class, and its filters let it pass."""
        if not isinstance(event, TapedEvent):
            return self._may_have(event.event_class) and self.filter.passes(event.encode(None).decode())
        verdict = self._verdicts.get(event.line)
        if verdict is not None:
            return verdict
        if not self._may_have(event.event_class):
            verdict = self._verdicts[event.line] = False
        elif self._always_alike(event.line):
            verdict = self._verdicts[event.line] = self.filter.passes(event.line.fixed)
        else:
            verdict = self.filter.passes(event.encode(None).decode())
        return verdict

    def _always_alike(self, line: Line) -> bool:
        """Whether what the filters look at is the same each time this line of a tape is told."""
        headers = self.filter.headers
        return headers is not None and not any("%" in line.headers.get(header, "") for header in headers)

    def _may_have(self, event_class: str) -> bool:
        return self.user is not None and event_class in self.mask and self.user.may_read(event_class)

    def enter(self, user: User) -> None:
        """Log a user in."""
        self.user = user
        self._verdicts.clear()

    def set_mask(self, classes: frozenset[str]) -> None:
        """Send only events of these classes from now on."""
        self.mask = classes
        self._verdicts.clear()

    def add_filter(self, expression: str) -> None:
        """Add a filter; re.error if it does not compile."""
        self.filter.add(expression)
        self._verdicts.clear()

    def send(self, message: bytes) -> None:
        """Write a message, together with what else comes in this turn of the loop."""
        if self.alive:
            self._unsent += message
            if self._sending is None:
                self._sending = asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        """Write what is pending, as much as the link carries; a client that lets too much pile up is dropped."""
        self._sending = None
        if self._transport is None or not self._unsent:
            return
        rate = self.server.bytes_per_second
        size = len(self._unsent) if rate is None else max(1, int(rate * _TURN_SECONDS))
        self._transport.write(bytes(self._unsent[:size]))
        del self._unsent[:size]
        if self._unsent:
            self._sending = asyncio.get_running_loop().call_later(_TURN_SECONDS, self._flush)
        if self._transport.get_write_buffer_size() + len(self._unsent) > _LARGEST_BACKLOG:
            self.drop()

    def new_challenge(self) -> str:
        """Draw the number that an MD5 login must hash."""
        self.challenge = str(secrets.randbelow(2**31))
        return self.challenge

    def close(self) -> None:
        """Send what is pending, then close."""
        if self._transport is not None:
            self._transport.write(bytes(self._unsent))
            self._unsent.clear()
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
            self.send(f"Asterisk Call Manager/{self.server.ami_version}\r\n".encode())
