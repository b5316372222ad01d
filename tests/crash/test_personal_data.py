"""A caller's number and name are in the journal, purged after days, and nowhere else: in no log and in no file."""

import asyncio
import json
import signal
import sqlite3
import sys
import time
from datetime import datetime, timedelta

import httpx
import pytest

from simulators.ami.event import Event
from telemon.journal.entries import Heard
from telemon.journal.reader import read_entries
from tests.acceptance.commands import Running, configure, environment
from tests.acceptance.shell import events_of, pbx, plan, split, tell
from tests.acceptance.test_daemon import counted, eventually, rows_of

NUMBER, NAME = "0655443322", "Cunégonde Canari"
HOSTILE = 'Canari\x1b[31m"}\\ <b>=cmd|1</b> %s {0}'
MOBILE = "Local/0677665544@canari-mobiles"
CANARIES = (NUMBER, NUMBER[1:], "Canari", "canari-mobiles", "0677665544", "\x1b[31m")

# A mistake of ours with an event, as it may be made some day, whose exception says all that the event said.
_STUMBLING = """
import dataclasses, sys
from telemon.ami import events as ami
from telemon.tracker import Tracker
feed = Tracker.feed
def stumble(self, event):
    if isinstance(event, ami.Rename):
        raise KeyError(event)
    return feed(self, event)
Tracker.feed = stumble
from telemon.cli import main
main()
"""


def named(events, name):
    """Give the caller of these events a name."""
    for at, event in events:
        shown = {
            header: name for header in ("CallerIDName", "ConnectedLineName") if event.get(header[:-4] + "Num") == NUMBER
        }
        yield at, Event(event.name, event.headers).replaced(**shown)


async def provoke(server, config, daemon):
    """Bring about everything that telemon has something to say about, with the canaries in it."""
    first = time.time() - 60
    tell(server, named(events_of([plan(NUMBER, answers_at=3.0)], first_at=first), NAME))
    tell(server, named(events_of([plan(NUMBER, patience=9.0)], first_at=first + 1), HOSTILE))
    await eventually(lambda: counted(daemon), {"answered": 1, "abandoned": 1})
    old, new = f"PJSIP/{NUMBER}-00000001", f"{MOBILE}-00000001;2"
    server.emit(Event("Rename", (("Channel", old), ("Newname", new), ("Uniqueid", f"{int(first)}.77"))))
    forged = Event("Newchannel", (("Channel", old), ("CallerIDNum", NUMBER), ("Uniqueid", "1.1"), ("Uniqueid", "1.2")))
    server.emit(forged)
    await daemon.line("second Uniqueid")
    begun, _ = split(list(named(events_of([plan(NUMBER)], first_at=time.time()), NAME)), "DialState")
    tell(server, begun)
    holder = sqlite3.connect(config.parent / "telemon.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    tell(server, named(events_of([plan(NUMBER, answers_at=4.0)], first_at=time.time() - 30), NAME))
    await daemon.line("cannot write")
    holder.close()
    await eventually(lambda: rows_of(config, "SELECT count(*) FROM calls"), [(3,)])
    server.cut()
    await daemon.line("connected to Asterisk")
    good = config.read_text("utf-8")
    config.write_text(good.replace("[[service]]", f'probe_callers = ["{NUMBER}"]\n[[service]]'), "utf-8")
    daemon.process.send_signal(signal.SIGHUP)
    await daemon.line("not taken over")


@pytest.fixture(params=["text", "json"])
def form(request):
    return request.param


async def test_no_log_line_and_no_file_but_the_journal_has_a_number_or_a_name(tmp_path, form):
    before = datetime.now().astimezone() - timedelta(seconds=1)
    async with pbx() as server:
        config = configure(tmp_path, server.port, more=f'[log]\nformat = "{form}"\nlevel = "debug"')
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-X", "dev", "-W", "ignore", "-c", _STUMBLING, "run", "-c", str(config)),
            cwd=tmp_path,
            env=environment(),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        daemon = Running(process)
        try:
            line = await daemon.line("http://")
            daemon.address = "http://" + line.partition("http://")[2].split()[0]
            await daemon.line("connected to Asterisk")
            await provoke(server, config, daemon)
            async with httpx.AsyncClient() as client:
                pages = "".join([(await client.get(daemon.address + page)).text for page in ("/metrics", "/readyz")])
            assert (await daemon.stop(signal.SIGTERM))[0] == 0
        finally:
            if process.returncode is None:
                process.kill()
                await process.communicate()
    log = "".join(daemon.log)
    assert "KeyError at <string>:" in log  # the mistake was made, and logged with its place
    for canary in CANARIES:
        assert canary not in log
        assert canary not in pages
    assert [path for path in files(tmp_path) if any(one.encode() in path.read_bytes() for one in CANARIES)] == [config]
    assert NUMBER.encode() in journal(tmp_path)  # all of it was there to be told
    assert NAME.encode() in journal(tmp_path)
    check_lines(log, form, before)


def files(folder):
    """Return every file but the journal's."""
    journals = folder / "journal"
    return [path for path in sorted(folder.rglob("*")) if path.is_file() and not path.is_relative_to(journals)]


def journal(folder):
    entries = read_entries(folder / "journal" / "pbx")
    return b"".join(entry.data for _, entry in entries if isinstance(entry, Heard))


def check_lines(log, form, before):
    """Every line is one record, with its time, level and logger."""
    lines = log.splitlines()
    assert len(lines) > 8
    for line in lines:
        if form == "json":
            entry = json.loads(line)
            assert list(entry) == ["time", "level", "logger", "message"]
            at = datetime.fromisoformat(entry["time"])
            assert at.utcoffset() == timedelta(0)
        else:
            time_, level, logger, _ = line.split(" ", 3)
            at = datetime.fromisoformat(time_)
            entry = {"level": level, "logger": logger.rstrip(":")}
        assert before < at < datetime.now().astimezone()
        assert entry["level"] in {"DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"}
        assert entry["logger"].partition(".")[0] in {"telemon", "py", "asyncio", "uvicorn", "alembic"}
