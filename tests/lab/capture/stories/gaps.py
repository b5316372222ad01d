"""The manager's link is cut, or Asterisk goes down."""

import asyncio

from tests.lab.capture.stage import answers, gives_up, rings_on, talk
from tests.lab.capture.story import story


async def blind_for(stage, seconds):
    await stage.recorder.close()
    stage.happens("manager link cut")
    await asyncio.sleep(seconds)
    await stage.recorder.open()
    stage.happens("manager link back")


@story("the link is cut while the queue rings; the caller gives up inside the gap")
async def gap_abandoned(stage):
    stage.phone("op1", rings_on())
    caller = stage.call("0207")
    leaving = asyncio.create_task(gives_up(caller, 3.5))
    await asyncio.sleep(2)
    await blind_for(stage, 3)
    await leaving
    stage.truth(
        caller, "unknown", wait_from_arrival_seconds=None, ring_heard_seconds=None, since_first_phone_rang_seconds=None
    )


@story("a call arrives inside the gap, still rings when the link is back, and is answered then")
async def gap_arrival(stage):
    stage.phone("op1", answers(5))
    await stage.recorder.close()
    caller = stage.call("0207")
    talking = asyncio.create_task(talk(caller, 3))
    await asyncio.sleep(2)
    await stage.recorder.open()
    await talking
    stage.truth(caller, "answered", "op1")


@story("a call arrives and is answered inside the gap")
async def gap_arrival_answered(stage):
    stage.phone("op1", answers(1.5))
    await stage.recorder.close()
    caller = stage.call("0207")
    talking = asyncio.create_task(talk(caller, 6))
    await asyncio.sleep(3)
    await stage.recorder.open()
    await talking
    stage.truth(caller, "answered", "op1")


@story("the link is cut while op1 talks; the transfer to svc1 happens inside the gap")
async def gap_transfer(stage):
    stage.phone("svc1", answers(1))
    stage.phone("op1", answers(1.5))
    caller = stage.call("0207")
    talking = asyncio.create_task(talk(caller, 9))
    await caller.until_answered()
    await asyncio.sleep(1)
    await stage.recorder.close()
    leg = stage.phones["op1"].legs[0]
    await leg.refer("3001")
    await asyncio.sleep(0.5)
    leg.bye()
    await asyncio.sleep(2)
    await stage.recorder.open()
    await talking
    stage.truth(caller, "answered", "op1", transferred_to=("svc1",))


@story("the link is cut while op1 rings (3 s) in a queue that takes turns; op2 rings inside the gap, and answers after")
async def gap_next_phone(stage):
    stage.phone("op1", rings_on())
    stage.phone("op2", answers(2.6))
    caller = stage.call("0201")
    talking = asyncio.create_task(talk(caller, 3))
    await asyncio.sleep(2)
    await blind_for(stage, 3)
    await talking
    stage.truth(caller, "answered", "op2")


@story("a call arrives inside the gap through Dial, still rings when the link is back; the caller gives up")
async def gap_arrival_dial(stage):
    stage.phone("op1", rings_on())
    await stage.recorder.close()
    caller = stage.call("0206")
    leaving = asyncio.create_task(gives_up(caller, 7))
    await asyncio.sleep(2)
    await stage.recorder.open()
    await leaving
    stage.truth(caller, "abandoned")


@story("Asterisk is restarted while the queue rings: it hangs everything up; the next caller is answered")
async def restarted(stage):
    stage.phone("op1", rings_on())
    caller = stage.call("0207")
    await asyncio.sleep(6)
    stage.happens("SIGTERM")
    await asyncio.to_thread(stage.asterisk.restart)
    await asyncio.wait_for(stage.recorder.ended.wait(), 20)
    await stage.recorder.open()
    again = stage.call("0207", f"{stage.number}9")
    stage.phone("op1", answers(1))
    await talk(again, 1)
    stage.truth(caller, "unanswered")
    stage.truth(again, "answered", "op1")


@story("Asterisk is restarted while op1 talks")
async def restarted_talking(stage):
    stage.phone("op1", answers(1.5))
    caller = stage.call("0207")
    await caller.until_answered()
    await asyncio.sleep(2)
    stage.happens("SIGTERM")
    await asyncio.to_thread(stage.asterisk.restart)
    await asyncio.wait_for(stage.recorder.ended.wait(), 20)
    await stage.recorder.open()
    stage.truth(caller, "answered", "op1")
