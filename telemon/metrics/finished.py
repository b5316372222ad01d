"""Counters and histograms of calls that are over, and the latest of those that were lost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from telemon.cadences import rings as rings_begun
from telemon.instants import to_seconds
from telemon.metrics.families import Family, Histogram
from telemon.records import Flag, Outcome
from telemon.rulesets import DEFAULT_LOST

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from telemon.instants import Duration, Instant
    from telemon.ledger.reading_losses import LastLoss
    from telemon.records import CallRecord

RING_BOUNDS: Final = (1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 16, 24, 36)
"""Whole rings: ``le="4"`` is "answered in fewer than five"."""
SECONDS_BOUNDS: Final = (1, 2.5, 5, 10, 15, 20, 25, 30, 45, 60, 90, 120, 180, 300, 600)
_SILENT: Final = frozenset({Outcome.IVR_ONLY, Outcome.CLOSED, Outcome.UNKNOWN})
_RESULT: Final = ("site", "service", "result")
_OUTCOME: Final = ("site", "service", "outcome")
_RESULTS: Final = ("answered", "lost")
_Loss = tuple["Instant", "int | None"]


class Finished:
    """Counts finished calls; ``sites`` are sites by call site, one that is not there is its own."""

    def __init__(self, sites: Mapping[str, str], ring_cycle: Duration) -> None:
        self._sites = sites
        self._cycle = ring_cycle
        self._known: set[tuple[str, str]] = set()
        self._counts: dict[tuple[str, str, str], int] = {}
        self._losses: dict[tuple[str, str, str], _Loss] = {}
        self._calls = Family(
            "telemon_calls_total",
            "Calls that are over, by outcome; probes and internal calls are not among them.",
            _OUTCOME,
            kind="counter",
        )
        self._rings = Histogram(
            "telemon_call_rings", "Ring bursts begun before the answer, or before a lost call's end.",
            _RESULT, RING_BOUNDS,
        )  # fmt: skip
        self._ring_seconds = Histogram(
            "telemon_call_ring_seconds", "From the first ring for the caller to the answer, or to a lost call's end.",
            _RESULT, SECONDS_BOUNDS,
        )  # fmt: skip
        self._wait_seconds = Histogram(
            "telemon_call_wait_seconds", "From the caller's first channel to the answer, or to a lost call's end.",
            _RESULT, SECONDS_BOUNDS,
        )  # fmt: skip
        self._lost_at = Family(
            "telemon_last_loss_timestamp_seconds", "When the latest call with this outcome was lost.", _OUTCOME
        )
        self._lost_rings = Family(
            "telemon_last_loss_rings", "At which ring the latest call with this outcome was lost.", _OUTCOME
        )

    def expect(self, site: str, service: str) -> None:
        """Show all series of a service from now on: of one born with its first call, Prometheus sees no increase."""
        if (site, service) in self._known:
            return
        self._known.add((site, service))
        for outcome in Outcome:
            self._counts.setdefault((site, service, outcome.value), 0)
        for result in _RESULTS:
            for family in (self._rings, self._ring_seconds, self._wait_seconds):
                family.child((site, service, result))

    def restore(self, totals: Mapping[tuple[str, str, Outcome], int]) -> None:
        """Begin where the ledger stands: calls by (call site, service, outcome)."""
        for (call_site, service, outcome), count in totals.items():
            self._add(self._site(call_site), service, outcome.value, count)

    def restore_losses(self, losses: Iterable[LastLoss]) -> None:
        """Take what the ledger has of the latest lost calls."""
        for loss in losses:
            self._note_loss((self._site(loss.call_site), loss.service, loss.outcome.value), loss.at, loss.rings)

    def count(self, record: CallRecord) -> None:
        """Add one finished call."""
        if record.is_probe or Flag.INTERNAL in record.flags:
            return
        site, outcome = self._site(record.site), record.outcome
        self._add(site, record.service, outcome.value, 1)
        ring_duration, wait_duration = record.ring_duration, record.wait_duration
        rings = None if ring_duration is None else rings_begun(ring_duration, self._cycle)
        if outcome in DEFAULT_LOST:
            lost_at = record.arrived_at if record.wait_ended_at is None else record.wait_ended_at
            self._note_loss((site, record.service, outcome.value), lost_at, rings)
        if outcome in _SILENT:
            return
        labels = (site, record.service, "answered" if outcome is Outcome.ANSWERED else "lost")
        if rings is not None and ring_duration is not None:
            self._rings.child(labels).observe(rings)
            self._ring_seconds.child(labels).observe(to_seconds(ring_duration))
        if wait_duration is not None:
            self._wait_seconds.child(labels).observe(to_seconds(wait_duration))

    def render(self) -> Iterator[bytes]:
        """Yield the text in pieces, each a short piece of work."""
        yield self._calls.render(self._counts.items())
        for family in (self._rings, self._ring_seconds, self._wait_seconds):
            yield from family.render()
        losses = self._losses
        yield self._lost_at.render([(labels, to_seconds(at)) for labels, (at, _) in losses.items()])
        yield self._lost_rings.render([(labels, rings) for labels, (_, rings) in losses.items() if rings is not None])

    def _site(self, call_site: str) -> str:
        return self._sites.get(call_site, call_site)

    def _add(self, site: str, service: str, outcome: str, count: int) -> None:
        self.expect(site, service)
        self._counts[site, service, outcome] += count

    def _note_loss(self, key: tuple[str, str, str], at: Instant, rings: int | None) -> None:
        known = self._losses.get(key)
        if known is None or at >= known[0]:
            self._losses[key] = (at, rings)
