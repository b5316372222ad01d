"""``telemon roster``."""

from __future__ import annotations

import json
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from babel.dates import format_datetime
from rich.console import Console
from rich.table import Table
from rich.text import Text

from telemon.cli.common import ConfigOption, Shape, ShapeOption, end_with_the_pipe, settle
from telemon.cli.tables import LOST_STYLE
from telemon.duty.parts import required_of
from telemon.errors import RosterError
from telemon.instants import SECOND, from_datetime, from_seconds, to_datetime, to_iso, to_seconds
from telemon.roster.keeper import keeper_of
from telemon.texts import text

if TYPE_CHECKING:
    from datetime import tzinfo

    from telemon.config import Config
    from telemon.instants import Duration, Instant
    from telemon.roster.keeper import RosterKeeper
    from telemon.roster.required import InCharge
    from telemon.roster.shifts import Double, Hole, Roster, Shift

_HOUR: Final = 3600 * SECOND
_MINUTE: Final = 60 * SECOND


def command(
    config: ConfigOption = None,
    days: Annotated[int, typer.Option("--days", "-d", min=1, max=366, help=text()("cli.roster_days"))] = 14,
    shape: ShapeOption = Shape.TABLE,
) -> None:
    """Print who is on duty now and on the next days, and when nobody is."""
    settings = settle(config)
    end_with_the_pipe()
    now = from_datetime(datetime.now(UTC))
    keeper = keeper_of(settings, lambda: now, saves=False)
    if keeper is None:
        raise RosterError(text()("roster.none"))
    keeper.refresh()
    if keeper.roster is None:
        raise RosterError(keeper.problem)
    required = required_of(settings)
    shown = _Shown(keeper.roster, required, now, _midnight(now, days, settings.zone), settings)
    if shape is Shape.NDJSON:
        shown.print_json()
    else:
        shown.print_table()
    ahead = keeper.roster.holes(now, now + from_seconds(settings.roster.ahead_hours * 3600), required)
    _complain(keeper, ahead, settings)


def _midnight(now: Instant, days: int, zone: tzinfo) -> Instant:
    """Return the end of so many days, that of now included."""
    day = to_datetime(now).astimezone(zone).date() + timedelta(days=days)
    return from_datetime(datetime.combine(day, time(), zone))


def _complain(keeper: RosterKeeper, ahead: list[Hole], settings: Config) -> None:
    """Say on standard error what is wrong; end with status 1 if somebody must do something."""
    say = text()
    for warning in keeper.warnings:
        typer.echo(warning, err=True)
    if keeper.problem is not None:
        assert keeper.loaded_at is not None
        at = say.moment(to_datetime(keeper.loaded_at), settings.zone)
        shown = say("roster.by_table") if keeper.by_table else say("roster.kept", at=at)
        typer.echo(f"telemon: {keeper.problem} {shown}", err=True)
    if ahead:
        start, end = (_moment(each, settings.zone) for each in (ahead[0].start, ahead[0].end))
        typer.echo("telemon: " + say("roster.hole_ahead", start=start, end=end), err=True)
    if ahead or keeper.problem is not None:
        raise typer.Exit(1)


class _Shown:
    """What is printed of a roster: from now on, up to the end of the last day."""

    def __init__(
        self, roster: Roster, required: InCharge | None, now: Instant, until: Instant, settings: Config
    ) -> None:
        self._roster = roster
        self._now, self._until = now, until
        self._zone = settings.zone
        self._names = {officer.id: officer.name for officer in settings.officer}
        self._shifts = [shift for shift in roster.shifts if shift.start < until and shift.end > now]
        self._holes = roster.holes(now, until, required)
        self._doubles = roster.doubles(now, until)

    def print_table(self) -> None:
        say = text()
        console = Console()
        console.print(Text(self._now_line()))
        last = say.moment(to_datetime(self._until), self._zone)
        table = Table(title=say("roster.title", until=last, zone=self._zone))
        for heading in (say("roster.start"), say("roster.end"), say("roster.officer"), say("roster.notes")):
            table.add_column(heading, overflow="fold")
        rows = [(hole.start, self._hole_row(hole)) for hole in self._holes]
        rows += [(shift.start, self._shift_row(shift)) for shift in self._shifts]
        for _, row in sorted(rows, key=lambda row: row[0]):
            table.add_row(*row)
        console.print(table)

    def _now_line(self) -> str:
        say = text()
        officers = self._roster.on_duty(self._now)
        if not officers:
            return say("roster.now_nobody")
        change = self._roster.next_change(self._now)
        if change is None or change >= self._roster.known_until:
            return say("roster.now_open", names=self._named(officers))
        return say("roster.now", names=self._named(officers), until=_moment(change, self._zone))

    def _named(self, officers: tuple[str, ...] | list[str]) -> str:
        return ", ".join(self._names.get(officer, officer) for officer in officers)

    def _hole_row(self, hole: Hole) -> list[Text]:
        note = text()("roster.hole", length=_length(hole.end - hole.start))
        cells = (_moment(hole.start, self._zone), _moment(hole.end, self._zone), "", note)
        return [Text(cell, style=LOST_STYLE) for cell in cells]

    def _shift_row(self, shift: Shift) -> list[Text]:
        note = self._beside(shift, [double for double in self._doubles if _is_in(shift, double)])
        cells = (_moment(shift.start, self._zone), _moment(shift.end, self._zone), self._named([shift.officer]), note)
        return [Text(cell) for cell in cells]

    def _beside(self, shift: Shift, doubles: list[Double]) -> str:
        """Return who else is on duty meanwhile, and for how long in all."""
        if not doubles:
            return ""
        others = sorted({officer for double in doubles for officer in double.officers} - {shift.officer})
        length = _length(sum(min(shift.end, double.end) - max(shift.start, double.start) for double in doubles))
        return text()("roster.double", names=self._named(others), length=length)

    def print_json(self) -> None:
        lines: list[dict[str, Any]] = [
            {"kind": "now", "at": to_iso(self._now), "officers": list(self._roster.on_duty(self._now))}
        ]
        lines += [
            _json("shift", shift) | {"officer": shift.officer, "name": self._named([shift.officer])}
            for shift in self._shifts
        ]
        lines += [_json("hole", hole) for hole in self._holes]
        lines += [_json("double", double) | {"officers": list(double.officers)} for double in self._doubles]
        for line in lines:
            typer.echo(json.dumps(line, ensure_ascii=False))


def _is_in(shift: Shift, double: Double) -> bool:
    return shift.officer in double.officers and shift.start < double.end and double.start < shift.end


def _json(kind: str, span: Shift | Hole | Double) -> dict[str, Any]:
    return {
        "kind": kind,
        "start": to_iso(span.start),
        "end": to_iso(span.end),
        "seconds": to_seconds(span.end - span.start),
    }


def _moment(at: Instant, zone: tzinfo) -> str:
    """Return the day of the week, which is how people think of duty, and the moment."""
    say = text()
    day = format_datetime(to_datetime(at), "EEE", zone, say.language)
    return f"{day} {say.moment(to_datetime(at), zone)}"


def _length(duration: Duration) -> str:
    say = text()
    if duration < _HOUR:
        return say("roster.minutes", number=say.number(duration / _MINUTE, 0))
    return say("roster.hours", number=say.number(duration / _HOUR, 0 if duration % _HOUR == 0 else 1))
