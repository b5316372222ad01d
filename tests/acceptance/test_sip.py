"""The SIP player on a real Asterisk as the site PREFECTURE: what its truth says is what telemon's ledger says."""

import asyncio
import json
import re
import signal
from datetime import UTC, datetime, timedelta
from functools import partial

import httpx
import pytest

from simulators.cli.sip import command
from simulators.lab.asterisk import PREFECTURE_CONFIGURATION, Asterisk
from simulators.lab.ports import free_port
from simulators.plan import (
    Answers,
    Expected,
    Forwards,
    Hold,
    Plan,
    PlannedCall,
    PlannedPause,
    Rejects,
    RingsOn,
    Transfer,
)
from simulators.sip.address import Address, sip_address
from simulators.sip.choosing import choose_plan, choose_target
from simulators.sip.player import play
from simulators.sip.tables import caller_table
from simulators.sip.target import lab_target
from simulators.site import PREFECTURE
from simulators.telemon_toml import telemon_toml
from simulators.truth import read_truth, to_line
from telemon.cadences import ring_cycle
from telemon.errors import TelemonError
from telemon.records import EndedBy, Outcome
from tests.acceptance.commands import running, telemon

real = pytest.mark.real("asterisk")

TOLERANCE = 0.100  # seconds between what SIPp saw and what telemon says
CYCLE = ring_cycle("FR")
PATIENCE = 30.0
LINES = {line.service: line for line in PREFECTURE.lines}


def planned(name, service, arrives_at, behaviour=None, **more):
    """A call for which every operator of the service would do the same, so that it is all one whom Asterisk rings."""
    phones = dict.fromkeys(LINES[service].operators, behaviour) if behaviour else {}
    phones |= more.pop("phones", {})
    return PlannedCall(
        name=name,
        caller="0655550001",
        ddi=LINES[service].ddi,
        service=service,
        arrives_at=arrives_at,
        phones=phones,
        **{"talk": 1.5, **more},
    )


def expecting(outcome, ended_after, ended_by=EndedBy.CALLER, **more):
    return Expected(outcome=outcome, ended_after=ended_after, ended_by=ended_by, **more)


# Each with the outcome that it must come to. The longest take 40 s: two queues and voicemail, the duty mobile.
PLANNED = [
    ("answered", planned("overflow", "etrangers", 0.0, talk=0.3, phones={"deb1": Answers(after=1.5)})),
    ("answered", planned("mobile", "permanence", 0.2, phones={"gsm": Answers(after=1, accepts=True)})),
    ("unanswered", planned("refused-mobile", "permanence", 0.3, phones={"gsm": Answers(after=1, accepts=False)})),
    ("abandoned", planned("rings-on", "standard", 0.4, RingsOn(), patience=17.5)),
    ("answered", planned("answered", "standard", 0.6, Answers(after=1.2))),
    ("answered", planned("two-rings", "standard", 0.8, Answers(after=6.5))),
    ("answered", planned("operator-ends", "standard", 1.0, Answers(after=0.8), ended_by=EndedBy.SWITCHBOARD)),
    ("answered", planned("held", "standard", 1.2, Answers(after=0.7), talk=3, afterwards=Hold(after=0.6, lasts=1.2))),
    (
        "answered",
        planned(
            "transferred",
            "standard",
            1.4,
            Answers(after=0.9),
            phones={"svc1": Answers(after=1.1)},
            afterwards=Transfer(to="3001", after=0.8),
        ),
    ),
    (
        "answered",
        planned("transfer-in-vain", "standard", 1.6, Answers(after=0.9), afterwards=Transfer(to="3002", after=0.8)),
    ),
    ("abandoned", planned("rejected", "standard", 1.8, Rejects(after=0.4), patience=7.2)),
    ("diverted", planned("voicemail", "etrangers", 1.9, expected=expecting(Outcome.DIVERTED, 43, machine_after=40))),
    ("answered", planned("forwarded", "standard", 2.0, Forwards(to="3003"), phones={"svc3": Answers(after=1)})),
    ("short_abandoned", planned("short", "standard", 2.2, RingsOn(), patience=2.0)),
    ("answered", planned("ring-all", "accueil", 2.4, phones={"acc1": Rejects(), "acc2": Answers(after=1.3)})),
    ("answered", planned("crisis", "crise", 2.6, phones={"cri3": Answers(after=1.6)})),
    ("answered", planned("greeted", "titres", 2.8, Answers(after=1), expected=expecting(Outcome.ANSWERED, 6))),
    ("abandoned", planned("greeted-in-vain", "titres", 3.0, RingsOn(), expected=expecting(Outcome.ABANDONED, 9))),
    ("ivr_only", planned("hung-up-on-greeting", "titres", 3.2, expected=expecting(Outcome.IVR_ONLY, 0.5))),
    ("busy", planned("all-busy", "accueil", 6.0, Rejects())),
    *(
        ("answered", planned(f"quick-{number}", "standard", 9 + number / 3, Answers(after=0.3 + number / 30), talk=0.5))
        for number in range(20)
    ),
    ("answered", planned("duty", "permanence", 37.0, phones={"duty": Answers(after=1)})),
]
PLAN = Plan(
    scenario="every behaviour",
    seed=0,
    starts_at=0,
    calls=tuple(call for _, call in PLANNED),
    pauses=(PlannedPause(phone="op10", begins=0, ends=30, reason="pause"),),
)


@pytest.fixture(scope="module")
def prefecture():
    with Asterisk(overlay=PREFECTURE_CONFIGURATION, phones=PREFECTURE.phones) as lab:
        yield lab


async def until_counted(daemon, count):
    """Wait until telemon has counted so many calls."""
    async with httpx.AsyncClient() as client, asyncio.timeout(PATIENCE):
        counted = 0.0
        while counted < count:
            await asyncio.sleep(0.1)
            text = (await client.get(f"{daemon.address}/metrics")).text
            counted = sum(map(float, re.findall(r"^telemon_calls_total\{.*\} (\S+)$", text, re.MULTILINE)))


async def ledger(config):
    """Return every call of the ledger, in order of arrival."""
    today = datetime.now(UTC).date()
    period = f"{today - timedelta(days=1)}..{today + timedelta(days=1)}"
    status, output, errors = await telemon(
        "calls", "-c", config, "-p", period, "-n", "9999", "-f", "ndjson", cwd=config.parent
    )
    assert (status, errors) == (0, "")
    return sorted((json.loads(line) for line in output.splitlines()), key=lambda call: call["arrived_at"])


async def play_and_measure(asterisk, folder):
    config = folder / "telemon.toml"
    access = {"host": "127.0.0.1", "port": asterisk.ami_port, "username": "telemon", "secret": asterisk.ami_secret}
    config.write_text(telemon_toml(PREFECTURE, **access, folder=folder))
    async with running(config) as daemon:
        played = await play(PLAN, lab_target(asterisk, PREFECTURE, console="console"))
        await until_counted(daemon, len(PLANNED))
        await daemon.stop(signal.SIGTERM)
    return played, await ledger(config)


@pytest.fixture(scope="module")
def measured(prefecture, tmp_path_factory):
    """What was played, and (truth, row of the ledger) of each call by name."""
    played, rows = asyncio.run(play_and_measure(prefecture, tmp_path_factory.mktemp("sip")))
    truths = sorted(played.truths, key=lambda truth: truth.arrived_at)
    assert [row["ddi"] for row in rows] == [truth.ddi for truth in truths]
    return played, {truth.name: (truth, row) for truth, row in zip(truths, rows, strict=True)}


@real
def test_every_call_was_placed_and_none_failed(measured):
    played, pairs = measured
    assert played.failures == {}
    assert pairs.keys() == {call.name for call in PLAN.calls}


@real
@pytest.mark.parametrize(("outcome", "call"), PLANNED, ids=lambda value: getattr(value, "name", ""))
def test_a_call_is_what_sip_saw(outcome, call, measured):
    truth, row = measured[1][call.name]
    seen = json.loads(to_line(truth, CYCLE))

    assert (seen["outcome"], row["outcome"]) == (outcome, outcome)
    for same in ("service", "ddi", "answered_by", "rings", "ended_by"):
        assert row[same] == seen[same], same
    for close in ("wait_seconds", "ring_seconds", "talk_seconds"):
        assert row[close] == pytest.approx(seen[close], abs=TOLERANCE), close
    assert (row["machine_answered_at"] is not None) == seen["machine_answered"]
    assert sorted(attempt["operator"] for attempt in row["attempts"]) == sorted(seen["rung"])
    handed_on = [transfer["to"] for transfer in row["transfers"] if transfer["result"] == "answered"]
    assert handed_on == seen["transferred_to"]


@real
def test_phones_did_what_was_planned(measured):
    pairs = measured[1]
    truth = {name: truth for name, (truth, _) in pairs.items()}
    row = {name: row for name, (_, row) in pairs.items()}

    assert truth["mobile"].answered_by == "PJSIP/gsm"
    assert truth["overflow"].answered_by == "PJSIP/deb1"
    assert truth["forwarded"].answered_by == "PJSIP/svc3"
    assert truth["crisis"].answered_by == "PJSIP/cri3"
    assert truth["ring-all"].answered_by == "PJSIP/acc2"
    assert truth["transferred"].transferred_to == ("PJSIP/svc1",)
    assert truth["transfer-in-vain"].rung[-1] == "PJSIP/svc2"
    assert truth["transfer-in-vain"].transferred_to == ()
    assert truth["operator-ends"].ended_by is EndedBy.SWITCHBOARD
    assert len(truth["rings-on"].rung) == 2  # 15 s, then the next phone
    assert len(truth["rejected"].rung) > 3
    assert row["held"]["hold_seconds"] == pytest.approx(1.2, abs=TOLERANCE)


@real
def test_a_paused_operator_is_not_rung(measured):
    pairs = measured[1]
    rung = {phone for truth, _ in pairs.values() for phone in truth.rung}
    assert {f"PJSIP/op{number}" for number in range(1, 10)} <= rung
    assert "PJSIP/op10" not in rung


SCENARIO = """
title = "Three phones"
begins = 2026-11-23T10:00:00
lasts_hours = 1
calls_per_day = 3000
[services.standard]
share = 1.0
[talks]
transfer_share = 0.0
hold_share = 0.0
operator_ends_share = 0.0
[operators]
pauses_per_hour = 0.0
[operators.usual]
reaction_seconds = 1.5
absent_share = 0.0
reject_share = 0.0
"""


def rings_seconds(call, phone):
    behaviour = call.phones[phone]
    assert isinstance(behaviour, Answers)
    return behaviour.after


@real
def test_phones_at_one_address_are_told_apart(tmp_path, capsys):
    """As at somebody's own Asterisk, whose test phones are all sent to one port: here three that ring together."""
    scenario = tmp_path / "three.toml"
    scenario.write_text(SCENARIO)
    asterisk = Asterisk(phones=())
    port = free_port()
    asterisk.phone_ports = dict.fromkeys(("op1", "op2", "op3", "svc1"), port)
    to, phones = f"sip:127.0.0.1:{asterisk.sip_port}", f"127.0.0.1:{port}"
    with asterisk:
        command(
            to=to,
            phones=phones,
            ddi=["standard=0100"],
            scenario=str(scenario),
            squeeze=100.0,
            calls=3,
            truth=tmp_path / "truth.ndjson",
        )
    target = choose_target(to, phones=phones, single=(), no_phones=False, own_pbx=False)
    plan = choose_plan(str(scenario), target, seed=1, squeeze=100.0, calls=3, ddis=["standard=0100"])
    quickest = [min(("op1", "op2", "op3"), key=partial(rings_seconds, call)) for call in plan.calls]

    truths = list(read_truth(tmp_path / "truth.ndjson"))
    assert [truth.answered_by for truth in truths] == [f"PJSIP/{phone}" for phone in quickest]
    assert {frozenset(truth.rung) for truth in truths} == {frozenset({"PJSIP/op1", "PJSIP/op2", "PJSIP/op3"})}
    assert "3 calls: 3 answered" in capsys.readouterr().out


@real
def test_under_load_every_call_is_counted_and_telemon_keeps_up(tmp_path, capsys):
    command(load=30.0, seconds=5.0, truth=tmp_path / "truth.ndjson")
    truths = list(read_truth(tmp_path / "truth.ndjson"))
    told = capsys.readouterr().out

    assert len(truths) == 150
    assert {truth.outcome for truth in truths} == {Outcome.ANSWERED, Outcome.SHORT_ABANDONED}
    assert "telemon counted 150 of 150 calls" in told
    p99 = re.search(r"p99 ([0-9.]+) ms", told)
    assert p99 is not None
    assert float(p99[1]) < 250


@pytest.mark.parametrize(
    ("uri", "where"),
    [
        ("sip:127.0.0.1:5060", Address("127.0.0.1", 5060)),
        ("127.0.0.2", Address("127.0.0.2", 5060)),
        ("sip:0102030405@localhost:15060", Address("127.0.0.1", 15060)),
    ],
)
def test_calls_go_to_this_machine(uri, where):
    assert sip_address(uri) == where


@pytest.mark.parametrize(
    "uri", ["sip:192.0.2.1", "sip:0.0.0.0:5060", "sip:[2001:db8::1]:5060", "sip:user@198.51.100.7:5060"]
)
def test_calls_go_nowhere_else_unless_the_pbx_is_ones_own(uri):
    with pytest.raises(TelemonError, match="--i-own-this-pbx"):
        sip_address(uri)


def test_with_that_word_they_go_elsewhere():
    assert sip_address("sip:192.0.2.1:5070", own_pbx=True) == Address("192.0.2.1", 5070)


@pytest.mark.parametrize("uri", ["", "sip:", "sip:127.0.0.1:0", "sip:127.0.0.1:99999", "sips:127.0.0.1", "a b"])
def test_what_is_no_address_is_refused(uri):
    with pytest.raises(TelemonError, match="is no SIP address"):
        sip_address(uri)


@pytest.mark.parametrize("name", ["a;b", 'a"b', "a[b", "a b", "", "é"])
def test_a_name_that_sip_or_sipp_would_read_otherwise_is_refused(name):
    with pytest.raises(TelemonError, match="in the plan"):
        caller_table([planned(name, "standard", 0)], PREFECTURE)
