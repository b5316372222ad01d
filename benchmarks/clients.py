"""What is measured, each in a process of its own: prints one JSON object with seconds, and what was counted."""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.peer import END_EVENT
from telemon.ami.decoder import Decoder
from telemon.ami.entrance import Peer
from telemon.ami.events import NEEDLES, WANTED
from telemon.ami.link import Link, wall_clock
from telemon.ami.session import Session
from telemon.ami.wire import Parser
from telemon.instants import SECOND, to_seconds
from telemon.ledger.store import open_ledger
from telemon.ledger.writer import LedgerWriter
from telemon.metrics import Metrics
from telemon.observer import Observer
from telemon.tracker import Tracker

if TYPE_CHECKING:
    from telemon.ami.wire import Message
    from telemon.records import CallRecord

RING_CYCLE = 5 * SECOND


async def read_only(port: int) -> dict[str, Any]:
    """telemon: read, skip by name, decode what is used."""
    decoder = Decoder()
    parser = Parser(WANTED | {END_EVENT.encode()}, NEEDLES)
    done = asyncio.get_running_loop().create_future()
    used = 0

    decode = decoder.decode

    def take(messages: list[Message]) -> None:
        nonlocal used
        for message in messages:
            if decode(message, 0) is not None:
                used += 1
            elif message.name == END_EVENT and not done.done():
                done.set_result(time.perf_counter())

    _, session = await asyncio.get_running_loop().create_connection(lambda: Session(parser, take), "127.0.0.1", port)
    await session.log_in("telemon", "secret", plain=True)
    started = time.perf_counter()
    seconds = await done - started
    await session.close()
    return {"seconds": seconds, "used": used, "events": used + parser.skipped}


async def whole_way(port: int) -> dict[str, Any]:
    """telemon: read, track, measure, count, and write to the ledger on disk."""
    with tempfile.TemporaryDirectory(prefix="telemon-benchmark-") as folder:
        engine = open_ledger(f"sqlite:///{Path(folder) / 'ledger.db'}")
        ledger = LedgerWriter(engine, key=b"k" * 32, ring_cycle=RING_CYCLE)
        lags: list[float] = []
        newest = 0.0

        def take(records: list[CallRecord]) -> None:
            nonlocal newest
            newest = time.perf_counter()
            for record in records:
                ledger.put(record)
                metrics.count(record)
                if record.ended_at is not None:
                    lags.append(to_seconds(wall_clock() - record.ended_at))

        observer = Observer("pbx", Tracker("benchmark"))
        peer = Peer(name="pbx", host="127.0.0.1", port=port, user="telemon", secret="secret", event_filter=False)
        link = Link(peer, observer, take)
        metrics = Metrics({}, RING_CYCLE, [link], ledger)
        running = asyncio.create_task(link.run())
        while not link.connected:  # noqa: ASYNC110 - the link tells nobody, and the first event must not be missed
            await asyncio.sleep(0)
        started = time.perf_counter()
        await _quiet(link)
        flushing = time.perf_counter()
        await asyncio.to_thread(ledger.flush)
        seconds = newest - started + time.perf_counter() - flushing
        running.cancel()
        written = ledger.written_total
        ledger.close(5)
        engine.dispose()
    lags.sort()
    return {
        "seconds": seconds,
        "calls": written,
        "lag_p50": statistics.median(lags),
        "lag_p99": lags[int(len(lags) * 0.99)],
    }


QUIET_SECONDS = 0.25


async def _quiet(link: Link) -> None:
    """Wait until no event has come for a while: the link itself knows no end."""
    seen = -1
    while seen != link.observer.events or not seen:
        seen = link.observer.events
        await asyncio.sleep(QUIET_SECONDS)


async def panoramisk(port: int) -> dict[str, Any]:
    """panoramisk: its manager with one callback that counts."""
    from panoramisk import Manager

    done = asyncio.get_running_loop().create_future()
    events = 0
    manager = Manager(host="127.0.0.1", port=port, username="telemon", secret="secret", ping_delay=3600)

    @manager.register_event("*")  # type: ignore[untyped-decorator]  # panoramisk has no types
    def count(_: Any, event: Any) -> None:
        nonlocal events
        events += 1
        if event.event == END_EVENT and not done.done():
            done.set_result(time.perf_counter())

    await manager.connect()
    started = time.perf_counter()
    seconds = await done - started
    manager.close()
    return {"seconds": seconds, "events": events - 1}


def pyst2(port: int) -> dict[str, Any]:
    """pyst2: its manager with one callback that counts."""
    import threading

    from asterisk.manager import Manager

    done = threading.Event()
    events = 0

    def count(event: Any, _: Any) -> None:
        nonlocal events
        events += 1
        if event.name == END_EVENT:
            done.set()

    manager = Manager()
    manager.register_event("*", count)
    manager.connect("127.0.0.1", port)
    manager.login("telemon", "secret")
    started = time.perf_counter()
    done.wait()
    seconds = time.perf_counter() - started
    return {"seconds": seconds, "events": events - 1}


CLIENTS = {"read": read_only, "whole": whole_way, "panoramisk": panoramisk}


def peak_mib() -> float:
    """Return the most memory this program used; getrusage would count its parent before the exec."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) / 1024


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("client", choices=[*CLIENTS, "pyst2"])
    parser.add_argument("port", type=int)
    wanted = parser.parse_args()
    result = pyst2(wanted.port) if wanted.client == "pyst2" else asyncio.run(CLIENTS[wanted.client](wanted.port))
    result["peak_mib"] = peak_mib()
    print(json.dumps(result), flush=True)
    sys.stdout.flush()
    import os

    os._exit(0)  # pyst2 leaves threads behind


if __name__ == "__main__":
    main()
