"""A crisis drill on a real Asterisk: the cell is called together, twenty times the calls come, and the report is true.

SIPp's own logs tell what callers lived through; nothing of them comes from AMI or from telemon.
"""

import asyncio
import json
import signal
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from simulators.lab.asterisk import PREFECTURE_CONFIGURATION, Asterisk
from simulators.plan import Answers, PlannedCall
from simulators.sip.player import play
from simulators.sip.target import lab_target
from simulators.site import PREFECTURE
from simulators.telemon_toml import telemon_toml
from simulators.traffic import draw, load_scenario
from telemon.instants import SECOND, Instant, from_datetime
from telemon.records import Outcome
from telemon.rulesets import DEFAULT_LOST
from tests.acceptance.commands import running, telemon, telemon_all
from tests.acceptance.test_sip import until_counted

pytestmark = [pytest.mark.real("asterisk"), pytest.mark.timeout(300)]

SCENARIO = Path(__file__).with_name("crisis_drill.toml")
SEED, SQUEEZE = 3, 20  # this seed has no abandon near 5 s, where a millisecond would make it a short one
TOLERANCE = SECOND // 10
MINUTE = 60 * SECOND
LIVE = 2 * SECOND  # from an event in Asterisk to its stage in the ledger: the daemon looks each second
PROBE = "0199009999"
TOKEN = "correct-horse-battery-staple"
LINES = {line.service: line for line in PREFECTURE.lines}
PEOPLE = ("Ana", "Bo", "Cleo", "Dan")


def beside(name, service, arrives_at, caller="0655550001"):
    """A call that must not be in the report."""
    operators = LINES[service].operators
    return PlannedCall(
        name=name,
        caller=caller,
        ddi=LINES[service].ddi,
        service=service,
        arrives_at=arrives_at,
        talk=2.0,
        phones=dict.fromkeys(operators, Answers(after=0.9)),
    )


def drill_plan():
    """Return the plan: the surge, and beside it a test call that comes first and calls to another line."""
    plan = draw(load_scenario(str(SCENARIO)), seed=SEED, site=PREFECTURE, squeeze=SQUEEZE)
    extra = (
        beside("probe", "crise", 0.2, PROBE),
        beside("other1", "standard", 0.5),
        beside("other2", "standard", 40.0),
    )
    calls = sorted((*plan.calls, *extra), key=lambda call: call.arrives_at)
    return replace(plan, calls=tuple(calls))


def configure(asterisk, folder):
    (folder / "token").write_text(TOKEN, "utf-8")
    access = {"host": "127.0.0.1", "port": asterisk.ami_port, "username": "telemon", "secret": asterisk.ami_secret}
    config = folder / "telemon.toml"
    own = f'probe_callers = ["{PROBE}"]\n{telemon_toml(PREFECTURE, **access, folder=folder)}'
    config.write_text(f'{own}token_file = "{folder / "token"}"\n[crisis]\nstaff = 3\nminimum_staff = 4\n', "utf-8")
    return config


@dataclass
class Drill:
    """What was played, what the pages showed meanwhile, and what the report says."""

    truths: list[Any] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)
    shown: list[tuple[Instant, dict[str, Any]]] = field(default_factory=list)
    status: dict[str, Any] = field(default_factory=dict)
    before_line: dict[str, Any] = field(default_factory=dict)
    report: dict[str, Any] = field(default_factory=dict)
    markdown: str = ""


async def crisis(config, *arguments):
    status, output, errors = await telemon("crisis", *arguments, cwd=config.parent)
    assert (status, errors) == (0, "")
    return output


async def look(daemon, drill):
    """Ask the pages five times a second how things stand, until cancelled."""
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with httpx.AsyncClient(base_url=daemon.address, headers=headers, timeout=20) as web:
        while True:
            told = (await web.get("/api/crisis")).raise_for_status().json()["crisis"]
            drill.shown.append((from_iso(told["now"]), told))
            await asyncio.sleep(0.2)


async def run_drill(asterisk, folder):
    drill, plan, config = Drill(), drill_plan(), configure(asterisk, folder)
    async with running(config) as daemon:
        ordering = (("start", "--exercise", "-t", "Drill"), *(("join", person) for person in PEOPLE))
        answers = await telemon_all(*(("crisis", *wish) for wish in ordering), cwd=folder)
        assert [status for status, _, _ in answers] == [0] * len(ordering), answers
        drill.before_line = json.loads(await crisis(config, "status", "-f", "json"))["crisis"]
        asterisk.command("devstate change Custom:telemon-crisis INUSE")
        looking = asyncio.create_task(look(daemon, drill))
        played = await play(plan, lab_target(asterisk, PREFECTURE))
        await until_counted(daemon, len(plan.calls) - 1)  # all but the probe
        drill.status = json.loads(await crisis(config, "status", "-f", "json"))["crisis"]
        looking.cancel()
        with suppress(asyncio.CancelledError):
            await looking
        await crisis(config, "leave", PEOPLE[0])
        await crisis(config, "close", "--by", "Ana")
        drill.report = json.loads(await crisis(config, "report", "-f", "json", "-m", "1"))
        drill.markdown = await crisis(config, "report", "-f", "markdown")
        await daemon.stop(signal.SIGTERM)
    drill.failures = played.failures
    drill.truths = [truth for truth in played.truths if truth.service == "crise" and truth.name != "probe"]
    return drill


@pytest.fixture(scope="module")
def drill(tmp_path_factory):
    with Asterisk(overlay=PREFECTURE_CONFIGURATION, phones=PREFECTURE.phones) as asterisk:
        return asyncio.run(run_drill(asterisk, tmp_path_factory.mktemp("drill")))


def from_iso(words):
    return from_datetime(datetime.fromisoformat(words))


def stage(told, name):
    (at,) = (one["at"] for one in told["stages"] if one["stage"] == name)
    return None if at is None else from_iso(at)


def first_answer(drill):
    return min(truth.answered_at for truth in drill.truths if truth.answered_at is not None)


def test_it_was_a_surge_that_five_phones_could_not_take(drill):
    assert drill.failures == {}
    assert len(drill.truths) > 100
    outcomes = Counter(truth.outcome for truth in drill.truths)
    assert min(outcomes[Outcome.ANSWERED], outcomes[Outcome.ABANDONED]) > 30


def test_all_stages_are_stamped_in_their_order(drill):
    stages = [stage(drill.report, name) for name in ("ordered", "staffed", "line_open", "operational")]
    assert None not in stages
    assert stages == sorted(stages)
    assert stage(drill.before_line, "staffed") == stages[1]
    assert stage(drill.before_line, "line_open") is None
    assert drill.report["is_exercise"]
    assert drill.report["verdict"] == "kept"


def test_operational_is_the_first_public_call_answered_not_the_probe(drill):
    assert abs(stage(drill.report, "operational") - first_answer(drill)) < TOLERANCE
    assert drill.report["stages"][3]["delay_seconds"] < drill.report["deadline_seconds"]


@pytest.mark.parametrize("name", ["line_open", "operational"])
def test_a_stage_is_known_while_it_happens(drill, name):
    at = stage(drill.report, name)
    seen_at, _ = next(look for look in drill.shown if stage(look[1], name) is not None)
    assert seen_at - at < LIVE
    assert stage(drill.status, name) == at


def test_the_report_counts_what_was_placed(drill):
    report, truths = drill.report, drill.truths
    outcomes = Counter(truth.outcome for truth in truths)
    assert report["by_outcome"] == {outcome.value: count for outcome, count in outcomes.items()}
    assert report["offered"] == len(truths)
    assert report["answered"] == outcomes[Outcome.ANSWERED]
    assert report["lost"] == sum(outcomes[outcome] for outcome in DEFAULT_LOST)
    assert report["excluded"] == 1
    lost, short = report["lost"], outcomes[Outcome.SHORT_ABANDONED]
    assert report["lost_rate"] == {
        "value": pytest.approx(lost / (lost + report["answered"])),
        "lower": pytest.approx(lost / (lost + report["answered"])),
        "upper": pytest.approx((lost + short) / (lost + short + report["answered"])),
    }


def test_the_curve_is_true_minute_by_minute(drill):
    """A call within a tenth of a second of a minute's edge may be on either side of it."""
    kinds = {
        "offered": set(Outcome),
        "answered": {Outcome.ANSWERED},
        "lost": DEFAULT_LOST,
    }
    for point in drill.report["curve"]:
        start, end = from_iso(point["start"]), from_iso(point["end"])
        for kind, outcomes in kinds.items():
            arrivals = [truth.arrived_at for truth in drill.truths if truth.outcome in outcomes]
            surely = sum(start + TOLERANCE <= at < end - TOLERANCE for at in arrivals)
            maybe = sum(start - TOLERANCE <= at < end + TOLERANCE for at in arrivals)
            assert surely <= point[kind] <= maybe, (kind, point)
            assert maybe - surely <= 2, "too many calls on the edge: it would prove nothing"
    assert len(drill.report["curve"]) >= 2
    assert max(point["offered"] for point in drill.report["curve"]) > 50


@pytest.mark.parametrize(
    ("whose", "outcomes"),
    [
        ("answered", {Outcome.ANSWERED}),
        ("lost", DEFAULT_LOST),
        ("all", {Outcome.ANSWERED, *DEFAULT_LOST}),
    ],
)
def test_waits_are_true_to_a_tenth_of_a_second(drill, whose, outcomes):
    told = drill.report["waits"][whose]
    waits = sorted(truth.wait_duration / SECOND for truth in drill.truths if truth.outcome in outcomes)
    assert told["count"] == len(waits)
    for name, percent in (("median_seconds", 50), ("p95_seconds", 95), ("longest_seconds", 100)):
        rank = -(-percent * len(waits) // 100)
        assert told[name] == pytest.approx(waits[rank - 1], abs=0.1), name


def waiting(truths, at, margin):
    """How many wait at an instant if every wait began sooner and ended later by a margin; a negative one cuts it."""
    return sum(one.arrived_at - margin <= at < one.wait_ended_at + margin for one in truths)


def test_the_peak_of_callers_waiting_is_true(drill):
    margin = SECOND // 20
    peak = drill.report["peak_waiting"]
    instants = [one.arrived_at for one in drill.truths]
    least = max(waiting(drill.truths, at + margin, -margin) for at in instants)
    most = max(waiting(drill.truths, at - margin, margin) for at in instants)
    assert least <= peak["callers"] <= most
    assert most - least <= 2, "too many come and go at once: it would prove nothing"
    assert peak["callers"] > 15
    assert waiting(drill.truths, from_iso(peak["at"]), margin) >= peak["callers"]
    assert peak["is_certain"]
    assert max(point["waiting"] for point in drill.report["curve"]) == peak["callers"]


def test_the_surge_was_shown_while_it_went_on(drill):
    lines = [(at, told["line"]["waiting"], told["exceeded"]) for at, told in drill.shown]
    for at, count, _ in lines:
        around = [waiting(drill.truths, at + step * TOLERANCE, TOLERANCE) for step in range(-5, 6)]
        quiet = [waiting(drill.truths, at + step * TOLERANCE, -TOLERANCE) for step in range(-5, 6)]
        assert min(quiet) <= count <= max(around) + 1, at  # the probe waits for a moment, too, and is not shown
    assert max(count for _, count, _ in lines) > 10
    for _, count, exceeded in lines:
        assert ("waiting" in {one["limit"] for one in exceeded}) == (count > 10)


def test_staff_is_told_minute_by_minute(drill):
    curve = drill.report["curve"]
    (left_at,) = (from_iso(one["left_at"]) for one in drill.report["members"] if one["person"] == PEOPLE[0])
    assert (curve[0]["staff_least"], curve[0]["staff_most"]) == (0, 4)
    for point in curve[1:]:
        least, most = (4 if from_iso(point[edge]) <= left_at else 3 for edge in ("end", "start"))
        assert (point["staff_least"], point["staff_most"]) == (least, most)
    assert curve[-1]["staff_least"] == 3
    assert {member["person"] for member in drill.report["members"]} == set(PEOPLE)


def test_nothing_was_hidden(drill):
    assert (drill.report["gaps"], drill.report["observed_share"]) == ([], 1.0)
    assert all(point["is_seen"] for point in drill.report["curve"])


def test_the_report_can_be_read(drill):
    assert "# Exercise – Drill" in drill.markdown  # noqa: RUF001
    assert "| Operational | " in drill.markdown
    assert f"| Calls | {len(drill.truths)} |" in drill.markdown
