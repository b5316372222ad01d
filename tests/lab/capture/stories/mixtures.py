"""Several things in one call: transfers of transfers, Local channels that are transferred, moves while ringing."""

from tests.lab.capture.moves import answered, blind, consult, leave, redirect
from tests.lab.capture.stage import answers, gives_up, refuses, rings_on, talk
from tests.lab.capture.story import story


def takes_and(after, pause, move):
    async def behave(leg):
        await answers(after)(leg)
        await leg.stay(pause)
        await move(leg)

    return behave


@story("blind transfer into a queue; the caller gives up there: answered, lost in the transfer")
async def blind_to_queue_left(stage):
    stage.phone("op3", rings_on())
    caller = stage.call("0207")
    leg = await answered(stage, caller)
    await blind(leg, "4000")
    await gives_up(caller, 3)
    stage.truth(caller, "answered", "op1")


@story("blind transfer into a queue, op3 there sends the caller on to 3001")
async def queue_and_on(stage):
    stage.phone("op3", takes_and(1.5, 1.5, lambda leg: blind(leg, "3001")))
    stage.phone("svc1", answers(1.5))
    caller = stage.call("0207")
    leg = await answered(stage, caller)
    await blind(leg, "4000")
    await gives_up(caller, 8)
    stage.truth(caller, "answered", "op1", transferred_to=("op3", "svc1"))


@story("attended transfer to op2, who hands the caller on to svc1 attended as well")
async def attended_twice(stage):
    async def again(leg):
        await answers(1.5)(leg)
        await leg.stay(5)
        consultation = await consult(leg, "3001")
        await leg.refer("3001", consultation)
        await leave(leg, consultation)

    stage.phone("op2", again)
    stage.phone("svc1", answers(1.5))
    caller = stage.call("0207")
    leg = await answered(stage, caller)
    consultation = await consult(leg, "102")
    await leg.refer("102", consultation)
    await leave(leg, consultation)
    await gives_up(caller, 9)
    stage.truth(caller, "answered", "op1", transferred_to=("op2", "svc1"))


@story("attended transfer to a mobile outside")
async def attended_to_mobile(stage):
    stage.phone("gsm", answers(1.5))
    caller = stage.call("0207")
    leg = await answered(stage, caller)
    consultation = await consult(leg, "0690000001")
    await leg.refer("0690000001", consultation)
    await leave(leg, consultation)
    await gives_up(caller, 3)
    stage.truth(caller, "answered", "op1", transferred_to=("gsm",))


@story("Local members with /n: attended transfer by REFER to svc1")
async def locals_n_attended(stage):
    stage.phone("op2", rings_on())
    stage.phone("svc1", answers(1.5))
    caller = stage.call("0237")
    leg = await answered(stage, caller)
    consultation = await consult(leg, "3001")
    await leg.refer("3001", consultation)
    await leave(leg, consultation)
    await gives_up(caller, 3)
    stage.truth(caller, "answered", "op1", transferred_to=("svc1",))


@story("Local members optimised away, then a blind transfer to 3001")
async def locals_optimised_blind(stage):
    stage.all_rtp()
    stage.phone("op2", rings_on())
    stage.phone("svc1", answers(1.5))
    caller = stage.call("0220")
    leg = await answered(stage, caller, pause=2)
    await blind(leg, "3001")
    await gives_up(caller, 5)
    stage.truth(caller, "answered", "op1", transferred_to=("svc1",))


@story("Local members optimised away, then an attended transfer into a queue, op3 answers the consultation")
async def locals_optimised_attended(stage):
    stage.all_rtp()
    stage.phone("op2", rings_on())
    stage.phone("op3", answers(1.5))
    caller = stage.call("0220")
    leg = await answered(stage, caller, pause=2)
    consultation = await consult(leg, "4000")
    await leg.refer("4000", consultation)
    await leave(leg, consultation)
    await gives_up(caller, 4)
    stage.truth(caller, "answered", "op1", transferred_to=("op3",))


@story("press 1 accepted, then the console blind-transfers the mobile's side to 3001")
async def screened_then_moved(stage):
    async def accepts(leg):
        await answers(1.5)(leg)
        await leg.stay(0.7)
        await leg.press("1")
        await leg.over.wait()

    stage.phone("gsm", accepts)
    stage.phone("svc1", answers(1.5))
    caller = stage.call("0208")
    await caller.until_answered()
    await stage.wait(1.5)
    await redirect(stage, "3001")
    await gives_up(caller, 4)
    stage.truth(caller, "answered", "gsm", joined_at=caller.answered_at, transferred_to=("svc1",))


@story("a caller still ringing is redirected to an announcement")
async def redirect_ringing_to_machine(stage):
    stage.phone("op1", rings_on())
    caller = stage.call("0207")
    await stage.wait(3)
    await redirect(stage, "5000")
    await gives_up(caller, 3)
    stage.truth(caller, "diverted", machine="announcement", taken_at=caller.answered_at)


@story("a caller still ringing in a queue is redirected to a phone, through Dial")
async def redirect_ringing_to_phone(stage):
    stage.phone("op1", rings_on())
    stage.phone("op3", answers(1.5))
    caller = stage.call("0207")
    await stage.wait(3)
    await redirect(stage, "103")
    await talk(caller, 2)
    stage.truth(caller, "answered", "op3")


@story("op1 sends the caller back to the DDI: the same queue again, op1 answers again")
async def back_to_the_queue(stage):
    caller = stage.call("0207")
    leg = await answered(stage, caller)
    await blind(leg, "0207")
    await gives_up(caller, 5)
    stage.truth(caller, "answered", "op1", transferred_to=("op1",))


@story("302 to a mobile outside; the mobile answers")
async def forwarded_to_mobile(stage):
    stage.phone("op1", refuses(302, contact=f"<sip:0690000001@127.0.0.1:{stage.asterisk.sip_port}>"))
    stage.phone("gsm", answers(2))
    caller = stage.call("0206")
    await talk(caller, 2)
    stage.truth(caller, "answered", "gsm")


@story("op1 answers a second caller while the first is on hold, sends the second on, comes back to the first")
async def two_at_once(stage):
    stage.phone("op1", answers(1.5))
    stage.phone("svc1", answers(1.5))
    one = stage.call("0206")
    await one.until_answered()
    first = stage.phones["op1"].legs[-1]
    two = stage.call("0206", f"{stage.number}9")
    await stage.wait(0.7)
    await first.hold()
    await two.until_answered()
    second = stage.phones["op1"].legs[-1]
    await stage.wait(1)
    await blind(second, "3001")
    await first.unhold()
    await gives_up(one, 2)
    await gives_up(two, 2)
    stage.truth(one, "answered", "op1")
    stage.truth(two, "answered", "op1", transferred_to=("svc1",))


@story("the caller hangs up while he is on hold")
async def left_on_hold(stage):
    caller = stage.call("0207")
    leg = await answered(stage, caller)
    await leg.hold()
    await gives_up(caller, 1.5)
    stage.truth(caller, "answered", "op1", hold_seconds=1.5)


@story("an anonymous caller")
async def anonymous(stage):
    stage.phone("op1", answers(2))
    caller = stage.call("0207", "anonymous")
    await talk(caller, 2)
    stage.truth(caller, "answered", "op1")


@story("*8 on a call that a Local member without /n rings")
async def pickup_local(stage):
    stage.phone("op1", rings_on())
    stage.phone("op2", rings_on())
    caller = stage.call("0220")
    await stage.wait(2.5)
    fetching = stage.phones["op3"].dial("*8")
    await talk(caller, 3)
    await leave(fetching)
    stage.truth(caller, "answered", "op3")


@story("an operator picks up (*8) a call from a Local member, optimised away as RTP flows")
async def pickup_local_optimised(stage):
    stage.all_rtp()
    stage.phone("op1", rings_on())
    stage.phone("op2", rings_on())
    caller = stage.call("0220")
    await stage.wait(2.5)
    fetching = stage.phones["op3"].dial("*8")
    await talk(caller, 4)
    await leave(fetching)
    stage.truth(caller, "answered", "op3")
