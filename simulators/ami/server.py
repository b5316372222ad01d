"""An AMI server with no Asterisk behind it, over real TCP (or TLS) sockets, with faults on demand."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, Self

from simulators.ami.access import User
from simulators.ami.clock import Clock
from simulators.ami.event import Event
from simulators.ami.session import Session
from simulators.ami.switchboard import CHANGES_NOTHING, Switchboard
from simulators.ami.telling import Numbers

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping

    from simulators.ami.event import Told


# Of the protocol and of Asterisk, as Debian's packages have them.
VERSIONS = {"22": ("11.0.0", "22.10.1"), "16": ("5.0.4", "16.28.0~dfsg-0+deb11u8")}
_QUIET_SECONDS = 0.5


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
        clock: Clock | None = None,
        version: str = "22",
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
            clock: what it takes the time from; the real time by default.
            version: of Asterisk, as its banner and ``CoreSettings`` tell it: 22 or 16.
        """
        self.users = {name: User(user) if isinstance(user, str) else user for name, user in users.items()}
        self.clock = clock or Clock()
        self.version = version
        self.ami_version, self.asterisk_version = VERSIONS[version]
        self.numbers = Numbers()
        self.switchboard = switchboard or Switchboard({}, booted_at=self.now())
        self.writetimeout = writetimeout
        self.bytes_per_second: float | None = None
        self.lost_share = 0.0
        self.keeping_up = asyncio.Event()
        self.keeping_up.set()
        self.sessions: set[Session] = set()
        self.frozen = False
        self.is_up = True
        self._held: list[Told] = []
        self._random = random.Random(0)
        self._address = (host, port)
        self._ssl_context = ssl_context
        self._timestamps = timestamps
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        """Listen; OSError if that cannot be."""
        await self.start()
        return self

    async def __aexit__(self, *_exc: object) -> None:
        """Stop listening and close every session."""
        await self.close()

    async def start(self) -> None:
        """Listen.

        Raises:
            OSError: the address cannot be listened on.
        """
        loop = asyncio.get_running_loop()
        host, port = self._address
        self._server = await loop.create_server(lambda: Session(self), host, port, ssl=self._ssl_context)

    async def close(self) -> None:
        """Stop listening and close every session."""
        if self._server is not None:
            self._server.close()
            for session in list(self.sessions):
                session.drop()
            await self._server.wait_closed()

    async def wait_for_client(self) -> None:
        """Wait until somebody has logged in, and has asked nothing more for a moment."""
        loop = asyncio.get_running_loop()
        while not any(session.user and loop.time() - session.asked_at > _QUIET_SECONDS for session in self.sessions):  # noqa: ASYNC110
            await asyncio.sleep(_QUIET_SECONDS / 5)  # silence has no event

    async def wait_until_read(self) -> None:
        """Wait until every client has taken all that was told."""
        while not all(session.sent for session in self.sessions):  # noqa: ASYNC110 - transports do not tell
            await asyncio.sleep(_QUIET_SECONDS / 5)

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

    def now(self) -> float:
        """The server's own time in Unix seconds."""
        return self.clock.now()

    def emit(self, event: Told, at: float | None = None) -> None:
        """Tell an event, and what follows from it, to every session that wants it.

        Args:
            event: what happened.
            at: its stamp in Unix seconds; now by default.
        """
        stamp = self.now() if at is None else at
        if self.frozen:
            self._held.append(event)
            return
        for told in self.switchboard.tell(event, stamp):
            if not (self.lost_share and self._random.random() < self.lost_share):
                self._broadcast(told, stamp)

    def concerns(self, event: Told) -> bool:
        """Whether the event makes any difference: to what is known here, or to a session that wants it."""
        return event.name not in CHANGES_NOTHING or any(session.wants(event) for session in self.sessions)

    def _broadcast(self, event: Told, stamp: float) -> None:
        message = None
        for session in self.sessions:
            if session.wants(event):
                message = message or event.encode(stamp if self._timestamps else None)
                session.send(message)

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

    def stop(self, *, cleanly: bool = True) -> None:
        """End Asterisk: cleanly it hangs up every channel and says ``Shutdown``; connections are closed and refused."""
        if self.frozen:
            self.thaw()
        if cleanly:
            for event in self.switchboard.hang_up_everything():
                self.emit(event)
            self.emit(Event("Shutdown", (("Shutdown", "Cleanly"), ("Restart", "True"))))
        self.is_up = False
        for session in list(self.sessions):
            session.close() if cleanly else session.drop()

    def boot(self) -> None:
        """Start Asterisk again: every call forgotten, uptime 0."""
        self.is_up = True
        self.switchboard.forget(self.now())

    def restart(self) -> None:
        """End Asterisk cleanly and start it again at once."""
        self.stop()
        self.boot()
