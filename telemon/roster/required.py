"""When somebody must be on duty: whenever a permanence, and no switchboard in its stead, takes the calls."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from telemon.instants import SECOND

if TYPE_CHECKING:
    from telemon.instants import Instant
    from telemon.opening import OpeningHours

_IN_SIGHT: Final = 400 * 86_400 * SECOND  # as far as OpeningHours looks


@dataclass(frozen=True, slots=True)
class Charge:
    """A permanence's own hours (None: always), and those of the switchboards that answer for it while they are open."""

    hours: OpeningHours | None
    switchboards: tuple[OpeningHours | None, ...] = ()

    def holds(self, at: Instant) -> bool:
        """Whether the permanence is in charge at this instant."""
        own = self.hours is None or self.hours.is_open(at)
        return own and not any(hours is None or hours.is_open(at) for hours in self.switchboards)


@dataclass(frozen=True, slots=True)
class InCharge:
    """When any of these permanences is in charge; a ``telemon.roster.shifts.Required``."""

    charges: tuple[Charge, ...]

    def is_open(self, at: Instant) -> bool:
        """Whether somebody must be on duty."""
        return any(charge.holds(at) for charge in self.charges)

    def next_change(self, at: Instant) -> Instant | None:
        """Return the first instant after ``at`` at which that changes; None if there is none in sight."""
        now = self.is_open(at)
        clocks = [hours for charge in self.charges for hours in (charge.hours, *charge.switchboards) if hours]
        change: Instant | None = at
        while change is not None and change < at + _IN_SIGHT:
            changes = [clock.next_change(change) for clock in clocks]
            change = min((each for each in changes if each is not None), default=None)
            if change is not None and self.is_open(change) != now:
                return change
        return None
