"""Test calls within the daemon, at the AMI simulator: those of the schedule, and those that somebody places by hand."""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace

import httpx
import pytest

from telemon.config import Config
from telemon.daemon import Daemon
from telemon.duty_records import ProbeResult
from telemon.ledger.putting import put_now
from telemon.ledger.reading_probes import read_probes
from telemon.ledger.store import open_ledger
from tests.acceptance.shell import until
from tests.acceptance.test_probing import config_of, simulator, soon

EVER = (0, 4_000_000_000_000_000)


@asynccontextmanager
async def daemon_at(server, folder):
    """A daemon of this process that places test calls; yield it and its ledger."""
    told = config_of(folder, server.port).model_dump()
    told["pbx"][0]["secret"] = config_of(folder, server.port).pbx[0].resolve_secret()
    ledger = {"url": f"sqlite:///{folder}/telemon.db", "key_file": folder / "telemon.key"}
    config = Config.model_validate(
        {**told, "probe": {"per_day": 24, "seconds": 10}, "ledger": ledger, "web": {"port": 0}}
    )
    daemon = Daemon(config)
    running = asyncio.create_task(daemon.run())
    engine = open_ledger(ledger["url"])
    try:
        yield daemon, engine
    finally:
        engine.dispose()
        daemon.stop()
        await running


async def shown(daemon):
    async with httpx.AsyncClient() as client:
        return (await client.get(f"{daemon.address}/metrics")).text


@pytest.fixture(autouse=True)
def _look_often(monkeypatch):
    monkeypatch.setattr("telemon.probes.watch.LOOK_SECONDS", 0.2)


async def test_the_schedule_places_a_call_and_its_result_is_kept_and_shown(tmp_path, monkeypatch):
    monkeypatch.setattr("telemon.probes.watch.Timetable", lambda *_: soon())
    async with simulator() as server, daemon_at(server, tmp_path) as (daemon, engine):
        await until(lambda: daemon.duties.probes.latest, 30)
        await until(lambda: [one.result for one in read_probes(engine, ["pref"], *EVER)] == [ProbeResult.ANSWERED])
        said = await shown(daemon)
    (probe,) = daemon.duties.probes.latest.values()
    assert (probe.ordered_by, probe.answered_by) == ("schedule", "PJSIP/duty")
    assert 'telemon_probe_reached{service="permanence",site="pref"} 1.0' in said
    assert 'telemon_probes_total{result="answered",service="permanence",site="pref"} 1.0' in said
    assert 'outcome="answered",service="permanence"' not in said  # it is no citizen's call


async def test_a_call_that_somebody_places_by_hand_is_known_too(tmp_path, monkeypatch):
    monkeypatch.setattr("telemon.probes.watch.Timetable", lambda *_: soon())
    async with simulator() as server, daemon_at(server, tmp_path) as (daemon, engine):
        await until(lambda: daemon.duties.probes.latest, 30)
        (done,) = daemon.duties.probes.latest.values()
        missed = replace(
            done, probe_id="by-hand", ordered_by="command", result=ProbeResult.UNANSWERED, answered_at=None,
            answered_by=None, ordered_at=done.ended_at, alerting_at=done.ended_at, ended_at=done.ended_at + 1,
        )  # fmt: skip
        put_now(engine, missed)
        await until(lambda: daemon.duties.probes.latest["permanence"].probe_id == "by-hand")
        await until(lambda: daemon.duties.covers()["permanence"].cause == "rang_out")
        await until(lambda: {one.key.kind for one in daemon.duties.conditions.active} == {"probe_failed", "uncovered"})
        assert 'telemon_probe_reached{service="permanence",site="pref"} 0.0' in await shown(daemon)


async def test_while_somebody_s_call_is_under_way_none_is_placed(tmp_path, monkeypatch):
    timetable = soon(left=2)
    monkeypatch.setattr("telemon.probes.watch.Timetable", lambda *_: timetable)
    async with simulator() as server, daemon_at(server, tmp_path) as (daemon, engine):
        await until(lambda: daemon.duties.probes.latest, 30)
        (done,) = daemon.duties.probes.latest.values()
        postponed = len(timetable.postponed)
        put_now(engine, replace(done, probe_id="by-hand", ordered_by="command", result=None, ended_at=None))
        await until(lambda: len(timetable.postponed) > postponed)
