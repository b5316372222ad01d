"""Keeping the figures up to date, in threads beside the event loop: nobody who scrapes or watches waits for a database.

Today is read every 15 seconds, what came of this month and year before today every minute, the past that forecasts
rest on and the staffing of the hours of a week once an hour. A ledger that is away leaves what was read last for five
minutes; then there are no figures, rather than old ones.
"""

from __future__ import annotations

import logging
import threading
import time
from concurrent.futures import CancelledError
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from apscheduler.schedulers.background import BackgroundScheduler  # type: ignore[import-untyped]  # it has no types

from telemon.ami.link import wall_clock
from telemon.buckets import HOUR
from telemon.errors import LedgerError
from telemon.figures.past import Past
from telemon.figures.places import places_of, service_names, sites_of
from telemon.figures.planning import Plan
from telemon.figures.reading import Reader
from telemon.figures.rendering import Page
from telemon.figures.rules import rules_of
from telemon.figures.spans import Part, Span, spans_at
from telemon.ledger.roll_ups import are_built
from telemon.records import ServiceKind

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import date

    from sqlalchemy import Engine

    from telemon.config import Config
    from telemon.figures.rules import Rules
    from telemon.figures.spans import Spans
    from telemon.instants import Instant
    from telemon.wallboard.scene import DayFigures

log = logging.getLogger(__name__)

TODAY_SECONDS: Final = 15.0
EARLIER_SECONDS: Final = 60.0
HOURLY_SECONDS: Final = 3600.0
KEPT_SECONDS: Final = 300.0
_LOOK_SECONDS: Final = 20.0  # between two looks whether something hourly is due
_NEVER: Final = float("-inf")


class _Shown(NamedTuple):
    """What was rendered last, and when by the monotonic clock."""

    at: float
    text: bytes
    day: Mapping[tuple[str, str], DayFigures]


class _Parts:
    """What belongs to one configuration."""

    def __init__(self, config: Config, engine: Engine) -> None:
        places, services = places_of(config), service_names(config)
        permanences = {
            service.name: service.hours
            for service in config.numbering(config.pbx[0]).services
            if service.kind is ServiceKind.PERMANENCE
        }
        self.config = config
        self.sites = tuple(sites_of(config))
        self.reader = Reader(engine, places, permanences)
        self.page = Page(places, services, config.rule_set)
        self.past = Past(engine, places, services)
        self.plan = Plan(engine, config)
        self.day: date | None = None
        self.earlier_at = self.past_at = self.plan_at = _NEVER
        self.past_hour = -1


class Figures:
    """The figures of all sites of a daemon; ``errors_total`` counts readings that failed."""

    def __init__(
        self,
        config: Config,
        engine: Engine,
        *,
        clock: Callable[[], Instant] = wall_clock,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """``clock`` gives the time that periods are cut by, ``monotonic`` the age of what is shown."""
        self._engine = engine
        self._clock = clock
        self._monotonic = monotonic
        self._parts = _Parts(config, engine)
        self._shown = _Shown(_NEVER, b"", {})
        self._plan: tuple[float, bytes] = (_NEVER, b"")
        self._stopping = threading.Event()
        self._failing: set[str] = set()
        self.errors_total = 0
        self._scheduler = BackgroundScheduler(timezone=UTC)
        for job, seconds in ((self._refresh_periods, TODAY_SECONDS), (self._refresh_slowly, _LOOK_SECONDS)):
            self._scheduler.add_job(
                self._guarded,
                "interval",
                (job,),
                seconds=seconds,
                next_run_time=datetime.now(UTC),
                coalesce=True,
                max_instances=1,
                misfire_grace_time=None,
            )

    # -- for the event loop: nothing here waits

    def start(self) -> None:
        """Begin at once."""
        logging.getLogger("apscheduler").setLevel(logging.ERROR)  # that a long reading makes the next one wait is meant
        self._scheduler.start()

    def stop(self) -> None:
        """End after the query under way."""
        self._stopping.set()
        self._scheduler.shutdown(wait=True)

    def reconfigure(self, config: Config) -> None:
        """Go on under another configuration from the next turn on."""
        self._parts = _Parts(config, self._engine)

    def text(self) -> bytes:
        """Return the figures as ``/metrics`` shows them; empty where they are not known."""
        shown = self._shown
        return shown.text if self._monotonic() - shown.at <= KEPT_SECONDS else b""

    def day(self) -> Mapping[tuple[str, str], DayFigures]:
        """Return today's figures by site and service; empty where they are not known."""
        shown = self._shown
        return shown.day if self._monotonic() - shown.at <= KEPT_SECONDS else {}

    def staffing_text(self) -> bytes:
        """Return what ``/metrics/staffing`` shows; empty where it is not known."""
        at, text = self._plan
        return text if self._monotonic() - at <= KEPT_SECONDS else b""

    # -- in threads

    def refresh(self) -> None:
        """Read everything now, in this thread.

        Raises:
            LedgerError: the database cannot be read.
        """
        self._refresh_slowly()
        self._refresh_periods()

    def _guarded(self, job: Callable[[], None]) -> None:
        try:
            job()
        except LedgerError as error:
            self.errors_total += 1
            if job.__name__ not in self._failing:
                log.error("%s; the figures of dashboards are away after %d s", error, KEPT_SECONDS)  # noqa: TRY400 - its text says all
            self._failing.add(job.__name__)
        except CancelledError:
            return
        else:
            self._failing.discard(job.__name__)

    def _now(self, parts: _Parts) -> tuple[Spans, Rules]:
        spans = spans_at(self._clock(), parts.config.zone)
        return spans, rules_of(parts.config, spans)

    def _refresh_periods(self) -> None:
        parts = self._parts
        spans, rules = self._now(parts)
        now = self._monotonic()
        wanted = [Part.TODAY]
        if parts.day != spans.today:
            parts.reader.forget()
            parts.earlier_at, parts.day = _NEVER, spans.today
        if now - parts.earlier_at >= EARLIER_SECONDS - 1 and self._are_built(parts, rules):
            wanted = list(Part)
            parts.earlier_at = now
        try:
            parts.reader.read(spans, rules, wanted)
        except LedgerError:
            parts.earlier_at = _NEVER
            raise

        def to_come(site: str, service: str, ruleset: Any, span: Span) -> Any:
            return parts.past.to_come(spans, site, service, ruleset, span)

        text = parts.page.render(parts.reader, rules, to_come)
        day = parts.page.day(parts.reader, rules)
        if parts is self._parts:
            self._shown = _Shown(self._monotonic(), text, day)

    def _refresh_slowly(self) -> None:
        parts = self._parts
        spans, rules = self._now(parts)
        hour, built = spans.now // HOUR, self._are_built(parts, rules)  # asked each time: is the ledger there?
        if parts.past_hour != hour and built:
            parts.past.read(spans, rules, self._rest)
            parts.past_hour = hour
        if self._monotonic() - parts.plan_at >= HOURLY_SECONDS:
            began = self._monotonic()
            parts.plan.read(spans, rules, self._rest)
            parts.plan_at = began
        if parts is self._parts:
            self._plan = (self._monotonic(), parts.plan.render(spans))

    def _are_built(self, parts: _Parts, rules: Rules) -> bool:
        """Whether roll-ups are there: without them, a year would be read from its calls, which takes minutes."""
        digests = {definition.digest for of_span in rules.values() for definition in of_span.values()}
        return are_built(self._engine, parts.sites, digests)

    def _rest(self) -> None:
        """Leave the processor and the database to others for a moment."""
        if self._stopping.wait(0.005):
            raise CancelledError
