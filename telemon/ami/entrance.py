"""Getting in: whom to call, and the first words with Asterisk."""

from __future__ import annotations

import asyncio
import logging
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from telemon.ami.events import NEEDLES
from telemon.ami.session import Session
from telemon.ami.wire import Parser
from telemon.errors import AmiConnectionError, AmiLoginError, AmiPermissionError
from telemon.texts import text

if TYPE_CHECKING:
    from collections.abc import Callable

    from telemon.ami.wire import Message

log = logging.getLogger(__name__)

_WRITE_CLASS: Final = "reporting"  # enough for every action but Filter (tried on Asterisk 22.10, one login per class)
# Events that only the parser wants (answers to our own questions): no filter need let them pass.
_ANSWERS: Final = frozenset({
    b"CoreShowChannel", b"CoreShowChannelsComplete", b"QueueMember", b"QueueParams", b"QueueStatusComplete",
    b"BridgeListItem",
})  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """Whom to call, and as whom."""

    name: str
    host: str
    port: int
    user: str
    secret: str
    tls: ssl.SSLContext | None = None
    plain_login: bool = False
    event_filter: bool = True
    ping_seconds: float = 10.0
    connect_seconds: float = 10.0
    boot_seconds: float = 60.0

    def __repr__(self) -> str:
        """Leave the secret out."""
        return f"Peer({self.name!r}, {self.host!r}, {self.port}, {self.user!r})"


def tls_context(*, authority: str | None, verify: bool) -> ssl.SSLContext:
    """Return a context that trusts the system's authorities, or the given one, and checks the host's name."""
    context = ssl.create_default_context(cafile=authority)
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


async def connect(peer: Peer, wanted: frozenset[bytes], take: Callable[[list[Message]], None]) -> Session:
    """Return a connection on which Asterisk has introduced itself; ``take`` gets what it says from then on.

    Raises:
        AmiConnectionError: refused, unreachable, without trusted TLS, or silent.
    """
    where = {"pbx": peer.name, "host": peer.host, "port": peer.port}
    parser = Parser(wanted, NEEDLES)
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(peer.connect_seconds):
            _, session = await loop.create_connection(lambda: Session(parser, take), peer.host, peer.port, ssl=peer.tls)
    except ssl.SSLError as error:
        raise AmiConnectionError(text()("ami.tls", reason=error, **where)) from error
    except ConnectionRefusedError as error:
        raise AmiConnectionError(text()("ami.refused", reason=error.strerror, **where)) from error
    except (OSError, TimeoutError, UnicodeError) as error:
        raise AmiConnectionError(text()("ami.unreachable", reason=str(error) or "timeout", **where)) from error
    try:
        async with asyncio.timeout(peer.connect_seconds):
            await session.banner
    except TimeoutError:
        session.abort()
        raise AmiConnectionError(text()("ami.no_banner", seconds=peer.connect_seconds, **where)) from None
    except BaseException:
        session.abort()
        raise
    return session


async def log_in(session: Session, peer: Peer) -> None:
    """Log in.

    Raises:
        AmiLoginError: Asterisk refuses.
    """
    answer = await session.log_in(peer.user, peer.secret, plain=peer.plain_login)
    if answer.name != "Success":
        key = "ami.no_challenge" if "Authentication" not in answer.get("Message") else "ami.login_refused"
        raise AmiLoginError(text()(key, pbx=peer.name, user=peer.user, message=answer.get("Message")))


async def set_filter(session: Session, peer: Peer, wanted: frozenset[bytes]) -> None:
    """Let Asterisk send only what is used: less work on both sides (main/manager.c ``match_filter``)."""
    names = sorted(name.decode() for name in wanted - _ANSWERS - NEEDLES.keys())
    patterns = [f"Event: ({'|'.join(names)})", "Variable: QUEUESTATUS", "DialStatus: PROGRESS"]
    for pattern in patterns:
        answer = await session.ask("Filter", ("Operation", "Add"), ("Filter", pattern))
        if answer.name != "Success":
            message = answer.get("Message")
            log.info(text()("ami.filter_denied", pbx=peer.name, user=peer.user, message=message))
            return


async def ask(session: Session, peer: Peer, action: str) -> Message:
    """Return the response to an action that needs a right.

    Raises:
        AmiPermissionError: the login may not ask for it.
    """
    answer = await session.ask(action)
    if answer.name == "Error" and "ermission" in answer.get("Message"):
        raise AmiPermissionError(
            text()(
                "ami.denied",
                pbx=peer.name,
                user=peer.user,
                action=action,
                message=answer.get("Message"),
                needed=_WRITE_CLASS,
            )
        )
    return answer
