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
from simulators.truth import check_writable, to_line
from telemon.cadences import ring_cycle
from telemon.errors import AmiConnectionError, TelemonError
from telemon.instants import from_seconds
from telemon.texts import text

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from simulators.ami.faults import Fault
    from simulators.ami.player import Player
    from simulators.ami.queue_log import LoggingServer
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
    queue_log: Path | None

    @property
    def waits(self) -> bool:
        """Whether the first call waits for a client: where all would be over too soon, or would have to be seen."""
        return self.speed is None or self.truth is not None


def command(
    *,
    port: Annotated[int, typer.Option(help=text()("sim_ami.option_port"))] = 5038,
    host: Annotated[str, typer.Option(help=text()("sim_ami.option_host"))] = "127.0.0.1",
    user: Annotated[str, typer.Option(help=text()("sim_ami.option_user"))] = "telemon",
    secret: Annotated[str, typer.Option(help=text()("sim_ami.option_secret"))] = "secret",  # noqa: S107 - guards fictitious calls
    scenario: Annotated[str, typer.Option(help=text()("sim_ami.option_scenario"))] = "demo",
    seed: Annotated[int, typer.Option(help=text()("sim.option_seed"))] = 1,
    starts_at: Annotated[datetime | None, typer.Option(help=text()("sim_ami.option_starts_at"))] = None,
    speed: Annotated[str, typer.Option(help=text()("sim_ami.option_speed", fastest=_FASTEST))] = "1",
    calls: Annotated[int | None, typer.Option(min=1, help=text()("sim_ami.option_calls"))] = None,
    duration: Annotated[float | None, typer.Option(min=0.0, help=text()("sim_ami.option_duration"))] = None,
    asterisk: Annotated[str, typer.Option(help=text()("sim_ami.option_asterisk"))] = "22",
    fault: Annotated[list[str] | None, typer.Option(help=text()("sim_ami.option_fault"))] = None,
    situation: Annotated[list[str] | None, typer.Option(help=text()("sim_ami.option_situation"))] = None,
    list_situations: Annotated[
        bool, typer.Option("--list-situations", help=text()("sim_ami.option_list_situations"))
    ] = False,
    truth: Annotated[Path | None, typer.Option(help=text()("sim_ami.option_truth"))] = None,
    write_config: Annotated[Path | None, typer.Option(help=text()("sim_ami.option_write_config"))] = None,
    queue_log: Annotated[Path | None, typer.Option(help=text()("sim_ami.option_queue_log"))] = None,
) -> None:
    """Serve the manager interface of a living switchboard, with no Asterisk behind it, until it is over or Ctrl-C.

    Raises:
        TelemonError: an option says what cannot be, or the address cannot be listened on.
    """
    from simulators.ami.faults import parse_fault
    from simulators.traffic import load_scenario

    if situation and any(given.startswith(("kill", "restart")) for given in fault or ()):
        raise TelemonError(text()("sim_ami.situation_faults"))
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
        faults=[parse_fault(given) for given in fault or ()],
        situations=situation or [],
        truth=truth,
        config=write_config,
        queue_log=queue_log,
    )
    for file in (truth, write_config, queue_log):
        if file is not None:
            check_writable(file)
    with suppress(KeyboardInterrupt):
        asyncio.run(_serve(options))


def _list_situations(version: str) -> None:
    from simulators.ami.library import Library
    from simulators.ami.situations import load_situation, situation_names

    Library(version)  # says which versions there are
    for name in situation_names(version):
        typer.echo(f"{name:27}{load_situation(name, version).what}")


def _speed(given: str) -> float | None:
    if given == _FASTEST:
        return None
    with suppress(ValueError):
        if (speed := float(given)) > 0:
            return speed
    raise TelemonError(text()("sim_ami.bad_speed", given=given, fastest=_FASTEST))


async def _serve(options: _Options) -> None:
    """Play the scenario until it is over, the time is up, or the task is cancelled.

    Raises:
        AmiConnectionError: the address cannot be listened on.
        TelemonError: there are no tapes of that Asterisk, or a call that none of them tells.
    """
    from simulators.ami.library import Library
    from simulators.ami.player import Player
    from simulators.ami.queue_log import writing

    say, library = text(), Library(options.asterisk)
    async with AsyncExitStack() as running:
        server = await running.enter_async_context(_listening(options))
        take = running.enter_context(_truth_file(options.truth))
        server.queue_log = running.enter_context(writing(options.queue_log))
        if options.config is not None:
            options.config.write_text(_telemon_toml(options, server.port), "utf-8")
        typer.echo(say("sim_ami.serving", host=options.host, port=server.port, user=options.user))
        play = _play_situations if options.situations else _play_scenario
        with suppress(TimeoutError):
            async with asyncio.timeout(options.duration):
                if options.waits:
                    await server.wait_for_client()
                starts_at = server.clock.true_now
                player = Player(server, PREFECTURE, library, starts_at=starts_at, on_truth=take)
                running.callback(lambda: typer.echo(say("sim_ami.told", count=say.number(player.over, 0))))
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
async def _listening(options: _Options) -> AsyncIterator[LoggingServer]:
    from simulators.ami.clock import Clock
    from simulators.ami.queue_log import LoggingServer
    from simulators.ami.situations import capture_switchboard
    from simulators.ami.switchboard import Switchboard

    clock = Clock(options.starts_at, options.speed)
    server = LoggingServer(
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
        raise AmiConnectionError(
            text()("sim_ami.listen", host=options.host, port=options.port, reason=reason)
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

        def take(truth: CallTruth) -> None:
            file.write(to_line(truth, cycle))

        yield take


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
        real_time=options.speed == 1,
    )


@asynccontextmanager
async def _progress(options: _Options, player: Player, starts_at: float) -> AsyncIterator[None]:
    """Keep a bar up to date on a terminal: by calls if their number is given, else by the scenario's time."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

    say, console = text(), Console(stderr=True)
    columns = BarColumn(), TaskProgressColumn(), TimeElapsedColumn(), TextColumn("{task.description}", markup=False)
    total = options.calls or options.scenario.lasts
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as bar:
        task, zone = bar.add_task("", total=total), ZoneInfo(options.scenario.zone)

        async def update() -> None:
            while True:
                clock = player.server.clock
                counts = {"over": player.over, "under_way": player.under_way, "clients": len(player.server.sessions)}
                said = say(
                    "sim_ami.progress",
                    when=say.moment(datetime.fromtimestamp(clock.now(), zone), zone),
                    **{name: say.number(count, 0) for name, count in counts.items()},
                )
                done = player.over if options.calls else clock.true_now - starts_at
                bar.update(task, completed=done, description=said)
                await asyncio.sleep(_REFRESH_SECONDS)

        updating = asyncio.create_task(update())
        try:
            yield
        finally:
            updating.cancel()
