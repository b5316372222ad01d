"""What a hundred sites of five services each cost: a scrape, and how far the reader falls behind meanwhile.

Run ``.venv/bin/python -m benchmarks.sites``. The PBXs (2,000 events a second together, each with its operators), the
scraper and telemon's own links, ledger, figures and pages run in three processes. The reader's lag is the age of the
newest event of each chunk when it is taken, by Asterisk's stamp and the same machine's clock.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import multiprocessing
import random
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from sqlite3 import connect
from typing import TYPE_CHECKING, Any

from benchmarks.peer import Peer
from benchmarks.stream import stream
from benchmarks.year import COLUMNS, one
from telemon.ami.entrance import Peer as Address
from telemon.ami.link import Link
from telemon.config import Config
from telemon.figures.attending import Attending
from telemon.figures.places import sites_of
from telemon.figures.refreshing import Figures
from telemon.instants import SECOND, from_datetime
from telemon.journal.entries import Heard
from telemon.latency import prefer_the_reader
from telemon.ledger.rolling_up import Roller
from telemon.ledger.store import open_ledger
from telemon.ledger.writer import LedgerWriter
from telemon.metrics import Metrics
from telemon.observer import Observer
from telemon.roll_ups import definitions
from telemon.rulesets import load_rulesets
from telemon.tracker import Tracker
from telemon.web import application, listen, server_for

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import Engine

    from telemon.records import CallRecord

SERVICES = ("accueil", "etrangers", "permanence", "social", "standard")
OPERATORS = 6  # of each service
EVENTS_PER_SECOND = 2_000
CYCLE = 5 * SECOND
WEEKS = 8
_STAMP = b"\r\nTimestamp: "


class Switchboard(Peer):
    """A PBX that has queues with members."""

    @staticmethod
    def _reply(action: bytes, action_id: bytes) -> bytes:
        reply = Peer._reply(action, action_id)  # noqa: SLF001 - the same, but for the queues
        if action != b"QueueStatus":
            return reply
        members = [
            b"Event: QueueMember\r\n%bQueue: %b\r\nName: op\r\nLocation: %b\r\nStateInterface: %b\r\n"
            b"Membership: static\r\nInCall: 0\r\nStatus: 1\r\nPaused: 0\r\n\r\n" % (action_id, name, phone, phone)
            for name in map(str.encode, SERVICES)
            for phone in (b"PJSIP/%b-%d" % (name, number) for number in range(OPERATORS))
        ]
        head, event, end = reply.partition(b"Event: QueueStatusComplete")
        return head + b"".join(members) + event + end


def switchboards(count: int, seconds: float, ports: Any) -> None:
    """Serve so many PBXs, and tell their ports."""
    rate = EVENTS_PER_SECOND / count
    blocks, _ = stream(int(rate * seconds))
    peers = [Switchboard(blocks[number % 6 :], "DeviceStateList", events_per_second=rate) for number in range(count)]
    for peer in peers:
        peer.start()
    ports.send([peer.port for peer in peers])
    for peer in peers:
        peer.join()


def configuration(sites: int, file: Path) -> Config:
    """Return what a telemon of so many sites is told."""
    return Config.model_validate(
        {
            "pbx": [{"name": f"pbx-{number:03}", "site": f"pref{number:03}", "secret": "s"} for number in range(sites)],
            "service": [
                {"name": name, "ddis": ["_!"] if name == "standard" else [f"01{place:08}"], "queues": [name]}
                for place, name in enumerate(SERVICES)
            ],
            "ledger": {"url": f"sqlite:///{file}", "key_file": str(file.with_suffix(".key"))},
        }
    )


def history(calls: int, sites: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    """Yield the calls of the last weeks, most of them by day."""
    chance = random.Random(1)
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    days = 7 * WEEKS + 1
    for day in range(days):
        start = from_datetime(midnight - timedelta(days=days - 1 - day))
        length = time.time() * SECOND - start if day == days - 1 else 86_400 * SECOND
        instants = sorted(chance.triangular(0, 1, 0.5) for _ in range(calls // days))
        for number, share in enumerate(instants):
            call = dict(
                zip(COLUMNS, one(f"{day}-{number}", start + int(share * length), list(sites), chance), strict=True)
            )
            talk = chance.expovariate(1 / 150) if call["outcome"] == "answered" else None
            call |= {"service": chance.choice(SERVICES), "talk_seconds": talk}
            yield tuple(call[name] for name in COLUMNS)


def fill(file: Path, calls: int, config: Config) -> Engine:
    """Return a ledger with a history, rolled up."""
    open_ledger(f"sqlite:///{file}").dispose()
    marks = ", ".join("?" * len(COLUMNS))
    sites = list(sites_of(config))
    with contextlib.closing(connect(file)) as database:
        database.execute("PRAGMA synchronous = OFF")
        database.executemany(f"INSERT INTO calls ({', '.join(COLUMNS)}) VALUES ({marks})", history(calls, sites))
        since = (datetime.now(UTC) - timedelta(days=400)).isoformat(timespec="microseconds")
        until = datetime.now(UTC).isoformat(timespec="microseconds")
        seen = [(pbx.name, "", since, until, "seen") for pbx in config.pbx]
        columns = "pbx, observer, started_at, ended_at, state"
        database.executemany(f"INSERT INTO observations ({columns}) VALUES (?, ?, ?, ?, ?)", seen)
        database.commit()
    engine = open_ledger(f"sqlite:///{file}")
    roller = Roller(engine, sites, definitions(load_rulesets(), CYCLE, config.timezone))
    while roller.step():
        pass
    return engine


def quantiles(values: list[float]) -> str:
    """Return median, p99 and the longest, in milliseconds."""
    ordered = sorted(values)
    p50, p99, longest = (1000 * ordered[int(len(ordered) * share) - 1] for share in (0.5, 0.99, 1))
    return f"median {p50:.1f} ms, p99 {p99:.1f} ms, longest {longest:.1f} ms"


class Bench:
    """telemon's parts in this process."""

    def __init__(self, config: Config, engine: Engine, ports: Sequence[int]) -> None:
        self.lags: list[float] = []
        self.ledger = LedgerWriter(engine, key=b"k" * 32, ring_cycle=CYCLE)
        self.links = []
        for pbx, port in zip(config.pbx, ports, strict=True):
            address = Address(name=pbx.name, host="127.0.0.1", port=port, user="t", secret="s", event_filter=False)
            observer = Observer(pbx.name, Tracker(config.call_site(pbx), config.numbering(pbx)))
            self.links.append(Link(address, observer, self._take, keep=self._note))
        self.figures = Figures(config, engine)
        self.attending = Attending(config, engine, self.links, self.ledger)
        self.metrics = Metrics(sites_of(config), CYCLE, self.links, self.ledger, figures=self.figures)

    def _take(self, records: list[CallRecord]) -> None:
        for record in records:
            self.ledger.put(record)
            self.metrics.count(record)

    def _note(self, entry: object) -> None:
        if isinstance(entry, Heard):
            place = entry.data.rfind(_STAMP)
            if place >= 0:
                stamp = entry.data[place + len(_STAMP) :].partition(b"\r")[0]
                self.lags.append(time.time() - float(stamp))

    def take_lags(self) -> list[float]:
        lags, self.lags = self.lags, []
        return lags


async def scrape(address: str, path: str, seconds: float) -> tuple[list[float], int, int]:
    """Scrape once a second from a process of its own; return how long each took, and the size of the last."""
    command = [sys.executable, "-c", _SCRAPER, address + path, str(seconds)]
    process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)
    said, _ = await process.communicate()
    took, size, samples = json.loads(said)
    return took, size, samples


_SCRAPER = """
import json, sys, time, httpx
took, text = [], b""
end = time.monotonic() + float(sys.argv[2])
with httpx.Client(timeout=30) as client:
    while time.monotonic() < end:
        began = time.perf_counter()
        text = client.get(sys.argv[1]).content
        took.append(time.perf_counter() - began)
        time.sleep(max(0, 1 - took[-1]))
print(json.dumps([took, len(text), sum(not line.startswith(b"#") for line in text.splitlines())]))
"""


async def measure(bench: Bench, seconds: float) -> None:
    socket = listen("127.0.0.1", 0)
    server = server_for(application(bench.metrics, bench.links, bench.ledger))
    address = f"http://127.0.0.1:{socket.getsockname()[1]}"
    tasks = [asyncio.create_task(link.run()) for link in bench.links]
    tasks += [asyncio.create_task(bench.attending.run()), asyncio.create_task(server.serve(sockets=[socket]))]
    while not all(link.connected for link in bench.links):  # noqa: ASYNC110 - links tell nobody
        await asyncio.sleep(0.1)
    prefer_the_reader()
    await asyncio.sleep(3)
    bench.take_lags()
    await asyncio.sleep(seconds)
    print(f"without figures and scrapes:   lag {quantiles(bench.take_lags())}")
    bench.figures.start()
    async with asyncio.timeout(120):
        while not (bench.figures.text() and bench.figures.staffing_text()):  # noqa: ASYNC110 - nor does this thread
            await asyncio.sleep(0.1)
    print(f"while figures are first read:  lag {quantiles(bench.take_lags())}")
    await asyncio.sleep(seconds)
    print(f"with figures, without scrapes: lag {quantiles(bench.take_lags())}")
    for path in ("/metrics", "/metrics/staffing"):
        (first, *_), size, samples = await scrape(address, path, 1)
        print(f"{path}: {samples:,} series, {size / 1e6:.1f} MB")
        print(f"  the first scrape, which makes its texts: {first * 1e3:.0f} ms, lag {quantiles(bench.take_lags())}")
        took, _, _ = await scrape(address, path, seconds)
        print(f"  each second: {quantiles(took)}, lag {quantiles(bench.take_lags())}")
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    bench.figures.stop()
    bench.ledger.close(5)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sites", type=int, default=100)
    parser.add_argument("--calls", type=int, default=1_000_000, help="of the last eight weeks in the ledger")
    parser.add_argument("--seconds", type=float, default=30, help="each of the five measurements")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="telemon-benchmark-") as folder:
        file = Path(folder) / "telemon.db"
        config = configuration(given.sites, file)
        began = time.perf_counter()
        engine = fill(file, given.calls, config)
        print(f"{given.calls:,} calls filled in and rolled up in {time.perf_counter() - began:.0f} s")
        ours, theirs = multiprocessing.Pipe()
        serving = multiprocessing.Process(
            target=switchboards, args=(given.sites, 10 * given.seconds + 60, theirs), daemon=True
        )
        serving.start()
        try:
            asyncio.run(measure(Bench(config, engine, ours.recv()), given.seconds))
        finally:
            serving.terminate()
            engine.dispose()


if __name__ == "__main__":
    main()
