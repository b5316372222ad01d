"""A browser, telemon's wallboard in it, and pictures to show on it that no switchboard would show at once."""

import asyncio
import json
import os
import time
from contextlib import asynccontextmanager, suppress
from importlib.resources import files
from pathlib import Path

import jinja2
from fastapi import FastAPI
from playwright.async_api import async_playwright
from starlette.middleware import Middleware
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from telemon.texts import Texts, catalogue
from telemon.wallboard.headers import SecurityHeaders
from telemon.web import listen, server_for
from tests.acceptance.commands import configure, running
from tests.acceptance.simulator_client import told
from tests.browser.wallboard_pictures import a_morning, breached, calm

CHROMIUM = "/usr/bin/chromium"
# As root in a container; and nothing that would ask the network for itself.
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
SCREEN = {"width": 1920, "height": 1080}
PHONE = {"width": 390, "height": 844}
_TABLES = ("wallboard", "outcome", "stage", "gap", "kind", "uncovered")
_WALLBOARD = files("telemon").joinpath("wallboard")
_TEMPLATES = jinja2.Environment(
    autoescape=True,
    loader=jinja2.FileSystemLoader(str(_WALLBOARD.joinpath("templates"))),
    undefined=jinja2.StrictUndefined,
)
_HARMLESS = str.maketrans({"<": r"\u003c", ">": r"\u003e", "&": r"\u0026"})


@asynccontextmanager
async def chromium():
    """Start Debian's Chromium, without a window."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        try:
            yield browser
        finally:
            await browser.close()


class Page:
    """One page, what it complained of, and what it was refused by its Content-Security-Policy."""

    def __init__(self, page):
        self.page = page
        self.complaints: list[str] = []
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _hear(self, said):
        if said.type in {"error", "warning"}:
            self.complaints.append(said.text)

    async def open(self, address):
        await self.page.goto(address, wait_until="load")
        return self.page


@asynccontextmanager
async def a_page(browser, *, viewport=None, **options):
    """Open a page of a browser without a past; ``Page.complaints`` is what it has said of errors."""
    context = await browser.new_context(viewport=viewport or SCREEN, locale="en-GB", **options)
    try:
        yield Page(await context.new_page())
    finally:
        await context.close()


# Telemon itself


@asynccontextmanager
async def living(folder, port, *, open_as="supervisor", more="", tables=""):
    """Run telemon before a simulated switchboard; over loopback, whoever comes has this role."""
    path = configure(folder, port, more=more)
    path.write_text(f'{path.read_text(encoding="utf-8")}open_as = "{open_as}"\n{tables}', encoding="utf-8")
    async with running(path) as daemon:
        yield daemon


async def play(server, plan, *, until=""):
    """Tell a call in real time, up to the last event of this name; return when it began."""
    began = time.time()
    events = told(plan, starts_at=began)
    last = max((place for place, (_, event) in enumerate(events) if event.name == until), default=len(events))
    for at, event in events[: last + 1]:
        await asyncio.sleep(max(0.0, at - time.time()))
        server.emit(event, at)
    return began


_RECORD = """
window.calls_seen = [];
const note = (ring, state) => calls_seen.push([(performance.timeOrigin + performance.now()) / 1000, ring, state]);
addEventListener("DOMContentLoaded", () => new MutationObserver((changes) => {
  for (const { target, addedNodes, removedNodes } of changes) {
    for (const node of addedNodes) if (node.matches?.(".call")) note(Number(node.dataset.ring), node.dataset.state);
    for (const node of removedNodes) if (node.matches?.(".call")) note(null, "gone");
    if (target.matches?.(".call")) note(Number(target.dataset.ring), target.dataset.state);
  }
}).observe(document.getElementById("calls"), { childList: true, subtree: true, attributes: true }));
"""


async def comes(page, expression, seconds=10.0):
    """Wait until an expression is true in the page; Playwright's own way needs an ``eval`` that our policy refuses."""
    async with asyncio.timeout(seconds):
        while not await page.evaluate(expression):  # noqa: ASYNC110 - the page wakes nobody here
            await asyncio.sleep(0.02)


async def record_calls(page):
    """Let a page note, from its start, at what time each call shows which ring and state."""
    await page.add_init_script(_RECORD)


async def recorded(page):
    """Return what was noted: (Unix time, ring, state), with ring None as a call leaves."""
    return [tuple(one) for one in await page.evaluate("calls_seen")]


# Pictures


class Stage:
    """Telemon's own page and policy, showing whatever picture a test puts up; what it is told goes into ``asked``."""

    def __init__(self, picture, *, role="supervisor", max_rings=5, cycle=5.0):
        self.picture = picture
        self.boot = {
            "role": role,
            "site_name": "Préfecture de Loire-Inférieure",
            "cycle": cycle,
            "max_rings": max_rings,
            "rule_set": "qualipref 2026.1",
            "goals": {"lost_below": 0.1, "within_at_least": 0.9},
            "timezone": "Europe/Paris",
            "csrf": "a-token",
        }
        self.history = {"step": 900, "start": [], "answered": [], "lost": [], "within": []}
        self.asked = []
        self.status = 204  # of what is asked
        self.silent = False
        self._listeners = set()
        routes = [
            Route("/wallboard", self._page),
            Route("/sign-in", self._sign_in),
            Route("/wallboard/stream", self._stream),
            Route("/wallboard/history", lambda _: JSONResponse(self.history)),
            Route("/wallboard/callbacks/{id}/done", self._done, methods=["POST"]),
            Mount("/static", StaticFiles(directory=str(_WALLBOARD.joinpath("static")))),
        ]
        self.app = FastAPI(routes=routes, middleware=[Middleware(SecurityHeaders)], openapi_url=None)

    def change(self, **parts):
        """Tell every open page of a change."""
        self._send("change", {"now": time.time(), **parts})

    def cut(self):
        """End every open stream, and answer no new one until ``silent`` is false again."""
        self.silent = True
        for listener in self._listeners:
            listener.put_nowait(None)

    def _send(self, kind, told):
        for listener in self._listeners:
            listener.put_nowait((kind, told))

    def _context(self, request):
        lang = request.query_params.get("lang", "en")
        return {"lang": lang, "texts": Texts(lang), "static": "/static/", "csrf": "a-token", "user": "cdurand"}

    def _page(self, request):
        base = self._context(request)
        words = {key: text for key, text in catalogue(base["lang"]).items() if key.partition(".")[0] in _TABLES}
        boot = {**self.boot, "lang": base["lang"], "words": words, "now": time.time(), "picture": self.picture}
        more = {
            "view": request.query_params.get("view", ""),
            "role": self.boot["role"],
            "site_name": self.boot["site_name"],
            "rule_set": self.boot["rule_set"],
            "max_rings": self.boot["max_rings"],
            "cycle": base["texts"].number(self.boot["cycle"]),
            "boot": json.dumps(boot).translate(_HARMLESS),
        }
        return HTMLResponse(_TEMPLATES.get_template("wallboard.html").render(**base, **more))

    def _sign_in(self, request):
        problem = request.query_params.get("problem", "")
        shown = {**self._context(request), "user": "", "problem": problem}
        return HTMLResponse(_TEMPLATES.get_template("sign_in.html").render(shown))

    async def _stream(self, _):
        if self.silent:
            return Response(status_code=503)
        return StreamingResponse(self._events(), media_type="text/event-stream")

    async def _events(self):
        listener: asyncio.Queue[tuple[str, dict[str, object]] | None] = asyncio.Queue()
        self._listeners.add(listener)
        try:
            yield _event("picture", {**self.picture, "now": time.time()})
            while True:
                with suppress(TimeoutError):
                    said = await asyncio.wait_for(listener.get(), 5)
                    if said is None:
                        return
                    yield _event(*said)
                    continue
                yield _event("beat", {"now": time.time()})
        finally:
            self._listeners.discard(listener)

    async def _done(self, request):
        self.asked.append((request.path_params["id"], request.headers.get("x-csrf-token")))
        return Response(status_code=self.status)


def _event(kind, told):
    return f"event: {kind}\ndata: {json.dumps(told)}\n\n"


@asynccontextmanager
async def staged(picture, **options):
    """Serve a stage; yield it and the address of its wallboard."""
    stage = Stage(picture, **options)
    socket = listen("127.0.0.1", 0)
    server = server_for(stage.app)
    serving = asyncio.create_task(server.serve(sockets=[socket]))
    try:
        yield stage, f"http://127.0.0.1:{socket.getsockname()[1]}/wallboard"
    finally:
        stage.cut()
        server.should_exit = True
        await serving


# Screenshots


async def screenshots(folder):
    """Write a picture of each layout, language and situation into a folder; return their paths."""
    taken = []
    situations = {"calm": calm, "breach": breached}
    layouts = {"screen": SCREEN, "phone": PHONE}
    async with chromium() as browser:
        for situation, picture in situations.items():
            async with staged(picture()) as (stage, address):
                stage.history = a_morning()
                for layout, viewport in layouts.items():
                    for lang in ("fr", "en"):
                        path = Path(folder) / f"wallboard-{layout}-{situation}-{lang}.png"
                        async with a_page(browser, viewport=viewport, device_scale_factor=1) as one:
                            await _shoot(one, f"{address}?lang={lang}", path, full_page=layout == "phone")
                        taken.append(path)
    return taken


async def _shoot(one, address, path, *, full_page):
    page = await one.open(address)
    await page.wait_for_selector("html[data-stream=live] #curve canvas", state="attached")
    await page.evaluate("document.fonts.ready")
    await page.screenshot(path=path, full_page=full_page, animations="disabled")


if __name__ == "__main__":
    asyncio.run(screenshots(os.environ.get("SCREENSHOTS", ".")))
