"""The simulated Asterisk's clock: the real one, one that runs faster, or one that waits for nobody."""

from __future__ import annotations

import time


class Clock:
    """Tells the time in Unix seconds, and how long to wait for an instant.

    Its speed 1 is real time, 60 makes an hour pass in a minute; with ``None`` no time passes by itself: each instant
    that is waited for has come at once.
    """

    def __init__(self, starts_at: float | None = None, speed: float | None = 1.0) -> None:
        """Start the clock.

        Args:
            starts_at: Unix seconds that it shows first; the real time by default.
            speed: how much faster than real time it runs, None for as fast as possible.
        """
        self.speed = speed
        self._zero = time.time() if starts_at is None else starts_at
        self._started = time.monotonic()
        self._passed = 0.0
        self._stepped = 0.0

    @property
    def true_now(self) -> float:
        """The time that really is, in the simulated world."""
        if self.speed is None:
            return self._zero + self._passed
        return self._zero + (time.monotonic() - self._started) * self.speed

    def now(self) -> float:
        """The time that the server believes it is, and stamps its events with."""
        return self.true_now + self._stepped

    def shown(self, instant: float) -> float:
        """What this clock showed, or shows, at a true instant."""
        return instant + self._stepped

    def wait_for(self, instant: float) -> float:
        """Return how many real seconds to sleep until a true instant; without a speed, be there at once."""
        if self.speed is None:
            self._passed = max(self._passed, instant - self._zero)
            return 0.0
        return max(0.0, (instant - self.true_now) / self.speed)

    def step(self, seconds: float) -> None:
        """Put the clock forward or back, as an administrator or a time server does; what is to come is not moved."""
        self._stepped += seconds
