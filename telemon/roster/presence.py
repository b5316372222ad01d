"""Who is on duty: whom the roster names, less who signed out, and who signed in.

A sign-out lasts to the end of the shift during which it was given; the officer's next shift begins as the roster says,
even where it follows at once. Outside of a shift it only ends a sign-in.

A sign-in lasts until the officer signs out or, with a roster, until somebody else's next shift starts: he who comes in
relieves him, but a hole in the roster does not. A shift that was running when he signed in relieves him not: he came
beside it, or in its place. Whoever has a shift stays on duty by it in any case.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections import defaultdict
from operator import attrgetter
from typing import TYPE_CHECKING

from telemon.duty_records import PresenceAction

if TYPE_CHECKING:
    from collections.abc import Iterable

    from telemon.duty_records import PresenceChange
    from telemon.instants import Instant
    from telemon.roster.shifts import Roster

_AT = attrgetter("at")
_START = attrgetter("start")


class Presence:
    """The sign-ins and sign-outs of one site, in any order; one told twice counts once."""

    def __init__(self, changes: Iterable[PresenceChange] = ()) -> None:
        self._changes: defaultdict[str, list[PresenceChange]] = defaultdict(list)
        self._first_sign_in: Instant | None = None
        for change in changes:
            self.add(change)

    def add(self, change: PresenceChange) -> None:
        """Take one more; of one officer's at one instant the last one told counts, as in the ledger."""
        changes = self._changes[change.officer]
        position = bisect_right(changes, change.at, key=_AT)
        if position and changes[position - 1].at == change.at:
            changes[position - 1] = change
            signs_in = (one.at for given in self._changes.values() for one in given if _is_in(one))
            self._first_sign_in = min(signs_in, default=None)
            return
        insort(changes, change, key=_AT)
        if _is_in(change) and (self._first_sign_in is None or change.at < self._first_sign_in):
            self._first_sign_in = change.at

    def last(self, officer: str, at: Instant) -> PresenceChange | None:
        """Return what this officer said last, up to this instant."""
        changes = self._changes.get(officer, [])
        position = bisect_right(changes, at, key=_AT)
        return changes[position - 1] if position else None

    def on_duty(self, roster: Roster | None, at: Instant) -> frozenset[str] | None:
        """Return the ids of who is on duty; None if nobody can say: no roster, and nobody has ever signed in."""
        if roster is None and (self._first_sign_in is None or self._first_sign_in > at):
            return None
        present = set(() if roster is None else roster.on_duty(at))
        for officer in self._changes:
            if self._lasts(officer, roster, at):
                is_in = _is_in(self._said(officer, at))
                (present.add if is_in else present.discard)(officer)
        return frozenset(present)

    def next_change(self, roster: Roster | None, at: Instant) -> Instant | None:
        """Return the first instant after ``at`` at which others are on duty, as far as is known now; None for never."""
        present = self.on_duty(roster, at)
        later = self._next_step(roster, at)
        while later is not None and self.on_duty(roster, later) == present:
            later = self._next_step(roster, later)
        return later

    def _next_step(self, roster: Roster | None, at: Instant) -> Instant | None:
        """Return the next instant at which anything happens, though perhaps nothing changes."""
        steps = [] if roster is None else [roster.next_change(at)]
        for officer, changes in self._changes.items():
            position = bisect_right(changes, at, key=_AT)
            steps += [change.at for change in changes[position : position + 1]]
            if self._lasts(officer, roster, at):
                steps.append(_end(self._said(officer, at), roster))
        return min((step for step in steps if step is not None and step > at), default=None)

    def _said(self, officer: str, at: Instant) -> PresenceChange:
        said = self.last(officer, at)
        assert said is not None
        return said

    def _lasts(self, officer: str, roster: Roster | None, at: Instant) -> bool:
        """Whether what this officer said last still counts."""
        said = self.last(officer, at)
        if said is None:
            return False
        end = _end(said, roster)
        return end is None or at < end


def _is_in(change: PresenceChange) -> bool:
    return change.action is PresenceAction.SIGNED_IN


def _end(said: PresenceChange, roster: Roster | None) -> Instant | None:
    """Return when a sign-in or sign-out no longer counts; None while no end is in sight."""
    if roster is None:
        return None
    if said.at < roster.known_from:  # whoever relieved him since, the roster no longer tells
        return said.at
    if not _is_in(said):
        shift = roster.shift_of(said.officer, said.at)
        return said.at if shift is None else shift.end
    later = range(bisect_right(roster.shifts, said.at, key=_START), len(roster.shifts))
    starts = (roster.shifts[place].start for place in later if roster.shifts[place].officer != said.officer)
    return next(starts, None)
