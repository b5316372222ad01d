"""The truth of a call, from what its caller and the phones saw; the plan has a say only where SIP says nothing.

Which outcome it is follows the table of DESIGN chapter 2.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from simulators.plan import Answers
from simulators.truth import CallTruth
from telemon.errors import TelemonError
from telemon.instants import SECOND
from telemon.records import EndedBy, Outcome
from telemon.texts import text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from simulators.plan import PlannedCall
    from simulators.sip.dialogs import Dialog
    from telemon.instants import Duration, Instant

SHORT_ABANDON: Final[Duration] = 5 * SECOND  # default of a site's configuration
# The phone's 200 and the caller's, which follows from it: each is stamped by another process, sometimes out of order.
_TOGETHER: Final[Duration] = SECOND // 4
_BUSY_CODES: Final = frozenset({486, 600, 503})  # busy here, busy everywhere; Asterisk's answer to Congestion()
_BUSY_HERE: Final = 486


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """All that was seen of one planned call: the caller's dialog, and the phones' in order of their INVITEs.

    ``legs`` is None where the phones are real: then the caller's own 200 passes for an operator's answer. ``greeting``
    is how long the service speaks before it rings, where it does and that is known.
    """

    plan: PlannedCall
    caller: Dialog
    legs: tuple[Dialog, ...] | None
    greeting: Duration | None = None

    @property
    def ended_at(self) -> Instant:
        """When the caller's call was over; TelemonError if that was not seen."""
        if self.caller.ended_at is None:
            raise TelemonError(text()("sim_sip.cut_log", name=self.plan.name))
        return self.caller.ended_at

    @property
    def takers(self) -> list[tuple[Instant, Dialog]]:
        """When somebody took the call on a phone, in order; a mobile that must press 1 takes it by that key."""
        taken = [(self._taken_at(leg), leg) for leg in self.legs or ()]
        return sorted(((at, leg) for at, leg in taken if at is not None), key=lambda pair: pair[0])

    @property
    def joined(self) -> tuple[Instant, Dialog | None] | None:
        """When the caller was joined to an operator: at the later of the caller's own 200 and the phone's."""
        heard = self.caller.answered_at
        if heard is None:
            return None
        if self.legs is None:
            return heard, None
        for at, leg in self.takers[:1]:
            if max(at, heard) < self.ended_at:
                return max(at, heard), leg
        return None

    @property
    def machine_at(self) -> Instant | None:
        """When something that is no operator took the caller's call: a greeting, an announcement, voicemail."""
        heard = self.caller.answered_at
        if heard is None or self.legs is None:
            return None
        is_operator = self.joined is not None and self.takers[0][0] <= heard + _TOGETHER
        return None if is_operator else heard

    @property
    def alerting_at(self) -> Instant | None:
        """The caller's first 180, else the first phone's; after a greeting, its end.

        What is heard after a greeting is in no SIP message. It ends when the first phone is called, or, with nobody
        free to be called, after as long as for other callers.
        """
        heard, machine = self.caller.ringing_at, self.machine_at
        if heard is not None and (machine is None or heard <= machine):
            return heard
        if machine is None:
            return min((leg.ringing_at for leg in self.legs or () if leg.ringing_at is not None), default=None)
        first = min((leg.invite_at for leg in self.legs or ()), default=None)
        if self.greeting is None or machine + self.greeting > self.ended_at:
            return first
        return min(machine + self.greeting, first or self.ended_at)

    @property
    def transferred_to(self) -> tuple[str, ...]:
        """The interfaces that answered after a transfer, in order."""
        referred = [leg.referred_at for leg in self.legs or () if leg.referred_at is not None]
        return tuple(_interface(leg) for _, leg in self.takers if referred and leg.invite_at >= min(referred))

    def leg(self, phone: str) -> Dialog:
        """Return the only leg to this phone; TelemonError if there is none or more than one."""
        legs = [leg for leg in self.legs or () if leg.party == phone]
        if len(legs) != 1:
            raise TelemonError(text()("sim_sip.legs", name=self.plan.name, count=len(legs), phone=phone))
        return legs[0]

    def _taken_at(self, leg: Dialog) -> Instant | None:
        behaviour = self.plan.phones.get(leg.party)
        if isinstance(behaviour, Answers) and behaviour.accepts is not None:
            return leg.pressed_at
        return leg.answered_at


def gather(plan: PlannedCall, caller: Dialog, legs: Iterable[Dialog] | None) -> Seen:
    """Bring together what was seen of one call; ``legs`` None if the phones are not ours."""
    ordered = None if legs is None else tuple(sorted(legs, key=lambda leg: leg.invite_at))
    return Seen(plan=plan, caller=caller, legs=ordered)


def time_greetings(seen: Iterable[Seen], services: Iterable[str]) -> list[Seen]:
    """Add to each call of a service that greets how long its greeting is: the shortest from the 200 to a phone.

    Where no call of a service ever found a phone free, it stays unknown.
    """
    calls = tuple(seen)
    lasted: dict[str, list[Duration]] = {service: [] for service in services}
    for call in calls:
        if call.plan.service in lasted and call.machine_at is not None and call.legs:
            lasted[call.plan.service].append(call.legs[0].invite_at - call.machine_at)
    known = {service: min(durations) for service, durations in lasted.items() if durations}
    return [replace(call, greeting=known.get(call.plan.service)) for call in calls]


def truth_of(seen: Seen) -> CallTruth:
    """Say what became of one call; TelemonError if the caller's log ends in the middle of it."""
    joined, outcome, legs = seen.joined, _outcome(seen), seen.legs or ()
    answered_at = joined[0] if joined else None
    ended = seen.machine_at if outcome is Outcome.DIVERTED else None
    return CallTruth(
        name=seen.plan.name,
        service=seen.plan.service,
        ddi=seen.plan.ddi,
        caller=seen.plan.caller,
        outcome=outcome,
        arrived_at=seen.caller.invite_at,
        alerting_at=seen.alerting_at,
        answered_at=answered_at,
        ended_at=seen.ended_at,
        ended_by=EndedBy.CALLER if seen.caller.hung_up else EndedBy.SWITCHBOARD,
        answered_by=_interface(joined[1]) if joined and joined[1] else None,
        machine_answered=seen.machine_at is not None or _is_unaccepted(seen, legs),
        wait_ended_at=answered_at or ended or seen.ended_at,
        rung=tuple(_interface(leg) for leg in legs),
        transferred_to=seen.transferred_to if joined else (),
    )


def _outcome(seen: Seen) -> Outcome:
    if seen.joined:
        return Outcome.ANSWERED
    alerting, machine = seen.alerting_at, seen.machine_at
    is_diverted = alerting is not None and machine is not None and machine >= alerting
    if seen.caller.hung_up:
        return _left_by_caller(seen, is_diverted=is_diverted)
    codes = [leg.final_code for leg in seen.legs or ()]
    if codes and all(code == _BUSY_HERE for code in codes):
        return Outcome.BUSY
    if alerting is not None:
        return Outcome.DIVERTED if is_diverted else Outcome.UNANSWERED
    if seen.caller.final_code in _BUSY_CODES:
        return Outcome.BUSY
    is_closed = seen.plan.expected is not None and seen.plan.expected.outcome is Outcome.CLOSED
    return Outcome.CLOSED if is_closed else Outcome.FAILED


def _left_by_caller(seen: Seen, *, is_diverted: bool) -> Outcome:
    if seen.alerting_at is None:
        return Outcome.IVR_ONLY
    if is_diverted:
        return Outcome.DIVERTED
    return Outcome.SHORT_ABANDONED if seen.ended_at - seen.alerting_at < SHORT_ABANDON else Outcome.ABANDONED


def _is_unaccepted(seen: Seen, legs: Sequence[Dialog]) -> bool:
    """Whether a mobile picked up and never pressed the key; while it is still being asked, nothing is decided."""
    taken = {id(leg) for _, leg in seen.takers}
    picked_up = [leg for leg in legs if leg.answered_at is not None and id(leg) not in taken]
    return any(leg.ended_at is not None and leg.ended_at <= seen.ended_at + _TOGETHER for leg in picked_up)


def _interface(leg: Dialog) -> str:
    return f"PJSIP/{leg.party}"
