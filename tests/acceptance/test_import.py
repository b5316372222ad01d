"""``telemon import`` and ``telemon reconcile`` as commands, and the simulator's queue_log under a killed telemon."""

import asyncio
import gzip
import json
import signal
import sqlite3
import sys
from dataclasses import replace
from datetime import UTC, datetime

from simulators.site import PREFECTURE
from telemon.instants import SECOND, from_datetime
from telemon.ledger.pseudonym_key import load_or_create_key
from telemon.ledger.store import open_ledger
from telemon.ledger.writer import LedgerWriter
from telemon.observation import GapCause, Interval, Sight
from tests.acceptance.commands import configure, environment, running, telemon, telemon_all
from tests.acceptance.shell import PATIENCE, SECRET
from tests.ledger.kit import CYCLE
from tests.ledger.test_repaired import lost, seen

DAY = "2026-03-02"
NOON = int(datetime(2026, 3, 2, 12, tzinfo=UTC).timestamp())
SIMULATOR = (sys.executable, "-c", "from simulators.cli import main; main()")


def queue_log(*lines):
    return "".join(f"{NOON + at}|{NOON + arrival}.{number}|standard|{rest}\n" for at, arrival, number, rest in lines)


# 1: seen whole, and the log agrees; 2: seen in part; 3: in the gap; 4: before telemon; 5: seen, but answered otherwise;
# 6: in seen time, and the ledger has no such call
LOG = queue_log(
    (-9000, -9000, 4, "NONE|ENTERQUEUE||0611110004|1"),
    (-8990, -9000, 4, "NONE|ABANDON|1|1|10"),
    (0, 0, 1, "NONE|ENTERQUEUE||0611110001|1"),
    (6, 0, 1, "op2|CONNECT|6|x.2|5"),
    (60, 0, 1, "op2|COMPLETECALLER|6|54|1"),
    (70, 70, 5, "NONE|ENTERQUEUE||0611110005|1"),
    (99, 70, 5, "NONE|ABANDON|1|1|29"),
    (100, 100, 2, "NONE|ENTERQUEUE||0611110002|1"),
    (130, 100, 2, "op1|CONNECT|30|x.2|5"),
    (150, 100, 2, "op1|COMPLETEAGENT|30|20|1"),
    (160, 160, 3, "NONE|ENTERQUEUE||0611110003|1"),
    (180, 160, 3, "NONE|EXITWITHTIMEOUT|1|1|20"),
    (400, 400, 6, "NONE|ENTERQUEUE||0611110006|1"),
    (420, 400, 6, "NONE|ABANDON|1|1|20"),
)


def at_noon(call, number, **changes):
    """Move a call of the ledger's tests to this day."""
    shift = NOON * SECOND - seen(0, 0).arrived_at
    times = {
        name: value + shift
        for name in ("arrived_at", "alerting_at", "operator_ringing_at", "operator_up_at", "answered_at", "ended_at")
        if (value := getattr(call, name)) is not None
    }
    uniqueid = f"{times['arrived_at'] // SECOND}.{number}"
    return replace(call, call_id=f"site:{uniqueid}", linkedid=uniqueid, **times | changes)


def ledger(folder):
    """A configuration, and what its telemon saw until noon and an hour, but for a gap."""
    config = configure(folder, 1)
    engine = open_ledger(f"sqlite:///{folder}/telemon.db")
    writer = LedgerWriter(engine, key=load_or_create_key(folder / "telemon.key"), ring_cycle=CYCLE)
    edges = [(-3600, 120, Sight.SEEN, None), (120, 300, Sight.GAP, GapCause.LINK_CUT), (300, 3600, Sight.SEEN, None)]
    for begin, end, sight, cause in edges:
        writer.put(Interval("pbx", (NOON + begin) * SECOND, (NOON + end) * SECOND, sight, cause))
    for call in (at_noon(seen(1, 0), 1), at_noon(lost(2, 100), 2), at_noon(seen(5, 70), 5)):
        writer.put(call)
    assert writer.close(10) == 0
    engine.dispose()
    return config


def shown(folder, *arguments):
    return ["import", "queue_log", *arguments, "-c", str(folder / "telemon.toml")]


async def outcomes(folder, config):
    _, output, _ = await telemon("calls", "-p", DAY, "-c", config, "-f", "ndjson", cwd=folder)
    calls = map(json.loads, output.splitlines())
    return {call["call_id"].rpartition(".")[2]: (call["outcome"], call["provenance"]) for call in calls}


async def test_a_log_fills_the_gaps_and_doing_it_again_changes_nothing(tmp_path):
    config = ledger(tmp_path)
    (tmp_path / "queue_log").write_text(LOG)
    dry, first, again, reconciled = await telemon_all(
        shown(tmp_path, "queue_log", "--dry-run"),
        shown(tmp_path, "queue_log"),
        shown(tmp_path, "queue_log"),
        ["reconcile", DAY, "-c", str(config), "-f", "ndjson"],
        cwd=tmp_path,
    )
    assert dry[1].splitlines()[0] == "Dry run: nothing is written."
    assert dry[1].splitlines()[1:] == first[1].splitlines()
    assert first[1].splitlines() == [
        "Read: 14 rows, 6 calls.",
        "Repaired, known in part before: 1",
        "Added as repaired, missed in a gap: 1",
        "Imported, from before telemon watched: 1",
        "Complete already: 1",
        "Differing from what was seen, left as they were: 2",
        "telemon reconcile PERIOD lists each difference.",
    ]
    assert "Repaired, known in part before: 0" in again[1]
    assert [status for status, *_ in (dry, first, again)] == [0, 0, 0]
    assert await outcomes(tmp_path, config) == {
        "4": ("abandoned", "imported"),
        "1": ("answered", "live"),
        "5": ("answered", "live"),
        "2": ("answered", "repaired"),
        "3": ("unknown", "repaired"),
    }
    status, output, _ = reconciled
    *differences, tally = map(json.loads, output.splitlines())
    assert status == 2
    assert {(found["call_id"].rpartition(".")[2], found["field"], found["source"]) for found in differences} == {
        ("5", "outcome", "queue_log"),
        ("5", "answered_at", "queue_log"),
        ("5", "ended_at", "queue_log"),
        ("6", "call", "queue_log"),
    }
    assert tally == {"compared": 3, "agree": 2, "differ": 1, "only_live": 0, "only_found": 1}


async def test_what_differs_is_shown_as_a_table_and_what_agrees_is_counted(tmp_path):
    config = ledger(tmp_path)
    (tmp_path / "queue_log").write_text(LOG)
    _, (status, output, _), nothing = await telemon_all(
        shown(tmp_path, "queue_log"),
        ["reconcile", DAY, "-c", str(config)],
        ["reconcile", "2026-03-01", "-c", str(config)],
        cwd=tmp_path,
    )
    assert status == 2
    assert "Compared: 3 calls; agree: 2; differ: 1; only seen: 0; only written: 1." in output
    assert "written only" in output
    assert "abandoned" in output
    assert nothing[0] == 1
    assert "telemon import does that" in nothing[2]


async def test_members_and_last_queues_can_be_named(tmp_path):
    config = ledger(tmp_path)
    (tmp_path / "queue_log").write_text(LOG.replace("op1|", "Camille Durand|"))
    (tmp_path / "queues.conf").write_text("[standard]\nmember => PJSIP/op1,0,Camille Durand\n")
    more = "--queues", "queues.conf", "--last-queue", "standard"
    ((status, _, errors),) = await telemon_all(shown(tmp_path, "queue_log", *more), cwd=tmp_path)
    assert (status, errors) == (0, "")
    assert (await outcomes(tmp_path, config))["3"] == ("unanswered", "repaired")
    _, output, _ = await telemon("calls", "-p", DAY, "-c", config, "-f", "ndjson", cwd=tmp_path)
    by_whom = {call["call_id"].rpartition(".")[2]: call["answered_by"] for call in map(json.loads, output.splitlines())}
    assert by_whom["2"] == "PJSIP/op1"


async def test_files_rotated_and_packed_or_a_database_are_one_source(tmp_path):
    lines = LOG.splitlines(keepends=True)
    (tmp_path / "queue_log").write_text("".join(lines[8:]))
    (tmp_path / "queue_log.2.gz").write_bytes(gzip.compress("".join(lines[:3]).encode()))
    (tmp_path / "queue_log.1").write_text("".join(lines[3:8]))
    with sqlite3.connect(tmp_path / "records.db") as records:
        columns = "time, callid, queuename, agent, event, data1, data2, data3, data4, data5"
        records.execute(f"CREATE TABLE queue_log ({columns})")
        for line in lines:
            time, *rest = line.rstrip("\n").split("|")
            date = datetime.fromtimestamp(int(time), UTC).strftime("%F %T.000000")
            values = [date, *rest, *[""] * 10][:10]
            records.execute(f"INSERT INTO queue_log VALUES ({', '.join('?' * 10)})", values)
    records.close()
    found = []
    for number, where in enumerate(
        (["queue_log", "queue_log.1", "queue_log.2.gz"], [f"sqlite:///{tmp_path}/records.db", "--zone", "UTC"])
    ):
        folder = tmp_path / str(number)
        folder.mkdir()
        config = ledger(folder)
        relative = [f"../{name}" if name.startswith("queue") else name for name in where]
        status, output, errors = await telemon("import", "queue_log", *relative, "-c", config, cwd=folder)
        assert (status, errors) == (0, "")
        found.append((output, await outcomes(folder, config)))
    assert found[0] == found[1]
    assert "Read: 14 rows, 6 calls." in found[0][0]


async def test_what_cannot_be_read_ends_with_status_1_and_a_remedy(tmp_path):
    config = configure(tmp_path, 1, 2)
    (tmp_path / "other").write_text("nothing of the kind\n" * 3)
    (tmp_path / "queue_log").write_text(LOG)
    several, missing, unlike, queues, zone = await telemon_all(
        ["import", "queue_log", "queue_log", "-c", str(config)],
        ["import", "queue_log", "absent", "-c", str(config), "--pbx", "pbx1"],
        ["import", "queue_log", "other", "-c", str(config), "--pbx", "pbx1"],
        ["import", "queue_log", "queue_log", "-c", str(config), "--pbx", "pbx1", "--queues", "absent.conf"],
        ["import", "queue_log", "queue_log", "-c", str(config), "--pbx", "pbx1", "--zone", "Mars/Olympus"],
        cwd=tmp_path,
    )
    assert [status for status, *_ in (several, missing, unlike, queues, zone)] == [1] * 5
    for (_, _, errors), words in zip(
        (several, missing, unlike, queues, zone),
        ("there are pbx1, pbx2", "absent", "other", "absent.conf", "Mars/Olympus"),
        strict=True,
    ):
        assert words in errors
        assert errors.startswith("telemon: ")
        assert "Traceback" not in errors


# The simulator


async def simulator(folder, *more):
    """Start ``telemon-sim ami``, and return the process and its port."""
    process = await asyncio.create_subprocess_exec(
        *SIMULATOR, "ami", "--port", "0", "--secret", SECRET, "--truth", "truth.ndjson", "--queue-log", "queue_log",
        "--write-config", "telemon.toml", *more, cwd=folder, env=environment(), stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    await asyncio.wait_for(process.stdout.readline(), 2 * PATIENCE)
    return process


async def grown(log, event, times):
    """Wait until so many more calls have come to this event; a file tells nobody that it grew."""
    before = log.read_text().count(event)
    async with asyncio.timeout(3 * PATIENCE):
        while log.read_text().count(event) < before + times:  # noqa: ASYNC110
            await asyncio.sleep(0.1)


async def test_calls_that_ended_while_telemon_was_dead_are_repaired_to_the_truth(tmp_path):
    """Killed while calls were ringing and under way; what the queue_log cannot know is told apart."""
    process = await simulator(tmp_path, "--scenario", "demo", "--speed", "1", "--seed", "7")
    config, log = tmp_path / "telemon.toml", tmp_path / "queue_log"
    async with running(config) as daemon:
        await grown(log, "ENTERQUEUE", 3)
        await daemon.stop(signal.SIGKILL)
    await grown(log, "COMPLETE", 2)
    async with running(config) as daemon:
        process.send_signal(signal.SIGINT)
        await asyncio.wait_for(process.wait(), PATIENCE)
        await daemon.stop(signal.SIGTERM)
    members = "".join(f"member => PJSIP/{phone},0,{phone}\n" for phone in PREFECTURE.operators)
    (tmp_path / "queues.conf").write_text(members)
    arguments = "import", "queue_log", "queue_log", "--queues", "queues.conf", "-c", config
    status, output, errors = await telemon(*arguments, cwd=tmp_path)
    assert (status, errors) == (0, ""), output
    truths = {}
    for line in (tmp_path / "truth.ndjson").read_text().splitlines():
        truth = json.loads(line)
        truths[truth["call_id"]] = truth
    year = datetime.now(UTC).strftime("%Y")
    _, output, _ = await telemon("calls", "-p", year, "-n", "1000", "-f", "ndjson", "-c", config, cwd=tmp_path)
    calls = {call["call_id"]: call for call in map(json.loads, output.splitlines())}
    queued = {line.split("|")[1] for line in (tmp_path / "queue_log").read_text().splitlines() if "ENTERQUEUE" in line}
    of_queues = {call_id for call_id in truths if call_id.rpartition(":")[2] in queued}
    assert of_queues <= calls.keys()
    assert any(call["provenance"] == "repaired" for call in calls.values())
    for call_id in of_queues:
        call, truth = calls[call_id], truths[call_id]
        if call["outcome"] != "unknown":  # let go by a queue, and nobody saw where to
            assert call["outcome"] == truth["outcome"]
            assert call["answered_by"] == truth["answered_by"]
            if truth["answered_at"] is not None:
                true, ours = (from_datetime(datetime.fromisoformat(one["answered_at"])) for one in (truth, call))
                assert abs(true - ours) <= 1.05 * SECOND
