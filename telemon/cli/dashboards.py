"""``telemon dashboards``: the Grafana dashboards that come with telemon."""

from __future__ import annotations

import os
from collections import Counter
from enum import StrEnum
from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.console import Console
from rich.table import Table

from telemon.ami.link import wall_clock
from telemon.cli.bars import stages
from telemon.cli.common import end_with_the_pipe, settle
from telemon.dashboards.shipped import boards_folder, read_boards
from telemon.errors import DashboardError
from telemon.texts import text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from telemon.dashboards.marks import Mark
    from telemon.dashboards.pushing import Step

TOKEN_VARIABLE: Final = "TELEMON_GRAFANA_TOKEN"  # noqa: S105 - where it is looked for
_KINDS: Final = {
    "folder": "dashboards.kind_folder",
    "source": "dashboards.kind_source",
    "dashboard": "dashboards.kind_dashboard",
}
_FATES: Final = {"new": "dashboards.new", "changed": "dashboards.changed", "same": "dashboards.same"}

app = typer.Typer(no_args_is_help=True)


class Language(StrEnum):
    """Whose dashboards."""

    FR = "fr"
    EN = "en"
    BOTH = "both"

    @property
    def folders(self) -> tuple[str, ...]:
        """The folders of these dashboards."""
        return ("fr", "en") if self is Language.BOTH else (self.value,)


LanguageOption = Annotated[Language, typer.Option("--language", "-l", help=text()("dashboards.option_language"))]


@app.command("list", help=text()("dashboards.help_list"))
def list_(language: LanguageOption = Language.BOTH) -> None:
    """Print which dashboards there are."""
    end_with_the_pipe()
    say = text()
    table = Table(title=say("dashboards.title", folder=boards_folder()), title_justify="left")
    for key in ("dashboards.column_uid", "dashboards.column_title"):
        table.add_column(say(key), overflow="fold")
    table.add_column(say("dashboards.column_panels"), justify="right")
    for board in read_boards(language.folders):
        panels = sum(panel.get("type") != "row" for panel in board.model.get("panels", ()))
        table.add_row(board.uid, board.title, say.number(panels, 0))
    Console().print(table)


@app.command("push", help=text()("dashboards.help_push"))
def push(
    *,
    url: Annotated[str, typer.Option("--url", help=text()("dashboards.option_url"), show_default=False)],
    token_file: Annotated[
        Path | None, typer.Option("--token-file", help=text()("dashboards.option_token"), show_default=False)
    ] = None,
    language: LanguageOption = Language.BOTH,
    prometheus: Annotated[
        str | None, typer.Option("--prometheus", help=text()("dashboards.option_prometheus"), show_default=False)
    ] = None,
    folder: Annotated[str, typer.Option("--folder", help=text()("dashboards.option_folder"))] = "telemon",
    config: Annotated[
        Path | None, typer.Option("--config", "-c", help=text()("dashboards.option_config"), show_default=False)
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help=text()("dashboards.option_dry_run"))] = False,
) -> None:
    """Compare everything with what Grafana has, and write what differs."""
    from telemon.dashboards.connection import Grafana
    from telemon.dashboards.pushing import plan

    marks = _marks(config)
    boards = read_boards(language.folders)
    grafana = Grafana(url, read_token(token_file))
    count = 2 + len(boards) + len(marks)
    with stages() as show:
        steps = list(_shown(plan(grafana, boards, folder, prometheus, marks), count, "dashboards.comparing", show))
        if not dry_run:
            for step in _shown(steps, count, "dashboards.writing", show):
                step.act()
    _print_steps(steps, dry_run=dry_run)


def read_token(path: Path | None) -> str:
    """Return the token of a service account, from its file or the environment.

    Raises:
        DashboardError: there is none, its file cannot be read, or it is none. The message never holds it.
    """
    say = text()
    if path is None:
        token = os.environ.get(TOKEN_VARIABLE, "").strip()
        if not token:
            raise DashboardError(say("dashboards.no_token", variable=TOKEN_VARIABLE))
    else:
        try:
            token = path.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or error
            raise DashboardError(say("dashboards.token_file", path=path, reason=reason)) from error
    if not token or not (token.isascii() and token.isprintable()) or " " in token:
        raise DashboardError(say("dashboards.bad_token", source=path or TOKEN_VARIABLE))
    return token


def _marks(config: Path | None) -> list[Mark]:
    """Return what the ledger of a configuration has to tell; nothing unless one is named."""
    from telemon.dashboards.marks import read_marks

    return [] if config is None else read_marks(settle(config), wall_clock())


def _shown(steps: Iterable[Step], count: int, doing: str, show: Callable[[str, int, int], None]) -> Iterator[Step]:
    """Yield the steps, and show how many the caller is through with."""
    for done, step in enumerate(steps, 1):
        yield step
        show(text()(doing), done, count)


def _print_steps(steps: Sequence[Step], *, dry_run: bool) -> None:
    """Say what was done (or would be): folder, data source and dashboards each, the many annotations by number."""
    say, console = text(), Console(highlight=False)
    for step in steps:
        if step.kind != "annotation":
            line = say("dashboards.line", kind=say(_KINDS[step.kind]), name=step.name, fate=say(_FATES[step.fate]))
            console.print(line, markup=False, soft_wrap=True)
        for change in step.difference if dry_run else ():
            console.print(change, markup=False, soft_wrap=True, style=_style(change))
    counts = Counter(step.fate.value for step in steps if step.kind == "annotation")
    if counts:
        values = {fate: say.number(counts[fate], 0) for fate in _FATES}
        console.print(say("dashboards.annotations", **values), markup=False, soft_wrap=True)
    touched = sum(step.fate != "same" for step in steps)
    key = "dashboards.nothing" if not touched else "dashboards.dry" if dry_run else "dashboards.done"
    console.print(say(key, count=say.number(touched, 0)), markup=False, soft_wrap=True)


def _style(change: str) -> str:
    """Blue and orange stay apart for colour-blind readers; the sign says it as well."""
    return {"+": "blue", "-": "dark_orange"}.get(change[:1], "dim")
