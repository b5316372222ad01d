"""Dial, Local channels, pickup, mobiles that must accept, calls that are none of the switchboard's."""

import asyncio
import contextlib

from tests.lab.capture.softphone import Over
from tests.lab.capture.stage import answers, gives_up, refuses, rings_on, talk
from tests.lab.capture.story import story


def mobile(answer, press=None, after=0.7):
    async def behave(leg):
        await answers(answer)(leg)
        if press:
            await leg.stay(after)
            await leg.press(press)

    return behave


async def fetch(stage, phone, number, after):
    """Another phone dials a feature code and stays until the other side hangs up."""
    await stage.wait(after)
    leg = stage.phones[phone].dial(number)
    with contextlib.suppress(Over):
        await leg.until_answered(10)
    return leg


@story("Dial to a phone that answers no INVITE at all, until the dial's timeout")
async def dial_dead(stage):
    caller = stage.call("0202")
    await caller.over.wait()
    stage.truth(caller, "unanswered", unheard=True)


@story("the phone sends 183 and never 180, then answers")
async def early_media_phone(stage):
    stage.phone("op1", answers(3, early_media=True))
    caller = stage.call("0206")
    await talk(caller, 2)
    stage.truth(caller, "answered", "op1", unheard=True)


@story("the phone answers at once: 200 without 180")
async def answers_without_ringing(stage):
    async def at_once(leg):
        await leg.stay(0.3)
        leg.answer()

    stage.phone("op1", at_once)
    caller = stage.call("0206")
    await talk(caller, 2)
    stage.truth(caller, "answered", "op1", unheard=True)


@story("the phone rings 2 s, then refuses with 486")
async def refuses_after_ringing(stage):
    stage.phone("op1", refuses(486, after=2))
    caller = stage.call("0206")
    await caller.over.wait()
    stage.truth(caller, "busy")


@story("the phone rings 6 s, then declines with 603")
async def declines_after_ringing(stage):
    stage.phone("op1", refuses(603, after=6))
    caller = stage.call("0206")
    await caller.over.wait()
    stage.truth(caller, "unanswered")


@story("*8: op2 takes the call that rings on op1 through a queue")
async def pickup_queue(stage):
    stage.phone("op1", rings_on())
    caller = stage.call("0207")
    fetching = asyncio.create_task(fetch(stage, "op2", "*8", 3))
    await talk(caller, 3)
    await fetching
    stage.truth(caller, "answered", "op2")


@story("PickupChan: op3 takes the call that rings on op1 through a queue, the queue rings all")
async def pickup_queue_directed(stage):
    for name in ("op1", "op2"):
        stage.phone(name, rings_on())
    stage.phone("op3", refuses())
    caller = stage.call("0200")
    fetching = asyncio.create_task(fetch(stage, "op3", "*8101", 2.5))
    await talk(caller, 3)
    await fetching
    stage.truth(caller, "answered", "op3")


@story("PickupChan: op2 takes the call that rings on op1 through Dial")
async def pickup_dial_directed(stage):
    stage.phone("op1", rings_on())
    caller = stage.call("0206")
    fetching = asyncio.create_task(fetch(stage, "op2", "*8101", 2.5))
    await talk(caller, 3)
    await fetching
    stage.truth(caller, "answered", "op2")


@story("*8 on a call that a Local member (/n) rings")
async def pickup_local_n(stage):
    stage.phone("op1", rings_on())
    stage.phone("op2", rings_on())
    caller = stage.call("0237")
    fetching = asyncio.create_task(fetch(stage, "op3", "*8", 2.5))
    await talk(caller, 3)
    await fetching
    stage.truth(caller, "answered", "op3")


@story("press 1: the mobile's voicemail does not, then another phone answers")
async def screened_then_next(stage):
    stage.phone("gsm", mobile(2))
    stage.phone("op2", answers(2.5))
    caller = stage.call("0208")
    await talk(caller, 3)
    stage.truth(caller, "answered", "op2", machine="gsm")


@story("press 1 as a queue's Local member: accepted")
async def screened_queue_accepts(stage):
    stage.phone("gsm", mobile(2, "1"))
    stage.phone("op2", rings_on())
    caller = stage.call("0209")
    await talk(caller, 3)
    stage.truth(caller, "answered", "gsm", joined_at=caller.answered_at)


@story("press 1 as a queue's Local member: not accepted, while op2 rings and answers later")
async def screened_queue_refuses(stage):
    stage.phone("gsm", mobile(1))
    stage.phone("op2", answers(8))
    caller = stage.call("0209")
    await talk(caller, 3)
    stage.truth(caller, "answered", "op2", machine="gsm")


@story("press 1: op2 answers while the mobile still listens to the prompt")
async def screened_queue_overtaken(stage):
    stage.phone("gsm", mobile(2))
    stage.phone("op2", answers(3))
    caller = stage.call("0209")
    await talk(caller, 3)
    stage.truth(caller, "answered", "op2")


@story("press 1: the caller gives up while the mobile listens to the prompt")
async def screened_caller_leaves(stage):
    stage.phone("gsm", mobile(4.2))
    caller = stage.call("0208")
    await gives_up(caller, 5.6)
    stage.truth(caller, "abandoned")


@story("Dial with option g: the operator hangs up, the caller hears a goodbye")
async def dial_goes_on(stage):
    stage.phone("op1", answers(2, talk=2))
    stage.phone("op2", rings_on())
    caller = stage.call("0214")
    await caller.over.wait()
    stage.truth(caller, "answered", "op1")


@story("Dial with music instead of rings (m)")
async def dial_music(stage):
    stage.phone("op1", answers(3))
    caller = stage.call("0215")
    await talk(caller, 2)
    stage.truth(caller, "answered", "op1")


@story("Dial with forced ringback (r): op1 refuses, op2 answers")
async def dial_ringback(stage):
    stage.phone("op1", refuses(480))
    stage.phone("op2", answers(3))
    caller = stage.call("0216")
    await talk(caller, 2)
    stage.truth(caller, "answered", "op2")


@story("FollowMe: the first number rings out, the second answers and presses 1")
async def followme(stage):
    stage.phone("op1", rings_on())
    stage.phone("op2", mobile(2, "1", 3))
    caller = stage.call("0217")
    await talk(caller, 18)
    (leg,) = (leg for leg in stage.legs_of(caller) if leg.answered_at)
    # "1" three seconds after the answer, and a moment until FollowMe acts on it
    stage.truth(caller, "answered", "op2", joined_at=leg.answered_at + 3_120_000, machine="switchboard")


@story("two Local channels, one inside the other, with /n: op1 answers")
async def nested_n(stage):
    stage.phone("op1", answers(2))
    caller = stage.call("0219")
    await talk(caller, 3)
    stage.truth(caller, "answered", "op1")


@story("two Local channels, one inside the other, with RTP: both are optimised away")
async def nested_optimised(stage):
    stage.all_rtp()
    stage.phone("op1", answers(2))
    caller = stage.call("0222")
    await talk(caller, 4)
    stage.truth(caller, "answered", "op1")


@story("ring group of Local channels with /n: op2 answers")
async def ring_group_n(stage):
    stage.phone("op1", rings_on())
    stage.phone("op2", answers(2.4))
    caller = stage.call("0221")
    await talk(caller, 3)
    stage.truth(caller, "answered", "op2")


@story("ring group of Local channels: the caller gives up")
async def ring_group_abandoned(stage):
    stage.phone("op1", rings_on())
    stage.phone("op2", rings_on())
    caller = stage.call("0221")
    await gives_up(caller, 5.5)
    stage.truth(caller, "abandoned")


@story("Dial op1 (3 s), Dial op2 (486), then a queue where op3 answers: one wait")
async def dials_then_queue(stage):
    stage.phone("op1", rings_on())
    stage.phone("op2", refuses())
    stage.phone("op3", answers(2))
    caller = stage.call("0228")
    await talk(caller, 2)
    stage.truth(caller, "answered", "op3")


@story("dials in subroutines: op1 rings out, op2 answers")
async def dials_in_gosub(stage):
    stage.phone("op1", rings_on())
    stage.phone("op2", answers(1.5))
    caller = stage.call("0240")
    await talk(caller, 2)
    stage.truth(caller, "answered", "op2")


@story("both phones refuse with 486, then Busy()")
async def dial_all_busy(stage):
    stage.phone("op1", refuses())
    stage.phone("op2", refuses())
    caller = stage.call("0227")
    await caller.over.wait()
    stage.truth(caller, "busy")


@story("two phones ring out, Dial times out after 4 s")
async def dial_timeout(stage):
    stage.phone("op1", rings_on())
    stage.phone("op2", rings_on())
    caller = stage.call("0236")
    await caller.over.wait()
    stage.truth(caller, "unanswered")


@story("the mobile rings 4 s in vain, then op1 answers")
async def mobile_then_phone(stage):
    stage.phone("gsm", rings_on())
    stage.phone("op1", answers(2))
    caller = stage.call("0242")
    await talk(caller, 2)
    stage.truth(caller, "answered", "op1")


@story("RetryDial: op1 rings out twice, answers the third time")
async def retry_dial(stage):
    tries = []

    async def third_time(leg):
        tries.append(leg)
        await (answers(1) if len(tries) == 3 else rings_on())(leg)

    stage.phone("op1", third_time)
    caller = stage.call("0244")
    await talk(caller, 2)
    (*_, last) = stage.legs_of(caller)
    stage.truth(caller, "answered", "op1", joined_at=last.answered_at)


@story("the answering phone hears a whisper (option U) before it is joined")
async def whisper(stage):
    stage.phone("op1", answers(2))
    caller = stage.call("0232")
    await talk(caller, 2)
    stage.truth(caller, "answered", "op1", joined_at=caller.answered_at)


@story("the answering phone hangs up during the whisper: never joined")
async def whisper_hung_up(stage):
    stage.phone("op1", answers(5.5, talk=0.6))
    caller = stage.call("0232")
    await caller.over.wait()
    stage.truth(caller, "unanswered")


@story(
    "meanwhile: an operator calls the queue, one calls another, one calls out; only the first has a record, internal"
)
async def calls_of_the_phones(stage):
    stage.phone("op1", answers(2))
    stage.phone("op3", answers(1.5))
    stage.phone("gsm", answers(1))
    caller = stage.call("0207")
    to_queue = stage.phones["op2"].dial("4000")
    to_phone = stage.phones["svc1"].dial("103")
    outbound = stage.phones["svc2"].dial("0690000009")
    await asyncio.gather(talk(caller, 4), talk(to_queue, 2), talk(to_phone, 2), talk(outbound, 2))
    stage.truth(caller, "answered", "op1")
    stage.truth(to_queue, "answered", "op3")


@story("an unknown DDI")
async def unknown_ddi(stage):
    caller = stage.call("0999")
    await caller.over.wait()
