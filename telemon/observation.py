"""When telemon was watching a PBX, and when it was not.

From the first complete snapshot after a login to the fall of the link is ``seen``; everything else is a ``gap`` with
its cause. The intervals follow each other without a hole, so that their lengths add up to the time there was.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from telemon.instants import Duration, Instant


class Sight(StrEnum):
    """Whether calls could be seen."""

    SEEN = "seen"
    GAP = "gap"


class GapCause(StrEnum):
    """Why nothing was seen."""

    TELEMON_STOPPED = "telemon_stopped"
    LINK_CUT = "link_cut"
    LINK_REFUSED = "link_refused"
    PBX_DOWN = "pbx_down"
    PBX_FROZEN = "pbx_frozen"
    EVENTS_DROPPED = "events_dropped"
    CLOCK_STEPPED = "clock_stepped"


_BY_RESTART: Final = frozenset({GapCause.LINK_CUT, GapCause.PBX_FROZEN})  # how a PBX that ends looks from outside


@dataclass(frozen=True, slots=True)
class Interval:
    """One stretch of seeing or of blindness on one PBX; ``ended_at`` is None while it lasts.

    ``observer`` names whose sight it is, where two daemons watch one PBX.
    """

    pbx: str
    started_at: Instant
    ended_at: Instant | None
    sight: Sight
    cause: GapCause | None = None
    observer: str = ""


class Watch:
    """The intervals of one PBX, as they come."""

    def __init__(self, pbx: str, observer: str = "") -> None:
        self.pbx = pbx
        self.observer = observer
        self.current: Interval | None = None
        self.gap_durations: dict[GapCause, Duration] = dict.fromkeys(GapCause, 0)  # of all gaps that are over
        self._changed: list[Interval] = []

    def see(self, at: Instant) -> None:
        """From now on everything is seen."""
        self._begin(Interval(self.pbx, at, None, Sight.SEEN, None, self.observer))

    def lose(self, at: Instant, cause: GapCause) -> None:
        """From now on nothing is seen; a cause learnt later than the gap began does not begin another."""
        if self.current is None or self.current.sight is Sight.SEEN:
            self._begin(Interval(self.pbx, at, None, Sight.GAP, cause, self.observer))

    def learn_of_restart(self, at: Instant) -> None:
        """The PBX started at this instant: if that was in the present gap, the link did not fall by itself."""
        current = self.current
        if current is not None and current.cause in _BY_RESTART and at > current.started_at:
            self.current = replace(current, cause=GapCause.PBX_DOWN)
            self._changed.append(self.current)

    @property
    def is_blind(self) -> bool:
        """Whether nothing is seen now."""
        return self.current is None or self.current.sight is Sight.GAP

    def blind_durations(self, now: Instant) -> dict[GapCause, Duration]:
        """How long nothing was seen so far, by cause, the present gap included."""
        durations, current = dict(self.gap_durations), self.current
        if current is not None and current.cause is not None:
            durations[current.cause] += max(0, now - current.started_at)
        return durations

    def take_changed(self) -> list[Interval]:
        """Return the intervals that began or ended since the last call."""
        changed, self._changed = self._changed, []
        return changed

    def _begin(self, following: Interval) -> None:
        previous = self.current
        if previous is not None:
            if previous.sight is following.sight:
                return
            at = max(previous.started_at, following.started_at)
            following = replace(following, started_at=at)
            self._changed.append(replace(previous, ended_at=at))
            if previous.cause is not None:
                self.gap_durations[previous.cause] += at - previous.started_at
        self.current = following
        self._changed.append(following)
