"""telemon as a service: what systemd hears of a real ``telemon run``, and a reload by SIGHUP."""

import asyncio
import json
import os
import re
import signal
import socket
import sys
import time
from contextlib import asynccontextmanager
from itertools import pairwise

import pytest

from telemon.observation import Sight
from tests.acceptance.commands import Running, configure, environment, running, telemon
from tests.acceptance.shell import ANSWERED, SECRET, events_of, pbx, plan, split, tell, until
from tests.acceptance.test_daemon import counted, eventually, get, ledger, rows_of, value_of

# What systemd hears


class Systemd:
    """The socket that systemd gives to a service, and what came in over it."""

    def __init__(self, path):
        self.environment = {"NOTIFY_SOCKET": str(path)}
        self.heard: list[tuple[float, str]] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._socket.setblocking(False)

    def __enter__(self):
        asyncio.get_running_loop().add_reader(self._socket, self._read)
        return self

    def __exit__(self, *_):
        asyncio.get_running_loop().remove_reader(self._socket)
        self._socket.close()

    def _read(self):
        self.heard.append((time.monotonic(), self._socket.recv(4096).decode()))

    def times(self, word):
        return [at for at, said in self.heard if word in said.split("\n")]

    def words(self):
        """What was said, but for the watchdog's."""
        return [said.partition("\n")[0] for _, said in self.heard if said != "WATCHDOG=1"]


@pytest.fixture
def systemd(tmp_path):
    return Systemd(tmp_path / "notify")


async def test_ready_comes_when_the_pages_are_served_and_calls_under_way_are_saved_within_a_second_of_the_end(
    tmp_path, systemd
):
    async with pbx() as server:
        with systemd:
            config = configure(tmp_path, server.port)
            async with running(config, **systemd.environment) as daemon:
                await until(lambda: systemd.times("READY=1"))
                await until(lambda: systemd.times("STATUS=Connected to 1 of 1 PBXs."))
                assert (await get(daemon, "/healthz")).status_code == 200
                calls = [plan(f"01990001{number:02}") for number in range(100)]
                tell(server, split(events_of(calls, first_at=time.time() - 20, apart=0.05), "DialState")[0])
                await eventually(lambda: value_of(daemon, "telemon_calls_waiting"), 100.0)
                asked = time.time()
                status, _ = await daemon.stop(signal.SIGTERM)
                await until(lambda: systemd.times("STOPPING=1"))
    assert status == 0
    saved = (tmp_path / "journal" / "pbx" / "checkpoint").stat().st_mtime
    assert 0 < saved - asked < 1
    assert (systemd.words()[0], systemd.words()[-1]) == ("READY=1", "STOPPING=1")
    assert len(systemd.times("READY=1")) == len(systemd.times("STOPPING=1")) == 1
    assert await rows_of(config, "SELECT count(*) FROM calls") == [(0,)]  # the next start goes on with them


async def test_ready_comes_after_the_journal(tmp_path, systemd):
    """The calls that were cut short by the last end are read again before systemd hears that the service is there."""
    async with pbx() as server:
        config = configure(tmp_path, server.port)
        async with running(config) as daemon:
            tell(server, split(events_of([ANSWERED], first_at=time.time() - 10), "BridgeEnter")[0])
            await eventually(lambda: value_of(daemon, "telemon_calls_talking"), 1.0)
            await eventually(lambda: value_of(daemon, "telemon_journal_pending_bytes"), 0.0)
            await daemon.stop(signal.SIGKILL)
        with systemd:
            async with running(config, **systemd.environment) as daemon:
                resumed = next(place for place, line in enumerate(daemon.log) if "went on from the journal" in line)
                assert "1 calls under way" in daemon.log[resumed]
                assert resumed < next(place for place, line in enumerate(daemon.log) if "http://" in line)
                await until(lambda: systemd.times("READY=1"))


async def test_a_start_that_fails_is_never_ready(tmp_path, systemd):
    with systemd:
        config = configure(tmp_path, 1, more='[ledger]\nurl = "sqlite:////nowhere/at/all.db"')
        status, _, _ = await telemon("run", "-c", config, cwd=tmp_path, **systemd.environment)
        await asyncio.sleep(0)
    assert status == 1
    assert systemd.heard == []


async def test_a_stuck_loop_is_silent_to_the_watchdog(tmp_path, systemd):
    limit = 0.4
    async with pbx() as server:
        with systemd:
            environment = {**systemd.environment, "WATCHDOG_USEC": str(int(limit * 1e6))}
            async with running(configure(tmp_path, server.port), **environment) as daemon:
                await until(lambda: len(systemd.times("WATCHDOG=1")) > 4)
                daemon.process.send_signal(signal.SIGSTOP)
                await asyncio.sleep(0.05)
                before = len(systemd.heard)
                await asyncio.sleep(2 * limit)
                assert len(systemd.heard) == before
                daemon.process.send_signal(signal.SIGCONT)
                await until(lambda: len(systemd.heard) > before + 1)
    told = systemd.times("WATCHDOG=1")[:4]
    assert max(later - earlier for earlier, later in pairwise(told)) < limit


# A reload


class Reloadable:
    """A running telemon and its configuration, which can be changed."""

    def __init__(self, daemon, config):
        self.daemon, self.config = daemon, config

    def change(self, old, new):
        text = self.config.read_text("utf-8")
        assert old in text
        self.config.write_text(text.replace(old, new), "utf-8")

    async def reload(self, words):
        """Send SIGHUP; return what was logged up to a line with these words."""
        before = len(self.daemon.log)
        self.daemon.process.send_signal(signal.SIGHUP)
        await self.daemon.line(words)
        return "".join(self.daemon.log[before:])


@asynccontextmanager
async def reloadable(folder, *ports, more="", **options):
    config = configure(folder, *ports, more=more)
    async with running(config, connected=len(ports), **options) as daemon:
        yield Reloadable(daemon, config)


async def test_services_thresholds_and_probes_change_at_once_and_without_a_gap(tmp_path, systemd):
    async with pbx() as server:
        with systemd:
            async with reloadable(tmp_path, server.port, **systemd.environment) as site:
                tell(server, events_of([plan("0199000001", patience=3.0)], first_at=time.time() - 60))
                await eventually(lambda: counted(site.daemon), {"short_abandoned": 1})
                site.change('site = "site"', 'site = "site"\nshort_abandon_seconds = 2\nprobe_callers = ["0199000002"]')
                site.change('name = "standard"', 'name = "accueil"')
                said = await site.reload("Changed: short_abandon_seconds, probe_callers, service.")
                assert "connecting again" not in said
                tell(server, events_of([plan("0199000001", patience=3.0)], first_at=time.time() - 50))
                tell(server, events_of([plan("0199000002", patience=9.0)], first_at=time.time() - 50))
                await eventually(lambda: rows_of(site.config, "SELECT count(*) FROM calls"), [(3,)])
                assert (await value_of(site.daemon, "telemon_ami_connects_total")) == 1
                await until(lambda: len(systemd.times("READY=1")) == 2)
    assert systemd.words().count("RELOADING=1") == 1
    (reloading,) = [said for _, said in systemd.heard if said.startswith("RELOADING=1")]
    assert re.fullmatch(r"RELOADING=1\nMONOTONIC_USEC=\d+", reloading)
    rows = await rows_of(site.config, "SELECT service, outcome, is_probe FROM calls ORDER BY arrived_at, is_probe")
    assert sorted(rows) == [
        ("accueil", "abandoned", 0),
        ("accueil", "abandoned", 1),
        ("standard", "short_abandoned", 0),
    ]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('site = "site"', "site = [", "is no TOML"),
        ("ping_seconds = 1", "ping_secnds = 1", "Did you mean ping_seconds?"),
        (f'secret = "{SECRET}"', 'secret_file = "none"', "secret_file none cannot be read"),
    ],
)
async def test_a_wrong_configuration_is_refused_and_the_old_one_stays(tmp_path, systemd, old, new, said):
    async with pbx() as server:
        with systemd:
            async with reloadable(tmp_path, server.port, **systemd.environment) as site:
                site.change('name = "standard"', 'name = "accueil"')
                site.change(old, new)
                told = await site.reload("not taken over")
                assert said in told
                tell(server, events_of([plan("0199000001", answers_at=3.0)], first_at=time.time() - 90))
                await eventually(lambda: counted(site.daemon), {"answered": 1})  # of the service standard
                await until(lambda: len(systemd.times("READY=1")) == 2)
                assert (await value_of(site.daemon, "telemon_ami_connects_total")) == 1


async def test_what_needs_a_restart_is_named_and_stays(tmp_path):
    async with pbx() as server, reloadable(tmp_path, server.port) as site:
        site.change('site = "site"', 'site = "other"\ncountry = "us"')
        site.change('name = "pbx"', 'name = "renamed"')
        site.change('name = "standard"', 'name = "accueil"')
        told = await site.reload("only a restart")
        assert "Changed: service." in told
        assert "takes it over: site, country, pbx. Until" in told
        tell(server, events_of([ANSWERED], first_at=time.time() - 90))
        await eventually(lambda: rows_of(site.config, "SELECT site, service FROM calls"), [("site", "accueil")])


async def test_another_address_connects_again_with_a_declared_gap_and_keeps_the_calls(tmp_path):
    async with pbx() as old, pbx() as new:
        events = events_of([ANSWERED], first_at=time.time() - 10)
        begun, rest = split(events, "BridgeEnter")
        async with reloadable(tmp_path, old.port) as site:
            for server in (old, new):
                tell(server, begun)
            await eventually(lambda: value_of(site.daemon, "telemon_calls_talking"), 1.0)
            site.change(f"port = {old.port}", f"port = {new.port}")
            told = await site.reload("connected to Asterisk")
            assert "pbx: its address, access or devices changed, connecting again." in told
            assert f":{new.port}" in told
            tell(new, rest)
            await eventually(lambda: counted(site.daemon), {"answered": 1})
            assert old.sessions == set()
            assert (await get(site.daemon, "/readyz")).status_code == 200
            status, _ = await site.daemon.stop(signal.SIGTERM)
    assert status == 0
    (call,) = await ledger(site.config)
    assert "seen_through_gap" in call["flags"]
    observations = await rows_of(site.config, "SELECT state, cause FROM observations ORDER BY started_at")
    assert observations[1:4] == [
        (Sight.SEEN.value, None),
        (Sight.GAP.value, "telemon_stopped"),
        (Sight.SEEN.value, None),
    ]


async def test_another_secret_connects_again(tmp_path):
    async with pbx() as server, reloadable(tmp_path, server.port) as site:
        server.users["telemon"] = type(server.users["telemon"])("another-secret")
        site.change(SECRET, "another-secret")
        await site.reload("connected to Asterisk")
        assert (await value_of(site.daemon, "telemon_ami_connects_total")) == 2


async def test_format_and_level_of_the_log_change_at_once(tmp_path):
    more = '[log]\nformat = "text"\nlevel = "info"'
    async with pbx() as server, reloadable(tmp_path, server.port, more=more) as site:
        site.change('format = "text"', 'format = "json"')
        told = await site.reload("Changed: log.")
        assert json.loads(told.splitlines()[-1])["level"] == "INFO"
        site.change('level = "info"', 'level = "warning"')
        site.daemon.process.send_signal(signal.SIGHUP)
        before = len(site.daemon.log)
        server.cut()
        await site.daemon.line("connection lost")
        assert {json.loads(line)["level"] for line in site.daemon.log[before:]} == {"ERROR"}


async def test_a_hang_up_while_it_ends_does_no_harm(tmp_path):
    async with pbx() as server, reloadable(tmp_path, server.port) as site:
        site.daemon.process.send_signal(signal.SIGTERM)
        status, _ = await site.daemon.stop(signal.SIGHUP)
    assert status == 0


# The kernel's own MemoryDenyWriteExecute= (prctl(2), PR_SET_MDWE, of Linux 6.3), which every exec inherits.
_DENIED = """
import ctypes, os, sys
assert ctypes.CDLL(None).prctl(65, 1, 0, 0, 0) == 0
os.execv(sys.executable, [sys.executable, "-c", "from telemon.cli import main; main()", *sys.argv[1:]])
"""


@pytest.mark.skipif(
    tuple(map(int, os.uname().release.split(".")[:2])) < (6, 3), reason="the kernel has no PR_SET_MDWE before 6.3"
)
async def test_it_needs_no_memory_that_is_both_written_and_run(tmp_path):
    async with pbx() as server:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-c", _DENIED, "run", "-c", configure(tmp_path, server.port)),
            cwd=tmp_path,
            env=environment(),
            stderr=asyncio.subprocess.PIPE,
        )
        daemon = Running(process)
        try:
            daemon.address = (await daemon.line("http://")).partition("at ")[2].split()[0]
            await daemon.line("connected to Asterisk")
            tell(server, events_of([ANSWERED], first_at=time.time() - 90))
            await eventually(lambda: counted(daemon), {"answered": 1})
            assert (await daemon.stop(signal.SIGTERM))[0] == 0
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
