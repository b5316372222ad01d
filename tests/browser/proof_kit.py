"""A stand on which dashboards are tried: two simulated switchboards, telemon, a real Prometheus with a past."""

import asyncio
import json
import signal
import time
from collections import Counter
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from heapq import merge
from pathlib import Path
from zoneinfo import ZoneInfo

import httpx
from prometheus_client.parser import text_string_to_metric_families

from simulators.ami.access import User
from simulators.ami.casting import cast
from simulators.ami.library import Library
from simulators.ami.server import AmiServer
from simulators.ami.switchboard import Switchboard
from simulators.ami.telling import Caller, tell
from simulators.site import PREFECTURE
from simulators.traffic import draw, load_scenario
from telemon.instants import SECOND, from_seconds
from telemon.records import Outcome
from tests.acceptance.commands import running, telemon
from tests.acceptance.monitoring_kit import Prometheus, prometheus
from tests.acceptance.shell import SECRET, plan, split
from tests.browser.past_kit import openmetrics, write_ledger

ROOT = Path(__file__).parents[2]
SITES = {"pref31": "toulouse", "pref65": "tarbes"}  # site: its PBX
SERVICES = ("standard", "titres", "permanence", "crise")
NIGHT_SWITCH = "Custom:telemon-night"
_BY_DAY = f'hours = ["mon-sun 06:00-22:00"]\noutside_hours = "permanence"\nnight_switch = "{NIGHT_SWITCH}"\n'
# What telemon shows later than the rest, once it has read its ledger.
_LAST_SHOWN = ("\ntelemon_permanence_covered{", "\ntelemon_coverage{", 'period="month",rate="lost"')
WAIT_SECONDS = 180.0  # until a test gives up; telemon has to sum up two months
TOKEN = "correct-horse-battery-staple"
_LINES = {line.service: line for line in PREFECTURE.lines}
_CALLS, _SEEDS = 60, {"pref31": 2196, "pref65": 31}
_LIBRARY = Library()


def noon_zone():
    """Return a time zone in which it is about two in the afternoon, so that no test meets a midnight."""
    ahead = (14 - datetime.now(UTC).hour + 12) % 24 - 12  # hours east, -12…11
    return f"Etc/GMT{-ahead:+d}" if ahead else "Etc/GMT"


class Pbx(AmiServer):
    """A simulated switchboard that calls are told to at once, stamped with the times at which they were."""

    @classmethod
    def ready(cls):
        board = Switchboard.of_site(PREFECTURE, booted_at=time.time() - 86_400)
        board.devices[NIGHT_SWITCH] = "NOT_INUSE"
        users: dict[str, User | str] = {"telemon": SECRET}
        users["telemon-originate"] = User(SECRET, read="call", write="originate")
        return cls(users=users, switchboard=board)

    def told(self, call, starts_at):
        caller = Caller(number=call.caller, ddi=call.ddi, arrives_at=from_seconds(starts_at))
        parts = cast(call, _LINES[call.service], _LIBRARY)
        extensions = {phone: number for number, phone in PREFECTURE.extensions.items()}
        events = tell(caller, parts, self.numbers, members=self.switchboard.member_names, extensions=extensions)
        return [(at / SECOND, event) for at, event in events]

    def tell(self, events):
        for at, event in events:
            self.emit(event, at)

    def tell_calls(self, seed):
        """Tell calls of every kind that all are over by now; return them."""
        drawn = draw(load_scenario("demo"), seed=seed, limit=_CALLS)
        calls = [call for call in drawn.calls if call.service in SERVICES]
        first = time.time() - 30 - max(call.arrives_at + call.expected.ended_after for call in calls if call.expected)
        self.tell(merge(*(self.told(call, first + call.arrives_at) for call in calls), key=lambda one: one[0]))
        return calls

    def tell_waiting(self, caller, *, seconds):
        """Tell a call that has rung for so long and rings on; return what is left to tell of it."""
        call = plan(caller, patience=3600.0)
        rest = split(self.told(call, time.time() - seconds), "DialState", last=False)
        self.tell(rest[0])
        return rest[1]


@dataclass
class Stand:
    """What runs, and how to ask it."""

    folder: Path
    zone: ZoneInfo
    pbxs: dict[str, Pbx] = field(default_factory=dict)
    calls: Counter[tuple[str, str, Outcome]] = field(default_factory=Counter)  # by site, service: the truth
    address: str = ""  # telemon's
    prometheus: Prometheus = None  # type: ignore[assignment]  # as soon as it runs

    async def until(self, query):
        """Wait until a query finds something."""
        await self.prometheus.until(lambda: self.prometheus.query(query), bool, WAIT_SECONDS)

    async def go_blind(self, site):
        """Freeze a site's PBX until Prometheus knows that nothing is seen of it."""
        self.pbxs[site].freeze()
        await self.until(f'telemon_observation_seeing{{pbx="{SITES[site]}"}} == 0')

    async def see_again(self, site):
        self.pbxs[site].thaw()
        await self.until(f'telemon_observation_seeing{{pbx="{SITES[site]}"}} == 1')

    async def command(self, *arguments):
        """Run a telemon command, and return what it prints."""
        status, output, errors = await telemon(*arguments, cwd=self.folder)
        assert status == 0, errors
        return output

    async def lines(self, *arguments):
        return [json.loads(line) for line in (await self.command(*arguments, "-f", "ndjson")).splitlines()]


def _configuration(stand):
    now = datetime.now(UTC)
    roster = "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//test//EN\nBEGIN:VEVENT\nUID:1\nSUMMARY:Camille Durand\n"
    roster += f"DTSTART:{now - timedelta(days=61):%Y%m%dT%H%M%SZ}\nDTEND:{now + timedelta(hours=60):%Y%m%dT%H%M%SZ}\n"
    (stand.folder / "duty.ics").write_text(f"{roster}END:VEVENT\nEND:VCALENDAR\n", "utf-8")
    (stand.folder / "token").write_text(TOKEN, "utf-8")
    (stand.folder / "originate").write_text(SECRET, "utf-8")
    first = next(iter(SITES))
    pbxs = "".join(
        f'[[pbx]]\nname = "{name}"\nsite = "{site}"\nport = {stand.pbxs[site].port}\nsecret = "{SECRET}"\n'
        "clock_tolerance_seconds = 1e9\n"  # a day is told in a moment
        f'ping_seconds = 1\noriginate_secret_file = "{stand.folder}/originate"\n'
        for site, name in SITES.items()
    )
    services = "".join(
        f'[[service]]\nname = "{name}"\nkind = "{_LINES[name].kind.value}"\nddis = ["{_LINES[name].ddi}"]\n'
        f"queues = {json.dumps(_LINES[name].queues)}\n" + (_BY_DAY * (name == "standard"))
        for name in SERVICES
    )
    return (
        f'site = "{first}"\ntimezone = "{stand.zone.key}"\nprobe_callers = ["0102030499"]\n'
        f'{pbxs}{services}[[officer]]\nid = "camille"\nname = "Camille Durand"\nphones = ["PJSIP/duty"]\n'
        f'[roster]\ncalendar = "{stand.folder}/duty.ics"\n[probe]\nseconds = 20\nconfirm = false\n'
        f'[crisis]\nstaff = 3\n[ledger]\nurl = "sqlite:///{stand.folder}/telemon.db"\n'
        f'key_file = "{stand.folder}/telemon.key"\n'
        f'[web]\nport = 0\ntoken_file = "{stand.folder}/token"\n'
    )


async def _samples(stand):
    """Return (name, labels, value) of all that telemon shows, as soon as that is complete."""
    async with httpx.AsyncClient() as client, asyncio.timeout(WAIT_SECONDS):
        while True:
            page = (await client.get(f"{stand.address}/metrics")).text
            if all(words in page for words in _LAST_SHOWN):
                break
            await asyncio.sleep(0.1)
    families = text_string_to_metric_families(page)
    return [(sample.name, sample.labels, sample.value) for family in families for sample in family.samples]


async def _blocks(stand):
    """Make a past for Prometheus of the series that telemon shows now; return the folder."""
    scraped = {"job": "telemon", "instance": stand.address.removeprefix("http://")}
    samples = [(name, {**labels, **scraped}, value) for name, labels, value in await _samples(stand)]
    past, data = stand.folder / "past.om", stand.folder / "blocks"
    past.write_text(openmetrics(samples, datetime.now(stand.zone)), "utf-8")
    process = await asyncio.create_subprocess_exec(
        "promtool", "tsdb", "create-blocks-from", "openmetrics", "--max-block-duration=744h", past, data,
        stdout=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    assert await process.wait() == 0
    return data


async def _happen(stand):
    """Let everything happen that a panel shows: a gap, calls, a test call, an exercise, callers who wait."""
    await stand.go_blind("pref65")
    await stand.see_again("pref65")
    for site, pbx in stand.pbxs.items():
        told = pbx.tell_calls(_SEEDS[site])
        stand.calls += Counter((site, call.service, call.expected.outcome) for call in told if call.expected)
    await stand.command("probe")
    await stand.command("crisis", "start", "--exercise", "-t", "Exercice inondation")
    for person in ("Ana", "Bo"):
        await stand.command("crisis", "join", person)
    for number, seconds in enumerate((2, 8, 14, 23)):
        stand.pbxs["pref31"].tell_waiting(f"019900900{number}", seconds=seconds)
    stand.pbxs["pref65"].tell_waiting("0199009010", seconds=4)


@asynccontextmanager
async def stand(folder):
    """Start everything, let it happen, and wait until Prometheus knows."""
    here = Stand(folder, ZoneInfo(noon_zone()))
    async with AsyncExitStack() as stack:
        for site in SITES:
            here.pbxs[site] = await stack.enter_async_context(Pbx.ready())
        config = folder / "telemon.toml"
        config.write_text(_configuration(here), "utf-8")
        here.calls += write_ledger(f"sqlite:///{folder}/telemon.db", SITES, datetime.now(UTC), here.zone)
        daemon = await stack.enter_async_context(running(config, connected=len(SITES)))
        here.address = daemon.address
        blocks = await _blocks(here)
        here.prometheus = await stack.enter_async_context(prometheus(folder, daemon.address, data=blocks))
        await _happen(here)
        for query in ("telemon_calls_waiting > 3", "telemon_crisis_open == 1", "telemon_probes_total > 0"):
            await here.until(query)
        yield here
        await daemon.stop(signal.SIGTERM)
