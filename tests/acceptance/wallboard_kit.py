"""A wallboard without the daemon: a switchboard simulated in this process, one link to it, the pages served."""

import asyncio
import json
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import httpx

from telemon.ami.link import Link, wall_clock
from telemon.callbacks.keeping import Callbacks
from telemon.config import Config, LedgerConfig
from telemon.config_pbx import PbxConfig
from telemon.config_service import ServiceConfig
from telemon.config_web import UserConfig, WebConfig
from telemon.figures.places import sites_of
from telemon.ledger.pseudonym_key import load_or_create_key
from telemon.ledger.store import open_ledger
from telemon.ledger.writer import LedgerWriter
from telemon.metrics import Metrics
from telemon.parts import observer_of, peer_of
from telemon.records import ServiceKind
from telemon.wallboard.board import Wallboard
from telemon.wallboard.passwords import hash_password
from telemon.wallboard.roles import Role
from telemon.wallboard.scene import DayFigures
from telemon.web import application, listen, server_for
from tests.acceptance.shell import SECRET, until
from tests.acceptance.simulator_client import DDI

CYCLE = 5_000_000
PASSWORD = "correct horse battery staple"
_HASH = hash_password(PASSWORD)  # one for all: each takes a while
USERS = tuple(UserConfig(name=role.value, role=role, password=_HASH) for role in Role)
STANDARD = ServiceConfig(name="standard", ddis=(DDI,), queues=("standard",))
PERMANENCE = ServiceConfig(name="permanence", kind=ServiceKind.PERMANENCE, ddis=("0102030499",), queues=("permanence",))


class Days:
    """The day's figures, counted from the calls that this process saw end."""

    def __init__(self):
        self.days: dict[tuple[str, str], DayFigures] = {}

    def day(self):
        return self.days

    def finished(self, site, records):
        for record in records:
            key = site, record.service
            day = self.days.get(key, DayFigures(0, 0, 0, None, None, None))
            answered = day.answered + (record.outcome == "answered")
            lost = day.lost + (record.outcome in {"abandoned", "unanswered", "diverted", "busy"})
            rings = record.ring_duration
            within = day.within + (record.outcome == "answered" and rings is not None and rings < 4 * CYCLE)
            self.days[key] = DayFigures(
                answered,
                lost,
                within,
                (lost / (answered + lost),) * 3 if answered + lost else None,
                (within / answered,) * 3 if answered else None,
                lost < 0.1 * (answered + lost) if answered + lost else None,
            )


@dataclass
class Stand:
    """What a test sees of it."""

    config: Config
    links: list[Link]
    board: Wallboard
    engine: object
    ledger: LedgerWriter
    address: str
    days: Days = field(default_factory=Days)

    def client(self, **options):
        return httpx.AsyncClient(base_url=self.address, timeout=5, **options)

    @asynccontextmanager
    async def signed_in(self, name, password=PASSWORD):
        async with self.client() as client:
            answer = await sign_in(client, name, password)
            assert answer.status_code == 303, answer.text
            yield client


def origin(client):
    return {"Origin": str(client.base_url).rstrip("/")}


async def sign_in(client, name, password=PASSWORD, **headers):
    return await client.post("/sign-in", data={"user": name, "password": password}, headers=origin(client) | headers)


def boot_of(page):
    """Return what a page's script begins with."""
    said = page.partition('<script type="application/json" id="boot">')[2].partition("</script>")[0]
    return json.loads(said)


class Stream:
    """What one open stream brings, message by message."""

    def __init__(self, answer):
        self._lines = answer.aiter_lines()

    async def next(self, *kinds, seconds=5.0):
        """Return the next message of these kinds, as (kind, id, data)."""
        async with asyncio.timeout(seconds):
            while True:
                said = await self._message()
                if said.get("event") in (kinds or ("picture", "change")):
                    return said["event"], said.get("id"), json.loads(said["data"])

    async def _message(self):
        said: dict[str, str] = {}
        async for line in self._lines:
            if not line and said:
                return said
            name, _, value = line.partition(": ")
            if name:
                said[name] = value
        raise EOFError("the stream has ended")


@asynccontextmanager
async def streaming(client, **options):
    async with client.stream("GET", "/wallboard/stream", **options) as answer:
        assert answer.status_code == 200, await answer.aread()
        yield Stream(answer)


def config_of(folder, ami_port, *, services=(STANDARD,), users=USERS, pbx=None, callbacks=None, **web):
    told_late = {"clock_tolerance_seconds": 3600}  # what a test tells of the past is no clock that was set
    own = pbx or (PbxConfig.model_validate({"name": "pbx", "port": ami_port or 9, "secret": SECRET, **told_late}),)
    settings = {} if callbacks is None else {"callbacks": callbacks}
    return Config(
        site="beauvais",
        pbx=own,
        service=services,
        user=users,
        ledger=LedgerConfig(url=f"sqlite:///{folder}/ledger.db", key_file=folder / "telemon.key"),
        web=WebConfig.model_validate({"port": 0, **web}),
        **settings,
    )


@asynccontextmanager
async def standing(config, *, clock=wall_clock, days=None, connect=True):
    """Serve the wallboard of this configuration until the block ends."""
    engine = open_ledger(config.ledger.url)
    ledger = LedgerWriter(engine, key=load_or_create_key(config.ledger.key_file), ring_cycle=CYCLE)
    callbacks = Callbacks(config, engine, clock=clock)
    links = []

    def take(records):
        days.finished(config.site, records)
        callbacks.finished(records)
        board.finished(records)
        for record in records:
            ledger.put(record)

    for pbx in config.pbx:
        links.append(Link(peer_of(pbx), observer_of(config, pbx), take))
        callbacks.attend(links[-1].observer)
    days = days or Days()
    board = Wallboard(config, links, engine=engine, ledger=ledger, figures=days, callbacks=callbacks, clock=clock)
    metrics = Metrics(sites_of(config), CYCLE, links, ledger)
    server = server_for(application(metrics, links, ledger, board.routes))
    listening = listen(config.web.host, config.web.port)
    host, port = listening.getsockname()[:2]
    tasks = [asyncio.create_task(link.run()) for link in links] if connect else []
    tasks.append(asyncio.create_task(board.run()))
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        await until(lambda: server.started and all(link.connected for link in links if connect))
        yield Stand(config, links, board, engine, ledger, f"http://{host}:{port}", days)
    finally:
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await task
        server.should_exit = True
        await serving
        ledger.close(2)
        engine.dispose()
