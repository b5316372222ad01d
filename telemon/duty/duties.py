"""What the daemon does for the permanence and the crisis cell, beside measuring calls.

Everything here runs in the event loop; what waits for a disk, a database or another machine does so in a thread.
"""

from __future__ import annotations

import asyncio
import logging
from itertools import count
from typing import TYPE_CHECKING, Final

from telemon.agi.desk import PhoneDesk
from telemon.agi.server import AgiServer
from telemon.ami.link import wall_clock
from telemon.crisis.desks import desks as crisis_desks
from telemon.crisis.watch import CrisisWatch
from telemon.duty.conditions import Conditions
from telemon.duty.found import found_now
from telemon.duty.parts import duty_watch, required_of
from telemon.duty_records import Coverage
from telemon.errors import ConfigError
from telemon.instants import SECOND, from_seconds
from telemon.probes.watch import ProbeWatch
from telemon.roster.keeper import keeper_of
from telemon.roster.staffing import Staffing
from telemon.texts import text

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Sequence

    from sqlalchemy import Engine

    from telemon.ami.link import Link
    from telemon.config import Config
    from telemon.duty.watch import DutyWatch
    from telemon.duty_records import CoverInterval, Probe
    from telemon.instants import Duration, Instant
    from telemon.ledger.writer import LedgerWriter
    from telemon.records import CallRecord
    from telemon.roster.shifts import Hole

log = logging.getLogger(__name__)

TICK_SECONDS: Final = 0.5
STORE_SECONDS: Final = 10.0  # how much of the cover that lasts the ledger may not know of after a kill
HOLE_SECONDS: Final = 60.0
AFTER_MISTAKE_SECONDS: Final = 5.0
LATE: Final[Duration] = SECOND  # what time alone brings is placed once no earlier event is to be expected


class Duties:
    """Permanences, roster, test calls, sign-ins by phone and crisis cells of one daemon.

    ``hole`` is the next one in the roster, within ``roster.ahead_hours``.
    """

    def __init__(self, config: Config, engine: Engine, ledger: LedgerWriter, links: Sequence[Link]) -> None:
        """Make the parts; ``run`` brings them to life.

        Raises:
            ConfigError: a shift or the file of PINs cannot be read, or test calls are wanted and cannot be placed.
        """
        self.links = links
        self.conditions = Conditions()
        self.hole: Hole | None = None
        self.config = config
        self._engine = engine
        self._ledger = ledger
        self._desk: PhoneDesk | None = None
        config.officers()  # a file of PINs that cannot be read is told at once
        self._was_connected: dict[str, bool] = {}
        self.staffing = self._staffing_of(config)
        self.crisis = CrisisWatch(crisis_desks(config, engine), links)
        self.probes = ProbeWatch(
            config, engine, ledger, links, on_result=self._probed, is_crisis=lambda: bool(self.crisis.statuses)
        )

    def _staffing_of(self, config: Config) -> Staffing:
        return Staffing(
            config.site,
            self._engine,
            keeper_of(config, wall_clock),
            required=required_of(config),
            on_changed=self._on_duty_changed,
            on_signed_in=self._signed_in,
            clock=wall_clock,
        )

    # -- the daemon's life

    async def run(self) -> None:
        """Do everything, until cancelled."""
        phone = await self._answer_the_phone()
        keeping = (self._keep_roster, self.staffing.keep_presences, self.crisis.keep, self.probes.run, self._tick)
        try:
            async with asyncio.TaskGroup() as group:
                for keep in keeping:
                    group.create_task(_again_and_again(keep))
        finally:
            if phone is not None:
                await phone.stop()

    async def _answer_the_phone(self) -> AgiServer | None:
        own = self.config.agi
        if not own.port:
            return None
        self._desk = PhoneDesk(self.config, self.staffing, self._ledger, self.crisis.desks, wall_clock)
        server = AgiServer(own, self._desk)
        try:
            await server.start()
        except ConfigError as error:  # the rest is of use without it
            log.error(text()("duties.no_phone", reason=error))  # noqa: TRY400 - its text says all
            return None
        log.info(text()("duties.phone", host=own.host, port=server.port))
        return server

    def close(self) -> None:
        """Write the cover up to now; from now on it is unknown."""
        for link in self.links:
            if link.observer.duty is not None:
                link.observer.duty.lose(link.now)
        self._store(everything=True)

    async def reload(self, config: Config) -> None:
        """Go on under another configuration; where its secrets cannot be read, under the old one."""
        try:
            config.officers()
            keeper = keeper_of(config, wall_clock)
        except ConfigError as error:
            log.error(text()("daemon.reload_refused", reason=error))  # noqa: TRY400 - its text says all
            return
        if keeper is not None:
            await asyncio.to_thread(keeper.refresh)  # first: without any roster everybody would count as on duty
        self.config = config
        self.staffing.reconfigure(keeper, required_of(config))
        if self._desk is not None:
            self._desk.reconfigure(config)
        for link in self.links:
            if link.observer.duty is not None:
                link.observer.duty.reconfigure(self._watch_of(link), link.observer.board, link.now)
        self._look_ahead()

    # -- what is heard

    def finished(self, records: Iterable[CallRecord]) -> None:
        """Take calls that are over."""
        records = list(records)
        self.crisis.finished(records)
        self.probes.finished(records)

    def _watch_of(self, link: Link) -> DutyWatch:
        pbx = next(pbx for pbx in self.config.pbx if pbx.name == link.peer.name)
        watch = duty_watch(self.config, pbx, link.observer.board)
        for permanence in watch.permanences.values():
            permanence.duty, permanence.next_duty_change = self.staffing.on_duty, self.staffing.next_change
        return watch

    def watches(self) -> list[tuple[Link, DutyWatch]]:
        """Return each PBX's link and what listens to it."""
        return [(link, link.observer.duty) for link in self.links if link.observer.duty is not None]

    def covers(self) -> dict[str, CoverInterval]:
        """Return the present cover of each permanence, as far as it is known: who is reached by one PBX is reached."""
        found: dict[str, CoverInterval] = {}
        for _, watch in self.watches():
            for service, permanence in watch.permanences.items():
                current = permanence.current
                if current is None or current.state is Coverage.UNKNOWN:
                    continue
                if service not in found or current.state is Coverage.COVERED:
                    found[service] = current
        return found

    def _on_duty_changed(self) -> None:
        self._look_ahead()
        for link, watch in self.watches():
            watch.on_duty_changed(link.now)

    def _signed_in(self, at: Instant) -> None:
        for _, watch in self.watches():
            watch.signed_in(at)

    def _probed(self, probe: Probe) -> None:
        for link, watch in self.watches():
            if link.peer.name == probe.pbx:
                watch.probed(probe)

    # -- again and again

    async def _keep_roster(self) -> None:
        """Begin to tell of cover once it is known who is on duty, so far as that can be."""
        await self.staffing.refresh()
        for link in self.links:
            link.observer.attend(self._watch_of(link), link.now)
        while True:
            await asyncio.sleep(self.config.roster.refresh_minutes * 60)
            await self.staffing.refresh()

    async def _tick(self) -> None:
        for turn in count():
            for link, watch in self.watches():
                watch.advance(link.now - LATE)
                self._hand_on_news(link, watch)
            self._store(everything=turn % round(STORE_SECONDS / TICK_SECONDS) == 0)
            now = wall_clock()
            if turn % round(HOLE_SECONDS / TICK_SECONDS) == 0:
                self._look_ahead()
            self._tell_conditions(now)
            await asyncio.sleep(TICK_SECONDS)

    def _look_ahead(self) -> None:
        self.hole = self.staffing.hole_ahead(wall_clock(), from_seconds(self.config.roster.ahead_hours * 3600))

    def _hand_on_news(self, link: Link, watch: DutyWatch) -> None:
        name = link.peer.name
        for news in watch.take_news():
            self.probes.changed(name, *news)
        if self._was_connected.get(name) and not link.connected:
            self.probes.lost(name, link.now)
        self._was_connected[name] = link.connected

    def _store(self, *, everything: bool) -> None:
        """Write what changed, or everything; what lasts is written as far as it was true, in case we are killed."""
        for link, watch in self.watches():
            for interval in watch.to_store(link.now - LATE, everything=everything):
                self._ledger.put(interval)

    def _tell_conditions(self, now: Instant) -> None:
        begun, ended = self.conditions.update(now, found_now(self, now))
        for condition in begun:
            log.error(condition.text)
        for condition in ended:
            log.info(text()("conditions.over", what=condition.text))


async def _again_and_again(keep: Callable[[], Coroutine[None, None, None]]) -> None:
    """Do what never ends; a mistake of our own in it must not end the measuring of calls."""
    while True:
        try:
            await keep()
        except Exception:  # whatever it is: TaskGroup would end the daemon with it
            log.exception("%s: telemon's own mistake, please report it; going on", keep.__qualname__)
        await asyncio.sleep(AFTER_MISTAKE_SECONDS)
