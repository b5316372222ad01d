"""Rule sets: what was promised, and how calls are read to judge it, as named, versioned, dated data.

telemon's own stand in ``rulesets.toml`` beside this module, which also says what each key means; a site adds its own
in its configuration.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from fractions import Fraction
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

from telemon.cadences import ring_cycle
from telemon.errors import ConfigError
from telemon.instants import SECOND, from_seconds
from telemon.records import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable

    from telemon.instants import Duration

DEFAULT_LOST: Final = frozenset({Outcome.ABANDONED, Outcome.UNANSWERED, Outcome.BUSY, Outcome.DIVERTED, Outcome.FAILED})
_NEVER_LOST: Final = frozenset({Outcome.ANSWERED, Outcome.UNKNOWN})
_NAME: Final = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_MAX_SHORT_ABANDON: Final = 60  # seconds; whoever waited a minute did not misdial


class Clock(StrEnum):
    """From which instant a wait is counted (DESIGN chapter 2)."""

    ARRIVAL = "arrival"
    ALERTING = "alerting"
    OPERATOR = "operator"


class AnsweredBy(StrEnum):
    """Whose answer counts as one."""

    OPERATOR = "operator"
    OPERATOR_OR_MACHINE = "operator_or_machine"


class GoalKind(StrEnum):
    """What a goal limits; "below" is strict, "at least" includes the limit itself."""

    LOST_RATE_BELOW = "lost_rate_below"
    ANSWER_RATE_AT_LEAST = "answer_rate_at_least"
    WITHIN_RINGS_AT_LEAST = "within_rings_at_least"  # share of the answered calls


@dataclass(frozen=True, slots=True)
class Goal:
    """A promised share, between 0 and 1."""

    kind: GoalKind
    limit: Fraction


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleSet:
    """One version of one rule set; ``short_abandon`` in microseconds, ``country`` None for the site's own."""

    name: str
    version: str
    valid_from: date
    title_fr: str
    title_en: str
    clock: Clock = Clock.ALERTING
    answered_by: AnsweredBy = AnsweredBy.OPERATOR
    max_rings: int = 5
    country: str | None = None
    short_abandon: Duration = 5 * SECOND
    lost: frozenset[Outcome] = DEFAULT_LOST
    goals: tuple[Goal, ...] = ()

    @property
    def label(self) -> str:
        """Name and version, as printed with every figure."""
        return f"{self.name} {self.version}"

    def cycle(self, site_cycle: Duration) -> Duration:
        """Return the ring cycle it counts by: its country's, else the site's."""
        return site_cycle if self.country is None else ring_cycle(self.country)


def load_rulesets(extra: Mapping[str, Any] | None = None) -> dict[str, tuple[RuleSet, ...]]:
    """Return telemon's rule sets and the site's own: each name with its versions, oldest first.

    ``extra`` is the site's part of its TOML: names, each with one table, or an array of tables for several versions.

    Raises:
        ConfigError: a name, key or value is not allowed, or two versions are the same or begin on one day.
    """
    shipped = _read_tables(tomllib.loads(files("telemon").joinpath("rulesets.toml").read_text(encoding="utf-8")))
    added = _read_tables(extra or {})
    taken = sorted(shipped.keys() & added.keys())
    if taken:
        raise ConfigError(f'rule set "{taken[0]}" is telemon\'s own and cannot be redefined: choose another name')
    return shipped | added


def ruleset_at(rulesets: Mapping[str, tuple[RuleSet, ...]], name: str, on: date) -> RuleSet:
    """Return the version of a rule set that is valid on a day.

    Raises:
        ConfigError: there is no such rule set, or none of its versions was valid yet.
    """
    versions = rulesets.get(name)
    if versions is None:
        raise ConfigError(f'there is no rule set "{name}": use one of {", ".join(sorted(rulesets))}')
    valid = [ruleset for ruleset in versions if ruleset.valid_from <= on]
    if not valid:
        first = versions[0]
        raise ConfigError(
            f'rule set "{name}" is not valid on {on}: {first.label} is the first, from {first.valid_from}'
        )
    return valid[-1]


def _read_tables(tables: Mapping[str, Any]) -> dict[str, tuple[RuleSet, ...]]:
    return {name: _read_versions(name, value) for name, value in tables.items()}


def _read_versions(name: str, value: object) -> tuple[RuleSet, ...]:
    if not _NAME.fullmatch(name):
        raise ConfigError(f'rule set "{name}": a name is made of a-z, 0-9 and single hyphens between them')
    given = value if isinstance(value, list) else [value]
    tables = [table for table in given if isinstance(table, Mapping)]
    if not tables or len(tables) < len(given):
        raise ConfigError(f'rule set "{name}": must be a table, or an array of tables for several versions')
    versions = sorted((_read(name, table) for table in tables), key=lambda ruleset: ruleset.valid_from)
    for key in ("version", "valid_from"):
        seen = [getattr(ruleset, key) for ruleset in versions]
        if len(set(seen)) < len(seen):
            raise ConfigError(f'rule set "{name}": two versions have the same {key}: give each its own')
    return tuple(versions)


def _read(name: str, table: Mapping[str, Any]) -> RuleSet:
    for key in table:
        if key not in _READERS:
            raise ConfigError(f'rule set "{name}": unknown key "{key}": use {", ".join(_READERS)}')
    missing = [key for key in _REQUIRED if key not in table]
    if missing:
        raise ConfigError(f'rule set "{name}": {missing[0]} is missing')
    values: dict[str, Any] = {}
    for key, value in table.items():
        read, allowed = _READERS[key]
        try:
            values[_FIELDS.get(key, key)] = read(value)
        except (ValueError, TypeError, ConfigError) as error:
            raise ConfigError(f'rule set "{name}": {key} = {value!r}: must be {allowed}') from error
    ruleset = RuleSet(name=name, **values)
    if ruleset.clock is Clock.OPERATOR and ruleset.answered_by is AnsweredBy.OPERATOR_OR_MACHINE:
        raise ConfigError(
            f'rule set "{name}": answered_by = "operator_or_machine" needs the clock "arrival" or "alerting": '
            "a machine's answer rings no operator's phone"
        )
    return ruleset


def _text(value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError
    return value


def _day(value: object) -> date:
    if not isinstance(value, date) or isinstance(value, datetime):
        raise TypeError
    return value


def _rings(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ValueError
    return value


def _country(value: object) -> str:
    country = _text(value).upper()
    ring_cycle(country)
    return country


def _exact(value: object, maximum: int) -> Fraction:
    """Take a number as it was written: 0.1 is a tenth, not the binary fraction next to it."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError
    number = Fraction(str(value))
    if not 0 <= number <= maximum:
        raise ValueError
    return number


def _short_abandon(value: object) -> Duration:
    return from_seconds(float(_exact(value, _MAX_SHORT_ABANDON)))


def _lost(value: object) -> frozenset[Outcome]:
    if not isinstance(value, list) or not value:
        raise TypeError
    outcomes = frozenset(Outcome(outcome) for outcome in value)
    if outcomes & _NEVER_LOST:
        raise ValueError
    return outcomes


def _goals(value: object) -> tuple[Goal, ...]:
    if not isinstance(value, Mapping):
        raise TypeError
    return tuple(Goal(GoalKind(kind), _exact(limit, 1)) for kind, limit in value.items())


def _one_of(kinds: type[StrEnum]) -> str:
    return "one of " + ", ".join(kinds)


_COULD_BE_LOST: Final = ", ".join(outcome for outcome in Outcome if outcome not in _NEVER_LOST)
_READERS: Final[dict[str, tuple[Callable[[Any], Any], str]]] = {
    "version": (_text, 'a text, e.g. "2026.1"'),
    "valid_from": (_day, "a day without quotes, e.g. 2026-01-01"),
    "title_fr": (_text, "a text"),
    "title_en": (_text, "a text"),
    "clock": (Clock, _one_of(Clock)),
    "answered_by": (AnsweredBy, _one_of(AnsweredBy)),
    "max_rings": (_rings, "a whole number of rings, at least 1"),
    "country": (_country, 'the code of a country whose ring cadence is known, e.g. "FR"'),
    "short_abandon_seconds": (_short_abandon, f"a number of seconds from 0 to {_MAX_SHORT_ABANDON}"),
    "lost": (_lost, f"a list of one or more of {_COULD_BE_LOST}"),
    "goals": (_goals, f"a table of {', '.join(GoalKind)}, each a share from 0 to 1, e.g. 0.85"),
}
_REQUIRED: Final = ("version", "valid_from", "title_fr", "title_en")
_FIELDS: Final = {"short_abandon_seconds": "short_abandon"}
