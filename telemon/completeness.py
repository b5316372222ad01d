"""How much of a call was seen: of two records of one call, the ledger keeps the fuller one.

Two observers of one PBX, a replay of the journal and a repair all write the same ``call_id``. Whoever saw less must
never replace what another saw.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Final

from telemon.records import Flag, Outcome, Provenance

if TYPE_CHECKING:
    from telemon.records import CallRecord

_TIMES_UNSEEN: Final = frozenset({Flag.ARRIVED_IN_GAP, Flag.ALERTED_IN_GAP, Flag.ANSWERED_IN_GAP})


class Completeness(IntEnum):
    """What is known of a call, the least first."""

    UNKNOWN = 0  # neither whether it was answered nor when it ended
    END_UNSEEN = 1  # answered, but its end fell into a gap
    IMPORTED = 2  # from Asterisk's own records alone
    TIMES_UNSEEN = 3  # it arrived, or was answered, while nobody watched
    REPAIRED = 4  # what was seen, completed from Asterisk's own records
    SEEN_THROUGH_GAP = 5  # both ends and the answer seen, but not all in between
    SEEN = 6


def completeness(call: CallRecord) -> Completeness:
    """Return how much is known of a call."""
    if call.outcome is Outcome.UNKNOWN:
        return Completeness.UNKNOWN
    if Flag.ENDED_IN_GAP in call.flags:
        return Completeness.END_UNSEEN
    if call.provenance is Provenance.IMPORTED:
        return Completeness.IMPORTED
    if call.provenance is Provenance.REPAIRED:
        return Completeness.REPAIRED
    if not _TIMES_UNSEEN.isdisjoint(call.flags):
        return Completeness.TIMES_UNSEEN
    return Completeness.SEEN_THROUGH_GAP if Flag.SEEN_THROUGH_GAP in call.flags else Completeness.SEEN
