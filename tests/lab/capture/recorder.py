"""One manager session with ``read=all`` as raw bytes, and the actions of a console beside it."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from simulators.lab.asterisk import Asterisk

_SNAPSHOT = ("CoreStatus", "CoreShowChannels", "BridgeList", "QueueStatus", "DeviceStateList", "ParkedCalls", "Ping")
_LAST = b"Ping: Pong\r\n"
_NAME = re.compile(rb"\r\nChannel: ([^\r]+)\r\n")
_UNIQUEID = re.compile(rb"\r\nUniqueid: ([^\r]+)\r\n")


class Recorder:
    """Record what AMI says; ``data`` holds every byte, link after link."""

    def __init__(self, asterisk: Asterisk, user: str) -> None:
        self._asterisk = asterisk
        self._user = user
        self._ids = itertools.count(1)
        self._reader: asyncio.StreamReader
        self._writer: asyncio.StreamWriter
        self._task: asyncio.Task[None] | None = None
        self._grown = asyncio.Event()
        self._link_start = 0
        self.ended = asyncio.Event()
        self.data = bytearray()

    async def open(self) -> None:
        """Log in, wait for FullyBooted, take a snapshot."""
        while True:
            with contextlib.suppress(OSError):
                self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._asterisk.ami_port)
                break
            await asyncio.sleep(0.05)
        self.ended.clear()
        self._link_start = len(self.data)
        self._task = asyncio.ensure_future(self._read())
        self._act("Login", Username=self._user, Secret=self._asterisk.ami_secret)
        await self.until(b"Event: FullyBooted\r\n", self._link_start)
        await self.snapshot()

    async def snapshot(self) -> None:
        start = len(self.data)
        for action in _SNAPSHOT:
            self._act(action)
        await self.until(_LAST, start)

    async def close(self) -> None:
        self._writer.close()
        if self._task is not None:
            self._task.cancel()
        del self.data[self.data.rindex(b"\r\n\r\n") + 4 :]

    async def until(self, needle: bytes, start: int = 0) -> None:
        while self.data.find(needle, start) < 0:
            self._grown.clear()
            await asyncio.wait_for(self._grown.wait(), 60)

    def channel(self, prefix: str, *, nth: int = -1) -> str:
        """Return the name of a channel that exists; the newest with this prefix by default."""
        gone = {found[1] for block in self._blocks(b"Hangup") if (found := _UNIQUEID.search(block))}
        alive = [
            name[1].decode()
            for block in self._blocks(b"Newchannel")
            if (name := _NAME.search(block)) and (uid := _UNIQUEID.search(block)) and uid[1] not in gone
        ]
        return [name for name in alive if name.startswith(prefix)][nth]

    def _blocks(self, event: bytes) -> list[bytes]:
        start = b"Event: " + event + b"\r\n"
        return [block + b"\r\n" for block in bytes(self.data).split(b"\r\n\r\n") if start in block + b"\r\n"]

    def _act(self, action: str, **headers: str) -> None:
        lines = "".join(f"{key}: {value}\r\n" for key, value in headers.items())
        self._writer.write(f"Action: {action}\r\nActionID: rec-{next(self._ids)}\r\n{lines}\r\n".encode())

    async def _read(self) -> None:
        with contextlib.suppress(OSError):
            while chunk := await self._reader.read(1 << 16):
                self.data += chunk
                self._grown.set()
        self.ended.set()


MANAGERS = """
[general]
enabled = yes
bindaddr = 127.0.0.1
port = @AMI_PORT@
timestampevents = yes
[telemon]
secret = @AMI_SECRET@
read = system,call,agent,dialplan
write = reporting
[console]
secret = @AMI_SECRET@
read =
write = all
"""
"""telemon with no more rights than it needs, and a ``Console``."""


class Console:
    """A second login that acts: redirects, pauses, reloads, restarts."""

    def __init__(self, asterisk: Asterisk, user: str) -> None:
        self._asterisk = asterisk
        self._user = user

    async def act(self, action: str, **headers: str) -> str:
        """Run one action and return the head of its answer."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self._asterisk.ami_port)
        lines = "".join(f"{key}: {value}\r\n" for key, value in headers.items())
        secret = self._asterisk.ami_secret
        writer.write(
            f"Action: Login\r\nUsername: {self._user}\r\nSecret: {secret}\r\n\r\n"
            f"Action: {action}\r\nActionID: it\r\n{lines}\r\n".encode()
        )
        answer = b""
        with contextlib.suppress(asyncio.IncompleteReadError):
            while b"ActionID: it" not in answer:
                answer = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
        writer.close()
        return answer.decode("utf-8", "replace")
