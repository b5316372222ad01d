"""How long a year's statistics take, with roll-ups and without, on a SQLite ledger of millions of calls.

Run ``.venv/bin/python -m benchmarks.year`` (5 million calls of one site; some 4 GB in the temporary folder), or with
``--sites 100``. Both ways are timed in one run: what carries over to another machine are the ratios.
"""

from __future__ import annotations

import argparse
import random
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from dataclasses import replace
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from sqlite3 import connect
from typing import TYPE_CHECKING, Any, TypeVar
from zoneinfo import ZoneInfo

from rich.progress import Progress
from sqlalchemy import insert

from telemon.buckets import HOUR
from telemon.instants import SECOND, from_datetime
from telemon.ledger.models import TABLES
from telemon.ledger.roll_ups import Stretch, read_measures, totals
from telemon.ledger.rolling_up import Roller
from telemon.ledger.store import open_ledger
from telemon.ledger.values import stamp
from telemon.periods import parse_period
from telemon.roll_ups import definitions
from telemon.rulesets import load_rulesets

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from sqlalchemy import Engine

    from telemon.roll_ups import Definition

Result = TypeVar("Result")
YEAR = 2025
DAYS = 365
ZONE = "Europe/Paris"
CYCLE = 5 * SECOND
SERVICES = ("accueil", "permanence", "standard")
BUSY_HOUR = from_datetime(datetime(YEAR, 12, 30, 10, tzinfo=UTC)) // HOUR
DAY_SHARE = 0.95  # of the calls come between 7 and 19 o'clock
ROUNDS = 5
COLUMNS = TABLES["calls"].columns.keys()
NOTHING: dict[str, Any] = dict.fromkeys(COLUMNS) | {
    "service_kind": "switchboard", "ddi": "0102030405", "caller": "c" * 24, "linkedid": "1735718400.1",
    "hold_seconds": 0.0, "queues": '["standard"]', "is_probe": 0, "flags": "[]", "provenance": "live",
    "hangup_cause": 16, "completeness": 6,
}  # fmt: skip


def rows(calls: int, sites: list[str]) -> Iterator[tuple[Any, ...]]:
    """Yield a year's calls in order of arrival: 85 % answered, most of them soon."""
    chance = random.Random(1)
    midnight = from_datetime(datetime(YEAR, 1, 1, tzinfo=UTC))
    for day in range(DAYS):
        count = (day + 1) * calls // DAYS - day * calls // DAYS
        seconds = (
            chance.uniform(7, 19) if chance.random() < DAY_SHARE else chance.uniform(0, 24) for _ in range(count)
        )
        for number, hour in enumerate(sorted(seconds)):
            yield one(f"{day:03}-{number:06}", midnight + round((24 * day + hour) * 3600 * SECOND), sites, chance)


def one(number: str, arrived_at: int, sites: list[str], chance: random.Random) -> tuple[Any, ...]:
    site = chance.choice(sites)
    alerting_at = arrived_at + round(chance.uniform(0.2, 4) * SECOND)
    over = alerting_at + round(min(chance.expovariate(1 / 9), 600) * SECOND)
    answered = chance.random() < 0.85
    ended_at = over + round(chance.expovariate(1 / 150) * SECOND) if answered else over
    call = NOTHING | {
        "call_id": f"{site}:{number}",
        "site": site,
        "service": chance.choice(SERVICES),
        "arrived_at": stamp(arrived_at),
        "alerting_at": stamp(alerting_at),
        "operator_ringing_at": stamp(alerting_at + SECOND) if answered else None,
        "operator_up_at": stamp(over) if answered else None,
        "answered_at": stamp(over) if answered else None,
        "answered_by": "PJSIP/op1" if answered else None,
        "ended_at": stamp(ended_at),
        "outcome": "answered" if answered else "abandoned",
        "ended_by": "caller",
        "wait_seconds": (over - arrived_at) / SECOND,
        "ring_seconds": (over - alerting_at) / SECOND,
        "rings": (over - alerting_at) // CYCLE + 1,
    }
    return tuple(call[name] for name in COLUMNS)


def fill(file: Path, calls: int, sites: list[str]) -> None:
    """Write them at once, with all the indexes that a ledger has."""
    marks = ", ".join("?" * len(COLUMNS))
    with closing(connect(file)) as database, Progress() as progress:
        database.execute("PRAGMA synchronous = OFF")
        database.execute("PRAGMA cache_size = -200000")
        database.executemany(
            f"INSERT INTO calls ({', '.join(COLUMNS)}) VALUES ({marks})",
            progress.track(rows(calls, sites), total=calls, description="calls"),
        )
        database.commit()


def roll_up(roller: Roller) -> list[float]:
    """Build all roll-ups; return how long each step, one transaction, took."""
    took: list[float] = []
    with Progress() as progress:
        task = progress.add_task("roll-ups", total=roller.ahead())
        while True:
            began = time.perf_counter()
            hours = roller.step()
            if not hours:
                return took
            took.append(time.perf_counter() - began)
            progress.advance(task, hours)


def renewed(engine: Engine, site: str, known: Mapping[str, Definition]) -> float:
    """Return how long one transaction takes that brings a single changed hour up to date."""
    roller = Roller(engine, [site], known)

    took: list[float] = []
    for _ in range(ROUNDS):
        with engine.begin() as connection:
            connection.execute(insert(TABLES["stale_hours"]).values(site=site, hour=BUSY_HOUR, generation=1))
        took.append(timed(roller.step, 1)[0])
    return statistics.median(took)


def timed(work: Callable[[], Result], rounds: int = ROUNDS) -> tuple[float, Result]:
    """Return the median of some rounds, and what the work returned."""
    took: list[float] = []
    results: list[Result] = []
    for _ in range(rounds):
        began = time.perf_counter()
        results.append(work())
        took.append(time.perf_counter() - began)
    return statistics.median(took), results[-1]


def telemon(folder: Path, *arguments: str) -> str:
    command = [sys.executable, "-c", "from telemon.cli import main; main()", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=5_000_000)
    parser.add_argument("--sites", type=int, default=1)
    parser.add_argument("--rule-set", default="qualipref")
    wanted = parser.parse_args()
    sites = [f"site-{number:03}" for number in range(wanted.sites)]
    with tempfile.TemporaryDirectory(prefix="telemon-benchmark-") as name:
        folder = Path(name)
        file = folder / "telemon.db"
        (folder / "telemon.toml").write_text(f'site = "{sites[0]}"\n[[pbx]]\nsecret = "none"\n', encoding="utf-8")
        open_ledger(f"sqlite:///{file}").dispose()
        fill(file, wanted.calls, sites)
        size = file.stat().st_size
        engine = open_ledger(f"sqlite:///{file}")
        known = definitions(load_rulesets(), CYCLE, ZONE)
        began = time.perf_counter()
        steps = sorted(roll_up(Roller(engine, sites, known)))
        print(
            f"{wanted.calls:,} calls, {len(sites)} sites, {size / 1e9:.1f} GB; roll-ups under {len(known)} rule sets: "
            f"{(file.stat().st_size - size) / 1e9:.2f} GB, made in {time.perf_counter() - began:.0f} s by "
            f"{len(steps)} transactions of {statistics.median(steps) * 1e3:.0f} ms (longest {steps[-1] * 1e3:.0f} ms)"
        )
        print(f"one hour of one site made again: {renewed(engine, sites[0], known) * 1e3:.0f} ms")
        compare(folder, engine, sites, known, wanted.rule_set)
        engine.dispose()


def compare(folder: Path, engine: Engine, sites: list[str], known: Mapping[str, Definition], rule_set: str) -> None:
    """Print how long one site's year takes, and that of all sites, by way of the roll-ups and from the calls."""
    definition = next(each for each in known.values() if each.ruleset.name == rule_set)
    period = parse_period(str(YEAR), ZoneInfo(ZONE), date(YEAR, 1, 1))
    bare, _ = timed(lambda: telemon(folder, "--version"))
    print(f"telemon --version, which is Python and its imports: {bare:.2f} s")
    for some in [sites[:1], sites][: len(sites)]:
        stretch = Stretch(some, period.start, period.end)
        quick, rolled = timed(partial(read_measures, engine, stretch, definition))
        named = [word for site in some for word in ("--site", site)]
        whole, _ = timed(partial(telemon, folder, "stats", "-p", str(YEAR), "-r", rule_set, *named))
        restored, _ = timed(partial(totals, engine, some, known))
        slow, counted = timed(partial(read_measures, engine, stretch, replace(definition, digest="")), 1)
        assert rolled == counted
        print(
            f"{len(some)} sites, {sum(each.offered for each in rolled.values()):,} calls: {quick * 1e3:.1f} ms from "
            f"roll-ups, {slow:.1f} s from the calls, {slow / quick:,.0f} times as long, the same figures; "
            f"telemon stats as a whole {whole:.2f} s; counters restored in {restored * 1e3:.1f} ms"
        )


if __name__ == "__main__":
    main()
