"""One row of CEL as a typed event: its instant, its channel, and what the JSON beside it holds."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from telemon.instants import Instant

# include/asterisk/cel.h of Asterisk 12 to 22: cel_pgsql and cel_odbc write the number where the column is an integer.
_NUMBERS: Final = dict(
    enumerate(
        (
            "CHAN_START", "CHAN_END", "HANGUP", "ANSWER", "APP_START", "APP_END", "BRIDGE_ENTER", "BRIDGE_EXIT",
            "PARK_START", "PARK_END", "BLINDTRANSFER", "ATTENDEDTRANSFER", "USER_DEFINED", "LINKEDID_END", "PICKUP",
            "FORWARD", "LOCAL_OPTIMIZE", "LOCAL_OPTIMIZE_BEGIN",
        ),
        start=1,
    )
)  # fmt: skip
_NOBODY: Final = "N/A"  # main/cel.c, where a transfer concerns a whole bridge


class Extra(NamedTuple):
    """What main/cel.c packs beside an event, empty where it does not; ``source`` is None where nothing was packed."""

    cause: int = 0
    source: str | None = None  # the channel that hung up, empty if none did
    bridge: str = ""
    technology: str = ""
    exten: str = ""
    transferee: str = ""
    target: str = ""
    second: str = ""
    second_bridge: str = ""
    picker: str = ""
    reason: str = ""
    retriever: str = ""


class CelRow(NamedTuple):
    """One event of one channel."""

    at: Instant
    event: str
    uniqueid: str
    linkedid: str
    channel: str
    context: str
    exten: str
    caller: str
    application: str
    data: str
    peers: tuple[str, ...]
    extra: Extra


def event_of(row: Mapping[str, str]) -> str:
    """Return the name of the event."""
    name = row["eventtype"].strip()
    return _NUMBERS.get(int(name), name) if name.isdecimal() and len(name) < len("CHAN") else name.upper()


def typed(row: Mapping[str, str], at: Instant) -> CelRow:
    """Return the row's event."""
    return CelRow(
        at=at,
        event=event_of(row),
        uniqueid=row["uniqueid"],
        linkedid=row["linkedid"],
        channel=row["channame"],
        context=row["context"],
        exten=row["exten"],
        caller=row["cidnum"],
        application=row["appname"],
        data=row["appdata"],
        peers=tuple(name for name in row["peer"].split(",") if name),
        extra=_extra(row["extra"]),
    )


def _extra(text: str) -> Extra:
    try:
        packed = json.loads(text) if text else {}
    except (ValueError, RecursionError):
        packed = {}
    if not isinstance(packed, dict) or not packed:
        return Extra()
    said = {key: value for key, value in packed.items() if isinstance(value, str) and value != _NOBODY}
    cause = packed.get("hangupcause")
    return Extra(
        cause=cause if isinstance(cause, int) else 0,
        source=said.get("hangupsource"),
        bridge=said.get("bridge_id", ""),
        technology=said.get("bridge_technology", ""),
        exten=said.get("extension", ""),
        transferee=said.get("transferee_channel_uniqueid", ""),
        target=said.get("transfer_target_channel_uniqueid", ""),
        second=said.get("channel2_uniqueid", ""),
        second_bridge=said.get("bridge2_id", ""),
        picker=said.get("pickup_channel_uniqueid", ""),
        reason=said.get("reason", ""),
        retriever=said.get("retriever", ""),
    )
