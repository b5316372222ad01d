"""What is true at the instant of the scrape of calls and operators, for each service of each site."""

from __future__ import annotations

from collections import Counter as Tally
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from telemon.cadences import rings as rings_begun
from telemon.metrics.families import Family
from telemon.operators import Presence

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from telemon.ami.link import Link
    from telemon.instants import Duration
    from telemon.metrics.finished import Finished

_RINGS: Final = ("1", "2", "3", "4", "5", "6+")
_SERVICE: Final = ("site", "service")


@dataclass(slots=True)
class _Service:
    """One service of one site, all its PBXs together."""

    waiting: int = 0
    talking: int = 0
    longest: int = 0
    at_ring: list[int] = field(default_factory=lambda: [0] * len(_RINGS))
    operators: Tally[Presence] = field(default_factory=Tally)


class Live:
    """Reads the links that are up; of the others nothing is shown."""

    def __init__(self, sites: Mapping[str, str], ring_cycle: Duration, links: Iterable[Link]) -> None:
        self._cycle = ring_cycle
        self._by_site: dict[str, list[Link]] = {}
        for link in links:
            call_site = link.observer.tracker.site
            self._by_site.setdefault(sites.get(call_site, call_site), []).append(link)
        self._waiting = Family("telemon_calls_waiting", "Callers for whom the switchboard rings now.", _SERVICE)
        self._talking = Family("telemon_calls_talking", "Callers who have been answered and are not gone.", _SERVICE)
        self._longest = Family(
            "telemon_longest_wait_rings", "The ring that the longest waiting caller is at.", _SERVICE
        )
        self._ringing = Family(
            "telemon_calls_ringing", "Callers for whom it rings now, by the ring they are at.", (*_SERVICE, "ring")
        )
        self._operators = Family(
            "telemon_operators",
            "Operators of a service by what their line does; reachable means free to take a call.",
            (*_SERVICE, "state"),
        )

    def expect(self, finished: Finished) -> None:
        """Tell of every service that is configured."""
        for site, links in self._by_site.items():
            for link in links:
                for service in link.observer.tracker.numbering.services:
                    finished.expect(site, service.name)

    def render(self) -> Iterator[bytes]:
        """Yield the text in pieces, each a short piece of work: between two of them the links may go on."""
        found: dict[tuple[str, str], _Service] = {}
        for site, links in self._by_site.items():
            for link in links:
                if link.connected:
                    self._read(link, site, found)
                    yield b""
        yield self._waiting.render([(key, one.waiting) for key, one in found.items()])
        yield self._talking.render([(key, one.talking) for key, one in found.items()])
        yield self._longest.render([(key, one.longest) for key, one in found.items()])
        yield self._ringing.render(
            [
                ((*key, ring), count)
                for key, one in found.items()
                for ring, count in zip(_RINGS, one.at_ring, strict=True)
            ]
        )
        yield self._operators.render(
            [((*key, presence.value), one.operators[presence]) for key, one in found.items() for presence in Presence]
        )

    def _read(self, link: Link, site: str, found: dict[tuple[str, str], _Service]) -> None:
        tracker, board = link.observer.tracker, link.observer.board
        for service in tracker.numbering.services:
            one = found.setdefault((site, service.name), _Service())
            one.operators.update(board.presences(service.queues, service.operators).values())
        now = link.now
        for call in tracker.open_calls():
            if call.service is None or not call.is_outside or call.is_probe:
                continue
            one = found.setdefault((site, call.service.name), _Service())
            one.talking += call.answered_at is not None
            if call.waiting and call.alerting_at is not None:
                rings = rings_begun(max(0, now - call.alerting_at), self._cycle)
                one.waiting += 1
                one.at_ring[min(rings, len(_RINGS)) - 1] += 1
                one.longest = max(one.longest, rings)
