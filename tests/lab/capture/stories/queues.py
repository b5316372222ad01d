"""Queues: strategies, refusals, dead phones, Local members, members that change meanwhile."""

import asyncio

from tests.lab.capture.stage import answers, gives_up, refuses, rings_on, talk
from tests.lab.capture.story import story


@story("rrmemory queue: the first phone answers no INVITE at all, the second answers 2 s after it rings")
async def turns_first_dead(stage):
    stage.phone("op2", answers(2))
    caller = stage.call("0201")
    await talk(caller, 3)
    stage.truth(caller, "answered", "op2")


@story("rrmemory queue: both phones ring out (3 s each), the second answers in its second attempt")
async def turns_second_round(stage):
    tries = []

    async def second_time(leg):
        tries.append(leg)
        await (answers(1) if len(tries) == 2 else rings_on())(leg)

    stage.phone("op1", rings_on())
    stage.phone("op2", second_time)
    caller = stage.call("0201")
    await talk(caller, 2)
    stage.truth(caller, "answered", "op2")


@story("queue whose only phone is dead: the caller gives up after 6 s")
async def one_dead_abandoned(stage):
    caller = stage.call("0207")
    await gives_up(caller, 6.2)
    stage.truth(caller, "abandoned")


@story("rrmemory queue, both phones refuse with 486 again and again until the queue's timeout (8 s)")
async def all_refuse_until_timeout(stage):
    stage.phone("op1", refuses())
    stage.phone("op2", refuses())
    caller = stage.call("0203")
    await caller.over.wait()
    stage.truth(caller, "busy")


@story("rrmemory queue: op1 refuses with 486, op2 rings out until the queue's timeout")
async def one_refuses_one_rings(stage):
    stage.phone("op1", refuses())
    stage.phone("op2", rings_on())
    caller = stage.call("0203")
    await caller.over.wait()
    stage.truth(caller, "unanswered")


@story("the only member is paused while it rings: the queue sends the caller away (leavewhenempty)")
async def leave_empty(stage):
    stage.phone("op1", rings_on())
    caller = stage.call("0204")
    await stage.wait(2)
    await stage.console.act("QueuePause", Interface="PJSIP/op1", Paused="true", Queue="leaving")
    stage.happens("op1 paused")
    stage.counts_from("op1 rings", after="console QueuePause")
    await caller.over.wait()
    await stage.console.act("QueuePause", Interface="PJSIP/op1", Paused="false", Queue="leaving")
    stage.truth(caller, "unanswered")


@story("joinempty=strict and nobody there: Queue lets nobody in, then Hangup(16)")
async def join_empty(stage):
    caller = stage.call("0205")
    await caller.over.wait()
    stage.truth(caller, "busy")


@story("a member joins while the caller waits in a queue without members, and answers")
async def member_added(stage):
    stage.phone("svc1", answers(2))
    caller = stage.call("0248")
    await stage.wait(1)
    await stage.console.act("QueueAdd", Queue="nobody", Interface="PJSIP/svc1", MemberName="Late")
    await talk(caller, 2)
    await stage.console.act("QueueRemove", Queue="nobody", Interface="PJSIP/svc1")
    stage.truth(caller, "answered", "svc1")


@story("members are paused, and the queues reloaded, while all ring; op1 answers all the same")
async def pause_and_reload(stage):
    for name in ("op1", "op2", "op3"):
        stage.phone(name, rings_on())
    stage.phone("op1", answers(4.3))
    caller = stage.call("0200")
    await stage.wait(1)
    await stage.console.act("QueuePause", Interface="PJSIP/op2", Paused="true")
    await stage.wait(0.5)
    await stage.console.act("QueueReload")
    await stage.console.act("Reload", Module="res_pjsip.so")
    await talk(caller, 2)
    await stage.console.act("QueuePause", Interface="PJSIP/op2", Paused="false")
    stage.truth(caller, "answered", "op1")


@story("302 in a queue: op1 sends the call to 102, op2 answers")
async def forwarded_in_queue(stage):
    host = f"127.0.0.1:{stage.asterisk.sip_port}"
    stage.phone("op1", refuses(302, contact=f"<sip:102@{host}>"))
    stage.phone("op2", answers(2.5))
    caller = stage.call("0207")
    await talk(caller, 2)
    stage.truth(caller, "answered", "op2")


@story("Local members without /n, with RTP: the Local channel is optimised away after the answer")
async def locals_optimised(stage):
    stage.all_rtp()
    stage.phone("op1", rings_on())
    stage.phone("op2", answers(2.2))
    caller = stage.call("0220")
    await talk(caller, 4)
    stage.truth(caller, "answered", "op2")


@story("Local members with /n: op1 answers, blind-transfers to 3001, svc1 answers")
async def locals_n_transfer(stage):
    async def transfers(leg):
        await answers(2)(leg)
        await leg.stay(2)
        await leg.refer("3001")
        await leg.handed_on.wait()
        leg.bye()

    stage.phone("op1", transfers)
    stage.phone("op2", rings_on())
    stage.phone("svc1", answers(2))
    caller = stage.call("0237")
    await talk(caller, 9)
    stage.truth(caller, "answered", "op1", transferred_to=("svc1",))


@story("Answer(), a queue that speaks to the member before it connects him; the caller waits for the end of it")
async def member_announcement(stage):
    stage.phone("op1", answers(2))
    caller = stage.call("0213")
    await talk(caller, 7)
    (leg,) = stage.legs_of(caller)
    stage.truth(caller, "answered", "op1", joined_at=leg.answered_at + 1_420_000, machine="switchboard")


@story("the caller leaves while the queue still speaks to the member who picked up: never joined")
async def left_during_announcement(stage):
    stage.phone("op1", answers(5.5))
    caller = stage.call("0213")
    await gives_up(caller, 6.8)
    stage.truth(caller, "abandoned", machine="switchboard")


@story("a queue with periodic announcements in early media: op2 answers in its second attempt")
async def periodic(stage):
    stage.phone("op1", rings_on())
    tries = []

    async def second_time(leg):
        tries.append(leg)
        await (answers(1) if len(tries) == 2 else rings_on())(leg)

    stage.phone("op2", second_time)
    caller = stage.call("0233")
    await talk(caller, 2)
    stage.truth(caller, "answered", "op2", unheard=True)


@story("four callers in 0.6 s to a ring-all queue of three phones that take one call each")
async def crowd(stage):
    for name, after in (("op1", 2.1), ("op2", 3.2), ("op3", 4.3)):
        stage.phone(name, answers(after, talk=3))
    callers = []
    for number in range(4):
        callers.append(stage.call("0200", f"06222201{number:02}"))
        await stage.wait(0.2)
    await asyncio.gather(*(gives_up(caller, 14 - n) for n, caller in enumerate(callers)))
    for caller in callers:
        by = [leg for leg in stage.legs_of(caller) if leg.answered_at]
        if by:
            stage.truth(caller, "answered", by[0].phone.name)
        else:
            stage.truth(caller, "abandoned")


@story("the same number calls twice at once: two calls, one answered, one abandoned")
async def same_number_twice(stage):
    stage.phone("op1", answers(3, talk=8))
    one = stage.call("0207")
    await stage.wait(0.5)
    two = stage.call("0207")
    await asyncio.gather(talk(one, 5), gives_up(two, 7))
    stage.truth(one, "answered", "op1")
    stage.truth(two, "abandoned", phones=[])


@story("the console hangs the caller up while the queue rings: the switchboard ended it")
async def hung_up_by_console(stage):
    stage.phone("op1", rings_on())
    caller = stage.call("0207")
    await stage.wait(6)
    await stage.console.act("Hangup", Channel=stage.recorder.channel("PJSIP/trunk"), Cause="16")
    await caller.over.wait()
    stage.truth(caller, "unanswered")


@story("TIMEOUT(absolute) ends the wait in the queue after 6 s: the switchboard ended it")
async def absolute_timeout(stage):
    stage.phone("op1", rings_on())
    caller = stage.call("0245")
    await caller.over.wait()
    stage.truth(caller, "unanswered")


@story("the caller gives up after 6 s; an extension h keeps the channel for 2 s more")
async def slow_end(stage):
    stage.phone("op1", rings_on())
    caller = stage.call("0249")
    await gives_up(caller, 6)
    await stage.wait(4)
    stage.truth(caller, "abandoned")


@story("op1 answers; the caller hangs up after 2 s; an extension h keeps the channel for 2 s more")
async def slow_end_answered(stage):
    stage.phone("op1", answers(2))
    caller = stage.call("0249")
    await talk(caller, 2)
    await stage.wait(4)
    stage.truth(caller, "answered", "op1")


@story("two queues, both time out, nobody answers")
async def two_queues_unanswered(stage):
    for name in ("op1", "op2", "op3"):
        stage.phone(name, rings_on())
    caller = stage.call("0235")
    await caller.over.wait()
    stage.truth(caller, "unanswered")


@story("the operator answers and hangs up within 0.1 s; option c lets the dialplan go on with an announcement")
async def answered_for_a_blink(stage):
    stage.phone("op1", answers(2, talk=0.1))
    stage.phone("op2", rings_on())
    stage.phone("op3", rings_on())
    caller = stage.call("0243")
    await caller.over.wait()
    stage.truth(caller, "answered", "op1")
