"""One call as a ledger holds it: only what a truth can be held against."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from telemon.instants import from_datetime, from_seconds
from telemon.records import EndedBy, Outcome, Provenance, TransferResult

if TYPE_CHECKING:
    from telemon.instants import Duration, Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerRow:
    """One call of a ledger. ``wait``, ``ring``, ``talk`` and ``rings`` are those that it gives itself.

    ``caller`` and the numbers inside interfaces may be pseudonyms. ``rung`` holds the operator of every ring attempt,
    ``transferred_to`` who answered after a transfer, in order. ``from_records``: it was completed from Asterisk's own
    records, which know whole seconds and do not say everything.
    """

    call_id: str
    site: str
    service: str
    ddi: str
    caller: str
    outcome: Outcome
    arrived_at: Instant
    ended_at: Instant | None
    ended_by: EndedBy | None
    answered_by: str | None
    machine_answered: bool
    wait: Duration | None
    ring: Duration | None
    talk: Duration | None
    rings: int | None
    rung: tuple[str, ...]
    transferred_to: tuple[str, ...]
    from_records: bool = False


FROM_RECORDS = frozenset({Provenance.REPAIRED.value, Provenance.IMPORTED.value})


def from_json(values: dict[str, Any]) -> LedgerRow:
    """Return the row of one line that ``telemon calls`` or ``telemon replay`` wrote (``telemon.export.call_json``).

    Raises:
        KeyError, TypeError, ValueError: it is no such line.
    """
    return LedgerRow(
        call_id=values["call_id"],
        site=values["site"],
        service=values["service"],
        ddi=values["ddi"],
        caller=values["caller"],
        outcome=Outcome(values["outcome"]),
        arrived_at=_instant(values["arrived_at"]),
        ended_at=None if values["ended_at"] is None else _instant(values["ended_at"]),
        ended_by=None if values["ended_by"] is None else EndedBy(values["ended_by"]),
        answered_by=values["answered_by"],
        machine_answered=values["machine_answered_at"] is not None,
        wait=duration(values["wait_seconds"]),
        ring=duration(values["ring_seconds"]),
        talk=duration(values["talk_seconds"]),
        rings=values["rings"],
        rung=tuple(attempt["operator"] for attempt in values["attempts"]),
        transferred_to=tuple(
            transfer["to"] for transfer in values["transfers"] if transfer["result"] == TransferResult.ANSWERED
        ),
        from_records=values["provenance"] in FROM_RECORDS,
    )


def duration(seconds: float | None) -> Duration | None:
    """Return seconds as a duration, if there are any."""
    return None if seconds is None else from_seconds(seconds)


def _instant(text: str) -> Instant:
    return from_datetime(datetime.fromisoformat(text))
