"""What Prometheus scrapes of the permanence, test calls and crisis cells; what is not known is not there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from telemon.ami.link import wall_clock
from telemon.crisis.stages import FIELDS
from telemon.duty_records import Coverage, ProbeResult, UncoveredCause
from telemon.instants import to_seconds
from telemon.night_switch import Accord

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from prometheus_client.metrics_core import Metric

    from telemon.duty.duties import Duties

_REACHED = frozenset({ProbeResult.CONFIRMED, ProbeResult.ANSWERED})


class DutyMetrics(Collector):
    """Reads everything at the scrape."""

    def __init__(self, site: str, duties: Duties) -> None:
        self._site = site
        self._duties = duties

    def describe(self) -> Iterable[Metric]:
        """Nothing beforehand: what there is depends on what is known."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Yield all families."""
        yield from self._cover()
        yield from self._roster()
        yield from self._probes()
        yield from self._crises()
        yield self._conditions()

    def _family(self, name: str, said: str, *labels: str) -> GaugeMetricFamily:
        return GaugeMetricFamily(name, said, labels=("site", *labels))

    def _cover(self) -> Iterator[Metric]:
        covered = self._family(
            "telemon_permanence_covered", "1 while somebody can be reached, 0 while nobody can.", "service"
        )
        causes = self._family(
            "telemon_permanence_uncovered", "1 for the cause by which nobody can be reached.", "service", "cause"
        )
        agrees = self._family(
            "telemon_night_switch_agrees", "1 while the PBX is open and closed as the hours say.", "service"
        )
        for service, current in self._duties.covers().items():
            covered.add_metric((self._site, service), float(current.state is Coverage.COVERED))
            for cause in UncoveredCause:
                causes.add_metric((self._site, service, cause.value), float(current.cause is cause))
        states: dict[str, set[Accord]] = {}
        for link, watch in self._duties.watches():
            for service, switch in watch.switches.items():
                states.setdefault(service, set()).add(switch.judge(link.now).state)
        for service, told in states.items():
            if told != {Accord.UNKNOWN}:
                agrees.add_metric((self._site, service), float(Accord.DISAGREES not in told))
        yield from (covered, causes, agrees)

    def _roster(self) -> Iterator[Metric]:
        staffing, now = self._duties.staffing, wall_clock()
        on_duty = self._family("telemon_officers_on_duty", "Officers on duty now.")
        present = staffing.on_duty(now)
        if present is not None:
            on_duty.add_metric((self._site,), len(present))
        hole = self._family("telemon_roster_hole_seconds", "Seconds until nobody is on duty, if that is soon.")
        if self._duties.hole is not None:
            hole.add_metric((self._site,), to_seconds(max(0, self._duties.hole.start - now)))
        readable = self._family("telemon_roster_readable", "1 while the roster's calendar can be read.")
        loaded = self._family("telemon_roster_loaded_timestamp_seconds", "When the roster was last confirmed.")
        keeper = staffing.keeper
        if keeper is not None:
            readable.add_metric((self._site,), float(keeper.problem is None))
            if keeper.loaded_at is not None:
                loaded.add_metric((self._site,), to_seconds(keeper.loaded_at))
        yield from (on_duty, hole, readable, loaded)

    def _probes(self) -> Iterator[Metric]:
        counted = CounterMetricFamily(
            "telemon_probes", "Test calls that are over, since telemon began.", labels=("site", "service", "result")
        )
        for (service, result), count in self._duties.probes.totals.items():
            counted.add_metric((self._site, service, result.value), count)
        reached = self._family("telemon_probe_reached", "1 if the latest test call was answered.", "service")
        ordered = self._family("telemon_probe_timestamp_seconds", "When the latest test call was ordered.", "service")
        delay = self._family("telemon_probe_delay_seconds", "From its order to the answer.", "service")
        interval = self._family("telemon_probe_interval_seconds", "Between two scheduled test calls.", "service")
        for service, seconds in self._duties.probes.intervals().items():
            interval.add_metric((self._site, service), seconds)
        for service, probe in self._duties.probes.latest.items():
            ordered.add_metric((self._site, service), to_seconds(probe.ordered_at))
            if probe.result is not ProbeResult.UNKNOWN:
                reached.add_metric((self._site, service), float(probe.result in _REACHED))
            if probe.delay is not None:
                delay.add_metric((self._site, service), to_seconds(probe.delay))
        yield from (counted, reached, ordered, delay, interval)

    def _crises(self) -> Iterator[Metric]:
        is_open = self._family("telemon_crisis_open", "1 while a crisis cell is ordered.", "service", "exercise")
        remaining = self._family("telemon_crisis_remaining_seconds", "What is left of the deadline.", "service")
        stages = self._family("telemon_crisis_stage", "1 for each stage that is reached.", "service", "stage")
        people = self._family("telemon_crisis_people", "People in the cell.", "service")
        plan = self._family("telemon_crisis_plan", "People it needs.", "service")
        exceeded = self._family("telemon_crisis_exceeded", "1 for each threshold exceeded.", "service", "limit")
        for service, status in self._duties.crisis.statuses.items():
            crisis = status.crisis
            is_open.add_metric((self._site, service, str(crisis.is_exercise).lower()), 1)
            remaining.add_metric((self._site, service), to_seconds(status.remaining))
            people.add_metric((self._site, service), len(status.people))
            plan.add_metric((self._site, service), crisis.plan)
            for stage, field in FIELDS.items():
                stages.add_metric((self._site, service, stage.value), float(getattr(crisis, field) is not None))
            for excess in self._duties.crisis.exceeded(service):
                exceeded.add_metric((self._site, service, excess.limit.value), 1)
        yield from (is_open, remaining, stages, people, plan, exceeded)

    def _conditions(self) -> Metric:
        family = self._family(
            "telemon_condition", "1 for each thing that somebody must know of now.", "kind", "service"
        )
        for condition in self._duties.conditions.active:
            family.add_metric((self._site, condition.key.kind.value, condition.key.service), 1)
        return family
