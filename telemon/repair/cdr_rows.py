"""One row of CDR as a typed record."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from telemon.instants import from_seconds
from telemon.legs import interface_of
from telemon.repair.stamps import created_at, read_stamp

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import tzinfo

    from telemon.instants import Duration, Instant

ANSWERED: Final = "ANSWERED"
BUSY: Final = "BUSY"
# main/cdr.c ast_cdr_disp2str; include/asterisk/cdr.h for those backends that write the number.
_DISPOSITIONS: Final = {"0": "NO ANSWER", "4": "FAILED", "8": BUSY, "16": ANSWERED, "32": "CONGESTION"}
_LONGEST: Final = 10**9  # seconds


class CdrRow(NamedTuple):
    """What one channel had to do with one other: the caller and one phone, one half of a Local channel, or nobody."""

    start: Instant
    answer: Instant | None  # when the first channel's line came up, be it long before this
    end: Instant
    whole: bool
    uniqueid: str
    linkedid: str  # the uniqueid where none is kept
    sequence: int
    channel: str
    other: str
    context: str
    exten: str
    caller: str
    application: str
    data: str
    disposition: str

    @property
    def is_answered(self) -> bool:
        """Whether somebody or something answered."""
        return self.disposition == ANSWERED

    @property
    def is_local(self) -> bool:
        """Whether its channel is one half of a Local channel."""
        return self.channel.startswith("Local/")

    @property
    def phone(self) -> str | None:
        """The device that was rung, None where it was a Local channel or nothing."""
        return None if not self.other or self.other.startswith("Local/") else interface_of(self.other)

    @property
    def errand(self) -> tuple[str, str]:
        """Which application rang, and whom."""
        return self.application, self.data


def typed(row: Mapping[str, str], zone: tzinfo) -> CdrRow | None:
    """Return the row as a record, None if it has no channel or no times."""
    uniqueid = row["uniqueid"]
    start = read_stamp(row["start"], zone, not_before=created_at(uniqueid))
    duration = _seconds(row["duration"])
    if start is None or duration is None or not uniqueid or not row["channel"]:
        return None
    written = read_stamp(row["end"], zone, not_before=start.at)
    end = max(start.at, start.at + duration if written is None else written.at)
    disposition = row["disposition"].strip().upper()
    return CdrRow(
        start=start.at,
        answer=_answer(row, zone, start.at, end),
        end=end,
        whole=start.whole,
        uniqueid=uniqueid,
        linkedid=row["linkedid"] or uniqueid,
        sequence=int(row["sequence"]) if row["sequence"].isdecimal() and len(row["sequence"]) < len(uniqueid) else 0,
        channel=row["channel"],
        other=row["dstchannel"],
        context=row["dcontext"],
        exten=row["dst"],
        caller=row["src"],
        application=row["lastapp"],
        data=row["lastdata"],
        disposition=_DISPOSITIONS.get(disposition, disposition),
    )


def _answer(row: Mapping[str, str], zone: tzinfo, start: Instant, end: Instant) -> Instant | None:
    """Return when the line came up; tables of cdr_mysql and cdr_pgsql only know for how long it then was."""
    written = read_stamp(row["answer"], zone, not_before=start)
    if written is not None:
        return max(start, min(written.at, end))
    billed = _seconds(row["billsec"])
    return max(start, end - billed) if billed else None


def _seconds(text: str) -> Duration | None:
    try:
        seconds = float(text or "0")
    except ValueError:
        return None
    return from_seconds(seconds) if 0 <= seconds < _LONGEST else None
