"""How fast telemon reads and measures, beside panoramisk and pyst2, on one stream over loopback TCP.

Run ``.venv/bin/python -m benchmarks.reading``. Each figure is the median of shuffled rounds, each run in a process of
its own; what carries over to another machine are the ratios.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import subprocess
import sys
from typing import Any

from benchmarks.peer import Peer
from benchmarks.stream import KINDS, stream

TRIGGERS = {"read": "Login", "whole": "DeviceStateList", "panoramisk": "Login", "pyst2": "Login"}
SLOW_EVENTS = 2_000  # for pyst2, which takes minutes for the whole stream
PACED_EVENTS_PER_SECOND = 5_000
PACED_EVENTS = 50_000
MINIMUM_EVENTS = 500_000


def run(client: str, blocks: list[bytes], repeat: int = 1, rate: float | None = None) -> dict[str, Any]:
    """Run one client against a peer of its own."""
    peer = Peer(blocks, TRIGGERS[client], repeat, rate)
    peer.start()
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.clients", client, str(peer.port)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=600)
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    blocks, events = stream(MINIMUM_EVENTS)
    few, few_events = stream(SLOW_EVENTS)
    size = sum(map(len, blocks))
    print(
        f"{len(blocks)} calls of {len(KINDS)} kinds, {events} events, {size / 1e6:.0f} MB, "
        f"{size / events:.0f} bytes an event"
    )
    speeds: dict[str, list[float]] = {client: [] for client in TRIGGERS}
    for turn in range(rounds):
        for client in random.sample(list(TRIGGERS), len(TRIGGERS)):
            slow = client == "pyst2"
            result = run(client, few if slow else blocks)
            speeds[client].append((few_events if slow else events) / result["seconds"])
            print(f"round {turn + 1}/{rounds} {client:<11} {speeds[client][-1]:>9,.0f} events/s", file=sys.stderr)
    show(speeds)
    once, tenfold = run("whole", blocks), run("whole", blocks, repeat=10)
    print(f"peak memory: {once['peak_mib']:.0f} MiB for the stream, {tenfold['peak_mib']:.0f} MiB for ten times it")
    paced = run("whole", stream(PACED_EVENTS)[0], rate=PACED_EVENTS_PER_SECOND)
    print(
        f"at {PACED_EVENTS_PER_SECOND} events/s, from Asterisk's timestamp of the hang-up to the metric: "
        f"median {paced['lag_p50'] * 1000:.1f} ms, p99 {paced['lag_p99'] * 1000:.1f} ms"
    )


def show(speeds: dict[str, list[float]]) -> None:
    """Print medians, and the ratios by pairs of the same round."""
    print(f"{'':<12}{'events/s':>12}{'of panoramisk':>16}{'of pyst2':>12}")
    for client, values in speeds.items():
        ratios = [
            statistics.median(a / b for a, b in zip(values, speeds[other], strict=True))
            for other in ("panoramisk", "pyst2")
        ]
        print(f"{client:<12}{statistics.median(values):>12,.0f}{ratios[0]:>16.2f}{ratios[1]:>12.1f}")


if __name__ == "__main__":
    main()
