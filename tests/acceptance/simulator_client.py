"""A bare socket to the AMI simulator, and a call to tell it."""

import asyncio
import time
from contextlib import suppress
from typing import ClassVar

from simulators.ami.casting import cast
from simulators.ami.event import Event
from simulators.ami.library import Library
from simulators.ami.server import AmiServer
from simulators.ami.switchboard import Switchboard
from simulators.ami.telling import Caller, Numbers, tell
from simulators.plan import Expected, PlannedAttempt, PlannedCall
from simulators.site import PREFECTURE
from telemon.instants import SECOND, from_seconds
from telemon.records import AttemptResult, EndedBy, Outcome

BANNER = b"Asterisk Call Manager/11.0.0\r\n"
CALLER = "0199001234"
DDI = "0102030405"
MEMBERS = {"op1": "Camille", "op2": "Inès"}
EXTENSIONS = {"etatcivil": "3001"}
_LIBRARY = Library()
_NUMBERS = Numbers()  # one for all: a uniqueid is never used again


def planned(caller, expected, *, service="standard", **more):
    """Plan a call; whatever the service that tells it, it is the standard's number that was dialled."""
    return PlannedCall(name=caller, caller=caller, ddi=DDI, service=service, expected=expected, **more)


def rung(phone, begins, lasts, result, queue="standard"):
    return PlannedAttempt(phone=phone, queue=queue, begins=begins, lasts=lasts, result=result)


# One phone refuses, the other one answers.
ANSWERED = planned(
    CALLER,
    Expected(
        outcome=Outcome.ANSWERED,
        answered_after=6.0,
        answered_by="op1",
        ended_after=13.0,
        ended_by=EndedBy.CALLER,
        attempts=(rung("op2", 0.0, 2.0, AttemptResult.BUSY), rung("op1", 2.0, 4.0, AttemptResult.ANSWERED)),
    ),
)


def switchboard():
    members = {f"PJSIP/{phone}": name for phone, name in MEMBERS.items()}
    return Switchboard({"standard": members}, booted_at=time.time() - 5)


def simulator(**options):
    return AmiServer(**{"users": {"telemon": "secret"}, "switchboard": switchboard(), **options})


def told(call, *, starts_at):
    """Return a call's events, each with its Unix time."""
    caller = Caller(number=call.caller, ddi=call.ddi, arrives_at=from_seconds(starts_at))
    parts = cast(call, PREFECTURE.line(call.service), _LIBRARY)
    events = tell(caller, parts, _NUMBERS, members=MEMBERS, extensions=EXTENSIONS)
    return [(at / SECOND, event) for at, event in events]


def answered_call():
    return [event for _, event in told(ANSWERED, starts_at=time.time())]


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


async def read_list(client, action, complete, *filters):
    start = await client.ask(f"Action: {action}", "ActionID: l-1", *filters)
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
