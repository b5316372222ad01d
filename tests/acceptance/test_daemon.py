"""``telemon run`` as a process: what it measured is the same in ledger, ``/metrics`` and ``telemon stats``."""

import asyncio
import json
import re
import signal
import socket
import sqlite3
import time
from collections import Counter
from contextlib import closing
from datetime import datetime, timedelta

import httpx
import pytest

from telemon.config import load
from telemon.daemon import Daemon
from telemon.journal.entries import Clocked
from telemon.journal.reader import read_entries
from telemon.observation import Sight
from telemon.records import CallRecord  # noqa: TC001 - a local annotation, for mypy
from tests.acceptance.commands import configure, running, telemon
from tests.acceptance.shell import DAY, OUTCOMES, events_of, pbx, plan, tell, tell_day, until

_SAMPLE = re.compile(
    r'^telemon_calls_total\{site="site",service="standard",outcome="(\w+)"\} ([1-9][\d.]*)$', re.MULTILINE
)


async def get(daemon, page):
    async with httpx.AsyncClient() as client:
        return await client.get(f"{daemon.address}{page}")


async def counted(daemon):
    """Return calls by outcome as ``/metrics`` has them."""
    return {outcome: int(float(count)) for outcome, count in _SAMPLE.findall((await get(daemon, "/metrics")).text)}


async def eventually(question, answer, seconds=10.0):
    """Ask a page until it answers so."""
    async with asyncio.timeout(seconds):
        while (got := await question()) != answer:  # noqa: ASYNC110 - the answer changes in another process
            await asyncio.sleep(0.02)
    return got


def lately():
    """A period that holds the last ten minutes whatever the time of day."""
    now = datetime.now().astimezone()
    return f"{(now - timedelta(days=1)).date()}..{(now + timedelta(days=1)).date()}"


async def ledger(config):
    status, output, errors = await telemon("calls", "-c", config, "-p", lately(), "-f", "ndjson", cwd=config.parent)
    assert (status, errors) == (0, "")
    return [json.loads(line) for line in output.splitlines()]


async def stats(config):
    status, output, errors = await telemon("stats", "-c", config, "-p", lately(), "-f", "ndjson", cwd=config.parent)
    assert (status, errors) == (0, "")
    return {line["service"]: line for line in map(json.loads, output.splitlines()) if "service" in line}


def by_outcome(calls):
    return dict(Counter(call["outcome"] for call in calls))


async def test_ledger_metrics_and_stats_agree_and_sigterm_ends_it(tmp_path):
    async with pbx() as server:
        config = configure(tmp_path, server.port)
        async with running(config) as daemon:
            assert (await get(daemon, "/healthz")).json() == {"status": "alive"}
            ready = await get(daemon, "/readyz")
            assert (ready.status_code, ready.json()) == (200, {"ready": True, "reasons": []})
            tell_day(server)
            await eventually(lambda: counted(daemon), OUTCOMES)
            text = (await get(daemon, "/metrics")).text
            status, seconds = await daemon.stop(signal.SIGTERM)
    assert (status, seconds < 5) == (0, True)
    calls = await ledger(config)
    assert by_outcome(calls) == OUTCOMES
    figures = (await stats(config))["standard"]
    assert {outcome: count for outcome, count in figures["by_outcome"].items() if count} == OUTCOMES
    assert (figures["answered"], figures["lost"]) == (3, 3)
    assert figures["rings_answered"] == {"1": 1, "2": 1, "5": 1}
    assert 'telemon_call_rings_bucket{site="site",service="standard",result="answered",le="4.0"} 2' in text
    assert 'telemon_call_rings_count{site="site",service="standard",result="answered"} 3' in text
    (transferred,) = (call for call in calls if call["transfers"])
    assert [(one["kind"], one["to"], one["result"]) for one in transferred["transfers"]] == [
        ("blind", "PJSIP/etatcivil", "answered")
    ]
    assert sorted(call["rings"] for call in calls if call["outcome"] == "answered") == [1, 2, 5]
    assert all(re.fullmatch("[a-z2-7]{20}", call["caller"]) for call in calls)


async def value_of(daemon, name):
    found = re.search(rf"^{name}(?:\{{[^}}]*\}})? ([\d.e+-]+)$", (await get(daemon, "/metrics")).text, re.MULTILINE)
    return None if found is None else float(found[1])


async def test_a_port_that_is_taken_is_one_line(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        config = configure(tmp_path, 1, web_port=port)
        status, output, errors = await telemon("run", "-c", config, cwd=tmp_path)
    assert (status, output) == (1, "")
    assert errors.count("\n") == 1
    assert errors.startswith(f"telemon: web: 127.0.0.1:{port} cannot be listened on")


async def test_without_its_port_for_the_phone_it_measures_all_the_same(tmp_path):
    with closing(socket.create_server(("127.0.0.1", 0))) as other:
        async with pbx() as server:
            config = configure(tmp_path, server.port, more=f"[agi]\nport = {other.getsockname()[1]}\n")
            async with running(config) as daemon:
                assert (await get(daemon, "/readyz")).status_code == 200
                status, _ = await daemon.stop(signal.SIGTERM)
    assert status == 0
    assert "Nobody can sign in by phone" in "".join(daemon.log)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ('[ledger]\nurl = "sqlite:////nowhere/at/all.db"', "unable to open database file"),
        ('[ledger]\nurl = "mysql://x"', "'mysql' is no database that telemon writes"),
        ('country = "zz"', "no ring cadence is known"),
    ],
)
async def test_what_cannot_start_says_so_in_one_line(tmp_path, more, said):
    config = configure(tmp_path, 1, more=more)
    status, _, errors = await telemon("run", "-c", config, cwd=tmp_path)
    assert status == 1
    assert said in errors
    assert "Traceback" not in errors


async def test_an_authority_that_is_no_file_is_one_line(tmp_path):
    config = configure(tmp_path, 1)
    config.write_text(config.read_text().replace("[[service]]", 'tls = true\ntls_ca = "none.pem"\n[[service]]'))
    status, _, errors = await telemon("run", "-c", config, cwd=tmp_path)
    assert status == 1
    assert errors.startswith("telemon: pbx pbx: tls_ca none.pem cannot be used")


async def test_the_pages_may_be_on_ipv6(tmp_path):
    async with pbx() as server:
        config = configure(tmp_path, server.port)
        config.write_text(config.read_text() + 'host = "::1"\n')
        async with running(config) as daemon:
            assert daemon.address.startswith("http://[::1]:")
            assert (await get(daemon, "/healthz")).status_code == 200


async def test_not_ready_while_unconnected_and_why(tmp_path):
    async with pbx() as server:
        config = configure(tmp_path, server.port)
        async with running(config) as daemon:
            server.users.clear()
            server.cut()

            async def reasons():
                answer = await get(daemon, "/readyz")
                return answer.status_code, any("[telemon]" in reason for reason in answer.json()["reasons"])

            await eventually(reasons, (503, True))
            assert (await get(daemon, "/healthz")).status_code == 200
            assert await value_of(daemon, "telemon_ami_connected") == 0.0
            assert await value_of(daemon, "telemon_calls_waiting") is None
            assert await value_of(daemon, "telemon_observation_gap_seconds_total") > 0


async def test_a_locked_ledger_stops_no_reading_and_loses_nothing(tmp_path):
    async with pbx() as server:
        config = configure(tmp_path, server.port)
        async with running(config) as daemon:
            holder = sqlite3.connect(tmp_path / "telemon.db", isolation_level=None)
            holder.execute("BEGIN IMMEDIATE")
            tell_day(server)
            await eventually(lambda: counted(daemon), OUTCOMES)

            async def readiness():
                answer = await get(daemon, "/readyz")
                return answer.status_code, any("locked" in reason for reason in answer.json()["reasons"])

            await eventually(readiness, (503, True))
            tell(server, events_of([plan("0199000042", answers_at=3.0)], first_at=time.time() - 120))
            await eventually(lambda: counted(daemon), OUTCOMES | {"answered": 4})
            holder.execute("ROLLBACK")
            holder.close()
            await eventually(readiness, (200, False))
            await daemon.stop(signal.SIGTERM)
    assert by_outcome(await ledger(config)) == OUTCOMES | {"answered": 4}


async def test_a_restart_goes_on_counting_where_the_ledger_stands(tmp_path):
    async with pbx() as server:
        config = configure(tmp_path, server.port)
        async with running(config) as daemon:
            tell_day(server)
            await eventually(lambda: counted(daemon), OUTCOMES)
            await daemon.stop(signal.SIGTERM)
        async with running(config) as daemon:
            assert await counted(daemon) == OUTCOMES
            tell(server, events_of([plan("0199000043", answers_at=3.0)], first_at=time.time() - 120))
            await eventually(lambda: counted(daemon), OUTCOMES | {"answered": 4})
            await daemon.stop(signal.SIGTERM)
    assert by_outcome(await ledger(config)) == OUTCOMES | {"answered": 4}


async def rows_of(config, query):
    with closing(sqlite3.connect(config.parent / "telemon.db")) as database:
        return database.execute(query).fetchall()


def pongs(folder):
    """How often telemon knew for sure, and kept it, that it was seeing."""
    return sum(isinstance(entry, Clocked) for _, entry in read_entries(folder / "journal" / "pbx"))


async def test_after_a_kill_the_ledger_claims_no_more_than_was_seen(tmp_path):
    async with pbx() as server:
        config = configure(tmp_path, server.port)
        async with running(config) as daemon:
            tell_day(server)
            await eventually(lambda: counted(daemon), OUTCOMES)
            await eventually(lambda: rows_of(config, "SELECT state FROM observations"), [("gap",), ("seen",)])
            await until(lambda: pongs(tmp_path) > 2)  # two at the login
            await daemon.stop(signal.SIGKILL)
            killed = time.time()
        async with running(config) as daemon:
            assert await counted(daemon) == OUTCOMES
            await daemon.stop(signal.SIGTERM)
    observations = await rows_of(config, "SELECT state, cause, ended_at FROM observations ORDER BY started_at")
    assert [row[:2] for row in observations] == [
        ("gap", "telemon_stopped"),
        ("seen", None),
        ("gap", "telemon_stopped"),
        ("seen", None),
        ("gap", "telemon_stopped"),
    ]
    seen_until = datetime.fromisoformat(observations[1][2])
    assert seen_until.timestamp() < killed
    assert observations[4][2] is None


async def test_two_observers_of_one_pbx_write_each_call_once(tmp_path):
    async with pbx() as server:
        config = configure(tmp_path, server.port)
        first = {"TELEMON_OBSERVER": "one", "TELEMON_JOURNAL__FOLDER": "one"}
        second = {"TELEMON_OBSERVER": "two", "TELEMON_JOURNAL__FOLDER": "two"}
        async with running(config, **first) as one, running(config, **second) as two:
            tell_day(server)
            await eventually(lambda: counted(one), OUTCOMES)
            await eventually(lambda: counted(two), OUTCOMES)
            await one.stop(signal.SIGTERM)
            await two.stop(signal.SIGTERM)
    calls = await ledger(config)
    assert by_outcome(calls) == OUTCOMES
    assert len({call["call_id"] for call in calls}) == len(DAY)
    assert await rows_of(config, "SELECT DISTINCT observer FROM observations ORDER BY 1") == [("one",), ("two",)]


async def test_two_telemons_cannot_share_a_journal(tmp_path):
    async with pbx() as server:
        config = configure(tmp_path, server.port)
        async with running(config) as daemon:
            status, _, errors = await telemon("run", "-c", config, cwd=tmp_path)
            assert (status, errors.count("\n")) == (1, 1)
            assert "another telemon" in errors
            assert (await get(daemon, "/healthz")).status_code == 200


async def test_two_pbxs_in_one_daemon(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    async with pbx() as north, pbx() as south:
        config = load(configure(tmp_path, north.port, south.port))
        finished: list[CallRecord] = []
        daemon = Daemon(config, finished.append)
        measuring = asyncio.create_task(daemon.run())
        try:
            await until(lambda: all(link.connected for link in daemon.links))
            tell_day(north)
            tell_day(south)
            await until(lambda: len(finished) == 2 * len(DAY))
            north.cut()
            await until(lambda: not daemon.links[0].connected)
            assert daemon.links[1].connected
            await until(lambda: daemon.links[0].connected)
        finally:
            daemon.stop()
            await measuring
    assert Counter(record.site for record in finished) == {"site/pbx1": len(DAY), "site/pbx2": len(DAY)}
    assert len({record.call_id for record in finished}) == 2 * len(DAY)
    watches = [link.observer.watch for link in daemon.links]
    assert all(watch.current is not None and watch.current.sight is Sight.GAP for watch in watches)
