"""``telemon coverage``."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Final, NamedTuple

import typer
from rich.console import Console
from rich.table import Table

from telemon.buckets import Buckets, Span
from telemon.cli.common import ConfigOption, ServiceOption, Shape, ShapeOption, end_with_the_pipe, period_of, settle
from telemon.duty_records import Coverage, UncoveredCause
from telemon.errors import ConfigError
from telemon.instants import SECOND, from_datetime, to_datetime, to_iso, to_seconds
from telemon.ledger.reading_coverage import read_coverage, read_permanences
from telemon.ledger.store import open_ledger
from telemon.permanence.coverage import required_part, sums, timeline
from telemon.records import ServiceKind
from telemon.texts import text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from fractions import Fraction

    from sqlalchemy import Engine

    from telemon.config import Config
    from telemon.instants import Duration, Instant
    from telemon.periods import Period
    from telemon.permanence.coverage import Cover, Required, Stretch

SHOWN_ABSENCE: Final = 60 * SECOND
_MONTHLY_FROM: Final = 62 * 86_400 * SECOND  # a longer period is shown by month, unless asked otherwise
_HOUR: Final = 3600 * SECOND
_DIGITS_OF_SPAN: Final = {"day": 10, "month": 7, "year": 4}  # of 2026-11-23


class By(StrEnum):
    """How long each line's part of the period is."""

    DAY = "day"
    MONTH = "month"
    YEAR = "year"


class _Found(NamedTuple):
    """What one permanence of one site was in the period; ``parts`` and ``whole`` only as far as it was required."""

    site: str
    service: str
    stretches: list[Stretch]
    required: list[Stretch]
    parts: list[Cover]
    whole: Cover


def command(
    period: Annotated[str, typer.Argument(metavar="PERIOD", help=text()("cli.option_period"))],
    config: ConfigOption = None,
    by: Annotated[By | None, typer.Option("--by", help=text()("cli.coverage_by"))] = None,
    service: ServiceOption = None,
    *,
    every: Annotated[bool, typer.Option("--timeline", help=text()("cli.coverage_timeline"))] = False,
    shape: ShapeOption = Shape.TABLE,
) -> None:
    """Print when somebody could be reached, and when nobody."""
    settings = settle(config)
    end_with_the_pipe()
    span = period_of(period, settings, asked_as="PERIOD")
    by = by or (By.MONTH if span.duration > _MONTHLY_FROM else By.DAY)
    now = from_datetime(datetime.now(UTC))
    engine = open_ledger(settings.ledger.url)
    found = [
        _found(engine, site, name, span, by, settings, now) for site, name in _permanences(engine, settings, service)
    ]
    engine.dispose()
    if shape is Shape.NDJSON:
        for line in (line for one in found for line in _lines(one, by, settings, every=every)):
            typer.echo(json.dumps(line, ensure_ascii=False))
        return
    console = Console()
    for one in found:
        _show(console, one, by, span, settings, every=every)


def _permanences(engine: Engine, settings: Config, service: str | None) -> list[tuple[str, str]]:
    """Return the sites and permanences to show: those that were watched, else what the configuration names.

    Raises:
        ConfigError: there is none.
    """
    sites = [settings.call_site(pbx) for pbx in settings.pbx]
    names = [one.name for one in settings.service if one.kind is ServiceKind.PERMANENCE]
    known = read_permanences(engine, sites)
    wanted = [service] if service is not None else sorted({*names, *(name for _, name in known)})
    if not wanted or (service is not None and service not in {*names, *(name for _, name in known)}):
        raise ConfigError(text()("coverage.none", names=", ".join(names) or "-"))
    watched = [(site, name) for site, name in known if name in wanted]
    unwatched = [(sites[0], name) for name in wanted if name not in {name for _, name in watched}]
    return sorted((*watched, *unwatched))


def _found(engine: Engine, site: str, service: str, span: Period, by: By, settings: Config, now: Instant) -> _Found:
    stretches = timeline(read_coverage(engine, site, service, span.start, span.end), span.start, span.end, now)
    required = required_part(stretches, _hours(settings, service))
    parts = sums(required, _edges(settings, by, span.start, stretches[-1].end)) if stretches else []
    whole = sums(required, [span.start, span.end])[0]
    return _Found(site, service, stretches, required, parts, whole)


def _hours(settings: Config, service: str) -> Required | None:
    """Return when the permanence is required; None for always, as for one that is no longer configured."""
    services = settings.numbering(settings.pbx[0]).services
    return next((one.hours for one in services if one.name == service), None)


def _edges(settings: Config, by: By, start: Instant, end: Instant) -> list[Instant]:
    """Return where the parts of [start, end) begin, and the end of the last one."""
    edges = Buckets(settings.zone).starts(Span(by.value), start, end)
    return [start, *(edge for edge in edges if start < edge < end), end]


def _absences(found: _Found) -> Iterator[Stretch]:
    """Yield the uncovered stretches that are worth a line."""
    for stretch in found.required:
        if stretch.state is Coverage.UNCOVERED and stretch.duration > SHOWN_ABSENCE:
            yield stretch


# -- for people


def _show(console: Console, found: _Found, by: By, span: Period, settings: Config, *, every: bool) -> None:
    say = text()
    console.print(_table(found, by, span, settings))
    for stretch in found.stretches if every else _absences(found):
        state = f"coverage.{stretch.state.value}" if stretch.cause is None else f"cover_cause.{stretch.cause.value}"
        line = say(
            "coverage.stretch",
            start=say.exact_moment(to_datetime(stretch.start), settings.zone),
            end=say.exact_moment(to_datetime(stretch.end), settings.zone),
            length=_length(stretch.duration),
            state=say(state),
        )
        console.print(line, markup=False, highlight=False)


def _table(found: _Found, by: By, span: Period, settings: Config) -> Table:
    say = text()
    causes = [cause for cause in UncoveredCause if cause in found.whole.uncovered]
    table = Table(title=say("coverage.title", service=found.service, site=found.site, period=span.label))
    table.add_column(say(f"coverage.{by.value}"))
    for heading in ("coverage.required", "coverage.covered", *(f"cover_cause.{cause.value}" for cause in causes)):
        table.add_column(say(heading), justify="right")
    table.add_column(say("coverage.unknown"), justify="right")
    table.add_column(say("coverage.rate"), justify="right")
    for part in found.parts:
        table.add_row(_name(part, by, settings), *_cells(part, causes))
    table.add_section()
    table.add_row(say("coverage.whole"), *_cells(found.whole, causes))
    return table


def _cells(cover: Cover, causes: Sequence[UncoveredCause]) -> list[str]:
    durations = (cover.covered, *(cover.uncovered.get(cause, 0) for cause in causes), cover.unknown)
    return [_length(cover.required), *map(_length, durations), _rate(cover)]


def _rate(cover: Cover) -> str:
    rate = cover.rate
    shown = _percent(rate.value)
    if rate.lower is None or rate.upper is None or rate.lower == rate.upper:
        return shown
    return f"{shown} [{_percent(rate.lower)} … {_percent(rate.upper)}]"


def _percent(share: Fraction | None) -> str:
    """Return a share cut after three decimals, not rounded: what is not all never looks as if it were."""
    say = text()
    return (
        say.number(None)
        if share is None
        else say("coverage.percent", number=say.number(int(share * 100_000) / 1000, 3))
    )


def _length(duration: Duration) -> str:
    """Return hours, minutes and seconds, such as ``8760:00:00``; a dash for none."""
    if not duration:
        return text().number(None)
    hours, rest = divmod(duration, _HOUR)
    minutes, seconds = divmod(rest // SECOND, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}"


def _name(part: Cover, by: By, settings: Config) -> str:
    return to_datetime(part.start).astimezone(settings.zone).date().isoformat()[: _DIGITS_OF_SPAN[by.value]]


# -- for programs


def _lines(found: _Found, by: By, settings: Config, *, every: bool) -> Iterator[dict[str, Any]]:
    head = {"service": found.service, "site": found.site}
    for part in found.parts:
        yield {**head, "span": by.value, "period": _name(part, by, settings), **_json(part)}
    yield {**head, "span": "whole", **_json(found.whole)}
    for stretch in found.stretches if every else _absences(found):
        yield {
            **head,
            "state": stretch.state.value,
            "cause": None if stretch.cause is None else stretch.cause.value,
            "start": to_iso(stretch.start),
            "end": to_iso(stretch.end),
            "seconds": to_seconds(stretch.duration),
        }


def _json(cover: Cover) -> dict[str, Any]:
    rate = cover.rate
    return {
        "start": to_iso(cover.start),
        "end": to_iso(cover.end),
        "required_seconds": to_seconds(cover.required),
        "covered_seconds": to_seconds(cover.covered),
        "uncovered_seconds": to_seconds(cover.uncovered_total),
        "uncovered_by_cause": {cause.value: to_seconds(length) for cause, length in cover.uncovered.items()},
        "unknown_seconds": to_seconds(cover.unknown),
        "rate": None if rate.value is None else float(rate.value),
        "lower": None if rate.lower is None else float(rate.lower),
        "upper": None if rate.upper is None else float(rate.upper),
    }
