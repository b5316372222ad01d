"""What happens next: simulated time, in order, without a clock."""

from __future__ import annotations

import heapq
import itertools
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Alarm:
    """Something that will happen unless it is called off."""

    __slots__ = ("what",)

    def __init__(self, what: Callable[[float], None]) -> None:
        self.what: Callable[[float], None] | None = what

    def call_off(self) -> None:
        """Let it not happen."""
        self.what = None


class Agenda:
    """Alarms in order of time; those of the same instant in the order in which they were set."""

    def __init__(self) -> None:
        self._alarms: list[tuple[float, int, Alarm]] = []
        self._serials = itertools.count()

    def at(self, moment: float, what: Callable[[float], None]) -> Alarm:
        """Call ``what(moment)`` when it is time."""
        alarm = Alarm(what)
        heapq.heappush(self._alarms, (moment, next(self._serials), alarm))
        return alarm

    def step(self) -> bool:
        """Let the next thing happen; False if there is none."""
        while self._alarms:
            moment, _, alarm = heapq.heappop(self._alarms)
            if alarm.what is not None:
                alarm.what(moment)
                return True
        return False
