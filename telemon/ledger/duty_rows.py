"""Rows of attendance, the permanence and crises; as in ``telemon.ledger.rows``, in the order of the columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from telemon.duty_records import Attendance, CoverInterval, Crisis, CrisisMember, PresenceChange, Probe
from telemon.instants import SECOND
from telemon.ledger.values import clean, stamp

if TYPE_CHECKING:
    from collections.abc import Callable

    from telemon.ledger.values import Row

DutyItem = CoverInterval | Probe | PresenceChange | Crisis | CrisisMember | Attendance

TABLE_OF: Final[dict[type, str]] = {
    CoverInterval: "coverage",
    Probe: "probes",
    PresenceChange: "presences",
    Crisis: "crises",
    CrisisMember: "crisis_members",
    Attendance: "attendance",
}
KEY_COLUMNS: Final = {
    "observations": 3,
    "coverage": 4,
    "probes": 1,
    "presences": 3,
    "crises": 1,
    "crisis_members": 3,
    "attendance": 4,
}
"""How many of a table's first columns are its primary key."""


def duty_row(item: DutyItem, address: Callable[[str], str]) -> Row:
    """Return the row of one item; ``address`` takes the numbers out of an interface."""
    if isinstance(item, CoverInterval):
        return _cover_row(item)
    if isinstance(item, Probe):
        return _probe_row(item, address)
    if isinstance(item, PresenceChange):
        names = (clean(item.site), clean(item.officer))
        return (*names, stamp(item.at), item.action.value, item.through, clean(item.extension))
    if isinstance(item, Crisis):
        return _crisis_row(item)
    if isinstance(item, Attendance):
        return _attendance_row(item)
    names = (clean(item.crisis_id), clean(item.person))
    return (*names, stamp(item.joined_at), stamp(item.left_at), item.through)


def _attendance_row(item: Attendance) -> Row:
    names = (clean(item.site), clean(item.service), clean(item.observer))
    return (*names, stamp(item.hour), item.seen / SECOND, item.present / SECOND, item.talking / SECOND)


def _cover_row(item: CoverInterval) -> Row:
    cause = None if item.cause is None else item.cause.value
    names = (clean(item.site), clean(item.service), clean(item.observer))
    return (*names, stamp(item.started_at), stamp(item.ended_at), item.state.value, cause)


def _probe_row(item: Probe, address: Callable[[str], str]) -> Row:
    return (
        clean(item.probe_id),
        clean(item.site),
        clean(item.service),
        clean(item.pbx),
        clean(item.number),
        item.ordered_by,
        stamp(item.ordered_at),
        None if item.result is None else item.result.value,
        None if item.call_id is None else clean(item.call_id),
        stamp(item.alerting_at),
        stamp(item.answered_at),
        stamp(item.confirmed_at),
        stamp(item.ended_at),
        None if item.answered_by is None else address(item.answered_by),
        clean(item.reason),
    )


def _crisis_row(item: Crisis) -> Row:
    return (
        clean(item.crisis_id),
        clean(item.site),
        clean(item.service),
        clean(item.title),
        item.is_exercise,
        item.plan,
        item.deadline / SECOND,
        stamp(item.ordered_at),
        clean(item.ordered_by),
        stamp(item.staffed_at),
        stamp(item.line_opened_at),
        stamp(item.operational_at),
        stamp(item.closed_at),
        clean(item.closed_by),
    )
