"""Calls out by the operators that were answered, heard among all others on one PBX.

In AMI's events (Asterisk 16.28 and 22.10, recorded) such a call is a ``Newchannel`` of the phone (state Ring, in no
inbound context), then ``DialBegin`` from it to a leg on a trunk, whose ``DialString`` holds the number, then
``DialEnd`` of that leg with ``ANSWER``. A call that the manager or an application places (click to call) has a
``DialBegin`` without a source. What a caller's own call rings (a forwarding to a mobile) is none, nor is a test call.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from telemon.ami import events as ami
from telemon.callbacks.numbers import number_in
from telemon.records import Flag

if TYPE_CHECKING:
    from telemon.instants import Instant
    from telemon.legs import Leg
    from telemon.tracker import Tracker

HEARD: Final = frozenset({ami.DialBegin, ami.DialEnd, ami.Hangup})
_MOST: Final = 1000  # kept until somebody asks; legs rung, before those gone unseen are looked for
_ANSWER: Final = "ANSWER"


class Reached(NamedTuple):
    """Somebody was talked to on a number that an operator had dialled; comes at the answer and again at the end."""

    at: Instant
    number: str


class _Rung(NamedTuple):
    number: str
    has_source: bool
    answered: bool = False


class CallsOut:
    """Collects in ``reached`` whom the operators of one PBX got hold of; to be told ``HEARD`` after the tracker was.

    It is no part of a checkpoint, for it holds numbers in clear: a call out that is ringing while telemon restarts is
    not noticed.
    """

    def __init__(self, tracker: Tracker) -> None:
        self.reached: deque[Reached] = deque(maxlen=_MOST)
        self._tracker = tracker
        self._rung: dict[str, _Rung] = {}  # by the uniqueid of the leg dialled

    def hear(self, event: Any) -> None:
        """Take one event."""
        kind = type(event)
        if kind is ami.DialBegin:
            self._begin(event)
        elif kind is ami.DialEnd:
            self._end(event)
        else:
            rung = self._rung.pop(event.uniqueid, None)
            if rung is not None and rung.answered:
                self.reached.append(Reached(event.at, rung.number))

    def take(self) -> list[Reached]:
        """Return what was collected, once; from any thread that is the only one to do so."""
        return [self.reached.popleft() for _ in range(len(self.reached))]

    def _begin(self, event: ami.DialBegin) -> None:
        number = number_in(event.dial_string)
        leg = self._tracker.switch.legs.get(event.dest_uniqueid)
        if not number or leg is None or leg.is_local:
            return
        if len(self._rung) >= _MOST:
            legs = self._tracker.switch.legs
            self._rung = {uniqueid: rung for uniqueid, rung in self._rung.items() if uniqueid in legs}
        self._rung[event.dest_uniqueid] = _Rung(number, bool(event.uniqueid))

    def _end(self, event: ami.DialEnd) -> None:
        rung = self._rung.get(event.dest_uniqueid)
        if rung is None or rung.answered:
            return
        leg = self._tracker.switch.legs.get(event.dest_uniqueid)
        if event.status == _ANSWER and leg is not None and self._is_own(leg, rung):
            self._rung[event.dest_uniqueid] = rung._replace(answered=True)
            self.reached.append(Reached(event.at, rung.number))

    def _is_own(self, leg: Leg, rung: _Rung) -> bool:
        """Whether the chain of dials begins with a phone of the house, or with nobody."""
        call = self._tracker.switch.call_rung_by(leg)
        if call is not None:
            return Flag.INTERNAL in call.flags and call.service is None and not call.is_probe
        first = self._first_of(leg)
        if first is leg:
            return not rung.has_source  # else whoever dials was never seen
        return not self._tracker.numbering.is_inbound(first.context)

    def _first_of(self, leg: Leg) -> Leg:
        switch, seen = self._tracker.switch, {leg.uniqueid}
        while True:
            dialler = switch.legs.get(leg.dialled_by or "")
            if dialler is None and leg.is_local:
                dialler = switch.other_half(leg)
            if dialler is None or dialler.uniqueid in seen:
                return leg
            leg = dialler
            seen.add(leg.uniqueid)
