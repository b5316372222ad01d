"""What is done again and again beside the measuring: for now, roll-ups."""

from __future__ import annotations

import logging
import threading
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from apscheduler.schedulers.background import BackgroundScheduler  # type: ignore[import-untyped]  # it has no types

from telemon.ami.link import wall_clock
from telemon.errors import LedgerError
from telemon.ledger.rolling_up import Roller

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from sqlalchemy import Engine

    from telemon.instants import Instant
    from telemon.roll_ups import Definition

log = logging.getLogger(__name__)

SECONDS: Final = 60.0  # between two looks for what changed


class Upkeep:
    """Keeps roll-ups up to date from a thread of its own.

    An hour is rolled up once it is over, and again whenever one of its calls changes; until then it is read from its
    calls, so nobody waits for this. Between two steps it rests as long as the last one took: it shares the processor
    with the reader, and the database with the ledger's writer.
    """

    def __init__(
        self,
        engine: Engine,
        sites: Iterable[str],
        known: Mapping[str, Definition],
        *,
        seconds: float = SECONDS,
        clock: Callable[[], Instant] = wall_clock,
    ) -> None:
        """``known``: definitions by digest, as ``telemon.roll_ups.definitions`` gives them."""
        self._roller = Roller(engine, sites, known)
        self._clock = clock
        self._stopping = threading.Event()
        self._failing = False
        self.rolled_up_total = 0  # hours
        self.errors_total = 0
        self._scheduler = BackgroundScheduler(timezone=UTC)
        self._scheduler.add_job(
            self._roll_up,
            "interval",
            seconds=seconds,
            next_run_time=datetime.now(UTC),
            coalesce=True,
            max_instances=1,
            misfire_grace_time=None,
        )

    def start(self) -> None:
        """Begin at once."""
        logging.getLogger("apscheduler").setLevel(logging.ERROR)  # that a long build makes the next look wait is meant
        self._scheduler.start()

    def stop(self) -> None:
        """End after the step under way: some 0.1 s, or two seconds where the database is locked by somebody else."""
        self._stopping.set()
        self._scheduler.shutdown(wait=True)

    def _roll_up(self) -> None:
        while not self._stopping.is_set():
            began = time.monotonic()
            try:
                hours = self._roller.step(self._clock())
            except LedgerError as error:
                self.errors_total += 1
                if not self._failing:
                    log.error("%s; trying again every minute, statistics are read from the calls meanwhile", error)  # noqa: TRY400 - the text says it all
                self._failing = True
                return
            self._failing = False
            self.rolled_up_total += hours
            if not hours:
                return
            self._stopping.wait(time.monotonic() - began)
