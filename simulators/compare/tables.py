"""A comparison as people read it. What truth and ledger say is never read as markup, nor as a terminal's commands."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final

from rich.table import Table
from rich.text import Text

from simulators.compare.metrics import Status, Unit
from telemon.instants import to_datetime, to_seconds
from telemon.records import EndedBy, Outcome
from telemon.rulesets import DEFAULT_LOST
from telemon.texts import text

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import tzinfo

    from simulators.compare.comparison import Comparison, Tally
    from simulators.compare.metrics import Difference, Value
    from simulators.truth import CallTruth
    from telemon.instants import Duration, Instant

SHOWN: Final = 20  # calls in a table, unless all are asked for
_GOOD: Final = "blue"  # blue and orange stay apart for colour-blind readers; the figures say it as well
_BAD: Final = "dark_orange"
_ENDED_BY: Final = {EndedBy.CALLER: "by_caller", EndedBy.SWITCHBOARD: "by_switchboard"}


def metrics_table(comparison: Comparison) -> Table:
    """Return one row a metric: how many were compared, the same, on the edge, different, and how far off."""
    say = text()
    table = Table(title=say("compare.metrics"))
    table.add_column(say("compare.metric"), no_wrap=True)
    for key in ("compared", "same", "on_edge", "different", "greatest", "p95"):
        table.add_column(say(f"compare.{key}"), justify="right", overflow="fold")
    for tally in comparison.tallies:
        if tally.compared or not comparison.joined.pairs:
            table.add_row(*_tally_row(tally))
    return table


def faults_table(comparison: Comparison, zone: tzinfo, limit: int | None) -> Table:
    """Return what differs, call by call, of at most ``limit`` calls."""
    table = _calls_table(text()("compare.faults", zone=zone))
    for truth, row in islice(comparison.faults(), limit):
        if truth is None:
            assert row is not None
            found = _one_line(row.outcome, row.ddi, row.caller, row.call_id)
            table.add_row(*_head("", row.arrived_at, zone), _word("surplus"), Text(), found, Text())
        elif row is None:
            expected = _one_line(truth.outcome, truth.ddi, truth.caller)
            table.add_row(*_head(truth.name, truth.arrived_at, zone), _word("missing"), expected, Text(), Text())
        else:
            _add(table, truth, comparison.differences((truth, row), Status.DIFFERENT), zone)
    return table


def edges_table(comparison: Comparison, zone: tzinfo, limit: int | None) -> Table:
    """Return the calls whose rings were tolerated, at most ``limit`` of them."""
    table = _calls_table(text()("compare.edges", zone=zone))
    for number in comparison.on_edge[:limit]:
        truth, row = comparison.joined.pairs[number]
        _add(table, truth, comparison.differences((truth, row), Status.ON_EDGE), zone)
    return table


def totals_table(comparison: Comparison) -> Table:
    """Return how many calls there were by outcome, in truth and ledger."""
    say = text()
    truths, rows = comparison.outcomes()
    table = Table(title=say("compare.totals"))
    for key in ("total", "truth", "ledger"):
        table.add_column(say(f"compare.{key}"), justify="left" if key == "total" else "right")
    lines = [("offered", set(Outcome)), ("answered", {Outcome.ANSWERED}), ("lost", DEFAULT_LOST)]
    counts = [(say(f"compare.{name}"), outcomes) for name, outcomes in lines]
    counts += [(f"  {say(f'outcome.{outcome.value}')}", {outcome}) for outcome in Outcome if outcome in truths | rows]
    for label, outcomes in counts:
        ours, theirs = (sum(counter[outcome] for outcome in outcomes) for counter in (truths, rows))
        style = "" if ours == theirs else _BAD
        table.add_row(label, say.number(ours, 0), Text(say.number(theirs, 0), style=style))
    return table


def clean(shown: str) -> str:
    """Return text without what a terminal would obey."""
    return "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in shown)


def _tally_row(tally: Tally) -> list[Text]:
    say = text()
    return [
        Text(say(f"compare.{tally.metric}")),
        *(Text(say.number(count, 0)) for count in (tally.compared, tally.same, tally.on_edge)),
        Text(say.number(tally.different, 0), style=_BAD if tally.different else _GOOD),
        Text("" if tally.greatest is None else _deviation(tally.greatest)),
        Text("" if tally.p95 is None else _seconds(tally.p95)),
    ]


def _calls_table(title: str) -> Table:
    say = text()
    table = Table(title=title)
    for key in ("name", "arrived", "metric", "truth", "ledger"):
        table.add_column(say(f"compare.{key}"), overflow="fold")
    table.add_column(say("compare.deviation"), justify="right")
    return table


def _add(table: Table, truth: CallTruth, differences: Iterable[Difference], zone: tzinfo) -> None:
    """Add one line for each difference, the call's name on the first only."""
    head = _head(truth.name, truth.arrived_at, zone)
    for found in differences:
        table.add_row(
            *head,
            _word(found.metric),
            Text(_value(found.expected, found.unit, zone)),
            Text(_value(found.found, found.unit, zone)),
            Text("" if found.deviation is None else _deviation(found.deviation)),
        )
        head = (Text(), Text())


def _head(name: str, arrived_at: Instant, zone: tzinfo) -> tuple[Text, Text]:
    return Text(clean(name)), Text(_moment(arrived_at, zone))


def _word(key: str) -> Text:
    return Text(text()(f"compare.{key}"))


def _one_line(outcome: Outcome, *words: str) -> Text:
    return Text(clean(", ".join((text()(f"outcome.{outcome.value}"), *words))))


def _value(value: Value, unit: Unit, zone: tzinfo) -> str:
    say = text()
    if value is None:
        return say.number(None)
    if isinstance(value, bool):
        return say("compare.yes" if value else "compare.no")
    if isinstance(value, tuple):
        return clean(", ".join(value)) or say.number(None)
    if isinstance(value, int):
        shown = {Unit.INSTANT: _moment(value, zone), Unit.DURATION: _seconds(value)}
        return shown.get(unit, say.number(value, 0))
    if isinstance(value, Outcome):
        return say(f"outcome.{value.value}")
    return say(f"compare.{_ENDED_BY[value]}") if isinstance(value, EndedBy) else clean(value)


def _moment(instant: Instant, zone: tzinfo) -> str:
    """Return an instant to the millisecond, in the order in which it sorts."""
    return to_datetime(instant).astimezone(zone).isoformat(" ", timespec="milliseconds")[:23]


def _seconds(duration: Duration) -> str:
    return text().number(to_seconds(duration), 3)


def _deviation(duration: Duration) -> str:
    return f"{'+' if duration > 0 else ''}{_seconds(duration)}"
