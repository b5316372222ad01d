"""After the answer: hold, parking, and what the console moves."""

from tests.lab.capture.moves import answered, leave, park, redirect
from tests.lab.capture.stage import answers, gives_up, rings_on, talk
from tests.lab.capture.story import story


@story("hold twice: 1.0 s and 1.5 s")
async def hold_twice(stage):
    caller = stage.call("0207")
    leg = await answered(stage, caller)
    await leg.hold()
    await stage.wait(1)
    await leg.unhold()
    await stage.wait(0.5)
    await leg.hold()
    await stage.wait(1.5)
    await leg.unhold()
    await gives_up(caller, 1)
    stage.truth(caller, "answered", "op1", hold_seconds=2.5)


@story("the caller puts the operator on hold and comes back")
async def held_by_caller(stage):
    caller = stage.call("0207")
    await answered(stage, caller)
    await caller.hold()
    await stage.wait(1)
    await caller.unhold()
    await gives_up(caller, 1)
    stage.truth(caller, "answered", "op1", hold_seconds=0)


@story("op1 parks the caller, who hangs up on the parking space")
async def parked_left(stage):
    caller = stage.call("0207")
    leg = await answered(stage, caller)
    await park(leg)
    await leave(leg)
    await gives_up(caller, 1.5)
    stage.truth(caller, "answered", "op1")


@story("op1 parks the caller and fetches him back himself")
async def parked_fetched_by_self(stage):
    caller = stage.call("0207")
    leg = await answered(stage, caller)
    await park(leg)
    await leave(leg)
    await stage.wait(0.5)
    fetching = stage.phones["op1"].dial("701")
    await fetching.until_answered()
    await gives_up(caller, 2)
    stage.truth(caller, "answered", "op1")


@story("two callers parked at once: one is fetched by the other's operator, the other gives up")
async def parked_two(stage):
    stage.phone("op1", answers(1.5))
    stage.phone("op2", answers(1.5))
    one = stage.call("0206")
    two = stage.call("0250", f"{stage.number}9")
    await one.until_answered()
    await two.until_answered()
    await stage.wait(1)
    first, second = stage.phones["op1"].legs[0], stage.phones["op2"].legs[0]
    await park(first)
    await park(second)
    await leave(first, second)
    fetching = stage.phones["op2"].dial("701")
    await fetching.until_answered()
    await gives_up(two, 0.5)
    await gives_up(one, 2)
    stage.truth(one, "answered", "op1")
    stage.truth(two, "answered", "op2")


@story("nobody fetches the parked caller: the space rings op1 back after 6 s, who answers")
async def parked_comes_back(stage):
    caller = stage.call("0207")
    leg = await answered(stage, caller)
    await park(leg)
    await leave(leg)
    await gives_up(caller, 10)
    stage.truth(caller, "answered", "op1", transferred_to=("op1",))


@story("nobody fetches the parked caller, op1 does not answer the call-back either: the caller gives up")
async def parked_comes_back_in_vain(stage):
    caller = stage.call("0207")
    leg = await answered(stage, caller)
    stage.phone("op1", rings_on())
    await park(leg)
    await leave(leg)
    await gives_up(caller, 9)
    stage.truth(caller, "answered", "op1")


@story("the console redirects the talking caller into another queue; op3 answers")
async def redirect_to_queue(stage):
    stage.phone("op3", answers(2))
    caller = stage.call("0207")
    await answered(stage, caller, pause=2)
    await redirect(stage, "4000")
    await gives_up(caller, 5)
    stage.truth(caller, "answered", "op1", transferred_to=("op3",))


@story("the console redirects the talking caller to an announcement")
async def redirect_to_machine(stage):
    caller = stage.call("0207")
    await answered(stage, caller, pause=2)
    await redirect(stage, "5000")
    await gives_up(caller, 3)
    stage.truth(caller, "answered", "op1")


@story("the console redirects a caller still ringing in the queue into another queue; op3 answers there")
async def redirect_ringing_to_queue(stage):
    stage.phone("op1", rings_on())
    stage.phone("op3", answers(2))
    caller = stage.call("0207")
    await stage.wait(3)
    await redirect(stage, "4000")
    await talk(caller, 2)
    stage.truth(caller, "answered", "op3")


@story("the console bridges the caller with svc1, who was listening to an announcement")
async def bridged_by_console(stage):
    caller = stage.call("0207")
    await answered(stage, caller)
    other = stage.phones["svc1"].dial("5000")
    await other.until_answered()
    await stage.wait(0.5)
    channels = [stage.recorder.channel(prefix) for prefix in ("PJSIP/trunk", "PJSIP/svc1")]
    await stage.console.act("Bridge", Channel1=channels[0], Channel2=channels[1])
    await gives_up(caller, 3)
    await leave(other)
    stage.truth(caller, "answered", "op1", transferred_to=("svc1",))


@story("the console's BlindTransfer of op1's side")
async def blind_by_console(stage):
    stage.phone("svc1", answers(2))
    caller = stage.call("0207")
    await answered(stage, caller)
    channel = stage.recorder.channel("PJSIP/op1")
    await stage.console.act("BlindTransfer", Channel=channel, Context="from-internal", Exten="3001")
    await gives_up(caller, 5)
    stage.truth(caller, "answered", "op1", transferred_to=("svc1",))
