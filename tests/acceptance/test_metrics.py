"""What Prometheus scrapes: well-formed, bounded, and honest while nothing is seen."""

import asyncio
import time

import pytest
from prometheus_client.parser import text_string_to_metric_families

from telemon.instants import SECOND
from telemon.metrics import RING_BOUNDS, Metrics
from tests.acceptance.shell import (
    ABANDONED,
    ANSWERED,
    DAY,
    OUTCOMES,
    events_of,
    listening,
    pbx,
    plan,
    split,
    tell,
    tell_day,
    until,
)

CYCLE = 5 * SECOND
CANARY = "0612345678"


def metrics_of(listener):
    return Metrics("site", CYCLE, [listener.link], None)


def samples(metrics):
    """Return every sample as (name, labels): value."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(metrics.expose().decode())
        for sample in family.samples
    }


def value(metrics, name, **labels):
    found = [
        number
        for (said, given), number in samples(metrics).items()
        if said == name and labels.items() <= dict(given).items()
    ]
    return found[0] if found else None


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
        exposition = metrics.expose()
    assert await check_with_promtool(exposition) == (0, "")


async def test_calls_by_outcome_and_rings():
    async with pbx() as server, listening(server.port) as listener:
        metrics = await after_a_day(listener, server)
        counts = {outcome: value(metrics, "telemon_calls_total", outcome=outcome) for outcome in OUTCOMES}
        assert counts == OUTCOMES
        bounds = [
            float(dict(labels)["le"])
            for (name, labels) in samples(metrics)
            if name == "telemon_call_rings_bucket" and dict(labels)["result"] == "answered"
        ]
        assert bounds == [*RING_BOUNDS, float("inf")]
        assert all(bound == int(bound) for bound in bounds[:-1])
        answered = {"service": "standard", "result": "answered"}
        assert value(metrics, "telemon_call_rings_bucket", le="4.0", **answered) == 2  # fewer than five rings
        assert value(metrics, "telemon_call_rings_bucket", le="5.0", **answered) == 3
        assert value(metrics, "telemon_call_rings_sum", **answered) == 2 + 5 + 1
        assert abs(value(metrics, "telemon_call_ring_seconds_sum", **answered) - (6 + 21 + 2)) < 0.1
        assert value(metrics, "telemon_call_rings_count", service="standard", result="lost") == 4


async def test_no_number_of_a_caller_and_no_name_from_outside_is_in_them():
    async with pbx() as server, listening(server.port) as listener:
        plans = [plan(CANARY, answers_at=6.0), plan('evil\\"}\n1 canary', patience=9.0)]
        metrics = await after_a_day(listener, server, plans)
        tell(server, split(events_of([plan(CANARY)], first_at=time.time() - 8), "DialState")[0])
        await until(lambda: listener.open_calls)
        exposition = metrics.expose().decode()
        names = {name for _, labels in samples(metrics) for name, _ in labels}
    assert CANARY not in exposition
    assert "canary" not in exposition
    assert "PJSIP/" not in exposition
    assert names == {"site", "service", "outcome", "result", "le", "state", "pbx", "cause", "version", "python"}


async def test_the_number_of_series_does_not_grow_with_the_calls():
    async with pbx() as server, listening(server.port) as listener:
        metrics = await after_a_day(listener, server)
        before = len(samples(metrics))
        more = [plan(f"06{number:08d}", answers_at=6.0, talk_seconds=1.0) for number in range(50)]
        tell_day(server, more)
        for call in (await listener.called(len(DAY) + 50))[len(DAY) :]:
            metrics.count(call)
        assert len(samples(metrics)) == before


async def test_live_gauges_show_the_longest_ring_and_vanish_while_blind():
    async with pbx() as server, listening(server.port, connect_seconds=0.3) as listener:
        await listener.connected()
        metrics = metrics_of(listener)
        assert value(metrics, "telemon_calls_waiting", service="standard") == 0
        assert value(metrics, "telemon_longest_wait_rings", service="standard") == 0
        waiting = split(events_of([plan("0199000001")], first_at=time.time() - 12.5), "DialState")[0]
        tell(server, waiting)
        later = split(events_of([plan("0199000002")], first_at=time.time() - 3), "QueueCallerJoin")[0]
        tell(server, later[:1])
        talking = split(events_of([ANSWERED], first_at=time.time() - 30), "BridgeEnter")[0]
        tell(server, talking)
        await until(lambda: any(call.answered_at for call in listener.open_calls))
        assert value(metrics, "telemon_calls_waiting", service="standard") == 1
        assert value(metrics, "telemon_calls_talking", service="standard") == 1
        assert value(metrics, "telemon_longest_wait_rings", service="standard") == 3
        assert value(metrics, "telemon_ami_connected", pbx="pbx") == 1
        server.freeze()
        server.cut()
        await until(lambda: not listener.link.connected)
        blind = samples(metrics)
        live = {"telemon_calls_waiting", "telemon_calls_talking", "telemon_longest_wait_rings", "telemon_operators"}
        assert live.isdisjoint({name for name, _ in blind})
        assert value(metrics, "telemon_ami_connected", pbx="pbx") == 0
        gap = value(metrics, "telemon_observation_gap_seconds_total", pbx="pbx", cause="link_cut")
        await until(lambda: value(metrics, "telemon_observation_gap_seconds_total", pbx="pbx", cause="link_cut") > gap)
        server.thaw()
        await listener.connected(2)
        assert value(metrics, "telemon_calls_waiting", service="standard") == 1
        assert value(metrics, "telemon_longest_wait_rings", service="standard") == 3


async def test_operators_by_what_their_line_does():
    async with pbx() as server, listening(server.port) as listener:
        await listener.connected()
        metrics = metrics_of(listener)
        assert value(metrics, "telemon_operators", service="standard", state="reachable") == 2
        tell(server, split(events_of([ANSWERED], first_at=time.time() - 30), "BridgeEnter")[0])
        await until(lambda: value(metrics, "telemon_operators", service="standard", state="talking") == 1)
        assert value(metrics, "telemon_operators", service="standard", state="reachable") == 1


async def test_lag_timestamps_and_mistakes_are_counted():
    async with pbx(timestamps=False) as server, listening(server.port) as listener:
        await listener.connected()
        metrics = metrics_of(listener)
        assert value(metrics, "telemon_ami_timestamped", pbx="pbx") == 1
        for _, event in events_of([ABANDONED], first_at=time.time()):
            server.emit(event)
        await listener.called(1)
        assert value(metrics, "telemon_ami_timestamped", pbx="pbx") == 0
        assert value(metrics, "telemon_ami_events_total", pbx="pbx") > 10
        assert value(metrics, "telemon_ami_connects_total", pbx="pbx") == 1
        assert value(metrics, "telemon_event_errors_total", pbx="pbx") == 0
        assert 0 <= value(metrics, "telemon_ami_event_lag_seconds", pbx="pbx") < 5
