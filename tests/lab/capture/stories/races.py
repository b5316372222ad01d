"""Two things in the same millisecond."""

import asyncio

from tests.lab.capture.stage import answers, gives_up, rings_on, talk
from tests.lab.capture.story import story


async def first_ring(stage, phone):
    while not stage.phones[phone].legs or stage.phones[phone].legs[0].ringing_at is None:  # noqa: ASYNC110 - SIP is not asyncio
        await asyncio.sleep(0.001)
    return stage.phones[phone].legs[0]


def left_at_the_answer(offset_ms):
    async def play(stage):
        stage.phone("op1", answers(2.0))
        caller = stage.call("0207")
        leg = await first_ring(stage, "op1")
        await asyncio.sleep(2.0 * stage.pace + offset_ms / 1000 - 0.0005)
        caller.bye()
        await asyncio.wait_for(leg.over.wait(), 5)
        answered = caller.final == 200
        stage.truth(caller, "answered" if answered else "short_abandoned", "op1" if answered else None)

    return play


def answered_at_the_timeout(offset_ms):
    async def play(stage):
        stage.phone("op1", answers(4.0 + offset_ms / 1000))
        caller = stage.call("0204")
        await talk(caller, 1.5, patience=9)
        if caller.final == 200:
            stage.truth(caller, "answered", "op1", joined_at=caller.answered_at)
        else:
            stage.truth(caller, "abandoned")

    return play


def both_answer(ddi, offset_ms):
    async def play(stage):
        stage.phone("op1", answers(2.0))
        stage.phone("op2", answers(2.0 + offset_ms / 1000))
        stage.phone("op3", rings_on())
        caller = stage.call(ddi)
        await talk(caller, 2)
        await asyncio.sleep(0.3)
        # who lost the race is hung up within moments of his own answer
        talked = [
            leg for leg in stage.legs_of(caller) if leg.answered_at and leg.ended_at - leg.answered_at > 1_000_000
        ]
        stage.truth(caller, "answered", talked[0].phone.name)

    return play


def tell(name, what, play):
    play.__name__ = name
    story(what)(play)


for _ms in (-100, -6, -3, -1, 0, 1, 2, 3, 5, 8, 100):
    _name = f"left_at_answer_{'m' if _ms < 0 else 'p'}{abs(_ms)}"
    tell(_name, f"the caller hangs up {_ms} ms after the operator answers", left_at_the_answer(_ms))
for _ms in (-4, -2, -1, 0, 1, 2, 4):
    _name = f"answer_at_timeout_{'m' if _ms < 0 else 'p'}{abs(_ms)}"
    tell(_name, f"the phone answers {_ms} ms after the queue's attempt on it times out", answered_at_the_timeout(_ms))
for _ddi, _way in (("0216", "dial"), ("0200", "queue"), ("0220", "locals"), ("0221", "group")):
    for _ms in (0, 1, 3):
        _name = f"both_answer_{_way}_p{_ms}"
        tell(_name, f"two phones ({_way}) answer within {_ms} ms", both_answer(_ddi, _ms))


@story("Local members without /n and RTP; the caller gives up the moment the Local channel could be optimised")
async def left_while_optimising(stage):
    stage.all_rtp()
    stage.phone("op1", answers(2))
    stage.phone("op2", rings_on())
    caller = stage.call("0220")
    await talk(caller, 0.06)
    stage.truth(caller, "answered", "op1")


@story("one caller leaves while another's phone answers, in a crowd of six at a queue that takes turns")
async def crowd_in_turns(stage):
    stage.phone("op1", answers(0.8, talk=1.2))
    stage.phone("op2", answers(1.1, talk=1.4))
    callers = []
    for number in range(6):
        callers.append(stage.call("0201", f"{stage.number}{number}"))
        await asyncio.sleep(0.1)
    await asyncio.gather(*(gives_up(caller, 6.3 + 0.4 * n) for n, caller in enumerate(callers)))
    for caller in callers:
        by = [leg for leg in stage.legs_of(caller) if leg.answered_at]
        stage.truth(caller, *(("answered", by[0].phone.name) if by else ("abandoned",)))
