"""The figures of a crisis from the ledger: its report, and how its line has been of late."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple

from telemon.cadences import ring_cycle
from telemon.crisis.report import MINUTE, crisis_report, end_of, readable_step
from telemon.crisis.stages import LineNow
from telemon.gaps import gaps_of
from telemon.instants import to_datetime
from telemon.ledger.reader import read_calls, read_observations
from telemon.ledger.roll_ups import Stretch, read_measures
from telemon.measures import measure
from telemon.roll_ups import Definition
from telemon.rulesets import load_rulesets, ruleset_at

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import Engine

    from telemon.config import Config
    from telemon.crisis.report import CrisisReport
    from telemon.crisis.stages import CrisisStatus
    from telemon.duty_records import Crisis, CrisisMember
    from telemon.gaps import Gap
    from telemon.instants import Duration, Instant
    from telemon.measures import Measures
    from telemon.records import CallRecord
    from telemon.rulesets import RuleSet

LATELY: Final[Duration] = 5 * MINUTE


class LineFigures(NamedTuple):
    """The calls of a crisis that are over: all of them, and those that arrived in the last ``LATELY``."""

    since_the_order: Measures
    lately: Measures


def draw_up(
    engine: Engine,
    settings: Config,
    crisis: Crisis,
    members: Sequence[CrisisMember],
    *,
    now: Instant,
    step: Duration | None = None,
) -> CrisisReport:
    """Draw up a crisis's report under the site's rule set; by default in a step that leaves a readable curve.

    Raises:
        LedgerError: the database cannot be read.
    """
    end = end_of(crisis, now)
    rules = _rules(settings, crisis)
    gaps: list[Gap] = []
    for pbx in settings.pbx if end > crisis.ordered_at else ():
        seen = read_observations(engine, pbx.name, crisis.ordered_at, end)
        gaps += gaps_of(seen, crisis.ordered_at, end, now, pbx=pbx.name)
    return crisis_report(
        crisis,
        members,
        _calls(engine, settings, crisis, crisis.ordered_at, end),
        gaps,
        now=now,
        ruleset=rules,
        cycle=rules.cycle(ring_cycle(settings.country)),
        step=readable_step(end - crisis.ordered_at) if step is None else step,
        pbxs=len(settings.pbx),
    )


def line_figures(engine: Engine, settings: Config, status: CrisisStatus) -> LineFigures:
    """Measure the line up to now.

    Raises:
        LedgerError: the database cannot be read.
    """
    crisis = status.crisis
    definition = Definition.of(_rules(settings, crisis), ring_cycle(settings.country), settings.timezone)
    sites, end = _sites(settings), end_of(crisis, status.now)

    def measured(start: Instant) -> Measures:
        by_service = read_measures(engine, Stretch(sites, start, end, crisis.service), definition)
        return by_service.get(crisis.service) or measure((), definition.ruleset, definition.cycle)

    return LineFigures(measured(crisis.ordered_at), measured(max(crisis.ordered_at, end - LATELY)))


def with_figures(status: CrisisStatus, figures: LineFigures) -> CrisisStatus:
    """Return the status with what the ledger knows of the line."""
    return replace(status, line=LineNow(waiting=None, longest_wait=figures.lately.waits.longest or 0))


def _rules(settings: Config, crisis: Crisis) -> RuleSet:
    day = to_datetime(crisis.ordered_at).astimezone(settings.zone).date()
    return ruleset_at(load_rulesets(settings.rule_sets), settings.rule_set, day)


def _calls(engine: Engine, settings: Config, crisis: Crisis, start: Instant, end: Instant) -> Iterator[CallRecord]:
    sites = _sites(settings)
    for call in read_calls(engine, start, end, service=crisis.service):
        if call.site in sites:
            yield call


def _sites(settings: Config) -> tuple[str, ...]:
    return tuple(dict.fromkeys(settings.call_site(pbx) for pbx in settings.pbx))
