"""The picture on the wallboard: what a role is shown of a scene, and what changed between two of them.

Everything that leaves for a browser is made here and in ``telemon.wallboard.shown``, so that one place decides who sees
what. A ``Picture`` is of everybody; comparing two costs little, and only what differs is turned into JSON.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from telemon.wallboard import shown
from telemon.wallboard.roles import Right, may
from telemon.wallboard.scene import CallState
from telemon.wallboard.together import total_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from telemon.instants import Duration, Instant
    from telemon.wallboard.roles import Role
    from telemon.wallboard.scene import CallNow, Scene
    from telemon.wallboard.shown import ServiceRow
    from telemon.wallboard.together import Total

MOST_CALLS: Final = 200
_ORDER: Final = {CallState.WAITING: 0, CallState.MACHINE: 1, CallState.TALKING: 2}
_EVERYBODY: Final = None


class Promise(NamedTuple):
    """What a wait is held against: the ring that breaks the promise, and how long one lasts."""

    max_rings: int
    cycle: Duration

    def is_broken(self, since: Instant | None, now: Instant) -> bool:
        """Whether a caller for whom it rings since then hears the ring that should not come."""
        return since is not None and (now - since) // self.cycle + 1 >= self.max_rings


class Picture(NamedTuple):
    """A scene with its rows by key: services by ``site|service``, of the calls those there is room for."""

    scene: Scene
    services: Mapping[str, ServiceRow]
    calls: Mapping[str, CallNow]
    total: Total

    @property
    def more(self) -> int:
        """How many calls there was no room for."""
        return len(self.scene.calls) - len(self.calls)


def draw(scene: Scene, promise: Promise) -> Picture:
    """Return the picture of a scene."""
    services = {
        shown.key(service): shown.ServiceRow(
            service,
            scene.days.get((service.site, service.service)),
            promise.is_broken(service.longest_since, scene.now),
        )
        for service in scene.services
    }
    calls = sorted(scene.calls, key=lambda call: (_ORDER[call.state], call.alerting_at or call.arrived_at))
    return Picture(scene, services, {call.call: call for call in calls[:MOST_CALLS]}, total_of(scene))


_Part = tuple["Right | None", "Callable[[Picture], Any]", "Callable[[Any, Role], Any]"]

_PARTS: Final[dict[str, _Part]] = {
    "blind": (_EVERYBODY, lambda picture: picture.scene.blind, shown.blind),
    "total": (_EVERYBODY, lambda picture: picture.total, shown.total),
    "more": (Right.LIVE, lambda picture: picture.more, shown.number),
    "losses": (_EVERYBODY, lambda picture: picture.scene.losses, shown.losses),
    "callbacks": (Right.NUMBERS, lambda picture: picture.scene.callbacks, shown.callbacks),
    "callbacks_count": (_EVERYBODY, lambda picture: len(picture.scene.callbacks), shown.number),
    "permanence": (Right.PERMANENCE, lambda picture: picture.scene.permanence, shown.permanence),
    "crisis": (Right.CRISIS, lambda picture: picture.scene.crisis, shown.crisis),
    "conditions": (Right.CONDITIONS, lambda picture: picture.scene.conditions, shown.conditions),
    "health": (Right.HEALTH, lambda picture: (picture.scene.pbx, picture.scene.ledger), shown.health),
}
"""What is shown whole: which right it takes, what it is of a picture, and how it is shown."""

_Row = tuple["Right | None", "Callable[[Picture], Mapping[str, Any]]", "Callable[..., dict[str, Any]]"]

_ROWS: Final[dict[str, _Row]] = {
    "services": (_EVERYBODY, lambda picture: picture.services, shown.service),
    "calls": (Right.LIVE, lambda picture: picture.calls, shown.call),
}
"""What is shown row by row."""


def _sees(role: Role, right: Right | None) -> bool:
    return right is None or may(role, right)


def rows_shown(picture: Picture, role: Role) -> Iterator[tuple[str, Iterator[dict[str, Any]]]]:
    """Yield what a role is shown row by row: the name of the rows, and each ready for JSON."""
    for name, (right, rows, show) in _ROWS.items():
        if _sees(role, right):
            yield name, (show(row, role) for row in rows(picture).values())


def parts_shown(picture: Picture, role: Role) -> dict[str, Any]:
    """Return what a role is shown beside the rows, ready for JSON."""
    said: dict[str, Any] = {"now": shown.seconds(picture.scene.now)}
    for name, (right, part, show) in _PARTS.items():
        if _sees(role, right):
            said[name] = show(part(picture), role)
    return said


class Difference(NamedTuple):
    """What differs between two pictures, for everybody: of rows, their keys."""

    before: Picture
    after: Picture
    parts: tuple[str, ...]
    rows: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]]  # those that are new or other, those that are gone


def difference(before: Picture, after: Picture) -> Difference:
    """Compare two pictures, once for all roles."""
    parts = tuple(name for name, (_, part, _) in _PARTS.items() if part(before) != part(after))
    rows = {name: _differing(old(before), old(after)) for name, (_, old, _) in _ROWS.items()}
    return Difference(before, after, parts, rows)


def _differing(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    return (
        tuple(key for key, row in after.items() if before.get(key) != row),
        tuple(key for key in before if key not in after),
    )


def changed(found: Difference, role: Role) -> dict[str, Any] | None:
    """Return what a role is shown of a difference, ready for JSON; None where it is nothing that it sees."""
    said: dict[str, Any] = {}
    for name, (right, rows, show) in _ROWS.items():
        if _sees(role, right):
            news = _row_news(found, name, rows, partial(show, role=role))
            if news is not None:
                said[name] = news
    for name in found.parts:
        right, part, show = _PARTS[name]
        if _sees(role, right):
            value = show(part(found.after), role)
            if value != show(part(found.before), role):
                said[name] = value
    return {"now": shown.seconds(found.after.scene.now), **said} if said else None


def _row_news(
    found: Difference,
    name: str,
    rows: Callable[[Picture], Mapping[str, Any]],
    show: Callable[[Any], dict[str, Any]],
) -> dict[str, Any] | None:
    other, gone = found.rows[name]
    before, after = rows(found.before), rows(found.after)
    fresh = [row for key in other if (row := show(after[key])) and (key not in before or row != show(before[key]))]
    return {"set": fresh, "gone": list(gone)} if fresh or gone else None
