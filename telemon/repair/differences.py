"""Where a call that telemon saw, and what Asterisk wrote of it, do not agree."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from telemon.instants import SECOND
from telemon.records import Flag, Outcome
from telemon.repair.joining import RESOLUTION

if TYPE_CHECKING:
    from telemon.instants import Duration, Instant
    from telemon.records import CallRecord

EXACT: Final[Duration] = SECOND // 2
"""How far two instants may be apart where the source has fractions: an event is told a little after it was logged."""

_ABANDONS: Final = frozenset({Outcome.ABANDONED, Outcome.SHORT_ABANDONED})
_UNSEEN: Final = {
    "arrived_at": {Flag.ARRIVED_IN_GAP},
    "alerting_at": {Flag.ARRIVED_IN_GAP, Flag.ALERTED_IN_GAP},
    "answered_at": {Flag.ANSWERED_IN_GAP},
    "ended_at": {Flag.ENDED_IN_GAP},
}


class Difference(NamedTuple):
    """One field of one call: an instant, an outcome, an interface, or None where one side says that there was none."""

    field: str
    live: Instant | str | None
    found: Instant | str | None


def differences(live: CallRecord, found: CallRecord) -> list[Difference]:
    """Return each field in which the two contradict each other.

    What either does not claim to know is no contradiction: what fell into a gap, how a call ended that the queue let
    go, or an operator of whom the queue_log has only a member's name.
    """
    named: list[Difference] = []
    if live.outcome is not Outcome.UNKNOWN and live.alerting_at is None and found.queues:
        named.append(Difference("alerting_at", None, found.alerting_at))  # a queue rings, whatever became of it
    if Outcome.UNKNOWN in (live.outcome, found.outcome):
        return named + [Difference(*moved) for moved in _moved(live, found, ("arrived_at",))]
    if not _same_outcome(live, found):
        named.append(Difference("outcome", live.outcome.value, found.outcome.value))
    if _says_who(live) and _says_who(found) and live.answered_by != found.answered_by:
        named.append(Difference("answered_by", live.answered_by, found.answered_by))
    return named + [Difference(*moved) for moved in _moved(live, found, tuple(_UNSEEN))]


def _moved(
    live: CallRecord, found: CallRecord, fields: tuple[str, ...]
) -> list[tuple[str, Instant | None, Instant | None]]:
    tolerance = RESOLUTION if Flag.WHOLE_SECONDS in found.flags else EXACT
    moved = []
    for field in fields:
        if not _UNSEEN[field].isdisjoint((*live.flags, *found.flags)):
            continue
        seen, told = getattr(live, field), getattr(found, field)
        if seen is None or told is None:
            differs = field == "answered_at" and seen is not told
        else:
            differs = abs(seen - told) > tolerance
        if differs:
            moved.append((field, seen, told))
    return moved


def _same_outcome(live: CallRecord, found: CallRecord) -> bool:
    if live.outcome is found.outcome:
        return True
    rang = (live.ring_duration, found.ring_duration)
    both_left = live.outcome in _ABANDONS and found.outcome in _ABANDONS
    if not both_left or Flag.WHOLE_SECONDS not in found.flags or None in rang:
        return False
    return abs((rang[0] or 0) - (rang[1] or 0)) <= RESOLUTION


def _says_who(call: CallRecord) -> bool:
    """Whether it names an interface; a member's name alone (``Camille Durand``) is none."""
    return call.answered_by is not None and "/" in call.answered_by
