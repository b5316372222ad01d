"""telemon killed twenty times amid a hundred calls and more: nothing is counted twice, guessed or kept silent."""

import asyncio
import json
import os
import random
import shutil
import time
from dataclasses import replace

import pytest

from simulators.lab.asterisk import PREFECTURE_CONFIGURATION, Asterisk
from simulators.sip.player import play
from simulators.sip.target import lab_target
from simulators.site import PREFECTURE
from simulators.telemon_toml import telemon_toml
from simulators.traffic import draw, load_scenario
from simulators.truth import read_truth, write_truth
from telemon.cadences import ring_cycle
from telemon.instants import SECOND, from_seconds
from telemon.ledger.pseudonym_key import load_or_create_key
from telemon.privacy import pseudonym
from telemon.records import Outcome, Provenance
from tests.acceptance.commands import telemon
from tests.crash.kit import calls_of, gaps_of, judge, switchboard, telemon_run, telemon_sim

STORM = os.path.join(os.path.dirname(__file__), "storm.toml")  # noqa: PTH118, PTH120 - an argument
FAULTS = {"difference", "missing", "surplus"}
KILLS, CALLS_AT_ONCE = 20, 100
SEED = int(os.environ.get("TELEMON_TEST_SEED") or random.SystemRandom().randrange(1 << 31))


async def lives_and_deaths(config, log, rng, kills):
    """Start telemon and kill it after a random while, often before it has got anywhere; return when (Unix seconds)."""
    killed = []
    for _ in range(kills):
        async with telemon_run(config, log) as process:
            await asyncio.sleep(rng.choice((rng.uniform(0.1, 2.0), rng.uniform(2.0, 6.0))))
            assert process.returncode is None, log.read_text("utf-8")
            process.kill()
            killed.append(time.time())
            await process.wait()
    return killed


@pytest.mark.timeout(420)
async def test_killed_twenty_times_amid_a_hundred_calls(tmp_path):
    rng, log, config = random.Random(SEED), tmp_path / "log", tmp_path / "telemon.toml"
    print(f"TELEMON_TEST_SEED={SEED}")  # noqa: T201 - pytest shows it beside a failure
    storm = ("--scenario", STORM, "--calls", 600, "--seed", SEED % 1000, "--queue-log", "queue_log")
    async with switchboard(tmp_path, *storm) as simulator:
        async with telemon_run(config, log):
            await asyncio.sleep(18)
        killed = await lives_and_deaths(config, log, rng, KILLS)
        async with telemon_run(config, log) as process:
            told = await asyncio.wait_for(simulator.stdout.read(), 240)
            assert b"calls told." in told
            process.terminate()
            assert await asyncio.wait_for(process.wait(), 20) == 0
    truths = list(read_truth(tmp_path / "truth.ndjson"))
    at_once = [sum(one.arrived_at < from_seconds(at) < one.ended_at for one in truths) for at in killed]
    assert min(at_once) >= CALLS_AT_ONCE, at_once
    gaps = gaps_of(config)
    calls = calls_of(config)
    found = judge(truths, calls, gaps)
    assert found.wrong == [], "\n".join(map(str, (*found.wrong, *gaps_of(config))))
    assert min(found.through, found.cut) >= CALLS_AT_ONCE / 5, found
    for at in killed:
        assert any(start - SECOND < from_seconds(at) < end for start, end, _ in gaps), f"no gap around {at}"
    await check_repair(config, len(truths), calls)


@pytest.mark.real("asterisk")
@pytest.mark.timeout(420)
async def test_killed_amid_a_hundred_sip_calls_through_a_real_asterisk(tmp_path):
    """The truth is what SIPp saw on the wire, the queue_log is Asterisk's own."""
    rng, log, config = random.Random(SEED), tmp_path / "log", tmp_path / "telemon.toml"
    print(f"TELEMON_TEST_SEED={SEED}")  # noqa: T201
    plan = draw(load_scenario(STORM), seed=SEED % 1000, site=PREFECTURE, squeeze=0.7, limit=420)
    distinct = [replace(call, caller=f"01990{number:05}") for number, call in enumerate(plan.calls)]
    with Asterisk(overlay=PREFECTURE_CONFIGURATION, phones=PREFECTURE.phones) as asterisk:
        config.write_text(configuration(asterisk, tmp_path), "utf-8")
        placing = asyncio.create_task(play(replace(plan, calls=tuple(distinct)), lab_target(asterisk, PREFECTURE)))
        async with telemon_run(config, log):
            await asyncio.sleep(22)
        killed = await lives_and_deaths(config, log, rng, KILLS)
        async with telemon_run(config, log) as process:
            played = await asyncio.wait_for(placing, 240)
            await asyncio.sleep(1)
            process.terminate()
            assert await asyncio.wait_for(process.wait(), 20) == 0
        shutil.copy(asterisk.run_folder / "log" / "queue_log", tmp_path / "queue_log")
        shutil.copy(asterisk.run_folder / "etc" / "queues.conf", tmp_path / "queues.conf")  # whom members' names mean
    assert played.failures == {}
    write_truth(tmp_path / "truth.ndjson", played.truths, ring_cycle("FR"))
    calls = calls_of(config)
    truths = with_call_ids(played.truths, calls, load_or_create_key(tmp_path / "telemon.key"))
    at_once = [sum(one.arrived_at < from_seconds(at) < one.ended_at for one in truths) for at in killed]
    assert max(at_once) >= CALLS_AT_ONCE, at_once
    found = judge(truths, calls, gaps_of(config))
    assert found.wrong == [], "\n".join(map(str, (*found.wrong, *gaps_of(config))))
    # An INVITE may wait a second on a busy machine; a ring that ends as the caller leaves is not in every queue_log.
    await check_repair(config, len(truths), calls, "--tolerance", 1, lacking={"rung"})


def configuration(asterisk, folder):
    return telemon_toml(
        PREFECTURE,
        host="127.0.0.1",
        port=asterisk.ami_port,
        username="telemon",
        secret=asterisk.ami_secret,
        folder=folder,
    )


def with_call_ids(truths, calls, key):
    """Give each call that SIPp placed the id of the ledger's row with its caller; each caller calls but once."""
    ids = {call.caller: call_id for call_id, call in calls.items()}
    assert len(ids) == len(calls)
    return [replace(one, call_id=ids.get(pseudonym(one.caller, key), f"none of {one.name}")) for one in truths]


async def check_repair(config, placed, before, *tolerance, lacking=()):
    """Import the queue_log: every call is there, and none is unknown any more."""
    queues = ("--queues", "queues.conf") if (config.parent / "queues.conf").exists() else ()
    imported = ("import", "queue_log", "queue_log", "-c", config, *queues)
    status, said, errors = await telemon(*imported, cwd=config.parent)
    assert status == 0, said + errors
    after = calls_of(config)
    assert len(after) == placed
    for call_id, call in after.items():
        if call_id not in before or before[call_id].outcome is Outcome.UNKNOWN:
            assert call.provenance is Provenance.REPAIRED
        assert call.outcome is not Outcome.UNKNOWN, (before.get(call_id), call)
    judging = ("compare", "truth.ndjson", "telemon.toml", "-f", "ndjson", "--all", *tolerance)
    status, said, errors = await telemon_sim(*judging, cwd=config.parent)
    faults = [line for line in map(json.loads, said.splitlines()) if line["kind"] in FAULTS]
    assert (status, errors) == (int(bool(faults)), "")
    assert [one for one in faults if one.get("metric") not in lacking] == []
    again = await telemon(*imported, cwd=config.parent)
    assert again[0] == 0
    assert calls_of(config) == after
