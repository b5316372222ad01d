"""A bare socket to the AMI simulator, and a call to tell it."""

import asyncio
import itertools
from contextlib import suppress
from typing import ClassVar

from simulators.ami.event import Event
from simulators.ami.plan import Phone, Plan, QueueVisit
from simulators.ami.server import AmiServer
from simulators.ami.story import story
from simulators.ami.switchboard import Switchboard

BANNER = b"Asterisk Call Manager/11.0.0\r\n"
CALLER = "0199001234"
ANSWERED = Plan(
    caller=CALLER,
    ddi="0102030405",
    queues=(
        QueueVisit(
            queue="standard",
            phones=(
                Phone(interface="PJSIP/op1", member_name="Camille", answers_at=6.0),
                Phone(interface="PJSIP/op2", member_name="Inès"),
            ),
        ),
    ),
    talk_seconds=7.0,
)


def switchboard():
    return Switchboard({"standard": {"PJSIP/op1": "Camille", "PJSIP/op2": "Inès"}}, booted_at=AmiServer.now() - 5)


def simulator(**options):
    return AmiServer(**{"users": {"telemon": "secret"}, "switchboard": switchboard(), **options})


def answered_call():
    return [event for _, event in story(ANSWERED, starts_at=AmiServer.now(), serials=itertools.count())]


def play(server, *, until=None):
    """Tell the answered call, up to and including the first event of this name; all of it by default."""
    for event in answered_call():
        server.emit(event)
        if event.name == until:
            return


class Client:
    """A bare socket, read one message at a time."""

    opened: ClassVar[list["Client"]] = []

    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer
        self.opened.append(self)

    @classmethod
    async def connect(cls, server, **options):
        client = cls(*await asyncio.open_connection("127.0.0.1", server.port, **options))
        assert await client.reader.readline() == BANNER
        return client

    @classmethod
    async def log_in(cls, server, *more, name="telemon"):
        client = await cls.connect(server)
        assert (await client.ask("Action: Login", f"Username: {name}", "Secret: secret", *more))[0] == (
            "Response",
            "Success",
        )
        return client

    def send(self, *lines):
        self.writer.write("\r\n".join([*lines, "", ""]).encode())

    async def message(self):
        text = await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), 5)
        return [tuple(line.split(": ", 1)) for line in text.decode().split("\r\n") if line]

    async def ask(self, *lines):
        self.send(*lines)
        return await self.message()

    async def fully_booted(self):
        event = dict(await self.message())
        assert event["Event"] == "FullyBooted"
        return event

    async def closed(self):
        """Whether nothing more comes, now that the server has closed."""
        return await asyncio.wait_for(self.reader.read(), 5) == b""


async def read_list(client, action, complete):
    start = await client.ask(f"Action: {action}", "ActionID: l-1")
    assert start[:3] == [("Response", "Success"), ("ActionID", "l-1"), ("EventList", "start")]
    items: list[dict[str, str]] = []
    while True:
        message = dict(await client.message())
        assert message["ActionID"] == "l-1"
        if message["Event"] == complete:
            assert message["EventList"] == "Complete"
            assert message["ListItems"] == str(len(items))
            return start[3][1], items
        assert "Timestamp" not in message
        items.append(message)


async def events_until(client, name):
    heard: list[dict[str, str]] = []
    while not heard or heard[-1]["Event"] != name:
        heard.append(dict(await client.message()))
    return heard


END = Event("Shutdown", (("Shutdown", "Cleanly"), ("Restart", "False")))


async def close_clients():
    for client in Client.opened:
        client.writer.close()
        with suppress(ConnectionError):
            await client.writer.wait_closed()
    Client.opened.clear()
