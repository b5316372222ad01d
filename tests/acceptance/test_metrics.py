"""What Prometheus scrapes: well-formed, bounded, and honest while nothing is seen."""

import asyncio
import time
from contextlib import AsyncExitStack
from dataclasses import replace

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from telemon.ami.entrance import Peer
from telemon.ami.link import Link
from telemon.instants import SECOND
from telemon.ledger.store import open_ledger
from telemon.ledger.writer import LedgerWriter
from telemon.metrics import RING_BOUNDS, Metrics
from telemon.observer import Observer
from telemon.records import Outcome
from telemon.services import Numbering
from telemon.tracker import Tracker
from telemon.web import application, listen, server_for
from tests.acceptance.shell import (
    ABANDONED,
    ANSWERED,
    DAY,
    OUTCOMES,
    PATIENCE,
    STANDARD,
    events_of,
    listening,
    pbx,
    plan,
    split,
    tell,
    tell_day,
    until,
)
from tests.ledger.kit import KEY, RICH

CYCLE = 5 * SECOND
CANARY = "0612345678"


def metrics_of(listener):
    return Metrics({}, CYCLE, [listener.link], None)


async def samples(metrics):
    """Return every sample as (name, labels): value; none is there twice."""
    told = [
        ((sample.name, tuple(sorted(sample.labels.items()))), sample.value)
        for family in text_string_to_metric_families(b"".join(await metrics.expose()).decode())
        for sample in family.samples
    ]
    assert len(dict(told)) == len(told)
    return dict(told)


async def value(metrics, name, **labels):
    found = [
        number
        for (said, given), number in (await samples(metrics)).items()
        if said == name and labels.items() <= dict(given).items()
    ]
    return found[0] if found else None


async def until_value(is_so, metrics, name, **labels):
    async with asyncio.timeout(PATIENCE):
        while not is_so(await value(metrics, name, **labels)):  # noqa: ASYNC110 - nothing tells of a change
            await asyncio.sleep(0.005)


async def check_with_promtool(exposition):
    process = await asyncio.create_subprocess_exec(
        "promtool",
        "check",
        "metrics",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate(exposition)
    return process.returncode, said.decode()


async def after_a_day(listener, server, plans=DAY):
    metrics = metrics_of(listener)
    await listener.connected()
    tell_day(server, plans)
    for call in await listener.called(len(plans)):
        metrics.count(call)
    return metrics


@pytest.mark.real("promtool")
async def test_promtool_finds_nothing_to_say():
    async with pbx() as server, listening(server.port) as listener:
        metrics = await after_a_day(listener, server)
        exposition = b"".join(await metrics.expose())
    assert await check_with_promtool(exposition) == (0, "")


async def test_calls_by_outcome_and_rings():
    async with pbx() as server, listening(server.port) as listener:
        metrics = await after_a_day(listener, server)
        counts = {one.value: await value(metrics, "telemon_calls_total", outcome=one.value) for one in Outcome}
        assert counts == {one.value: 0 for one in Outcome} | OUTCOMES
        bounds = [
            float(dict(labels)["le"])
            for (name, labels) in await samples(metrics)
            if name == "telemon_call_rings_bucket" and dict(labels)["result"] == "answered"
        ]
        assert bounds == [*RING_BOUNDS, float("inf")]
        assert all(bound == int(bound) for bound in bounds[:-1])
        answered = {"service": "standard", "result": "answered"}
        assert await value(metrics, "telemon_call_rings_bucket", le="4.0", **answered) == 2  # fewer than five rings
        assert await value(metrics, "telemon_call_rings_bucket", le="5.0", **answered) == 3
        assert await value(metrics, "telemon_call_rings_sum", **answered) == 2 + 5 + 1
        assert abs(await value(metrics, "telemon_call_ring_seconds_sum", **answered) - (6 + 21 + 2)) < 0.1
        assert await value(metrics, "telemon_call_rings_count", service="standard", result="lost") == 4


async def test_no_number_of_a_caller_and_no_name_from_outside_is_in_them():
    async with pbx() as server, listening(server.port) as listener:
        plans = [plan(CANARY, answers_at=6.0), plan('evil\\"}\n1 canary', patience=9.0)]
        metrics = await after_a_day(listener, server, plans)
        tell(server, split(events_of([plan(CANARY)], first_at=time.time() - 8), "DialState")[0])
        await until(lambda: listener.open_calls)
        exposition = b"".join(await metrics.expose()).decode()
        names = {name for _, labels in await samples(metrics) for name, _ in labels}
    assert CANARY not in exposition
    assert "canary" not in exposition
    assert "PJSIP/" not in exposition
    assert names == {"site", "service", "outcome", "result", "le", "state", "pbx", "cause", "ring", "version", "python"}


async def test_the_number_of_series_does_not_grow_with_the_calls():
    async with pbx() as server, listening(server.port) as listener:
        metrics = await after_a_day(listener, server)
        before = len(await samples(metrics))
        more = [plan(f"06{number:08d}", answers_at=6.0, talk_seconds=1.0) for number in range(50)]
        tell_day(server, more)
        for call in (await listener.called(len(DAY) + 50))[len(DAY) :]:
            metrics.count(call)
        assert len(await samples(metrics)) == before


async def test_live_gauges_show_the_longest_ring_and_vanish_while_blind():
    async with pbx() as server, listening(server.port, connect_seconds=0.3) as listener:
        await listener.connected()
        metrics = metrics_of(listener)
        assert await value(metrics, "telemon_calls_waiting", service="standard") == 0
        assert await value(metrics, "telemon_longest_wait_rings", service="standard") == 0
        waiting = split(events_of([plan("0199000001")], first_at=time.time() - 12.5), "DialState")[0]
        tell(server, waiting)
        later = split(events_of([plan("0199000002")], first_at=time.time() - 3), "QueueCallerJoin")[0]
        tell(server, later[:1])
        talking = split(events_of([ANSWERED], first_at=time.time() - 30), "BridgeEnter")[0]
        tell(server, talking)
        await until(lambda: any(call.answered_at for call in listener.open_calls))
        assert await value(metrics, "telemon_calls_waiting", service="standard") == 1
        assert await value(metrics, "telemon_calls_talking", service="standard") == 1
        assert await value(metrics, "telemon_longest_wait_rings", service="standard") == 3
        ringing = [await value(metrics, "telemon_calls_ringing", ring=ring) for ring in ("1", "2", "3", "4", "5", "6+")]
        assert ringing == [0, 0, 1, 0, 0, 0]
        assert await value(metrics, "telemon_pbx_info", pbx="pbx", site="site") == 1
        assert await value(metrics, "telemon_ami_connected", pbx="pbx") == 1
        server.freeze()
        server.cut()
        await until(lambda: not listener.link.connected)
        blind = await samples(metrics)
        live = {
            "telemon_calls_waiting", "telemon_calls_talking", "telemon_calls_ringing", "telemon_longest_wait_rings",
            "telemon_operators",
        }  # fmt: skip
        assert live.isdisjoint({name for name, _ in blind})
        assert await value(metrics, "telemon_ami_connected", pbx="pbx") == 0
        gap = await value(metrics, "telemon_observation_gap_seconds_total", pbx="pbx", cause="link_cut")
        await until_value(lambda now: now > gap, metrics, "telemon_observation_gap_seconds_total", cause="link_cut")
        server.thaw()
        await listener.connected(2)
        assert await value(metrics, "telemon_calls_waiting", service="standard") == 1
        assert await value(metrics, "telemon_longest_wait_rings", service="standard") == 3


async def test_operators_by_what_their_line_does():
    async with pbx() as server, listening(server.port) as listener:
        await listener.connected()
        metrics = metrics_of(listener)
        assert await value(metrics, "telemon_operators", service="standard", state="reachable") == 2
        tell(server, split(events_of([ANSWERED], first_at=time.time() - 30), "BridgeEnter")[0])
        await until_value(lambda now: now == 1, metrics, "telemon_operators", service="standard", state="talking")
        assert await value(metrics, "telemon_operators", service="standard", state="reachable") == 1


async def test_lag_timestamps_and_mistakes_are_counted():
    async with pbx(timestamps=False) as server, listening(server.port) as listener:
        await listener.connected()
        metrics = metrics_of(listener)
        assert await value(metrics, "telemon_ami_timestamped", pbx="pbx") == 1
        for _, event in events_of([ABANDONED], first_at=time.time()):
            server.emit(event)
        await listener.called(1)
        assert await value(metrics, "telemon_ami_timestamped", pbx="pbx") == 0
        assert await value(metrics, "telemon_ami_events_total", pbx="pbx") > 10
        assert await value(metrics, "telemon_ami_connects_total", pbx="pbx") == 1
        assert await value(metrics, "telemon_event_errors_total", pbx="pbx") == 0
        assert 0 <= await value(metrics, "telemon_ami_event_lag_seconds", pbx="pbx") < 5


async def test_every_series_of_a_service_is_there_before_its_first_call():
    """Of a counter born with its first call Prometheus would see no increase."""
    async with pbx() as server, listening(server.port) as listener:
        await listener.connected()
        metrics = metrics_of(listener)
        before = await samples(metrics)
        tell_day(server)
        for call in await listener.called(len(DAY)):
            metrics.count(call)
        after = await samples(metrics)
    assert {name for name, _ in after.keys() - before.keys()} == {
        "telemon_last_loss_timestamp_seconds",
        "telemon_last_loss_rings",
    }


async def test_the_latest_loss_of_each_outcome():
    async with pbx() as server, listening(server.port) as listener:
        await listener.connected()
        metrics = metrics_of(listener)
        first_at = tell_day(server)
        for call in await listener.called(len(DAY)):
            metrics.count(call)
        lost = {
            dict(labels)["outcome"]: number
            for (name, labels), number in (await samples(metrics)).items()
            if name == "telemon_last_loss_rings"
        }
        at = await value(metrics, "telemon_last_loss_timestamp_seconds", outcome="abandoned")
    assert lost.pop("diverted") in {8, 9}  # after 40 s, give or take what the greeting took
    assert lost == {"abandoned": 3, "unanswered": 5}
    assert at == pytest.approx(first_at + 4 + 12, abs=0.5)  # the third call, 4 s after the first


async def test_a_scrape_while_another_is_under_way_tells_the_same():
    async with pbx() as server, listening(server.port) as listener:
        metrics = await after_a_day(listener, server)
        one, other = map(b"".join, await asyncio.gather(metrics.expose(), metrics.expose()))
    assert one.startswith(b"# HELP telemon_calls_waiting")
    lines = [[line for line in text.splitlines() if b"telemon_call_rings" in line] for text in (one, other)]
    assert lines[0] == lines[1]
    assert len(lines[0]) > 20


async def test_sites_of_several_pbxs_are_told_apart_and_added_up():
    """Two PBXs of one préfecture are one site, the third is another."""
    sites = {"pref31/a": "pref31", "pref31/b": "pref31", "pref32": "pref32"}
    numbering = Numbering(services=(STANDARD,))
    async with AsyncExitStack() as stack:
        listeners, servers = [], []
        for site in sites:
            servers.append(await stack.enter_async_context(pbx()))
            tracker = Tracker(site, numbering)
            listeners.append(
                await stack.enter_async_context(listening(servers[-1].port, tracker=tracker, name=site[-2:].strip("/")))
            )
        for listener in listeners:
            await listener.connected()
        metrics = Metrics(sites, CYCLE, [listener.link for listener in listeners], None)
        for server, listener in zip(servers, listeners, strict=True):
            tell_day(server)
            for call in await listener.called(len(DAY)):
                metrics.count(call)
        answered = [
            await value(metrics, "telemon_calls_total", outcome="answered", site=site) for site in ("pref31", "pref32")
        ]
        free = [
            await value(metrics, "telemon_operators", state="reachable", site=site) for site in ("pref31", "pref32")
        ]
        told = {dict(labels)["site"] for _, labels in await samples(metrics) if "site" in dict(labels)}
        infos = {
            dict(labels)["pbx"]: dict(labels)["site"]
            for name, labels in await samples(metrics)
            if name == "telemon_pbx_info"
        }
    assert answered == [6, 3]
    assert free == [4, 2]
    assert told == {"pref31", "pref32"}
    assert infos == {"a": "pref31", "b": "pref31", "32": "pref32"}


def metrics_hear_nothing(_):
    """No call ends at a link that is at no PBX."""


async def stalls(until_done):
    """Return the longest time in which nothing else could run, while something else does."""
    longest = 0.0
    while not until_done.done():
        began = time.perf_counter()
        await asyncio.sleep(0)
        longest = max(longest, time.perf_counter() - began)
    return longest


async def test_a_scrape_of_a_hundred_sites_of_five_services_takes_less_than_a_second_and_stalls_nobody(tmp_path):
    """Generous bounds, for a machine that does other things; ``benchmarks.sites`` measures."""
    services = tuple(replace(STANDARD, name=f"service{number}") for number in range(5))
    links = []
    for number in range(100):
        observer = Observer(f"pbx{number}", Tracker(f"pref{number}", Numbering(services=services)))
        link = Link(
            Peer(name=f"pbx{number}", host="127.0.0.1", port=1, user="u", secret="s"), observer, metrics_hear_nothing
        )
        link.connected = True  # so that its gauges are shown, though nothing happens there
        links.append(link)
    metrics = Metrics({}, CYCLE, links, None)
    sqlite_engine = open_ledger(f"sqlite:///{tmp_path}/telemon.db")
    socket = listen("127.0.0.1", 0)
    ledger = LedgerWriter(sqlite_engine, key=KEY, ring_cycle=CYCLE)
    server = server_for(application(metrics, links, ledger))
    serving = asyncio.create_task(server.serve(sockets=[socket]))
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{socket.getsockname()[1]}", timeout=20) as client:
        await client.get("/metrics")  # everything is rendered for the first time
        for number in range(0, 100, 10):
            metrics.count(replace(RICH, site=f"pref{number}", service="service3", flags=()))
        took, answer = [], None
        for _ in range(3):
            began = time.perf_counter()
            answer = await client.get("/metrics")
            took.append(time.perf_counter() - began)
        exposing = asyncio.create_task(metrics.expose())
        stall = await stalls(exposing)
    server.should_exit = True
    await serving
    ledger.close(1)
    sqlite_engine.dispose()
    assert answer is not None
    assert answer.text.count("\ntelemon_") > 60_000
    assert 'telemon_calls_total{site="pref90",service="service3",outcome="answered"} 1\n' in answer.text
    assert min(took) < 1
    assert stall < 0.2
