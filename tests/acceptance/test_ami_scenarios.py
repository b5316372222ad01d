"""A scenario told by ``telemon-sim ami``, measured by ``telemon run``, judged by ``telemon-sim compare``."""

import asyncio
import json
import re
import signal
import sys
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from simulators.truth import read_truth
from telemon.instants import SECOND, from_datetime
from tests.acceptance.commands import environment, running
from tests.acceptance.shell import PATIENCE

SIMULATOR = (sys.executable, "-c", "from simulators.cli import main; main()")
LONG_NIGHT, SHORT_NIGHT = "2026-10-25", "2026-03-29"  # of 25 and of 23 hours
SPEED, MARGIN = 40, 0.3
LOOKING_ROUND = 0.5  # seconds that the scenario waits after the login
BEGINS = from_datetime(datetime(2026, 11, 23, 9, tzinfo=ZoneInfo("Europe/Paris")))


async def simulate(folder, *arguments):
    return await asyncio.create_subprocess_exec(
        *SIMULATOR,
        *map(str, arguments),
        cwd=folder,
        env=environment(),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


@asynccontextmanager
async def switchboard(folder, *arguments):
    """Serve a scenario, and write its truth and a configuration; the block ends when it is over."""
    process = await simulate(
        folder, "ami", "--port", 0, "--truth", "truth.ndjson", "--write-config", "telemon.toml", *arguments
    )
    try:
        assert process.stdout is not None
        assert b"AMI simulator on" in await asyncio.wait_for(process.stdout.readline(), 2 * PATIENCE)
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


class Verdict:
    """What ``compare`` said: its status, the outcomes of truth and ledger, and the names of the calls that differ.

    ``blind`` holds from when until when telemon was not connected, in seconds since the scenario began to be told.
    """

    def __init__(self, status, lines, blind):
        self.status, self.blind = status, blind
        (self.total,) = [line for line in lines if line["kind"] == "total"]
        self.differing = {line["name"] for line in lines if line["kind"] in ("difference", "missing")}
        self.surplus = [line for line in lines if line["kind"] == "surplus"]


async def measured(folder, *arguments):
    """Tell a scenario to telemon until it is over; return what the judge says."""
    folder.mkdir(exist_ok=True)
    async with switchboard(folder, *arguments) as process:
        began = datetime.now(UTC)
        async with running(folder / "telemon.toml") as daemon:
            assert process.stdout is not None
            told = await asyncio.wait_for(process.stdout.read(), 60)
            assert re.search(rb"[1-9]\d* calls told\.", told)
            assert (await daemon.stop(signal.SIGTERM))[0] == 0
    judge = await simulate(folder, "compare", "truth.ndjson", "telemon.toml", "--format", "ndjson", "--all")
    output, errors = await asyncio.wait_for(judge.communicate(), 2 * PATIENCE)
    assert errors == b""
    return Verdict(judge.returncode, [json.loads(line) for line in output.splitlines()], blind_times(daemon.log, began))


def blind_times(log, began):
    """Return from when until when the log says that there was no connection, but for the end."""
    changes = [began]
    for line in "".join(log).splitlines():
        found = re.match(r"(\S+) .*: (connected to|connection lost)", line)
        if found and (found[2] == "connected to") == len(changes) % 2:
            changes.append(datetime.fromisoformat(found[1]))
    seconds = [(change - began).total_seconds() for change in changes]
    return list(zip(seconds[::2], seconds[1::2], strict=False))


async def test_a_morning_and_the_nights_of_a_changing_clock_are_measured_without_a_difference(tmp_path):
    morning = ("--scenario", "monday-morning", "--speed", "max")
    night = ("--scenario", "year", "--calls", "250", "--speed", "max", "--starts-at")
    verdicts = await asyncio.gather(
        measured(tmp_path / "22", *morning),
        measured(tmp_path / "16", *morning, "--asterisk", "16"),
        *(measured(tmp_path / day, *night, f"{day}T01:00:00") for day in (LONG_NIGHT, SHORT_NIGHT)),
    )
    for verdict, calls in zip(verdicts, (500, 500, 250, 250), strict=True):
        assert (verdict.status, verdict.differing, verdict.surplus) == (0, set(), [])
        assert verdict.total["joined"] >= calls
        assert verdict.total["truth"] == verdict.total["ledger"]
    for verdict in verdicts[2:]:  # closed on Sunday, open on Monday by the new time
        assert verdict.total["truth"]["closed"] > 10
        assert verdict.total["truth"]["answered"] > 10


async def test_only_calls_that_a_fault_has_touched_differ(tmp_path):
    """Time runs 40 times faster, so the second that telemon takes to come (back) is most of a minute there."""
    faults = {"cut": "cut@180", "restart": "restart@180+4", "kill": "kill@180+4"}
    options = ("--scenario", "demo", "--speed", SPEED, "--calls", "120", "--starts-at", "2026-11-23T09:00:00")
    verdicts = await asyncio.gather(
        *(measured(tmp_path / name, *options, "--fault", fault) for name, fault in faults.items())
    )
    for name, verdict in zip(faults, verdicts, strict=True):
        truths = list(read_truth(tmp_path / name / "truth.ndjson"))
        (start, connected), (lost, back) = verdict.blind
        assert start == 0
        assert abs((lost - connected - LOOKING_ROUND) * SPEED - 180) < 20
        untouched = {one.name for one in truths if not any(overlaps(one, *interval) for interval in verdict.blind)}
        touched = {one.name for one in truths if overlaps(one, lost, back)}
        assert len(truths) >= 116  # while Asterisk is down, callers reach nobody
        assert len(untouched) > 20
        assert verdict.status == 1
        assert verdict.differing & untouched == set()
        assert verdict.differing & touched
        assert verdict.surplus == []


def overlaps(truth, begins, ends):
    """Whether the call was under way in this interval of real seconds, or nearly so."""
    begins, ends = (BEGINS + round(SPEED * at * SECOND) for at in (begins - MARGIN, ends + MARGIN))
    return truth.arrived_at < ends and truth.ended_at > begins
