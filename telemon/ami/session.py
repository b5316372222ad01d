"""One connection to one Asterisk: bytes in and out, answers matched to questions."""

from __future__ import annotations

import asyncio
import hashlib
from itertools import count
from typing import TYPE_CHECKING, Final

from telemon.ami.wire import Parser, encode_action
from telemon.errors import AmiConnectionError, AmiPermissionError, AmiProtocolError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from telemon.ami.wire import Message

# Everything that telemon ever asks of Asterisk. None of these changes anything there.
ALLOWED_ACTIONS: Final = frozenset({
    "BridgeList", "Challenge", "CoreSettings", "CoreShowChannels", "CoreStatus", "DBGet", "DeviceStateList",
    "Filter", "Login", "Logoff", "Ping", "QueueStatus",
})  # fmt: skip


class Session(asyncio.BufferedProtocol):
    """The protocol object of one connection.

    Args:
        parser: turns what arrives into messages.
        on_events: takes the messages of each chunk, in the event loop, as fast as they arrive: there is no queue, so a
            slow taker slows the reading and nothing piles up.
    """

    def __init__(self, parser: Parser, on_events: Callable[[list[Message]], None]) -> None:
        self._parser = parser
        self._on_events = on_events
        self._transport: asyncio.Transport | None = None
        self._answers: dict[str, asyncio.Future[Message]] = {}
        self._ids = count(1)
        loop = asyncio.get_running_loop()
        self._loop = loop
        self.banner: asyncio.Future[str] = loop.create_future()
        self.closed: asyncio.Future[None] = loop.create_future()  # its exception says why, if not by us
        self.heard_at = loop.time()

    # -- asyncio's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = transport  # type: ignore[assignment]  # a stream transport, whatever the base class says

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - asyncio's hint; the parser knows better
        """Let the kernel write straight into the parser."""
        return self._parser.get_buffer()

    def buffer_updated(self, nbytes: int) -> None:
        """Deal with what arrived."""
        self.heard_at = self._loop.time()
        try:
            messages = self._parser.buffer_updated(nbytes)
        except AmiProtocolError as error:
            self._end(error)
            return
        if self._answers or not self.banner.done():
            self._answer(messages)
        if messages:
            self._on_events(messages)
        if self._parser.error is not None:
            self._end(self._parser.error)

    def eof_received(self) -> bool:
        """Let the transport close."""
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell whoever waits."""
        self._end(AmiConnectionError("closed by Asterisk" if exc is None else str(exc) or type(exc).__name__))

    # -- our side

    async def ask(self, action: str, *headers: tuple[str, str], seconds: float = 10) -> Message:
        """Send one action and return its response, whatever it says.

        Raises:
            AmiConnectionError: the connection fell first.
            TimeoutError: no response in time.
        """
        answer: asyncio.Future[Message] = self._loop.create_future()
        action_id = f"telemon-{next(self._ids)}"
        self._answers[action_id] = answer
        try:
            self.send(action, headers, action_id)
            async with asyncio.timeout(seconds):
                return await answer
        finally:
            self._answers.pop(action_id, None)

    def send(self, action: str, headers: Iterable[tuple[str, str]], action_id: str) -> None:
        """Write one action.

        Raises:
            AmiPermissionError: it is none that telemon may send.
            AmiConnectionError: there is no connection.
        """
        if action not in ALLOWED_ACTIONS:
            raise AmiPermissionError(f"action {action!r} is none of those that telemon sends")
        if self._transport is None or self._transport.is_closing():
            raise AmiConnectionError("the connection is closed")
        self._transport.write(encode_action(action, headers, action_id=action_id))

    async def log_in(self, user: str, secret: str, *, plain: bool) -> Message:
        """Log in by MD5 challenge, or in plain; return the response that decides.

        Source of the key: main/manager.c ``authenticate``, MD5 of challenge and secret in hexadecimal.
        """
        if plain:
            return await self.ask("Login", ("Username", user), ("Secret", secret))
        challenge = await self.ask("Challenge", ("AuthType", "MD5"))
        if challenge.name != "Success":
            return challenge
        key = hashlib.md5((challenge.get("Challenge") + secret).encode(), usedforsecurity=False).hexdigest()
        return await self.ask("Login", ("AuthType", "MD5"), ("Username", user), ("Key", key))

    async def close(self) -> None:
        """Close in good order."""
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        transport.write(encode_action("Logoff"))
        transport.close()

    def abort(self) -> None:
        """Close at once: the peer no longer reads."""
        if self._transport is not None:
            self._transport.abort()

    def _answer(self, messages: list[Message]) -> None:
        for message in messages:
            if message.kind == "response":
                answer = self._answers.get(message.get("ActionID"))
                if answer is not None and not answer.done():
                    answer.set_result(message)
            elif message.kind == "banner" and not self.banner.done():
                self.banner.set_result(message.name)

    def _end(self, error: Exception) -> None:
        if self.closed.done():
            return
        self.closed.set_exception(error)
        self.closed.exception()  # looked at: whoever does not wait for it need not be warned
        if not self.banner.done():
            self.banner.set_exception(error)
            self.banner.exception()
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(error)
        if self._transport is not None:
            self._transport.close()
