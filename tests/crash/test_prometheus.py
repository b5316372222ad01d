"""A real Prometheus scrapes a telemon that goes blind, is killed and comes back: it never shows what is not so."""

import asyncio
import re
import signal
import time
from collections import Counter
from contextlib import asynccontextmanager

import httpx
import pytest

from simulators.lab.ports import free_port
from tests.acceptance.commands import configure, running
from tests.acceptance.shell import DAY, OUTCOMES, PATIENCE, events_of, pbx, plan, split, tell, tell_day
from tests.crash.kit import calls_of

pytestmark = pytest.mark.real("prometheus")
LIVE = ("telemon_calls_waiting", "telemon_calls_talking", "telemon_longest_wait_rings", "telemon_operators")
SCRAPES = """
global: { scrape_interval: 500ms, scrape_timeout: 400ms }
scrape_configs:
  - job_name: telemon
    static_configs: [{ targets: ["127.0.0.1:%d"] }]
"""


class Prometheus:
    """A server that scrapes one telemon twice a second."""

    def __init__(self, port):
        self._address = f"http://127.0.0.1:{port}"

    async def ask(self, query):
        """Return what an instant query finds: values by their labels, but for those of the scrape itself."""
        async with httpx.AsyncClient() as client:
            answer = (await client.get(f"{self._address}/api/v1/query", params={"query": query})).json()
        assert answer["status"] == "success", answer
        found = {}
        for one in answer["data"]["result"]:
            labels = frozenset((k, v) for k, v in one["metric"].items() if k not in {"__name__", "instance", "job"})
            found[labels] = float(one["value"][1])
        return found

    async def value(self, query):
        """Return the only value that a query finds, None if it finds nothing."""
        found = await self.ask(query)
        assert len(found) < 2, found
        return next(iter(found.values()), None)

    async def until(self, query, expected):
        """Ask until the answer is so; on a failure say what it was last."""
        last = None
        deadline = time.monotonic() + 3 * PATIENCE
        while time.monotonic() < deadline:
            last = await self.value(query)
            if last == expected:
                return
            await asyncio.sleep(0.1)
        raise AssertionError(f"{query} is {last}, not {expected}")


@asynccontextmanager
async def prometheus(folder, telemon_port):
    port = free_port()
    (folder / "prometheus.yml").write_text(SCRAPES % telemon_port, "utf-8")
    with (folder / "prometheus.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            "prometheus",
            f"--config.file={folder}/prometheus.yml",
            f"--storage.tsdb.path={folder}/prometheus-data",
            f"--web.listen-address=127.0.0.1:{port}",
            cwd=folder,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    try:
        async with httpx.AsyncClient() as client, asyncio.timeout(3 * PATIENCE):
            while True:
                try:
                    if (await client.get(f"http://127.0.0.1:{port}/-/ready")).status_code == httpx.codes.OK:
                        break
                except httpx.ConnectError:
                    assert process.returncode is None, (folder / "prometheus.log").read_text("utf-8")
                await asyncio.sleep(0.1)
        yield Prometheus(port)
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def both_counts(server, config):
    """Return calls by outcome as Prometheus has them, and as the ledger has them."""
    rows = Counter(call.outcome.value for call in calls_of(config).values())
    found = await server.ask("telemon_calls_total")
    return {dict(labels)["outcome"]: value for labels, value in found.items() if value}, dict(rows)


async def test_while_blind_it_says_so_and_live_gauges_are_absent(tmp_path):
    port = free_port()
    async with pbx() as switchboard, prometheus(tmp_path, port) as server:
        async with running(configure(tmp_path, switchboard.port, web_port=port)) as daemon:
            tell(switchboard, split(events_of([plan(patience=600.0)], first_at=time.time() - 8), "DialState")[0])
            await server.until("telemon_ami_connected", 1)
            await server.until("telemon_calls_waiting", 1)
            assert await server.value("telemon_operators{state='reachable'}") is not None
            switchboard.freeze()
            await server.until("telemon_ami_connected", 0)
            for name in LIVE:
                assert await server.ask(name) == {}, f"{name} is still there"
            assert await server.value("up") == 1
            gap = "telemon_observation_gap_seconds_total{cause='pbx_frozen'}"
            before = await server.value(gap)
            await asyncio.sleep(1.5)
            assert await server.value(gap) > before
            switchboard.thaw()
            await server.until("telemon_ami_connected", 1)
            await server.until("telemon_calls_waiting", 1)
            await daemon.stop(signal.SIGTERM)
        await server.until("up", 0)
        for name in (*LIVE, "telemon_ami_connected"):
            assert await server.ask(name) == {}, f"{name} is shown of a telemon that is not there"


async def test_after_a_kill_counters_and_ledger_agree(tmp_path):
    """What was counted, but not yet written, when telemon was killed: the journal has it."""
    port = free_port()
    async with pbx() as switchboard, prometheus(tmp_path, port) as server:
        config = configure(tmp_path, switchboard.port, web_port=port)
        total = "sum(telemon_calls_total)"
        async with running(config) as daemon:
            tell_day(switchboard)
            await server.until(total, len(DAY))
            tell(switchboard, events_of([plan("0199000044", answers_at=3.0)], first_at=time.time() - 120))
            async with httpx.AsyncClient() as client, asyncio.timeout(PATIENCE):
                while await counted_now(client, daemon.address) <= len(DAY):  # noqa: ASYNC110 - in another process
                    await asyncio.sleep(0.01)
            await asyncio.sleep(0.15)  # the journal is fsynced at most 0.1 s behind; the ledger gathers 0.25 s
            await daemon.stop(signal.SIGKILL)
        async with running(config) as daemon:
            await server.until("up", 1)
            await server.until(total, len(DAY) + 1)
            prometheus_has, ledger_has = await both_counts(server, config)
            assert prometheus_has == ledger_has == OUTCOMES | {"answered": OUTCOMES["answered"] + 1}
            tell(switchboard, events_of([plan("0199000045", patience=12.0)], first_at=time.time() - 100))
            await server.until(total, len(DAY) + 2)
            assert await server.value("sum(resets(telemon_calls_total[1m]))") == 0
            await daemon.stop(signal.SIGTERM)


async def counted_now(client, address):
    text = (await client.get(f"{address}/metrics")).text
    found = re.findall(r"^telemon_calls_total\{.*\} (\S+)$", text, re.MULTILINE)
    return sum(map(float, found))
