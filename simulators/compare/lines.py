"""A comparison as JSON lines, each with its ``kind``; durations in seconds, instants in ISO 8601 UTC."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from simulators.compare.metrics import Status, Unit
from telemon.instants import to_iso, to_seconds
from telemon.records import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator

    from simulators.compare.comparison import Comparison, Tally
    from simulators.compare.metrics import Difference, Value
    from simulators.compare.row import LedgerRow
    from simulators.truth import CallTruth
    from telemon.instants import Duration


def lines(comparison: Comparison) -> Iterator[dict[str, Any]]:
    """Yield a ``metric`` each, the ``difference``s, ``missing`` and ``surplus`` calls, the ``on_edge``, a ``total``."""
    for tally in comparison.tallies:
        yield _tally(tally)
    for truth, row in comparison.faults():
        if truth is None or row is None:
            yield _alone(truth, row)
        else:
            for found in comparison.differences((truth, row), Status.DIFFERENT):
                yield {"kind": "difference", **_call(truth, row), **_difference(found)}
    for number in comparison.on_edge:
        truth, row = comparison.joined.pairs[number]
        for found in comparison.differences((truth, row), Status.ON_EDGE):
            yield {"kind": "on_edge", **_call(truth, row), **_difference(found)}
    yield _total(comparison)


def _tally(tally: Tally) -> dict[str, Any]:
    return {
        "kind": "metric",
        "metric": tally.metric,
        "compared": tally.compared,
        "same": tally.same,
        "on_edge": tally.on_edge,
        "different": tally.different,
        "greatest_seconds": _seconds(tally.greatest),
        "p95_seconds": _seconds(tally.p95),
    }


def _alone(truth: CallTruth | None, row: LedgerRow | None) -> dict[str, Any]:
    call = truth or row
    assert call is not None
    return {
        "kind": "missing" if row is None else "surplus",
        **_call(truth, row),
        "service": call.service,
        "ddi": call.ddi,
        "caller": call.caller,
        "outcome": call.outcome.value,
    }


def _call(truth: CallTruth | None, row: LedgerRow | None) -> dict[str, Any]:
    call = truth or row
    assert call is not None
    return {
        "name": None if truth is None else truth.name,
        "call_id": None if row is None else row.call_id,
        "arrived_at": to_iso(call.arrived_at),
    }


def _difference(found: Difference) -> dict[str, Any]:
    return {
        "metric": found.metric,
        "truth": _value(found.expected, found.unit),
        "ledger": _value(found.found, found.unit),
        "deviation_seconds": _seconds(found.deviation),
    }


def _value(value: Value, unit: Unit) -> Any:
    if isinstance(value, int) and unit is Unit.INSTANT:
        return to_iso(value)
    return to_seconds(value) if isinstance(value, int) and unit is Unit.DURATION else value


def _total(comparison: Comparison) -> dict[str, Any]:
    truths, rows = comparison.outcomes()
    joined = comparison.joined
    return {
        "kind": "total",
        "truth": {outcome.value: truths[outcome] for outcome in Outcome if truths[outcome]},
        "ledger": {outcome.value: rows[outcome] for outcome in Outcome if rows[outcome]},
        "joined": len(joined.pairs),
        "different": len(comparison.different),
        "on_edge": len(comparison.on_edge),
        "missing": len(joined.missing),
        "surplus": len(joined.surplus),
        "outside": comparison.outside,
        "clean": comparison.is_clean,
    }


def _seconds(duration: Duration | None) -> float | None:
    return None if duration is None else to_seconds(duration)
