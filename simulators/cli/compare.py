"""``telemon-sim compare``."""

from __future__ import annotations

import json
import sys
from pathlib import Path  # noqa: TC003 - typer reads the annotation
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from telemon.cli.common import Shape, ShapeOption, end_with_the_pipe
from telemon.texts import text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from simulators.compare.comparison import Comparison
    from simulators.compare.sources import Source

_T = TypeVar("_T")


def command(
    truth: Annotated[Path, typer.Argument(help=text()("compare.option_truth"), show_default=False)],
    ledger: Annotated[str, typer.Argument(help=text()("compare.option_ledger"), show_default=False)],
    *,
    site: Annotated[str | None, typer.Option(help=text()("compare.option_site"))] = None,
    key: Annotated[Path | None, typer.Option(help=text()("compare.option_key"))] = None,
    tolerance: Annotated[float, typer.Option(min=0.0, help=text()("compare.option_tolerance"))] = 0.1,
    country: Annotated[str | None, typer.Option(help=text()("compare.option_country"))] = None,
    shape: ShapeOption = Shape.TABLE,
    everything: Annotated[bool, typer.Option("--all", help=text()("compare.option_all"))] = False,
) -> None:
    """Hold a ledger against the truth, and leave with status 1 if they differ.

    Raises:
        TelemonError: one of them cannot be read, or the ledger has no call of this site.
    """
    from simulators.compare.sources import locate

    end_with_the_pipe()
    source = locate(ledger, key=key, site=site, country=country)
    comparison = _compare(truth, source, tolerance)
    if shape is Shape.NDJSON:
        from simulators.compare.lines import lines

        for line in lines(comparison):
            sys.stdout.write(json.dumps(line) + "\n")
    else:
        _print(comparison, source, everything=everything)
    if not comparison.is_clean:
        raise typer.Exit(1)


def _compare(truth: Path, source: Source, tolerance: float) -> Comparison:
    from simulators.compare.comparison import compare
    from simulators.compare.joining import period
    from simulators.compare.sources import read_rows, read_truths
    from telemon.instants import from_seconds

    say = text()
    truths = list(_track(read_truths(truth), say("compare.reading_truth")))
    reading = read_rows(source, *period(truths))
    rows = list(_track(reading.rows, say("compare.reading_ledger"), reading.total))
    return compare(
        truths,
        rows,
        source.key,
        tolerance=from_seconds(tolerance),
        ring_cycle=source.ring_cycle,
        short_abandon=source.short_abandon,
        beyond=reading.beyond,
        track=lambda metrics: _track(metrics, say("compare.comparing"), len(metrics)),
    )


def _track(items: Iterable[_T], label: str, total: int | None = None) -> Iterable[_T]:
    """Show a bar while they are gone through; on something else than a terminal, stay silent."""
    if not sys.stderr.isatty():
        return items
    from rich.console import Console
    from rich.progress import track

    return track(items, label, total, console=Console(stderr=True), transient=True)


def _print(comparison: Comparison, source: Source, *, everything: bool) -> None:
    from rich.console import Console

    from simulators.compare.tables import SHOWN, edges_table, faults_table, metrics_table, totals_table

    console, limit = Console(), None if everything else SHOWN
    faults = len(comparison.different) + len(comparison.joined.missing) + len(comparison.joined.surplus)
    console.print(metrics_table(comparison))
    if faults:
        console.print(faults_table(comparison, source.zone, limit))
    if comparison.on_edge:
        console.print(edges_table(comparison, source.zone, limit))
    if not everything and max(faults, len(comparison.on_edge)) > SHOWN:
        console.print(text()("compare.more", shown=SHOWN), markup=False)
    console.print(totals_table(comparison))
    for line in _words(comparison):
        console.print(line, markup=False)


def _words(comparison: Comparison) -> Iterator[str]:
    """Yield what the tables cannot say, and the verdict last."""
    say, joined = text(), comparison.joined
    if comparison.blind:
        yield say("compare.blind")
    elif comparison.is_key_wrong:
        yield say("compare.wrong_key")
    if comparison.outside:
        yield say("compare.outside", count=say.number(comparison.outside, 0))
    counts = {"joined": joined.pairs, "different": comparison.different, "missing": joined.missing}
    numbers = {name: say.number(len(calls), 0) for name, calls in counts.items()}
    surplus = say.number(len(joined.surplus), 0)
    yield say("compare.clean" if comparison.is_clean else "compare.not_clean", **numbers, surplus=surplus)
