"""Days of a busy switchboard in minutes: does ``telemon run`` keep its memory flat, and measure every call right?

Run ``.venv/bin/python -m benchmarks.soak --events 50000000``. The AMI simulator tells raw events (``read = all``, no
event filter, 86 a call) over a socket to a real ``telemon run`` as fast as both can; each day of the scenario ``demo``
is told in its own time, so that hundreds of thousands of calls of all kinds overlap as they do by day. Then the ledger
is held against the truth. Status 1 unless nothing differs and the memory of no five seconds lies 5 % off the median.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import sys
import tempfile
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count, takewhile
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from simulators.ami.clock import Clock
from simulators.ami.library import Library
from simulators.ami.player import Player
from simulators.ami.server import AmiServer
from simulators.ami.switchboard import Switchboard
from simulators.site import PREFECTURE
from simulators.telemon_toml import telemon_toml
from simulators.traffic import load_scenario, stream
from simulators.truth import to_line
from telemon.cadences import ring_cycle

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from simulators.ami.event import Told
    from simulators.truth import CallTruth

SCENARIO = "demo"
SECRET = "soak"
SAMPLE_SECONDS = 0.5
WINDOW = 10  # samples
WARM_UP = 0.3  # of the events: until then memory may grow to its usual size
FLAT = 0.05
READERS_TIME = 60.0  # time waits for the reader here, so that it is no fault to be slow
FINISH_SECONDS = 600.0


class CountingServer(AmiServer):
    """Counts what it tells."""

    told = 0

    def emit(self, event: Told, at: float | None = None) -> None:
        self.told += 1
        super().emit(event, at)


@dataclass
class Soaked:
    """What came out: ``samples`` are (events told so far, bytes resident)."""

    events: int = 0
    calls: int = 0
    seconds: float = 0.0
    days: int = 0
    samples: list[tuple[int, int]] = field(default_factory=list)
    same: bool = False
    judgement: str = ""

    @property
    def settled(self) -> list[int]:
        """Memory after the warm-up."""
        return [size for told, size in self.samples if told >= WARM_UP * self.events]

    def by_tenths(self) -> list[float]:
        """Return the median memory, in megabytes, of each tenth of the events."""
        tenths: list[list[int]] = [[] for _ in range(10)]
        for told, size in self.samples:
            tenths[min(9, 10 * told // self.events)].append(size)
        return [statistics.median(tenth) / 1e6 for tenth in tenths if tenth]

    @property
    def off(self) -> float:
        """How far the memory of any five seconds was at most from its median after the warm-up, as a share of it.

        Of five seconds, the median: a checkpoint, or a page scraped, takes some megabytes for a moment.
        """
        median, sizes = statistics.median(self.settled), self.settled
        windows = [statistics.median(sizes[start : start + WINDOW]) for start in range(0, len(sizes), WINDOW)]
        return max(abs(size - median) for size in windows) / median


async def soak(folder: Path, events: int, *, shown: bool = False) -> Soaked:
    """Tell so many events, then compare."""
    soaked, config, truth = Soaked(), folder / "telemon.toml", folder / "truth.ndjson"
    scenario, library, cycle = load_scenario(SCENARIO), Library(), ring_cycle("fr")
    clock = Clock(scenario.starts_at, None)
    board = Switchboard.of_site(PREFECTURE, booted_at=clock.now())
    server = CountingServer(users={"telemon": SECRET}, switchboard=board, clock=clock, writetimeout=READERS_TIME)
    async with server:
        config.write_text(_configuration(folder, server.port), "utf-8")
        with truth.open("w", encoding="utf-8") as file:

            def take(one: CallTruth) -> None:
                soaked.calls += 1
                file.write(to_line(one, cycle))

            async with _telemon(config) as pid, _watched(server, soaked, pid, events, shown=shown):
                await server.wait_for_client()
                began = time.monotonic()
                for day in count():
                    if server.told >= events:
                        break
                    player = Player(server, PREFECTURE, library, starts_at=clock.true_now, on_truth=take)
                    calls = stream(scenario, seed=day, starts_at=scenario.starts_at)
                    await player.play(takewhile(lambda _: server.told < events, calls))
                    soaked.days = day + 1
                await server.wait_until_read()
                soaked.seconds, soaked.events = time.monotonic() - began, server.told
    await _compare(soaked, folder)
    return soaked


def _configuration(folder: Path, port: int) -> str:
    written = telemon_toml(
        PREFECTURE, host="127.0.0.1", port=port, username="telemon", secret=SECRET, folder=folder, real_time=False
    )
    return written.replace("[[pbx]]\n", "[[pbx]]\nevent_filter = false\n")


@asynccontextmanager
async def _telemon(config: Path) -> AsyncIterator[int]:
    """Run telemon with its log beside the configuration; it must end well when asked to."""
    with (config.parent / "telemon.log").open("wb") as log:
        command = (sys.executable, "-c", "from telemon.cli import main; main()", "run", "-c", str(config))
        process = await asyncio.create_subprocess_exec(*command, cwd=config.parent, stdout=log, stderr=log)
    try:
        yield process.pid
        process.terminate()
        async with asyncio.timeout(FINISH_SECONDS):
            if await process.wait():
                raise RuntimeError(f"telemon ended with status {process.returncode}: see {config.parent}/telemon.log")
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@asynccontextmanager
async def _watched(
    server: CountingServer, soaked: Soaked, pid: int, events: int, *, shown: bool
) -> AsyncIterator[None]:
    """Sample the memory while the block runs, and show how far it is."""
    columns = (BarColumn(), TaskProgressColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    text = TextColumn("{task.description}", markup=False)
    with Progress(*columns, text, console=Console(stderr=True), disable=not shown) as bar:
        task = bar.add_task("", total=events)

        async def sample() -> None:
            while True:
                size = resident_bytes(pid)
                soaked.samples.append((server.told, size))
                said = f"{server.told:,} events, {soaked.calls:,} calls, {size / 1e6:.0f} MB"
                bar.update(task, completed=server.told, description=said)
                await asyncio.sleep(SAMPLE_SECONDS)

        sampling = asyncio.create_task(sample())
        try:
            yield
        finally:
            sampling.cancel()


def resident_bytes(pid: int) -> int:
    """Return how much memory a process holds (proc(5), /proc/PID/statm, second field, in pages)."""
    return int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def _compare(soaked: Soaked, folder: Path) -> None:
    command = (
        sys.executable,
        "-c",
        "from simulators.cli import main; main()",
        "compare",
        "truth.ndjson",
        "telemon.toml",
    )
    process = await asyncio.create_subprocess_exec(
        *command, cwd=folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    said, _ = await process.communicate()
    soaked.same, soaked.judgement = process.returncode == 0, said.decode()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=50_000_000, help="raw events to tell (default 50 million)")
    parser.add_argument("--folder", type=Path, help="where ledger, journal and truth go (default: removed afterwards)")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="telemon-soak-") as temporary:
        folder = given.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        soaked = asyncio.run(soak(folder.absolute(), given.events, shown=sys.stderr.isatty()))
    print(soaked.judgement)
    print("memory by tenths of the events, MB:", *(f"{size:.1f}" for size in soaked.by_tenths()))
    sizes = soaked.settled
    print(
        f"{soaked.events:,} events of {soaked.calls:,} calls in {soaked.days} days, told in {soaked.seconds:,.0f} s "
        f"({soaked.events / soaked.seconds:,.0f}/s); differences: {'none' if soaked.same else 'see above'}"
    )
    print(
        f"memory after the warm-up: median {statistics.median(sizes) / 1e6:.1f} MB, of five seconds at most "
        f"{100 * soaked.off:.1f} % off; single samples from {min(sizes) / 1e6:.1f} to {max(sizes) / 1e6:.1f} MB"
    )
    return 0 if soaked.same and soaked.off <= FLAT else 1


if __name__ == "__main__":
    sys.exit(main())
