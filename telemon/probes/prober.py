"""Placing test calls: by order, and at the random minutes that were drawn."""

from __future__ import annotations

import asyncio
import logging
import random
import secrets
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC
from typing import TYPE_CHECKING, Final

from apscheduler.schedulers.asyncio import AsyncIOScheduler  # type: ignore[import-untyped]  # it has no types

from telemon.ami.link import wall_clock
from telemon.ami.originating import Order, check_number, originate
from telemon.duty_records import Probe
from telemon.errors import AmiError, ConfigError, ProbeError, TelemonError
from telemon.instants import from_seconds, to_datetime
from telemon.parts import peer_of
from telemon.probes.pursuit import Answer, Pursuit
from telemon.records import ServiceKind
from telemon.services import matches_exten
from telemon.texts import text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from telemon.ami.entrance import Peer
    from telemon.config import Config
    from telemon.config_service import ServiceConfig
    from telemon.instants import Instant
    from telemon.probes.pursuit import Timetable
    from telemon.records import CallRecord

log = logging.getLogger(__name__)

LOOK_SECONDS: Final = 0.25  # between two looks at the time, while nothing happens
_LEAVES_BY, _SPEAKS = "telemon-probe", "telemon-probe-speaks"  # dialplans/probe

Ordering = Callable[[Probe], Awaitable[tuple[Answer, str]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Which number of which permanence to call from which PBX; ``site`` is the PBX's call site."""

    site: str
    service: str
    pbx: str
    number: str

    def __post_init__(self) -> None:
        """Refuse what is not one number (ProbeError)."""
        check_number(self.number)


def targets_of(config: Config) -> list[Target]:
    """Return what is to be called: each permanence, from the first PBX on which telemon may place calls.

    Raises:
        ConfigError: there is no second login, no permanence, no number to call, or no ``probe_callers``, so that the
            call would be taken for a citizen's.
        ProbeError: what is to be called is no number.
    """
    permanences = [service for service in config.service if service.kind is ServiceKind.PERMANENCE]
    if not permanences:
        raise ConfigError(text()("probe.no_permanence"))
    if not config.probe_callers:
        raise ConfigError(text()("probe.no_callers"))
    pbx = next((pbx for pbx in config.pbx if pbx.resolve_originate_secret() is not None), None)
    if pbx is None:
        first = config.pbx[0]
        raise ConfigError(text()("probe.no_login", pbx=first.name, user=first.originate_username))
    site, alone = config.call_site(pbx), len(permanences) == 1
    return [
        Target(site=site, service=service.name, pbx=pbx.name, number=_number_of(config.probe.number, service, alone))
        for service in permanences
    ]


def _number_of(configured: str, service: ServiceConfig, alone: bool) -> str:  # noqa: FBT001 - of this file alone
    """Return the configured number where it is this permanence's, else its first DDI that is no pattern."""
    if configured and (alone or any(matches_exten(ddi, configured) for ddi in service.ddis)):
        return configured
    number = next((ddi for ddi in service.ddis if not ddi.startswith("_")), None)
    if number is None:
        raise ConfigError(text()("probe.no_number", service=service.name))
    return number


def originators_of(config: Config) -> dict[str, Peer]:
    """Return the second logins by PBX, of those that have one.

    Raises:
        ConfigError: the file of a secret cannot be read.
    """
    return {
        pbx.name: replace(peer_of(pbx), user=pbx.originate_username, secret=secret)
        for pbx in config.pbx
        if (secret := pbx.resolve_originate_secret()) is not None
    }


def ordering(peers: Mapping[str, Peer], *, seconds: float, confirm: bool) -> Ordering:
    """Return what orders a test call from Asterisk; ``peers`` are the second logins by PBX.

    ``seconds`` is how long it rings at most, ``confirm`` whether the officer is asked for a key.
    """

    async def order(probe: Probe) -> tuple[Answer, str]:
        told = (("TELEMON_PROBE_SECONDS", f"{seconds:.0f}"), ("TELEMON_PROBE_CONFIRM", "yes" if confirm else "no"))
        order = Order(
            order_id=probe.probe_id,
            number=probe.number,
            leaves_by=_LEAVES_BY,
            speaks=_SPEAKS,
            seconds=seconds,
            variables=told,
        )
        return await originate(peers[probe.pbx], order)

    return order


class Prober:
    """Places test calls, follows each to its end, and tells of it: as it is ordered, and with its result.

    At most one rings on a PBX at a time: they share the device that tells of the key. Whoever hears the PBX hands over
    every call that is over, every state of ``probes.KEY_DEVICE``, and when it hears no more.
    """

    def __init__(
        self, order: Ordering, tell: Callable[[Probe], None], *, now: Callable[[str], Instant], seconds: float
    ) -> None:
        """``now`` gives the present time of the PBX of that name, by its own clock."""
        self._order = order
        self._tell = tell
        self._now = now
        self._ring = from_seconds(seconds)
        self._pursuits: dict[str, Pursuit] = {}
        self._news = asyncio.Event()

    def is_busy(self, pbx: str) -> bool:
        """Whether a test call is under way there."""
        return pbx in self._pursuits

    def finished(self, record: CallRecord) -> None:
        """Take a call that is over, on any PBX."""
        for pursuit in self._pursuits.values():
            pursuit.finish(record)
        self._news.set()

    def changed(self, pbx: str, at: Instant, device: str, state: str) -> None:
        """Take the state of a device."""
        if pbx in self._pursuits:
            self._pursuits[pbx].change(at, device, state)

    def lost(self, pbx: str, at: Instant) -> None:
        """Nothing is heard of this PBX from now on, for a while."""
        if pbx in self._pursuits:
            self._pursuits[pbx].lose(at)

    def looked(self, pbx: str, *, is_missing: bool) -> None:
        """Take whether no test call is to be seen there now; who does not look waits longer for one."""
        if pbx in self._pursuits:
            self._pursuits[pbx].is_missing = is_missing

    def ended(self, pbx: str, at: Instant) -> None:
        """Nothing will be heard of this PBX any more."""
        if pbx in self._pursuits:
            self._pursuits[pbx].give_up(at)
            self._news.set()

    async def probe(self, target: Target, ordered_by: str) -> Probe:
        """Place one test call and return it with its result.

        Raises:
            ProbeError: one is under way.
        """
        pbx = target.pbx
        if self.is_busy(pbx):
            raise ProbeError(text()("probe.busy", service=target.service))
        probe = Probe(
            probe_id=f"probe-{secrets.token_hex(8)}",
            site=target.site,
            service=target.service,
            pbx=pbx,
            number=target.number,
            ordered_by=ordered_by,
            ordered_at=self._now(pbx),
        )
        pursuit = self._pursuits[pbx] = Pursuit(probe, self._ring)
        self._tell(probe)
        placing = asyncio.create_task(self._place(pursuit))
        try:
            await self._decided(pursuit)
        finally:
            placing.cancel()
            del self._pursuits[pbx]
            done = pursuit.abandon(self._now(pbx))
            self._tell(done)
        await asyncio.wait({placing})
        return done

    async def _decided(self, pursuit: Pursuit) -> None:
        while pursuit.verdict(self._now(pursuit.probe.pbx)) is None:
            self._news.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._news.wait()

    async def _place(self, pursuit: Pursuit) -> None:
        try:
            answer, detail = await self._order(pursuit.probe)
        except TelemonError as error:
            answer = Answer.NO_LOGIN if isinstance(error, AmiError) else Answer.REFUSED
            detail = str(error)
        pursuit.respond(self._now(pursuit.probe.pbx), answer, detail)
        self._news.set()


class ProbeSchedule:
    """Lets a prober test each permanence at the minutes that a timetable draws.

    What cannot be done in its minute, in a crisis or beside another test, is postponed, not dropped. What was missed
    while telemon did not run is not made up for.

    Args:
        latest: when a test of the schedule was last ordered, by site and service.
        hindered: whether this permanence must not be tested now; asked in the event loop.
    """

    def __init__(
        self,
        prober: Prober,
        targets: Iterable[Target],
        timetable: Timetable,
        *,
        latest: Mapping[tuple[str, str], Instant],
        hindered: Callable[[Target], bool],
        rng: random.Random | None = None,
        clock: Callable[[], Instant] = wall_clock,
    ) -> None:
        self._prober = prober
        self._timetable = timetable
        self._hindered = hindered
        self._random = rng or random.SystemRandom()
        self._clock = clock
        self._previous = {target: latest.get((target.site, target.service)) for target in targets}
        self._tests: dict[asyncio.Task[None], str] = {}  # with the PBX, which is not busy before the task first runs
        self._scheduler = AsyncIOScheduler(timezone=UTC)

    def start(self) -> None:
        """Draw the first minute of each permanence. Called in the event loop."""
        logging.getLogger("apscheduler").setLevel(logging.ERROR)  # each job it runs is no news
        self._scheduler.start()
        for target in self._previous:
            self._draw(target)

    async def stop(self) -> None:
        """End; a test under way is told of as not seen to its end."""
        self._scheduler.shutdown(wait=False)
        for test in self._tests:
            test.cancel()
        await asyncio.gather(*self._tests, return_exceptions=True)

    def _draw(self, target: Target) -> None:
        self._plan(target, self._timetable.draw(self._clock(), self._previous[target], self._random))

    def _plan(self, target: Target, due: Instant) -> None:
        # No grace time: a job that comes late, after a suspended night, must be drawn anew rather than be lost.
        self._scheduler.add_job(
            self._begin, "date", run_date=to_datetime(due), args=(target, due), misfire_grace_time=None
        )

    async def _begin(self, target: Target, due: Instant) -> None:
        now = self._clock()
        if self._timetable.is_too_late(due, now):
            self._draw(target)
        elif self._is_busy(target.pbx) or self._is_hindered(target):
            self._plan(target, self._timetable.postpone(now, self._previous[target], self._random))
        else:
            self._previous[target] = now
            self._draw(target)
            test = asyncio.create_task(self._test(target))
            self._tests[test] = target.pbx
            test.add_done_callback(self._tests.pop)

    def _is_busy(self, pbx: str) -> bool:
        return pbx in self._tests.values() or self._prober.is_busy(pbx)

    def _is_hindered(self, target: Target) -> bool:
        try:
            return self._hindered(target)
        except TelemonError as error:
            log.warning(text()("probe.postponed", service=target.service, reason=error))
            return True

    async def _test(self, target: Target) -> None:
        try:
            await self._prober.probe(target, "schedule")
        except TelemonError as error:
            log.error(text()("probe.not_placed", service=target.service, reason=error))  # noqa: TRY400 - its text says all
