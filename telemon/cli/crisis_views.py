"""How a crisis looks in a terminal and in Markdown. What people typed is never read as markup."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from rich.console import Group
from rich.table import Table
from rich.text import Text

from telemon.cli.crisis_sections import heading, kind_of, length, rate_text, sections
from telemon.crisis.stages import Limit, steps
from telemon.instants import to_datetime, to_seconds
from telemon.rates import Verdict
from telemon.texts import text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import tzinfo

    from rich.console import RenderableType

    from telemon.cli.crisis_sections import Section
    from telemon.crisis.figures import LineFigures
    from telemon.crisis.report import CrisisReport
    from telemon.crisis.stages import CrisisStatus, Excess
    from telemon.duty_records import Crisis

# Blue and orange stay apart for colour-blind readers; the word says it as well.
_STYLES: Final = {Verdict.KEPT: "blue", Verdict.BROKEN: "dark_orange", Verdict.UNDECIDED: "bold"}
_MARKUP: Final = re.compile(r"([\\`*_\[\]<>#|~&])")


def status_view(status: CrisisStatus, figures: LineFigures, exceeded: Sequence[Excess], zone: tzinfo) -> RenderableType:
    """Return stages with ticks, the countdown, the people against the plan, the line, and what is exceeded."""
    say, crisis = text(), status.crisis
    stages = Table(title=Text(f"{kind_of(crisis)} ({crisis.service})"), show_header=False)
    for step in steps(crisis):
        clock = say.clock(None if step.at is None else to_datetime(step.at), zone)
        tick = "·" if step.at is None else "✓"
        stages.add_row(tick, say(f"stage.{step.stage.value}"), clock, f"+{length(step.delay)}" if step.at else "")
    people = say("crisis.staff_now", there=len(status.people), plan=crisis.plan)
    lines = [
        Text(_countdown(status), style=_STYLES[status.verdict]),
        Text(f"{people} {', '.join(status.people)}".rstrip()),
        *(Text(line) for line in _line(figures)),
        *(Text(f"! {_excess(excess)}", style="dark_orange") for excess in exceeded),
    ]
    return Group(stages, *lines)


def _countdown(status: CrisisStatus) -> str:
    say, crisis = text(), status.crisis
    if crisis.operational_at is not None:
        delay, verdict = length(crisis.operational_at - crisis.ordered_at), say(f"verdict.{status.verdict.value}")
        return say("crisis.operational", delay=delay, deadline=length(crisis.deadline), verdict=verdict)
    if status.remaining > 0:
        return say("crisis.remaining", remaining=length(status.remaining), deadline=length(crisis.deadline))
    return say("crisis.overdue", late=length(-status.remaining), deadline=length(crisis.deadline))


def _line(figures: LineFigures) -> Iterator[str]:
    say = text()
    for key, measures in (("crisis.line_lately", figures.lately), ("crisis.line_all", figures.since_the_order)):
        longest = measures.waits.longest
        yield say(
            key,
            offered=say.number(measures.offered, 0),
            answered=say.number(measures.answered, 0),
            lost=say.number(measures.lost, 0),
            rate=rate_text(measures.lost_rate),
            longest=say.number(None if longest is None else to_seconds(longest), 1),
        )


def _excess(excess: Excess) -> str:
    def shown(value: int) -> str:
        return text().number(to_seconds(value) if excess.limit is Limit.WAIT else value, 0)

    return text()(f"excess.{excess.limit.value}", value=shown(excess.value), allowed=shown(excess.allowed))


def list_views(crises: Sequence[Crisis], zone: tzinfo) -> Iterator[Table]:
    """Yield one table of crises and one of exercises, each if there is any."""
    say = text()
    for is_exercise, title in ((False, say("crisis.list_real")), (True, say("crisis.list_exercises"))):
        table = Table(title=title)
        for key in ("crisis", "title", "begun_at", "operational_after", "closed"):
            table.add_column(say(f"crisis.{key}"), overflow="fold", no_wrap=key == "crisis")
        for crisis in crises:
            if crisis.is_exercise is is_exercise:
                table.add_row(*(Text(cell) for cell in _listed(crisis, zone)))
        if table.row_count:
            yield table


def _listed(crisis: Crisis, zone: tzinfo) -> tuple[str, ...]:
    say = text()
    moments = (crisis.ordered_at, crisis.closed_at)
    ordered, closed = (say.moment(None if at is None else to_datetime(at), zone) for at in moments)
    after = None if crisis.operational_at is None else crisis.operational_at - crisis.ordered_at
    return crisis.crisis_id, crisis.title, ordered, length(after), closed


def report_view(report: CrisisReport, zone: tzinfo) -> RenderableType:
    """Return the report for a terminal."""
    title, lines = heading(report, zone)
    tables = (_table(section) for section in sections(report, zone))
    return Group(Text(title, style="bold"), *(Text(line) for line in lines), *tables)


def _table(section: Section) -> Table:
    table = Table(title=Text(section.title))
    texts = len(section.columns) - section.numbers
    for number, column in enumerate(section.columns):
        table.add_column(Text(column), justify="left" if number < texts else "right", overflow="fold")
    for row in section.rows:
        table.add_row(*(Text(cell) for cell in row))
    return table


def report_markdown(report: CrisisReport, zone: tzinfo) -> str:
    """Return the report as Markdown with tables (GitHub Flavored Markdown, 4.10)."""
    title, lines = heading(report, zone)
    parts = [f"# {_escaped(title)}\n", *(f"- {_escaped(line)}" for line in lines)]
    for section in sections(report, zone):
        texts = len(section.columns) - section.numbers
        rule = ["---" if number < texts else "---:" for number in range(len(section.columns))]
        rows = [_row(section.columns), f"| {' | '.join(rule)} |", *map(_row, section.rows)]
        parts += [f"\n## {_escaped(section.title)}\n", *rows]
    return "\n".join(parts) + "\n"


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(map(_escaped, cells))} |"


def _escaped(words: str) -> str:
    return _MARKUP.sub(r"\\\1", words)
