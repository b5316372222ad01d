"""How many operators could answer, hour by hour in UTC: time summed up exactly between the changes that are told."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from telemon.buckets import HOUR
from telemon.duty_records import Attendance

if TYPE_CHECKING:
    from collections.abc import Iterable

    from telemon.instants import Instant

_Key = tuple[str, str]  # site and service


class _State(NamedTuple):
    """What holds since then."""

    since: Instant
    present: int
    talking: int


class AttendanceLog:
    """Sums up what one observer tells of each service of each site.

    Args:
        observer: the name of this daemon, as in ``Attendance``.
        begun: rows of the present hour, which a restart goes on with.
    """

    def __init__(self, observer: str = "", begun: Iterable[Attendance] = ()) -> None:
        self._observer = observer
        self._states: dict[_Key, _State] = {}
        self._rows: dict[tuple[str, str, Instant], Attendance] = {
            (row.site, row.service, row.hour): row for row in begun
        }
        self._changed: set[tuple[str, str, Instant]] = set()

    def tell(self, at: Instant, site: str, service: str, present: int, talking: int) -> None:
        """From now on so many operators can answer or are in a call, of whom so many are in a call.

        A time that was told of already (a clock set back) counts once.
        """
        key = (site, service)
        state = self._states.get(key)
        if state is not None:
            self._add(key, state, at)
            at = max(at, state.since)
        self._states[key] = _State(at, present, talking)

    def lose(self, at: Instant, site: str) -> None:
        """Nothing is known of this site from now on."""
        for key in [key for key in self._states if key[0] == site]:
            self._add(key, self._states.pop(key), at)

    def take(self) -> list[Attendance]:
        """Return every hour that grew since the last time, as far as it was told; past ones are then forgotten."""
        rows = [self._rows[key] for key in sorted(self._changed)]
        self._changed.clear()
        latest: dict[_Key, Instant] = {}
        for site, service, hour in self._rows:
            latest[site, service] = max(hour, latest.get((site, service), hour))
        self._rows = {key: row for key, row in self._rows.items() if row.hour == latest[key[:2]]}
        return rows

    def _add(self, key: _Key, state: _State, end: Instant) -> None:
        begin = state.since
        while begin < end:
            hour = begin // HOUR * HOUR
            finish = min(end, hour + HOUR)
            length = finish - begin
            place = (*key, hour)
            row = self._rows.get(place) or Attendance(
                site=key[0], service=key[1], observer=self._observer, hour=hour, seen=0, present=0, talking=0
            )
            self._rows[place] = replace(
                row,
                seen=row.seen + length,
                present=row.present + length * state.present,
                talking=row.talking + length * state.talking,
            )
            self._changed.add(place)
            begin = finish
