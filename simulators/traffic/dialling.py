"""A bare ``Dial()``: every phone at once, until one answers, all have refused, or the time is over."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from simulators.plan import Answers, Rejects
from simulators.traffic.bells import Desk, Ring, start, stop_all
from telemon.records import AttemptResult

if TYPE_CHECKING:
    from collections.abc import Callable

    from simulators.traffic.agenda import Agenda
    from simulators.traffic.callers import LiveCall

ACCEPTS_AFTER_SECONDS: Final = 2.5  # from picking up to pressing 1
NOT_ACCEPTED_AFTER_SECONDS: Final = 17.2  # from picking up until "followme/options" has been asked twice
_ENGAGED: Final = Rejects(after=0.0)


class Dial:
    """One ``Dial()`` for one caller; a phone that cannot be rung refuses at once, as a phone in use does (486)."""

    def __init__(
        self,
        call: LiveCall,
        agenda: Agenda,
        *,
        answered: Callable[[LiveCall, Ring, float], None],
        failed: Callable[[LiveCall, float], None],
        question_asked: Callable[[LiveCall, float], None],
    ) -> None:
        self._call = call
        self._agenda = agenda
        self._answered = answered
        self._failed = failed
        self._question_asked = question_asked

    def begin(self, desks: tuple[Desk, ...], now: float, seconds: float) -> None:
        """Ring these phones for so long."""
        phones = self._call.intent.phones
        for desk in desks:
            ring = Ring(desk, "", now)
            self._call.rings.append(ring)
            if desk.can_ring:
                start(
                    self._agenda,
                    ring,
                    phones.get(desk.name),
                    deadline=now + seconds,
                    answered=self._picked_up,
                    refused=self._refused,
                )
            else:
                phones[desk.name] = _ENGAGED
                ring.result = AttemptResult.BUSY
        self._call.plan_next(self._agenda.at(now + seconds, self._rang_out))
        self._give_up_if_all_refused(now)

    def _refused(self, ring: Ring, now: float) -> None:
        ring.end(now, AttemptResult.BUSY)
        self._give_up_if_all_refused(now)

    def _give_up_if_all_refused(self, now: float) -> None:
        if all(ring.result is not None for ring in self._call.rings):
            self._fail(now)

    def _rang_out(self, now: float) -> None:
        stop_all(self._call.rings, now, AttemptResult.NO_ANSWER)
        self._fail(now)

    def _fail(self, now: float) -> None:
        self._call.plan_next(None)
        self._failed(self._call, now)

    def _picked_up(self, ring: Ring, now: float) -> None:
        behaviour = self._call.intent.phones[ring.desk.name]
        accepts = behaviour.accepts if isinstance(behaviour, Answers) else None
        if accepts is None:
            self._answered(self._call, ring, now)
            return
        decided = now + (ACCEPTS_AFTER_SECONDS if accepts else NOT_ACCEPTED_AFTER_SECONDS)
        self._question_asked(self._call, decided)
        decide = partial(self._accepted if accepts else self._not_accepted, ring, now)
        self._call.plan_next(self._agenda.at(decided, decide))

    def _accepted(self, ring: Ring, _picked_up: float, now: float) -> None:
        self._answered(self._call, ring, now)

    def _not_accepted(self, ring: Ring, picked_up: float, now: float) -> None:
        ring.end(now, AttemptResult.NOT_ACCEPTED)
        self._call.machine_at = picked_up
        self._fail(now)
