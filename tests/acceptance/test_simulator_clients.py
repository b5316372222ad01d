"""The AMI simulator as its clients see it: two foreign libraries, and a bare socket that logs in."""

import asyncio
import hashlib
import queue
import signal
import sys

import panoramisk
import pytest
from asterisk.manager import Manager as PystManager
from asterisk.manager import ManagerAuthException

from tests.acceptance.simulator_client import (
    BANNER,
    CALLER,
    Client,
    close_clients,
    play,
    read_list,
    simulator,
)

# pyst2 0.5.1 still calls these names of threading, deprecated since Python 3.10.
pytestmark = [
    pytest.mark.filterwarnings(rf"ignore:{name}\(\) is deprecated:DeprecationWarning")
    for name in ("isSet", "setDaemon", "currentThread")
]


@pytest.fixture(autouse=True)
async def _close_clients():
    yield
    await close_clients()


# Foreign clients


def listen_with_pyst2(port, logged_in, arrived):
    manager = PystManager()
    manager.connect("127.0.0.1", port)
    try:
        manager.login("telemon", "secret")
        manager.register_event("*", lambda event, _manager: arrived.put((event.name, event.message.headers)))
        answers = manager.ping(), manager.send_action({"Action": "QueueStatus"})
        logged_in.set()
        names: list[str] = []
        while names.count("Hangup") < 3:
            name, headers = arrived.get(timeout=10)
            names.append(name)
            if name == "Newchannel" and headers["Exten"] == "0102030405":
                assert headers["CallerIDNum"] == CALLER
        return names, answers
    finally:
        manager.close()


def first_and_last(names):
    """Of the call itself, without what follows from it."""
    consequences = ("FullyBooted", "DeviceStateChange", "QueueMemberStatus")
    live = [name for name in names if name not in consequences]
    return live[0], live[-1]


async def test_pyst2_logs_in_asks_and_hears_a_call():
    async with simulator() as server:
        logged_in = asyncio.Event()
        loop = asyncio.get_running_loop()

        class Signal:
            @staticmethod
            def set():
                loop.call_soon_threadsafe(logged_in.set)

        listening = asyncio.create_task(asyncio.to_thread(listen_with_pyst2, server.port, Signal, queue.Queue()))
        await asyncio.wait_for(logged_in.wait(), 10)
        play(server)
        names, (pong, status) = await asyncio.wait_for(listening, 15)
    assert first_and_last(names) == ("Newchannel", "Hangup")
    assert {"QueueCallerJoin", "AgentConnect", "BridgeEnter", "AgentComplete", "QueueMemberStatus"} <= set(names)
    assert pong.get_header("Ping") == "Pong"
    assert status.get_header("EventList") == "start"
    assert "QueueStatusComplete" in str(status.data) + str(status.headers)


async def test_pyst2_is_told_of_a_wrong_secret():
    def log_in(port):
        manager = PystManager()
        manager.connect("127.0.0.1", port)
        try:
            manager.login("telemon", "wrong")
        finally:
            manager._running.clear()  # its own close() would wait for a log-off that never comes

    async with simulator() as server:
        with pytest.raises(ManagerAuthException, match="Authentication failed"):
            await asyncio.wait_for(asyncio.to_thread(log_in, server.port), 10)


async def test_panoramisk_logs_in_asks_and_hears_a_call():
    heard, complete = [], asyncio.Event()

    def hear(_manager, event):
        heard.append(event)
        if [one.event for one in heard].count("Hangup") == 3:
            complete.set()

    async with simulator() as server:
        manager = panoramisk.Manager(
            loop=asyncio.get_running_loop(),
            host="127.0.0.1",
            port=server.port,
            username="telemon",
            secret="secret",
            reconnect_timeout=60,
        )
        manager.register_event("*", hear)
        await manager.connect()
        members = await asyncio.wait_for(manager.send_action({"Action": "QueueStatus"}), 5)
        play(server)
        await asyncio.wait_for(complete.wait(), 5)
        manager.close()
    assert first_and_last([event.event for event in heard]) == ("Newchannel", "Hangup")
    assert next(event for event in heard if event.event == "Newchannel").CallerIDNum == CALLER
    assert [member.Name for member in members if member.event == "QueueMember"] == ["Camille", "Inès"]


# Logging in, word for word


async def test_a_wrong_secret_ends_the_connection():
    async with simulator() as server:
        client = await Client.connect(server)
        answer = await client.ask("Action: Login", "Username: telemon", "Secret: wrong", "ActionID: 1")
        assert answer == [("Response", "Error"), ("ActionID", "1"), ("Message", "Authentication failed")]
        assert await client.closed()


@pytest.mark.parametrize(
    ("request_lines", "message"),
    [
        (("Action: Ping",), "Permission denied"),
        (("Action: Nonsense",), "Permission denied"),
        (("Foo: bar",), "Missing action in request"),
        (("Action: Challenge",), "Must specify AuthType"),
    ],
)
async def test_before_login_only_the_login_is_allowed(request_lines, message):
    async with simulator() as server:
        client = await Client.connect(server)
        answer = await client.ask(*request_lines, "ActionID: a-1")
        assert answer == [("Response", "Error"), ("ActionID", "a-1"), ("Message", message)]


@pytest.mark.parametrize(("secret", "accepted"), [("secret", True), ("wrong", False)])
async def test_md5_challenge(secret, accepted):
    async with simulator() as server:
        client = await Client.connect(server)
        challenge = dict(await client.ask("Action: Challenge", "AuthType: MD5"))["Challenge"]
        key = hashlib.md5((challenge + secret).encode()).hexdigest()
        answer = await client.ask("Action: Login", "AuthType: MD5", "Username: telemon", f"Key: {key}")
        assert answer[0] == ("Response", "Success" if accepted else "Error")


async def test_an_md5_login_without_challenge_fails():
    async with simulator() as server:
        client = await Client.connect(server)
        key = hashlib.md5(b"secret").hexdigest()
        answer = await client.ask("Action: Login", "AuthType: MD5", "Username: telemon", f"Key: {key}")
        assert answer[-1] == ("Message", "Authentication failed")


async def test_fully_booted_follows_the_login():
    async with simulator() as server:
        client = await Client.log_in(server)
        event = await client.fully_booted()
        assert event == {
            "Event": "FullyBooted",
            "Privilege": "system,all",
            "Uptime": "5",
            "LastReload": "5",
            "Status": "Fully Booted",
        }


# The command


async def test_the_command_serves_traffic_until_ctrl_c():
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        "from simulators.cli import main; main()",
        "ami",
        "--port=0",
        "--speed=5",
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    first = (await asyncio.wait_for(process.stdout.readline(), 20)).decode()
    port = int(first.partition("127.0.0.1:")[2].partition(",")[0])
    client = Client(*await asyncio.open_connection("127.0.0.1", port))
    assert await client.reader.readline() == BANNER
    client.send("Action: Login", "Username: telemon", "Secret: secret")
    await asyncio.wait_for(events_until_named(client, "AgentConnect"), 30)
    process.send_signal(signal.SIGINT)
    output, errors = await asyncio.wait_for(process.communicate(), 10)
    assert (process.returncode, errors) == (0, b"")
    assert output.decode().strip().endswith("told.")


async def events_until_named(client, name):
    while dict(await client.message()).get("Event") != name:
        pass


async def test_a_list_begins_with_a_response_and_ends_with_a_count():
    async with simulator() as server:
        client = await Client.log_in(server, "Events: off")
        play(server, until="Newchannel")
        message, items = await read_list(client, "CoreShowChannels", "CoreShowChannelsComplete")
        assert message == "Channels will follow"
        assert [(item["Event"], item["CallerIDNum"]) for item in items] == [("CoreShowChannel", CALLER)]
