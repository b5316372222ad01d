"""Whether somebody of a permanence can be reached at one instant and, if not, why.

Pure: what the queues and devices said last (``View``), who is on duty and what was proved by calls come in as values.
What follows from the passing of time alone (opening hours, a call that lasts too long, a proof that grows old) is part
of the question, so that ``next_change`` can tell when the answer may be another though nothing happens.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

from telemon.duty_records import UncoveredCause
from telemon.instants import SECOND

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from telemon.duty_records import Officer
    from telemon.instants import Duration, Instant
    from telemon.operators import Board, Line
    from telemon.services import Service

Duty = frozenset[str] | None
"""The ids of who is on duty; None where nobody checks, and every operator of the permanence counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PermanenceRules:
    """What makes one permanence reachable.

    ``day_services`` are those that answer for it while they are open; one that names no trunks has the permanence's.
    Only trunks that Asterisk qualifies can be named: a device without contacts is ``UNAVAILABLE`` whenever it is idle.
    Without a ``mobile_trunk`` no mobile counts: nothing tells whether it can be reached. A ``mobile_proof`` of 0 asks
    for no proof.
    """

    service: Service
    day_services: tuple[Service, ...] = ()
    officers: tuple[Officer, ...] = ()
    in_call_limit: Duration = 600 * SECOND
    rang_out_limit: Duration = 900 * SECOND
    mobile_trunk: str = ""
    mobile_proof: Duration = 0

    @property
    def devices(self) -> tuple[str, ...]:
        """The patterns of all devices whose states must be known (``telemon.operators.Board``), beside the queues'."""
        services = (self.service, *self.day_services)
        named = chain(
            *(service.operators for service in services),
            *(service.trunks for service in services),
            *(officer.phones for officer in self.officers),
        )
        return tuple(dict.fromkeys((*named, *((self.mobile_trunk,) if self.mobile_trunk else ()))))

    @property
    def queues(self) -> tuple[str, ...]:
        """The patterns of all queues whose members may answer."""
        return tuple(chain(self.service.queues, *(service.queues for service in self.day_services)))

    def trunks(self, service: Service) -> tuple[str, ...]:
        """Return the devices by which the callers of the permanence, or of a service that answers for it, come."""
        return service.trunks or self.service.trunks


class Post(NamedTuple):
    """What a board said of one service: its operators' lines by interface, and whether all its trunks are down."""

    lines: Mapping[str, Line]
    is_cut: bool = False


class View(NamedTuple):
    """What a board said of a permanence: of its own post, and of those that answer by day."""

    own: Post
    by_day: Mapping[str, Post]
    are_mobiles_cut: bool = False


NOTHING_SEEN = View(Post({}), {})


class Proofs(NamedTuple):
    """What calls showed: until when nobody is taken to answer, and when a test call was answered last."""

    rang_out_until: Instant | None = None
    probed_at: Instant | None = None


def view_of(board: Board, rules: PermanenceRules) -> View:
    """Return what the board says of a permanence now."""
    phones = tuple(chain.from_iterable(officer.phones for officer in rules.officers))

    def post(service: Service, *more: str) -> Post:
        trunks = rules.trunks(service)
        lines = board.lines(service.queues, (*service.operators, *more))
        return Post(lines, is_cut=bool(trunks) and all(map(board.is_gone, trunks)))

    return View(
        own=post(rules.service, *phones),
        by_day={service.name: post(service) for service in rules.day_services},
        are_mobiles_cut=board.is_gone(rules.mobile_trunk),
    )


class Reachability:
    """The answer for one permanence at any instant after its latest news.

    Args:
        duty: who is on duty at an instant.
    """

    def __init__(self, rules: PermanenceRules, view: View, proofs: Proofs, duty: Callable[[Instant], Duty]) -> None:
        self._rules = rules
        self._view = view
        self._proofs = proofs
        self._duty = duty

    def cause(self, at: Instant) -> UncoveredCause | None:
        """Return why nobody can be reached; None if somebody can."""
        by_day = [self._view.by_day[service.name] for service in self._rules.day_services if service.is_open(at)]
        if all(post.is_cut for post in by_day or (self._view.own,)):
            return UncoveredCause.TRUNK_DOWN
        duty = None if by_day else self._duty(at)
        if duty is not None and not duty:
            return UncoveredCause.ROSTER_HOLE
        lines = [line for post in by_day for line in post.lines.values()] if by_day else self._own_lines(duty)
        has_mobile = not by_day and self._has_mobile(duty, at)
        if (has_mobile and not self._view.are_mobiles_cut) or any(self._is_free(line, at) for line in lines):
            return UncoveredCause.RANG_OUT if _is_before(at, self._proofs.rang_out_until) else None
        return UncoveredCause.TRUNK_DOWN if has_mobile else _cause_of(lines)

    def next_change(self, at: Instant, next_duty_change: Callable[[Instant], Instant | None]) -> Instant | None:
        """Return the first instant after ``at`` at which the passing of time alone may change the answer."""
        return min((instant for instant in self._turns(at, next_duty_change) if instant > at), default=None)

    def _turns(self, at: Instant, next_duty_change: Callable[[Instant], Instant | None]) -> Iterator[Instant]:
        rules, (rang_out_until, probed_at) = self._rules, self._proofs
        for service in rules.day_services:
            change = None if service.hours is None else service.hours.next_change(at)
            if change is not None:
                yield change
        change = next_duty_change(at)
        if change is not None:
            yield change
        if rang_out_until is not None:
            yield rang_out_until
        if probed_at is not None and rules.mobile_proof:
            yield probed_at + rules.mobile_proof
        for line in chain.from_iterable(post.lines.values() for post in (self._view.own, *self._view.by_day.values())):
            if line.talking_since is not None:
                yield line.talking_since + rules.in_call_limit

    def _own_lines(self, duty: Duty) -> list[Line]:
        """Return the permanence's own lines, but for the phones of officers who are not on duty."""
        if duty is None:
            return list(self._view.own.lines.values())
        others = {phone for officer in self._rules.officers if officer.id not in duty for phone in officer.phones}
        others -= {phone for officer in self._rules.officers if officer.id in duty for phone in officer.phones}
        return [line for interface, line in self._view.own.lines.items() if interface not in others]

    def _has_mobile(self, duty: Duty, at: Instant) -> bool:
        """Whether an officer on duty has a mobile that is known to work, as far as that is asked for."""
        rules, probed_at = self._rules, self._proofs.probed_at
        if not rules.mobile_trunk:
            return False
        if rules.mobile_proof and not _is_before(at, None if probed_at is None else probed_at + rules.mobile_proof):
            return False
        return any(officer.mobile for officer in rules.officers if duty is None or officer.id in duty)

    def _is_free(self, line: Line, at: Instant) -> bool:
        """Whether a call would reach this operator, or he will soon be done with the one he has."""
        since = line.talking_since
        is_long = since is not None and at - since >= self._rules.in_call_limit
        return line.is_registered and not line.is_paused and not is_long


def _cause_of(lines: Iterable[Line]) -> UncoveredCause:
    """Return why nobody can be reached on these lines, none of which is free."""
    registered = [line for line in lines if line.is_registered]
    if not registered:
        return UncoveredCause.NOBODY_REGISTERED
    is_all_paused = all(line.is_paused for line in registered)
    return UncoveredCause.ALL_PAUSED if is_all_paused else UncoveredCause.ALL_IN_CALL


def _is_before(at: Instant, end: Instant | None) -> bool:
    return end is not None and at < end
