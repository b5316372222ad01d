"""Voice menus, announcements, recorders, conferences, parking before any answer."""

import contextlib

from tests.lab.capture.softphone import Over
from tests.lab.capture.stage import answers, gives_up, refuses, rings_on, talk
from tests.lab.capture.story import story

_AFTER_ANSWER = 500_000  # Answer() waits that long for media (include/asterisk/channel.h) before the dialplan goes on


async def in_menu(stage, keys, after):
    caller = stage.call("0212")
    await caller.until_answered(5)
    await stage.wait(after)
    if keys:
        await caller.press(keys)
    return caller


async def until_end(caller, seconds):
    with contextlib.suppress(Over):
        await caller.stay(seconds)
    if not caller.over.is_set():
        caller.bye()


@story("voice menu: the caller presses 1 during the greeting, a queue rings all, op2 answers")
async def menu_to_queue(stage):
    stage.phone("op1", rings_on())
    stage.phone("op2", answers(2))
    stage.phone("op3", refuses())
    caller = await in_menu(stage, "1", 2)
    await until_end(caller, 5)
    (leg,) = (leg for leg in stage.legs_of(caller) if leg.answered_at)
    stage.truth(caller, "answered", "op2", joined_at=leg.answered_at, machine="switchboard")


@story("voice menu: the caller presses 2 while the menu waits, Dial, op2 answers")
async def menu_to_dial(stage):
    stage.phone("op2", answers(2))
    caller = await in_menu(stage, "2", 7)
    await until_end(caller, 5)
    stage.truth(caller, "answered", "op2", machine="switchboard")


@story("voice menu: no key at all, so the queue; the caller gives up there")
async def menu_silent(stage):
    stage.phone("op1", rings_on())
    caller = await in_menu(stage, "", 0)
    await until_end(caller, 17)
    stage.truth(caller, "abandoned", machine="switchboard")


@story("voice menu: the caller hangs up while the menu waits for a key")
async def menu_left(stage):
    caller = await in_menu(stage, "", 7.3)
    caller.bye()
    stage.truth(caller, "ivr_only", machine="switchboard")


@story("voice menu: a key that leads nowhere, goodbye, hung up: nobody could be rung")
async def menu_invalid(stage):
    caller = await in_menu(stage, "9", 1)
    await caller.over.wait()
    stage.truth(caller, "failed", machine="switchboard")


@story("queue times out, an announcement answers, the next queue: op3 answers; one wait from the first ring")
async def announcement_between(stage):
    for name in ("op1", "op2"):
        stage.phone(name, rings_on())
    stage.phone("op3", answers(2.5))
    caller = stage.call("0210")
    await talk(caller, 9)
    stage.truth(caller, "answered", "op3", machine="announcement")


@story("queue times out, an announcement, the next queue: the caller gives up while that one rings")
async def announcement_between_abandoned(stage):
    for name in ("op1", "op2", "op3"):
        stage.phone(name, rings_on())
    caller = stage.call("0210")
    await gives_up(caller, 9)
    stage.truth(caller, "abandoned", machine="announcement")


@story("queue times out, an announcement to the end, hung up")
async def announcement_heard(stage):
    stage.phone("op1", rings_on())
    caller = stage.call("0211")
    await caller.over.wait()
    stage.truth(caller, "diverted", machine="announcement", taken_at=caller.answered_at)


@story("queue times out, the caller hangs up during the announcement")
async def announcement_left(stage):
    stage.phone("op1", rings_on())
    caller = stage.call("0211")
    await gives_up(caller, 5.5)
    stage.truth(caller, "diverted", machine="announcement", taken_at=caller.answered_at)


@story("queue, then one phone, then a recorder: the caller leaves a message")
async def recorder(stage):
    for name in ("op1", "op3"):
        stage.phone(name, rings_on())
    caller = stage.call("0223")
    await gives_up(caller, 11)
    stage.truth(caller, "diverted", machine="recorder", taken_at=caller.answered_at)


@story("the queue's member is a dialplan that answers and speaks: a machine behind a Local channel")
async def robot(stage):
    caller = stage.call("0224")
    await gives_up(caller, 6)
    stage.truth(caller, "diverted", machine="robot", taken_at=caller.answered_at)


@story("Congestion(): refused")
async def congestion(stage):
    caller = stage.call("0225")
    await caller.over.wait()
    stage.truth(caller, "busy")


@story("Answer(), Wait(2), Dial: op1 answers")
async def answer_then_dial(stage):
    stage.phone("op1", answers(3))
    caller = stage.call("0226")
    await until_end(caller, 7)
    stage.truth(caller, "answered", "op1", machine="switchboard")


@story("Ringing(), then Answer() and a greeting, then a queue: op1 answers; the ring counts from Ringing()")
async def ringing_then_greeting(stage):
    stage.phone("op1", answers(2))
    caller = stage.call("0229")
    await until_end(caller, 8)
    stage.truth(caller, "answered", "op1", machine="switchboard")


@story("an announcement alone, heard to its end: nobody could be rung")
async def only_announcement(stage):
    caller = stage.call("0230")
    await caller.over.wait()
    stage.truth(caller, "failed", machine="announcement")


@story("an announcement alone, the caller hangs up during it")
async def only_announcement_left(stage):
    caller = stage.call("0230")
    await gives_up(caller, 1)
    stage.truth(caller, "ivr_only", machine="announcement")


@story("an empty queue (3 s), an announcement in early media, a second queue: op3 answers")
async def early_announcement_between(stage):
    stage.phone("op3", answers(2))
    caller = stage.call("0231")
    await talk(caller, 2)
    stage.truth(caller, "answered", "op3")


@story("Answer(), MusicOnHold for 2 s, Dial: op2 answers")
async def music_then_dial(stage):
    stage.phone("op1", rings_on())
    stage.phone("op2", answers(2))
    caller = stage.call("0238")
    await until_end(caller, 6)
    stage.truth(caller, "answered", "op2", machine="switchboard")


@story("both phones busy, then an announcement to the end: every phone refused as busy")
async def busy_then_announcement(stage):
    stage.phone("op1", refuses())
    stage.phone("op2", refuses())
    caller = stage.call("0239")
    await caller.over.wait()
    stage.truth(caller, "busy", machine="announcement", taken_at=caller.answered_at, unheard=True)


@story("a greeting in early media, then Dial with music: op1 answers")
async def early_greeting_dial(stage):
    stage.phone("op1", answers(2))
    stage.phone("op2", rings_on())
    caller = stage.call("0241")
    await talk(caller, 2)
    stage.truth(caller, "answered", "op1")


@story("conference: the caller waits there alone, op1 joins after 3 s, op2 after 5 s")
async def conference(stage):
    caller = stage.call("0218")
    await stage.wait(3)
    first = stage.phones["op1"].dial("6000")
    await stage.wait(2)
    second = stage.phones["op2"].dial("6000")
    await stage.wait(2)
    caller.bye()
    await stage.wait(1)
    first.bye()
    second.bye()
    stage.truth(caller, "answered", "op1", joined_at=first.answered_at + _AFTER_ANSWER, machine="switchboard")


@story("three-way: op1 answers, the console moves both into a conference, op2 joins")
async def conference_after_answer(stage):
    stage.phone("op1", answers(2))
    caller = stage.call("0207")
    await caller.until_answered()
    await stage.wait(1.5)
    await stage.console.act(
        "Redirect", Channel=stage.recorder.channel("PJSIP/trunk"), Context="from-internal", Exten="6000", Priority="1",
        ExtraChannel=stage.recorder.channel("PJSIP/op1"), ExtraContext="from-internal", ExtraExten="6000",
        ExtraPriority="1",
    )  # fmt: skip
    await stage.wait(2)
    second = stage.phones["op2"].dial("6000")
    await stage.wait(2)
    caller.bye()
    second.bye()
    stage.phones["op1"].legs[0].bye()
    stage.truth(caller, "answered", "op1")


@story("the dialplan parks the caller at once; op1 fetches him after 3 s")
async def parked_at_once(stage):
    caller = stage.call("0234")
    await stage.wait(3)
    leg = stage.phones["op1"].dial("701")
    await leg.until_answered()
    await until_end(caller, 2)
    stage.truth(caller, "answered", "op1", joined_at=leg.answered_at + _AFTER_ANSWER, machine="switchboard")


@story("the dialplan parks the caller at once; he gives up")
async def parked_at_once_left(stage):
    caller = stage.call("0234")
    await gives_up(caller, 4)
    stage.truth(caller, "ivr_only", machine="switchboard")


@story("voicemail at once: the caller leaves a message; nobody was ever rung")
async def voicemail_only(stage):
    caller = stage.call("0246")
    await gives_up(caller, 4)
    stage.truth(caller, "ivr_only", machine="voicemail")


@story("queue, then voicemail; the caller leaves a message")
async def queue_then_voicemail(stage):
    stage.phone("op1", rings_on())
    caller = stage.call("0247")
    await gives_up(caller, 8)
    stage.truth(caller, "diverted", machine="voicemail", taken_at=caller.answered_at)
