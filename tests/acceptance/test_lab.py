"""The lab itself: real SIP calls through a real Asterisk 22, seen alike by SIPp and by AMI."""

from __future__ import annotations

import asyncio
import socket
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from simulators.lab.asterisk import Asterisk
from simulators.plan import Answers, Plan, PlannedCall, Rejects, Transfer
from simulators.sip.dialogs import read_dialogs
from simulators.sip.player import play
from simulators.sip.target import lab_target
from simulators.sip.witness import gather, truth_of
from simulators.site import Site
from telemon.errors import TelemonError
from telemon.instants import SECOND, parse_stamp
from telemon.records import EndedBy

pytestmark = pytest.mark.real("asterisk")

TOLERANCE = SECOND // 20
SITE = Site(name="lab", lines=(), extensions={"3001": "svc1"})


def call(name, ddi, **more):
    """One number calls every time, all at once: the display name tells the calls apart."""
    return PlannedCall(name=name, caller="0611110001", ddi=ddi, service="standard", **more)


ANSWERED = call("answered", "0100", phones={"op2": Answers(after=6)})
ABANDONED = call("abandoned", "0100", patience=12)
RING_ALL = call("ring-all", "0103", phones={"op1": Rejects(), "op3": Answers(after=2)})
TRANSFERRED = call(
    "transferred",
    "0100",
    phones={"op1": Answers(after=3), "svc1": Answers(after=2)},
    afterwards=Transfer(to="3001", after=2),
)
UNKNOWN_DDI = call("unknown-ddi", "0999")
PLANS = (ANSWERED, ABANDONED, RING_ALL, TRANSFERRED, UNKNOWN_DDI)
PLAN = Plan(scenario="lab", seed=0, starts_at=0, calls=PLANS)


@dataclass
class Recording:
    """Every event of one manager session, as dicts; a repeated header keeps its last value."""

    events: list[dict[str, str]] = field(default_factory=list)
    grown: asyncio.Event = field(default_factory=asyncio.Event)

    async def read(self, reader):
        while block := await reader.readuntil(b"\r\n\r\n"):
            lines = block.decode("utf-8", "replace").rstrip("\r\n").split("\r\n")
            message = dict(line.split(": ", 1) for line in lines if ": " in line)
            if "Event" in message:
                self.events.append(message)
                self.grown.set()

    async def until_all_channels_are_gone(self):
        while {e["Uniqueid"] for e in self.of("Newchannel")} - {e["Uniqueid"] for e in self.of("Hangup")}:
            self.grown.clear()
            await self.grown.wait()

    def of(self, name, **headers):
        wanted = {"Event": name, **headers}
        return [event for event in self.events if wanted.items() <= event.items()]

    def caller_channel(self, plan):
        (newchannel,) = self.of("Newchannel", Context="from-trunk", Exten=plan.ddi, CallerIDName=plan.name)
        return newchannel["Uniqueid"]


def at(event):
    instant = parse_stamp(event["Timestamp"])
    assert instant is not None
    return instant


def assert_together(instant, event):
    assert abs(at(event) - instant) <= TOLERANCE, event


@asynccontextmanager
async def recording_of(asterisk):
    reader, writer = await asyncio.open_connection("127.0.0.1", asterisk.ami_port)
    login = f"Action: Login\r\nUsername: {asterisk.ami_user}\r\nSecret: {asterisk.ami_secret}\r\n\r\n"
    writer.write(login.encode())
    recording = Recording()
    task = asyncio.create_task(recording.read(reader))
    try:
        yield recording
    finally:
        task.cancel()
        writer.close()
        await writer.wait_closed()


@pytest.fixture(scope="module")
def seen(asterisk):
    """Place all calls at once; return what was seen and the truth of each call, and AMI's events."""

    async def place_and_record():
        async with recording_of(asterisk) as recording:
            played = await play(PLAN, lab_target(asterisk, SITE))
            await asyncio.wait_for(recording.until_all_channels_are_gone(), 10)
        assert played.failures == {}
        pairs = zip(played.seen, played.truths, strict=True)
        return {truth.name: (seen, truth) for seen, truth in pairs}, recording

    return asyncio.run(place_and_record())


@pytest.mark.parametrize("plan", PLANS, ids=lambda plan: plan.name)
def test_ami_and_sip_agree_on_when_a_call_began_was_answered_and_ended(plan, seen):
    calls, ami = seen
    (_, truth), channel = calls[plan.name], ami.caller_channel(plan)

    (newchannel,) = ami.of("Newchannel", Uniqueid=channel)
    assert_together(truth.arrived_at, newchannel)
    (hangup,) = ami.of("Hangup", Uniqueid=channel)
    assert_together(truth.ended_at, hangup)
    requested = ami.of("HangupRequest", Uniqueid=channel)
    assert len(requested) == (truth.ended_by is EndedBy.CALLER)
    bridged = ami.of("BridgeEnter", Uniqueid=channel)
    assert bool(bridged) == (truth.answered_at is not None)
    if bridged:
        assert_together(truth.answered_at, bridged[0])


def test_op2_rings_six_seconds_and_answers_while_the_others_ring_on(seen):
    calls, ami = seen
    (sip, truth), channel = calls[ANSWERED.name], ami.caller_channel(ANSWERED)

    assert (sip.caller.final_code, truth.answered_by, truth.transferred_to) == (200, "PJSIP/op2", ())
    leg = sip.leg("op2")
    assert leg.answered_at - leg.ringing_at == pytest.approx(6 * SECOND, abs=TOLERANCE)
    assert [sip.leg(phone).final_code for phone in ("op1", "op3")] == [487, 487]
    (joined,) = ami.of("QueueCallerJoin", Uniqueid=channel, Queue="standard")
    assert_together(truth.alerting_at, joined)
    (connected,) = ami.of("AgentConnect", Uniqueid=channel)
    assert connected["Interface"] == "PJSIP/op2"


def test_the_caller_gives_up_after_twelve_seconds(seen):
    calls, ami = seen
    (sip, truth), channel = calls[ABANDONED.name], ami.caller_channel(ABANDONED)

    assert (sip.caller.final_code, truth.ended_by, truth.answered_by) == (487, EndedBy.CALLER, None)
    assert truth.ended_at - truth.alerting_at == pytest.approx(12 * SECOND, abs=TOLERANCE)
    (abandon,) = ami.of("QueueCallerAbandon", Uniqueid=channel)
    assert_together(truth.ended_at, abandon)
    assert {leg.final_code for leg in sip.legs} == {487}


def test_ring_all_by_dial_rings_every_phone_without_any_queue(seen):
    calls, ami = seen
    (sip, truth), channel = calls[RING_ALL.name], ami.caller_channel(RING_ALL)

    assert (sip.caller.final_code, truth.answered_by) == (200, "PJSIP/op3")
    assert [sip.leg(phone).final_code for phone in ("op1", "op2", "op3")] == [486, 487, 200]
    assert len(ami.of("DialBegin", Uniqueid=channel)) == 3
    assert ami.of("QueueCallerJoin", Uniqueid=channel) == []


def test_a_blind_refer_hands_the_caller_on_to_the_service(seen):
    calls, ami = seen
    (sip, truth), channel = calls[TRANSFERRED.name], ami.caller_channel(TRANSFERRED)

    assert (truth.answered_by, truth.transferred_to) == ("PJSIP/op1", ("PJSIP/svc1",))
    (transfer,) = ami.of("BlindTransfer", TransfereeUniqueid=channel)
    assert (transfer["Extension"], transfer["Result"]) == ("3001", "Success")
    assert_together(sip.leg("op1").referred_at, transfer)
    with_op1, with_svc1 = ami.of("BridgeEnter", Uniqueid=channel)
    assert with_op1["BridgeUniqueid"] != with_svc1["BridgeUniqueid"]
    assert_together(sip.leg("svc1").answered_at, with_svc1)
    assert sip.leg("op1").hung_up


def test_every_phone_rings_when_ami_says_so(seen):
    calls, ami = seen
    legs = [leg for sip, _ in calls.values() for leg in sip.legs if leg.ringing_at is not None]
    rings = ami.of("Newstate", ChannelStateDesc="Ringing")

    assert len(rings) == len(legs) == 12
    for leg in legs:
        assert any(
            event["Channel"].startswith(f"PJSIP/{leg.party}-") and abs(at(event) - leg.ringing_at) <= TOLERANCE
            for event in rings
        ), leg


def test_an_unknown_ddi_is_refused_by_the_switchboard(seen):
    calls, ami = seen
    sip, truth = calls[UNKNOWN_DDI.name]

    assert (sip.caller.final_code, truth.ended_by, sip.legs) == (404, EndedBy.SWITCHBOARD, ())
    (hangup,) = ami.of("Hangup", Uniqueid=ami.caller_channel(UNKNOWN_DDI))
    assert hangup["Cause"] == "1"


def test_the_login_sees_the_dialplan_and_a_timestamp_on_every_event(seen):
    _, ami = seen
    assert ami.of("Newexten", Application="Queue")
    assert ami.of("VarSet")
    assert [event["Event"] for event in ami.events if "Timestamp" not in event] == ["FullyBooted"]


@pytest.mark.parametrize("end", [Asterisk.stop, Asterisk.kill])
def test_a_second_asterisk_runs_beside_and_leaves_nothing_behind(asterisk, end):
    with Asterisk() as other:
        pid, folder = other.pid, other.run_folder
        assert pid != asterisk.pid
        assert folder.is_dir()
        end(other)
        assert not Path(f"/proc/{pid}").exists()
        assert not folder.exists()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", other.ami_port), 1)
    socket.create_connection(("127.0.0.1", asterisk.ami_port), 1).close()


def test_a_log_cut_in_mid_call_is_no_truth(tmp_path):
    log = tmp_path / "op1.messages"
    log.write_text(
        f"{'-' * 47} 2026-11-23 07:00:00.000001\nUDP message received [99] bytes :\n\n"
        "INVITE sip:op1@127.0.0.1 SIP/2.0\r\nFrom: <sip:06@127.0.0.1>;tag=1\r\nCall-ID: a\r\nCSeq: 1 INVITE\r\n\r\n"
    )
    (caller,) = read_dialogs(log)
    with pytest.raises(TelemonError, match="call answered: SIPp's log ends in the middle"):
        truth_of(gather(ANSWERED, caller, []))
