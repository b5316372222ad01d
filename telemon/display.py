"""Everything that shows what is measured: metrics, figures of the ledger, the wallboard with its lost callers."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from telemon.ami.link import wall_clock
from telemon.cadences import ring_cycle
from telemon.crisis.pages import crisis_routes
from telemon.duty.metrics import DutyMetrics
from telemon.figures.attending import Attending
from telemon.figures.places import sites_of
from telemon.figures.refreshing import Figures
from telemon.instants import SECOND
from telemon.ledger.reading_losses import read_losses
from telemon.ledger.roll_ups import totals
from telemon.metrics import Metrics
from telemon.wallboard.board import Wallboard
from telemon.web import application

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fastapi import FastAPI
    from sqlalchemy import Engine

    from telemon.ami.link import Link
    from telemon.callbacks.keeping import Callbacks
    from telemon.config import Config
    from telemon.duty.duties import Duties
    from telemon.journal.writer import Journal
    from telemon.ledger.writer import LedgerWriter
    from telemon.records import CallRecord
    from telemon.roll_ups import Definition

_DAY: Final = 86_400 * SECOND


class Display:
    """Made once the journals are read; begun with ``start``, kept by ``run``, ended by cancelling that and ``stop``."""

    def __init__(
        self,
        config: Config,
        engine: Engine,
        ledger: LedgerWriter,
        links: Sequence[Link],
        *,
        journals: Mapping[str, Journal],
        duties: Duties,
        callbacks: Callbacks,
    ) -> None:
        """Open what can fail.

        Raises:
            ConfigError: a key or token cannot be read.
        """
        self._config = config
        self._engine = engine
        self._ledger = ledger
        self._links = links
        self._duties = duties
        self._callbacks = callbacks
        self._figures = Figures(config, engine)
        self._attending = Attending(config, engine, links, ledger)
        cycle = ring_cycle(config.country)
        self.metrics = Metrics(sites_of(config), cycle, links, ledger, journals, figures=self._figures)
        self.metrics.registry.register(DutyMetrics(config.site, duties))
        self._wallboard = Wallboard(
            config, links, engine=engine, ledger=ledger, duties=duties, figures=self._figures, callbacks=callbacks
        )

    def restore(self, sites: Sequence[str], roll_ups: Mapping[str, Definition]) -> None:
        """Let the counters begin where the ledger stands.

        Raises:
            LedgerError: the ledger cannot be read.
        """
        self.metrics.restore(totals(self._engine, sites, roll_ups))
        self.metrics.restore_losses(read_losses(self._engine, sites, wall_clock() - _DAY))

    def pages(self) -> FastAPI:
        """Return everything that is served."""
        crisis = self._duties.crisis
        api = crisis_routes(crisis.desks, self._config.web.resolve_token(), crisis.line_now)
        return application(self.metrics, self._links, self._ledger, [*api, *self._wallboard.routes])

    def start(self) -> None:
        """Begin what runs beside the event loop."""
        self._figures.start()
        self._callbacks.start()

    async def run(self) -> None:
        """Keep everything up to date, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._attending.run())
            group.create_task(self._wallboard.run())

    def finished(self, record: CallRecord) -> None:
        """Show one call that is over."""
        self.metrics.count(record)
        self._wallboard.finished([record])

    def reconfigure(self, config: Config) -> None:
        """Take over what may change while telemon runs."""
        self._config = config
        self._figures.reconfigure(config)
        self._callbacks.reconfigure(config)
        self._wallboard.reconfigure(config)

    def stop(self) -> None:
        """End; the ledger must still be there."""
        self._attending.close()
        self._figures.stop()
        self._callbacks.stop()
