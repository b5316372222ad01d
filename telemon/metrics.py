"""What Prometheus scrapes. Labels are bounded: site, service, outcome, PBX, an operator's state; never a caller.

Counters and histograms count finished calls. What is true only now is read at the scrape, and only for a PBX that is
being watched: while blind, those gauges vanish instead of freezing.
"""

from __future__ import annotations

import platform
from collections import Counter as Tally
from typing import TYPE_CHECKING, Final

import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from telemon import __version__
from telemon.cadences import rings as rings_begun
from telemon.instants import to_seconds
from telemon.operators import Presence
from telemon.records import Flag, Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from prometheus_client.metrics_core import Metric

    from telemon.ami.link import Link
    from telemon.instants import Duration
    from telemon.journal.writer import Journal
    from telemon.ledger.writer import LedgerWriter
    from telemon.records import CallRecord

RING_BOUNDS: Final = (1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 16, 24, 36)
"""Whole rings: ``le="4"`` is "answered in fewer than five"."""
SECONDS_BOUNDS: Final = (1, 2.5, 5, 10, 15, 20, 25, 30, 45, 60, 90, 120, 180, 300, 600)
_SILENT: Final = frozenset({Outcome.IVR_ONLY, Outcome.CLOSED, Outcome.UNKNOWN})


class Metrics:
    """The registry and what finished calls add to it."""

    def __init__(
        self,
        site: str,
        ring_cycle: Duration,
        links: Iterable[Link],
        ledger: LedgerWriter | None,
        journals: Mapping[str, Journal] | None = None,
    ) -> None:
        prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]  # untyped in the library
        self.registry = CollectorRegistry()
        self._site = site
        self._cycle = ring_cycle
        self._calls = Counter(
            "telemon_calls",
            "Calls that are over, by outcome; probes and internal calls are not among them.",
            ("site", "service", "outcome"),
            registry=self.registry,
        )
        self._rings = Histogram(
            "telemon_call_rings",
            "Ring bursts begun before the answer, or before a lost call's end.",
            ("site", "service", "result"),
            buckets=RING_BOUNDS,
            registry=self.registry,
        )
        self._ring_seconds = Histogram(
            "telemon_call_ring_seconds",
            "From the first ring for the caller to the answer, or to a lost call's end.",
            ("site", "service", "result"),
            buckets=SECONDS_BOUNDS,
            registry=self.registry,
        )
        self._wait_seconds = Histogram(
            "telemon_call_wait_seconds",
            "From the caller's first channel to the answer, or to a lost call's end.",
            ("site", "service", "result"),
            buckets=SECONDS_BOUNDS,
            registry=self.registry,
        )
        build = Gauge("telemon_build_info", "The running version.", ("version", "python"), registry=self.registry)
        build.labels(__version__, platform.python_version()).set(1)
        self._counters: dict[tuple[str, str], Counter] = {}
        self._histograms: dict[tuple[str, str], tuple[Histogram, Histogram, Histogram]] = {}
        self.registry.register(_Live(site, ring_cycle, tuple(links), ledger, journals or {}))

    def restore(self, totals: Mapping[tuple[str, Outcome], int]) -> None:
        """Begin where the ledger stands: calls by (service, outcome)."""
        for (service, outcome), count in totals.items():
            self._counter(service, outcome).inc(count)

    def count(self, record: CallRecord) -> None:
        """Add one finished call."""
        if record.is_probe or Flag.INTERNAL in record.flags:
            return
        self._counter(record.service, record.outcome).inc()
        if record.outcome in _SILENT:
            return
        result = "answered" if record.outcome is Outcome.ANSWERED else "lost"
        rings, ring_seconds, wait_seconds = self._histograms_of(record.service, result)
        ring_duration = record.ring_duration
        if ring_duration is not None:
            rings.observe(rings_begun(ring_duration, self._cycle))
            ring_seconds.observe(to_seconds(ring_duration))
        if record.wait_duration is not None:
            wait_seconds.observe(to_seconds(record.wait_duration))

    def expose(self) -> bytes:
        """Return everything in Prometheus' text format."""
        return generate_latest(self.registry)

    # ``labels()`` takes six times as long as ``inc()``: children are kept.

    def _counter(self, service: str, outcome: str) -> Counter:
        child = self._counters.get((service, outcome))
        if child is None:
            child = self._counters[service, outcome] = self._calls.labels(self._site, service, outcome)
        return child

    def _histograms_of(self, service: str, result: str) -> tuple[Histogram, Histogram, Histogram]:
        children = self._histograms.get((service, result))
        if children is None:
            labels = (self._site, service, result)
            children = self._histograms[service, result] = (
                self._rings.labels(*labels),
                self._ring_seconds.labels(*labels),
                self._wait_seconds.labels(*labels),
            )
        return children


_Reading = tuple[str, str, "Callable[[Link], float]"]


class _Live(Collector):
    """What is true at the instant of the scrape."""

    def __init__(
        self,
        site: str,
        ring_cycle: Duration,
        links: tuple[Link, ...],
        ledger: LedgerWriter | None,
        journals: Mapping[str, Journal],
    ) -> None:
        self._journals = journals
        self._site = site
        self._cycle = ring_cycle
        self._links = links
        self._ledger = ledger

    def describe(self) -> Iterable[Metric]:
        """Nothing beforehand: what there is depends on what is being watched."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Yield all families."""
        yield from self._calls_now()
        yield self._operators_now()
        yield from self._links_now()
        if self._ledger is not None:
            yield from self._ledger_now(self._ledger)
        yield from self._journals_now()

    def _calls_now(self) -> Iterator[Metric]:
        waiting: Tally[str] = Tally()
        talking: Tally[str] = Tally()
        longest: dict[str, int] = {}
        for link in self._links:
            if not link.connected:
                continue
            for service in link.observer.tracker.numbering.services:
                waiting[service.name] += 0
                talking[service.name] += 0
            for call in link.observer.tracker.open_calls():
                if call.service is None or not call.is_outside or call.is_probe:
                    continue
                name = call.service.name
                talking[name] += call.answered_at is not None
                if call.waiting and call.alerting_at is not None:
                    waiting[name] += 1
                    rings = rings_begun(max(0, link.now - call.alerting_at), self._cycle)
                    longest[name] = max(longest.get(name, 0), rings)
        yield self._by_service("telemon_calls_waiting", "Callers for whom the switchboard rings now.", waiting)
        yield self._by_service("telemon_calls_talking", "Callers who have been answered and are not gone.", talking)
        rings_now = {name: longest.get(name, 0) for name in waiting}
        yield self._by_service(
            "telemon_longest_wait_rings", "The ring that the longest waiting caller is at.", rings_now
        )

    def _by_service(self, name: str, text: str, values: Mapping[str, int]) -> Metric:
        family = GaugeMetricFamily(name, text, labels=("site", "service"))
        for service, value in values.items():
            family.add_metric((self._site, service), value)
        return family

    def _operators_now(self) -> Metric:
        family = GaugeMetricFamily(
            "telemon_operators",
            "Operators of a service by what their line does; reachable means free to take a call.",
            labels=("site", "service", "state"),
        )
        tallies: dict[str, Tally[Presence]] = {}  # of all PBXs together: a series may be there but once
        for link in self._links:
            if not link.connected:
                continue
            for service in link.observer.tracker.numbering.services:
                presences = link.observer.board.presences(service.queues, service.operators).values()
                tallies.setdefault(service.name, Tally()).update(presences)
        for name, tally in tallies.items():
            for presence in Presence:
                family.add_metric((self._site, name, presence.value), tally[presence])
        return family

    def _links_now(self) -> Iterator[Metric]:
        gauges: tuple[_Reading, ...] = (
            ("telemon_ami_connected", "1 while events of this PBX are being received.", lambda a: float(a.connected)),
            ("telemon_ami_event_lag_seconds", "Age of the newest event when it was used.", lambda a: to_seconds(a.lag)),
            ("telemon_ami_timestamped", "1 while events carry Asterisk's own time.",
             lambda a: float(a.observer.decoder.stamped)),
        )  # fmt: skip
        counters: tuple[_Reading, ...] = (
            ("telemon_ami_events", "Events used.", lambda a: a.observer.events),
            ("telemon_ami_connects", "Logins that ended in a complete list of what exists.", lambda a: a.connects),
            ("telemon_ami_ambiguous_events", "Events dropped for a header that came twice.",
             lambda a: a.observer.decoder.ambiguous),
            ("telemon_event_errors", "Events on which telemon itself stumbled.", lambda a: a.observer.failures),
            ("telemon_ami_clock_steps", "How often this PBX's clock was set.", lambda a: a.observer.steps),
        )  # fmt: skip
        for name, text, value in gauges:
            gauge = GaugeMetricFamily(name, text, labels=("pbx",))
            for link in self._links:
                gauge.add_metric((link.peer.name,), value(link))
            yield gauge
        for name, text, value in counters:
            counter = CounterMetricFamily(name, text, labels=("pbx",))
            for link in self._links:
                counter.add_metric((link.peer.name,), value(link))
            yield counter
        yield from self._sight_now()

    def _sight_now(self) -> Iterator[Metric]:
        seeing = GaugeMetricFamily(
            "telemon_observation_seeing", "1 while calls of this PBX are seen, 0 in a gap.", labels=("pbx",)
        )
        gaps = CounterMetricFamily(
            "telemon_observation_gap_seconds",
            "Time in which this PBX was not watched, by cause, since its journal began.",
            labels=("pbx", "cause"),
        )
        for link in self._links:
            watch = link.observer.watch
            seeing.add_metric((link.peer.name,), float(not watch.is_blind))
            for cause, duration in watch.blind_durations(link.now).items():
                gaps.add_metric((link.peer.name, cause.value), to_seconds(duration))
        yield from (seeing, gaps)

    def _journals_now(self) -> Iterator[Metric]:
        gauges: tuple[tuple[str, str, Callable[[Journal], float]], ...] = (
            (
                "telemon_journal_pending_bytes",
                "Events that are not on the journal's disk yet.",
                lambda one: one.pending_bytes,
            ),
            ("telemon_journal_size_bytes", "What the journal takes on its disk.", lambda one: one.size_bytes),
            ("telemon_journal_failing", "1 while the journal cannot be written.", lambda one: float(one.failing)),
        )
        counters: tuple[tuple[str, str, Callable[[Journal], float]], ...] = (
            ("telemon_journal_written_records", "Records on the journal's disk.", lambda one: one.written_total),
            ("telemon_journal_lost_records", "Records that could not be kept.", lambda one: one.lost_total),
            ("telemon_journal_purged_segments", "Segments removed for age or space.", lambda one: one.purged_total),
        )
        for name, help_text, value in gauges:
            gauge = GaugeMetricFamily(name, help_text, labels=("pbx",))
            for pbx, journal in self._journals.items():
                gauge.add_metric((pbx,), value(journal))
            yield gauge
        for name, help_text, value in counters:
            counter = CounterMetricFamily(name, help_text, labels=("pbx",))
            for pbx, journal in self._journals.items():
                counter.add_metric((pbx,), value(journal))
            yield counter

    @staticmethod
    def _ledger_now(ledger: LedgerWriter) -> Iterator[Metric]:
        yield GaugeMetricFamily("telemon_ledger_pending_records", "Accepted, not yet written.", ledger.pending)
        yield CounterMetricFamily("telemon_ledger_written_records", "Written and committed.", ledger.written_total)
        yield CounterMetricFamily("telemon_ledger_errors", "Attempts to write that failed.", ledger.errors_total)
        yield CounterMetricFamily(
            "telemon_ledger_lost_records",
            "Records that could not be kept: too many waited, or no row can hold them.",
            ledger.dropped_total + ledger.rejected_total,
        )
