"""How the switchboards stand: calls under way, operators, blindness, as their links know it now.

A PBX of which nothing was heard since the last look is not looked at again: with a hundred of them, most are so.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from itertools import count
from typing import TYPE_CHECKING, Final, NamedTuple

from telemon.calls import Phase
from telemon.instants import SECOND
from telemon.wallboard.scene import Blind, CallNow, CallState, PbxHealth, ServiceNow

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from telemon.ami.link import Link
    from telemon.calls import Call
    from telemon.instants import Duration, Instant

CLOCKS_APART: Final[Duration] = SECOND // 10  # by how much a PBX's clock may wander before its calls are shown anew
LOOK_SECONDS: Final = 0.004  # how long the event loop may be held at a time
_STATES: Final = {
    Phase.ALERTING: CallState.WAITING,
    Phase.ARRIVED: CallState.MACHINE,
    Phase.WITH_MACHINE: CallState.MACHINE,
}


class Stand(NamedTuple):
    """All PBXs together."""

    services: tuple[ServiceNow, ...]
    calls: tuple[CallNow, ...]
    blind: tuple[Blind, ...]
    pbx: tuple[PbxHealth, ...]


class _Seen(NamedTuple):
    services: tuple[ServiceNow, ...]
    calls: tuple[CallNow, ...]


class Standing:
    """Looks at every link.

    Args:
        links: of all PBXs.
        sites: the site of each PBX, by its name.
    """

    def __init__(self, links: Sequence[Link], sites: Mapping[str, str]) -> None:
        self._ones = [_One(link, sites[link.peer.name]) for link in links]

    async def look(self, now: Instant) -> Stand:
        """Return what is so now, at this instant of our own clock; others get their turn in between."""
        loop = asyncio.get_running_loop()
        began, seen = loop.time(), []
        for one in self._ones:
            seen.append(one.look(now))
            if loop.time() - began > LOOK_SECONDS:
                await asyncio.sleep(0)
                began = loop.time()
        return Stand(
            _together(service for part in seen for service in part.services),
            tuple(call for part in seen for call in part.calls),
            tuple(blind for one in self._ones if (blind := one.blind()) is not None),
            tuple(one.health() for one in self._ones),
        )


class _One:
    """One PBX, as it was seen the last time."""

    def __init__(self, link: Link, site: str) -> None:
        self._link = link
        self._site = site
        self._shift: Duration = 0  # from the PBX's clock to ours
        self._known: tuple[object, ...] = ()
        self._seen = _Seen((), ())
        self._names: dict[str, str] = {}  # of calls, by what must not be shown
        self._numbers = count(1)

    def look(self, now: Instant) -> _Seen:
        link = self._link
        apart = now - link.now
        if abs(apart - self._shift) > CLOCKS_APART:
            self._shift = apart
        observer = link.observer
        known = (observer.events, link.connected, observer.watch.current, observer.tracker.numbering, self._shift)
        if known != self._known:
            self._known = known
            self._seen = self._read()
        return self._seen

    def blind(self) -> Blind | None:
        watch = self._link.observer.watch
        if not watch.is_blind:
            return None
        current = watch.current
        since = None if current is None else self._ours(current.started_at)
        return Blind(self._link.peer.name, self._site, since, None if current is None else current.cause)

    def health(self) -> PbxHealth:
        return PbxHealth(self._link.peer.name, self._site, self._link.connected)

    def _ours(self, at: Instant) -> Instant:
        return at + self._shift

    def _read(self) -> _Seen:
        tracker = self._link.observer.tracker
        if not self._link.connected:
            return _Seen(
                tuple(
                    ServiceNow(self._site, service.name, service.kind, None, None, None, None)
                    for service in tracker.numbering.services
                ),
                (),
            )
        calls = [call for call in tracker.open_calls() if call.is_outside and not call.is_probe]
        rows = {call.call_id: self._row(call) for call in calls}
        self._names = {call_id: row.call for call_id, row in rows.items()}
        return _Seen(self._services(rows.values()), tuple(rows.values()))

    def _row(self, call: Call) -> CallNow:
        assert call.service is not None  # open_calls() gives no others
        return CallNow(
            self._names.get(call.call_id) or f"{self._link.peer.name}-{next(self._numbers)}",
            self._site,
            call.service.name,
            self._ours(call.arrived_at),
            None if call.alerting_at is None else self._ours(call.alerting_at),
            _STATES.get(call.phase, CallState.TALKING),
            call.caller,
            call.answered_by,
        )

    def _services(self, calls: Iterable[CallNow]) -> tuple[ServiceNow, ...]:
        waiting: dict[str, list[Instant]] = {}
        talking: Counter[str] = Counter()
        for call in calls:
            if call.state is CallState.WAITING and call.alerting_at is not None:
                waiting.setdefault(call.service, []).append(call.alerting_at)
            talking[call.service] += call.state is CallState.TALKING
        return tuple(
            ServiceNow(
                self._site,
                service.name,
                service.kind,
                len(waiting.get(service.name, ())),
                talking[service.name],
                min(waiting.get(service.name, ()), default=None),
                Counter(self._link.observer.board.presences(service.queues, service.operators).values()),
            )
            for service in self._link.observer.tracker.numbering.services
        )


def _together(services: Iterable[ServiceNow]) -> tuple[ServiceNow, ...]:
    """Put the services of each site together, where it has several PBXs; what one of them does not see is not shown."""
    found: dict[tuple[str, str], ServiceNow] = {}
    for service in services:
        key = service.site, service.service
        found[key] = _joined(found[key], service) if key in found else service
    return tuple(found.values())


def _joined(one: ServiceNow, other: ServiceNow) -> ServiceNow:
    if one.operators is None or other.operators is None:
        return one if other.operators is None else other
    since = [at for at in (one.longest_since, other.longest_since) if at is not None]
    return one._replace(
        waiting=(one.waiting or 0) + (other.waiting or 0),
        talking=(one.talking or 0) + (other.talking or 0),
        longest_since=min(since, default=None),
        operators=Counter(one.operators) + Counter(other.operators),
    )
