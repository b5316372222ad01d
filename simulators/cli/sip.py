"""``telemon-sim sip``."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from simulators.plan import Plan
    from simulators.sip.load.measure import Measured
    from simulators.sip.player import Played, Progress
    from simulators.sip.target import Target

_SHOWN = 10  # calls that went another way, or failed, are listed up to so many
_LAGS = {"p50": 0.50, "p99": 0.99, "worst": 1.0}


def command(
    *,
    to: Annotated[
        str | None, typer.Option(help="Where the callers dial: sip:HOST:PORT (UDP). Without it: the lab that is up.")
    ] = None,
    scenario: Annotated[
        str, typer.Option(help="Which traffic: a name such as monday-morning, crisis, quiet-night; or a .toml file.")
    ] = "monday-morning",
    seed: Annotated[int, typer.Option(help="The same seed gives the same calls.")] = 1,
    squeeze: Annotated[float, typer.Option(min=0.01, help="10 plays ten minutes of arrivals and talks in one.")] = 10.0,
    calls: Annotated[int | None, typer.Option(min=1, help="Only so many calls.")] = None,
    ddi: Annotated[
        list[str] | None,
        typer.Option(help="SERVICE=NUMBER: what to dial for a service of the scenario; the others are left out."),
    ] = None,
    phones: Annotated[
        str | None, typer.Option(help="HOST:PORT of this machine at which every phone of the scenario shall answer.")
    ] = None,
    phone: Annotated[
        list[str] | None,
        typer.Option(help="NAME=HOST:PORT: one phone at a port of its own (the duty mobile, gsm, needs one)."),
    ] = None,
    no_phones: Annotated[
        bool, typer.Option("--no-phones", help="Real operators answer; an answered call counts as theirs.")
    ] = False,
    truth: Annotated[Path, typer.Option(help="Where to write what really happened.")] = Path("truth.ndjson"),
    country: Annotated[str, typer.Option(help="Whose ring cadence counts.")] = "FR",
    load: Annotated[
        float | None,
        typer.Option(
            min=0.1, help="Calls a second, all short, on an Asterisk and a telemon of its own (needs the lab)."
        ),
    ] = None,
    seconds: Annotated[float, typer.Option(min=1.0, help="How long --load lasts.")] = 60.0,
    own_pbx: Annotated[
        bool, typer.Option("--i-own-this-pbx", help="Let calls leave this machine: real phones will ring.")
    ] = False,
) -> None:
    """Place a scenario's calls with SIPp at a real Asterisk, and write what callers and phones lived through.

    With the lab up, that is all:

      telemon-sim lab up; telemon-sim sip --scenario monday-morning

    At an Asterisk of your own, point test endpoints at SIPp, named as the scenario's phones (op1 … op10, svc1 …):
    type=aor, contact=sip:op1@127.0.0.1:16060. Then, for one service of which they are the operators:

      telemon-sim sip --to sip:127.0.0.1:5060 --phones 127.0.0.1:16060 --ddi standard=0102030405

    Hold telemon's ledger against the truth afterwards: telemon-sim compare.
    """
    from simulators.sip.choosing import choose_plan, choose_target
    from simulators.sip.verdict import other_ways
    from simulators.truth import write_truth
    from telemon.cadences import ring_cycle
    from telemon.errors import TelemonError

    cycle = ring_cycle(country)
    if load is not None:
        if to is not None:
            raise TelemonError("--load runs on an Asterisk of its own; leave out --to")
        measured = asyncio.run(_measure(load, seconds, seed))
        write_truth(truth, measured.played.truths, cycle)
        _tell_load(measured)
        _tell(measured.played, {}, truth)
        return
    target = choose_target(to, phones=phones, single=phone or (), no_phones=no_phones, own_pbx=own_pbx)
    plan = choose_plan(scenario, target, seed=seed, squeeze=squeeze, calls=calls, ddis=ddi or ())
    if plan.pauses and target.console is None:
        typer.echo(f"{len(plan.pauses)} planned pauses are left out: this switchboard takes no orders from here.")
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

    console = Console(stderr=True)
    columns = TextColumn("{task.description}", markup=False), BarColumn(), TimeElapsedColumn()
    with Bar(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task(f"{count} calls to place", total=count)

        def show(now: Progress) -> None:
            under_way = now.placed - now.over
            text = f"{now.placed} of {count} placed · {under_way} under way · {now.over} over"
            bar.update(task, completed=now.over, description=text)

        yield show


def _tell(played: Played, otherwise: dict[str, str], truth: Path) -> None:
    """Sum up; TelemonError if calls failed."""
    from telemon.errors import TelemonError

    outcomes = Counter(call.outcome.value for call in played.truths)
    parts = ", ".join(f"{count} {outcome}" for outcome, count in outcomes.most_common())
    typer.echo(f"{len(played.truths)} calls: {parts or 'none'}. Their truth is in {truth}")
    if otherwise:
        typer.echo(f"{len(otherwise)} went another way than planned, as real switchboards do; the truth says how:")
        for line in _first(otherwise):
            typer.echo(f"  {line}")
    if played.failures:
        raise TelemonError(f"{len(played.failures)} failed:\n  " + "\n  ".join(_first(played.failures)))


def _first(reasons: dict[str, str]) -> Iterator[str]:
    yield from (f"{name}: {reason}" for name, reason in list(reasons.items())[:_SHOWN])
    if len(reasons) > _SHOWN:
        yield f"… and {len(reasons) - _SHOWN} more"


def _tell_load(measured: Measured) -> None:
    """Say what telemon made of it; TelemonError if it did not count every call."""
    from telemon.errors import TelemonError

    placed, counted = len(measured.played.truths), sum(measured.counted.values())
    lags = " · ".join(f"{label} {measured.lag(share) * 1000:.1f} ms" for label, share in _LAGS.items())
    typer.echo(f"telemon counted {counted} of {placed} calls; its lag behind Asterisk: {lags}")
    if counted != placed:
        raise TelemonError(f"{placed - counted} calls are not accounted for")
