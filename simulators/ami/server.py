"""An AMI server with no Asterisk behind it, over real TCP (or TLS) sockets, with faults on demand."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Self

from simulators.ami.access import User
from simulators.ami.event import Event
from simulators.ami.session import Session
from simulators.ami.switchboard import Switchboard

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping


class AmiServer:
    """Serves the manager interface of one simulated switchboard; use it as an asynchronous context manager.

    What is given to :meth:`emit` reaches every session that is logged in and wants it, and is what the answers to
    ``CoreShowChannels``, ``QueueStatus`` and the like agree with.
    """

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        users: Mapping[str, User | str],
        switchboard: Switchboard | None = None,
        ssl_context: ssl.SSLContext | None = None,
        timestamps: bool = True,
        writetimeout: float = 0.1,
    ) -> None:
        """Configure the server.

        Args:
            host: address to listen on.
            port: TCP port, 0 for any free one; :attr:`port` tells which it became.
            users: name to secret, or to a :class:`User` with fewer classes.
            switchboard: what it knows; without one, an empty switchboard.
            ssl_context: for TLS.
            timestamps: whether events carry ``Timestamp``, as ``timestampevents = yes`` has it.
            writetimeout: seconds after which a client that does not read is dropped.
        """
        self.users = {name: User(user) if isinstance(user, str) else user for name, user in users.items()}
        self.switchboard = switchboard or Switchboard({}, booted_at=self.now())
        self.writetimeout = writetimeout
        self.sessions: set[Session] = set()
        self.frozen = False
        self._held: list[Event] = []
        self._address = (host, port)
        self._ssl_context = ssl_context
        self._timestamps = timestamps
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        """Listen.

        Raises:
            OSError: the address cannot be listened on.
        """
        loop = asyncio.get_running_loop()
        host, port = self._address
        self._server = await loop.create_server(lambda: Session(self), host, port, ssl=self._ssl_context)
        return self

    async def __aexit__(self, *_exc: object) -> None:
        """Stop listening and close every session."""
        if self._server is not None:
            self._server.close()
            for session in list(self.sessions):
                session.drop()
            await self._server.wait_closed()

    @property
    def port(self) -> int:
        """The TCP port it listens on.

        Raises:
            RuntimeError: the server has not been started.
        """
        if self._server is None:
            raise RuntimeError("the AMI simulator is not started: use it with 'async with'")
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    @staticmethod
    def now() -> float:
        """Unix seconds."""
        return time.time()

    def emit(self, event: Event) -> None:
        """Tell an event, and what follows from it, to every session that wants it."""
        if self.frozen:
            self._held.append(event)
            return
        for told in self.switchboard.tell(event, self.now()):
            message = told.encode(self.now() if self._timestamps else None)
            for session in list(self.sessions):
                session.deliver(told.event_class, message)

    def cut(self) -> None:
        """Close every connection, as a network that fails; the switchboard goes on."""
        for session in list(self.sessions):
            session.drop()

    def freeze(self) -> None:
        """Stop answering, pings included, with every connection left open: a stopped process, a dead link."""
        self.frozen = True
        for session in list(self.sessions):
            session.freeze()

    def thaw(self) -> None:
        """Go on: what was asked and what happened meanwhile is now answered and told."""
        self.frozen = False
        for session in list(self.sessions):
            session.thaw()
        held, self._held = self._held, []
        for event in held:
            self.emit(event)

    def restart(self) -> None:
        """Restart Asterisk: ``Shutdown``, every connection closed, every call forgotten, uptime 0."""
        if self.frozen:
            self.thaw()
        self.emit(Event("Shutdown", (("Shutdown", "Cleanly"), ("Restart", "True"))))
        for session in list(self.sessions):
            session.close()
        self.switchboard.forget(self.now())
