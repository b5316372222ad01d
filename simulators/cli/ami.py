"""``telemon-sim ami``."""

from __future__ import annotations

import asyncio
import os
import time
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

from simulators.site import PREFECTURE
from simulators.truth import to_line
from telemon.cadences import ring_cycle
from telemon.errors import AmiConnectionError, TelemonError
from telemon.instants import from_seconds

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from simulators.ami.faults import Fault
    from simulators.ami.player import Player
    from simulators.ami.server import AmiServer
    from simulators.traffic import Scenario
    from simulators.truth import CallTruth

_FASTEST = "max"
_ASTERISKS_PATIENCE = 0.1  # writetimeout of manager.conf, by default
_READERS_TIME = 60.0  # where time waits for the reader, it is no fault of the reader's to be slow
_REFRESH_SECONDS = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class _Options:
    """What the command line says; ``calendar`` is the scenario's beginning, ``starts_at`` what the clock shows then."""

    host: str
    port: int
    user: str
    secret: str
    scenario: Scenario
    seed: int
    calendar: float
    starts_at: float
    speed: float | None
    calls: int | None
    duration: float | None
    asterisk: str
    faults: list[Fault]
    situations: list[str]
    truth: Path | None
    config: Path | None

    @property
    def waits(self) -> bool:
        """Whether the first call waits for a client: where all would be over too soon, or would have to be seen."""
        return self.speed is None or self.truth is not None


def command(
    *,
    port: Annotated[int, typer.Option(help="TCP port to listen on; 0 takes any free one.")] = 5038,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    user: Annotated[str, typer.Option(help="Manager user that may log in.")] = "telemon",
    secret: Annotated[str, typer.Option(help="That user's secret.")] = "secret",  # noqa: S107 - guards fictitious calls
    scenario: Annotated[str, typer.Option(help="Name of a scenario, or the path of one's own (.toml).")] = "demo",
    seed: Annotated[int, typer.Option(help="The same seed gives the same calls.")] = 1,
    starts_at: Annotated[
        datetime | None,
        typer.Option(
            help="Local time at which the scenario begins; 2026-10-25T01:00:00 is in a night of 25 hours."
            " By default its own date, or now if no service in it ever closes."
        ),
    ] = None,
    speed: Annotated[
        str, typer.Option(help=f"2 tells everything twice as fast; {_FASTEST}: as fast as clients read.")
    ] = "1",
    calls: Annotated[int | None, typer.Option(min=1, help="Stop after so many calls.")] = None,
    duration: Annotated[float | None, typer.Option(min=0.0, help="Real seconds to run at most.")] = None,
    asterisk: Annotated[str, typer.Option(help="Which Asterisk to speak like: 22 or 16.")] = "22",
    fault: Annotated[
        list[str] | None,
        typer.Option(
            help="KIND@SECONDS[+DURATION][=VALUE], any number of times: cut@60, freeze@60+20,"
            " slow@60+20=2000 (bytes/s), lose@60+20=0.05 (share of the events), restart@60+3, kill@60+3,"
            " step@60=-3600 (seconds, of its clock)."
        ),
    ] = None,
    situation: Annotated[
        list[str] | None,
        typer.Option(help="Instead of a scenario, one recorded situation, any number of times; all: every one."),
    ] = None,
    list_situations: Annotated[bool, typer.Option("--list-situations", help="Name every situation, and end.")] = False,
    truth: Annotated[Path | None, typer.Option(help="Write what really became of each call here (NDJSON).")] = None,
    write_config: Annotated[
        Path | None, typer.Option(help="Write a telemon.toml here that measures this switchboard.")
    ] = None,
) -> None:
    """Serve the manager interface (AMI) of a living switchboard, with no Asterisk behind it.

    Events come as a real Asterisk was recorded to tell them. Point any AMI client at it, telemon first of all:

      telemon-sim ami --port 15038

    then log in to 127.0.0.1:15038 as "telemon" with secret "secret". A whole year, and the judge:

      telemon-sim ami --port 15038 --scenario year --speed max --truth truth.ndjson --write-config telemon.toml

      telemon run -c telemon.toml

      telemon-sim compare truth.ndjson telemon.toml

    The first call comes at once; with --speed max or --truth, when a client has logged in. Ctrl-C ends it.
    """
    from simulators.ami.faults import parse_fault
    from simulators.traffic import load_scenario

    if situation and any(text.startswith(("kill", "restart")) for text in fault or ()):
        raise TelemonError(
            "a situation goes on whatever happens: with --situation take faults other than kill, restart"
        )
    if list_situations:
        _list_situations(asterisk)
        return
    loaded, pace = load_scenario(scenario), _speed(speed)
    calendar = loaded.starts_at if starts_at is None else starts_at.replace(tzinfo=ZoneInfo(loaded.zone)).timestamp()
    timeless = not any(service.hours for service in loaded.services.values())
    options = _Options(
        host=host,
        port=port,
        user=user,
        secret=secret,
        scenario=loaded,
        seed=seed,
        calendar=calendar,
        starts_at=time.time() if timeless and starts_at is None and pace else calendar,
        speed=pace,
        calls=calls,
        duration=duration,
        asterisk=asterisk,
        faults=[parse_fault(text) for text in fault or ()],
        situations=situation or [],
        truth=truth,
        config=write_config,
    )
    with suppress(KeyboardInterrupt):
        asyncio.run(_serve(options))


def _list_situations(version: str) -> None:
    from simulators.ami.situations import load_situation, situation_names

    for name in situation_names(version):
        typer.echo(f"{name:27}{load_situation(name, version).what}")


def _speed(text: str) -> float | None:
    if text == _FASTEST:
        return None
    with suppress(ValueError):
        if (speed := float(text)) > 0:
            return speed
    raise TelemonError(f"--speed {text}: give a number above 0, or {_FASTEST}")


async def _serve(options: _Options) -> None:
    """Play the scenario until it is over, the time is up, or the task is cancelled.

    Raises:
        AmiConnectionError: the address cannot be listened on.
        TelemonError: there are no tapes of that Asterisk, or a call that none of them tells.
    """
    from simulators.ami.library import Library
    from simulators.ami.player import Player

    library = Library(options.asterisk)
    async with AsyncExitStack() as running:
        server = await running.enter_async_context(_listening(options))
        take = running.enter_context(_truth_file(options.truth))
        if options.config is not None:
            options.config.write_text(_telemon_toml(options, server.port), "utf-8")
        typer.echo(f"AMI simulator on {options.host}:{server.port}, user {options.user}. Ctrl-C ends it.")
        play = _play_situations if options.situations else _play_scenario
        with suppress(TimeoutError):
            async with asyncio.timeout(options.duration):
                if options.waits:
                    await server.wait_for_client()
                starts_at = server.clock.true_now
                player = Player(server, PREFECTURE, library, starts_at=starts_at, on_truth=take)
                running.callback(lambda: typer.echo(f"{player.over} calls told."))
                await running.enter_async_context(_progress(options, player, starts_at))
                await play(options, player, take)
                await server.wait_until_read()


async def _play_scenario(options: _Options, player: Player, _: Callable[[CallTruth], None]) -> None:
    from simulators.traffic import stream

    items = stream(options.scenario, seed=options.seed, starts_at=options.calendar, limit=options.calls)
    await player.play(items, options.faults)


async def _play_situations(options: _Options, player: Player, take: Callable[[CallTruth], None]) -> None:
    from simulators.ami.situations import CAPTURE_SITE, Programme

    starts_at = from_seconds(player.server.clock.true_now)
    site, version = CAPTURE_SITE.name, options.asterisk
    programme = Programme.of(options.situations, starts_at=starts_at, version=version, site=site, service="standard")
    try:
        await player.play_told(programme, options.faults)
    finally:
        for truth in programme.truths:
            player.over += 1
            take(truth)


@asynccontextmanager
async def _listening(options: _Options) -> AsyncIterator[AmiServer]:
    from simulators.ami.clock import Clock
    from simulators.ami.server import AmiServer
    from simulators.ami.situations import capture_switchboard
    from simulators.ami.switchboard import Switchboard

    clock = Clock(options.starts_at, options.speed)
    server = AmiServer(
        options.host,
        options.port,
        users={options.user: options.secret},
        switchboard=capture_switchboard(clock.now())
        if options.situations
        else Switchboard.of_site(PREFECTURE, booted_at=clock.now()),
        version=options.asterisk,
        clock=clock,
        writetimeout=_ASTERISKS_PATIENCE if options.speed else _READERS_TIME,
    )
    try:
        await server.start()
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        where = f"{options.host}:{options.port}"
        raise AmiConnectionError(
            f"cannot listen on {where}: {reason}. Choose another --port, or 0 for any free one."
        ) from error
    try:
        yield server
    finally:
        await server.close()


@contextmanager
def _truth_file(path: Path | None) -> Iterator[Callable[[CallTruth], None]]:
    if path is None:
        yield lambda _: None
        return
    cycle = ring_cycle("fr")
    with path.open("w", encoding="utf-8") as file:
        yield lambda truth: _ignore(file.write(to_line(truth, cycle)))


def _ignore(_: int) -> None:
    pass


def _telemon_toml(options: _Options, port: int) -> str:
    from simulators.ami.situations import CAPTURE_SITE
    from simulators.telemon_toml import telemon_toml
    from simulators.traffic.almanac import Almanac

    assert options.config is not None
    return telemon_toml(
        CAPTURE_SITE if options.situations else PREFECTURE,
        host=options.host,
        port=port,
        username=options.user,
        secret=options.secret,
        folder=options.config.parent,
        hours={}
        if options.situations
        else {name: traffic.hours for name, traffic in options.scenario.services.items()},
        closed_on=() if options.situations else Almanac(options.scenario).closing_days,
    )


@asynccontextmanager
async def _progress(options: _Options, player: Player, starts_at: float) -> AsyncIterator[None]:
    """Keep a bar up to date on a terminal: by calls if their number is given, else by the scenario's time."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    columns = BarColumn(), TaskProgressColumn(), TimeElapsedColumn(), TextColumn("{task.description}", markup=False)
    total = options.calls or options.scenario.lasts
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as bar:
        task = bar.add_task("", total=total)

        async def update() -> None:
            while True:
                clock, clients = player.server.clock, len(player.server.sessions)
                done = player.over if options.calls else clock.true_now - starts_at
                when = datetime.fromtimestamp(clock.now(), ZoneInfo(options.scenario.zone))
                said = f"{when:%d/%m/%Y %H:%M:%S} · {player.over} calls over, {player.under_way} under way"
                bar.update(task, completed=done, description=f"{said} · {clients} clients")
                await asyncio.sleep(_REFRESH_SECONDS)

        updating = asyncio.create_task(update())
        try:
            yield
        finally:
            updating.cancel()
