"""telemon stopped and started again in mid-call: nothing is forgotten, nothing is counted twice."""

import asyncio
import signal
import time

import pytest

from tests.acceptance.commands import configure, running
from tests.acceptance.shell import events_of, pbx, plan, split
from tests.acceptance.test_daemon import counted, eventually, ledger, value_of

ENDS = [signal.SIGTERM, signal.SIGKILL]
QUICK = plan("0199000001", answers_at=0.5, talk_seconds=0.5)
SHORT = plan("0199000003", patience=0.5)


async def happen(server, events):
    """Tell events when they are due, as a PBX does: one that told yesterday's now would seem to have set its clock."""
    for at, event in events:
        await asyncio.sleep(at - time.time())
        server.emit(event, at)


def begin(*plans):
    return events_of(plans, first_at=time.time() + 0.2, apart=0.0)


def later(events):
    """Put events off until now: what a call does next waits for telemon to be stopped or back."""
    by = max(0.0, time.time() + 0.1 - events[0][0])
    return [(at + by, event) for at, event in events]


async def journalled(daemon):
    """Wait until the journal is on disk as far as telemon has heard."""
    await eventually(lambda: value_of(daemon, "telemon_journal_pending_bytes"), 0.0)


@pytest.mark.parametrize("end", ENDS)
async def test_a_call_that_outlives_telemon_is_measured_on(tmp_path, end):
    async with pbx() as server:
        config = configure(tmp_path, server.port)
        async with running(config) as daemon:
            before, after = split(begin(QUICK), "BridgeEnter")
            await happen(server, before)
            await eventually(lambda: value_of(daemon, "telemon_calls_talking"), 1.0)
            await journalled(daemon)
            await daemon.stop(end)
        assert await ledger(config) == []
        async with running(config) as daemon:
            assert await value_of(daemon, "telemon_calls_talking") == 1.0
            await happen(server, later(after))
            await eventually(lambda: counted(daemon), {"answered": 1})
            await daemon.stop(signal.SIGTERM)
    (call,) = await ledger(config)
    assert (call["outcome"], call["flags"]) == ("answered", ["seen_through_gap"])
    assert call["ring_seconds"] == pytest.approx(0.5, abs=0.1)
    assert call["talk_seconds"] > 0.5


@pytest.mark.parametrize("end", ENDS)
async def test_a_call_that_ends_meanwhile_is_unknown_beyond_what_was_seen(tmp_path, end):
    waits = plan("0199000002", answers_at=5.0)
    async with pbx() as server:
        config = configure(tmp_path, server.port)
        async with running(config) as daemon:
            before, after = split(begin(QUICK), "BridgeEnter")
            ringing, unseen = split(begin(waits), "DialBegin", last=False)
            await happen(server, sorted([*before, *ringing], key=lambda one: one[0]))
            await eventually(lambda: value_of(daemon, "telemon_calls_waiting"), 1.0)
            await journalled(daemon)
            await daemon.stop(end)
        for _, event in [*after, *unseen]:
            server.emit(event, time.time())
        async with running(config) as daemon:
            await eventually(lambda: counted(daemon), {"answered": 1, "unknown": 1})
            await daemon.stop(signal.SIGTERM)
    calls = {call["outcome"]: call for call in await ledger(config)}
    assert calls["answered"]["answered_at"] is not None
    assert all((call["ended_at"], call["flags"]) == (None, ["ended_in_gap"]) for call in calls.values())


async def test_counters_go_on_where_the_ledger_stands_however_telemon_ended(tmp_path):
    async with pbx() as server:
        config = configure(tmp_path, server.port)
        for turn, end in enumerate([*ENDS, signal.SIGTERM], start=1):
            async with running(config) as daemon:
                await happen(server, begin(SHORT))
                await eventually(lambda: counted(daemon), {"short_abandoned": turn})
                await journalled(daemon)
                await daemon.stop(end)
        async with running(config) as daemon:
            assert await counted(daemon) == {"short_abandoned": 3}
            await daemon.stop(signal.SIGTERM)
    assert len(await ledger(config)) == 3
