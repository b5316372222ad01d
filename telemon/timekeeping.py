"""Whether a PBX's clock was set: its own stamps, held against a clock that nobody sets.

Asterisk stamps events with the time of day (main/manager.c ``append_event``). If an administrator or an NTP client
sets that clock, durations across the step mean nothing, and a step back makes some instants come twice. A late event
looks like neither: it is stamped after the one before it, and never ahead of the time that the promptest one implies.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final, NamedTuple

from telemon.instants import SECOND

if TYPE_CHECKING:
    from telemon.instants import Duration, Instant

STEP: Final[Duration] = SECOND // 2
"""Stamps of one Asterisk were seen to run back by less than 1 ms; a step shorter than this counts as drift."""

_NEVER: Final[Instant] = 1 << 62
_QUESTIONS: Final = 8
_QUESTIONS_NEEDED: Final = 3  # before the promptest of them is believed


class Step(NamedTuple):
    """The clock was set from ``before`` to ``after``."""

    before: Instant
    after: Instant


class Timekeeper:
    """Follow one PBX's clock.

    Args:
        tolerance: how far the clock may run back, or ahead of ours, before that counts as a step; None where its time
            is known to be another than ours (a simulation, a story told afterwards).
    """

    def __init__(self, tolerance: Duration | None = None) -> None:
        self.tolerance = tolerance
        self.latest: Instant | None = None
        # Our clock minus Asterisk's, of the promptest stamp between two questions: one question may itself be
        # answered late, and over a day the clocks drift.
        self._behind: deque[Duration] = deque(maxlen=_QUESTIONS)

    @property
    def behind(self) -> Duration | None:
        """Our clock minus Asterisk's, as far as the promptest stamp tells; None before any question was answered."""
        return min(self._behind, default=None)

    def believable(self, received_at: Instant) -> tuple[Instant, Instant]:
        """Return the least and the greatest stamp that is no step, of what comes at this steady instant."""
        if self.tolerance is None:
            return 0, _NEVER
        tolerance = max(self.tolerance, STEP)
        least = 0 if self.latest is None else self.latest - tolerance
        if len(self._behind) < _QUESTIONS_NEEDED:
            return least, _NEVER
        return least, received_at - min(self._behind) + tolerance

    def hear(self, clock: Instant, received_at: Instant) -> Step | None:
        """Take a stamp and the steady instant at which it came; return the step that it betrays, if any."""
        least, greatest = self.believable(received_at)
        latest = self.latest if self.latest is not None else clock
        if least <= clock <= greatest:
            self.latest = max(latest, clock)
            if self._behind:
                self._behind[-1] = min(self._behind[-1], received_at - clock)
            return None
        expected = latest if clock < least else max(latest, received_at - min(self._behind))
        self._behind.clear()
        self.latest = clock
        return Step(expected, clock)

    def renew(self, clock: Instant, received_at: Instant) -> None:
        """Take the answer to a question as a new measure of how far the clocks are apart."""
        self._behind.append(received_at - clock)

    def part(self) -> None:
        """Forget how far the clocks are apart: from now on another one than ours may be compared."""
        self._behind.clear()
