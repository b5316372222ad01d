"""What was promised, measured over any set of finished calls, in one pass, under one rule set.

Of the calls under a rule set let A be answered, L lost, S abandoned so soon that the rule set does not count them as
lost, and U unknown (their end was not seen). N asked for an operator in vain: every outcome but answered,
``ivr_only``, ``closed``, S and U, whether the rule set calls it lost or not. Of the answered calls W kept the ring
promise, and of D that cannot be told, because their times were not seen exactly. The rates, with their bounds
(``telemon.rates``):

==================  =============  ===================  =======================
rate                value          lower                upper
==================  =============  ===================  =======================
lost_rate           L / (L+A)      L / (L+A+U)          (L+S+U) / (L+A+S+U)
answer_rate         A / (A+N)      A / (A+N+S+U)        (A+U) / (A+N+U)
within_of_answered  W / (A-D)      W / (A+U)            (W+D+U) / (A+U)
within_of_counted   W / (A+L-D)    W / (A+L+S+U)        (W+D+U) / (A+L+U)
==================  =============  ===================  =======================

**Gaps.** Of calls that came and went in a gap nothing is known, not even how many: no bound on them is certain. The
rates are therefore those of the calls seen. For a verdict on the whole period one assumption is made, that calls were
as frequent in the gaps as outside, and none about how they ended: with s the observed share of the period, the bounds
become s * lower and s * upper + (1 - s). Nothing observed, nothing decided.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from fractions import Fraction
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final, TypeVar

from telemon.cadences import rings
from telemon.errors import ConfigError
from telemon.instants import SECOND, to_seconds
from telemon.judgement import judge
from telemon.rates import Rate
from telemon.records import Flag, Outcome
from telemon.rulesets import GoalKind
from telemon.spread import TENTH, Spread, SpreadCounter

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Sequence

    from telemon.instants import Duration
    from telemon.judgement import Judgement
    from telemon.rates import Verdict
    from telemon.records import CallRecord, Provenance
    from telemon.rulesets import Goal, RuleSet

_ADDITIVE: Final = (
    "gap_duration", "by_outcome", "recorded", "by_provenance", "probes", "internal", "answered_by_machine",
    "within", "undecided", "uncertain", "rings_answered", "rings_lost", "answer_times", "waits",
)  # fmt: skip
_Key = TypeVar("_Key", bound="Hashable")
_ASKED_FOR_NOBODY: Final = frozenset({Outcome.IVR_ONLY, Outcome.CLOSED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Measures:
    """What a set of calls was under a rule set; counts and sums are exact, percentiles as ``Spread`` says.

    ``by_outcome`` is under the rule set's own reading, ``recorded`` is what the same calls' records say, and
    ``by_provenance`` where those records come from. ``within`` of the answered calls were answered in fewer than
    ``max_rings`` rings, for ``undecided`` of them that cannot be told, and ``uncertain`` have no certain ring number
    (they are in no spread of rings). ``answer_times`` are the answered calls' under the rule set's clock, ``waits``
    those of all answered and lost calls from their arrival; both hold only calls whose times were seen exactly.
    """

    ruleset: RuleSet
    cycle: Duration
    gap_duration: Duration
    period_duration: Duration | None
    by_outcome: Counter[Outcome]
    recorded: Counter[Outcome]
    by_provenance: Counter[Provenance]
    probes: int
    internal: int
    answered_by_machine: int
    within: int
    undecided: int
    uncertain: int
    rings_answered: Spread
    rings_lost: Spread
    answer_times: Spread
    waits: Spread

    def __post_init__(self) -> None:
        """Refuse gaps longer than the period."""
        if self.gap_duration < 0 or self.gap_duration > (self.period_duration or 0):
            raise ValueError(f"gaps of {self.gap_duration} µs do not fit into a period of {self.period_duration} µs")

    @property
    def offered(self) -> int:
        """Every call but probes and internal ones."""
        return sum(self.by_outcome.values())

    @property
    def excluded(self) -> int:
        """Probes and internal calls, which count nowhere."""
        return self.probes + self.internal

    @property
    def answered(self) -> int:
        """A: calls answered, by whom the rule set says."""
        return self.by_outcome[Outcome.ANSWERED]

    @property
    def lost(self) -> int:
        """L: calls whose outcome the rule set calls lost."""
        return sum(self.by_outcome[outcome] for outcome in self.ruleset.lost)

    @property
    def short_abandoned(self) -> int:
        """Calls abandoned before the rule set's threshold."""
        return self.by_outcome[Outcome.SHORT_ABANDONED]

    @property
    def unknown(self) -> int:
        """U: calls not answered so far as seen, whose end was not seen."""
        return self.by_outcome[Outcome.UNKNOWN]

    @property
    def _spared(self) -> int:
        """S: short abandons that are not lost under the rule set."""
        return 0 if Outcome.SHORT_ABANDONED in self.ruleset.lost else self.short_abandoned

    @property
    def asked(self) -> int:
        """Calls that asked for an operator, short abandons included; of unknown ones that is not known."""
        return self.offered - self.unknown - sum(self.by_outcome[outcome] for outcome in _ASKED_FOR_NOBODY)

    @property
    def observed_share(self) -> Fraction | None:
        """How much of the period was observed; None where no period was given."""
        if not self.period_duration:
            return None
        return 1 - Fraction(self.gap_duration, self.period_duration)

    @property
    def lost_rate(self) -> Rate:
        """Lost ÷ (lost + answered)."""
        unknown = self.unknown
        return Rate.of(self.lost, self.lost + self.answered, out=unknown, into=self._spared + unknown)

    @property
    def answer_rate(self) -> Rate:
        """Answered ÷ calls that asked for an operator."""
        unknown = self.unknown
        return Rate.of(self.answered, self.asked - self._spared, out=self._spared + unknown, into=unknown)

    @property
    def within_of_answered(self) -> Rate:
        """Answered in fewer than ``max_rings`` rings ÷ answered."""
        maybe = self.undecided + self.unknown
        return Rate.of(self.within, self.answered - self.undecided, out=maybe, into=maybe)

    @property
    def within_of_counted(self) -> Rate:
        """Answered in fewer than ``max_rings`` rings ÷ (answered + lost)."""
        return self._of_counted(self.within, self.undecided)

    def service_level(self, threshold: Duration) -> Rate:
        """Answered in less than ``threshold`` (microseconds) under the rule set's clock ÷ (answered + lost).

        Its bounds are those of ``within_of_counted``, D being the answered calls whose time was not seen exactly.

        Raises:
            ConfigError: the threshold is no positive multiple of 0.1 s, by which durations are counted.
        """
        if threshold <= 0 or threshold % TENTH:
            seconds = to_seconds(threshold)
            raise ConfigError(f"service level within {seconds} s: choose a threshold above 0, in tenths of a second")
        return self._of_counted(self.answer_times.below(threshold), self.answered - self.answer_times.count)

    def _of_counted(self, good: int, undecided: int) -> Rate:
        maybe = undecided + self.unknown
        return Rate.of(good, self.answered + self.lost - undecided, out=maybe + self._spared, into=maybe)

    @property
    def asa_seconds(self) -> float | None:
        """Average speed of answer under the rule set's clock."""
        mean = self.answer_times.mean
        return None if mean is None else mean / SECOND

    @property
    def asa_rings(self) -> float | None:
        """Average number of rings of the answered calls."""
        return self.rings_answered.mean

    def rate(self, kind: GoalKind) -> Rate:
        """Return the rate that a goal of this kind limits."""
        if kind is GoalKind.LOST_RATE_BELOW:
            return self.lost_rate
        return self.answer_rate if kind is GoalKind.ANSWER_RATE_AT_LEAST else self.within_of_answered

    def verdict(self, goal: Goal) -> Verdict:
        """Judge one goal over the whole period, its gaps included (module docstring)."""
        share = self.observed_share
        rate = self.rate(goal.kind)
        return (rate if share is None else rate.widened(share)).verdict(goal)

    @property
    def verdicts(self) -> tuple[tuple[Goal, Verdict], ...]:
        """Every goal of the rule set with its verdict."""
        return tuple((goal, self.verdict(goal)) for goal in self.ruleset.goals)


def measure(
    calls: Iterable[CallRecord],
    ruleset: RuleSet,
    cycle: Duration,
    gap_duration: Duration = 0,
    period_duration: Duration | None = None,
) -> Measures:
    """Measure calls under a rule set; durations in microseconds, ``cycle`` as ``ruleset.cycle()`` gives it.

    Raises:
        ValueError: the cycle is not positive, or the gaps do not fit into the period.
    """
    tally = _Tally(ruleset, cycle)
    for call in calls:
        tally.add(call)
    return tally.measures(gap_duration, period_duration)


def measure_by(
    calls: Iterable[CallRecord],
    key: Callable[[CallRecord], _Key],
    ruleset: RuleSet,
    cycle: Duration,
    *,
    gap_duration: Duration = 0,
    period_duration: Duration | None = None,
) -> dict[_Key, Measures]:
    """Measure each group of calls that ``key`` makes, as ``measure`` does, in one pass."""
    (measured,) = _tallied(calls, key, [(ruleset, cycle)])
    return {group: tally.measures(gap_duration, period_duration) for group, tally in measured.items()}


def measure_under(
    calls: Iterable[CallRecord],
    key: Callable[[CallRecord], _Key],
    rules: Sequence[tuple[RuleSet, Duration]],
) -> list[dict[_Key, Measures]]:
    """Measure each group under several rule sets, each with its ring cycle, in one pass; no call is kept."""
    return [
        {group: tally.measures(0, None) for group, tally in tallies.items()} for tallies in _tallied(calls, key, rules)
    ]


def _tallied(
    calls: Iterable[CallRecord], key: Callable[[CallRecord], _Key], rules: Sequence[tuple[RuleSet, Duration]]
) -> list[dict[_Key, _Tally]]:
    tallied: list[dict[_Key, _Tally]] = [{} for _ in rules]
    for call in calls:
        group = key(call)
        for tallies, (ruleset, cycle) in zip(tallied, rules, strict=True):
            tally = tallies.get(group)
            if tally is None:
                tally = tallies[group] = _Tally(ruleset, cycle)
            tally.add(call)
    return tallied


def measure_by_service(
    calls: Iterable[CallRecord],
    ruleset: RuleSet,
    cycle: Duration,
    *,
    gap_duration: Duration = 0,
    period_duration: Duration | None = None,
) -> dict[str, Measures]:
    """Measure each service's calls, as ``measure`` does."""
    return measure_by(
        calls, attrgetter("service"), ruleset, cycle, gap_duration=gap_duration, period_duration=period_duration
    )


def merge(a: Measures, b: Measures) -> Measures:
    """Return what both sets of calls together measure: exactly the measures of their union.

    Raises:
        ValueError: they follow different rule sets or ring cycles, or only one names its period.
    """
    if a.ruleset != b.ruleset or a.cycle != b.cycle:
        raise ValueError(f"measures under {a.ruleset.label} and {b.ruleset.label}, or two ring cycles, do not add up")
    if (a.period_duration is None) != (b.period_duration is None):
        raise ValueError("measures with and without a period do not add up")
    period = None if a.period_duration is None or b.period_duration is None else a.period_duration + b.period_duration
    sums: dict[str, Any] = {name: getattr(a, name) + getattr(b, name) for name in _ADDITIVE}
    return Measures(ruleset=a.ruleset, cycle=a.cycle, period_duration=period, **sums)


class _Tally:
    """Measures while they are being counted."""

    def __init__(self, ruleset: RuleSet, cycle: Duration) -> None:
        if cycle <= 0:
            raise ValueError(f"a ring cycle of {cycle} µs is none")
        self._ruleset = ruleset
        self._cycle = cycle
        self._by_outcome: Counter[Outcome] = Counter()
        self._recorded: Counter[Outcome] = Counter()
        self._by_provenance: Counter[Provenance] = Counter()
        self._probes = self._internal = self._by_machine = 0
        self._within = self._undecided = self._uncertain = 0
        self._rings_answered = SpreadCounter(1)
        self._rings_lost = SpreadCounter(1)
        self._answer_times = SpreadCounter(TENTH)
        self._waits = SpreadCounter(TENTH)

    def add(self, call: CallRecord) -> None:
        if call.is_probe:
            self._probes += 1
            return
        if Flag.INTERNAL in call.flags:
            self._internal += 1
            return
        judgement = judge(call, self._ruleset)
        self._by_outcome[judgement.outcome] += 1
        self._recorded[call.outcome] += 1
        self._by_provenance[call.provenance] += 1
        if judgement.outcome is Outcome.ANSWERED:
            self._by_machine += judgement.by_machine
            self._add_answered(judgement)
        elif judgement.outcome in self._ruleset.lost:
            number = self._certain_rings(judgement)
            if number is not None:
                self._rings_lost.add(number)
        else:
            return
        if judgement.wait is not None:
            self._waits.add(judgement.wait)

    def _certain_rings(self, judgement: Judgement) -> int | None:
        if judgement.at_least is None or judgement.at_most is None:
            return None
        number = rings(judgement.at_least, self._cycle)
        return number if number == rings(judgement.at_most, self._cycle) else None

    def _add_answered(self, judgement: Judgement) -> None:
        at_least, at_most, limit = judgement.at_least, judgement.at_most, self._ruleset.max_rings
        if at_most is not None and rings(at_most, self._cycle) < limit:
            self._within += 1
        elif at_least is None or rings(at_least, self._cycle) < limit:
            self._undecided += 1
        number = self._certain_rings(judgement)
        if number is None:
            self._uncertain += 1
            return
        self._rings_answered.add(number)
        if at_least is not None and at_least == at_most:
            self._answer_times.add(at_least)

    def measures(self, gap_duration: Duration, period_duration: Duration | None) -> Measures:
        return Measures(
            ruleset=self._ruleset,
            cycle=self._cycle,
            gap_duration=gap_duration,
            period_duration=period_duration,
            by_outcome=Counter(self._by_outcome),
            recorded=Counter(self._recorded),
            by_provenance=Counter(self._by_provenance),
            probes=self._probes,
            internal=self._internal,
            answered_by_machine=self._by_machine,
            within=self._within,
            undecided=self._undecided,
            uncertain=self._uncertain,
            rings_answered=self._rings_answered.spread(),
            rings_lost=self._rings_lost.spread(),
            answer_times=self._answer_times.spread(),
            waits=self._waits.spread(),
        )
