"""What an operator does with a caller, as a phone does it."""

import asyncio
import contextlib

from tests.lab.capture.stage import answers


async def answered(stage, caller, phone="op1", after=2, pause=1.0):
    """The phone answers; returns its leg after a little talk."""
    stage.phone(phone, answers(after))
    await caller.until_answered()
    await stage.wait(pause)
    return stage.phones[phone].legs[-1]


async def consult(leg, number, pause=1.5):
    await leg.hold()
    consultation = leg.phone.dial(number)
    await consultation.until_answered()
    await leg.phone.wait(pause)
    return consultation


async def leave(*legs):
    for leg in legs:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(leg.over.wait(), 1.5)
        if not leg.over.is_set():
            leg.bye()


async def blind(leg, number):
    await leg.refer(number)
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(leg.handed_on.wait(), 1)
    await leave(leg)


async def park(leg):
    await leg.press("#72", 0.15)
    await leg.phone.wait(1.5)


async def redirect(stage, exten, prefix="PJSIP/trunk"):
    channel = stage.recorder.channel(prefix)
    await stage.console.act("Redirect", Channel=channel, Context="from-internal", Exten=exten, Priority="1")
    stage.happens(f"Redirect of {prefix} to {exten}")
