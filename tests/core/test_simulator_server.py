"""The AMI simulator's answers, events and faults, held against the words of a real Asterisk 22.10.1."""

import asyncio
import ssl

import pytest
import trustme

from simulators.ami.access import User
from simulators.ami.clock import Clock
from simulators.ami.switchboard import Switchboard
from simulators.site import PREFECTURE
from telemon.replay import Replay
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
        assert (await member_states(client)) == {"PJSIP/op1": ("3", "1"), "PJSIP/op2": ("1", "0")}


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
        talking = answered_call()
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


async def test_queue_status_of_one_queue_or_one_member():
    """As Asterisk 22 was seen to do it: a queue whatever its case, a member by name or interface as it is written."""
    board = Switchboard.of_site(PREFECTURE, booted_at=0.0)
    async with simulator(switchboard=board) as server:
        client = await Client.log_in(server, "Events: off")
        strategies, everybody = await listed(client)
        assert strategies == {
            **dict.fromkeys(("standard", "titres", "etrangers", "debordement"), "rrmemory"),
            **dict.fromkeys(("permanence", "crise"), "ringall"),
        }
        assert everybody[:2] == ["op1", "op2"]
        assert await listed(client, "Queue: TITRES") == ({"titres": "rrmemory"}, ["tit1", "tit2", "tit3"])
        assert await listed(client, "Queue: titres", "Member: tit2") == ({"titres": "rrmemory"}, ["tit2"])
        assert await listed(client, "Member: PJSIP/duty") == (strategies, ["duty"])
        assert await listed(client, "Queue: titres", "Member: pjsip/tit1") == ({"titres": "rrmemory"}, [])
        assert await listed(client, "Queue: nope") == ({}, [])


async def listed(client, *filters):
    _, items = await read_list(client, "QueueStatus", "QueueStatusComplete", *filters)
    queues = {item["Queue"]: item["Strategy"] for item in items if item["Event"] == "QueueParams"}
    return queues, [item["Name"] for item in items if item["Event"] == "QueueMember"]


async def test_parked_calls_of_a_lot_that_is_none():
    async with simulator() as server:
        client = await Client.log_in(server, "Events: off")
        assert (await read_list(client, "ParkedCalls", "ParkedCallsComplete", "ParkingLot: default"))[1] == []
        answer = await client.ask("Action: ParkedCalls", "ParkingLot: nope")
        assert answer == [("Response", "Error"), ("Message", "Requested parking lot could not be found.")]


# Originate, in the words of a real Asterisk 22


ORIGINATE = "Action: Originate"
PROBE = ("Channel: Local/0102030406@telemon-probe/n", "Context: telemon-probe-speaks", "Exten: s", "Priority: 1")
QUEUED = [("Response", "Success"), ("Message", "Originate successfully queued")]


def failed(message):
    return [("Response", "Error"), ("Message", message)]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ((), "Channel not specified"),
        (("Channel: op1", "Priority: x", "Timeout: y"), "Invalid priority"),
        (("Channel: op1", "Timeout: y"), "Invalid timeout"),
        (("Channel: op1",), "Invalid channel"),
        (("Channel: PJSIP/op1",), "Originate with 'Exten' requires 'Context' and 'Priority'"),
        (("Channel: PJSIP/op1", "Exten: s"), "Originate with 'Exten' requires 'Context' and 'Priority'"),
        ((PROBE[0], "Context: nowhere", "Exten: 99", "Priority: 1", "Async: true"), "Extension does not exist."),
        ((*PROBE[:3], "Priority: 9"), "Extension does not exist."),
        (("Channel: PJSIP/nobody", "Application: Wait"), "Originate failed"),
    ],
)
async def test_originate_says_what_is_wrong(lines, message):
    async with simulator() as server:
        client = await Client.log_in(server, "Events: off")
        assert await client.ask(ORIGINATE, *lines) == failed(message)


async def test_originate_needs_its_class():
    users = {
        "small": User("secret", write="system,call,command,reporting"),
        "caller": User("secret", write="originate"),
    }
    async with simulator(users=users) as server:
        small = await Client.log_in(server, "Events: off", name="small")
        assert await small.ask(ORIGINATE, *PROBE) == failed("Permission denied")
        caller = await Client.log_in(server, "Events: off", name="caller")
        commands = dict(await caller.ask("Action: ListCommands"))
        assert commands["Originate"] == "Originate a call.  (Priv: originate,all)"
        assert await caller.ask(ORIGINATE) == failed("Channel not specified")


async def test_a_channel_that_cannot_be_had_fails_after_its_request_was_queued():
    lines = ("Channel: PJSIP/nobody", "Application: Wait", "Data: 1", "CallerID: Probe <0102030499>", "Async: true")
    async with simulator() as server:
        client = await Client.log_in(server)
        await client.fully_booted()
        assert await client.ask(ORIGINATE, *lines, "ActionID: o-1") == [
            QUEUED[0], ("ActionID", "o-1"), QUEUED[1]
        ]  # fmt: skip
        told = await client.message()
        assert [pair for pair in told if pair[0] != "Timestamp"] == [
            ("Event", "OriginateResponse"),
            ("Privilege", "call,all"),
            ("ActionID", "o-1"),
            ("Response", "Failure"),
            ("Channel", "PJSIP/nobody"),
            ("Application", "Wait"),
            ("Data", "1"),
            ("Reason", "0"),
            ("Uniqueid", "<unknown>"),
            ("CallerIDNum", "0102030499"),
            ("CallerIDName", "Probe"),
        ]


@pytest.mark.parametrize("version", ["22", "16"])
async def test_an_originated_probe_is_a_call_to_the_permanence(version):
    board = Switchboard.of_site(PREFECTURE, booted_at=0.0)
    clock = Clock(speed=50.0)
    async with simulator(switchboard=board, clock=clock, version=version) as server:
        client = Client(*await asyncio.open_connection("127.0.0.1", server.port))
        heard = bytearray(await client.reader.readline())
        client.send("Action: Login", "Username: telemon", "Secret: secret")
        client.send(ORIGINATE, *PROBE, "Async: true", "ActionID: probe")
        while heard.count(b"Event: Hangup\r\n") < 5:
            heard += await asyncio.wait_for(client.reader.readuntil(b"\r\n\r\n"), 5)
        assert board.channels == {}
        assert board.bridges == {}
    assert heard.index(b"Message: Originate successfully queued") < heard.index(b"Event: Newchannel")
    response = heard[heard.index(b"Event: OriginateResponse") :].partition(b"\r\n\r\n")[0].decode().split("\r\n")
    assert response[3:5] == ["ActionID: probe", "Response: Success"]
    assert response[5].startswith("Channel: Local/0102030406@telemon-probe-")
    assert response[5].endswith(";1")
    assert response[6:9] == ["Context: telemon-probe-speaks", "Exten: s", "Reason: 4"]
    session = Replay("site")
    (call,) = [*session.feed(bytes(heard)), *session.finish()]
    assert (call.caller, call.ddi, call.answered_by) == ("0102030499", "0102030406", "PJSIP/duty")


async def test_a_synchronous_originate_is_answered_when_the_call_is():
    async with simulator(clock=Clock(speed=50.0)) as server:
        client = await Client.log_in(server, "Events: off")
        client.send(ORIGINATE, *PROBE)
        client.send("Action: CoreShowChannels")
        first = await client.message()
        assert ("Message", "Channels will follow") in first
        while (message := await client.message()) != QUEUED:
            assert message[0] != ("Response", "Error")
        assert len(server.switchboard.channels) == 5


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
