"""Calls as a table for a terminal, in the reader's language and time zone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.table import Table
from rich.text import Text

from telemon.cadences import rings_if_any
from telemon.instants import to_datetime, to_seconds
from telemon.records import Outcome
from telemon.texts import text

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import tzinfo

    from telemon.instants import Duration
    from telemon.records import CallRecord

# Blue and orange stay apart for colour-blind readers; the word says it as well.
STYLES: Final = {Outcome.ANSWERED: "blue", Outcome.UNKNOWN: "dim", Outcome.IVR_ONLY: "dim", Outcome.CLOSED: "dim"}
LOST_STYLE: Final = "dark_orange"


def outcome_text(outcome: Outcome) -> Text:
    """Return the outcome in words, in its colour."""
    return Text(text()(f"outcome.{outcome.value}"), style=STYLES.get(outcome, LOST_STYLE))


def calls_table(records: Iterable[CallRecord], cycle: Duration, zone: tzinfo) -> Table:
    """Return one row a call. Callers' data is never read as markup."""
    say = text()
    table = Table(title=say("calls.title", zone=zone))
    for key in ("arrived", "service", "ddi", "caller", "outcome"):
        table.add_column(say(f"calls.{key}"), overflow="fold")
    for key in ("rings", "wait", "talk"):
        table.add_column(say(f"calls.{key}"), justify="right")
    table.add_column(say("calls.answered_by"), overflow="fold")
    table.add_column(say("calls.notes"), overflow="fold")
    for record in records:
        table.add_row(*_row(record, cycle, zone))
    return table


def _row(record: CallRecord, cycle: Duration, zone: tzinfo) -> list[Text]:
    say = text()
    rings = rings_if_any(record.ring_duration, cycle)
    notes = [say(f"flag.{flag.value}") for flag in record.flags]
    notes += [f"{say(f'transfer.{transfer.kind.value}')} → {transfer.to}" for transfer in record.transfers]
    return [
        Text(say.moment(to_datetime(record.arrived_at), zone)),
        Text(record.service),
        Text(record.ddi),
        Text(record.caller),
        outcome_text(record.outcome),
        Text(say.number(rings, 0)),
        Text(_seconds(record.wait_duration)),
        Text(_seconds(record.talk_duration)),
        Text(record.answered_by or ""),
        Text(", ".join(notes)),
    ]


def _seconds(duration: Duration | None) -> str:
    return text().number(None if duration is None else to_seconds(duration), 1)
