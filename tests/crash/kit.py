"""What the crash tests share: a switchboard of its own, the ledger as it stands, and what must be in it."""

import asyncio
import os
import secrets
import subprocess
import sys
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import make_url

from telemon.config import load
from telemon.instants import SECOND
from telemon.ledger.reader import read_calls, read_observations
from telemon.ledger.store import open_ledger
from telemon.observation import Sight
from telemon.records import Flag, Outcome
from tests.acceptance.commands import TELEMON, environment
from tests.acceptance.shell import PATIENCE

SIMULATOR = (sys.executable, "-c", "from simulators.cli import main; main()")
EVER = (0, 4_000_000_000 * SECOND)
SHORT = 5 * SECOND  # under which an abandoned call is a short one
EDGE = SECOND // 3  # of a gap: what was heard last before a kill may not have reached the journal


# A switchboard, told by telemon-sim


@asynccontextmanager
async def switchboard(folder, *arguments):
    """Serve a scenario from a process of its own, with truth and configuration; yield the process."""
    process = await asyncio.create_subprocess_exec(
        *SIMULATOR,
        *("ami", "--port", "0", "--truth", "truth.ndjson", "--write-config", "telemon.toml"),
        *map(str, arguments),
        cwd=folder,
        env=environment(),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        line = await asyncio.wait_for(process.stdout.readline(), 2 * PATIENCE)
        if b"AMI simulator on" not in line:
            raise AssertionError((await process.communicate())[1].decode())
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def telemon_sim(*arguments, cwd):
    """Run one command of telemon-sim to its end; return status, standard output and standard error."""
    process = await asyncio.create_subprocess_exec(
        *SIMULATOR,
        *map(str, arguments),
        cwd=cwd,
        env=environment(),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await asyncio.wait_for(process.communicate(), 6 * PATIENCE)
    return process.returncode, output.decode(), errors.decode()


@asynccontextmanager
async def telemon_run(config, log, *before, **more):
    """Start ``telemon run`` with its log in a file, behind other commands if any; kill it at the end of the block."""
    with log.open("ab") as target:
        process = await asyncio.create_subprocess_exec(
            *before,
            *TELEMON,
            *("run", "-c", str(config)),
            cwd=config.parent,
            env=environment(**more),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=target,
            stderr=target,
        )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


# What telemon wrote


@contextmanager
def ledger_of(config):
    """Open the ledger of a configuration; a relative path begins beside it, as for a telemon that runs there."""
    url = make_url(load(config).ledger.url)
    if url.get_backend_name() == "sqlite":
        url = url.set(database=str(config.parent / (url.database or "")))
    engine = open_ledger(url.render_as_string(hide_password=False))
    try:
        yield engine
    finally:
        engine.dispose()


def calls_of(config):
    """Return every call of the ledger by its id."""
    with ledger_of(config) as engine:
        records = list(read_calls(engine, *EVER))
    by_id = {record.call_id: record for record in records}
    assert len(by_id) == len(records), "a call is in the ledger twice"
    return by_id


def observations_of(config, pbx="pbx"):
    """Return every interval of observation, in order."""
    with ledger_of(config) as engine:
        return list(read_observations(engine, pbx, *EVER))


def gaps_of(config, pbx="pbx"):
    """Return when nothing was seen, as (start, end, cause); a gap that still lasts has no end and is far away."""
    intervals = observations_of(config, pbx)
    return [
        (one.started_at, one.ended_at if one.ended_at is not None else EVER[1], one.cause)
        for one in intervals
        if one.sight is Sight.GAP
    ]


async def scraped(address):
    """Return the samples of /metrics as (name, labels): value."""
    async with httpx.AsyncClient() as client:
        text = (await client.get(f"{address}/metrics")).text
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


# What must be there


@dataclass
class Sorted:
    """The calls of a truth by how much of them could be seen; ``wrong`` says in words what the ledger has wrong."""

    whole: int = 0  # under way in no gap
    through: int = 0  # seen to their end, but with a gap in them
    cut: int = 0  # over by the end of a gap
    unseen: int = 0  # begun and over in one gap
    edge: int = 0  # hanging on a fraction of a second at a gap's start or end
    wrong: list[str] = field(default_factory=list)


def judge(truths, calls, gaps):
    """Hold a ledger, before any repair, against the truth and the gaps that it declares."""
    found = Sorted()
    unknown = calls.keys() - {truth.call_id for truth in truths}
    found.wrong += [f"{call_id} was never placed" for call_id in sorted(unknown)]
    for truth in truths:
        call, seen = calls.get(truth.call_id), _seen(truth, gaps)
        if call is None:
            if any(s - EDGE < truth.arrived_at and truth.ended_at < e + EDGE for s, e, _ in gaps):
                found.unseen += 1
            else:
                found.wrong.append(f"{truth.call_id} is missing: {seen}, {truth}")
            continue
        problem = _problem(truth, call, seen)
        if problem:
            found.wrong.append(f"{truth.call_id} ({seen}): {problem}; {truth}; {call}")
        setattr(found, seen, getattr(found, seen) + 1)
    return found


def _seen(truth, gaps, margin=EDGE):
    """Return how much of a call lies in gaps; 'edge' where it hangs on a fraction of a second."""
    touching = [(s, e) for s, e, _ in gaps if truth.arrived_at < e + margin and truth.ended_at > s - margin]
    if not touching:
        return "whole"
    if any(s + margin < truth.arrived_at and truth.ended_at < e - margin for s, e in touching):
        return "unseen"
    if any(s + margin < truth.ended_at < e - margin for s, e in touching):
        return "cut"
    if any(
        s - margin < moment < s + margin or e - margin < moment < e + margin
        for s, e in touching
        for moment in (truth.arrived_at, truth.answered_at or 0, truth.ended_at)
    ):
        return "edge"
    return "through"


def _problem(truth, call, seen):
    """Return what the ledger has wrong of a call, if anything."""
    if seen == "cut":
        if truth.answered_at is not None and call.outcome is Outcome.ANSWERED:
            return None if call.ended_at is None and Flag.ENDED_IN_GAP in call.flags else "its end was not seen"
        return None if call.outcome is Outcome.UNKNOWN and call.ended_at is None else "it must be unknown"
    if call.outcome is not truth.outcome and not _hangs_on_the_arrival(truth, call):
        return None if seen == "edge" and call.outcome is Outcome.UNKNOWN else "another outcome"
    if seen == "edge":
        return None
    if seen == "whole" and not _near(call.answered_at, truth.answered_at):
        return "answered at another time"
    return None if _near(call.ended_at, truth.ended_at) else "over at another time"


def _hangs_on_the_arrival(truth, call):
    """Whether short or not is a question of when the caller came, which after a gap is known to the second."""
    unsure = Flag.ARRIVED_IN_GAP in call.flags and abs(truth.ended_at - truth.arrived_at - SHORT) < SECOND
    return unsure and {truth.outcome, call.outcome} == {Outcome.SHORT_ABANDONED, Outcome.ABANDONED}


def _near(found, expected):
    return found == expected if None in {found, expected} else abs(found - expected) < SECOND // 5


# Networks that can be cut


class Namespace:
    """A network namespace with one cable to here: ``address`` is ours, ``inside`` its own. Needs root, ip and nft."""

    def __init__(self):
        self.name = f"telemon-{secrets.token_hex(3)}"
        number = secrets.randbelow(1 << 14)
        network = f"198.{18 + (number >> 13 & 1)}.{number >> 5 & 255}"  # RFC 2544: for tests, never routed
        first = (number & 31) * 8
        self.address, self.inside = f"{network}.{first + 1}", f"{network}.{first + 2}"
        self._cable = f"tm{secrets.token_hex(3)}"

    @property
    def enter(self):
        """The command behind which a program runs inside."""
        return ("ip", "netns", "exec", self.name)

    def __enter__(self):
        _run("ip", "netns", "add", self.name)
        try:
            _run("ip", "link", "add", self._cable, "type", "veth", "peer", "name", "eth0", "netns", self.name)
            _run("ip", "address", "add", f"{self.address}/30", "dev", self._cable)
            _run("ip", "link", "set", self._cable, "up")
            for change in (
                ("address", "add", f"{self.inside}/30", "dev", "eth0"),
                ("link", "set", "eth0", "up"),
                ("link", "set", "lo", "up"),
            ):
                _run("ip", "-netns", self.name, *change)
            self._nft(
                "add table inet cut; add chain inet cut out { type filter hook output priority 0; }; "
                "add chain inet cut in { type filter hook input priority 0; }"
            )
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        _run("ip", "netns", "delete", self.name)  # the cable's other end goes with it

    @contextmanager
    def cut(self, port):
        """Let nothing pass to or from a port outside, silently, as a firewall does."""
        self._nft(f"add rule inet cut out tcp dport {port} drop; add rule inet cut in tcp sport {port} drop")
        yield
        self._nft("flush table inet cut")

    def _nft(self, rules):
        _run(*self.enter, "nft", rules)


def _run(*command):
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"


def resident_bytes(pid):
    """Return how much memory a process holds (proc(5), /proc/PID/statm, second field, in pages)."""
    return int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
