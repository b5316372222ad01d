"""One call ordered from Asterisk, over a short session of the second login.

The lasting link listens and can order nothing. This session orders one thing, and hears only what became of it.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from telemon.ami.entrance import log_in
from telemon.ami.session import Session
from telemon.ami.wire import Parser, encode_action
from telemon.errors import AmiConnectionError, AmiPermissionError, ProbeError
from telemon.probes.pursuit import Answer
from telemon.texts import text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from telemon.ami.entrance import Peer
    from telemon.ami.wire import Message

ACTIONS: Final = frozenset({"Challenge", "Login", "Originate"})
"""Everything that this session sends, but for the Logoff that ends it."""

_EVENT: Final = "OriginateResponse"
_RESPONSE_SECONDS: Final = 10.0  # for Asterisk to take the order
# Of a number that is a pattern's or a dial string's, Asterisk would make something else than one call.
_NUMBER: Final = re.compile(r"\+?[0-9]{1,32}")
# include/asterisk/frame.h, enum ast_control_frame_type: what the channel told last (main/pbx.c, pbx_outgoing_attempt)
_REASONS: Final = {"0": "FAILURE", "1": "HANGUP", "3": "RINGING", "5": "BUSY", "8": "CONGESTION"}


def check_number(number: str) -> None:
    """Refuse what is not one telephone number.

    Raises:
        ProbeError: it holds anything but digits after an optional +.
    """
    if not _NUMBER.fullmatch(number):
        raise ProbeError(text()("probe.bad_number", number=repr(number)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A call: whom, by which context it leaves, and where in the dialplan it goes once it is taken.

    ``seconds`` is how long it may ring, ``variables`` what the dialplan is given.
    """

    order_id: str
    number: str
    leaves_by: str
    speaks: str
    seconds: float
    variables: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        """Refuse what would be more than one number (ProbeError)."""
        check_number(self.number)

    @property
    def headers(self) -> list[tuple[str, str]]:
        """The action's headers (main/manager.c, ``action_originate``); Timeout is in milliseconds."""
        return [
            ("Channel", f"Local/{self.number}@{self.leaves_by}/n"),
            ("Context", self.speaks),
            ("Exten", "s"),
            ("Priority", "1"),
            ("Timeout", f"{self.seconds * 1000:.0f}"),
            ("Async", "true"),
            *(("Variable", f"{name}={value}") for name, value in self.variables),
        ]


class _Ordering(Session):
    """A session that can order calls, and nothing else."""

    def send(self, action: str, headers: Iterable[tuple[str, str]], action_id: str) -> None:
        """Write one action.

        Raises:
            AmiPermissionError: it is none of ``ACTIONS``.
            AmiInjectionError: a header would forge another.
            AmiConnectionError: there is no connection.
        """
        if action not in ACTIONS:
            raise AmiPermissionError(f"action {action!r} is none of those that order a call")
        if self._transport is None or self._transport.is_closing():
            raise AmiConnectionError("the connection is closed")
        self._transport.write(encode_action(action, headers, action_id=action_id))

    async def order(self, order: Order) -> Message:
        """Send the order under its own id, which no other session uses, and return the response."""
        answer: asyncio.Future[Message] = self._loop.create_future()
        self._answers[order.order_id] = answer
        try:
            self.send("Originate", order.headers, order.order_id)
            async with asyncio.timeout(_RESPONSE_SECONDS):
                return await answer
        finally:
            self._answers.pop(order.order_id, None)


async def originate(peer: Peer, order: Order) -> tuple[Answer, str]:
    """Order the call, and return what became of it once it is taken, refused or given up, with Asterisk's own word.

    Raises:
        AmiConnectionError: Asterisk cannot be reached, or the connection fell before the order was taken.
        AmiLoginError: it refuses the second login.
        AmiInjectionError: a header would forge another.
    """
    loop = asyncio.get_running_loop()
    became: asyncio.Future[Any] = loop.create_future()

    def take(messages: list[Message]) -> None:
        for message in messages:
            if message.name == _EVENT and message.get("ActionID") == order.order_id and not became.done():
                became.set_result(message)

    session = await _connect(peer, take)
    try:
        await log_in(session, peer)
        response = await session.order(order)
        if response.name != "Success":
            return Answer.REFUSED, response.get("Message")
        gone: asyncio.Future[Any] = session.closed
        seconds = order.seconds + _RESPONSE_SECONDS
        await asyncio.wait({became, gone}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    except TimeoutError:
        raise AmiConnectionError(text()("ami.no_answer", pbx=peer.name, host=peer.host, port=peer.port)) from None
    finally:
        await session.close()
    if not became.done():
        return Answer.UNHEARD, ""
    event: Message = became.result()
    if event.get("Response") == "Success":
        return Answer.REACHED, ""
    return Answer.FAILED, _REASONS.get(event.get("Reason"), event.get("Reason"))


async def _connect(peer: Peer, take: Callable[[list[Message]], None]) -> _Ordering:
    """Return a connection on which Asterisk has introduced itself."""
    loop = asyncio.get_running_loop()
    parser = Parser(frozenset({_EVENT.encode()}))
    session = None
    try:
        async with asyncio.timeout(peer.connect_seconds):
            _, session = await loop.create_connection(
                lambda: _Ordering(parser, take), peer.host, peer.port, ssl=peer.tls
            )
            await session.banner
    except (OSError, TimeoutError, UnicodeError) as error:  # ssl.SSLError is an OSError
        if session is not None:
            session.abort()
        values = {"pbx": peer.name, "host": peer.host, "port": peer.port, "reason": str(error) or "timeout"}
        raise AmiConnectionError(text()("ami.unreachable", **values)) from error
    return session
