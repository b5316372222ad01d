"""``telemon stats``."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.console import Console
from rich.table import Table

from telemon.cadences import ring_cycle
from telemon.cli.common import ConfigOption, ServiceOption, Shape, ShapeOption, end_with_the_pipe, period_of, settle
from telemon.gaps import gaps_of
from telemon.instants import SECOND, from_datetime, to_datetime, to_iso, to_seconds
from telemon.ledger.reader import read_observations
from telemon.ledger.roll_ups import Stretch, read_measures
from telemon.ledger.store import open_ledger
from telemon.records import Provenance
from telemon.roll_ups import Definition
from telemon.rulesets import load_rulesets, ruleset_at
from telemon.texts import text

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from sqlalchemy import Engine

    from telemon.config import Config
    from telemon.gaps import Gap
    from telemon.instants import Duration
    from telemon.measures import Measures
    from telemon.periods import Period
    from telemon.rates import Rate

SHOWN_GAP: Final = 60 * SECOND
_UNITS: Final = (("stats.days", 86_400), ("stats.hours", 3_600), ("stats.minutes", 60), ("stats.seconds", 1))
_COMPLETED: Final = {Provenance.REPAIRED: "stats.repaired", Provenance.IMPORTED: "stats.imported"}


def command(
    config: ConfigOption = None,
    period: Annotated[str, typer.Option("--period", "-p", help=text()("cli.option_period"))] = "today",
    rule_set: Annotated[str | None, typer.Option("--rule-set", "-r", help=text()("cli.stats_rule_set"))] = None,
    site: Annotated[list[str] | None, typer.Option("--site", help=text()("cli.stats_site"))] = None,
    service: ServiceOption = None,
    shape: ShapeOption = Shape.TABLE,
) -> None:
    """Print what a period was, under a rule set."""
    settings = settle(config)
    end_with_the_pipe()
    span = period_of(period, settings)
    rules = ruleset_at(load_rulesets(settings.rule_sets), rule_set or settings.rule_set, _last_day(span, settings))
    definition = Definition.of(rules, ring_cycle(settings.country), settings.timezone)
    own = {settings.call_site(pbx): pbx.name for pbx in settings.pbx}
    sites = tuple(dict.fromkeys(site or own))
    elsewhere = [name for name in sites if name not in own]
    engine = open_ledger(settings.ledger.url)
    gaps, watched = _gaps(engine, [own[name] for name in sites if name in own], span)
    observed = (0, None) if elsewhere else (sum(gap.duration for gap in gaps), watched)
    measured = read_measures(engine, Stretch(sites, span.start, span.end, service), definition, *observed)
    engine.dispose()
    _print(measured, [gap for gap in gaps if gap.duration >= SHOWN_GAP], span, settings, shape, rules.label, site)
    if elsewhere:
        typer.echo(text()("stats.elsewhere", sites=", ".join(elsewhere)), err=True)


def _last_day(span: Period, settings: Config) -> Any:
    return to_datetime(span.end - 1).astimezone(settings.zone).date()


def _gaps(engine: Engine, pbxs: list[str], span: Period) -> tuple[list[Gap], Duration]:
    """Return the gaps of the period so far, and how long it is so far, on all these PBXs."""
    now = from_datetime(datetime.now(UTC))
    end = min(span.end, now)
    if end <= span.start:
        return [], 0
    gaps: list[Gap] = []
    for pbx in pbxs:
        gaps += gaps_of(read_observations(engine, pbx, span.start, end), span.start, end, now, pbx=pbx)
    return gaps, (end - span.start) * len(pbxs)


def _print(
    measured: dict[str, Measures],
    gaps: list[Gap],
    span: Period,
    settings: Config,
    shape: Shape,
    rules: str,
    sites: Sequence[str] | None,
) -> None:
    if shape is Shape.NDJSON:
        services = [_json(name, measures, span) for name, measures in sorted(measured.items())]
        for line in (*services, *(_gap_json(gap, span) for gap in gaps)):
            typer.echo(json.dumps(line, ensure_ascii=False))
        return
    console = Console()
    console.print(_table(measured, span, rules, ", ".join(sites or [settings.site])))
    for gap in gaps:
        console.print(_gap_line(gap, settings), markup=False)


def _table(measured: dict[str, Measures], span: Period, rules: str, sites: str) -> Table:
    say = text()
    table = Table(title=say("stats.title", period=span.label, rules=rules, site=sites))
    table.add_column(say("stats.figure"))
    names = sorted(measured)
    for name in names:
        table.add_column(name, justify="right")
    completed = {each for measures in measured.values() for each in _COMPLETED if measures.by_provenance[each]}
    rows = [_rows(measured[name], completed) for name in names]
    for index, (label, _) in enumerate(rows[0] if rows else ()):
        table.add_row(label, *(row[index][1] for row in rows))
    if not rows:
        table.add_row(say("stats.nothing"))
    return table


def _rows(m: Measures, completed: Collection[Provenance]) -> list[tuple[str, str]]:
    say = text()
    rows = [(say(f"stats.{key}"), say.number(value, 0)) for key, value in _counts(m)]
    rows += [(say(_COMPLETED[each]), say.number(m.by_provenance[each], 0)) for each in _COMPLETED if each in completed]
    rows += [
        (say("stats.within", rings=m.ruleset.max_rings), _rate(m.within_of_answered)),
        (say("stats.within_counted", rings=m.ruleset.max_rings), _rate(m.within_of_counted)),
        (say("stats.lost_rate"), _rate(m.lost_rate)),
        (say("stats.answer_rate"), _rate(m.answer_rate)),
        (say("stats.asa"), f"{say.number(m.asa_seconds, 1)} s"),
        (say("stats.asa_rings"), say.number(m.asa_rings, 2)),
        (say("stats.p95_rings"), say.number(m.rings_answered.percentile(95), 0)),
        (say("stats.longest_rings"), say.number(m.rings_answered.longest, 0)),
        (say("stats.observed"), say.percent(None if m.observed_share is None else float(m.observed_share))),
    ]
    for goal, verdict in m.verdicts:
        limit = say.percent(float(goal.limit))
        rows.append(
            (say(f"goal.{goal.kind.value}", limit=limit, rings=m.ruleset.max_rings), say(f"verdict.{verdict.value}"))
        )
    return rows


def _counts(m: Measures) -> Iterable[tuple[str, int]]:
    yield "offered", m.offered
    yield "answered", m.answered
    yield "lost", m.lost
    yield "short", m.short_abandoned
    yield "unknown", m.unknown


def _rate(rate: Rate) -> str:
    """Return a rate, and its bounds where they differ from it."""
    say = text()
    shown = say.percent(None if rate.value is None else float(rate.value))
    if rate.lower is None or rate.upper is None or rate.lower == rate.upper:
        return shown
    return f"{shown} [{say.percent(float(rate.lower))} … {say.percent(float(rate.upper))}]"


def _gap_line(gap: Gap, settings: Config) -> str:
    say = text()
    begin = say.moment(to_datetime(gap.start), settings.zone)
    unit, seconds = next((unit, seconds) for unit, seconds in _UNITS if to_seconds(gap.duration) >= 2 * seconds)
    length = say(unit, number=say.number(to_seconds(gap.duration) / seconds, 1))
    return say("stats.gap", start=begin, length=length, cause=say(f"gap.{gap.cause}"), pbx=gap.pbx)


def _gap_json(gap: Gap, span: Period) -> dict[str, Any]:
    return {
        "gap": gap.cause,
        "pbx": gap.pbx,
        "period": span.label,
        "start": to_iso(gap.start),
        "end": to_iso(gap.end),
        "seconds": to_seconds(gap.duration),
    }


def _json(name: str, m: Measures, span: Period) -> dict[str, Any]:
    def rate(value: Rate) -> dict[str, float | None]:
        parts = (("value", value.value), ("lower", value.lower), ("upper", value.upper))
        return {key: None if part is None else float(part) for key, part in parts}

    return {
        "service": name,
        "period": span.label,
        "start": to_iso(span.start),
        "end": to_iso(span.end),
        "rule_set": m.ruleset.name,
        "rule_set_version": m.ruleset.version,
        "offered": m.offered,
        "answered": m.answered,
        "lost": m.lost,
        "by_outcome": {outcome.value: count for outcome, count in sorted(m.by_outcome.items())},
        "by_provenance": {provenance.value: count for provenance, count in sorted(m.by_provenance.items())},
        "excluded": m.excluded,
        "max_rings": m.ruleset.max_rings,
        "within_of_answered": rate(m.within_of_answered),
        "within_of_counted": rate(m.within_of_counted),
        "lost_rate": rate(m.lost_rate),
        "answer_rate": rate(m.answer_rate),
        "asa_seconds": m.asa_seconds,
        "asa_rings": m.asa_rings,
        "rings_answered": {str(ring): count for ring, count in sorted(m.rings_answered.counts.items())},
        "rings_lost": {str(ring): count for ring, count in sorted(m.rings_lost.counts.items())},
        "observed_share": None if m.observed_share is None else float(m.observed_share),
        "verdicts": {goal.kind.value: verdict.value for goal, verdict in m.verdicts},
    }
