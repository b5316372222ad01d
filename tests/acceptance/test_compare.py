"""``telemon-sim compare`` as its user meets it: real calls, their SIP side as truth, in each form of a ledger."""

import asyncio
import gzip
import json
import shutil
import sqlite3
import sys
import tempfile
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from simulators.truth import CallTruth, read_truth, write_truth
from telemon.instants import SECOND, from_seconds
from telemon.ledger.store import open_ledger
from telemon.ledger.writer import LedgerWriter
from telemon.records import EndedBy, Outcome
from telemon.replay import Replay
from tests.acceptance.commands import environment, telemon
from tests.acceptance.shell import PATIENCE
from tests.ledger.kit import Postgresql

RECORDINGS = Path(__file__).parent.parent / "recordings" / "22"
NAMES = ("o1_mixed5", "i2_all_busy", "g1_blind_refer", "e2_overflow_voicemail", "h1_abandon_queue")
CALLS = 12
CYCLE = 5 * SECOND
KEY = b"0123456789abcdef" * 4
SIMULATOR = (sys.executable, "-c", "from simulators.cli import main; main()")


def truth_of(name, number, call):
    """Return what the SIP side saw of a recorded call."""
    arrived_at = from_seconds(call["invite_at_unix"])
    wait_ended_at = arrived_at + from_seconds(call["wait_from_arrival_seconds"])
    heard = call["ring_heard_seconds"]
    heard = call["since_first_phone_rang_seconds"] if heard is None else heard
    answered_by = call.get("answered_by")
    return CallTruth(
        name=f"{name}-{number}",
        service="switchboard",
        ddi=call["ddi"],
        caller=call["caller"],
        outcome=Outcome(call["outcome"]),
        arrived_at=arrived_at,
        alerting_at=None if heard is None else wait_ended_at - from_seconds(heard),
        answered_at=wait_ended_at if answered_by else None,
        ended_at=from_seconds(call["end_at_unix"]),
        ended_by=EndedBy(call["ended_by"]),
        answered_by=answered_by and f"PJSIP/{answered_by}",
        machine_answered=call["machine_answered"] is not None,
        wait_ended_at=wait_ended_at,
        rung=tuple(f"PJSIP/{phone['phone']}" for phone in call["phones"]),
        transferred_to=tuple(f"PJSIP/{phone}" for phone in call["transferred_to"]),
    )


def records():
    for name in NAMES:
        session = Replay("site")
        yield from session.feed(gzip.decompress((RECORDINGS / f"{name}.ami.gz").read_bytes()))
        yield from session.finish()


def write_ledger(url):
    engine = open_ledger(url)
    writer = LedgerWriter(engine, key=KEY, ring_cycle=CYCLE)
    for record in records():
        writer.put(record)
    assert writer.close(PATIENCE) == 0
    engine.dispose()


@pytest.fixture(scope="module")
def rehearsal(tmp_path_factory):
    """A folder with a truth, the ledger that telemon's own writer made of the recordings, and its configuration."""
    folder = tmp_path_factory.mktemp("rehearsal")
    recorded = {name: json.loads((RECORDINGS / f"{name}.truth.json").read_text())["calls"] for name in NAMES}
    truths = [truth_of(name, number, call) for name in NAMES for number, call in enumerate(recorded[name])]
    assert len(truths) == CALLS
    write_truth(folder / "truth.ndjson", truths, CYCLE)
    (folder / "telemon.key").write_bytes(KEY)
    write_ledger(f"sqlite:///{folder}/ledger.db")
    (folder / "telemon.toml").write_text(
        'site = "site"\nlanguage = "fr"\n[ledger]\nurl = "sqlite:///ledger.db"\nkey_file = "telemon.key"\n'
    )
    return folder


async def compare(*arguments, cwd, **more):
    """Run one comparison; return status, standard output and standard error."""
    process = await asyncio.create_subprocess_exec(
        *SIMULATOR,
        "compare",
        *map(str, arguments),
        cwd=cwd,
        env=environment(**more),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        output, errors = await asyncio.wait_for(process.communicate(), 2 * PATIENCE)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return process.returncode, output.decode(), errors.decode()


def altered(folder, number=0, **changes):
    """Write a truth in which one call is another, and return its path."""
    truths = list(read_truth(folder / "truth.ndjson"))
    truths[number] = replace(truths[number], **changes)
    path = folder / "altered.ndjson"
    write_truth(path, truths, CYCLE)
    return path


@pytest.mark.parametrize(
    "ledger", ["ledger.db", "sqlite:///ledger.db", "sqlite:///{folder}/ledger.db", "telemon.toml", "replayed.ndjson"]
)
async def test_real_calls_are_as_they_were_in_every_form_of_the_ledger(rehearsal, ledger):
    if ledger == "replayed.ndjson":
        captures = [RECORDINGS / f"{name}.ami.gz" for name in NAMES]
        status, output, errors = await telemon("replay", *captures, cwd=rehearsal)
        assert (status, errors) == (0, "")
        (rehearsal / ledger).write_text(output)
    status, output, errors = await compare("truth.ndjson", ledger.format(folder=rehearsal), cwd=rehearsal)
    assert errors == ""
    said = (
        "Appels appariés : 12." if ledger == "telemon.toml" else "No difference beyond the tolerance. Calls joined: 12."
    )
    assert said in output, output
    assert status == 0


@pytest.mark.real("postgresql")
async def test_a_ledger_in_postgresql(rehearsal):
    with tempfile.TemporaryDirectory() as folder:
        server = Postgresql(Path(folder))
        server.start()
        try:
            url = server.new_database()
            write_ledger(url)
            status, output, errors = await compare("truth.ndjson", url, "--key", "telemon.key", cwd=rehearsal)
        finally:
            server.stop()
    assert (status, errors) == (0, "")
    assert "Calls joined: 12." in output


async def test_the_pbxs_of_a_site_are_judged_together(rehearsal, tmp_path):
    shutil.copy(rehearsal / "ledger.db", tmp_path)
    with closing(sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)) as ledger:
        ledger.execute("UPDATE calls SET site = 'site/pbx2' WHERE outcome = 'answered'")
        ledger.execute("UPDATE calls SET site = 'sites' WHERE outcome = 'diverted'")
    arguments = (rehearsal / "truth.ndjson", "ledger.db", "--key", rehearsal / "telemon.key")
    status, output, _ = await compare(*arguments, "--site", "site", cwd=tmp_path)
    assert (status, "joined: 11, of which differ: 0; missing in the ledger: 1;" in output) == (1, True), output
    status, output, _ = await compare(*arguments, cwd=tmp_path)
    assert (status, "Calls joined: 12." in output) == (0, True), output


async def test_calls_as_json_lines_can_be_judged_from_elsewhere(rehearsal, tmp_path):
    status, output, _ = await telemon("calls", "-p", "2026", "-f", "ndjson", cwd=rehearsal)
    assert status == 0
    (tmp_path / "calls.ndjson").write_text(output)
    truth = rehearsal / "truth.ndjson"
    status, output, _ = await compare(truth, "calls.ndjson", "--key", rehearsal / "telemon.key", cwd=tmp_path)
    assert (status, "Give the key with --key" in output) == (0, False), output
    status, output, _ = await compare(truth, "calls.ndjson", cwd=tmp_path)
    assert (status, "Give the key with --key" in output) == (0, True), output


async def test_a_wrong_ledger_is_told_from_a_right_one(rehearsal):
    truth = altered(rehearsal, outcome=Outcome.UNANSWERED, name="[bold]\x1b[2Jwrong")
    status, output, errors = await compare(truth, "ledger.db", cwd=rehearsal)
    assert (status, errors) == (1, "")
    assert "[bold]\N{REPLACEMENT CHARACTER}[2Jwrong" in output
    assert "Calls joined: 12, of which differ: 1;" in output
    status, output, _ = await compare(truth, "ledger.db", "-f", "ndjson", cwd=rehearsal)
    said = [json.loads(line) for line in output.splitlines()]
    assert status == 1
    assert [(line["metric"], line["truth"], line["ledger"]) for line in said if line["kind"] == "difference"] == [
        ("outcome", "unanswered", "answered")
    ]
    assert said[-1]["different"] == 1


async def test_only_the_first_twenty_are_shown_unless_all_are_wanted(rehearsal, tmp_path):
    known = next(read_truth(rehearsal / "truth.ndjson"))
    truths = [replace(known, name=f"never-{number}-") for number in range(30)]
    write_truth(tmp_path / "truth.ndjson", truths, CYCLE)
    ledger = rehearsal / "ledger.db"
    some = await compare("truth.ndjson", ledger, cwd=tmp_path)
    everything = await compare("truth.ndjson", ledger, "--all", cwd=tmp_path)
    assert (some[0], everything[0]) == (1, 1)
    assert "missing in the ledger: 29" in some[1]
    assert [said.count("never-") for _, said, _ in (some, everything)] == [20, 29]


async def test_the_tolerance_and_the_country_count(rehearsal):
    status, output, _ = await compare("truth.ndjson", "ledger.db", "--tolerance", "0", cwd=rehearsal)
    assert (status, "of which differ: 12;" in output) == (1, True)
    truths = list(read_truth(rehearsal / "truth.ndjson"))
    rang = max(truth.ring_duration or 0 for truth in truths)
    assert rang > 6 * SECOND  # so that French and American rings differ in number
    status, output, _ = await compare("truth.ndjson", "ledger.db", "--country", "us", cwd=rehearsal)
    assert (status, "rings" in output) == (1, True)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("truth.ndjson", "nothing.db"), "nothing.db cannot be read (No such file or directory)"),
        (("truth.ndjson", "sqlite:///nothing.db"), "ledger nothing.db: no such file"),
        (("truth.ndjson", "truth.ndjson"), "ledger truth.ndjson, line 1: no call as 'telemon calls"),
        (("truth.ndjson", "mysql://there/ledger"), "'mysql' is no database that telemon writes"),
        (("truth.ndjson", "ledger.db", "--site", "elsewhere"), "no call of site elsewhere in the ledger"),
        (("truth.ndjson", "ledger.db", "--key", "nothing.key"), "key nothing.key: no such file"),
        (("truth.ndjson", "ledger.db", "--country", "xx"), 'no ring cadence is known for country "xx"'),
        (("nothing.ndjson", "ledger.db"), "truth nothing.ndjson: No such file or directory"),
        (("ledger.db", "truth.ndjson"), "the wrong way round"),
        (("empty.ndjson", "ledger.db"), "truth empty.ndjson: no call in it"),
    ],
)
async def test_what_cannot_be_read_is_said_in_one_line(rehearsal, arguments, said):
    (rehearsal / "empty.ndjson").touch()
    status, output, errors = await compare(*arguments, cwd=rehearsal)
    assert (status, output) == (1, "")
    assert errors.startswith("telemon-sim: ")
    assert said in errors
    assert errors.count("\n") == 1
    assert not (rehearsal / "nothing.db").exists()


@pytest.mark.parametrize(("language", "said"), [("en", "Hold a ledger against the truth"), ("fr", "Confronter un")])
async def test_help_teaches_with_an_example(tmp_path, language, said):
    status, output, errors = await compare("--help", cwd=tmp_path, TELEMON_LOCALE=language)
    assert (status, errors) == (0, "")
    assert said in output
    assert "telemon-sim compare truth.ndjson telemon.toml" in output
