"""One call as a real Asterisk 22 tells it: the same events, headers and order, from a plan.

Pure: no clock, no randomness, no input or output. What only the whole switchboard knows (positions and counts in a
queue, device states, members' statistics) is filled in by ``simulators.ami.switchboard``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulators.ami.legs import RINGING, UP
from simulators.ami.queueing import QueueEnd, QueueRun
from simulators.ami.teller import Teller

if TYPE_CHECKING:
    from collections.abc import Iterator

    from simulators.ami.event import Event, Headers
    from simulators.ami.legs import Bridge, Leg
    from simulators.ami.plan import BlindTransfer, Plan

_NORMAL: Headers = (("Cause", "16"),)


def story(plan: Plan, *, starts_at: float, serials: Iterator[int]) -> list[tuple[float, Event]]:
    """Tell one planned call from its first channel to its last hang-up.

    Args:
        plan: what shall become of the call.
        starts_at: Unix seconds of its arrival, for uniqueids and for times that Asterisk counts in whole seconds.
        serials: the switchboard's channel numbers; stories of one switchboard share one iterator.

    Returns:
        Seconds since the arrival, and the event, in order.
    """
    teller = Teller(plan, starts_at, serials)
    teller.say("Newchannel", teller.caller.headers())
    for nth, visit in enumerate(plan.queues):
        call = f"{visit.queue},{visit.options},,,{visit.timeout_seconds}"
        if nth == 0:
            teller.run_application(teller.caller, "Queue", call)
        else:
            teller.next_priority("Queue", call)
        run = QueueRun(teller, visit)
        end = run.tell()
        if end is QueueEnd.ANSWERED:
            _talk(teller, run)
        if end is not QueueEnd.TIMED_OUT:
            return teller.told
        teller.next_priority("NoOp", f"QUEUESTATUS={end}")
    _nobody_came(teller)
    return teller.told


def _talk(teller: Teller, run: QueueRun) -> None:
    caller, operator = teller.caller, run.winner
    teller.change_state(caller, UP)
    bridge = teller.build_bridge(operator, caller)
    transfer = teller.plan.transfer
    if transfer is not None:
        _transfer(teller, run, bridge, transfer)
        return
    teller.wait_until(teller.now + teller.plan.talk_seconds)
    teller.say("HangupRequest", caller.headers())
    run.tell_completion("caller")
    teller.leave_bridge(bridge, caller)
    teller.say("SoftHangupRequest", caller.headers(), _NORMAL)
    teller.leave_bridge(bridge, operator)
    teller.hang_up(caller, 16)
    teller.hang_up(operator, 16)


def _transfer(teller: Teller, run: QueueRun, bridge: Bridge, transfer: BlindTransfer) -> None:
    """Send the caller on by REFER, and let the service's phone answer."""
    caller, operator = teller.caller, run.winner
    teller.wait_until(teller.now + transfer.after)
    teller.say("Unhold", operator.headers())
    _tell_transfer(teller, bridge, operator, transfer.extension)
    run.tell_completion("transfer")
    teller.leave_bridge(bridge, operator)
    application = teller.plan.queues[-1]
    caller.context, caller.exten, caller.priority = "from-internal", transfer.extension, 1
    # Asterisk still names the application that the channel has just left.
    data = f"{application.queue},{application.options},,,{application.timeout_seconds}"
    teller.run_application(caller, "Queue", data)
    teller.leave_bridge(bridge, caller)
    teller.hang_up(operator, 16)
    _talk_to_service(teller, _dial_service(teller, transfer))


def _tell_transfer(teller: Teller, bridge: Bridge, operator: Leg, extension: str) -> None:
    teller.say(
        "BlindTransfer",
        (("Result", "Success"),),
        operator.headers("Transferer"),
        teller.caller.headers("Transferee"),
        bridge.headers(),
        (("IsExternal", "Yes"), ("Context", "from-internal"), ("Extension", extension)),
    )


def _dial_service(teller: Teller, transfer: BlindTransfer) -> Leg:
    """Run ``Dial()`` of the service's phone until it answers."""
    caller, service = teller.caller, teller.new_phone(transfer.interface)
    service.exten = transfer.extension
    service.connect_to(caller)
    teller.run_application(service, "AppDial", "(Outgoing Line)")
    teller.say("NewConnectedLine", service.headers())
    teller.say("DialBegin", teller.about(service), (("DialString", service.number),))
    teller.connect_line(caller, service)
    teller.change_state(service, RINGING)
    teller.say("DialState", teller.about(service), (("DialStatus", "RINGING"),))
    teller.wait_until(teller.now + transfer.answers_after)
    teller.change_state(service, UP)
    service.exten = ""
    teller.dial_end(service, "ANSWER")
    return service


def _talk_to_service(teller: Teller, service: Leg) -> None:
    caller = teller.caller
    teller.run_application(service, "AppDial", "(Outgoing Line)")
    bridge = teller.build_bridge(service, caller)
    teller.wait_until(teller.now + teller.plan.talk_seconds)
    teller.say("HangupRequest", caller.headers(), _NORMAL)
    teller.leave_bridge(bridge, caller)
    teller.leave_bridge(bridge, service)
    teller.say("SoftHangupRequest", caller.headers(), _NORMAL)
    teller.hang_up(service, 16)
    teller.hang_up(caller, 16)


def _nobody_came(teller: Teller) -> None:
    """After the last queue: voicemail takes the call, or the dialplan ends it."""
    caller, voicemail = teller.caller, teller.plan.voicemail
    if voicemail is None:
        teller.next_priority("Hangup", "")
        teller.say("SoftHangupRequest", caller.headers(), _NORMAL)
        teller.hang_up(caller, 16)
        return
    teller.next_priority("VoiceMail", f"{voicemail.mailbox}@default,us")
    teller.change_state(caller, UP)
    teller.wait_until(teller.now + voicemail.seconds)
    teller.say("HangupRequest", caller.headers())
    teller.say("SoftHangupRequest", caller.headers(), _NORMAL)
    teller.hang_up(caller, 0)
