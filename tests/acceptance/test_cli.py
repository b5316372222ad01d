"""Each command as its user meets it."""

import asyncio
import gzip
import json
import re
import signal
import time

import httpx
import pytest
import zstandard

from simulators.ami.access import User
from simulators.ami.switchboard import Switchboard
from telemon.config import load
from tests.acceptance.commands import TELEMON, configure, environment, running, start, telemon, telemon_all
from tests.acceptance.shell import (
    ANSWERED,
    DAY,
    OUTCOMES,
    SECRET,
    events_of,
    pbx,
    plan,
    until,
)
from tests.acceptance.simulator_client import switchboard

COMMANDS = (
    "run", "demo", "init", "check", "calls", "stats", "replay", "unit", "import", "reconcile", "roll-up", "backup",
    "restore",
)  # fmt: skip


# Help


ALL_HELP = """
from typer.testing import CliRunner
from telemon.cli import app
for arguments in ((), *((name,) for name in {commands!r})):
    result = CliRunner().invoke(app, [*arguments, "--help"])
    assert result.exit_code == 0, arguments
    print(result.output)
"""


async def all_help(**more):
    process = await asyncio.create_subprocess_exec(
        TELEMON[0],
        "-c",
        ALL_HELP.format(commands=COMMANDS),
        env={name: text for name, text in environment(**more).items() if text},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await process.communicate()
    assert (process.returncode, errors) == (0, b"")
    return re.sub(r"[\s│]+", " ", output.decode())


@pytest.mark.parametrize(
    ("more", "said", "not_said"),
    [
        ({"TELEMON_LOCALE": "fr"}, "Afficher les appels d'une période", "Show the calls"),
        ({"TELEMON_LOCALE": "", "LANG": "fr_FR.UTF-8"}, "Afficher les appels d'une période", "Show the calls"),
        ({"TELEMON_LOCALE": "en"}, "Show the calls of a period", "Afficher"),
        ({"TELEMON_LOCALE": "", "LANG": "C.UTF-8"}, "Show the calls of a period", "Afficher"),
    ],
)
async def test_help_in_both_languages(more, said, not_said):
    shown = await all_help(**more)
    assert said in shown
    assert not_said not in shown
    assert all(f" {command} " in shown for command in COMMANDS)


async def test_version_and_mistakes(tmp_path):
    version, mistake = await telemon_all(("--version",), ("measure",), cwd=tmp_path)
    assert version == (0, "telemon 0.1.0\n", "")
    assert mistake[0] == 2
    assert "No such command" in mistake[2]


# init


@pytest.mark.parametrize("language", ["fr", "en"])
async def test_init_writes_what_load_accepts_and_never_over_a_file(tmp_path, language):
    path = tmp_path / "telemon.toml"
    first, second, third = await telemon_all(
        ("init",), ("init",), ("init", "no/such/folder/x.toml"), cwd=tmp_path, TELEMON_LOCALE=language
    )
    assert first[0] == 0
    assert "telemon.toml" in first[1]
    assert load(path).language == language
    assert (second[0], third[0]) == (1, 1)
    assert second[2].startswith("telemon: telemon.toml exist")
    assert third[2].startswith("telemon: no/such/folder/x.toml")


# check


async def check(config, *more, **environment_too):
    status, output, errors = await telemon("check", "-c", config, *more, cwd=config.parent, **environment_too)
    assert errors == ""
    return status, output


async def test_check_finds_everything_in_order(tmp_path):
    async with pbx() as server:
        status, output = await check(configure(tmp_path, server.port))
    assert status == 0
    assert "qualipref 2026.1: fewer than 5 rings, a ring cycle of 5.0 s" in output
    assert "Asterisk 22.10.1, 1 queues, 2 operators" in output
    assert "✓ telemon can measure here." in output
    assert SECRET not in output


async def test_check_names_a_queue_that_is_missing_and_one_that_is_empty(tmp_path):
    board = Switchboard({"standard": {}, "nuit": {"PJSIP/op1": "Camille"}}, booted_at=time.time())
    async with pbx(switchboard=board) as server:
        config = configure(tmp_path, server.port)
        config.write_text(config.read_text().replace('["standard"]', '["standard", "standrad"]'))
        status, output = await check(config)
    assert status == 1
    assert "service standard names queue 'standrad', which Asterisk does not have (it has: nuit, standard)" in output
    assert "queue 'standard' of service standard has no members" in output


@pytest.mark.parametrize(
    ("user", "said"),
    [
        (User("another"), "manager.conf, [telemon]: compare secret"),
        (User(SECRET, write=""), "manager.conf, [telemon]: write = reporting"),
    ],
)
async def test_check_says_each_wrong_right_on_one_line(tmp_path, user, said):
    async with pbx(users={"telemon": user}) as server:
        status, output = await check(configure(tmp_path, server.port), COLUMNS="60")
    assert status == 1
    assert [line for line in output.splitlines() if line.startswith("✗") and said in line]
    assert "Traceback" not in output


async def test_check_tells_the_dialplan_the_holidays_of_a_service(tmp_path):
    config = configure(tmp_path, 1)
    without = await telemon("check", "--days-off", "standard", "-c", config, cwd=tmp_path)
    assert without[0] == 1
    assert "neither hours nor holidays" in without[2]
    config.write_text(config.read_text().replace('queues = ["standard"]', 'queues = ["standard"]\nholidays = "fr"'))
    status, said, errors = await telemon("check", "--days-off", "standard", "-c", config, cwd=tmp_path)
    assert (status, errors) == (0, "")
    days = re.findall(r"^asterisk -rx 'database put telemon-holiday (\d{4}-\d\d-\d\d) 1'$", said, re.MULTILINE)
    assert len(days) in {11, 12}  # France's holidays of a year, whichever day it begins
    assert {day[5:] for day in days} >= {"01-01", "05-01", "05-08", "07-14", "08-15", "11-01", "11-11", "12-25"}


async def test_check_says_that_nothing_listens(tmp_path):
    async with pbx() as server:
        port = server.port
    status, output = await check(configure(tmp_path, port))
    assert status == 1
    assert f"127.0.0.1:{port} refuses the connection" in output


async def listen_for(tmp_path, read, *, timestamps=True):
    """Run ``check --listen`` while a call is told."""
    async with pbx(users={"telemon": User(SECRET, read=read)}, timestamps=timestamps) as server:
        config = configure(tmp_path, server.port)
        checking = asyncio.create_task(check(config, "--listen", "0.5"))
        await until(lambda: any(session.user for session in server.sessions))
        listing = next(iter(server.sessions))
        await until(lambda: not listing.filter.passes("Event: Cdr\r\n\r\n"))
        for _, event in events_of([ANSWERED], first_at=time.time()):
            server.emit(event)
        return await checking


async def test_check_listens_and_names_the_classes_that_are_missing(tmp_path):
    status, output = await listen_for(tmp_path, "system,call")
    assert status == 1
    assert "Classes of events heard: call." in output
    assert "no event of class agent,dialplan. In manager.conf, [telemon]: add it to read" in output


async def test_check_listens_and_finds_all_classes(tmp_path):
    status, output = await listen_for(tmp_path, "system,call,agent,dialplan")
    assert status == 0
    assert "Classes of events heard: agent, call, dialplan." in output


async def test_check_listens_and_misses_timestamps(tmp_path):
    status, output = await listen_for(tmp_path, "all", timestamps=False)
    assert status == 1
    assert "timestampevents = yes" in output


# replay


DOCUMENTED = {
    "call_id", "site", "service", "ddi", "caller", "arrived_at", "alerting_at", "answered_at", "ended_at",
    "wait_seconds", "ring_seconds", "rings", "outcome", "answered_by", "machine_answered_at", "queues", "attempts",
    "transfers", "talk_seconds", "hold_seconds", "hangup_cause", "is_probe", "flags", "provenance",
}  # fmt: skip
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00")


def recorded(plans=DAY):
    """Return the bytes of a capture: what a client with all rights would have read."""
    board, told = switchboard(), b"Asterisk Call Manager/11.0.0\r\n"
    for at, event in events_of(plans, first_at=1795416378.25):
        told += b"".join(one.encode(at) for one in board.tell(event, at))
    return told


@pytest.fixture
def capture(tmp_path):
    path = tmp_path / "day.ami"
    path.write_bytes(recorded())
    return path


async def test_replay_prints_the_documented_keys_in_order_of_arrival(capture):
    configure(capture.parent, 1)
    status, output, errors = await telemon("replay", "day.ami", cwd=capture.parent)
    assert (status, errors) == (0, "")
    calls = [json.loads(line) for line in output.splitlines()]
    assert {outcome: sum(call["outcome"] == outcome for call in calls) for outcome in OUTCOMES} == OUTCOMES
    for call in calls:
        assert call.keys() >= DOCUMENTED
        assert {"operator", "started_at", "seconds", "result"} <= call["attempts"][0].keys()
        assert INSTANT.fullmatch(call["arrived_at"])
        assert INSTANT.fullmatch(call["ended_at"])
        assert call["provenance"] == "replayed"
    assert [call["caller"] for call in calls] == [one.caller for one in DAY]
    assert calls[0]["answered_by"] == "PJSIP/op1"
    (transfer,) = calls[4]["transfers"]
    assert transfer.keys() == {"kind", "to", "at", "result"}


async def test_replay_reads_plain_gz_zst_and_standard_input_alike(capture):
    plain = capture.read_bytes()
    zipped, packed = capture.with_suffix(".ami.gz"), capture.with_suffix(".ami.zst")
    zipped.write_bytes(gzip.compress(plain))
    packed.write_bytes(zstandard.compress(plain))
    configure(capture.parent, 1)
    files = await telemon_all(*(("replay", path.name) for path in (capture, zipped, packed)), cwd=capture.parent)
    printed = [*files, await telemon("replay", "-", cwd=capture.parent, given=plain)]
    assert printed[0][1].count("\n") == len(DAY)
    assert len(set(printed)) == 1


async def test_replay_of_what_cannot_be_read_is_one_line(tmp_path):
    (tmp_path / "x.gz").write_bytes(b"\x1f\x8b nonsense")
    (tmp_path / "x.zst").write_bytes(b"nonsense")
    names = ("x.gz", "x.zst", "none.ami")
    for name, answer in zip(names, await telemon_all(*(("replay", name) for name in names), cwd=tmp_path), strict=True):
        status, output, errors = answer
        assert (status, output) == (1, "")
        assert errors.count("\n") == 1
        assert f"{name}: cannot be read as a capture" in errors


HOSTILE = "[bold]x[/] [/nope] \x1b[31mred\x07 \u202eabc =cmd|'/C calc'"


async def test_hostile_callers_are_shown_as_what_they_are(tmp_path):
    (tmp_path / "hostile.ami").write_bytes(recorded([plan(HOSTILE, answers_at=6.0)]))
    configure(tmp_path, 1)
    commands = (("replay", "hostile.ami", "--format", shape) for shape in ("table", "ndjson"))
    for status, output, errors in await telemon_all(*commands, cwd=tmp_path):
        assert (status, errors) == (0, "")
        assert "[bold]x[/]" in output
        assert "[/nope]" in output
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f\u202e]", output)


async def test_replay_without_timestamps_says_so(tmp_path):
    path = tmp_path / "unstamped.ami"
    path.write_bytes(re.sub(rb"Timestamp: [\d.]+\r\n", b"", recorded([ANSWERED])))
    configure(tmp_path, 1)
    status, output, errors = await telemon("replay", path, cwd=tmp_path)
    assert status == 0
    assert "events without Timestamp" in errors
    assert json.loads(output)["flags"] == ["no_timestamps"]


@pytest.mark.parametrize(("plans", "times"), [((ANSWERED,), 1), (DAY, 400)])
async def test_a_reader_who_has_had_enough_ends_it_quietly(tmp_path, plans, times):
    """Both where telemon writes all at its end, and where it is still writing."""
    configure(tmp_path, 1)
    (tmp_path / "some.ami").write_bytes(recorded(plans))
    command = f"{' '.join(map(shell_quoted, TELEMON))} replay {' '.join(['some.ami'] * times)} | true"
    process = await asyncio.create_subprocess_shell(
        command, cwd=tmp_path, env=environment(), stderr=asyncio.subprocess.PIPE
    )
    _, errors = await asyncio.wait_for(process.communicate(), 20)
    assert (process.returncode, errors) == (0, b"")


def shell_quoted(word):
    return f"'{word}'"


# calls and stats


async def test_calls_and_stats_of_an_empty_ledger(tmp_path):
    configure(tmp_path, 1)
    calls, stats = await telemon_all(("calls", "-f", "ndjson"), ("stats",), cwd=tmp_path)
    assert calls == (0, "", "")
    assert (stats[0], stats[2]) == (0, "")
    assert "No call in this period." in stats[1]


async def test_a_period_or_rule_set_that_is_none_is_one_line(tmp_path):
    configure(tmp_path, 1)
    none = ("soon", "2026-13", "0000", "2026..")
    commands = [(command, "-p", words) for command in ("calls", "stats") for words in none]
    answers = await telemon_all(*commands, ("stats", "-r", "qualiref"), cwd=tmp_path)
    assert {(status, output) for status, output, _ in answers} == {(1, "")}
    assert all(errors.startswith("telemon: --period: ") for _, _, errors in answers[:-1])
    assert answers[-1][2].startswith('telemon: there is no rule set "qualiref"')
    assert {errors.count("\n") for _, _, errors in answers} == {1}


async def test_stats_names_a_gap_and_the_share_observed(tmp_path):
    async with pbx() as server:
        config = configure(tmp_path, server.port)
        async with running(config) as daemon:
            await daemon.stop(signal.SIGTERM)
    config.write_text(config.read_text().replace('site = "site"', 'site = "site"\nlanguage = "fr"'))
    status, output, errors = await telemon("stats", "-c", config, "-p", "hier..aujourd'hui", cwd=tmp_path)
    assert (status, errors) == (0, "")
    assert re.search(r"Non observé à partir de [\d/]+ 00:00 pendant [\d\s,]+ h : telemon ne tournait pas", output)


# demo


async def demo(tmp_path, *arguments, **more):
    process = await start("demo", "--port", "0", *arguments, cwd=tmp_path, **more)
    assert process.stdout is not None
    address = (await asyncio.wait_for(process.stdout.readline(), 10)).decode()
    assert "http://127.0.0.1:" in address
    return process, "http://" + address.partition("http://")[2].split()[0]


async def test_the_demo_shows_ring_numbers_within_ten_seconds_and_ends_by_itself(tmp_path):
    """With the environment of a real switchboard, whose ledger it must not touch."""
    real = {
        "TELEMON_LEDGER__URL": f"sqlite:///{tmp_path}/real.db",
        "TELEMON_SECRET_PBX": "real",
        "TELEMON_SITE": "real",
    }
    started = time.monotonic()
    process, address = await demo(tmp_path, "--seconds", "8", **real)
    line = ""
    while "ring 2" not in line:
        line = (await asyncio.wait_for(process.stdout.readline(), 10)).decode()
        assert line
    assert time.monotonic() - started < 10
    async with httpx.AsyncClient() as client:
        assert 'telemon_calls_waiting{site="demo",service="standard"}' in (await client.get(f"{address}/metrics")).text
    output, errors = await asyncio.wait_for(process.communicate(), 20)
    assert (process.returncode, errors) == (0, b"")
    assert output.decode().endswith("Demo ended.\n")
    assert list(tmp_path.iterdir()) == []


async def test_ctrl_c_ends_the_demo_cleanly(tmp_path):
    process, _ = await demo(tmp_path, TELEMON_LOCALE="fr")
    process.send_signal(signal.SIGINT)
    output, errors = await asyncio.wait_for(process.communicate(), 10)
    assert (process.returncode, errors) == (0, b"")
    assert output.decode().endswith("Démonstration terminée.\n")
