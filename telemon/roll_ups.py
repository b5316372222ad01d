"""Roll-ups: what the calls of one service in one hour, day, month or year were under one rule set.

A roll-up's body is the additive part of ``Measures`` as JSON: counts and exact spreads, nothing estimated and nothing
rounded. So any number of them add up to the very measures that their calls would give. What is zero is left out;
``recorded`` stands there only where it differs from ``by_outcome``, and of ``by_provenance`` all but ``live``.
A spread is ``[total, longest, steps, counts]``, each step told as the distance to the one before.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from dataclasses import dataclass, fields
from hashlib import sha256
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Any, Final

from telemon.measures import Measures
from telemon.records import Outcome, Provenance
from telemon.spread import TENTH, Spread

if TYPE_CHECKING:
    from collections.abc import Mapping

    from telemon.instants import Duration
    from telemon.rulesets import RuleSet

FORM: Final = (
    1  # to be raised when ``judge``, ``Measures`` or a body changes its meaning: all roll-ups are then rebuilt
)
_COUNTS: Final = ("probes", "internal", "answered_by_machine", "within", "undecided", "uncertain")
_STEPS: Final = {"rings_answered": 1, "rings_lost": 1, "answer_times": TENTH, "waits": TENTH}
_COUNTS_NOTHING: Final = frozenset({"name", "version", "valid_from", "title_fr", "title_en", "country", "goals"})
_DIGEST_LENGTH: Final = 16


@dataclass(frozen=True, slots=True)
class Definition:
    """What a set of roll-ups counts: a rule set, its ring cycle, and the time zone of the buckets."""

    ruleset: RuleSet
    cycle: Duration
    zone: str
    digest: str

    @classmethod
    def of(cls, ruleset: RuleSet, site_cycle: Duration, zone: str) -> Definition:
        """Return the definition by which a site rolls its calls up under a rule set; the zone by its IANA key.

        Equal digests mean equal sums: names, titles and goals are no part of it, everything that counts is.
        """
        cycle = ruleset.cycle(site_cycle)
        counting = {
            field.name: _plain(getattr(ruleset, field.name))
            for field in fields(ruleset)
            if field.name not in _COUNTS_NOTHING
        }
        content = json.dumps([FORM, cycle, zone, counting], sort_keys=True)
        return cls(ruleset, cycle, zone, sha256(content.encode()).hexdigest()[:_DIGEST_LENGTH])


def definitions(rulesets: Mapping[str, tuple[RuleSet, ...]], site_cycle: Duration, zone: str) -> dict[str, Definition]:
    """Return, by digest, what a site has to roll up so that every version of every rule set can be read."""
    every = (Definition.of(ruleset, site_cycle, zone) for versions in rulesets.values() for ruleset in versions)
    return {definition.digest: definition for definition in every}


def body_of(measures: Measures) -> str:
    """Return the body of a roll-up; gaps and period are no part of it."""
    differs = measures.recorded != measures.by_outcome
    body: dict[str, Any] = {
        "by_outcome": measures.by_outcome,
        "recorded": measures.recorded if differs else {},
        "by_provenance": {key: count for key, count in measures.by_provenance.items() if key is not Provenance.LIVE},
    }
    body |= {name: getattr(measures, name) for name in _COUNTS}
    body |= {name: _packed(getattr(measures, name)) for name in _STEPS}
    return json.dumps({name: value for name, value in body.items() if value}, separators=(",", ":"))


class Sums:
    """The roll-ups of one service while they are being added up."""

    def __init__(self, *, counts_only: bool = False) -> None:
        """``counts_only``: leave the spreads empty, which most of the time would go into."""
        self._by_outcome: Counter[str] = Counter()
        self._recorded: Counter[str] = Counter()
        self._by_provenance: Counter[str] = Counter()
        self._counts: Counter[str] = Counter()
        self._spreads = {name: _SpreadSum() for name in _STEPS}
        self._summed = {} if counts_only else self._spreads

    def add(self, body: str) -> None:
        """Add one body."""
        values = json.loads(body)
        by_outcome = values.get("by_outcome", {})
        by_provenance = values.get("by_provenance", {})
        _add(self._by_outcome, by_outcome)
        _add(self._recorded, values.get("recorded", by_outcome))
        _add(self._by_provenance, by_provenance)
        self._by_provenance[Provenance.LIVE] += sum(by_outcome.values()) - sum(by_provenance.values())
        for name in _COUNTS:
            self._counts[name] += values.get(name, 0)
        for name, spread in self._summed.items():
            if name in values:
                spread.add(*values[name])

    @property
    def recorded(self) -> dict[Outcome, int]:
        """Calls by their records' own outcome."""
        return {Outcome(outcome): count for outcome, count in self._recorded.items()}

    def measures(
        self, definition: Definition, gap_duration: Duration = 0, period_duration: Duration | None = None
    ) -> Measures:
        """Return the sum, as the definition's rule set measures it.

        Raises:
            ValueError: the gaps do not fit into the period.
        """
        rest: dict[str, Any] = {name: self._counts[name] for name in _COUNTS}
        rest |= {name: spread.spread(_STEPS[name]) for name, spread in self._spreads.items()}
        return Measures(
            ruleset=definition.ruleset,
            cycle=definition.cycle,
            gap_duration=gap_duration,
            period_duration=period_duration,
            by_outcome=Counter({Outcome(outcome): count for outcome, count in self._by_outcome.items()}),
            recorded=Counter(self.recorded),
            by_provenance=Counter({Provenance(key): count for key, count in self._by_provenance.items()}),
            **rest,
        )


class _SpreadSum:
    """Spreads of one step while they are being added up."""

    __slots__ = ("_counts", "_longest", "_total")

    def __init__(self) -> None:
        self._counts: defaultdict[int, int] = defaultdict(int)
        self._total = 0
        self._longest = 0

    def add(self, total: int, longest: int, distances: list[int], counts: list[int]) -> None:
        self._total += total
        self._longest = max(self._longest, longest)
        mine = self._counts
        for step, count in zip(accumulate(distances), counts, strict=True):
            mine[step] += count

    def spread(self, step: int) -> Spread:
        return Spread(step, dict(self._counts), self._total, self._longest if self._counts else None)


def _packed(spread: Spread) -> list[Any] | None:
    """Return a spread as a body holds it; None for an empty one."""
    if not spread.counts:
        return None
    steps = sorted(spread.counts)
    distances = [steps[0], *(after - before for before, after in pairwise(steps))]
    return [spread.total, spread.longest, distances, [spread.counts[step] for step in steps]]


def _add(sums: Counter[str], counts: Mapping[str, int]) -> None:
    for key, count in counts.items():
        sums[key] += count


def _plain(value: object) -> object:
    """Return a rule set's value as JSON knows it, always in the same order."""
    return sorted(value) if isinstance(value, frozenset) else value
