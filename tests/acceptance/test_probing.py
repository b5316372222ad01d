"""Test calls and their schedule without an Asterisk: what leaves, and what becomes of each trouble."""

import asyncio
import random
import time
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

import pytest

from simulators.ami.access import User
from simulators.ami.clock import Clock
from simulators.ami.server import AmiServer
from simulators.ami.switchboard import Switchboard
from simulators.site import PREFECTURE
from telemon.ami.entrance import Peer
from telemon.ami.link import wall_clock
from telemon.ami.originating import ACTIONS, Order, _Ordering, originate
from telemon.ami.wire import Parser
from telemon.config import load
from telemon.duty_records import Probe, ProbeResult
from telemon.errors import (
    AmiConnectionError,
    AmiInjectionError,
    AmiLoginError,
    AmiPermissionError,
    LedgerError,
    ProbeError,
)
from telemon.instants import SECOND
from telemon.probes.once import Stage, probe_once
from telemon.probes.prober import Prober, ProbeSchedule, Target, originators_of, targets_of
from telemon.probes.pursuit import Answer, Timetable
from tests.acceptance.shell import SECRET, until

NUMBER = "0102030406"
ORDER = Order(order_id="probe-1", number=NUMBER, leaves_by="telemon-probe", speaks="telemon-probe-speaks", seconds=10)
USERS = {"telemon": SECRET, "telemon-originate": User(SECRET, read="call", write="originate")}


def simulator(**options):
    board = Switchboard.of_site(PREFECTURE, booted_at=time.time() - 5)
    return AmiServer(**{"users": USERS, "switchboard": board, **options})


def peer(port, **more):
    return Peer(
        **{"name": "pbx", "host": "127.0.0.1", "port": port, "user": "telemon-originate", "secret": SECRET, **more}
    )


# -- one order


@asynccontextmanager
async def tapped(port):
    """Stand between a client and the server; yield the port, and what the client has sent."""
    sent = bytearray()
    joined: list[asyncio.Task[None] | None] = []

    async def pipe(reader, writer, kept=None):
        with suppress(ConnectionError):
            while data := await reader.read(4096):
                if kept is not None:
                    kept += data
                writer.write(data)
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    async def join(reader, writer):
        joined.append(asyncio.current_task())
        there, back = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(pipe(reader, back, sent), pipe(there, writer))

    server = await asyncio.start_server(join, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1], sent
        await asyncio.gather(*filter(None, joined))


async def test_only_the_order_leaves_the_second_login():
    async with simulator(clock=Clock(speed=50)) as server, tapped(server.port) as (port, sent):
        assert await originate(peer(port), ORDER) == (Answer.REACHED, "")
    actions = [block for block in sent.decode().split("\r\n\r\n") if block]
    assert [block.split("\r\n")[0] for block in actions] == [
        "Action: Challenge", "Action: Login", "Action: Originate", "Action: Logoff"
    ]  # fmt: skip
    assert SECRET not in sent.decode()
    assert actions[2].split("\r\n")[1:] == [
        "ActionID: probe-1",
        "Channel: Local/0102030406@telemon-probe/n",
        "Context: telemon-probe-speaks",
        "Exten: s",
        "Priority: 1",
        "Timeout: 10000",
        "Async: true",
    ]


async def test_nothing_else_can_leave_it():
    async with simulator() as server:
        loop = asyncio.get_running_loop()
        _, session = await loop.create_connection(lambda: _Ordering(Parser(), lambda _: None), "127.0.0.1", server.port)
        for action in ("Command", "Redirect", "Hangup", "Ping", "CoreShowChannels", "Filter", "originate"):
            assert action not in ACTIONS
            with pytest.raises(AmiPermissionError, match=action):
                session.send(action, (), "1")
        await session.close()


@pytest.mark.parametrize(
    "number",
    ["", "0102\r\nAction: Reload", "0102@other", "0102&PJSIP/x", "0102/n", "01,99", "++33", "*281", "a", "1" * 33],
)
def test_what_is_not_one_number_is_never_ordered(number):
    with pytest.raises(ProbeError, match="is no number to call"):
        Order(order_id="1", number=number, leaves_by="a", speaks="b", seconds=10)
    with pytest.raises(ProbeError, match="is no number to call"):
        Target(site="site", service="permanence", pbx="pbx", number=number)


async def test_a_header_that_forges_another_never_leaves():
    forged = Order(
        order_id="1",
        number=NUMBER,
        leaves_by="a",
        speaks="b",
        seconds=10,
        variables=(("X", "1\r\nApplication: System"),),
    )
    async with simulator() as server, tapped(server.port) as (port, sent):
        with pytest.raises(AmiInjectionError, match="Variable"):
            await originate(peer(port), forged)
    assert b"Originate" not in sent
    assert b"System" not in sent


async def test_a_call_that_nobody_takes_has_failed():
    order = Order(order_id="1", number="0999", leaves_by="telemon-probe", speaks="telemon-probe-speaks", seconds=10)
    async with simulator() as server:
        assert await originate(peer(server.port), order) == (Answer.FAILED, "FAILURE")


async def test_what_asterisk_objects_to_is_told_in_its_words():
    elsewhere = Order(order_id="1", number=NUMBER, leaves_by="telemon-probe", speaks="nowhere", seconds=10)
    async with simulator() as server:
        assert await originate(peer(server.port), elsewhere) == (Answer.REFUSED, "Extension does not exist.")
    small = {"telemon-originate": User(SECRET, read="call", write="reporting")}
    async with simulator(users=small) as server:
        assert await originate(peer(server.port), ORDER) == (Answer.REFUSED, "Permission denied")


async def test_who_does_not_get_in_is_told_why():
    async with simulator() as server:
        with pytest.raises(AmiLoginError, match="telemon-originate"):
            await originate(peer(server.port, secret="wrong"), ORDER)
        port = server.port
    with pytest.raises(AmiConnectionError, match=str(port)):
        await originate(peer(port), ORDER)


async def test_a_host_that_says_nothing_is_given_up():
    left = asyncio.Event()

    async def say_nothing(reader, writer):
        with suppress(ConnectionError):
            await reader.read()
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
        left.set()

    silent = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    async with silent:
        port = silent.sockets[0].getsockname()[1]
        with pytest.raises(AmiConnectionError, match=str(port)):
            await originate(peer(port, connect_seconds=0.1), ORDER)
        await left.wait()


async def test_an_order_whose_connection_fell_is_not_known_to_have_failed():
    async with simulator() as server:
        ordering = asyncio.create_task(originate(peer(server.port), ORDER))
        await until(lambda: server.switchboard.channels)
        server.cut()
        assert await ordering == (Answer.UNHEARD, "")


# -- one test call, by itself


def config_of(folder, port):
    (folder / "secret").write_text(SECRET + "\n")
    path = folder / "telemon.toml"
    path.write_text(
        f"""
site = "pref"
probe_callers = ["0102030499"]
[[pbx]]
port = {port}
secret = "{SECRET}"
originate_secret_file = "{folder}/secret"
[[service]]
name = "permanence"
kind = "permanence"
ddis = ["_01020304XX", "{NUMBER}"]
queues = ["permanence"]
"""
    )
    return load(path)


def test_what_is_to_be_called_follows_from_the_configuration(tmp_path):
    config = config_of(tmp_path, 5038)
    assert targets_of(config) == [Target(site="pref", service="permanence", pbx="pbx", number=NUMBER)]
    (second,) = originators_of(config).values()
    assert (second.user, second.secret, second.port) == ("telemon-originate", SECRET, 5038)


async def test_a_test_call_is_followed_to_its_end(tmp_path):
    told: list[Probe] = []
    stages: list[Stage] = []
    async with simulator() as server:
        config = config_of(tmp_path, server.port)
        done = await probe_once(config, targets_of(config)[0], seconds=10, tell=told.append, watch=stages.append)
    assert (done.result, done.answered_by) == (ProbeResult.ANSWERED, "PJSIP/duty")
    assert told == [Probe(**{name: getattr(done, name) for name in _ORDERED}), done]
    assert [stage.answered_by for stage in stages][-1] == "PJSIP/duty"


_ORDERED = ("probe_id", "site", "service", "pbx", "number", "ordered_by", "ordered_at")


async def test_a_gap_while_it_rings_leaves_it_unknown_at_once(tmp_path):
    told: list[Probe] = []
    async with simulator() as server:
        config = config_of(tmp_path, server.port)
        probing = asyncio.create_task(
            probe_once(config, targets_of(config)[0], seconds=10, tell=told.append, watch=lambda _: None)
        )
        await until(lambda: server.switchboard.channels)
        server.cut()
        done = await asyncio.wait_for(probing, 5)
    assert (done.result, done.reason, done.delay) == (ProbeResult.UNKNOWN, "gap", None)
    assert told[-1] == done


async def test_who_is_interrupted_says_so(tmp_path):
    told: list[Probe] = []
    async with simulator() as server:
        config = config_of(tmp_path, server.port)
        probing = asyncio.create_task(
            probe_once(config, targets_of(config)[0], seconds=10, tell=told.append, watch=lambda _: None)
        )
        await until(lambda: server.switchboard.channels)
        probing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await probing
    assert [(probe.result, probe.reason) for probe in told] == [(None, ""), (ProbeResult.UNKNOWN, "stopped")]


async def test_without_ears_no_test_call_is_placed(tmp_path):
    told: list[Probe] = []
    deaf = {**USERS, "telemon": "another secret"}
    async with simulator(users=deaf) as server:
        config = config_of(tmp_path, server.port)
        with pytest.raises(AmiLoginError):
            await probe_once(config, targets_of(config)[0], seconds=10, tell=told.append, watch=lambda _: None)
        assert not server.switchboard.channels
    assert told == []


# -- the schedule


@dataclass(frozen=True)
class Soon(Timetable):
    """The first ``left`` tests are due at once; how often one was drawn and postponed is kept."""

    left: int = 1
    due_in: int = SECOND // 50
    drawn: list[int | None] = field(default_factory=list)
    postponed: list[int] = field(default_factory=list)

    def draw(self, now, previous, rng):
        self.drawn.append(previous)
        if len(self.drawn) > self.left:
            return super().draw(now + 3600 * SECOND, now, rng)
        return now + self.due_in

    def postpone(self, now, previous, rng):
        assert super().postpone(now, previous, rng) > now
        self.postponed.append(now)
        return now + SECOND // 50


def soon(**more):
    return Soon(1, ZoneInfo("Europe/Paris"), **more)


NIGHT = Target(site="pref", service="night", pbx="pbx", number="0100")
DAY = Target(site="pref", service="day", pbx="pbx", number="0101")


class Bench:
    """A prober whose orders are refused, or wait until released; what it told."""

    def __init__(self):
        self.told: list[Probe] = []
        self.release = asyncio.Event()
        self.release.set()
        self.ordered: list[str] = []
        self.prober = Prober(self._order, self.told.append, now=lambda _: wall_clock(), seconds=10)

    async def _order(self, probe):
        self.ordered.append(probe.service)
        await self.release.wait()
        return Answer.REFUSED, "a bench"

    @property
    def done(self):
        return [probe for probe in self.told if probe.result is not None]


@asynccontextmanager
async def scheduled(bench, timetable, *targets, hindered=lambda _: False, latest=None, **more):
    schedule = ProbeSchedule(
        bench.prober, targets, timetable, latest=latest or {}, hindered=hindered, rng=random.Random(1), **more
    )
    schedule.start()
    try:
        yield schedule
    finally:
        await schedule.stop()


async def test_what_is_due_is_placed_and_told_and_the_next_is_drawn():
    timetable = soon()
    bench = Bench()
    async with scheduled(bench, timetable, NIGHT, latest={("pref", "night"): 1, ("pref", "day"): 2}):
        await until(lambda: bench.done)
    ordered, done = bench.told
    assert (ordered.result, ordered.ordered_by, ordered.number) == (None, "schedule", "0100")
    assert (done.result, done.reason) == (ProbeResult.FAILED, "refused: a bench")
    assert timetable.drawn[0] == 1
    assert len(timetable.drawn) == 2
    assert timetable.drawn[1] == pytest.approx(ordered.ordered_at, abs=SECOND // 2)


async def test_in_a_crisis_it_is_postponed_not_dropped():
    timetable = soon()
    bench, asked = Bench(), []

    def hindered(target):
        asked.append(target)
        if len(asked) == 2:
            raise LedgerError("locked")
        return len(asked) < 4

    async with scheduled(bench, timetable, NIGHT, hindered=hindered):
        await until(lambda: bench.done)
    assert asked == [NIGHT] * 4
    assert len(timetable.postponed) == 3
    assert len(bench.done) == 1


async def test_at_most_one_rings_on_a_pbx():
    timetable = soon(left=2)
    bench = Bench()
    bench.release.clear()
    async with scheduled(bench, timetable, NIGHT, DAY):
        await until(lambda: len(timetable.postponed) >= 2)
        assert len(bench.ordered) == 1
        with pytest.raises(ProbeError, match="under way"):
            await bench.prober.probe(NIGHT, "command")
        bench.release.set()
        await until(lambda: len(bench.done) == 2)
    assert sorted(bench.ordered) == ["day", "night"]


async def test_a_machine_that_slept_draws_anew_instead_of_calling_late():
    timetable = soon(due_in=-3600 * SECOND)
    bench = Bench()
    async with scheduled(bench, timetable, NIGHT):
        await until(lambda: len(timetable.drawn) == 2)
    assert bench.told == []
    assert timetable.drawn == [None, None]


async def test_who_stops_tells_of_the_call_under_way():
    timetable = soon()
    bench = Bench()
    bench.release.clear()
    async with scheduled(bench, timetable, NIGHT):
        await until(lambda: bench.ordered)
    assert [(probe.result, probe.reason) for probe in bench.done] == [(ProbeResult.UNKNOWN, "stopped")]
