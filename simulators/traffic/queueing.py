"""Callers who wait in a queue, as Asterisk's ``app_queue`` lets them wait.

Followed here (apps/app_queue.c): a caller has its turn when fewer callers ahead wait than phones are free
(``is_our_turn`` with autofill), and looks again every second (``RECHECK``); ``rrmemory`` goes on behind the phone rung
last; a phone that refuses hands over to the next within the same ``timeout``, and if there is none, as after
``timeout``, the queue pauses for ``retry``; a phone that is engaged, paused or in wrap-up is not rung (``ringinuse``).
Asterisk counts the timeout of ``Queue()`` in whole seconds of the clock; here it is exact.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from simulators.traffic.bells import Desk, Ring, start, stop_all
from telemon.records import AttemptResult

if TYPE_CHECKING:
    from collections.abc import Callable

    from simulators.site import Line
    from simulators.traffic.agenda import Agenda
    from simulators.traffic.callers import LiveCall

_LOOK_AGAIN: Final = 1.0  # seconds; RECHECK


class Queue:
    """One queue: its phones, and those who wait, in the order in which they came."""

    def __init__(self, name: str, line: Line, desks: tuple[Desk, ...], *, rings_all: bool) -> None:
        self.name = name
        self.line = line
        self.rings_all = rings_all
        self.visits: list[Visit] = []
        self._desks = desks
        self._next = 0  # whom rrmemory asks first

    def free(self, now: float) -> list[Desk]:
        """Return the phones that may be rung, in the order in which rrmemory asks them."""
        return [desk for desk in self._desks[self._next :] + self._desks[: self._next] if desk.is_free(now)]

    def remember(self, desk: Desk) -> None:
        """Go on behind this phone next time."""
        self._next = (self._desks.index(desk) + 1) % len(self._desks)

    def is_turn_of(self, visit: Visit, free: int) -> bool:
        """Whether the phones that are free suffice for those ahead who wait, and this one."""
        ahead = 0
        for other in self.visits:
            if ahead >= free:
                return False
            if other is visit:
                return True
            ahead += not other.ringing
        return False


class Visit:
    """One caller's stay in a queue; ``answered`` and ``timed_out`` say how it ends, unless the caller leaves."""

    def __init__(
        self,
        queue: Queue,
        call: LiveCall,
        agenda: Agenda,
        *,
        answered: Callable[[LiveCall, Ring, float], None],
        timed_out: Callable[[LiveCall, float], None],
    ) -> None:
        self.ringing = False
        self._queue = queue
        self._call = call
        self._agenda = agenda
        self._answered = answered
        self._timed_out = timed_out
        self._expires = 0.0
        self._deadline = 0.0
        self._asked: set[str] = set()

    def begin(self, now: float) -> None:
        """Enter the queue."""
        self._expires = now + self._queue.line.queue_seconds
        self._queue.visits.append(self)
        self._call.queues.append(self._queue.name)
        self._look(now)

    def leave(self) -> None:
        """Leave the queue, whatever for."""
        self._queue.visits.remove(self)

    def _look(self, now: float) -> None:
        """See whether it is this caller's turn."""
        if now >= self._expires:
            self.leave()
            self._timed_out(self._call, now)
            return
        free = self._queue.free(now)
        if not free or not self._queue.is_turn_of(self, len(free)):
            self._look_in(_LOOK_AGAIN, now)
            return
        self.ringing = True
        self._asked.clear()
        self._deadline = min(now + self._queue.line.ring_seconds, self._expires)
        self._call.plan_next(self._agenda.at(self._deadline, self._rang_out))
        for desk in free if self._queue.rings_all else free[:1]:
            self._ring(desk, now)

    def _look_in(self, seconds: float, now: float) -> None:
        self.ringing = False
        self._call.plan_next(self._agenda.at(min(now + seconds, self._expires), self._look))

    def _ring(self, desk: Desk, now: float) -> None:
        ring = Ring(desk, self._queue.name, now)
        self._call.rings.append(ring)
        self._asked.add(desk.name)
        self._queue.remember(desk)
        behaviour = self._call.intent.phones.get(desk.name)
        start(self._agenda, ring, behaviour, deadline=self._deadline, answered=self._picked_up, refused=self._refused)

    def _picked_up(self, ring: Ring, now: float) -> None:
        self.leave()
        self._answered(self._call, ring, now)

    def _refused(self, ring: Ring, now: float) -> None:
        ring.end(now, AttemptResult.BUSY)
        others = [desk for desk in self._queue.free(now) if desk.name not in self._asked]
        if others and not self._queue.rings_all:
            self._ring(others[0], now)
        elif all(ring.result is not None for ring in self._call.rings):
            self._look_in(self._queue.line.retry_seconds, now)

    def _rang_out(self, now: float) -> None:
        stop_all(self._call.rings, now, AttemptResult.NO_ANSWER)
        if now >= self._expires:
            self._look(now)  # its place in the queue is free in this very instant
        else:
            self._look_in(self._queue.line.retry_seconds, now)
