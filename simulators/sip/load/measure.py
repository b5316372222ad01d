"""A load with telemon beside it: is every call counted, and how far does telemon lag behind?"""

from __future__ import annotations

import asyncio
import http.client
import os
import re
import sys
import tempfile
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from simulators.lab.asterisk import missing_for_lab
from simulators.sip.load.planning import load_plan, load_site
from simulators.sip.load.switchboard import load_switchboard
from simulators.sip.player import Played, Progress, play
from simulators.sip.target import LOOPBACK, lab_target
from simulators.telemon_toml import telemon_toml
from telemon.errors import TelemonError
from telemon.texts import text

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

_TELEMON: Final = (sys.executable, "-c", "from telemon.cli import main; main()", "run", "-c")
_READY_SECONDS: Final = 30.0
_COUNTED_SECONDS: Final = 30.0  # from the last call's end to its being counted, at the most
_LOOK_SECONDS: Final = 0.05
_LAG: Final = re.compile(r"^telemon_ami_event_lag_seconds\{.*\} (\S+)$", re.MULTILINE)
_CALLS: Final = re.compile(r'^telemon_calls_total\{.*outcome="(\w+)".*\} (\S+)$', re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What was played, how many calls of each outcome telemon counted, and its lag (seconds) at every look."""

    played: Played
    counted: dict[str, int]
    lags: tuple[float, ...]

    def lag(self, share: float) -> float:
        """Return the lag that this share of the looks did not exceed; TelemonError if telemon told none."""
        if not self.lags:
            raise TelemonError(text()("sim_sip.no_lag"))
        ordered = sorted(self.lags)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


async def measure_load(
    *, rate: float, seconds: float, seed: int, progress: Callable[[Progress], None] | None = None
) -> Measured:
    """Run an Asterisk and a telemon of its own, place ``rate`` calls a second, and say what telemon made of them.

    Raises:
        TelemonError: Asterisk, SIPp or telemon cannot run here.
    """
    if reason := missing_for_lab():
        raise TelemonError(reason)
    site = load_site(rate)
    plan = load_plan(site, rate=rate, seconds=seconds, seed=seed)
    with load_switchboard(site) as asterisk, tempfile.TemporaryDirectory(prefix="telemon-load-") as name:
        folder = Path(name)
        config = folder / "telemon.toml"
        login = partial(telemon_toml, host=LOOPBACK, port=asterisk.ami_port, username=asterisk.ami_user)
        config.write_text(login(site, secret=asterisk.ami_secret, folder=folder), "utf-8")
        async with _telemon(config) as port:
            lags: list[float] = []
            looking = asyncio.create_task(_look(port, lags))
            played = await play(plan, lab_target(asterisk, site), progress=progress)
            looking.cancel()
            with suppress(asyncio.CancelledError):
                await looking
            counted = await _counted(port, len(played.truths))
    return Measured(played=played, counted=counted, lags=tuple(lags))


@asynccontextmanager
async def _telemon(config: Path) -> AsyncIterator[int]:
    """Run ``telemon run``; yield the port of its pages once it watches the switchboard."""
    log = config.with_suffix(".log")
    with log.open("wb") as file:
        environment = {**os.environ, "TELEMON_LOCALE": "en"}
        process = await asyncio.create_subprocess_exec(*_TELEMON, str(config), stderr=file, env=environment)
    try:
        async with asyncio.timeout(_READY_SECONDS):
            while "connected to Asterisk" not in (said := log.read_text("utf-8")):
                if process.returncode is not None:
                    raise TelemonError(text()("sim_sip.telemon_ended", code=process.returncode, said=said[-1000:]))
                await asyncio.sleep(_LOOK_SECONDS)
        yield int(said.partition(f"http://{LOOPBACK}:")[2].split()[0])
    except TimeoutError as error:
        values = {"seconds": round(_READY_SECONDS), "said": log.read_text("utf-8")}
        raise TelemonError(text()("sim_sip.telemon_not_ready", **values)) from error
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _look(port: int, lags: list[float]) -> None:
    while True:
        found = _LAG.search(await asyncio.to_thread(_metrics, port))
        if found is not None:
            lags.append(float(found[1]))
        await asyncio.sleep(_LOOK_SECONDS)


async def _counted(port: int, calls: int) -> dict[str, int]:
    """Return how many calls were counted by outcome, as soon as they are so many, else when no more are expected."""
    counted: dict[str, int] = {}
    with suppress(TimeoutError):
        async with asyncio.timeout(_COUNTED_SECONDS):
            while sum(counted.values()) < calls:
                await asyncio.sleep(_LOOK_SECONDS)
                page = await asyncio.to_thread(_metrics, port)
                counted = {outcome: int(float(count)) for outcome, count in _CALLS.findall(page)}
    return counted


def _metrics(port: int) -> str:
    link = http.client.HTTPConnection(LOOPBACK, port, timeout=_READY_SECONDS)
    try:
        link.request("GET", "/metrics")
        return link.getresponse().read().decode()
    finally:
        link.close()
