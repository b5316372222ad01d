"""Plans that are played: what is told replays to the truth, holds together at any instant, and fails as asked."""

import asyncio
import time
from collections import Counter, defaultdict
from contextlib import asynccontextmanager
from itertools import pairwise

import pytest

from simulators.ami.clock import Clock
from simulators.ami.faults import parse_fault
from simulators.ami.library import Library
from simulators.ami.player import Player
from simulators.ami.server import AmiServer
from simulators.ami.switchboard import Switchboard
from simulators.plan import Expected, PlannedCall, PlannedPause
from simulators.site import PREFECTURE
from simulators.traffic import load_scenario, stream
from simulators.truth import CallTruth  # noqa: TC001 - a local annotation, for mypy
from telemon.cli.demo import OPENING_SEED
from telemon.errors import TelemonError
from telemon.instants import SECOND
from telemon.records import AttemptResult, EndedBy, Outcome, TransferResult
from telemon.replay import Replay
from tests.acceptance.shell import until
from tests.acceptance.simulator_client import Client, close_clients, planned, rung

STARTS_AT = 1795416378.25
BANNER = b"Asterisk Call Manager/11.0.0\r\n"
SLICE = 64 * 1024
TOLERANCE = SECOND // 10


@pytest.fixture(autouse=True)
async def _close_clients():
    yield
    await close_clients()


class Heard(AmiServer):
    """A server whose events are kept as a client with all rights would read them; ``look`` is called after each."""

    def __init__(self, starts_at=STARTS_AT, look=None, **options):
        board = Switchboard.of_site(PREFECTURE, booted_at=starts_at)
        super().__init__(users={}, switchboard=board, clock=Clock(starts_at, None), **options)
        self.events = []
        self._look = look

    def emit(self, event, at=None):
        super().emit(event, at)
        if self._look is not None:
            self._look(self, self.now() if at is None else at)

    def _broadcast(self, event, stamp):
        self.events.append((event, stamp))

    @property
    def stream(self):
        return BANNER + b"".join(event.encode(stamp) for event, stamp in self.events)


async def play(items, server, *, starts_at=STARTS_AT, faults=()):
    """Play a plan to its end and return the truths."""
    truths: list[CallTruth] = []
    player = Player(server, PREFECTURE, Library(server.version), starts_at=starts_at, on_truth=truths.append)
    await player.play(items, [parse_fault(fault) for fault in faults])
    return truths


async def play_scenario(name, limit, version="22", **options):
    scenario = load_scenario(name)
    server = Heard(scenario.starts_at, version=version, **options)
    return server, await play(stream(scenario, seed=1, limit=limit), server, starts_at=scenario.starts_at)


def replayed(data):
    session, records = Replay("prefecture"), []
    for start in range(0, len(data), SLICE):
        records += session.feed(data[start : start + SLICE])
    records += session.finish()
    assert session.parser.malformed == 0
    assert session.observer.decoder.ambiguous == 0
    return {record.call_id: record for record in records}


def differences(truth, record):
    """Say in what a record is not the truth; closed services are the configuration's business, not the events'."""
    reached = tuple(one.to for one in record.transfers if one.result is TransferResult.ANSWERED)
    same = {
        "service": truth.ddi == record.ddi and truth.caller == record.caller,
        "outcome": truth.outcome in (record.outcome, Outcome.CLOSED),
        "answered_by": truth.answered_by == record.answered_by,
        "machine": truth.machine_answered == (record.machine_answered_at is not None),
        "rung": Counter(truth.rung) == Counter(attempt.operator for attempt in record.attempts),
        "transferred_to": truth.transferred_to == reached,
        "ended_by": truth.ended_by == record.ended_by,
        "arrived": near(truth.arrived_at, record.arrived_at),
        "wait": near(truth.wait_duration, record.wait_duration),
        "ring": near(truth.ring_duration, record.ring_duration),
        "talk": near(truth.talk_duration, record.talk_duration),
    }
    return [name for name, is_same in same.items() if not is_same]


def near(one, other):
    return one is other if one is None or other is None else abs(one - other) <= TOLERANCE


def all_differences(truths, records):
    found = {truth.name: differences(truth, records[truth.call_id]) for truth in truths if truth.call_id in records}
    return {name: names for name, names in found.items() if names}


# What is told, against the truth

PLAYED = [("year", 1500), ("monday-morning", 525), ("crisis", 400), ("understaffed", 300), ("demo", 600)]


@pytest.mark.parametrize("version", ["22", "16"])
@pytest.mark.parametrize(("name", "limit"), PLAYED)
async def test_what_is_told_replays_to_the_truth(name, limit, version):
    server, truths = await play_scenario(name, limit, version)
    records = replayed(server.stream)
    assert len(truths) == limit
    assert records.keys() == {truth.call_id for truth in truths}
    assert all_differences(truths, records) == {}


def test_every_outcome_is_among_them():
    """But for those that no plan comes to."""
    items = (item for name, limit in PLAYED for item in stream(load_scenario(name), seed=1, limit=limit))
    outcomes = {item.expected.outcome for item in items if isinstance(item, PlannedCall) and item.expected}
    assert set(Outcome) - outcomes == {Outcome.UNKNOWN, Outcome.FAILED}


# What must hold for every stream


@pytest.fixture(scope="module")
def morning():
    server, _ = asyncio.run(play_scenario("monday-morning", 525))
    return server


def test_no_name_is_given_twice(morning):
    new = [event for event, _ in morning.events if event.name == "Newchannel"]
    bridges = [event.get("BridgeUniqueid") for event, _ in morning.events if event.name == "BridgeCreate"]
    for names in ([event.get("Uniqueid") for event in new], [event.get("Channel") for event in new], bridges):
        assert len(names) > 500
        assert max(Counter(names).values()) == 1


def test_stamps_never_go_back_and_channels_end_after_they_began(morning):
    stamps = [stamp for _, stamp in morning.events]
    assert stamps == sorted(stamps)
    begun: set[str] = set()
    ended: set[str] = set()
    for event, _ in morning.events:
        uniqueid = event.get("Uniqueid")
        if event.name == "Newchannel":
            begun.add(uniqueid)
        elif uniqueid and event.name != "NewCallerid":  # which Asterisk told of a Local channel that was gone
            assert uniqueid in begun - ended, event.name
        if event.name == "Hangup":
            ended.add(uniqueid)
    assert begun == ended


def test_a_member_of_a_queue_has_one_call_at_a_time(morning):
    """A phone that Dial() rings, or a trunk, may be rung while it is engaged; it refuses."""
    busy = set()
    operators = {
        interface for queue in morning.switchboard.queues.values() for interface in map(interface_of, queue.members)
    }
    for event, _ in morning.events:
        phone = event.get("Channel").rpartition("-")[0]
        if phone in operators and event.name == "Newchannel":
            assert phone not in busy
            busy.add(phone)
        elif phone in operators and event.name == "Hangup":
            busy.remove(phone)


def interface_of(member):
    return member.interface


def test_places_in_queues_are_those_of_the_callers_who_wait(morning):
    waiting: defaultdict[str, list[str]] = defaultdict(list)
    for event, _ in morning.events:
        queue, uniqueid = waiting[event.get("Queue")], event.get("Uniqueid")
        if event.name == "QueueCallerJoin":
            queue.append(uniqueid)
            assert event.get("Position") == event.get("Count") == str(len(queue))
        elif event.name == "QueueCallerAbandon":
            assert event.get("Position") == str(queue.index(uniqueid) + 1)
            assert int(event.get("OriginalPosition")) >= int(event.get("Position"))
        elif event.name == "QueueCallerLeave":
            assert event.get("Position") == str(queue.index(uniqueid) + 1)
            queue.remove(uniqueid)
            assert event.get("Count") == str(len(queue))
    assert max(len(queue) for queue in waiting.values()) == 0


def test_what_asterisk_counts_is_what_passed(morning):
    joined, begun, connected, held = {}, {}, {}, {}
    seen: Counter[str] = Counter()
    for event, stamp in morning.events:
        uniqueid = event.get("Uniqueid")
        match event.name:
            case "QueueCallerJoin":
                joined[uniqueid] = stamp
            case "AgentCalled":
                begun[uniqueid] = stamp
            case "AgentConnect":
                connected[uniqueid], held[uniqueid] = stamp, event.get("HoldTime")
                assert int(event.get("HoldTime")) == pytest.approx(stamp - joined[uniqueid], abs=1)
                assert int(event.get("RingTime")) == pytest.approx(stamp - begun[uniqueid], abs=1)
            case "AgentRingNoAnswer":
                assert int(event.get("RingTime")) == pytest.approx(1000 * (stamp - begun[uniqueid]), abs=1000)
            case "AgentComplete":
                assert int(event.get("TalkTime")) == pytest.approx(stamp - connected[uniqueid], abs=1)
                assert event.get("HoldTime") == held[uniqueid]
            case "QueueCallerAbandon":
                assert int(event.get("HoldTime")) == pytest.approx(stamp - joined[uniqueid], abs=1)
            case _:
                continue
        seen[event.name] += 1
    assert min(seen.values()) > 10
    assert len(seen) == 6


class Book:
    """What a client knows who heard every event, held against the switchboard's own state."""

    def __init__(self):
        self.heard = 0
        self.channels, self.bridges, self.waiting, self.busy = {}, set(), defaultdict(list), {}

    def check(self, server, _now):
        for event, _ in server.events[self.heard :]:
            self.learn(event)
        self.heard = len(server.events)
        board = server.switchboard
        assert {name: channel.bridge for name, channel in board.channels.items()} == self.channels
        assert board.bridges.keys() == self.bridges
        for queue in board.queues.values():
            assert [caller.uniqueid for caller in queue.waiting] == self.waiting[queue.name]

    def learn(self, event):
        uniqueid, bridge = event.get("Uniqueid"), event.get("BridgeUniqueid")
        match event.name:
            case "Newchannel":
                self.channels[uniqueid] = ""
            case "Hangup":
                del self.channels[uniqueid]
            case "BridgeCreate":
                self.bridges.add(bridge)
            case "BridgeDestroy":
                self.bridges.discard(bridge)
            case "BridgeEnter":
                self.channels[uniqueid] = bridge
            case "BridgeLeave":
                self.channels[uniqueid] = ""
            case "QueueCallerJoin":
                self.waiting[event.get("Queue")].append(uniqueid)
            case "QueueCallerLeave":
                self.waiting[event.get("Queue")].remove(uniqueid)


async def test_at_any_instant_the_switchboard_is_what_was_told():
    server, _ = await play_scenario("demo", 150, look=Book().check)
    assert len(server.events) > 5_000


def test_the_demos_first_ten_seconds_show_all_there_is_to_see():
    items = list(stream(load_scenario("demo"), seed=OPENING_SEED, limit=7))
    early = [(item.arrives_at, item.expected) for item in items if isinstance(item, PlannedCall) and item.expected]
    answers = [(at, at + expected.answered_after) for at, expected in early if expected.answered_after]
    assert early[0][0] < 0.5
    assert min(at + expected.ended_after for at, expected in early if expected.outcome is Outcome.ABANDONED) < 8
    assert min(answer for _, answer in answers) < 5
    assert any(at < 1 and answer > 15 for at, answer in answers)  # rings on, until the promise is broken


# Real time, faster, as fast as possible


def two_calls(apart=4.0):
    """Return two calls of ten seconds each: 4 s of ringing, 6 s of talk."""
    return [call_at(0.0, "0199000001", "op1"), call_at(apart, "0199000002", "op2")]


def call_at(arrives_at, caller, phone):
    expected = Expected(
        outcome=Outcome.ANSWERED,
        answered_after=4.0,
        answered_by=phone,
        alerted_after=0.0,
        ended_after=10.0,
        ended_by=EndedBy.CALLER,
        attempts=(rung(phone, 0.0, 4.0, AttemptResult.ANSWERED),),
    )
    return planned(caller, expected, arrives_at=arrives_at)


@pytest.mark.parametrize(("speed", "seconds"), [(10.0, 1.4), (40.0, 0.35)])
async def test_a_plan_takes_its_time_divided_by_the_speed(speed, seconds):
    async with served(speed=speed) as (server, player, truths):
        began = time.monotonic()
        await player.play(two_calls())
        assert time.monotonic() - began == pytest.approx(seconds, abs=0.15)
        assert server.clock.true_now - STARTS_AT == pytest.approx(14, abs=2)
    assert [truth.name for truth in truths] == ["0199000001", "0199000002"]


async def test_at_full_speed_an_hour_takes_no_time():
    async with served(speed=None) as (server, player, _):
        began = time.monotonic()
        await player.play(two_calls(apart=3600.0))
        assert time.monotonic() - began < 0.5
        assert server.now() - STARTS_AT == pytest.approx(3610, abs=1)


async def test_pauses_are_told_to_every_queue_of_the_phone():
    server = Heard()
    await play([PlannedPause(phone="duty", begins=1.0, ends=61.0, reason="break")], server)
    told = [
        (round(stamp - STARTS_AT, 3), event.get("Queue"), event.get("Paused"), event.get("PausedReason"))
        for event, stamp in server.events
        if event.name == "QueueMemberPause"
    ]
    assert told == [(1.0, "permanence", "1", "break"), (61.0, "permanence", "0", "")]


async def test_a_plan_without_expected_course_is_a_mistake():
    with pytest.raises(ValueError, match="call x has no expected course"):
        await play([PlannedCall(name="x", caller="1", ddi="2", service="standard")], Heard())


# Faults, over a real socket


@asynccontextmanager
async def served(*, speed=20.0, **options):
    clock = Clock(STARTS_AT, speed)
    board = Switchboard.of_site(PREFECTURE, booted_at=STARTS_AT)
    truths: list[CallTruth] = []
    async with AmiServer(users={"telemon": "secret"}, switchboard=board, clock=clock, **options) as server:
        player = Player(server, PREFECTURE, Library(), starts_at=STARTS_AT, on_truth=truths.append)
        yield server, player, truths


async def heard_with(*faults, calls=None, speed=20.0):
    """Play two calls with faults to one client; return what it read until the end, and the truths."""
    async with served(speed=speed) as (server, player, truths):
        client = await Client.log_in(server)
        await client.fully_booted()
        heard: list[tuple[float, dict[str, str]]] = []
        reading = asyncio.create_task(read(client, heard))
        await player.play(calls or two_calls(), [parse_fault(fault) for fault in faults])
        await server.wait_until_read()
        await server.close()
        await asyncio.wait_for(reading, 5)
    return heard, truths


async def read(client, heard):
    """Keep each event with the instant at which it came, until the connection ends."""
    try:
        while True:
            heard.append((time.monotonic(), dict(await client.message())))
    except (asyncio.IncompleteReadError, ConnectionError):
        pass


def names(heard):
    return [event["Event"] for _, event in heard]


async def test_without_fault_a_client_hears_everything():
    heard, truths = await heard_with()
    assert names(heard).count("Hangup") == 4
    assert [truth.outcome for truth in truths] == [Outcome.ANSWERED] * 2
    assert [float(event["Timestamp"]) for _, event in heard] == sorted(float(e["Timestamp"]) for _, e in heard)


async def test_cut_closes_the_connection_and_the_calls_go_on():
    heard, truths = await heard_with("cut@5")
    assert names(heard).count("AgentConnect") == 1
    assert names(heard).count("Hangup") == 0
    assert [truth.ended_by for truth in truths] == [EndedBy.CALLER] * 2


async def test_freeze_says_nothing_for_a_while_and_everything_afterwards():
    heard, truths = await heard_with("freeze@5+10")
    assert names(heard).count("Hangup") == 4
    assert len(truths) == 2
    instants = [at for at, _ in heard]
    silence = max(later - earlier for earlier, later in pairwise(instants))
    assert silence == pytest.approx(10 / 20, abs=0.15)


async def test_slow_carries_so_many_bytes_a_second():
    ordinary, _ = await heard_with()
    slow, truths = await heard_with("slow@0+14=20000")
    assert names(slow) == names(ordinary)
    assert len(truths) == 2
    early = [event for at, event in slow if at - slow[0][0] < 0.5]
    size = sum(len(name) + len(value) + 4 for event in early for name, value in event.items())
    assert 0.5 < size / (0.5 * 20_000) < 1.3


async def test_lose_drops_about_that_share_and_the_truth_has_every_call():
    calls = [call_at(20.0 * nth, f"01990000{nth:02d}", "op1") for nth in range(20)]
    ordinary, _ = await heard_with(calls=calls, speed=None)
    lossy, truths = await heard_with("lose@0+1000=0.2", calls=calls, speed=None)
    assert 0.75 < len(lossy) / len(ordinary) < 0.85
    assert len(truths) == 20


async def test_lose_ends_when_it_shall():
    heard, _ = await heard_with("lose@0+3.9=1")
    assert [event["CallerIDNum"] for _, event in heard if event["Event"] == "QueueCallerJoin"] == ["0199000002"]


async def test_restart_says_shutdown_and_cuts_every_call_short():
    heard, truths = await heard_with("restart@5+2")
    assert names(heard)[-1] == "Shutdown"
    assert names(heard).count("Hangup") == 4
    assert {truth.ended_by for truth in truths} == {EndedBy.SWITCHBOARD}
    assert {truth.name: truth.outcome for truth in truths} == {
        "0199000001": Outcome.ANSWERED,
        "0199000002": Outcome.UNANSWERED,
    }
    assert [(truth.ended_at / SECOND) - STARTS_AT for truth in truths] == pytest.approx([5, 5], abs=0.01)


async def test_kill_ends_without_a_word():
    heard, truths = await heard_with("kill@5+2")
    assert not {"Shutdown", "Hangup"} & set(names(heard))
    assert len(truths) == 2


async def test_while_it_is_down_nobody_can_connect_or_call_and_then_it_has_just_booted():
    async with served(speed=20.0) as (server, player, truths):
        calls = [*two_calls(), call_at(7.0, "0199000003", "op3"), call_at(12.0, "0199000004", "op4")]
        playing = asyncio.create_task(player.play(calls, [parse_fault("kill@5+4")]))
        await until(lambda: not server.is_up)
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await reader.readexactly(1)
        writer.close()
        await until(lambda: server.is_up)
        client = await Client.log_in(server)
        assert int((await client.fully_booted())["Uptime"]) <= 1
        await playing
    assert sorted(truth.name for truth in truths) == ["0199000001", "0199000002", "0199000004"]


@pytest.mark.parametrize("seconds", [3600, -3600])
async def test_step_moves_the_stamps_and_nothing_else(seconds):
    ordinary, _ = await heard_with()
    stepped, truths = await heard_with(f"step@5={seconds}")
    assert names(stepped) == names(ordinary)
    stamps = [float(event["Timestamp"]) for _, event in stepped]
    jumps = [later - earlier for earlier, later in pairwise(stamps)]
    assert max(jumps, key=abs) == pytest.approx(seconds, abs=5)
    assert [truth.ended_at / SECOND - STARTS_AT for truth in truths] == [10, 14]


async def test_a_client_that_does_not_read_is_dropped_after_writetimeout():
    async with served(speed=20.0, writetimeout=0.05) as (server, player, truths):
        deaf = await Client.log_in(server)
        deaf.writer.transport.pause_reading()
        calls = [call_at(0.002 * nth, f"0199{nth:06d}", "op1") for nth in range(400)]
        await player.play(calls)
        assert server.sessions == set()
        assert len(truths) == 400


async def test_at_full_speed_a_client_that_does_not_read_is_waited_for():
    async with served(speed=None, writetimeout=30.0) as (server, player, truths):
        slow = await Client.log_in(server)
        slow.writer.transport.pause_reading()
        calls = [call_at(20.0 * nth, f"0199{nth:06d}", "op1") for nth in range(1500)]
        playing = asyncio.create_task(player.play(calls))
        while server.keeping_up.is_set():
            assert not playing.done()
            await asyncio.sleep(0)
        told = player.over
        await asyncio.sleep(0.1)  # nothing happens, and nothing tells so
        assert player.over - told < 5
        slow.writer.transport.resume_reading()
        hangups = 0
        while hangups < 3000:
            hangups += (await slow.reader.readuntil(b"\r\n\r\n")).startswith(b"Event: Hangup\r\n")
        await asyncio.wait_for(playing, 5)
    assert len(truths) == 1500


@pytest.mark.parametrize(
    "text", ["", "cut", "cut@", "boom@5", "cut@5+3", "freeze@5=3", "step@5+3", "cut@5=1", "lose@-5", "lose@5+3=x"]
)
def test_a_fault_that_is_none_is_said(text):
    with pytest.raises(TelemonError, match="fault"):
        parse_fault(text)
