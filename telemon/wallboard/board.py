"""The wallboard of one daemon: what it knows, who may look, and the picture it draws of it."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import TYPE_CHECKING, Any, Final, Protocol

from fastapi import APIRouter
from starlette.routing import Mount

from telemon.ami.link import wall_clock
from telemon.cadences import ring_cycle, rings_if_any
from telemon.errors import LedgerError
from telemon.instants import SECOND, to_datetime, to_seconds
from telemon.ledger.pseudonym_key import load_or_create_key
from telemon.records import Flag
from telemon.rulesets import GoalKind, load_rulesets, ruleset_at
from telemon.wallboard.feed import Feed
from telemon.wallboard.gate import Gate
from telemon.wallboard.history import History, Question, last_lost
from telemon.wallboard.on_duty import DutyPart, duty_part
from telemon.wallboard.pages import Files, Pages, boot_json
from telemon.wallboard.picture import Promise, draw
from telemon.wallboard.routes import routers
from telemon.wallboard.scene import Callback, Loss, Scene
from telemon.wallboard.shown import seconds
from telemon.wallboard.standing import Standing
from telemon.wallboard.words import words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from markupsafe import Markup
    from sqlalchemy import Engine
    from starlette.responses import Response
    from starlette.routing import BaseRoute

    from telemon.ami.link import Link
    from telemon.callbacks.lost import Entry
    from telemon.config import Config
    from telemon.duty.duties import Duties
    from telemon.instants import Duration, Instant
    from telemon.ledger.writer import LedgerWriter
    from telemon.records import CallRecord
    from telemon.rulesets import RuleSet
    from telemon.texts import Texts
    from telemon.wallboard.history import Curve
    from telemon.wallboard.picture import Picture
    from telemon.wallboard.scene import DayFigures
    from telemon.wallboard.visitors import Visitor

log = logging.getLogger(__name__)

LAST_LOSSES: Final = 12
DUTY_TERM: Final = SECOND  # how old what the duties told may be
AFTER_MISTAKE_SECONDS: Final = 5.0
_GOALS: Final = {
    GoalKind.LOST_RATE_BELOW: "lost_below",
    GoalKind.ANSWER_RATE_AT_LEAST: "answered_at_least",
    GoalKind.WITHIN_RINGS_AT_LEAST: "within_at_least",
}


class Days(Protocol):
    """Whoever reckons the day's figures; see ``telemon.wallboard.scene.ALL``."""

    def day(self) -> Mapping[tuple[str, str], DayFigures]:
        """Return what is ready, by site and service."""


class LostCallers(Protocol):
    """Whoever keeps the list of whom to call back."""

    def entries(self) -> Sequence[Entry]:
        """Return the list."""

    def done(self, entry_id: str, by: str) -> bool:
        """Take one off the list; False if there is no such one. Called in a thread."""


class Wallboard:
    """All of it.

    Args:
        config: site, services, users, ``[web]``.
        links: whose calls are shown.
        engine: of the ledger, for the day's curve; without it there is none.
        ledger: whose health is shown.
        duties: of the permanence and the crisis cell.
        figures: of the day.
        callbacks: whom to call back.
        clock: of this machine.

    Raises:
        ConfigError: the key of the sessions cannot be read or made.
    """

    def __init__(
        self,
        config: Config,
        links: Sequence[Link],
        *,
        engine: Engine | None = None,
        ledger: LedgerWriter | None = None,
        duties: Duties | None = None,
        figures: Days | None = None,
        callbacks: LostCallers | None = None,
        clock: Callable[[], Instant] = wall_clock,
    ) -> None:
        self._clock = clock
        self._ledger = ledger
        self._engine = engine
        self._duties = duties
        self._figures = figures
        self._callbacks = callbacks
        self._losses: deque[Loss] = deque(maxlen=LAST_LOSSES)
        self._duty_known: tuple[Instant, DutyPart] | None = None
        self._standing = Standing(links, {pbx.name: config.site_of(pbx) for pbx in config.pbx})
        self._history = None if engine is None else History(engine, config.zone, clock)
        self._secure = config.web.has_secure_cookie
        self._files = Files()
        key = load_or_create_key(config.session_key_file, "session key", "everybody then signs in again")
        self.gate = Gate(config, key, clock)
        self.pages = Pages(config.language, self._files.prefix, secure=self._secure)
        self.feed = Feed(self._draw, self.gate.is_welcome, clock)
        self._configure(config)

    def _configure(self, config: Config) -> None:
        self._config = config
        self._rulesets = load_rulesets(config.rule_sets)
        self._officers = {officer.id: officer.name for officer in config.officer}
        self._sites: dict[str, set[str]] = {}  # call sites, by site
        for pbx in config.pbx:
            self._sites.setdefault(config.site_of(pbx), set()).add(config.call_site(pbx))
        self._site_of = {call_site: site for site, names in self._sites.items() for call_site in names}

    def reconfigure(self, config: Config) -> None:
        """Go on under another configuration: other users, services, officers, rule sets."""
        self._configure(config)
        self.gate.reconfigure(config)

    # -- what the daemon does with it

    @property
    def routes(self) -> list[BaseRoute]:
        """Everything that answers."""
        all_of_them = APIRouter()
        for router in routers(self):
            all_of_them.routes.extend(router.routes)
        return [*all_of_them.routes, Mount(self._files.prefix.rstrip("/"), self._files)]

    def finished(self, records: Iterable[CallRecord]) -> None:
        """Take calls that are over, for the list of those lost last."""
        lost, cycle = self._ruleset.lost, self._promise.cycle
        for record in records:
            if record.outcome in lost and not record.is_probe and Flag.INTERNAL not in record.flags:
                self._losses.appendleft(self._loss(record, cycle))

    async def _remember(self) -> None:
        """Take from the ledger which calls were lost last before this start; their numbers it does not have."""
        if self._engine is None:
            return
        now, lost = self._clock(), self._ruleset.lost
        try:
            known = await asyncio.to_thread(last_lost, self._engine, now, lost, frozenset(self._site_of), LAST_LOSSES)
        except LedgerError as error:
            log.warning("wallboard: %s; the calls lost before this start are not shown", error)
            return
        shown = {(loss.at, loss.service) for loss in self._losses}
        cycle = self._promise.cycle
        for record in known:
            loss = self._loss(record, cycle)
            if (loss.at, loss.service) not in shown and len(self._losses) < LAST_LOSSES:
                self._losses.append(loss._replace(caller=""))

    def _loss(self, record: CallRecord, cycle: Duration) -> Loss:
        return Loss(
            record.wait_ended_at or record.arrived_at,
            self._site_of.get(record.site, record.site),
            record.service,
            rings_if_any(record.ring_duration, cycle),
            record.outcome,
            record.caller,
        )

    async def run(self) -> None:
        """Draw while anybody watches, until cancelled; a mistake of our own must not end the measuring of calls."""
        await self._remember()
        while True:
            try:
                await self.feed.run()
            except Exception:  # whatever it is: TaskGroup would end the daemon with it
                log.exception("wallboard: telemon's own mistake, please report it; going on")
            await asyncio.sleep(AFTER_MISTAKE_SECONDS)

    # -- what is drawn

    @property
    def _ruleset(self) -> RuleSet:
        today = to_datetime(self._clock()).astimezone(self._config.zone).date()
        return ruleset_at(self._rulesets, self._config.rule_set, today)

    @property
    def _promise(self) -> Promise:
        ruleset = self._ruleset
        return Promise(ruleset.max_rings, ruleset.cycle(ring_cycle(self._config.country)))

    async def _draw(self) -> Picture:
        now = self._clock()
        stand = await self._standing.look(now)
        entries = () if self._callbacks is None else self._callbacks.entries()
        return draw(
            Scene(
                now,
                days={} if self._figures is None else self._figures.day(),
                losses=tuple(self._losses),
                callbacks=tuple(_callback(entry) for entry in entries),
                ledger=None if self._ledger is None else (self._ledger.failing, self._ledger.pending),
                **stand._asdict(),
                **self._duty_now(now)._asdict(),
            ),
            self._promise,
        )

    def _duty_now(self, now: Instant) -> DutyPart:
        if self._duties is None:
            return DutyPart()
        if self._duty_known is None or not 0 <= now - self._duty_known[0] < DUTY_TERM:
            self._duty_known = now, duty_part(self._duties, now, self._officers)
        return self._duty_known[1]

    # -- what the pages ask for

    async def boot(self, visitor: Visitor, language: str) -> Markup:
        """Return what the page begins with, as JSON for a script element."""
        picture = await self.feed.whole(visitor.role)
        ruleset, promise = self._ruleset, self._promise
        return boot_json(
            {
                "lang": language,
                "role": visitor.role.value,
                "words": dict(words(language)),
                "site_name": self._config.site,
                "cycle": to_seconds(promise.cycle),
                "max_rings": promise.max_rings,
                "rule_set": ruleset.label,
                "goals": {_GOALS[goal.kind]: float(goal.limit) for goal in ruleset.goals},
                "timezone": self._config.timezone,
                "now": seconds(self._clock()),
                "csrf": self.gate.sessions.token(visitor),
            },
            picture,
        )

    def about(self, visitor: Visitor, texts: Texts) -> dict[str, Any]:
        """Return what the page's template says of the visitor and the site."""
        promise = self._promise
        return {
            "user": visitor.name if visitor.user is not None else "",
            "role": visitor.role.value,
            "csrf": self.gate.sessions.token(visitor),
            "site_name": self._config.site,
            "max_rings": promise.max_rings,
            "rule_set": self._ruleset.label,
            "cycle": texts.number(to_seconds(promise.cycle)),
        }

    def keep_session(self, answer: Response, session: str | None) -> None:
        """Put a session's cookie into an answer, or take it out of the browser."""
        lasting = round(self._config.web.session_hours * 3600)
        answer.set_cookie(
            self.gate.cookie,
            session or "",
            max_age=lasting if session else 0,
            httponly=True,
            samesite="strict",
            secure=self._secure,
        )

    async def curve(self, site: str | None, service: str | None) -> Curve | None:
        """Return today's calls by the quarter of an hour; None of a site or service that there is not.

        Raises:
            LedgerError: the ledger cannot be read.
        """
        known = {one.name for pbx in self._config.pbx for one in self._config.numbering(pbx).services}
        sites = set(self._site_of) if site is None else self._sites.get(site)
        if self._history is None or sites is None or (service is not None and service not in known):
            return None
        question = Question(frozenset(sites), service)
        return await self._history.curve(question, self._ruleset, self._promise.cycle)

    async def called_back(self, entry: str, by: str) -> bool:
        """Take a lost caller off the list; False if there is no such one."""
        return self._callbacks is not None and await asyncio.to_thread(self._callbacks.done, entry, by)


def _callback(entry: Entry) -> Callback:
    return Callback(entry.id, entry.site, entry.service, entry.number, entry.times, entry.first_at, entry.last_at)
