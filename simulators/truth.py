"""The truth of each call, known without any AMI: one JSON object a line, in the words of ``telemon calls``.

SIPp's logs or the AMI simulator's plan write it; ``telemon-sim compare`` holds a ledger against it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from telemon.cadences import rings_if_any
from telemon.errors import TelemonError
from telemon.instants import from_datetime, to_iso, to_seconds
from telemon.records import EndedBy, Outcome
from telemon.texts import text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from telemon.instants import Duration, Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class CallTruth:
    """One call as those who took part in it lived through it.

    Attributes:
        name: what its plan calls it; unique in one file.
        call_id: the ledger's own, where it is known beforehand (the AMI simulator); else None.
        caller: the number as it was shown.
        alerting_at: the first ring the caller heard; where none could be heard (a greeting, music), the first phone's.
        answered_at: when caller and operator were joined.
        answered_by: the interface (``PJSIP/op1``) that answered first.
        machine_answered: whether a voice server, voicemail or unaccepted mobile took the call.
        rung: interface of every ring attempt, in order.
        transferred_to: interfaces that answered after a transfer, in order.
    """

    name: str
    call_id: str | None = None
    service: str
    ddi: str
    caller: str
    outcome: Outcome
    arrived_at: Instant
    alerting_at: Instant | None
    answered_at: Instant | None
    ended_at: Instant
    ended_by: EndedBy
    answered_by: str | None
    machine_answered: bool
    wait_ended_at: Instant
    rung: tuple[str, ...]
    transferred_to: tuple[str, ...]

    @property
    def wait_duration(self) -> Duration:
        """From dialling to the answer, to the machine that took a lost call, or to the end."""
        return self.wait_ended_at - self.arrived_at

    @property
    def ring_duration(self) -> Duration | None:
        """The part of the wait in which the switchboard rang; None if it never did."""
        return None if self.alerting_at is None else max(0, self.wait_ended_at - self.alerting_at)

    @property
    def talk_duration(self) -> Duration | None:
        """From the answer to the end."""
        return None if self.answered_at is None else self.ended_at - self.answered_at


def to_line(truth: CallTruth, ring_cycle: Duration) -> str:
    """Write one truth as a line of NDJSON; durations in seconds, instants in ISO 8601 UTC."""
    ring, talk = truth.ring_duration, truth.talk_duration
    values: dict[str, Any] = {
        "name": truth.name,
        "call_id": truth.call_id,
        "service": truth.service,
        "ddi": truth.ddi,
        "caller": truth.caller,
        "outcome": truth.outcome.value,
        "arrived_at": to_iso(truth.arrived_at),
        "alerting_at": _iso(truth.alerting_at),
        "answered_at": _iso(truth.answered_at),
        "wait_ended_at": to_iso(truth.wait_ended_at),
        "ended_at": to_iso(truth.ended_at),
        "ended_by": truth.ended_by.value,
        "answered_by": truth.answered_by,
        "machine_answered": truth.machine_answered,
        "rung": list(truth.rung),
        "transferred_to": list(truth.transferred_to),
        "wait_seconds": to_seconds(truth.wait_duration),
        "ring_seconds": None if ring is None else to_seconds(ring),
        "rings": rings_if_any(ring, ring_cycle),
        "talk_seconds": None if talk is None else to_seconds(talk),
    }
    return json.dumps(values, ensure_ascii=False) + "\n"


def check_writable(path: Path) -> None:
    """Make sure that a truth can be written, before any call is placed; the file is made if there is none.

    Raises:
        TelemonError: it cannot.
    """
    try:
        path.open("a", encoding="utf-8").close()
    except OSError as error:
        raise TelemonError(text()("sim.unwritable", path=path, reason=error.strerror)) from error


def write_truth(path: Path, truths: Iterable[CallTruth], ring_cycle: Duration) -> None:
    """Write a truth file, replacing what is there."""
    with path.open("w", encoding="utf-8") as file:
        file.writelines(to_line(truth, ring_cycle) for truth in truths)


def read_truth(path: Path) -> Iterator[CallTruth]:
    """Yield the truths of a file, in its order.

    Raises:
        TelemonError: the file cannot be read, or a line is no truth.
    """
    try:
        with path.open(encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                try:
                    yield _from_json(json.loads(line))
                except (ValueError, KeyError, TypeError) as error:
                    raise TelemonError(text()("sim.no_truth", path=path, line=number, reason=repr(error))) from error
    except OSError as error:
        raise TelemonError(text()("sim.unreadable", path=path, reason=error.strerror)) from error


def _from_json(values: dict[str, Any]) -> CallTruth:
    return CallTruth(
        name=values["name"],
        call_id=values["call_id"],
        service=values["service"],
        ddi=values["ddi"],
        caller=values["caller"],
        outcome=Outcome(values["outcome"]),
        arrived_at=_instant(values["arrived_at"]),
        alerting_at=_instant_if_any(values["alerting_at"]),
        answered_at=_instant_if_any(values["answered_at"]),
        wait_ended_at=_instant(values["wait_ended_at"]),
        ended_at=_instant(values["ended_at"]),
        ended_by=EndedBy(values["ended_by"]),
        answered_by=values["answered_by"],
        machine_answered=values["machine_answered"],
        rung=tuple(values["rung"]),
        transferred_to=tuple(values["transferred_to"]),
    )


def _iso(instant: Instant | None) -> str | None:
    return None if instant is None else to_iso(instant)


def _instant(text: str) -> Instant:
    return from_datetime(datetime.fromisoformat(text))


def _instant_if_any(text: str | None) -> Instant | None:
    return None if text is None else _instant(text)
