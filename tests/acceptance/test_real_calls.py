"""The whole daemon at a real Asterisk 22: what SIPp lived through is what ledger, ``/metrics`` and figures say."""

import asyncio
import json
import re
import signal
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from simulators.plan import Answers, Plan, PlannedCall, Rejects, Transfer
from simulators.sip import witness
from simulators.sip.player import play
from simulators.sip.target import lab_target
from simulators.site import Site
from simulators.truth import CallTruth
from telemon.instants import from_datetime
from tests.acceptance.commands import running, telemon

pytestmark = pytest.mark.real("asterisk")

TOLERANCE = 0.100  # seconds between what SIPp saw and what telemon says
CYCLE = 5  # seconds of one ring in France
PATIENCE = 20.0

SITE = Site(name="lab", lines=(), extensions={"3001": "svc1"})


def planned(name, ddi, arrives_at, **more):
    return PlannedCall(name=name, caller="0633330001", ddi=ddi, service="standard", arrives_at=arrives_at, **more)


# All under way together, all from one number; in this order of arrival.
ANSWERED = planned("answered", "0100", 0, talk=2, phones={"op2": Answers(after=6)})
ABANDONED = planned("abandoned", "0100", 0.3, patience=12)
RING_ALL = planned("ring-all", "0103", 0.6, phones={"op1": Rejects(), "op3": Answers(after=2.5)})
TRANSFERRED = planned(
    "transferred",
    "0100",
    0.9,
    phones={"op1": Answers(after=3.5), "svc1": Answers(after=2)},
    afterwards=Transfer(to="3001", after=2),
)
OUTSIDE = planned("outside", "0999", 1.2)  # no service's DDI: counts nowhere
PLANS = (ANSWERED, ABANDONED, RING_ALL, TRANSFERRED, OUTSIDE)
PLAN = Plan(scenario="real", seed=0, starts_at=0, calls=PLANS)
SERVICE_CALLS = (ANSWERED, ABANDONED, RING_ALL, TRANSFERRED)
RINGS = {"answered": 2, "abandoned": 3, "ring-all": 1, "transferred": 1}
OUTCOMES = {"answered": 3, "abandoned": 1}


@dataclass
class Seen:
    """What telemon says of the calls, and what SIPp saw."""

    sip: dict[str, witness.Seen]
    truths: dict[str, CallTruth]
    ready: dict[str, Any]
    metrics: str
    most_waiting: float
    status: int
    log: str
    calls: list[dict[str, Any]]
    stats: dict[str, Any]

    def call(self, plan):
        """The call of this plan; the ledger hides the caller's number, so by the order of arrival."""
        return self.calls[SERVICE_CALLS.index(plan)]

    def metric(self, name, **labels):
        wanted = {"service": "standard", "site": "lab", **labels}
        for line in self.metrics.splitlines():
            found = re.fullmatch(rf"{name}{{(.*)}} (\S+)", line)
            if found and dict(re.findall(r'(\w+)="([^"]*)"', found[1])) == wanted:
                return float(found[2])
        return None


def configure(folder, asterisk):
    config = folder / "telemon.toml"
    config.write_text(
        f"""
site = "lab"
[[pbx]]
port = {asterisk.ami_port}
secret = "{asterisk.ami_secret}"
[[service]]
name = "standard"
ddis = ["_01XX"]
queues = ["standard"]
[ledger]
url = "sqlite:///{folder}/calls.db"
[web]
port = 0
"""
    )
    return config


async def answer_of(page):
    async with httpx.AsyncClient() as client:
        return await client.get(page)


async def ready(daemon):
    async with asyncio.timeout(PATIENCE):
        while (answer := await answer_of(f"{daemon.address}/readyz")).status_code != httpx.codes.OK:  # noqa: ASYNC110 - it lies in another process
            await asyncio.sleep(0.02)
    return answer.json()


async def watch(daemon, most):
    """Keep the greatest number of callers that were ever shown as waiting at once."""
    while True:
        text = (await answer_of(f"{daemon.address}/metrics")).text
        waiting = re.findall(r'^telemon_calls_waiting\{[^}]*service="standard"[^}]*\} (\S+)$', text, re.MULTILINE)
        most[0] = max(most[0], *map(float, waiting))
        await asyncio.sleep(0.25)


async def counted(daemon, calls):
    """Return ``/metrics`` once it has so many calls."""
    async with asyncio.timeout(PATIENCE):
        while True:
            text = (await answer_of(f"{daemon.address}/metrics")).text
            samples = re.findall(r"^telemon_calls_total\{[^}]*\} (\S+)$", text, re.MULTILINE)
            if sum(map(float, samples)) >= calls:
                return text
            await asyncio.sleep(0.02)


async def lines(config, *arguments):
    today = datetime.now(UTC).date()
    period = f"{today - timedelta(days=1)}..{today + timedelta(days=1)}"
    status, output, errors = await telemon(*arguments, "-c", config, "-p", period, "-f", "ndjson", cwd=config.parent)
    assert (status, errors) == (0, "")
    return [json.loads(line) for line in output.splitlines()]


async def place_and_measure(asterisk, config):
    async with running(config) as daemon:
        said = await ready(daemon)
        most = [0.0]
        watching = asyncio.create_task(watch(daemon, most))
        played = await play(PLAN, lab_target(asterisk, SITE))
        metrics = await counted(daemon, sum(OUTCOMES.values()))
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching
        status, _ = await daemon.stop(signal.SIGTERM)
    calls = sorted(await lines(config, "calls"), key=lambda call: call["arrived_at"])
    (stats,) = (line for line in await lines(config, "stats") if "service" in line)
    assert played.failures == {}
    sip = {seen.plan.name: seen for seen in played.seen}
    truths = {truth.name: truth for truth in played.truths}
    return Seen(sip, truths, said, metrics, most[0], status, "".join(daemon.log), calls, stats)


@pytest.fixture(scope="module")
def seen(asterisk, tmp_path_factory):
    folder = tmp_path_factory.mktemp("real")
    return asyncio.run(place_and_measure(asterisk, configure(folder, asterisk)))


def seconds(start, end):
    return (end - start) / 1e6


def instant(iso):
    return from_datetime(datetime.fromisoformat(iso))


def test_exactly_these_calls_are_in_the_ledger(seen):
    assert len(seen.calls) == len(SERVICE_CALLS)
    assert [call["outcome"] for call in seen.calls] == ["answered", "abandoned", "answered", "answered"]
    assert [call["ddi"] for call in seen.calls] == ["0100", "0100", "0103", "0100"]
    assert {(call["site"], call["service"]) for call in seen.calls} == {("lab", "standard")}
    assert [call["flags"] for call in seen.calls] == [[]] * len(SERVICE_CALLS)


@pytest.mark.parametrize("plan", SERVICE_CALLS, ids=lambda plan: plan.name)
def test_a_call_is_what_its_caller_lived_through(plan, seen):
    truth, call = seen.truths[plan.name], seen.call(plan)
    over = truth.wait_ended_at

    assert call["answered_by"] == truth.answered_by
    assert call["wait_seconds"] == pytest.approx(seconds(truth.arrived_at, over), abs=TOLERANCE)
    assert call["ring_seconds"] == pytest.approx(seconds(truth.alerting_at, over), abs=TOLERANCE)
    assert call["rings"] == RINGS[plan.name] == int(seconds(truth.alerting_at, over) // CYCLE) + 1
    assert seconds(truth.arrived_at, instant(call["arrived_at"])) == pytest.approx(0, abs=TOLERANCE)
    assert seconds(truth.ended_at, instant(call["ended_at"])) == pytest.approx(0, abs=TOLERANCE)
    assert call["ended_by"] == truth.ended_by
    assert call["machine_answered_at"] is None


@pytest.mark.parametrize("plan", SERVICE_CALLS, ids=lambda plan: plan.name)
def test_every_phone_that_rang_is_an_attempt(plan, seen):
    truth, call = seen.truths[plan.name], seen.call(plan)
    assert sorted(attempt["operator"] for attempt in call["attempts"]) == sorted(truth.rung)
    answered = {attempt["operator"] for attempt in call["attempts"] if attempt["result"] == "answered"}
    assert answered == {name for name in (truth.answered_by, *truth.transferred_to) if name is not None}


def test_the_blind_transfer_is_beside_the_answer(seen):
    truth, call = seen.truths[TRANSFERRED.name], seen.call(TRANSFERRED)
    (transfer,) = call["transfers"]

    assert (transfer["kind"], transfer["result"]) == ("blind", "answered")
    assert (transfer["to"],) == truth.transferred_to == ("PJSIP/svc1",)
    referred_at = seen.sip[TRANSFERRED.name].leg("op1").referred_at
    assert seconds(referred_at, instant(transfer["at"])) == pytest.approx(0, abs=TOLERANCE)
    assert call["talk_seconds"] == pytest.approx(seconds(truth.answered_at, truth.ended_at), abs=TOLERANCE)
    assert [other["transfers"] for other in seen.calls if other is not call] == [[], [], []]


def test_the_metrics_have_exactly_these_calls(seen):
    for outcome, count in OUTCOMES.items():
        assert seen.metric("telemon_calls_total", outcome=outcome) == count
    counts = re.findall(r"^telemon_calls_total\{.*\} (\S+)$", seen.metrics, re.MULTILINE)
    assert sum(map(float, counts)) == sum(OUTCOMES.values())
    for result, plans in (("answered", (ANSWERED, RING_ALL, TRANSFERRED)), ("lost", (ABANDONED,))):
        truths = [seen.truths[plan.name] for plan in plans]
        heard = sum(seconds(truth.alerting_at, truth.wait_ended_at) for truth in truths)
        waited = sum(seconds(truth.arrived_at, truth.wait_ended_at) for truth in truths)
        close = len(plans) * TOLERANCE
        assert seen.metric("telemon_call_rings_count", result=result) == len(plans)
        assert seen.metric("telemon_call_rings_sum", result=result) == sum(RINGS[plan.name] for plan in plans)
        assert seen.metric("telemon_call_ring_seconds_sum", result=result) == pytest.approx(heard, abs=close)
        assert seen.metric("telemon_call_wait_seconds_sum", result=result) == pytest.approx(waited, abs=close)


def test_the_callers_were_shown_waiting_together_and_then_no_more(seen):
    assert seen.most_waiting == len(SERVICE_CALLS)
    assert seen.metric("telemon_calls_waiting") == 0


def test_the_figures_are_those_of_these_calls(seen):
    stats = seen.stats
    assert stats["service"] == "standard"
    assert {outcome: count for outcome, count in stats["by_outcome"].items() if count} == OUTCOMES
    assert (stats["offered"], stats["answered"], stats["lost"]) == (4, 3, 1)
    assert stats["rings_answered"] == {"1": 2, "2": 1}


def test_it_was_ready_and_ended_cleanly(seen):
    assert seen.ready == {"ready": True, "reasons": []}
    assert seen.status == 0
    assert "Traceback" not in seen.log
