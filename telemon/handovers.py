"""What operators do with a caller they have: hold, transfer, park."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from telemon.ami import events as ami
from telemon.legs import interface_of
from telemon.records import Flag, TransferKind

if TYPE_CHECKING:
    from collections.abc import Callable

    from telemon.calls import Call
    from telemon.legs import Leg, Switch
    from telemon.services import Numbering

_SUCCESS = "Success"


class Desk:
    """Turn hold, transfer, pickup and parking events into facts about the calls they concern."""

    def __init__(self, switch: Switch, calls: dict[str, Call], numbering: Numbering) -> None:
        self._switch = switch
        self._calls = calls
        self.numbering = numbering

    @property
    def handlers(self) -> dict[type, Callable[[Any], None]]:
        """What to do with each event that tells of a handover or a hold."""
        return {
            ami.Hold: self._hold,
            ami.Unhold: self._unhold,
            ami.BlindTransfer: self._blind_transfer,
            ami.AttendedTransfer: self._attended_transfer,
            ami.Pickup: self._pickup,
            ami.Parked: self._parked,
            ami.Unparked: self._unparked,
            ami.ParkTimeout: self._park_timeout,
        }

    def operators_among(self, joined: list[Leg], caller: Leg) -> list[Leg]:
        """Return those of the joined legs that are a human's, and not this caller's or another's."""
        return [leg for leg in joined if leg is not caller and self._is_operator(leg)]

    def _is_operator(self, leg: Leg) -> bool:
        if leg.is_local or leg.left_cause is not None or self.numbering.is_machine(leg.interface):
            return False
        return leg.call is None or not leg.call.is_outside

    def callers_with(self, leg: Leg) -> list[Call]:
        """Return the calls whose callers hear this leg or, failing that, the one it was rung for."""
        heard = [other.call for other in self._switch.joined(leg) if other.call is not None and other is not leg]
        if heard:
            return heard
        call = self._switch.call_rung_by(leg)
        return [] if call is None or call.leg is leg else [call]

    def _call_of(self, *uniqueids: str) -> Call | None:
        """Return the call that one of these legs is the caller of, or speaks with; one from outside first."""
        legs = [leg for uniqueid in uniqueids if (leg := self._switch.legs.get(uniqueid)) is not None]
        named = [leg.call for leg in legs if leg.call is not None]
        spoken = [call for leg in legs for call in self.callers_with(leg)]
        candidates = [call for call in (*named, *spoken) if call.service is not None]
        return next((call for call in candidates if call.is_outside), next(iter(candidates), None))

    def _hold(self, event: ami.Hold) -> None:
        leg = self._switch.legs.get(event.uniqueid)
        if leg is not None:
            for call in self.callers_with(leg):
                call.hold(leg.uniqueid, event.at)

    def _unhold(self, event: ami.Unhold) -> None:
        leg = self._switch.legs.get(event.uniqueid)
        if leg is not None:
            for call in self.callers_with(leg):
                call.resume(event.at, leg.uniqueid)

    def _blind_transfer(self, event: ami.BlindTransfer) -> None:
        transferer = self._calls.get(event.transferer)
        if event.result != _SUCCESS or (transferer is not None and transferer.is_outside):
            return  # given the caller's own channel, Asterisk transfers the operator and hangs the caller up
        call = self._call_of(event.transferee, event.transferer)
        if call is not None:
            call.hand_on(TransferKind.BLIND, event.exten, event.at)

    def _attended_transfer(self, event: ami.AttendedTransfer) -> None:
        transferers = (event.orig_transferer, event.second_transferer)
        call = self._call_of(event.transferee, event.target, *transferers)
        if event.result != _SUCCESS or call is None:
            return
        consulted = self._consulted_by(event.second_transferer)
        for uniqueid in transferers:
            self._absorb(uniqueid)
        heard = self.operators_among(self._switch.joined(call.leg), call.leg)
        taken_by = next((leg for leg in heard if leg.uniqueid not in transferers), None)
        kind = TransferKind.ATTENDED if event.second_bridge else TransferKind.SEMI_ATTENDED
        call.hand_on(kind, consulted, event.at, taken_by=taken_by)

    def _consulted_by(self, uniqueid: str) -> str:
        """Return the phone that an operator's second line rang last."""
        call = self._calls.get(uniqueid)
        return call.attempts[-1].operator if call is not None and call.attempts else ""

    def _absorb(self, uniqueid: str) -> None:
        """Forget an operator's consultation of a queue: it became part of the caller's one call."""
        call = self._calls.get(uniqueid)
        if call is not None and Flag.INTERNAL in call.flags:
            call.service = None

    def _pickup(self, event: ami.Pickup) -> None:
        leg = self._switch.legs.get(event.target)
        if leg is not None and leg.attempt is not None:
            leg.attempt.picked_up = True

    def _parked(self, event: ami.Parked) -> None:
        call = self._call_of(event.parkee)
        if call is not None:
            call.park(event.at)

    def _unparked(self, event: ami.Unparked) -> None:
        call = self._call_of(event.parkee)
        if call is not None:
            call.unpark(interface_of(event.retriever_channel), event.at)

    def _park_timeout(self, event: ami.ParkTimeout) -> None:
        call = self._call_of(event.parkee)
        if call is not None:
            call.park_timeout(event.at)
