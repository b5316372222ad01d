"""What is compared of each call, and when two values count as the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING

from telemon.cadences import rings_if_any
from telemon.instants import SECOND
from telemon.records import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator

    from simulators.compare.numbers import Numbers
    from simulators.compare.row import LedgerRow
    from simulators.truth import CallTruth
    from telemon.instants import Duration

Value = str | int | tuple[str, ...] | None
_OfTruth = Callable[["CallTruth"], Value]
_OfRow = Callable[["LedgerRow"], Value]


class Unit(Enum):
    """How a value is to be read; instants and durations are microseconds."""

    WORD = auto()
    OUTCOME = auto()
    RINGS = auto()
    INSTANT = auto()
    DURATION = auto()


class Status(Enum):
    """How a ledger's value stands to the truth's."""

    SAME = auto()  # equal, or within the tolerance
    ON_EDGE = auto()  # a ring more or less, a short abandon or not: the truth's ringing ends within the tolerance of it
    DIFFERENT = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One thing that truth and ledger both say of a call.

    ``expected`` and ``found`` give it in the form in which it is compared, ``shown`` (truth's, ledger's) in that in
    which it is read, where that is another. ``where_known``: a truth that says nothing of it is not compared.
    ``in_records``: Asterisk's own records tell it, so that a call completed from them can be held to it.
    """

    name: str
    expected: _OfTruth
    found: _OfRow
    unit: Unit = Unit.WORD
    shown: tuple[_OfTruth, _OfRow] | None = None
    where_known: bool = False
    in_records: bool = True

    @property
    def is_timed(self) -> bool:
        """Whether its values may lie so and so far apart."""
        return self.unit in {Unit.INSTANT, Unit.DURATION}


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One value of one call that the ledger has otherwise.

    ``deviation`` (microseconds) is the ledger's minus the truth's, where there can be one; of rings, that of the time
    in which they rang.
    """

    metric: str
    unit: Unit
    expected: Value
    found: Value
    deviation: Duration | None
    status: Status


class Ruler:
    """Holds rows against truths: which metrics, with which tolerance, ring cycle and longest short abandon."""

    def __init__(self, numbers: Numbers, *, tolerance: Duration, ring_cycle: Duration, short_abandon: Duration) -> None:
        self._tolerance = tolerance
        self._cycle = ring_cycle
        self._short_abandon = short_abandon
        self.metrics = (
            *_identity(numbers),
            *_people(numbers),
            Metric(
                name="rings",
                unit=Unit.RINGS,
                expected=lambda truth: rings_if_any(truth.ring_duration, ring_cycle),
                found=lambda row: row.rings,
            ),
            *_times(),
        )

    def status(
        self, metric: Metric, truth: CallTruth, expected: Value, found: Value, *, from_records: bool = False
    ) -> Status:
        """Return how two values of one metric stand to each other.

        A call that was completed ``from_records`` is known to the second, and need not say what those do not.
        """
        if expected == found or (from_records and (found in {None, ""} or not metric.in_records)):
            return Status.SAME
        tolerance = self._tolerance + (SECOND if from_records else 0)
        if metric.unit is Unit.OUTCOME:
            return Status.ON_EDGE if self._is_about_short(truth, {expected, found}, tolerance) else Status.DIFFERENT
        if metric.unit is Unit.WORD or not isinstance(expected, int) or not isinstance(found, int):
            return Status.DIFFERENT
        if metric.unit is Unit.RINGS:
            return Status.ON_EDGE if self._is_on_edge(truth, expected, found, tolerance) else Status.DIFFERENT
        return Status.SAME if abs(found - expected) <= tolerance else Status.DIFFERENT

    def differences(self, truth: CallTruth, row: LedgerRow) -> Iterator[Difference]:
        """Yield what is not the same in one call, in the order of the metrics."""
        for metric in self.metrics:
            expected, found = metric.expected(truth), metric.found(row)
            status = self.status(metric, truth, expected, found, from_records=row.from_records)
            if status is Status.SAME or (metric.where_known and expected is None):
                continue
            by_ringing = metric.unit in {Unit.RINGS, Unit.OUTCOME}
            measured = (truth.ring_duration, row.ring) if by_ringing else (expected, found)
            if metric.shown is not None:
                expected, found = metric.shown[0](truth), metric.shown[1](row)
            yield Difference(
                metric=metric.name,
                unit=metric.unit,
                expected=expected,
                found=found,
                deviation=None if metric.unit is Unit.WORD else _deviation(*measured),
                status=status,
            )

    def _is_about_short(self, truth: CallTruth, outcomes: set[Value], tolerance: Duration) -> bool:
        """Whether only a hair decides between a short abandon and one that counts."""
        hair = abs((truth.ring_duration or 0) - self._short_abandon) <= tolerance
        return hair and outcomes == {Outcome.ABANDONED, Outcome.SHORT_ABANDONED}

    def _is_on_edge(self, truth: CallTruth, expected: int, found: int, tolerance: Duration) -> bool:
        """Whether the ring that one has and the other has not begins within the tolerance of the truth's own end."""
        begins = min(expected, found) * self._cycle
        return abs(found - expected) == 1 and abs((truth.ring_duration or 0) - begins) <= tolerance


def _deviation(expected: Value, found: Value) -> Duration | None:
    return found - expected if isinstance(expected, int) and isinstance(found, int) else None


def _identity(numbers: Numbers) -> tuple[Metric, ...]:
    caller = Metric(
        name="caller",
        expected=numbers.caller,
        found=numbers.caller_found,
        shown=(lambda truth: truth.caller, lambda row: row.caller),
    )
    return (
        Metric(
            name="call_id",
            expected=lambda truth: truth.call_id,
            found=lambda row: row.call_id,
            where_known=True,
        ),
        Metric(name="service", expected=lambda truth: truth.service, found=lambda row: row.service),
        Metric(name="ddi", expected=lambda truth: truth.ddi, found=lambda row: row.ddi),
        *(() if numbers.blind else (caller,)),
        Metric(
            name="outcome",
            unit=Unit.OUTCOME,
            expected=lambda truth: truth.outcome,
            found=lambda row: row.outcome,
        ),
        Metric(name="ended_by", expected=lambda truth: truth.ended_by, found=lambda row: row.ended_by),
    )


def _people(numbers: Numbers) -> tuple[Metric, ...]:
    ours, theirs = numbers.address, numbers.address_found
    return (
        Metric(
            name="answered_by",
            expected=lambda truth: None if truth.answered_by is None else ours(truth.answered_by),
            found=lambda row: None if row.answered_by is None else theirs(row.answered_by),
            shown=(lambda truth: truth.answered_by, lambda row: row.answered_by),
        ),
        Metric(
            name="machine_answered",
            expected=lambda truth: truth.machine_answered,
            found=lambda row: row.machine_answered,
            in_records=False,
        ),
        Metric(
            name="rung",
            expected=lambda truth: tuple(sorted(map(ours, truth.rung))),
            found=lambda row: tuple(sorted(map(theirs, row.rung))),
            shown=(lambda truth: truth.rung, lambda row: row.rung),
            in_records=False,
        ),
        Metric(
            name="transferred_to",
            expected=lambda truth: tuple(map(ours, truth.transferred_to)),
            found=lambda row: tuple(map(theirs, row.transferred_to)),
            shown=(lambda truth: truth.transferred_to, lambda row: row.transferred_to),
            in_records=False,
        ),
    )


def _times() -> tuple[Metric, ...]:
    instant, duration = Unit.INSTANT, Unit.DURATION
    return (
        Metric(name="arrived_at", unit=instant, expected=lambda t: t.arrived_at, found=lambda row: row.arrived_at),
        Metric(name="wait_seconds", unit=duration, expected=lambda t: t.wait_duration, found=lambda row: row.wait),
        Metric(name="ring_seconds", unit=duration, expected=lambda t: t.ring_duration, found=lambda row: row.ring),
        Metric(name="talk_seconds", unit=duration, expected=lambda t: t.talk_duration, found=lambda row: row.talk),
        Metric(name="ended_at", unit=instant, expected=lambda t: t.ended_at, found=lambda row: row.ended_at),
    )
