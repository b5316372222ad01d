"""The phone line's server against whatever may connect to it; a real Asterisk is in tests/acceptance/test_agi.py."""

import asyncio
import time
from contextlib import asynccontextmanager, suppress

import pytest

from telemon.agi import server as agi
from telemon.agi.server import AgiServer, phone_of
from telemon.config_duty import AgiConfig
from telemon.errors import ConfigError, LedgerError
from tests.core.duty_kit import Desk

GREETING = b"agi_network: yes\nagi_network_script: %s\nagi_channel: PJSIP/op1-0000000a\n\n"


@asynccontextmanager
async def serving(desk=None, **settings):
    desk = desk or Desk()
    async with AgiServer(AgiConfig(**settings), desk) as server:
        yield server, desk


@asynccontextmanager
async def connected(server):
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    try:
        yield reader, writer
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


async def talk(server, action, answers=(), *, otherwise=b"200 result=0 endpos=800\n"):
    """Speak as Asterisk does, giving these answers by command; return the commands."""
    given = {command: list(values) for command, values in dict(answers).items()}
    commands = []
    greeted = False
    async with connected(server) as (reader, writer):
        writer.write(GREETING % action.encode())
        while command := (await reader.readline()).decode().strip():
            if not greeted:
                assert command == "SET VARIABLE TELEMON_ANSWERED yes"
                greeted = True
                writer.write(b"200 result=1\n")
                continue
            commands.append(command)
            left = given.get(" ".join(command.split()[:2]))
            writer.write(left.pop(0) if left else otherwise)
    return commands


async def gone(reader, patience=10):
    async with asyncio.timeout(patience):
        with suppress(OSError):
            while await reader.read(4096):
                pass


async def test_a_sign_in():
    async with serving() as (server, desk):
        commands = await talk(server, "sign-in", {"GET DATA": [b"200 result=4101\n", b"200 result=271828\n"]})
    assert commands == [
        "GET DATA telemon/ask-number 6000 10",
        "GET DATA telemon/ask-pin 6000 12",
        'STREAM FILE telemon/signed-in ""',
        'STREAM FILE telemon/name-cdurand ""',
        'STREAM FILE telemon/goodbye ""',
    ]
    assert desk.done == [("sign_in", "cdurand", "PJSIP/op1")]


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"\n",
        b"\x00\xff\xfe" * 100 + b"\n\n",
        b"agi_network_script: ../../etc/passwd\n\n",
        b"agi_network_script: sign-in\r\nagi_network_script: nothing\n\n",
        b"a" * 100_000,
        b"agi_x: y\n" * 100_000,
        GREETING % b"sign-in" + b"HANGUP\n",
        GREETING % b"sign-in" + b"200 result=-1\n511 Command Not Permitted on a dead channel\n",
        GREETING % b"sign-in" + b"520-Invalid command syntax.  Proper usage follows:\n" * 3,
        GREETING % b"sign-in" + b"510 Invalid or unknown command\n" * 20,
        GREETING % b"sign-in" + b"200 result=" + b"9" * 5000 + b"\n",
        GREETING % b"sign-in" + b"what?\n" * 20,
        GREETING % b"sign-in" + b"\n" * 20,
        GREETING % b"who" + b"200 result=0 endpos=\xff\n" * 20,
        GREETING % b"who" + b"200 result=((((((((((((((((((\n" * 20,
    ],
)
async def test_whatever_is_said_ends_that_call_alone(said, caplog):
    async with serving(workers=1) as (server, desk):
        async with connected(server) as (reader, writer):
            writer.write(said)
            writer.write_eof()
            await gone(reader)
        assert (await talk(server, "who"))[0] == 'STREAM FILE telemon/on-duty ""'
    assert desk.done == []
    assert "by a fault of telemon's" not in caplog.text


async def test_who_says_nothing_is_let_go(monkeypatch):
    monkeypatch.setattr(agi, "GREETING_SECONDS", 0.2)
    async with serving(workers=1) as (server, _), connected(server) as (reader, _):
        await gone(reader, 5)
        assert await talk(server, "who")


async def test_who_never_comes_to_an_end_is_let_go(monkeypatch):
    monkeypatch.setattr(agi, "CALL_SECONDS", 0.5)
    async with serving(workers=1) as (server, _):
        async with asyncio.timeout(5):
            with suppress(OSError):
                await talk(server, "sign-in", otherwise=b"200 result=4101\n")
        assert await talk(server, "who")


async def test_many_at_once_are_refused_politely_and_never_hold_up_the_event_loop():
    longest = 0.0

    async def watch():
        nonlocal longest
        while True:
            before = time.monotonic()
            await asyncio.sleep(0.01)
            longest = max(longest, time.monotonic() - before - 0.01)

    async with serving(workers=2) as (server, _), asyncio.TaskGroup() as group:
        watching = group.create_task(watch())
        async with connected(server) as (one, _), connected(server) as (two, _):
            await asyncio.sleep(0)
            told = await asyncio.gather(*(talk(server, "sign-in") for _ in range(10)))
            assert told == [['STREAM FILE telemon/busy ""']] * 10
            assert not one.at_eof()
            assert not two.at_eof()
        watching.cancel()
    assert longest < 0.5


async def test_a_refusal_falls_back_on_asterisks_own_sound():
    async with serving(workers=1) as (server, _), connected(server):
        missing = {"STREAM FILE": [b"200 result=-1 endpos=0\n"]}
        commands = await talk(server, "who", missing)
    assert commands == ['STREAM FILE telemon/busy ""', 'STREAM FILE all-circuits-busy-now ""']


async def test_stopping_ends_every_call_at_once():
    async with (
        serving(workers=4) as (server, _),
        connected(server) as (silent, _),
        connected(server) as (asked, writer),
    ):
        writer.write(GREETING % b"sign-in")
        assert await asked.readline()
        start = time.monotonic()
        await server.stop()
        await gone(silent, 3)
        await gone(asked, 3)
        assert time.monotonic() - start < 3


async def test_what_the_desk_cannot_do_is_said():
    async with serving(Desk(LedgerError("the disk is full"))) as (server, _):
        assert await talk(server, "who") == [f'STREAM FILE telemon/{name} ""' for name in ("failed", "goodbye")]


async def test_a_port_that_is_taken_is_named():
    async with serving() as (server, _):
        with pytest.raises(ConfigError, match=rf"127\.0\.0\.1:{server.port} .*\[agi\]"):
            await AgiServer(AgiConfig(port=server.port), Desk()).start()


@pytest.mark.parametrize(
    ("channel", "phone"),
    [
        ("PJSIP/duty-0000002a", "PJSIP/duty"),
        ("PJSIP/poste-201-0000002a", "PJSIP/poste-201"),
        ("SIP/201-0000002a", "SIP/201"),
        ("DAHDI/1-1", "DAHDI/1-1"),
        ("Local/0612345678@from-internal-0000002a;2", "Local"),
        ("", ""),
        ("PJSIP/a\r\nb-0000002a", ""),
        ("PJSIP/" + "a" * 200, ""),
    ],
)
def test_the_phone_of_a_channel(channel, phone):
    assert phone_of(channel) == phone
