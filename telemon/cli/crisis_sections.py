"""A crisis report as titled tables of plain text, which a terminal and Markdown show each in its own way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from telemon.instants import SECOND, to_datetime, to_seconds
from telemon.records import Outcome
from telemon.texts import text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import tzinfo

    from telemon.crisis.report import CrisisReport, CurvePoint
    from telemon.crisis.stages import Step
    from telemon.duty_records import Crisis
    from telemon.instants import Duration, Instant
    from telemon.rates import Rate
    from telemon.spread import Spread

_HOUR: Final = 3600


class Section(NamedTuple):
    """One table: its title, its columns, of which the first are text and the last ``numbers`` numbers, and its rows."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numbers: int


def length(duration: Duration | None) -> str:
    """Return a duration as ``12:05`` or ``1:02:03``, whole seconds rounded down; a dash for none."""
    if duration is None:
        return text().number(None)
    seconds = abs(duration) // SECOND
    hours, rest = divmod(seconds, _HOUR)
    clock = f"{rest // 60:02}:{rest % 60:02}"
    return ("-" if duration < 0 and seconds else "") + (f"{hours}:{clock}" if hours else clock)


def kind_of(crisis: Crisis) -> str:
    """Return whether it is a crisis or an exercise, with its title."""
    kind = text()("crisis.exercise" if crisis.is_exercise else "crisis.real")
    return f"{kind} – {crisis.title}" if crisis.title else kind  # noqa: RUF001 - a dash between two names


def heading(report: CrisisReport, zone: tzinfo) -> tuple[str, tuple[str, ...]]:
    """Return the report's title, and the lines under it."""
    say, crisis = text(), report.crisis
    begun = say("crisis.begun", at=_moment(crisis.ordered_at, zone), by=crisis.ordered_by, crisis=crisis.crisis_id)
    if report.is_final:
        ended = say("crisis.ended", at=_moment(report.end, zone), by=crisis.closed_by)
    else:
        ended = say("crisis.provisional", at=_moment(report.end, zone))
    promise = say("crisis.promise", deadline=length(crisis.deadline), verdict=say(f"verdict.{report.verdict.value}"))
    rules = say("crisis.rules", rules=report.measures.ruleset.label, zone=str(zone))
    return kind_of(crisis), (begun, ended, promise, rules)


def sections(report: CrisisReport, zone: tzinfo) -> Iterator[Section]:
    """Yield the report's tables; those without a row are left out."""
    say = text()
    columns = _said("stage", "at", "delay", "margin")
    yield Section(say("crisis.stages"), columns, tuple(_stage(step, zone) for step in report.steps), 3)
    yield Section(say("crisis.calls"), _said("figure", "value"), tuple(_figures(report, zone)), 1)
    waits = (
        ("crisis.waits_answered", report.waits_answered),
        ("crisis.waits_lost", report.waits_lost),
        ("crisis.waits_all", report.waits),
    )
    rows = tuple((say(key), *_wait(spread)) for key, spread in waits)
    yield Section(say("crisis.waits"), _said("callers", "number", "median", "p95", "longest"), rows, 4)
    columns = _said("after", "from", "offered", "answered", "lost", "waiting", "staff", "seen")
    curve = tuple(_point(point, report.crisis.ordered_at, zone) for point in report.curve)
    rest = (
        Section(say("crisis.curve"), columns, curve, 7),
        Section(say("crisis.people"), _said("person", "joined", "left"), tuple(_members(report, zone)), 0),
        Section(say("crisis.gaps"), _said("pbx", "cause", "from", "lasted"), tuple(_gaps(report, zone)), 1),
    )
    yield from (section for section in rest if section.rows)


def rate_text(rate: Rate) -> str:
    """Return a rate, and its bounds where they differ from it."""
    say = text()
    shown = say.percent(None if rate.value is None else float(rate.value))
    if rate.lower is None or rate.upper is None or rate.lower == rate.upper:
        return shown
    return f"{shown} [{say.percent(float(rate.lower))} … {say.percent(float(rate.upper))}]"


def _said(*keys: str) -> tuple[str, ...]:
    return tuple(text()(f"crisis.{key}") for key in keys)


def _moment(at: Instant | None, zone: tzinfo) -> str:
    return text().moment(None if at is None else to_datetime(at), zone)


def _clock(at: Instant | None, zone: tzinfo) -> str:
    return text().clock(None if at is None else to_datetime(at), zone)


def _stage(step: Step, zone: tzinfo) -> tuple[str, ...]:
    name = text()(f"stage.{step.stage.value}")
    return name, _clock(step.at, zone), length(step.delay), length(step.margin)


def _figures(report: CrisisReport, zone: tzinfo) -> Iterator[tuple[str, str]]:
    say, measures = text(), report.measures
    rings = measures.ruleset.max_rings
    yield say("stats.offered"), say.number(measures.offered, 0)
    yield say("stats.answered"), say.number(measures.answered, 0)
    yield say("stats.lost"), say.number(measures.lost, 0)
    for outcome, count in sorted(measures.by_outcome.items()):
        if outcome is not Outcome.ANSWERED:
            yield say("crisis.of_these", outcome=say(f"outcome.{outcome.value}")), say.number(count, 0)
    yield say("stats.lost_rate"), rate_text(measures.lost_rate)
    yield say("stats.within", rings=rings), rate_text(measures.within_of_answered)
    yield say("stats.p95_rings"), say.number(measures.rings_answered.percentile(95), 0)
    yield say("stats.longest_rings"), say.number(measures.rings_answered.longest, 0)
    peak = say.number(report.peak.waiting, 0)
    yield (
        say("crisis.peak", at=_clock(report.peak.at, zone)),
        peak if report.peak.is_certain else say("crisis.at_least", number=peak),
    )
    share = measures.observed_share
    yield say("stats.observed"), say.percent(None if share is None else float(share))


def _wait(waits: Spread) -> tuple[str, ...]:
    say = text()
    values = (waits.percentile(50), waits.percentile(95), waits.longest)
    shown = (say.number(None) if value is None else f"{say.number(to_seconds(value), 1)} s" for value in values)
    return say.number(waits.count, 0), *shown


def _point(point: CurvePoint, start: Instant, zone: tzinfo) -> tuple[str, ...]:
    say = text()
    least, most = point.staff_least, point.staff_most
    numbers = (point.offered, point.answered, point.lost, point.waiting)
    return (
        f"+{length(point.start - start)}",
        _clock(point.start, zone),
        *(say.number(number, 0) for number in numbers),
        str(least) if least == most else f"{least}–{most}",  # noqa: RUF001 - a range
        say("crisis.seen_yes" if point.is_seen else "crisis.seen_no"),
    )


def _members(report: CrisisReport, zone: tzinfo) -> Iterator[tuple[str, ...]]:
    for member in report.members:
        yield member.person, _moment(member.joined_at, zone), _moment(member.left_at, zone)


def _gaps(report: CrisisReport, zone: tzinfo) -> Iterator[tuple[str, ...]]:
    for gap in report.gaps:
        yield gap.pbx, text()(f"gap.{gap.cause}"), _clock(gap.start, zone), length(gap.duration)
