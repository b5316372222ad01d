"""The figures of the current periods as Prometheus reads them, and the day's as the wallboard does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from telemon.figures.forecast import Sums
from telemon.figures.spans import Span
from telemon.metrics.families import Family
from telemon.rates import Verdict
from telemon.roll_ups import Sums as Totals
from telemon.rulesets import GoalKind
from telemon.wallboard.scene import DayFigures

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from fractions import Fraction

    from telemon.figures.places import Place
    from telemon.figures.reading import Reader
    from telemon.figures.rules import Rules
    from telemon.measures import Measures
    from telemon.metrics.families import Labels
    from telemon.rates import Rate
    from telemon.roll_ups import Definition
    from telemon.rulesets import RuleSet

RATES: Final = {
    GoalKind.LOST_RATE_BELOW: "lost",
    GoalKind.ANSWER_RATE_AT_LEAST: "answered",
    GoalKind.WITHIN_RINGS_AT_LEAST: "within_rings",
}
_PERIOD: Final = ("site", "service", "rule_set", "period")
_Key = tuple[str, str, str, Span]
"""Site, service, rule set's name and period."""


class _Block(NamedTuple):
    """The lines of one service, one rule set and one period, and what they were made from."""

    counts: tuple[object, ...]
    calls: bytes
    rates: bytes
    forecast: bytes


class Page:
    """Renders what a reader knows; the lines of what did not change are kept."""

    def __init__(self, places: Sequence[Place], services: Sequence[str], rule_set: str) -> None:
        """``rule_set``: the one that the sites are judged by."""
        self._places = places
        self._services = services
        self._rule_set = rule_set
        self._blocks: dict[_Key, _Block] = {}
        self._calls = Family(
            "telemon_period_calls", "Calls of the current period, from the ledger.", (*_PERIOD, "result")
        )
        self._rates = Family(
            "telemon_period_rate",
            "Rates of the calls seen in the current period, with the bounds that calls not fully seen leave.",
            (*_PERIOD, "rate", "bound"),
        )
        self._forecast = Family(
            "telemon_period_forecast",
            "The rate at the period's end if the rest goes as the same weekdays of the last 8 weeks.",
            (*_PERIOD, "rate"),
        )
        self._observed = Family(
            "telemon_period_observed", "Observed share of the current period so far.", ("site", "period")
        )
        self._goals = Family("telemon_goal", "What a rule set promises.", ("rule_set", "rate", "sense"))
        self._max_rings = Family(
            "telemon_max_rings", "An answer keeps the promise in fewer rings than this.", ("rule_set",)
        )
        self._promise = Family("telemon_promise_info", "The rule set that a site is judged by.", ("site", "rule_set"))
        self._coverage = Family(
            "telemon_coverage",
            "Covered share of the time in which a permanence is required, in the current period so far.",
            ("site", "service", "period", "bound"),
        )

    def render(self, reader: Reader, rules: Rules, to_come: Callable[[str, str, RuleSet, Span], Sums | None]) -> bytes:
        """Return all families; ``to_come`` gives what a service may expect of the rest of a period."""
        blocks = [
            self._block(key, measures, None if key[3] is Span.DAY else to_come(*key[:2], measures.ruleset, key[3]))
            for key, measures in self._measured(reader, rules)
        ]
        rulesets = [definition.ruleset for definition in rules[Span.DAY].values()]
        return b"".join(
            [
                self._calls.join(block.calls for block in blocks),
                self._rates.join(block.rates for block in blocks),
                self._forecast.join(block.forecast for block in blocks),
                self._observed.render(self._shares(reader)),
                self._goals.render([line for ruleset in rulesets for line in _goals(ruleset)]),
                self._max_rings.render([((ruleset.name,), ruleset.max_rings) for ruleset in rulesets]),
                self._promise.render([((place.site, self._rule_set), 1) for place in self._places]),
                self._coverage.render(self._covered(reader)),
            ]
        )

    def _block(self, key: _Key, measures: Measures, rest: Sums | None) -> _Block:
        """Return one service's lines of one period; they are made anew only where something changed."""
        counts = (measures.ruleset, dict(measures.by_outcome), measures.within, measures.undecided, rest)
        known = self._blocks.get(key)
        if known is None or known.counts != counts:
            site, service, name, span = key
            labels = (site, service, name, span.value)
            foretold = [] if rest is None else _foretold(Sums.of(measures) + rest)
            known = self._blocks[key] = _Block(
                counts,
                self._calls.block([((*labels, result), count) for result, count in _results(measures)]),
                self._rates.block([((*labels, *which), value) for which, value in _bounds(measures)]),
                self._forecast.block([((*labels, rate), value) for rate, value in foretold]),
            )
        return known

    def day(self, reader: Reader, rules: Rules) -> dict[tuple[str, str], DayFigures]:
        """Return today's figures of each service of each site under the rule set that it is judged by."""
        definition = rules[Span.DAY].get(self._rule_set)
        if definition is None:
            return {}
        return {key: _day_figures(one) for key, one in self._of_services(reader, Span.DAY, definition)}

    def _measured(self, reader: Reader, rules: Rules) -> Iterator[tuple[_Key, Measures]]:
        for span in Span:
            for name, definition in rules[span].items():
                for (site, service), measures in self._of_services(reader, span, definition):
                    yield (site, service, name, span), measures

    def _of_services(
        self, reader: Reader, span: Span, definition: Definition
    ) -> Iterator[tuple[tuple[str, str], Measures]]:
        """Yield a period's measures of each service; one without calls has measures of none."""
        found = reader.measures(span, definition)
        if found is None:
            return
        empty = Totals().measures(definition)
        services = {(place.site, service) for place in self._places for service in self._services}
        for key in sorted(services | found.keys()):
            yield key, found.get(key, empty)

    def _shares(self, reader: Reader) -> Iterator[tuple[Labels, float]]:
        for place in self._places:
            for span in Span:
                gaps, length = reader.seen(place.site, span) or (0, 0)
                if length:
                    yield (place.site, span.value), 1 - gaps / length

    def _covered(self, reader: Reader) -> Iterator[tuple[Labels, float]]:
        for place in self._places:
            for service in reader.permanences:
                for span in Span:
                    rate = reader.coverage(place.site, service, span)
                    if rate is not None and rate.lower is not None and rate.upper is not None:
                        yield (place.site, service, span.value, "lower"), float(rate.lower)
                        yield (place.site, service, span.value, "upper"), float(rate.upper)


def _results(measures: Measures) -> Iterator[tuple[str, int]]:
    yield "answered", measures.answered
    yield "lost", measures.lost
    yield "within_rings", measures.within
    yield "short_abandoned", measures.short_abandoned
    yield "unknown", measures.unknown


def _bounds(measures: Measures) -> Iterator[tuple[tuple[str, str], float]]:
    for kind, name in RATES.items():
        rate = measures.rate(kind)
        for bound, value in (("measured", rate.value), ("lower", rate.lower), ("upper", rate.upper)):
            if value is not None:
                yield (name, bound), float(value)


def _foretold(sums: Sums) -> Iterator[tuple[str, float]]:
    for kind, name in RATES.items():
        value = sums.rate(kind)
        if value is not None:
            yield name, float(value)


def _goals(ruleset: RuleSet) -> Iterator[tuple[Labels, float]]:
    for goal in ruleset.goals:
        sense = "below" if goal.kind is GoalKind.LOST_RATE_BELOW else "at_least"
        yield (ruleset.name, RATES[goal.kind], sense), float(goal.limit)


def _day_figures(measures: Measures) -> DayFigures:
    return DayFigures(
        answered=measures.answered,
        lost=measures.lost,
        within=measures.within,
        lost_rate=_share(measures.lost_rate),
        within_rate=_share(measures.within_of_answered),
        keeps=_keeps(measures),
    )


def _share(rate: Rate) -> tuple[float | None, float, float] | None:
    if rate.lower is None or rate.upper is None:
        return None
    return _float(rate.value), float(rate.lower), float(rate.upper)


def _float(value: Fraction | None) -> float | None:
    return None if value is None else float(value)


def _keeps(measures: Measures) -> bool | None:
    """Return whether all goals are kept, False once one is broken; None where that is not decided."""
    verdicts = {verdict for _, verdict in measures.verdicts}
    if Verdict.BROKEN in verdicts:
        return False
    return None if Verdict.UNDECIDED in verdicts or not verdicts else True
