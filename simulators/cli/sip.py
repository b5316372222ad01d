"""``telemon-sim sip``."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from telemon.texts import text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sized

    from simulators.plan import Plan
    from simulators.sip.load.measure import Measured
    from simulators.sip.player import Played, Progress
    from simulators.sip.target import Target

_SHOWN = 10  # calls that went another way, or failed, are listed up to so many
_LAGS = {"p50": 0.50, "p99": 0.99, "worst": 1.0}  # by their places in the text


def command(
    *,
    to: Annotated[str | None, typer.Option(help=text()("sim_sip.option_to"))] = None,
    scenario: Annotated[str, typer.Option(help=text()("sim_sip.option_scenario"))] = "monday-morning",
    seed: Annotated[int, typer.Option(help=text()("sim.option_seed"))] = 1,
    squeeze: Annotated[float, typer.Option(min=0.01, help=text()("sim_sip.option_squeeze"))] = 10.0,
    calls: Annotated[int | None, typer.Option(min=1, help=text()("sim_sip.option_calls"))] = None,
    ddi: Annotated[list[str] | None, typer.Option(help=text()("sim_sip.option_ddi"))] = None,
    phones: Annotated[str | None, typer.Option(help=text()("sim_sip.option_phones"))] = None,
    phone: Annotated[list[str] | None, typer.Option(help=text()("sim_sip.option_phone"))] = None,
    no_phones: Annotated[bool, typer.Option("--no-phones", help=text()("sim_sip.option_no_phones"))] = False,
    truth: Annotated[Path, typer.Option(help=text()("sim_sip.option_truth"))] = Path("truth.ndjson"),
    country: Annotated[str, typer.Option(help=text()("sim_sip.option_country"))] = "FR",
    load: Annotated[float | None, typer.Option(min=0.1, help=text()("sim_sip.option_load"))] = None,
    seconds: Annotated[float, typer.Option(min=1.0, help=text()("sim_sip.option_seconds"))] = 60.0,
    own_pbx: Annotated[bool, typer.Option("--i-own-this-pbx", help=text()("sim_sip.option_own_pbx"))] = False,
) -> None:
    """Place a scenario's calls at a real Asterisk, and write what callers and phones lived through.

    Raises:
        TelemonError: an option says what cannot be, something is missing here, or calls failed.
    """
    from simulators.sip.choosing import choose_plan, choose_target
    from simulators.sip.verdict import other_ways
    from simulators.truth import check_writable, write_truth
    from telemon.cadences import ring_cycle
    from telemon.errors import TelemonError

    cycle = ring_cycle(country)
    if load is not None:
        if to is not None:
            raise TelemonError(text()("sim_sip.load_and_to"))
        check_writable(truth)
        measured = asyncio.run(_measure(load, seconds, seed))
        write_truth(truth, measured.played.truths, cycle)
        _tell_load(measured)
        _tell(measured.played, {}, truth)
        return
    target = choose_target(to, phones=phones, single=phone or (), no_phones=no_phones, own_pbx=own_pbx)
    plan = choose_plan(scenario, target, seed=seed, squeeze=squeeze, calls=calls, ddis=ddi or ())
    if plan.pauses and target.console is None:
        typer.echo(text()("sim_sip.pauses_left_out", count=_count(plan.pauses)))
    check_writable(truth)
    played = asyncio.run(_play(plan, target))
    write_truth(truth, played.truths, cycle)
    _tell(played, dict(other_ways(plan.calls, played.truths)), truth)


async def _play(plan: Plan, target: Target) -> Played:
    from simulators.sip.player import play

    with _progress(len(plan.calls)) as show:
        return await play(plan, target, progress=show)


async def _measure(rate: float, seconds: float, seed: int) -> Measured:
    from simulators.sip.load.measure import measure_load

    with _progress(round(rate * seconds)) as show:
        return await measure_load(rate=rate, seconds=seconds, seed=seed, progress=show)


@contextmanager
def _progress(count: int) -> Iterator[Callable[[Progress], None]]:
    """Show how many calls are placed, under way and over; where there is no terminal, nothing."""
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    say, console = text(), Console(stderr=True)
    columns = TextColumn("{task.description}", markup=False), BarColumn(), TimeElapsedColumn()
    with Bar(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task(say("sim_sip.to_place", count=say.number(count, 0)), total=count)

        def show(now: Progress) -> None:
            counts = {"placed": now.placed, "count": count, "under_way": now.placed - now.over, "over": now.over}
            numbers = {name: say.number(value, 0) for name, value in counts.items()}
            bar.update(task, completed=now.over, description=say("sim_sip.progress", **numbers))

        yield show


def _tell(played: Played, otherwise: dict[str, str], truth: Path) -> None:
    """Sum up; TelemonError if calls failed."""
    from telemon.errors import TelemonError

    say = text()
    parts = ", ".join(_outcomes(played))
    typer.echo(
        say("sim_sip.summary", count=_count(played.truths), outcomes=parts or say("sim_sip.nothing"), path=truth)
    )
    if otherwise:
        typer.echo(say("sim_sip.otherwise", count=_count(otherwise)))
        for line in _first(otherwise):
            typer.echo(f"  {line}")
    if played.failures:
        lines = (say("sim_sip.failed", count=_count(played.failures)), *_first(played.failures))
        raise TelemonError("\n  ".join(lines))


def _outcomes(played: Played) -> Iterator[str]:
    """Yield how many calls had each outcome, the most frequent first."""
    say = text()
    for outcome, count in Counter(call.outcome.value for call in played.truths).most_common():
        yield say("sim_sip.outcome", count=say.number(count, 0), outcome=say(f"outcome.{outcome}"))


def _first(reasons: dict[str, str]) -> Iterator[str]:
    say = text()
    for name, reason in list(reasons.items())[:_SHOWN]:
        yield say("sim_sip.reason", name=name, reason=reason)
    if len(reasons) > _SHOWN:
        yield say("sim_sip.more", count=say.number(len(reasons) - _SHOWN, 0))


def _count(items: Sized) -> str:
    return text().number(len(items), 0)


def _tell_load(measured: Measured) -> None:
    """Say what telemon made of it; TelemonError if it did not count every call."""
    from telemon.errors import TelemonError

    say, placed, counted = text(), len(measured.played.truths), sum(measured.counted.values())
    lags = {label: say.number(measured.lag(share) * 1000, 1) for label, share in _LAGS.items()}
    typer.echo(say("sim_sip.counted", counted=say.number(counted, 0), placed=say.number(placed, 0), **lags))
    if counted != placed:
        raise TelemonError(say("sim_sip.uncounted", count=say.number(placed - counted, 0)))
