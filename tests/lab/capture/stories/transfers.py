"""After the answer: transfers by the phone, blind, attended and in between."""

from tests.lab.capture.moves import answered, blind, consult, leave
from tests.lab.capture.stage import answers, gives_up, refuses, rings_on, talk
from tests.lab.capture.story import story


@story("attended transfer by REFER with Replaces; the consultation is with a queue, op3 answered there")
async def attended_queue(stage):
    stage.phone("op3", answers(2))
    caller = stage.call("0207")
    leg = await answered(stage, caller)
    consultation = await consult(leg, "4000")
    await leg.refer("4000", consultation)
    await leave(leg, consultation)
    await talk(caller, 3)
    stage.truth(caller, "answered", "op1", transferred_to=("op3",))


@story("semi-attended: the REFER with Replaces comes while svc1 still rings; svc1 answers later")
async def semi_attended(stage):
    stage.phone("svc1", answers(4))
    caller = stage.call("0207")
    leg = await answered(stage, caller)
    await leg.hold()
    consultation = leg.phone.dial("3001")
    await stage.wait(2)
    await leg.refer("3001", consultation)
    await leave(leg, consultation)
    await talk(caller, 6)
    stage.truth(caller, "answered", "op1", transferred_to=("svc1",))


@story("semi-attended into a queue: REFER with Replaces while op3 rings there; op3 answers later")
async def semi_attended_queue(stage):
    stage.phone("op3", answers(4))
    caller = stage.call("0207")
    leg = await answered(stage, caller)
    await leg.hold()
    consultation = leg.phone.dial("4000")
    await stage.wait(2)
    await leg.refer("4000", consultation)
    await leave(leg, consultation)
    await talk(caller, 6)
    stage.truth(caller, "answered", "op1", transferred_to=("op3",))


@story("attended transfer; the phone sends its REFER on the consultation's dialog")
async def attended_on_consultation(stage):
    stage.phone("svc1", answers(1.5))
    caller = stage.call("0200")
    stage.phone("op2", rings_on())
    stage.phone("op3", rings_on())
    leg = await answered(stage, caller)
    consultation = await consult(leg, "3001")
    await consultation.refer("0622220001", leg)
    await leave(leg, consultation)
    await talk(caller, 3)
    stage.truth(caller, "answered", "op1", transferred_to=("svc1",))


@story("consultation only: svc1 says no, op1 comes back to the caller; no transfer")
async def consultation_only(stage):
    stage.phone("svc1", answers(1.5))
    caller = stage.call("0207")
    leg = await answered(stage, caller)
    consultation = await consult(leg, "3001")
    consultation.bye()
    await leg.unhold()
    await talk(caller, 2)
    stage.truth(caller, "answered", "op1")


@story("consultation of the queue only: op3 answers op1 there; then op1 comes back to the caller")
async def consultation_queue_only(stage):
    stage.phone("op3", answers(1.5))
    caller = stage.call("0207")
    leg = await answered(stage, caller)
    consultation = await consult(leg, "4000")
    consultation.bye()
    await leg.unhold()
    await talk(caller, 2)
    stage.truth(caller, "answered", "op1")
    stage.truth(consultation, "answered", "op3")


@story("blind transfer to an announcement")
async def blind_to_machine(stage):
    caller = stage.call("0207")
    leg = await answered(stage, caller)
    await blind(leg, "5000")
    await gives_up(caller, 3)
    stage.truth(caller, "answered", "op1")


@story("blind transfer to an announcement followed by a queue: op3 answers")
async def blind_to_machine_then_queue(stage):
    stage.phone("op3", answers(2))
    caller = stage.call("0207")
    leg = await answered(stage, caller)
    await blind(leg, "5001")
    await gives_up(caller, 11)
    stage.truth(caller, "answered", "op1", transferred_to=("op3",))


@story("blind transfer; the caller hangs up while svc1 rings")
async def blind_left(stage):
    stage.phone("svc1", rings_on())
    caller = stage.call("0207")
    leg = await answered(stage, caller)
    await blind(leg, "3001")
    await gives_up(caller, 3)
    stage.truth(caller, "answered", "op1")


@story("blind transfer to a phone that refuses with 486")
async def blind_refused(stage):
    stage.phone("svc1", refuses())
    caller = stage.call("0207")
    leg = await answered(stage, caller)
    await leg.refer("3001")
    await leave(leg)
    await caller.over.wait()
    stage.truth(caller, "answered", "op1")


@story("blind transfer to a number that does not exist: the switchboard refuses it, op1 goes on")
async def blind_nowhere(stage):
    caller = stage.call("0207")
    leg = await answered(stage, caller)
    await leg.refer("7777777")
    await stage.wait(1)
    await gives_up(caller, 2)
    stage.truth(caller, "answered", "op1")


@story("two transfers: op1 to svc1, svc1 to svc2")
async def blind_twice(stage):
    async def again(leg):
        await answers(1.5)(leg)
        await leg.stay(2)
        await blind(leg, "3002")

    stage.phone("svc1", again)
    stage.phone("svc2", answers(1.5))
    caller = stage.call("0207")
    leg = await answered(stage, caller)
    await blind(leg, "3001")
    await gives_up(caller, 9)
    stage.truth(caller, "answered", "op1", transferred_to=("svc1", "svc2"))


@story("svc1 sends the caller back to op1")
async def there_and_back(stage):
    async def back(leg):
        await answers(1.5)(leg)
        await leg.stay(2)
        await blind(leg, "101")

    stage.phone("svc1", back)
    caller = stage.call("0207")
    leg = await answered(stage, caller)
    await blind(leg, "3001")
    await gives_up(caller, 9)
    stage.truth(caller, "answered", "op1", transferred_to=("svc1", "op1"))


@story("blind transfer to a mobile outside")
async def blind_to_mobile(stage):
    stage.phone("gsm", answers(2))
    caller = stage.call("0207")
    leg = await answered(stage, caller)
    await blind(leg, "0690000001")
    await gives_up(caller, 5)
    stage.truth(caller, "answered", "op1", transferred_to=("gsm",))


@story("blind transfer; op2 picks up (*8) what rings on svc1")
async def blind_picked_up(stage):
    stage.phone("svc1", rings_on())
    caller = stage.call("0207")
    leg = await answered(stage, caller)
    await blind(leg, "3001")
    await stage.wait(1)
    fetching = stage.phones["op2"].dial("*8")
    await gives_up(caller, 5)
    await leave(fetching)
    stage.truth(caller, "answered", "op1", transferred_to=("op2",))


@story("blind transfer by DTMF (#1) to 3002")
async def blind_dtmf(stage):
    stage.phone("svc2", answers(2))
    caller = stage.call("0207")
    leg = await answered(stage, caller)
    await leg.press("#1", 0.15)
    await stage.wait(1.5)
    await leg.press("3002", 0.15)
    await gives_up(caller, 8)
    stage.truth(caller, "answered", "op1", transferred_to=("svc2",))


@story("attended transfer by DTMF (*2) into a queue: op3 answers, op1 hangs up to complete")
async def attended_dtmf_queue(stage):
    stage.phone("op3", answers(2))
    caller = stage.call("0207")
    leg = await answered(stage, caller)
    await leg.press("*2", 0.15)
    await stage.wait(1.5)
    await leg.press("4000", 0.15)
    await stage.wait(7)
    leg.bye()
    await gives_up(caller, 3)
    stage.truth(caller, "answered", "op1", transferred_to=("op3",))


@story("attended transfer by DTMF (*2): op1 hangs up while svc1 still rings, svc1 answers")
async def semi_attended_dtmf(stage):
    stage.phone("svc1", answers(5))
    caller = stage.call("0207")
    leg = await answered(stage, caller)
    await leg.press("*2", 0.15)
    await stage.wait(1.5)
    await leg.press("3001", 0.15)
    await stage.wait(4)
    leg.bye()
    await gives_up(caller, 7)
    stage.truth(caller, "answered", "op1", transferred_to=("svc1",))


@story("attended transfer by DTMF (*2) in vain: svc1 never answers, op1 has the caller back")
async def attended_dtmf_back(stage):
    stage.phone("svc1", rings_on())
    caller = stage.call("0207")
    leg = await answered(stage, caller)
    await leg.press("*2", 0.15)
    await stage.wait(1.5)
    await leg.press("3001", 0.15)
    await gives_up(caller, 15)
    stage.truth(caller, "answered", "op1")


@story("op1 has two outside callers and joins them with each other")
async def two_callers_joined(stage):
    stage.phone("op1", answers(1.5))
    one = stage.call("0206")
    await one.until_answered()
    first = stage.phones["op1"].legs[-1]
    await first.hold()
    two = stage.call("0206", f"{stage.number}9")
    await two.until_answered()
    second = stage.phones["op1"].legs[-1]
    await stage.wait(1)
    await second.refer("0622220001", first)
    await leave(first, second)
    await gives_up(one, 2)
    await leave(two)
    stage.truth(one, "answered", "op1")
    stage.truth(two, "answered", "op1")
