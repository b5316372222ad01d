"""One journal, replayed into ledgers: the same comes out, byte for byte, whatever the database and however often."""

import gzip
import json
import os
import pty
import re
import subprocess
from pathlib import Path

import pytest

from telemon.cli import replay
from telemon.errors import LedgerError
from telemon.instants import parse_stamp
from telemon.journal import folder as journal_folder
from telemon.journal.entries import Clocked, Entry, Heard, Lost
from telemon.journal.records import encode
from telemon.journal.writer import Journal
from telemon.ledger.reader import read_calls, read_observations
from telemon.ledger.store import open_ledger
from telemon.observation import GapCause, Sight
from tests.acceptance.commands import TELEMON, environment, telemon, telemon_all
from tests.ledger.kit import calls, locked, writing

RECORDINGS = Path(__file__).parent.parent / "recordings" / "22"
NAMES = (
    "a1_queue_ring", "c1_dial_ringall", "e2_overflow_voicemail", "f5_screen_accept", "g1_blind_refer", "g4_att_dtmf",
    "h1_abandon_queue", "h4_abandon_quick", "i2_all_busy", "k2_local_n", "p1_hold",
)  # fmt: skip
CUT_SHORT = {"e2_overflow_voicemail", "g4_att_dtmf"}  # by the link's fall, in the middle of a call
HOLED = {"f5_screen_accept", "p1_hold"}  # some records are missing
PERIOD = ("--period", "2026-11-11")
EXPORTS = (
    ("calls", "-n", "1000000", "-f", "ndjson", *PERIOD),
    ("stats", "-f", "ndjson", *PERIOD),
    ("stats", "-f", "table", *PERIOD),
)
ALWAYS = (0, 4_000_000_000_000_000)


def events_of(name):
    data = gzip.decompress((RECORDINGS / f"{name}.ami.gz").read_bytes())
    data = re.sub(rb"1795(?=\d{6}\.)", b"1794", data)  # of a day that is over: 23 becomes 11 November
    return [block + b"\r\n\r\n" for block in data.split(b"\r\n\r\n") if block.startswith(b"Event: ")]


def stamp_of(block):
    found = re.search(rb"\nTimestamp: ([\d.]+)\r", block)
    return None if found is None else parse_stamp(found[1].decode())


def entries_of(name):
    """Return what the link would have kept of one recording: its events in small chunks, its pongs, its fall."""
    events = events_of(name)
    at = next(stamp for stamp in map(stamp_of, events) if stamp is not None)
    entries: list[Entry] = [Clocked(at, at)]
    for start in range(0, len(events), 3):
        chunk = events[start : start + 3]
        at = max([at, *filter(None, map(stamp_of, chunk))])
        entries.append(Heard(at, b"".join(chunk)))
    if name in CUT_SHORT:
        del entries[2 * len(entries) // 3 :]
    return [*entries, Lost(entries[-1][0], GapCause.LINK_CUT)]


@pytest.fixture(scope="module")
def journal(tmp_path_factory):
    """Several segments: recordings one after the other, the link cut after each, some records missing."""
    folder = tmp_path_factory.mktemp("replayed") / "journal" / "pbx"
    patch = pytest.MonkeyPatch()
    patch.setattr(journal_folder, "SEGMENT_BYTES", 200_000)
    opened = Journal(folder, keep=1 << 60, maximum_bytes=1 << 40, free_bytes=0)
    for name in sorted(NAMES, key=lambda name: entries_of(name)[0][0]):
        entries = entries_of(name)
        for place, entry in enumerate(entries):
            if name in HOLED and len(entries) // 3 <= place < len(entries) // 2:
                opened.next_number += 1
            else:
                opened.append(entry)
        assert opened.flush(20)
    assert opened.close(20) == 0
    patch.undo()
    assert len(list(folder.glob("*.journal*"))) > 3
    return folder


def configure(folder, url):
    """Write a configuration whose ledger this is; the key of the pseudonyms is the same for all of one folder."""
    path = folder / f"telemon-{url.partition(':')[0]}.toml"
    service = '[[service]]\nname = "standard"\nddis = ["*"]\nqueues = ["*"]\n'
    path.write_text(
        f'site = "site"\n[ledger]\nurl = "{url}"\nkey_file = "{folder}/telemon.key"\n'
        f'[[pbx]]\nname = "pbx"\nsecret = "s"\n{service}'
    )
    return path


async def replayed(folder, url, *sources):
    config = configure(folder, url)
    status, output, errors = await telemon("replay", *sources, "--into", url, "-c", config, cwd=folder)
    assert (status, errors) == (0, "")
    assert re.fullmatch(r"\d+ calls and \d+ observations written\.\n", output)
    return config


async def exports(config):
    answers = await telemon_all(*((*command, "-c", str(config)) for command in EXPORTS), cwd=config.parent)
    assert all(status == 0 and not errors for status, _, errors in answers)
    return [output for _, output, _ in answers]


def observations(url):
    engine = open_ledger(url)
    try:
        return list(read_observations(engine, "pbx", *ALWAYS))
    finally:
        engine.dispose()


@pytest.fixture
def sqlite_url(tmp_path):
    return f"sqlite:///{tmp_path}/ledger.db"


@pytest.mark.real("postgresql")
async def test_sqlite_and_postgresql_export_the_same_bytes(journal, tmp_path, sqlite_url, postgresql):
    postgresql_url = postgresql.new_database()
    one = await exports(await replayed(tmp_path, sqlite_url, journal))
    other = await exports(await replayed(tmp_path, postgresql_url, journal))
    assert one == other
    assert observations(sqlite_url) == observations(postgresql_url)
    told = [json.loads(line) for line in one[0].splitlines()]
    assert len(told) >= len(NAMES)
    assert {"answered", "abandoned", "unknown"} <= {call["outcome"] for call in told}
    assert {call["provenance"] for call in told} == {"replayed"}
    assert json.loads(one[1].splitlines()[0])["offered"] > 0


async def test_replaying_it_again_changes_nothing(journal, tmp_path, sqlite_url):
    config = await replayed(tmp_path, sqlite_url, journal)
    once, seen = await exports(config), observations(sqlite_url)
    await replayed(tmp_path, sqlite_url, journal)
    assert await exports(config) == once
    assert observations(sqlite_url) == seen
    await replayed(tmp_path, sqlite_url, journal, journal)
    assert await exports(config) == once
    assert observations(sqlite_url) == seen


async def test_each_gap_is_where_the_journal_says(journal, tmp_path, sqlite_url):
    await replayed(tmp_path, sqlite_url, journal)
    intervals = observations(sqlite_url)
    gaps = [interval for interval in intervals if interval.sight is Sight.GAP]
    ends = {entries_of(name)[-1][0] for name in NAMES}
    # Each recording is of an Asterisk just started, so it was down rather than cut off.
    cut = [gap.started_at for gap in gaps if gap.cause in {GapCause.LINK_CUT, GapCause.PBX_DOWN}]
    assert set(cut) <= ends
    assert len(cut) >= len(NAMES) - len(HOLED) - 1  # at the last one nothing is heard any more
    assert sum(gap.cause is GapCause.EVENTS_DROPPED for gap in gaps) == len(HOLED)
    assert all(interval.ended_at > interval.started_at for interval in intervals)
    assert {interval.observer for interval in intervals} == {"replay of pbx"}


async def test_segments_and_captures_may_be_mixed(journal, tmp_path, sqlite_url):
    """A segment alone is read as far as it goes; the whole, read later, says the more."""
    segments = sorted(journal.glob("*.journal*"))
    config = configure(tmp_path, sqlite_url)
    whole = await exports(await replayed(tmp_path, sqlite_url, journal))
    other = f"sqlite:///{tmp_path}/mixed.db"
    capture = tmp_path / "capture.ami.gz"
    capture.write_bytes(gzip.compress(b"".join(events_of("a1_queue_ring"))))
    await replayed(tmp_path, other, segments[0], capture, *segments[1:], journal)
    again = config.with_name("again.toml")
    again.write_text(config.read_text().replace("/ledger.db", "/mixed.db"))
    assert (await exports(again))[0] == whole[0]


async def test_what_it_prints_is_what_it_writes(journal, tmp_path, sqlite_url):
    config = await replayed(tmp_path, sqlite_url, journal)
    status, output, errors = await telemon("replay", journal, "-c", config, cwd=tmp_path)
    assert (status, errors) == (0, "")
    printed = [json.loads(line) for line in output.splitlines()]
    written = [json.loads(line) for line in (await exports(config))[0].splitlines()]
    hidden = {"caller", "answered_by", "attempts", "transfers", "ddi"}  # numbers become pseudonyms on the way in

    def shown(told):
        return [{key: value for key, value in call.items() if key not in hidden} for call in told]

    assert shown(printed) == shown(written)


async def test_a_torn_journal_is_replayed_and_its_tear_said(journal, tmp_path):
    segment = max(journal.glob("*.journal"))
    torn = tmp_path / segment.name
    torn.write_bytes(segment.read_bytes()[:-5])
    status, output, errors = await telemon("replay", torn, "-c", configure(tmp_path, "sqlite:///x.db"), cwd=tmp_path)
    assert status == 0
    assert output
    assert "no whole record: passed over" in errors


async def test_a_record_that_is_no_ami_costs_that_record(tmp_path):
    folder = tmp_path / "journal"
    folder.mkdir()
    entries = entries_of("a1_queue_ring")
    garbage = Heard(entries[0][0], b"x" * (2 << 20))
    blocks = [encode(number, entry) for number, entry in enumerate([garbage, *entries])]
    (folder / f"{0:020}.journal").write_bytes(b"".join(blocks))
    status, output, errors = await telemon("replay", folder, "-c", configure(tmp_path, "sqlite:///x.db"), cwd=tmp_path)
    assert status == 0
    assert json.loads(output)["outcome"] == "answered"
    assert "passed over 1 torn blocks" in errors


@pytest.mark.parametrize(
    ("url", "said"), [("sqlite:////nowhere/ledger.db", "unable to open database file"), ("mysql://x/y", "no database")]
)
async def test_a_ledger_that_cannot_be_opened_is_one_line(journal, tmp_path, url, said):
    status, output, errors = await telemon(
        "replay", journal, "--into", url, "-c", configure(tmp_path, "sqlite:///x.db"), cwd=tmp_path
    )
    assert (status, output) == (1, "")
    assert errors.count("\n") == 1
    assert said in errors


def test_a_ledger_that_refuses_for_too_long_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr(replay, "PATIENCE_SECONDS", 0.5)
    file = tmp_path / "ledger.db"
    engine = open_ledger(f"sqlite:///{file}")
    with writing(engine) as writer, locked(file):
        writer.put(calls(1)[0])
        with pytest.raises(LedgerError, match=r"refuses: database is locked .*run the same command again"):
            replay._catch_up(writer)
    engine.dispose()


def test_on_a_terminal_it_shows_how_far_it_is(journal, tmp_path):
    ours, theirs = pty.openpty()
    command = [*TELEMON, "replay", str(journal), "-c", str(configure(tmp_path, "sqlite:///x.db"))]
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment(TERM="xterm"), stdout=subprocess.PIPE, stderr=theirs
    ) as process:
        os.close(theirs)
        assert process.stdout is not None
        assert process.stdout.read().count(b"\n") >= len(NAMES)
    shown = os.read(ours, 1 << 20)
    os.close(ours)
    assert process.returncode == 0
    assert b"replay" in shown
    assert b"B" in shown


async def test_no_number_in_clear_reaches_the_ledger(journal, tmp_path, sqlite_url):
    config = await replayed(tmp_path, sqlite_url, journal)
    _, output, _ = await telemon("replay", journal, "-c", config, cwd=tmp_path)
    callers = {call["caller"] for call in map(json.loads, output.splitlines())}
    assert any(re.fullmatch(r"\d{10}", caller) for caller in callers)
    engine = open_ledger(sqlite_url)
    stored = {call.caller for call in read_calls(engine, *ALWAYS)}
    engine.dispose()
    assert not stored & callers
