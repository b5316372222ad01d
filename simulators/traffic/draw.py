"""From a scenario and a seed to planned calls, in order of time."""

from __future__ import annotations

import random
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Final

from simulators.plan import Plan, PlannedCall, PlannedPause
from simulators.site import PREFECTURE
from simulators.traffic.agenda import Agenda
from simulators.traffic.almanac import Almanac
from simulators.traffic.arrivals import arrivals
from simulators.traffic.callers import LiveCall
from simulators.traffic.people import People
from simulators.traffic.rota import pauses
from simulators.traffic.switchboard import Switchboard
from telemon.errors import TelemonError
from telemon.records import Outcome
from telemon.texts import text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from simulators.site import Site
    from simulators.traffic.scenario import Scenario
    from telemon.records import EndedBy

# DESIGN chapter 2: the outcomes of those who asked for somebody in vain, and may try again.
_LOST: Final = frozenset({Outcome.ABANDONED, Outcome.UNANSWERED, Outcome.BUSY, Outcome.DIVERTED, Outcome.FAILED})


def stream(
    scenario: Scenario,
    *,
    seed: int,
    site: Site = PREFECTURE,
    starts_at: float | None = None,
    squeeze: float = 1.0,
    limit: int | None = None,
) -> Iterator[PlannedCall | PlannedPause]:
    """Yield calls and pauses in order of ``arrives_at`` and ``begins``; memory does not grow with their number.

    Pure: the same arguments yield the same plan.

    Args:
        scenario: what is to happen.
        seed: any integer.
        site: the switchboard; every service of the scenario is one of its lines.
        starts_at: Unix seconds at which the scenario's calendar begins; its own date by default.
        squeeze: divides the time between arrivals, talks, holds, transfers, messages, wrap-up, pauses and the delay
            of retries. Reactions, patience, announcements and the queues' own times stay real: they are measured.
        limit: only so many calls are made.

    Raises:
        TelemonError: the scenario names a service or phone that the site has not, or ``squeeze`` is not above 0.
    """
    if squeeze <= 0:
        raise TelemonError(text()("sim_traffic.bad_squeeze", squeeze=squeeze))
    _check(scenario, site)
    starts_at = scenario.starts_at if starts_at is None else starts_at
    return _Play(scenario, seed, site, starts_at, squeeze, limit).items()


def draw(
    scenario: Scenario,
    *,
    seed: int,
    site: Site = PREFECTURE,
    starts_at: float | None = None,
    squeeze: float = 1.0,
    limit: int | None = None,
) -> Plan:
    """Return the whole plan at once; arguments and errors as of ``stream``."""
    items = tuple(stream(scenario, seed=seed, site=site, starts_at=starts_at, squeeze=squeeze, limit=limit))
    return Plan(
        scenario=scenario.name,
        seed=seed,
        starts_at=scenario.starts_at if starts_at is None else starts_at,
        calls=tuple(item for item in items if isinstance(item, PlannedCall)),
        pauses=tuple(item for item in items if isinstance(item, PlannedPause)),
    )


def _check(scenario: Scenario, site: Site) -> None:
    services = {line.service for line in site.lines}
    queued = {phone for line in site.lines for _, phones in zip(line.queues, line.phones, strict=False)
              for phone in phones}  # fmt: skip
    operators = scenario.operators
    named = (
        ("services", scenario.services, services),
        ("operators.phones", operators.phones, set(site.phones)),
        ("operators.rota", [phone for shift in operators.rota for phone in shift.phones], set(site.operators)),
        ("flapping", [flapping.phone for flapping in scenario.flapping], queued),
    )
    for key, names, known in named:
        for name in names:
            if name not in known:
                values = {"scenario": scenario.name, "key": key, "site": site.name, "name": name}
                raise TelemonError(text()("sim_traffic.wrong_site", **values, known=", ".join(sorted(known))))


class _Play:
    """One play of a scenario. Items come out in order as soon as all before them are decided."""

    def __init__(
        self, scenario: Scenario, seed: int, site: Site, starts_at: float, squeeze: float, limit: int | None
    ) -> None:
        self._starts_at, self._squeeze, self._limit = starts_at, squeeze, limit
        self._ends = scenario.lasts / squeeze
        self._lines = {line.service: line for line in site.lines}
        self._almanac = Almanac(scenario)
        self._people = People(scenario, site, random.Random(f"{seed}/people"), squeeze)
        self._arrivals = arrivals(scenario, self._almanac, starts_at, random.Random(f"{seed}/arrivals"))
        self._pauses = pauses(scenario, self._almanac, site, starts_at, seed)
        self._agenda = Agenda()
        wrap_up = scenario.operators.wrap_up_seconds / squeeze
        self._switchboard = Switchboard(site, self._agenda, wrap_up=wrap_up, over=self._over)
        self._made = 0
        self._under_way = 0
        self._callers: set[str] = set()  # numbers that call now, or will again
        self._items: deque[LiveCall | PlannedPause] = deque()

    def items(self) -> Iterator[PlannedCall | PlannedPause]:
        """Play it through."""
        self._await_arrival()
        self._await_pause()
        while not self._is_complete() and self._agenda.step():
            while self._items:
                item = self._items[0]
                decided = item.planned if isinstance(item, LiveCall) else item
                if decided is None:
                    break
                self._items.popleft()
                yield decided

    def _is_complete(self) -> bool:
        return self._limit is not None and self._made >= self._limit and not self._under_way

    def _await_arrival(self) -> None:
        coming = next(self._arrivals, None)
        if coming is not None:
            at, service = coming
            self._agenda.at(round(at / self._squeeze, 3), partial(self._first_try, service))

    def _first_try(self, service: str, now: float) -> None:
        self._await_arrival()
        number = self._people.number()
        while number in self._callers:
            number = self._people.number()
        self._callers.add(number)
        self._arrives(service, number, now)

    def _arrives(self, service: str, number: str, now: float) -> None:
        if self._limit is not None and self._made >= self._limit:
            return
        self._made += 1
        self._under_way += 1
        line = self._lines[service]
        call = LiveCall(f"c{self._made:06d}", line, self._people.intent(number, line), now)
        call.closed = not self._almanac.is_open(service, self._starts_at + now * self._squeeze)
        self._items.append(call)
        self._switchboard.arrive(call, now)

    def _over(self, call: LiveCall, now: float, ended_by: EndedBy) -> None:
        self._under_way -= 1
        planned = call.finish(now, ended_by)
        assert planned.expected is not None
        retry_after = self._people.retry_after() if planned.expected.outcome in _LOST else None
        if retry_after is None or now + retry_after >= self._ends:
            self._callers.discard(planned.caller)
            return
        again = partial(self._arrives, planned.service, planned.caller)
        self._agenda.at(round(now + retry_after, 3), again)

    def _await_pause(self) -> None:
        pause = next(self._pauses, None)
        if pause is not None:
            begins, ends = round(pause.begins / self._squeeze, 3), round(pause.ends / self._squeeze, 3)
            squeezed = PlannedPause(phone=pause.phone, begins=begins, ends=ends, reason=pause.reason)
            self._agenda.at(begins, partial(self._pauses_now, squeezed))

    def _pauses_now(self, pause: PlannedPause, _now: float) -> None:
        self._await_pause()
        self._items.append(pause)
        self._switchboard.pause(pause.phone, ends=False)
        self._agenda.at(pause.ends, lambda _: self._switchboard.pause(pause.phone, ends=True))
