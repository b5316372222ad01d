"""Noting who could answer: each link is asked once a second, and what adds up goes to the ledger by the hour.

A change of an operator's state counts from the next second on; over an hour that evens out. Asking costs a twentieth
of a millisecond a service, and no event is missed that a subscription could miss.
"""

from __future__ import annotations

import asyncio
import logging
from itertools import count
from typing import TYPE_CHECKING, Final

from telemon.ami.link import wall_clock
from telemon.buckets import HOUR
from telemon.errors import LedgerError
from telemon.figures.attendance import AttendanceLog
from telemon.figures.places import sites_of
from telemon.ledger.reading_staffing import read_attendance
from telemon.operators import Presence

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Engine

    from telemon.ami.link import Link
    from telemon.config import Config
    from telemon.duty_records import Attendance
    from telemon.ledger.writer import LedgerWriter

log = logging.getLogger(__name__)

SAMPLE_SECONDS: Final = 1.0
STORE_SAMPLES: Final = 15
_ANSWERING: Final = frozenset({Presence.REACHABLE, Presence.RINGING, Presence.TALKING})


class Attending:
    """Keeps the attendance of all sites of a daemon."""

    def __init__(self, config: Config, engine: Engine, links: Sequence[Link], ledger: LedgerWriter) -> None:
        """Take up the present hour where the ledger stands, so that a restart within it loses nothing."""
        self._links = links
        self._ledger = ledger
        self._told: dict[str, frozenset[str]] = {}  # services that are being told of, by call site
        self._log = AttendanceLog(config.observer, self._begun(config, engine))

    async def run(self) -> None:
        """Ask the links one after the other, spread over each second, until cancelled."""
        pause = SAMPLE_SECONDS / max(1, len(self._links))
        for turn in count(1):
            for link in self._links:
                self.sample(link)
                await asyncio.sleep(pause)
            if turn % STORE_SAMPLES == 0:
                self._store()

    def close(self) -> None:
        """Note what holds now, for the last time."""
        for link in self._links:
            self.sample(link)
        self._store()

    def sample(self, link: Link) -> None:
        """Note who can answer at this link now."""
        observer = link.observer
        site = observer.tracker.site
        services = observer.tracker.numbering.services if link.connected and not observer.watch.is_blind else ()
        told = frozenset(service.name for service in services)
        if told != self._told.get(site, frozenset()):
            self._log.lose(link.now, site)
            self._told[site] = told
        for service in services:
            presences = list(observer.board.presences(service.queues, service.operators).values())
            present = sum(presence in _ANSWERING for presence in presences)
            self._log.tell(link.now, site, service.name, present, presences.count(Presence.TALKING))

    def _store(self) -> None:
        for row in self._log.take():
            self._ledger.put(row)

    @staticmethod
    def _begun(config: Config, engine: Engine) -> list[Attendance]:
        hour = wall_clock() // HOUR * HOUR
        try:
            rows = list(read_attendance(engine, tuple(sites_of(config)), hour - HOUR, hour + 2 * HOUR))
        except LedgerError as error:
            log.error("%s; the attendance of this hour begins anew", error)  # noqa: TRY400 - its text says all
            return []
        return [row for row in rows if row.observer == config.observer]
