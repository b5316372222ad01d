"""Test calls as the daemon has them: those it places itself, and those that somebody places by hand."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from typing import TYPE_CHECKING, Final

from telemon.ami.link import wall_clock
from telemon.errors import LedgerError
from telemon.instants import SECOND, from_seconds
from telemon.ledger.reading_probes import read_latest, read_probes, read_unfinished
from telemon.probes.prober import Prober, ProbeSchedule, ordering, originators_of, targets_of
from telemon.probes.pursuit import Timetable, left_over

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from sqlalchemy import Engine

    from telemon.ami.link import Link
    from telemon.config import Config
    from telemon.duty_records import Probe, ProbeResult
    from telemon.instants import Duration, Instant
    from telemon.ledger.writer import LedgerWriter
    from telemon.probes.prober import Target
    from telemon.records import CallRecord

log = logging.getLogger(__name__)

LOOK_SECONDS: Final = 5.0
_BACK: Final[Duration] = 3600 * SECOND  # a test call never lasts that long
_DAY: Final[Duration] = 86_400 * SECOND
_REMEMBERED_DAYS: Final = 31


class ProbeWatch:
    """Places the tests of the schedule, and knows the latest ones.

    ``latest`` are those with a result, by permanence; ``totals`` counts them by permanence and result.

    Args:
        on_result: called in the event loop with each test call that is over, whoever placed it.
        is_crisis: whether a cell is open, so that no test call is placed.
    """

    def __init__(
        self,
        config: Config,
        engine: Engine,
        ledger: LedgerWriter,
        links: Sequence[Link],
        *,
        on_result: Callable[[Probe], None],
        is_crisis: Callable[[], bool],
    ) -> None:
        """Refuse a schedule that can place no call.

        Raises:
            ConfigError: there is no second login, no permanence, no number or no ``probe_callers``.
        """
        self.latest: dict[str, Probe] = {}
        self.totals: Counter[tuple[str, ProbeResult]] = Counter()
        self._config = config
        self._engine = engine
        self._ledger = ledger
        self._links: Mapping[str, Link] = {link.peer.name: link for link in links}
        self._sites = [config.call_site(pbx) for pbx in config.pbx]
        self._on_result = on_result
        self._is_crisis = is_crisis
        self._known: set[str] = set()
        self._ringing: set[str] = set()  # PBXs on which somebody's test call is under way
        self._targets = targets_of(config) if config.probe.per_day else []
        own = config.probe
        order = ordering(originators_of(config) if self._targets else {}, seconds=own.seconds, confirm=own.confirm)
        self._prober = Prober(order, self._told, now=lambda pbx: self._links[pbx].now, seconds=own.seconds)

    def finished(self, records: Iterable[CallRecord]) -> None:
        """Take calls that are over."""
        for record in records:
            self._prober.finished(record)

    def changed(self, pbx: str, at: Instant, device: str, state: str) -> None:
        """Take a device's state."""
        self._prober.changed(pbx, at, device, state)

    def lost(self, pbx: str, at: Instant) -> None:
        """Nothing is heard of a PBX from now on."""
        self._prober.lost(pbx, at)

    async def run(self) -> None:
        """Place and look, until cancelled."""
        await self._look(since=wall_clock() - _REMEMBERED_DAYS * _DAY, is_new=False)
        schedule = await self._schedule()
        try:
            while True:
                await asyncio.sleep(LOOK_SECONDS)
                await self._look(since=wall_clock() - _BACK, is_new=True)
        finally:
            if schedule is not None:
                await schedule.stop()

    async def _schedule(self) -> ProbeSchedule | None:
        if not self._targets:
            return None
        try:
            latest = await asyncio.to_thread(read_latest, self._engine, self._sites, ordered_by="schedule")
        except LedgerError as error:
            log.warning("%s; it is not known when the last test call was", error)
            latest = {}
        schedule = ProbeSchedule(
            self._prober,
            self._targets,
            Timetable(self._config.probe.per_day, self._config.zone),
            latest=latest,
            hindered=self._is_hindered,
        )
        schedule.start()
        return schedule

    def intervals(self) -> dict[str, float]:
        """Return the seconds between two scheduled test calls, by the service that is called."""
        return {target.service: _DAY / SECOND / self._config.probe.per_day for target in self._targets}

    def _is_hindered(self, target: Target) -> bool:
        return self._is_crisis() or target.pbx in self._ringing or not self._links[target.pbx].connected

    def _told(self, probe: Probe) -> None:
        """Keep a test call of the schedule, as it is ordered and again with its result."""
        self._ledger.put(probe)
        self._take(probe, is_new=True)

    def _take(self, probe: Probe, *, is_new: bool) -> None:
        if probe.result is None or probe.probe_id in self._known:
            return
        self._known.add(probe.probe_id)
        self.totals[probe.service, probe.result] += is_new
        before = self.latest.get(probe.service)
        if before is None or before.ordered_at <= probe.ordered_at:
            self.latest[probe.service] = probe
        if is_new:
            self._on_result(probe)

    async def _look(self, since: Instant, *, is_new: bool) -> None:
        """Read what others placed; one whose telemon was killed is over as well."""
        now = wall_clock()
        try:
            probes = await asyncio.to_thread(read_probes, self._engine, self._sites, since, now + _BACK)
            unfinished = await asyncio.to_thread(read_unfinished, self._engine, self._sites)
        except LedgerError as error:
            log.warning("%s; test calls placed by hand are not known meanwhile", error)
            return
        ring = from_seconds(self._config.probe.seconds)
        for probe in probes:
            self._take(probe, is_new=is_new)
        for probe in unfinished:
            done = left_over(probe, now, ring)
            if done is not None and probe.probe_id not in self._known:
                self._ledger.put(done)
        self._ringing = {probe.pbx for probe in unfinished if left_over(probe, now, ring) is None}
