"""A real Prometheus and a real Alertmanager with the files of ``dashboards/``, and who receives their alerts.

The files are taken as they are, but for what a test cannot wait for or reach:

- every interval, ``for`` and ``keep_firing_for`` becomes a second or less (``SHORTENED``), and Prometheus sends alerts
  again every second, not every minute: what it sends before it has read where Alertmanager is (some 5 s) is lost;
  windows in queries, limits, routes and templates stay;
- the lists of targets, and the addresses that a site has to set (``# SITE``), are those of the test.
"""

import asyncio
import json
import re
import shutil
import time
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from simulators.lab.ports import free_port
from tests.acceptance.shell import PATIENCE

DASHBOARDS = Path(__file__).parents[2] / "dashboards"
TOKENS = {"webhook": "token-of-the-webhook", "dead-man": "token-of-the-dead-man"}
SHORTENED = {
    "scrape_interval": "500ms", "scrape_timeout": "400ms", "evaluation_interval": "500ms", "interval": "500ms",
    "for": "1s", "keep_firing_for": "1s", "group_wait": "200ms", "group_interval": "500ms", "repeat_interval": "1s",
}  # fmt: skip
_TIMED = re.compile(rf"^(\s*(?:{'|'.join(SHORTENED)}):) \S+", re.MULTILINE)


def shortened(text):
    """Return a configuration in which nothing takes long."""
    return _TIMED.sub(lambda found: f"{found[1]} {SHORTENED[found[1].strip(' :')]}", text)


def copied(source, target):
    """Copy a folder of YAML files and templates, shortened; return the copy."""
    shutil.copytree(source, target)
    for path in target.rglob("*.yml"):
        path.write_text(shortened(path.read_text("utf-8")), "utf-8")
    return target


class _Server:
    """What both servers have in common: an address, JSON, and waiting until it is so."""

    def __init__(self, port, client):
        self.port, self.address, self._client = port, f"http://127.0.0.1:{port}", client

    async def get(self, page, **parameters):
        """Return the JSON of a page."""
        answer = await self._client.get(f"{self.address}{page}", params=parameters)
        assert answer.is_success, answer.text
        return answer.json()

    async def until(self, question, is_so, seconds=3 * PATIENCE):
        """Await a question's answer again and again until it is so, and return it; a failure says the last one."""
        deadline = time.monotonic() + seconds
        while not is_so(answer := await question()):
            assert time.monotonic() < deadline, f"after {seconds} s still: {answer}"
            await asyncio.sleep(0.05)
        return answer


class Prometheus(_Server):
    """A running Prometheus."""

    async def query(self, expression, **parameters):
        """Return what an instant query finds: pairs of labels and value."""
        found = (await self.get("/api/v1/query", query=expression, **parameters))["data"]["result"]
        return [(one["metric"], float(one["value"][1])) for one in found]

    async def query_range(self, expression, start, end, step):
        """Return what a query finds from ``start`` to ``end`` (Unix seconds): pairs of labels and [(time, value)]."""
        parameters = {"query": expression, "start": start, "end": end, "step": step}
        found = (await self.get("/api/v1/query_range", **parameters))["data"]["result"]
        return [(one["metric"], [(at, float(value)) for at, value in one["values"]]) for one in found]

    async def value(self, expression):
        """Return the only value that a query finds, None if it finds nothing."""
        found = await self.query(expression)
        assert len(found) < 2, found
        return found[0][1] if found else None

    async def until_value(self, expression, expected, seconds=3 * PATIENCE):
        """Wait until a query finds this one value, or nothing (None)."""
        await self.until(lambda: self.value(expression), lambda value: value == expected, seconds)

    async def alerts(self):
        """Return the alerts that are pending or firing."""
        return (await self.get("/api/v1/alerts"))["data"]["alerts"]

    async def until_alert(self, name, *, state="firing"):
        """Wait for an alert in this state, and return it."""

        async def found():
            return [one for one in await self.alerts() if (one["labels"]["alertname"], one["state"]) == (name, state)]

        return (await self.until(found, bool))[0]


class Alertmanager(_Server):
    """A running Alertmanager."""

    async def post(self, *alerts):
        """Give it alerts (labels, and annotations where they matter) as Prometheus would."""
        sent = [alert if "labels" in alert else {"labels": alert} for alert in alerts]
        answer = await self._client.post(f"{self.address}/api/v2/alerts", json=sent)
        assert answer.is_success, answer.text

    async def suppressed(self):
        """Return the names of the alerts that others inhibit, each with its labels."""
        found = await self.get("/api/v2/alerts", silenced="false", active="false", inhibited="true")
        return [one["labels"] for one in found]


@asynccontextmanager
async def _server(kind, folder, log, *arguments):
    """Run a server until the block ends; ready means that ``/-/ready`` says so."""
    port = free_port()
    with log.open("wb") as stream:
        process = await asyncio.create_subprocess_exec(
            *(one.format(port=port) for one in arguments),
            cwd=folder,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
        )
    try:
        async with httpx.AsyncClient() as client:
            server = kind(port, client)
            async with asyncio.timeout(3 * PATIENCE):
                while not await _is_ready(server, client):
                    assert process.returncode is None, log.read_text("utf-8")
                    await asyncio.sleep(0.05)
            yield server
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _is_ready(server, client):
    try:
        return (await client.get(f"{server.address}/-/ready")).is_success
    except httpx.TransportError:
        return False


@asynccontextmanager
async def prometheus(folder, *telemons, alertmanager=None, data=None):
    """Run Prometheus with the committed configuration and rules.

    ``telemons`` are the addresses that it scrapes (``Running.address``, or host:port), ``alertmanager`` a running one,
    ``data`` a folder of blocks made beforehand (``promtool tsdb create-blocks-from``); without it there is no past.
    """
    home = copied(DASHBOARDS / "prometheus", folder / "prometheus")
    lists = {
        "telemon": [one.removeprefix("http://") for one in telemons],
        "alertmanager": [alertmanager.address.removeprefix("http://")] if alertmanager else [],
        "prometheus": [],
    }
    for name, targets in lists.items():
        (home / "targets" / f"{name}.yml").write_text(json.dumps([{"targets": targets}]), "utf-8")
    async with _server(
        Prometheus,
        home,
        folder / "prometheus.log",
        "prometheus",
        "--config.file=prometheus.yml",
        f"--storage.tsdb.path={data or home / 'data'}",
        "--web.listen-address=127.0.0.1:{port}",
        "--rules.alert.resend-delay=1s",
    ) as server:
        yield server


@asynccontextmanager
async def alertmanager(
    folder, *, webhook="http://127.0.0.1:9", dead_man="http://127.0.0.1:9", smtp_port=9, english=False
):
    """Run Alertmanager with the committed configuration; what has no receiver goes to a port that refuses.

    A receiver that refuses holds up the others of its group for 10 s, until Alertmanager gives up.
    """
    home = copied(DASHBOARDS / "alertmanager", folder / "alertmanager")
    config = home / "alertmanager.yml"
    text = config.read_text("utf-8")
    places = {
        "http://127.0.0.1:9095/": webhook,
        "http://127.0.0.1:9096/": dead_man,
        "127.0.0.1:25": f"127.0.0.1:{smtp_port}",
    }
    for place, instead in places.items():
        assert text.count(place) == 1, place
        text = text.replace(place, instead)
    config.write_text(text.replace("telemon.fr.", "telemon.en.") if english else text, "utf-8")
    (home / "secrets").mkdir()
    for name, token in TOKENS.items():
        (home / "secrets" / f"{name}.token").write_text(f"{token}\n", "utf-8")
    async with _server(
        Alertmanager,
        home,
        folder / "alertmanager.log",
        "prometheus-alertmanager",
        "--config.file=alertmanager.yml",
        f"--storage.path={home / 'data'}",
        "--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
    ) as server:
        yield server


class Inbox:
    """What arrived, in order; whoever waits is woken by each arrival."""

    def __init__(self):
        self.all = []
        self._arrived = asyncio.Condition()

    async def add(self, one):
        async with self._arrived:
            self.all.append(one)
            self._arrived.notify_all()

    async def until(self, wanted, count=1, seconds=3 * PATIENCE):
        """Return the first ``count`` of what arrived that are wanted, as soon as there are so many."""

        def found():
            return [one for one in self.all if wanted(one)]

        try:
            async with asyncio.timeout(seconds), self._arrived:
                await self._arrived.wait_for(lambda: len(found()) >= count)
        except TimeoutError:
            raise AssertionError(f"after {seconds} s only: {self.all}") from None
        return found()[:count]


class Posted:
    """One alert of one notification that a webhook got."""

    def __init__(self, notification, alert, token):
        self.receiver, self.token = notification["receiver"], token
        self.status, self.labels, self.annotations = alert["status"], alert["labels"], alert["annotations"]

    def __repr__(self):
        return f"{self.receiver}: {self.status} {self.labels}"

    def is_about(self, name, status):
        return (self.labels["alertname"], self.status) == (name, status)


@asynccontextmanager
async def webhook():
    """Listen as an HTTP server of one's own; yields its address and an inbox of ``Posted``."""
    inbox = Inbox()

    async def answer(reader, writer):
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        fields = dict(line.split(": ", 1) for line in head.splitlines()[1:] if line)
        notification = json.loads(await reader.readexactly(int(fields["Content-Length"])))
        writer.write(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()
        for alert in notification["alerts"]:
            await inbox.add(Posted(notification, alert, fields["Authorization"].removeprefix("Bearer ")))

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/", inbox
