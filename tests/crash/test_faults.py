"""What befalls a server: Asterisk frozen, ended and killed, a firewall in between, a database that is stopped."""

import asyncio
import os
import signal
import tempfile
import time
from pathlib import Path

import pytest

from simulators.lab.asterisk import Asterisk
from telemon.instants import from_seconds
from telemon.observation import GapCause, Sight
from tests.acceptance.commands import configure, running
from tests.acceptance.shell import events_of, pbx, plan, split, tell, until
from tests.crash.kit import Namespace, calls_of, gaps_of, observations_of, scraped, telemon_run
from tests.ledger.kit import Postgresql

PING = 1  # second
EARLY = 5000  # events, by which some calls are over
SLACK = 1.0  # seconds that a busy machine may take to write a row, and we to read it


async def eventually(question, seconds=30.0):
    """Ask until the answer is a true one; return it."""
    async with asyncio.timeout(seconds):
        while not (answer := await asyncio.to_thread(question)):  # noqa: ASYNC110 - it lies in a database
            await asyncio.sleep(0.05)
    return answer


def last_gap(config, since):
    """Return the gap that a fault at this Unix time made: begun then or up to a ping before, and not over before it."""
    earliest, fault = from_seconds(since - PING - 0.3), from_seconds(since)
    return next((gap for gap in gaps_of(config) if gap[0] >= earliest and gap[1] > fault), None)


async def noticed(config, since, *causes):
    """Wait for the gap; it must have begun at the last sign of life, and be known within two pings."""
    gap = await eventually(lambda: last_gap(config, since))
    took = time.time() - since
    assert gap[2] in causes
    assert took < 2 * PING + SLACK
    return gap


async def seen_again(config, since):
    """Wait until something is seen again that was not before."""
    return await eventually(
        lambda: [one for one in observations_of(config) if one.sight is Sight.SEEN and one.started_at > since]
    )


@pytest.mark.real("asterisk")
@pytest.mark.timeout(180)
async def test_an_asterisk_frozen_restarted_and_killed_is_a_gap_with_its_cause_within_two_pings(tmp_path):
    with Asterisk() as asterisk:
        config = configure(tmp_path, asterisk.ami_port, ping_seconds=PING)
        async with running(config, TELEMON_SECRET_PBX=asterisk.ami_secret) as daemon:
            await seen_again(config, 0)
            frozen = time.time()
            os.kill(asterisk.pid, signal.SIGSTOP)
            try:
                start, _, _ = await noticed(config, frozen, GapCause.PBX_FROZEN)
                samples = await scraped(daemon.address)
                assert samples["telemon_ami_connected", frozenset({("pbx", "pbx")})] == 0
            finally:
                os.kill(asterisk.pid, signal.SIGCONT)
            await seen_again(config, start)

            restarted = time.time()
            restarting = asyncio.create_task(asyncio.to_thread(asterisk.restart))
            # Asterisk may end before its last event, Shutdown, has left it; the next login tells that it was down.
            start, _, _ = await noticed(config, restarted, GapCause.PBX_DOWN, GapCause.LINK_CUT)
            await restarting
            await seen_again(config, start)

            control = asterisk.run_folder / "asterisk.ctl"
            killed = time.time()
            os.kill(asterisk.pid, signal.SIGKILL)
            start, _, _ = await noticed(config, killed, GapCause.LINK_CUT)  # nothing tells telemon more than that yet
            control.unlink(missing_ok=True)
            await asyncio.to_thread(asterisk.restart)
            await seen_again(config, start)
            status, _ = await daemon.stop(signal.SIGTERM)
    assert status == 0
    causes = [cause for _, _, cause in gaps_of(config)]
    expected = (GapCause.TELEMON_STOPPED, GapCause.PBX_FROZEN, GapCause.PBX_DOWN, GapCause.PBX_DOWN)
    assert causes == [*expected, GapCause.TELEMON_STOPPED]


@pytest.mark.real("netns")
async def test_a_firewall_that_swallows_every_packet_is_a_gap_within_two_pings(tmp_path):
    with Namespace() as inside:
        async with pbx(host=inside.address) as server:
            config = configure(tmp_path, server.port, ping_seconds=PING)
            config.write_text(
                config.read_text("utf-8").replace('name = "pbx"', f'name = "pbx"\nhost = "{inside.address}"')
            )
            log = tmp_path / "log"
            async with telemon_run(config, log, *inside.enter) as process:
                await until(lambda: log.exists() and "connected to Asterisk" in log.read_text("utf-8"), 30)
                patient, hasty = (plan(f"019900000{number}", answers_at=4.0) for number in (1, 2))
                began = time.time() - 10
                first, rest = split(events_of([patient], first_at=began), "DialState")
                second, unseen = split(events_of([hasty], first_at=began), "DialState")
                tell(server, [*first, *second])
                await seen_again(config, 0)
                cut = time.time()
                with inside.cut(server.port):
                    start, _, _ = await noticed(config, cut, GapCause.PBX_FROZEN)  # silence looks like that from here
                    tell(server, unseen)
                assert process.returncode is None
                await seen_again(config, start)
                tell(server, rest)
                calls = await eventually(lambda: len(found := calls_of(config)) == 2 and found)
                process.terminate()
                assert await process.wait() == 0
    outcomes = sorted(call.outcome.value for call in calls.values())
    assert outcomes == ["answered", "unknown"]


@pytest.fixture
def postgresql():
    with tempfile.TemporaryDirectory() as folder:
        server = Postgresql(Path(folder))
        server.start()
        yield server
        server.stop()


@pytest.mark.real("postgresql")
@pytest.mark.timeout(240)
async def test_a_database_stopped_for_ten_minutes_of_calls_loses_nothing_and_holds_nobody_up(tmp_path, postgresql):
    """Ten minutes of 200 calls a minute, told within seconds; the database comes back when all of them are over."""
    calls = [plan(f"0199{number:06}", answers_at=3.0, talk_seconds=20.0) for number in range(2000)]
    events = events_of(calls, first_at=time.time() + 1, apart=0.3)  # a clock that hurries, and is not asked meanwhile
    url = postgresql.new_database()
    async with pbx(writetimeout=1.0) as server:
        config = configure(tmp_path, server.port, ping_seconds=300, more=f'[ledger]\nurl = "{url}"')
        async with running(config) as daemon:
            tell(server, events[:EARLY])
            await eventually(lambda: calls_of(config))
            postgresql.stop()
            for place in range(EARLY, len(events), 500):
                tell(server, events[place : place + 500])
                await asyncio.sleep(0.05)

            async def counted():
                samples = await scraped(daemon.address)
                return sum(value for (name, _), value in samples.items() if name == "telemon_calls_total")

            async with asyncio.timeout(60):
                while await counted() < len(calls):  # noqa: ASYNC110 - in another process
                    await asyncio.sleep(0.1)
            down = await scraped(daemon.address)
            assert down["telemon_ledger_pending_records", frozenset()] > 1000
            assert down["telemon_ledger_errors_total", frozenset()] > 0
            await asyncio.to_thread(postgresql.start)
            await eventually(lambda: len(calls_of(config)) == len(calls))
            drained = await scraped(daemon.address)
            status, _ = await daemon.stop(signal.SIGTERM)
    assert status == 0
    assert drained["telemon_ledger_lost_records_total", frozenset()] == 0
    assert drained["telemon_ami_connects_total", frozenset({("pbx", "pbx")})] == 1
    assert {call.outcome.value for call in calls_of(config).values()} == {"answered"}
    assert [cause for _, _, cause in gaps_of(config)] == [GapCause.TELEMON_STOPPED] * 2
