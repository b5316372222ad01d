"""The committed dashboards as Grafana would show them: queries with every value of their variables, and a page."""

import asyncio
import functools
import http.server
import json
import os
import re
import tempfile
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
BUILT = ROOT / "tests/browser/grafana/dist"
ALL = "$__all"
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def artefacts():
    """Return the folder, outside git, in which screenshots are kept."""
    folder = Path(os.environ.get("TELEMON_ARTEFACTS") or Path(tempfile.gettempdir()) / "telemon-artefacts")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def dashboards(language):
    """Return the committed dashboards of one language by their slugs."""
    files = sorted((ROOT / "dashboards/grafana" / language).glob("*.json"))
    return {file.stem: json.loads(file.read_text("utf-8")) for file in files}


def variables(dashboard):
    return dashboard["templating"]["list"]


def queries(dashboard):
    """Yield (panel, target) of each query of each panel; an annotation is a panel of its own."""
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            yield panel, target
    for annotation in dashboard["annotations"]["list"]:
        yield {"id": annotation["target"]["refId"]}, {**annotation["target"], "range": True}


# -- what Grafana writes in place of the variables


def escaped(text):
    """Escape a value as @grafana/prometheus does one of a variable that may have several."""
    return re.sub(r"([$^*{}\[\]'+?.()|])", r"\\\\\1", text.replace("\\", "\\\\\\\\"))


def shown_seconds(dashboard):
    """Return how long the time shown is, where it is not since midnight: then a day."""
    found = re.fullmatch(r"now-(\d+)([smhd])", dashboard["time"]["from"])
    return int(found[1]) * SECONDS[found[2]] if found else SECONDS["d"]


def filled(text, chosen, several, *, seconds=3600, step=15):
    """Replace variables; ``several`` names those that may have several values."""
    times = {
        "__range": f"{seconds}s",
        "__range_s": seconds,
        "__interval": f"{step}s",
        "__rate_interval": f"{step + 15}s",
    }
    for name in several & chosen.keys():
        # Every variable's allValue is this; a test holds them to it.
        times[name] = ".*" if chosen[name] == ALL else escaped(chosen[name])
    values = {**chosen, **times}
    return re.sub(r"\$\{?(\w+)\}?", lambda found: str(values.get(found[1], found[0])), text)


def of_several(dashboard):
    return {variable["name"] for variable in variables(dashboard) if variable["multi"]}


async def values_of(stand, variable, chosen, several):
    """Return a variable's values, as Prometheus has them: ``label_values(selector, label)``."""
    found = re.fullmatch(r"label_values\((.+), (\w+)\)", variable["query"]["query"])
    assert found, variable["query"]
    matching = {"match[]": filled(found[1], chosen, several), "start": time.time() - 3600, "end": time.time()}
    return (await stand.prometheus.get(f"/api/v1/label/{found[2]}/values", **matching))["data"]


async def choices(stand, dashboard):
    """Return every combination of one value (or all) of each variable."""
    several = of_several(dashboard)
    everything: dict[str, str] = {}
    known = {}
    for variable in variables(dashboard):
        known[variable["name"]] = await values_of(stand, variable, everything, several)
        assert known[variable["name"]], variable["query"]
        everything[variable["name"]] = ALL
    options = [[*[ALL] * variable["includeAll"], *known[variable["name"]]] for variable in variables(dashboard)]
    return [dict(zip(known, combination, strict=True)) for combination in product(*options)]


async def answer(stand, target, dashboard, chosen):
    """Ask what one query asks, as the data source does, up to now; return pairs of labels and value or values."""
    seconds = shown_seconds(dashboard)
    wanted = re.fullmatch(r"(\d+)([smhd])", target.get("interval") or "15s")
    assert wanted, target
    step = max(int(wanted[1]) * SECONDS[wanted[2]], seconds // 500)
    query = filled(target["expr"], chosen, of_several(dashboard), seconds=seconds, step=step)
    assert "$" not in query, query
    if not target.get("range"):
        return await stand.prometheus.query(query)
    now = time.time()
    return await stand.prometheus.query_range(query, now - seconds // step * step, now, step)


# -- the page


_FULL = "[data-testid=values], [data-testid=curves], [role=table], [data-testid=block]"


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        """Say nothing."""


@contextmanager
def served(folder=BUILT):
    """Serve the built page; yield its address."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Quiet, directory=folder))
    serving = threading.Thread(target=server.serve_forever)
    serving.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        serving.join()
        server.server_close()


@dataclass
class Shown:
    """One dashboard in a browser: the page, what it complained of, and the queries that it sent."""

    page: Any
    complaints: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def _complain(self, said):
        if said.type in {"error", "warning"}:
            self.complaints.append(said.text)

    def _miss(self, response):
        if response.status >= 400:
            self.complaints.append(f"{response.status}: {response.url}")

    def _hear(self, request):
        if "/api/v1/query" in request.url:
            self.asked.append(request.post_data_json["query"])

    @classmethod
    async def open(cls, browser, address, dashboard, stand, *, refresh=None):
        """Show a dashboard on a new page, fed by a stand's Prometheus; ``refresh`` is instead of its own."""
        page = await browser.new_page(viewport={"width": 1600, "height": 1000}, timezone_id=stand.zone.key)
        shown = cls(page)
        page.on("console", shown._complain)
        page.on("response", shown._miss)
        page.on("pageerror", lambda error: shown.complaints.append(str(error)))
        page.on("request", shown._hear)
        given = {"json": dashboard, "refresh": refresh, "mode": "dark"}
        given |= {"prometheus": stand.prometheus.address, "timeZone": stand.zone.key}
        await page.add_init_script(f"window.dashboard = {json.dumps(given)}")
        await page.goto(f"{address}/index.html")
        await shown.settled(len(dashboard["panels"]))
        return shown

    async def settled(self, panels):
        """Wait until each panel shows something, if only that there is nothing, and no query is under way."""
        await self.page.wait_for_function(
            "count => document.querySelectorAll('[data-viz-panel-key]').length === count"
            " && [...document.querySelectorAll('[data-viz-panel-key]')].every((panel) =>"
            f" panel.querySelector('{_FULL}, [data-testid=no-data]'))",
            arg=panels,
        )
        await self.page.wait_for_load_state("networkidle")

    def panel(self, number):
        return self.page.locator(f"[data-viz-panel-key='panel-{number}']")

    async def errors(self):
        """Return what queries failed with."""
        return await self.page.evaluate("window.queryErrors")

    async def empty(self):
        """Return the numbers of the panels that have nothing to show, or nothing yet."""
        keys = await self.page.locator(f"[data-viz-panel-key]:not(:has({_FULL}))").evaluate_all(
            "panels => panels.map((panel) => panel.dataset.vizPanelKey)"
        )
        return {int(key.removeprefix("panel-")) for key in keys}

    async def full(self):
        """Wait for the curves of what has only just begun: the next refresh has them, or the next but one."""

        async def is_so():
            return not await self.empty()

        with suppress(TimeoutError):  # who asks for what is empty is told
            await self.until(is_so)

    async def colors(self, number):
        """Return the colours of a stat's tiles, in the order in which they stand."""
        tiles = self.panel(number).locator("[data-testid=big-value]")
        return await tiles.evaluate_all("tiles => tiles.map((tile) => tile.dataset.color)")

    async def text(self, number):
        return await self.panel(number).inner_text()

    async def choose(self, label, value):
        """Choose one value of a variable, as with a mouse."""
        await self.page.get_by_label(label, exact=True).click()
        await self.page.get_by_role("option").filter(has_text=value).click()
        await self.page.keyboard.press("Tab")  # what was chosen holds when the list closes

    async def until(self, is_so, seconds=30):
        """Wait until something holds that the page brings about."""
        async with asyncio.timeout(seconds):
            while not await is_so():  # noqa: ASYNC110 - nobody tells this process of a change in the page
                await asyncio.sleep(0.05)

    async def shoot(self, path):
        await self.page.screenshot(path=path, full_page=True)
