"""The AMI simulator's answers, events and faults, held against the words of a real Asterisk 22.10.1."""

import asyncio
import ssl

import pytest
import trustme

from simulators.ami.access import User
from simulators.ami.demo import demo_switchboard
from simulators.ami.demo import play as play_demo
from simulators.ami.server import AmiServer
from tests.acceptance.simulator_client import (
    BANNER,
    CALLER,
    END,
    Client,
    answered_call,
    close_clients,
    events_until,
    play,
    read_list,
    simulator,
)


@pytest.fixture(autouse=True)
async def _close_clients():
    yield
    await close_clients()


# Actions


@pytest.mark.parametrize(
    ("request_lines", "answer"),
    [
        (
            ("Action: Nope",),
            [
                ("Response", "Error"),
                (
                    "Message",
                    "Invalid/unknown command: Nope. Use Action: ListCommands to show available commands.",
                ),
            ],
        ),
        (("Action: Events", "EventMask: off"), [("Response", "Success"), ("Events", "Off")]),
        (("Action: Events", "EventMask: call,agent"), [("Response", "Success"), ("Events", "On")]),
        (("Action: Events",), [("Response", "Error"), ("Message", "Invalid event mask")]),
        (
            ("Action: Filter", "Operation: Add", "Filter: Event: Hangup"),
            [("Response", "Success"), ("Message", "Success")],
        ),
        (("Action: Filter",), [("Response", "Error"), ("Message", "Unknown operation")]),
        (
            ("Action: Filter", "Operation: Add", "Filter: ["),
            [
                ("Response", "Error"),
                ("Message", "Filter did not compile.  Check the syntax of the filter given."),
            ],
        ),
        (("Action: Logoff",), [("Response", "Goodbye"), ("Message", "Thanks for all the fish.")]),
    ],
)
async def test_answers_word_for_word(request_lines, answer):
    async with simulator() as server:
        client = await Client.log_in(server, "Events: off")
        assert await client.ask(*request_lines) == answer


async def test_a_ping_has_a_timestamp():
    async with simulator() as server:
        client = await Client.log_in(server, "Events: off")
        answer = dict(await client.ask("action: PING", "actionid: 7"))
        assert (answer["Response"], answer["ActionID"], answer["Ping"]) == ("Success", "7", "Pong")
        assert len(answer["Timestamp"].partition(".")[2]) == 6
        assert float(answer["Timestamp"]) == pytest.approx(server.now(), abs=5)


async def test_a_user_may_do_only_what_is_granted():
    users = {"small": User("secret", read="call", write="system")}
    async with simulator(users=users) as server:
        client = await Client.log_in(server, name="small")
        for action in ("Command", "DeviceStateList", "ParkedCalls"):
            assert await client.ask(f"Action: {action}", "Command: x") == [
                ("Response", "Error"),
                ("Message", "Permission denied"),
            ]
        commands = dict(await client.ask("Action: ListCommands"))
        assert "Command" not in commands
        assert commands["CoreStatus"] == "Show PBX core status variables.  (Priv: system,reporting,all)"
        assert commands["Ping"] == "Keepalive command.  (Priv: <none>)"


async def test_lists_agree_with_the_events_told_so_far():
    async with simulator() as server:
        client = await Client.log_in(server, "Events: off")
        play(server, until="QueueCallerJoin")
        follows, queue_items = await read_list(client, "QueueStatus", "QueueStatusComplete")
        assert follows == "Queue status will follow"
        assert [item["Event"] for item in queue_items] == [
            "QueueParams",
            "QueueMember",
            "QueueMember",
            "QueueEntry",
        ]
        assert (queue_items[0]["Calls"], queue_items[3]["CallerIDNum"]) == ("1", CALLER)
        server.restart()

        client = await Client.log_in(server, "Events: off")
        play(server, until="AgentConnect")
        assert [item["Calls"] for item in (await queue_params(client))] == ["0"]
        assert (await member_states(client)) == {"PJSIP/op1": ("3", "1"), "PJSIP/op2": ("3", "0")}


async def queue_params(client):
    _, items = await read_list(client, "QueueStatus", "QueueStatusComplete")
    return [item for item in items if item["Event"] == "QueueParams"]


async def member_states(client):
    _, items = await read_list(client, "QueueStatus", "QueueStatusComplete")
    members = [item for item in items if item["Event"] == "QueueMember"]
    return {item["Location"]: (item["Status"], item["InCall"]) for item in members}


async def test_lists_during_and_after_a_conversation():
    async with simulator() as server:
        client = await Client.log_in(server, "Events: off")
        talking = [event for event in answered_call() if event.name != "Unhold"]
        end = [event.name for event in talking].index("AgentComplete")
        for event in talking[:end]:
            server.emit(event)
        follows, channels = await read_list(client, "CoreShowChannels", "CoreShowChannelsComplete")
        assert follows == "Channels will follow"
        _, bridges = await read_list(client, "BridgeList", "BridgeListComplete")
        assert {item["BridgeId"] for item in channels} == {bridges[0]["BridgeUniqueid"]}
        assert [item["ChannelStateDesc"] for item in channels] == ["Up", "Up"]
        _, status = await read_list(client, "Status", "StatusComplete")
        assert [item["Channel"] for item in status] == [item["Channel"] for item in channels]
        _, devices = await read_list(client, "DeviceStateList", "DeviceStateListComplete")
        states = {item["Device"]: item["State"] for item in devices}
        assert (states["PJSIP/op1"], states["PJSIP/op2"], states["PJSIP/trunk"]) == (
            "BUSY",
            "NOT_INUSE",
            "INUSE",
        )
        core = dict(await client.ask("Action: CoreStatus"))
        assert (core["CoreCurrentCalls"], core["CoreProcessedCalls"]) == ("1", "1")

        for event in talking[end:]:
            server.emit(event)
        assert (await read_list(client, "CoreShowChannels", "CoreShowChannelsComplete"))[1] == []
        assert (await read_list(client, "BridgeList", "BridgeListComplete"))[1] == []
        assert (await queue_params(client))[0]["Completed"] == "1"


# Events


async def test_every_event_has_privilege_and_timestamp():
    async with simulator() as server:
        client = await Client.log_in(server)
        await client.fully_booted()
        play(server)
        server.emit(END)
        for event in await events_until(client, "Shutdown"):
            assert event["Privilege"] in ("call,all", "agent,all", "dialplan,all", "system,all")
            assert len(event["Timestamp"].partition(".")[2]) == 6


async def test_without_timestampevents_there_is_no_timestamp():
    async with simulator(timestamps=False) as server:
        client = await Client.log_in(server)
        await client.fully_booted()
        play(server)
        server.emit(END)
        assert all("Timestamp" not in event for event in await events_until(client, "Shutdown"))


@pytest.mark.parametrize(
    ("read", "lines", "classes"),
    [
        ("all", (), {"call", "agent", "dialplan", "system"}),
        ("call,agent,system", (), {"call", "agent", "system"}),
        ("all", ("Action: Events", "EventMask: agent,system"), {"agent", "system"}),
        ("call,system", ("Action: Events", "EventMask: on"), {"call", "system"}),
    ],
)
async def test_read_classes_and_event_mask(read, lines, classes):
    async with simulator(users={"telemon": User("secret", read=read)}) as server:
        client = await Client.log_in(server)
        await client.fully_booted()
        if lines:
            await client.ask(*lines)
        play(server)
        server.emit(END)
        heard = await events_until(client, "Shutdown")
        assert {event["Privilege"].removesuffix(",all") for event in heard} == classes


async def test_filters_let_through_only_what_they_name():
    async with simulator() as server:
        client = await Client.log_in(server)
        await client.fully_booted()
        for expression in ("Event: (Hangup|Shutdown|AgentConnect)", "!Channel: PJSIP/op2-"):
            await client.ask("Action: Filter", "Operation: Add", f"Filter: {expression}")
        play(server)
        server.emit(END)
        heard = await events_until(client, "Shutdown")
        # An expression is not anchored: "Event: Hangup" matches HangupRequest too, as it does in Asterisk.
        names = ["AgentConnect", "HangupRequest", "Hangup", "Hangup", "Shutdown"]
        assert [event["Event"] for event in heard] == names


async def test_a_client_that_does_not_read_is_dropped_and_slows_nobody():
    async with simulator(writetimeout=0.05) as server:
        deaf = await Client.log_in(server)
        deaf.writer.transport.pause_reading()
        listening = await Client.log_in(server)
        await listening.fully_booted()
        while len(server.sessions) == 2:
            play(server)
            server.emit(END)
            await events_until(listening, "Shutdown")
        assert dict(await listening.ask("Action: Ping"))["Ping"] == "Pong"


async def test_several_clients_hear_the_same():
    async with simulator() as server:
        clients = [await Client.log_in(server) for _ in range(3)]
        play(server)
        server.emit(END)
        heard = [await events_until(client, "Shutdown") for client in clients]
        assert heard[0] == heard[1] == heard[2]


# Faults


async def test_cut_closes_every_connection_and_keeps_the_calls():
    async with simulator() as server:
        client = await Client.log_in(server, "Events: off")
        play(server, until="QueueCallerJoin")
        server.cut()
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await client.ask("Action: Ping")
        again = await Client.log_in(server, "Events: off")
        assert len((await read_list(again, "CoreShowChannels", "CoreShowChannelsComplete"))[1]) == 1


async def test_a_frozen_server_answers_when_it_thaws():
    async with simulator() as server:
        client = await Client.log_in(server)
        await client.fully_booted()
        server.freeze()
        client.send("Action: Ping", "ActionID: frozen")
        newcomer = Client(*await asyncio.open_connection("127.0.0.1", server.port))
        server.emit(END)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(client.reader.readexactly(1), 0.2)
        server.thaw()
        messages = [dict(await client.message()) for _ in range(2)]
        assert {message.get("ActionID", message.get("Event")) for message in messages} == {"frozen", "Shutdown"}
        assert await newcomer.reader.readline() == BANNER


async def test_restart_says_so_and_forgets_everything():
    async with simulator() as server:
        client = await Client.log_in(server)
        await client.fully_booted()
        play(server, until="QueueCallerJoin")
        server.restart()
        last = (await events_until(client, "Shutdown"))[-1]
        assert (last["Shutdown"], last["Restart"]) == ("Cleanly", "True")
        assert await client.closed()
        again = await Client.log_in(server)
        assert (await again.fully_booted())["Uptime"] == "0"
        assert (await read_list(again, "CoreShowChannels", "CoreShowChannelsComplete"))[1] == []


async def test_the_demo_goes_on_after_a_restart_with_new_callers():
    async with simulator(switchboard=demo_switchboard(AmiServer.now())) as server:
        traffic = asyncio.create_task(play_demo(server, seed=1, speed=100.0))
        for _ in range(2):
            client = await Client.log_in(server)
            await client.fully_booted()
            heard = await events_until(client, "AgentComplete")
            assert {"Newchannel", "QueueCallerJoin", "AgentConnect"} <= {event["Event"] for event in heard}
            server.restart()
            assert server.switchboard.channels == {}
        assert not traffic.done()
        traffic.cancel()
        with pytest.raises(asyncio.CancelledError):
            await traffic


async def test_tls():
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    async with simulator(ssl_context=context) as server:
        client = await Client.connect(server, ssl=trusting, server_hostname="localhost")
        answer = await client.ask("Action: Login", "Username: telemon", "Secret: secret")
        assert answer[0] == ("Response", "Success")
