"""The other end: answers every action as an idle Asterisk would, then sends the stream."""

from __future__ import annotations

import socket
import threading
import time
from typing import TYPE_CHECKING

from benchmarks.stream import stamped

if TYPE_CHECKING:
    from collections.abc import Sequence

BANNER = b"Asterisk Call Manager/11.0.0\r\n"
END_EVENT = "EndOfStream"
_LISTS = {
    b"CoreShowChannels": b"CoreShowChannelsComplete",
    b"QueueStatus": b"QueueStatusComplete",
    b"BridgeList": b"BridgeListComplete",
    b"DeviceStateList": b"DeviceStateListComplete",
}


class Peer(threading.Thread):
    """Serve one client: once ``trigger`` was asked for, send everything; paced if ``events_per_second`` is given."""

    def __init__(
        self, blocks: Sequence[bytes], trigger: str, repeat: int = 1, events_per_second: float | None = None
    ) -> None:
        super().__init__(daemon=True)
        self._blocks = blocks
        self._trigger = trigger.encode()
        self._repeat = repeat
        self._rate = events_per_second
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]

    def run(self) -> None:
        connection, _ = self._socket.accept()
        self._socket.close()
        with connection, connection.makefile("rb") as asked:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.sendall(BANNER)
            self._answer(connection, asked)
            if self._rate is None:
                self._blast(connection)
            else:
                self._pace(connection, self._rate)
            connection.sendall(f"Event: {END_EVENT}\r\nPrivilege: user,all\r\n\r\n".encode())
            asked.read()  # until the client hangs up

    def _answer(self, connection: socket.socket, asked: object) -> None:
        action, action_id = b"", b""
        for line in asked:  # type: ignore[attr-defined]  # a buffered reader, iterable by lines
            name, _, value = line.strip().partition(b": ")
            if name.lower() == b"action":
                action = value
            elif name.lower() == b"actionid":
                action_id = b"ActionID: " + value + b"\r\n"
            elif not line.strip() and action:
                connection.sendall(self._reply(action, action_id))
                if action.lower() == self._trigger.lower():
                    return
                action, action_id = b"", b""

    @staticmethod
    def _reply(action: bytes, action_id: bytes) -> bytes:
        reply = b"Response: Success\r\n" + action_id + b"Message: Authentication accepted\r\nChallenge: 1\r\n\r\n"
        if action.lower() == b"login":
            reply += b"Event: FullyBooted\r\nPrivilege: system,all\r\nStatus: Fully Booted\r\n\r\n"
        if action in _LISTS:
            reply += b"Event: " + _LISTS[action] + b"\r\n" + action_id + b"EventList: Complete\r\nListItems: 0\r\n\r\n"
        return reply

    def _blast(self, connection: socket.socket) -> None:
        for _ in range(self._repeat):
            for block in self._blocks:
                connection.sendall(block)

    def _pace(self, connection: socket.socket, rate: float) -> None:
        """Send one event after the other at their time, each stamped when it leaves."""
        started, sent = time.monotonic(), 0
        for block in self._blocks:
            for event in block.split(b"\r\n\r\n")[:-1]:
                early = started + sent / rate - time.monotonic()
                if early > 0:
                    time.sleep(early)
                connection.sendall(stamped(event, time.time()) + b"\r\n\r\n")
                sent += 1
