"""How each part of a scene is shown to a role: as JSON, without what that role may not see."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from telemon.instants import to_seconds
from telemon.operators import Presence
from telemon.wallboard.roles import Right, may

if TYPE_CHECKING:
    from telemon.instants import Instant
    from telemon.wallboard.roles import Role
    from telemon.wallboard.scene import (
        Blind,
        Callback,
        CallNow,
        Cover,
        CrisisNow,
        DayFigures,
        Loss,
        PbxHealth,
        ServiceNow,
        Trouble,
    )
    from telemon.wallboard.together import Total

LONGEST_TEXT: Final = 64  # of what comes from outside; E.164 numbers have 15 digits
_NUMBER: Final = re.compile(r"\d{6,}")
_HIDDEN: Final = "\N{HORIZONTAL ELLIPSIS}"


class ServiceRow(NamedTuple):
    """One service of one site, with its day; ``breach`` while a caller hears the ring that should not come."""

    now: ServiceNow
    day: DayFigures | None
    breach: bool


def key(row: ServiceNow | CallNow | Loss | Callback) -> str:
    """Return the name of a row's service among those of all sites."""
    return f"{row.site}|{row.service}"


def seconds(at: Instant) -> float:
    """Return Unix seconds, to the millisecond."""
    return round(to_seconds(at), 3)


def _seconds(at: Instant | None) -> float | None:
    return None if at is None else seconds(at)


def number(value: int, _: Role) -> int:
    """Show a number as it is."""
    return value


def service(row: ServiceRow, role: Role) -> dict[str, Any]:
    """Show one service; what the role may not see is null."""
    now, live = row.now, may(role, Right.LIVE)
    states = now.operators if live else None
    return {
        "key": key(now),
        "site": now.site,
        "service": now.service,
        "kind": now.kind.value,
        "waiting": now.waiting if live else None,
        "talking": now.talking if live else None,
        "longest_since": _seconds(now.longest_since) if live else None,
        "operators": None if states is None else {state.value: states.get(state, 0) for state in Presence},
        "day": _day(row.day) if may(role, Right.FIGURES) else None,
        "breach": row.breach and live,
    }


def total(row: Total, role: Role) -> dict[str, Any]:
    """Show all services together."""
    live = may(role, Right.LIVE)
    return {
        "waiting": row.waiting if live else None,
        "talking": row.talking if live else None,
        "day": _day(row.day) if may(role, Right.FIGURES) else None,
    }


def _day(day: DayFigures | None) -> dict[str, Any] | None:
    return None if day is None else day._asdict()


def call(row: CallNow, role: Role) -> dict[str, Any]:
    """Show one call."""
    numbers = may(role, Right.NUMBERS)
    return {
        "id": row.call,
        "key": key(row),
        "arrived": seconds(row.arrived_at),
        "alerting": _seconds(row.alerting_at),
        "state": row.state.value,
        "caller": row.caller[:LONGEST_TEXT] if numbers else None,
        "operator": row.operator if numbers or row.operator is None else _without_number(row.operator),
    }


@lru_cache(4096)
def _without_number(interface: str) -> str:
    """Hide what may be a mobile's number."""
    return _NUMBER.sub(_HIDDEN, interface)


def blind(rows: tuple[Blind, ...], _: Role) -> list[dict[str, Any]]:
    """Show which PBXs are not being watched."""
    return [
        {
            "pbx": row.pbx,
            "site": row.site,
            "since": _seconds(row.since),
            "cause": "" if row.cause is None else row.cause.value,
        }
        for row in rows
    ]


def losses(rows: tuple[Loss, ...], role: Role) -> list[dict[str, Any]]:
    """Show the last lost calls."""
    numbers = may(role, Right.NUMBERS)
    return [
        {
            "at": seconds(row.at),
            "key": key(row),
            "rings": row.rings,
            "outcome": row.outcome.value,
            **({"caller": row.caller[:LONGEST_TEXT] or None} if numbers else {}),
        }
        for row in rows
    ]


def callbacks(rows: tuple[Callback, ...], _: Role) -> list[dict[str, Any]]:
    """Show whom to call back."""
    return [
        {
            "id": row.id,
            "key": key(row),
            "number": row.number[:LONGEST_TEXT],
            "times": row.times,
            "first": seconds(row.first),
            "last": seconds(row.last),
        }
        for row in rows
    ]


def permanence(rows: tuple[Cover, ...], _: Role) -> list[dict[str, Any]]:
    """Show whether each permanence can be reached, and who is on duty."""
    return [
        {
            "service": row.service,
            "state": row.state.value,
            "cause": None if row.cause is None else row.cause.value,
            "on_duty": None if row.on_duty is None else list(row.on_duty),
        }
        for row in rows
    ]


def crisis(rows: tuple[CrisisNow, ...], _: Role) -> list[dict[str, Any]]:
    """Show the crisis cells that are open."""
    return [
        {
            "service": row.service,
            "exercise": row.exercise,
            "deadline": seconds(row.deadline),
            "stages": {stage: _seconds(at) for stage, at in row.stages.items()},
            "people": row.people,
            "plan": row.plan,
            "title": row.title,
        }
        for row in rows
    ]


def conditions(rows: tuple[Trouble, ...], _: Role) -> list[dict[str, Any]]:
    """Show what is wrong now."""
    return [{"kind": row.kind, "service": row.service, "since": seconds(row.since), "text": row.text} for row in rows]


def health(parts: tuple[tuple[PbxHealth, ...], tuple[bool, int] | None], _: Role) -> dict[str, Any]:
    """Show how telemon itself does."""
    pbx, ledger = parts
    return {
        "pbx": [row._asdict() for row in pbx],
        "ledger": None if ledger is None else {"failing": ledger[0], "pending": ledger[1]},
    }
