"""``telemon crisis``: the crisis cell, from the order to the report."""

from __future__ import annotations

import getpass
import json
import os
import time
from contextlib import contextmanager, suppress
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.console import Console
from rich.live import Live

from telemon.cli.common import ConfigOption, ServiceOption, Shape, ShapeOption, end_with_the_pipe, settle
from telemon.cli.crisis_sections import kind_of, length
from telemon.cli.crisis_views import list_views, report_markdown, report_view, status_view
from telemon.crisis.desk import now
from telemon.crisis.desks import choose, desks
from telemon.crisis.export import crisis_json, report_json, status_json
from telemon.crisis.figures import draw_up, line_figures, with_figures
from telemon.crisis.report import MINUTE
from telemon.errors import CrisisError
from telemon.instants import to_datetime
from telemon.ledger.reading_crises import read_crises, read_crisis
from telemon.ledger.store import open_ledger
from telemon.texts import text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rich.console import RenderableType
    from sqlalchemy import Engine

    from telemon.config import Config
    from telemon.crisis.desk import Answer, CrisisDesk

WATCH_SECONDS: Final = 1.0

app = typer.Typer(no_args_is_help=True)


class StatusShape(StrEnum):
    """How to print a status."""

    TABLE = "table"
    JSON = "json"


class ReportShape(StrEnum):
    """How to print a report."""

    TABLE = "table"
    JSON = "json"
    MARKDOWN = "markdown"


PersonArgument = Annotated[str, typer.Argument(help=text()("crisis.option_person"))]
ByOption = Annotated[str | None, typer.Option("--by", help=text()("crisis.option_by"), show_default=False)]


@contextmanager
def _at_desk(config: Path | None, service: str | None) -> Iterator[tuple[Config, Engine, CrisisDesk]]:
    settings = settle(config)
    engine = open_ledger(settings.ledger.url)
    try:
        yield settings, engine, choose(desks(settings, engine), service)
    finally:
        engine.dispose()


@app.command("start", help=text()("crisis.help_start"))
def start(
    config: ConfigOption = None,
    service: ServiceOption = None,
    title: Annotated[str, typer.Option("--title", "-t", help=text()("crisis.option_title"))] = "",
    exercise: Annotated[bool, typer.Option("--exercise", help=text()("crisis.option_exercise"))] = False,  # noqa: FBT002
    by: ByOption = None,
) -> None:
    """Order the cell."""
    say = text()
    with _at_desk(config, service) as (settings, _, desk):
        answer = desk.open(_who(by), title=title, is_exercise=exercise)
    crisis = answer.status.crisis
    if answer.ended is not None:
        typer.echo(say("crisis.exercise_ended", crisis=answer.ended.crisis_id))
    values = {
        "kind": kind_of(crisis),
        "crisis": crisis.crisis_id,
        "at": say.clock(to_datetime(crisis.ordered_at), settings.zone),
        "until": say.clock(to_datetime(crisis.ordered_at + crisis.deadline), settings.zone),
    }
    typer.echo(say("crisis.started", **values) if answer.changed else say("crisis.started_before", **values))
    typer.echo(say("crisis.next"))


@app.command("join", help=text()("crisis.help_join"))
def join(person: PersonArgument, config: ConfigOption = None, service: ServiceOption = None) -> None:
    """Sign somebody in."""
    with _at_desk(config, service) as (_, _, desk):
        answer = desk.join(person)
    say = text()
    typer.echo(say("crisis.joined_now", name=person) if answer.changed else say("crisis.joined_before", name=person))
    _tell_staff(answer)


@app.command("leave", help=text()("crisis.help_leave"))
def leave(person: PersonArgument, config: ConfigOption = None, service: ServiceOption = None) -> None:
    """Sign somebody out."""
    with _at_desk(config, service) as (_, _, desk):
        answer = desk.leave(person)
    say = text()
    typer.echo(say("crisis.left_now", name=person) if answer.changed else say("crisis.left_before", name=person))
    _tell_staff(answer)


@app.command("line", help=text()("crisis.help_line"))
def line(config: ConfigOption = None, service: ServiceOption = None) -> None:
    """Say that the line is open."""
    say = text()
    with _at_desk(config, service) as (settings, _, desk):
        crisis = desk.open_line().status.crisis
    opened_at = None if crisis.line_opened_at is None else to_datetime(crisis.line_opened_at)
    typer.echo(say("crisis.line_opened", at=say.clock(opened_at, settings.zone)))


@app.command("close", help=text()("crisis.help_close"))
def close(config: ConfigOption = None, service: ServiceOption = None, by: ByOption = None) -> None:
    """Close the cell."""
    say = text()
    with _at_desk(config, service) as (settings, _, desk):
        answer = desk.close(_who(by))
    crisis = answer.status.crisis
    closed_at = None if crisis.closed_at is None else to_datetime(crisis.closed_at)
    values = {
        "kind": kind_of(crisis),
        "crisis": crisis.crisis_id,
        "at": say.moment(closed_at, settings.zone),
        "by": crisis.closed_by,
    }
    typer.echo(say("crisis.closed_now", **values) if answer.changed else say("crisis.closed_before", **values))


@app.command("status", help=text()("crisis.help_status"))
def status(
    config: ConfigOption = None,
    service: ServiceOption = None,
    watch: Annotated[bool, typer.Option("--watch", "-w", help=text()("crisis.option_watch"))] = False,  # noqa: FBT002
    shape: Annotated[StatusShape, typer.Option("--format", "-f", help=text()("crisis.option_status"))] = (
        StatusShape.TABLE
    ),
) -> None:
    """Show how things stand."""
    end_with_the_pipe()
    with _at_desk(config, service) as (settings, engine, desk):
        if shape is StatusShape.JSON:
            typer.echo(json.dumps(_status_json(settings, engine, desk), ensure_ascii=False))
            return
        view = _status_view(settings, engine, desk)
        if view is None:
            typer.echo(text()("crisis.quiet", service=desk.service))
        elif not watch:
            Console().print(view)
        else:
            with suppress(KeyboardInterrupt), Live(view, console=Console(), auto_refresh=False) as display:
                while view is not None:
                    display.update(view, refresh=True)
                    time.sleep(WATCH_SECONDS)
                    view = _status_view(settings, engine, desk)


@app.command("report", help=text()("crisis.help_report"))
def report(
    crisis: Annotated[str | None, typer.Argument(help=text()("crisis.option_crisis"), show_default=False)] = None,
    config: ConfigOption = None,
    service: ServiceOption = None,
    minutes: Annotated[int | None, typer.Option("--minutes", "-m", min=1, help=text()("crisis.option_minutes"))] = None,
    shape: Annotated[ReportShape, typer.Option("--format", "-f", help=text()("crisis.option_report"))] = (
        ReportShape.TABLE
    ),
) -> None:
    """Print the report."""
    end_with_the_pipe()
    with _at_desk(config, service) as (settings, engine, desk):
        found = read_crisis(engine, _named(engine, settings, desk, crisis))
        if found is None:
            raise CrisisError(text()("crisis.no_such", crisis=crisis))
        step = None if minutes is None else minutes * MINUTE
        drawn = draw_up(engine, settings, *found, now=now(), step=step)
    if shape is ReportShape.JSON:
        typer.echo(json.dumps(report_json(drawn), ensure_ascii=False))
    elif shape is ReportShape.MARKDOWN:
        typer.echo(report_markdown(drawn, settings.zone), nl=False)
    else:
        Console().print(report_view(drawn, settings.zone))


@app.command("list", help=text()("crisis.help_list"))
def list_(config: ConfigOption = None, service: ServiceOption = None, shape: ShapeOption = Shape.TABLE) -> None:
    """List crises and exercises, the newest first."""
    settings = settle(config)
    end_with_the_pipe()
    engine = open_ledger(settings.ledger.url)
    crises = read_crises(engine, settings.site, service)
    engine.dispose()
    if shape is Shape.NDJSON:
        for crisis in crises:
            typer.echo(json.dumps(crisis_json(crisis), ensure_ascii=False))
        return
    for table in list_views(crises, settings.zone):
        Console().print(table)
    if not crises:
        typer.echo(text()("crisis.list_none"))


def _who(by: str | None) -> str:
    """Return who gives the order: as told, else the user of this terminal."""
    if by is not None:
        return by
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user without a name, as in a container; an order is not to fail for that
        return f"uid {os.getuid()}"


def _tell_staff(answer: Answer) -> None:
    status = answer.status
    there = text()("crisis.staff_now", there=len(status.people), plan=status.crisis.plan)
    typer.echo(f"{there} {', '.join(status.people)}".rstrip())
    if status.crisis.operational_at is None and status.remaining > 0:
        values = {"remaining": length(status.remaining), "deadline": length(status.crisis.deadline)}
        typer.echo(text()("crisis.remaining", **values))


def _status_view(settings: Config, engine: Engine, desk: CrisisDesk) -> RenderableType | None:
    status = desk.status()
    if status is None:
        return None
    figures = line_figures(engine, settings, status)
    status = with_figures(status, figures)
    return status_view(status, figures, status.exceeded(desk.rules.thresholds), settings.zone)


def _status_json(settings: Config, engine: Engine, desk: CrisisDesk) -> object:
    status = desk.status()
    if status is None:
        return {"service": desk.service, "crisis": None}
    figures = line_figures(engine, settings, status)
    status = with_figures(status, figures)
    shown = status_json(status, status.exceeded(desk.rules.thresholds))
    counts = {
        name: {"offered": measures.offered, "answered": measures.answered, "lost": measures.lost}
        for name, measures in figures._asdict().items()
    }
    return {"service": desk.service, "crisis": {**shown, "calls": counts}}


def _named(engine: Engine, settings: Config, desk: CrisisDesk, given: str | None) -> str:
    """Return the id of the crisis that is meant: the newest, or the one whose id has these words in it."""
    known = [crisis.crisis_id for crisis in read_crises(engine, settings.site, desk.service)]
    if not known:
        raise CrisisError(text()("crisis.none_ever", service=desk.service))
    if given is None:
        return known[0]
    meant = [name for name in known if name == given] or [name for name in known if given in name]
    if len(meant) != 1:
        raise CrisisError(text()("crisis.no_such", crisis=given))
    return meant[0]
