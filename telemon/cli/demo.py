"""``telemon demo``."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import tempfile
import time
import webbrowser
from collections import Counter, deque
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from pydantic_settings import SettingsConfigDict
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from telemon.ami.link import wall_clock
from telemon.cadences import ring_cycle, rings_if_any
from telemon.cli.tables import LOST_STYLE, outcome_text
from telemon.config import Config, LedgerConfig
from telemon.config_pbx import PbxConfig
from telemon.config_service import ServiceConfig
from telemon.config_web import WebConfig
from telemon.instants import to_datetime, to_seconds
from telemon.records import Outcome
from telemon.texts import text
from telemon.wallboard.roles import Role

if TYPE_CHECKING:
    from simulators.ami.server import AmiServer
    from simulators.site import Site
    from telemon.calls import Call
    from telemon.daemon import Daemon
    from telemon.records import CallRecord

REFRESH_SECONDS = 0.25
LAST_SHOWN = 8
PROMISED_RINGS = 5
OPENING_SEED = 2196  # its first ten seconds show all there is to see: rings, answers, a lost call


def command(
    seconds: Annotated[float | None, typer.Option("--seconds", min=1, help=text()("cli.demo_seconds"))] = None,
    seed: Annotated[int, typer.Option("--seed", help=text()("cli.demo_seed"))] = OPENING_SEED,
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help=text()("cli.demo_port"))] = 9714,
    *,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help=text()("cli.demo_browser"))] = True,
) -> None:
    """Show a living switchboard."""
    logging.basicConfig(level=logging.ERROR)
    with tempfile.TemporaryDirectory(prefix="telemon-demo-") as folder, suppress(KeyboardInterrupt):
        asyncio.run(_show(Path(folder), seconds, seed, port, browser=browser))


async def _show(folder: Path, seconds: float | None, seed: int, port: int, *, browser: bool) -> None:
    from simulators.ami.server import AmiServer
    from simulators.ami.switchboard import Switchboard
    from simulators.site import PREFECTURE
    from telemon.daemon import Daemon

    secret = "demo"  # noqa: S105 - guards fictitious calls on loopback
    board = Switchboard.of_site(PREFECTURE, booted_at=time.time())
    async with AmiServer(users={"telemon": secret}, switchboard=board) as server:
        view = _View()
        daemon = Daemon(_config(PREFECTURE, folder, server.port, secret, port), view.take)
        view.daemon = daemon
        async with asyncio.TaskGroup() as group:
            running = group.create_task(daemon.run())
            playing = group.create_task(_play(server, PREFECTURE, seed))
            showing = group.create_task(view.show())
            if browser and _has_screen():
                await asyncio.to_thread(webbrowser.open, daemon.address)
            await asyncio.wait({running}, timeout=seconds)
            daemon.stop()
            await asyncio.wait({running})
            playing.cancel()
            showing.cancel()
    Console().print(text()("demo.end"), markup=False)


def _has_screen() -> bool:
    """Whether a browser can have a window; one within this terminal would hide the rest."""
    has_window = sys.platform == "darwin" or bool({"DISPLAY", "WAYLAND_DISPLAY"} & os.environ.keys())
    return sys.stdout.isatty() and has_window


async def _play(server: AmiServer, site: Site, seed: int) -> None:
    """Play one day of calls after the other, as soon as telemon listens."""
    from simulators.ami.library import Library
    from simulators.ami.player import Player
    from simulators.traffic import load_scenario, stream

    scenario, library = load_scenario("demo"), Library()
    await server.wait_for_client()
    for day in count():
        player = Player(server, site, library, starts_at=server.clock.true_now, on_truth=lambda _: None)
        await player.play(stream(scenario, seed=seed + day))


class _DemoConfig(Config):
    """What the environment sets for a real switchboard, its ledger above all, is not for the demo."""

    model_config = SettingsConfigDict(env_prefix="TELEMON_DEMO_")


def _config(site: Site, folder: Path, ami_port: int, secret: str, web_port: int) -> Config:
    return _DemoConfig(
        site="demo",
        pbx=(PbxConfig.model_validate({"name": "demo", "port": ami_port, "secret": secret}),),
        service=tuple(
            ServiceConfig(name=line.service, kind=line.kind, ddis=(line.ddi,), queues=line.queues)
            for line in site.lines
        ),
        ledger=LedgerConfig(url=f"sqlite:///{folder}/demo.db", key_file=folder / "demo.key"),
        web=WebConfig(port=web_port, open_as=Role.SUPERVISOR),
    )


class _View:
    """What the terminal shows: a picture that refreshes, or, where there is no terminal, a line per change."""

    daemon: Daemon

    def __init__(self) -> None:
        self.last: deque[CallRecord] = deque(maxlen=LAST_SHOWN)
        self.outcomes: Counter[Outcome] = Counter()
        self.kept = 0
        self._cycle = ring_cycle("fr")
        self._console = Console(highlight=False)
        self._said: dict[str, str] = {}

    def take(self, record: CallRecord) -> None:
        self.last.appendleft(record)
        self.outcomes[record.outcome] += 1
        rings = rings_if_any(record.ring_duration, self._cycle)
        self.kept += record.outcome is Outcome.ANSWERED and rings is not None and rings < PROMISED_RINGS

    async def show(self) -> None:
        if not sys.stdout.isatty():
            self._console.print(text()("demo.address", address=self.daemon.address), markup=False)
            while True:
                self._say_changes()
                await asyncio.sleep(REFRESH_SECONDS)
        with Live(console=self._console, refresh_per_second=1 / REFRESH_SECONDS, screen=False) as live:
            while True:
                live.update(self._picture())
                await asyncio.sleep(REFRESH_SECONDS)

    def _open_calls(self) -> list[Call]:
        return [call for link in self.daemon.links for call in link.observer.tracker.open_calls()]

    def _state(self, call: Call) -> Text:
        """Return in words where the caller is; from the fifth ring on in the colour of a broken promise."""
        say = text()
        if call.answered_at is not None:
            return Text(say("demo.talking", operator=call.answered_by or ""), style="blue")
        rings = rings_if_any(max(0, wall_clock() - call.alerting_at), self._cycle) if call.alerting_at else None
        if not call.waiting or rings is None:
            return Text(say("demo.machine"), style="dim")
        return Text(say("demo.ringing", ring=rings), style="bold" if rings < PROMISED_RINGS else LOST_STYLE)

    def _picture(self) -> Group:
        say = text()
        now = Table(title=say("demo.now"), expand=True)
        for key in ("calls.service", "calls.ddi", "calls.caller", "demo.state"):
            now.add_column(say(key))
        for call in self._open_calls():
            if call.service is not None:
                now.add_row(call.service.name, call.ddi, Text(call.caller), self._state(call))
        over = Table(title=say("demo.over"), expand=True)
        for key in (
            "calls.arrived",
            "calls.service",
            "calls.outcome",
            "calls.rings",
            "calls.wait",
            "calls.answered_by",
        ):
            over.add_column(say(key))
        for record in self.last:
            over.add_row(*self._over(record))
        return Group(now, over, Text(self._total()), Text(say("demo.address", address=self.daemon.address)))

    def _over(self, record: CallRecord) -> list[Text]:
        say = text()
        wait = record.wait_duration
        return [
            Text(say.clock(to_datetime(record.arrived_at), to_datetime(record.arrived_at).astimezone().tzinfo)),  # type: ignore[arg-type]  # astimezone() always sets one
            Text(record.service),
            outcome_text(record.outcome),
            Text(say.number(rings_if_any(record.ring_duration, self._cycle), 0)),
            Text(f"{say.number(None if wait is None else to_seconds(wait), 1)} s"),
            Text(record.answered_by or ""),
        ]

    def _total(self) -> str:
        answered = self.outcomes[Outcome.ANSWERED]
        return text()("demo.total", total=self.outcomes.total(), answered=answered, kept=self.kept)

    def _say_changes(self) -> None:
        for call in self._open_calls():
            state = self._state(call).plain
            if self._said.get(call.call_id) != state and call.service is not None:
                self._said[call.call_id] = state
                self._console.print(
                    f"{call.service.name:<11} {call.ddi}  {call.caller:<12} {state}", markup=False, soft_wrap=True
                )
        while self.last:
            record = self.last.pop()
            self._said.pop(record.call_id, None)
            cells = "  ".join(cell.plain for cell in self._over(record) if cell.plain)
            self._console.print(
                f"{record.service:<11} {record.ddi}  {record.caller:<12} {cells}", markup=False, soft_wrap=True
            )
