"""The situations that the AMI simulator tells, each a story; and the stories that only they need."""

import asyncio
import os
import signal
from pathlib import Path
from typing import NamedTuple

from simulators.lab.ports import free_port
from tests.lab.capture.moves import answered, blind, consult, leave, park
from tests.lab.capture.softphone import Softphone
from tests.lab.capture.stage import answers, gives_up, rings_on, talk
from tests.lab.capture.stories.dials import fetch
from tests.lab.capture.story import STORIES, Story, story


class Situation(NamedTuple):
    """What is shown, by which story, and how people's times are stretched when it is played again."""

    shows: str
    story: str
    pace: float = 0.8


SITUATIONS = (
    Situation("ring-all", "ring_all", 1.3),
    Situation("ring-all, nobody in time", "two_queues_unanswered"),
    Situation("linear", "linear"),
    Situation("taking turns", "turns_second_round", 1.3),
    Situation("Local members without /n", "locals_plain"),
    Situation("Local members without /n, optimised away", "locals_optimised", 1.3),
    Situation("Local members with /n", "locals_n_transfer"),
    Situation("Local channels in Dial with /n", "ring_group_n"),
    Situation("Local channels in Dial, optimised away", "nested_optimised"),
    Situation("queue without Answer(), ringback", "abandoned_in_queue", 1.2),
    Situation("queue without Answer(), music", "music_unanswered"),
    Situation("queue after Answer(), music", "music_answered"),
    Situation("early-media greeting", "early_greeting_dial"),
    Situation("IVR then queue", "menu_to_queue"),
    Situation("Ringing() before Dial", "ringing_then_dial"),
    Situation("overflow queue to queue", "dials_then_queue"),
    Situation("overflow queue to queue to voicemail", "queues_then_voicemail"),
    Situation("Dial to several phones", "dial_ringback"),
    Situation("Dial to several phones, nobody in time", "dial_timeout"),
    Situation("rejected members", "declines_after_ringing"),
    Situation("busy members", "one_refuses_one_rings"),
    Situation("busy everywhere", "dial_all_busy"),
    Situation("never ringing", "turns_first_dead"),
    Situation("302", "forwarded_in_queue"),
    Situation("forwarded to a mobile through Local", "forwarded_to_mobile"),
    Situation("press 1 accepted", "screened_queue_accepts"),
    Situation("press 1 not accepted", "screened_queue_refuses", 0.9),
    Situation("press 1 not accepted, then another phone", "screened_then_next"),
    Situation("pickup *8 of a Dial", "pickup_dial"),
    Situation("pickup *8 in a queue", "pickup_queue", 1.3),
    Situation("directed pickup of a Dial", "pickup_dial_directed"),
    Situation("directed pickup in a queue", "pickup_queue_directed"),
    Situation("parking, retrieved", "parked_fetched"),
    Situation("parking, timed out", "parked_comes_back"),
    Situation("parking, abandoned", "parked_left", 1.3),
    Situation("blind transfer by REFER", "blind_to_phone", 1.3),
    Situation("blind transfer by REFER, in vain", "blind_refused"),
    Situation("blind transfer by DTMF", "blind_dtmf"),
    Situation("blind transfer by AMI BlindTransfer", "blind_by_console"),
    Situation("transfer by AMI Redirect", "redirect_to_queue"),
    Situation("attended transfer by REFER, merging two linkedids", "attended_to_phone"),
    Situation("attended transfer by REFER into a queue", "attended_queue"),
    Situation("attended transfer by DTMF", "attended_dtmf_queue"),
    Situation("attended transfer by AMI Atxfer", "attended_by_console"),
    Situation("semi-attended transfer by REFER", "semi_attended", 1.15),
    Situation("semi-attended transfer by DTMF", "semi_attended_dtmf"),
    Situation("Redirect while ringing", "redirect_ringing_to_queue"),
    Situation("hang-up in the IVR", "menu_left", 1.15),
    Situation("hang-up while ringing", "ring_group_abandoned", 1.2),
    Situation("hang-up in the second of the answer, before it", "left_at_answer_m100"),
    Situation("hang-up in the second of the answer, after it", "left_at_answer_p100"),
    Situation("member paused meanwhile", "leave_empty"),
    Situation("member removed meanwhile", "member_removed"),
    Situation("member unregistered meanwhile", "member_unregistered", 1.2),
    Situation("reload", "pause_and_reload"),
)


FAULTS = ("link_cut_talking", "killed_talking")


def faults() -> list[Story]:
    """Stories in which the call ``ring_all`` is disturbed."""
    return [story for story in STORIES if story.name in FAULTS]


def situations() -> list[Story]:
    """The stories of all situations, in their order."""
    known = {story.name: story for story in STORIES}
    return [known[situation.story] for situation in SITUATIONS]


async def extension(stage, number, *steps):
    """Add an extension to the callers' dialplan: ``Dial(PJSIP/op1,20)``."""
    for priority, step in enumerate(steps, 1):
        application, _, data = step.removesuffix(")").partition("(")
        answer = await stage.console.act(
            "DialplanExtensionAdd", Context="from-trunk", Extension=number, Priority=str(priority),
            Application=application, ApplicationData=data, Replace="true",
        )  # fmt: skip
        assert "Response: Success" in answer


@story("a queue rings all three phones, op2 answers")
async def ring_all(stage):
    caller = ringing_all(stage)
    await talk(caller, 3)
    stage.truth(caller, "answered", "op2")


def ringing_all(stage):
    for name in ("op1", "op3"):
        stage.phone(name, rings_on())
    stage.phone("op2", answers(3))
    return stage.call("0200")


@story("a linear queue: op1 rings out (3 s), op2 answers")
async def linear(stage):
    await extension(stage, "0260", "Queue(line,r,,,20)", "Hangup()")
    stage.phone("op1", rings_on())
    stage.phone("op2", answers(1.5))
    caller = stage.call("0260")
    await talk(caller, 3)
    stage.truth(caller, "answered", "op2")


@story("Local members without /n and without RTP, so nothing is optimised away: op1 answers")
async def locals_plain(stage):
    stage.phone("op1", answers(2.5))
    stage.phone("op2", rings_on())
    caller = stage.call("0220")
    await talk(caller, 3)
    stage.truth(caller, "answered", "op1")


@story("a queue rings op1; the caller gives up after 6.3 s")
async def abandoned_in_queue(stage):
    stage.phone("op1", rings_on())
    caller = stage.call("0207")
    await gives_up(caller, 6.3)
    stage.truth(caller, "abandoned")


@story("a queue with music and no Answer(): op1 answers")
async def music_unanswered(stage):
    await extension(stage, "0261", "Queue(one,t,,,30)", "Hangup()")
    stage.phone("op1", answers(3))
    caller = stage.call("0261")
    await talk(caller, 2)
    stage.truth(caller, "answered", "op1")


@story("Answer(), then a queue with music: op1 answers")
async def music_answered(stage):
    await extension(stage, "0262", "Answer()", "Queue(one,t,,,30)", "Hangup()")
    stage.phone("op1", answers(3))
    caller = stage.call("0262")
    await gives_up(caller, 6)
    (leg,) = stage.legs_of(caller)
    stage.truth(caller, "answered", "op1", joined_at=leg.answered_at, machine="switchboard")


@story("Ringing() for 2 s, then Dial: op1 answers")
async def ringing_then_dial(stage):
    await extension(stage, "0263", "Ringing()", "Wait(2)", "Dial(PJSIP/op1,20)", "Hangup()")
    stage.phone("op1", answers(2))
    caller = stage.call("0263")
    await talk(caller, 2)
    stage.truth(caller, "answered", "op1")


@story("two queues time out, then voicemail: the caller leaves a message")
async def queues_then_voicemail(stage):
    await extension(stage, "0264", "Queue(line,r,,,3)", "Queue(second,r,,,3)", "VoiceMail(9100@default,us)", "Hangup()")
    for name in ("op1", "op2", "op3"):
        stage.phone(name, rings_on())
    caller = stage.call("0264")
    await caller.until_answered()
    await gives_up(caller, 3)
    stage.truth(caller, "diverted", machine="voicemail", taken_at=caller.answered_at)


@story("*8: op2 takes the call that rings on op1 through Dial")
async def pickup_dial(stage):
    stage.phone("op1", rings_on())
    caller = stage.call("0206")
    await fetch(stage, "op2", "*8", 2.5)
    await talk(caller, 3)
    stage.truth(caller, "answered", "op2")


@story("op1 parks the caller, svc1 fetches him")
async def parked_fetched(stage):
    caller = stage.call("0207")
    leg = await answered(stage, caller)
    await park(leg)
    await leave(leg)
    await stage.wait(0.5)
    fetching = stage.phones["svc1"].dial("701")
    await fetching.until_answered()
    await gives_up(caller, 2)
    stage.truth(caller, "answered", "op1")


@story("blind transfer by REFER: svc1 answers")
async def blind_to_phone(stage):
    stage.phone("svc1", answers(2))
    caller = stage.call("0207")
    leg = await answered(stage, caller)
    await blind(leg, "3001")
    await gives_up(caller, 5)
    stage.truth(caller, "answered", "op1", transferred_to=("svc1",))


@story("attended transfer by REFER with Replaces: svc1 answers the consultation")
async def attended_to_phone(stage):
    stage.phone("svc1", answers(1.5))
    caller = stage.call("0207")
    leg = await answered(stage, caller)
    consultation = await consult(leg, "3001")
    await leg.refer("3001", consultation)
    await leave(leg, consultation)
    await gives_up(caller, 3)
    stage.truth(caller, "answered", "op1", transferred_to=("svc1",))


@story("the console's Atxfer of op1's side: svc1 answers, op1 hangs up to complete")
async def attended_by_console(stage):
    stage.phone("svc1", answers(1.5))
    caller = stage.call("0207")
    leg = await answered(stage, caller)
    channel = stage.recorder.channel("PJSIP/op1")
    await stage.console.act("Atxfer", Channel=channel, Context="from-internal", Exten="3001")
    await stage.wait(4.5)
    leg.bye()
    await gives_up(caller, 3)
    stage.truth(caller, "answered", "op1", transferred_to=("svc1",))


@story("the only member is removed from the queue while it rings; it answers all the same")
async def member_removed(stage):
    stage.phone("svc1", answers(3.5))
    await stage.console.act("QueueAdd", Queue="nobody", Interface="PJSIP/svc1", MemberName="Late")
    caller = stage.call("0248")
    await stage.wait(1.5)
    await stage.console.act("QueueRemove", Queue="nobody", Interface="PJSIP/svc1")
    await talk(caller, 2)
    stage.truth(caller, "answered", "svc1")


@story("the only member's phone is unregistered while it rings, and no longer heard of; the caller gives up")
async def member_unregistered(stage):
    late = await registering(stage, "late")
    stage.phone("late", rings_on())
    await stage.console.act("QueueAdd", Queue="nobody", Interface="PJSIP/late", MemberName="Late")
    await late.register(60)
    caller = stage.call("0248")
    await stage.wait(2)
    await late.register(0)
    stage.counts_from("late rings", after="late unregisters")
    await gives_up(caller, 5)
    stage.truth(caller, "abandoned")
    await stage.console.act("QueueRemove", Queue="nobody", Interface="PJSIP/late")


async def registering(stage, name):
    """A phone that must register, in a switchboard that now knows it."""
    file = Path(stage.asterisk.run_folder) / "etc" / "pjsip.conf"
    known = f"\n[{name}](phone)\naors = {name}\n[{name}]\ntype = aor\nmax_contacts = 1\nremove_existing = yes\n"
    if known not in (text := file.read_text("utf-8")):
        file.write_text(text + known, "utf-8")
    await stage.console.act("Reload", Module="res_pjsip.so")
    phone = Softphone(name, stage.asterisk.sip_port, free_port())
    phone.pace, phone.acts = stage.pace, stage.acts
    stage.phones[name] = phone
    await phone.open()
    return phone


# Faults: what is on tape is ``ring_all``; the fault itself is the simulator's to play.


async def talk_after_ring_all(stage):
    caller = ringing_all(stage)
    await caller.until_answered()
    await stage.wait(2)
    return caller, stage.phones["op2"].legs[0]


@story("the manager's link is cut while op2 talks, and is back before the caller hangs up")
async def link_cut_talking(stage):
    caller, _ = await talk_after_ring_all(stage)
    stage.happens("begins")
    await stage.recorder.close()
    await asyncio.sleep(1.5)
    await stage.recorder.open()
    stage.happens("ends")
    await gives_up(caller, 2)
    stage.truth(caller, "answered", "op2")


@story("Asterisk is killed while op2 talks, and started again")
async def killed_talking(stage):
    caller, leg = await talk_after_ring_all(stage)
    stage.happens("begins")
    os.kill(stage.asterisk.pid, signal.SIGKILL)
    await stage.recorder.ended.wait()
    await stage.recorder.close()
    await asyncio.to_thread(stage.asterisk.restart)
    await stage.recorder.open()
    stage.happens("ends")
    caller.bye()
    leg.bye()
    stage.truth(caller, "answered", "op2")
