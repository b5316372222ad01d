"""One permanence through time: news in, intervals of ``covered``, ``uncovered`` and ``unknown`` out.

Pure: time is an argument. Every input first lives through the time up to its own instant, so that what comes of time
alone (opening hours, a shift's end, a call that lasts too long) stands at its exact instant however late it is asked
for. Inputs late by a little are taken at the instant of the latest change.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from telemon.duty_records import Coverage, ProbeResult, UncoveredCause
from telemon.operators import matches
from telemon.permanence.reachability import NOTHING_SEEN, Proofs, Reachability, view_of
from telemon.permanence.timeline import COVERED, UNKNOWN, State, Timeline
from telemon.records import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable

    from telemon.duty_records import CoverInterval, Probe
    from telemon.instants import Instant
    from telemon.operators import Board
    from telemon.permanence.reachability import Duty, PermanenceRules, View
    from telemon.records import CallRecord

RANG_OUT: Final = State(Coverage.UNCOVERED, UncoveredCause.RANG_OUT)
_PROVEN: Final = frozenset({ProbeResult.CONFIRMED, ProbeResult.ANSWERED})
_MISSED: Final = frozenset({ProbeResult.UNANSWERED, ProbeResult.MACHINE})
_REMEMBERED: Final = 64  # calls, for those that rang before them and are told after them


def nobody_checks(_: Instant) -> Duty:
    """Stand for a site without a roster: every operator counts."""
    return None


def never(_: Instant) -> Instant | None:
    """Stand for a duty that no passing of time changes."""
    return None


class Permanence:
    """The cover of one permanence as one observer sees it.

    It is ``unknown`` until ``see`` and from ``lose`` on. ``duty`` tells who is on duty at an instant, and
    ``next_duty_change`` when that is next another; both may be set at any time, followed by ``on_duty_changed``.

    Args:
        site: as in ``CallRecord.site``.
        observer: the name of this daemon, where two watch one PBX.
        board: what the PBX says of its operators; told of its changes by ``board_changed``.
    """

    def __init__(self, site: str, observer: str, rules: PermanenceRules, board: Board) -> None:
        self.rules = rules
        self._subjects = rules.queues + rules.devices
        self.board = board
        self.duty: Callable[[Instant], Duty] = nobody_checks
        self.next_duty_change: Callable[[Instant], Instant | None] = never
        self._timeline = Timeline(site, rules.service.name, observer)
        self._is_seen = False
        self._view: View = NOTHING_SEEN
        self._proofs = Proofs()
        self._answers: deque[Instant] = deque(maxlen=_REMEMBERED)  # when somebody was proved to answer
        self._rings: deque[tuple[Instant, Instant]] = deque(maxlen=_REMEMBERED)  # what rang out: from when, until when
        self._next: Instant | None = None  # when time alone may change the answer

    def reconfigure(self, fresh: Permanence) -> None:
        """Go on under the rules and the duty of a fresh one of the same name; ``on_duty_changed`` tells from when."""
        self.rules, self._subjects = fresh.rules, fresh._subjects
        self.duty, self.next_duty_change = fresh.duty, fresh.next_duty_change
        self._timeline.observer = fresh._timeline.observer
        self._view = view_of(self.board, self.rules) if self._is_seen else NOTHING_SEEN

    @property
    def name(self) -> str:
        """The service's name."""
        return self._timeline.service

    @property
    def current(self) -> CoverInterval | None:
        """The interval that lasts; None before the first ``see`` or ``lose``."""
        return self._timeline.current

    def take_changed(self) -> list[CoverInterval]:
        """Return the intervals that began, ended or turned out otherwise since the last call, in order of time.

        Each replaces the one that begins at the same instant.
        """
        return self._timeline.take_changed()

    # -- what is seen

    def see(self, at: Instant) -> None:
        """From now on everything is seen: the board knows all members and devices."""
        self.advance(at)
        self._is_seen = True
        self._view = view_of(self.board, self.rules)
        self._settle(at)

    def lose(self, at: Instant) -> None:
        """From this instant on nothing is known, even if it lies back and something was told of the time since."""
        self.advance(at)
        self._is_seen = False
        self._view = NOTHING_SEEN
        self._next = None
        self._timeline.paint(at, None, UNKNOWN)
        self._timeline.begin(at, UNKNOWN)

    def doubt(self, start: Instant, end: Instant) -> None:
        """Take back what was told of a time in which events went missing."""
        self._timeline.paint(start, end, UNKNOWN)

    def board_changed(self, at: Instant) -> None:
        """The board took an event of this instant."""
        subject = self.board.latest
        if not self._is_seen or not (subject is None or matches(subject, self._subjects)):
            return
        view = view_of(self.board, self.rules)
        if view != self._view:
            self.advance(at)
            self._view = view
            self._settle(at)

    # -- who is on duty

    def on_duty_changed(self, at: Instant) -> None:
        """``duty`` or ``next_duty_change`` answers otherwise than before, from this instant on."""
        self.advance(at)
        self._settle(at)

    def signed_in(self, at: Instant) -> None:
        """Somebody reported for duty: he is there, whatever rang out before."""
        self._answered(at, at)

    # -- what calls prove

    def finished(self, record: CallRecord) -> None:
        """Take a call that is over; those to other services, and test calls (``probed``), pass by."""
        if record.service != self.name or record.is_probe:
            return
        ended_at = record.ended_at if record.ended_at is not None else record.arrived_at
        if record.answered_at is not None:
            self._answered(record.answered_at, ended_at)
        elif record.outcome is Outcome.UNANSWERED:
            self._rang_out(record.arrived_at if record.alerting_at is None else record.alerting_at, ended_at)

    def probed(self, probe: Probe) -> None:
        """Take a test call that is over."""
        if probe.service != self.name:
            return
        ended_at = probe.ended_at or probe.confirmed_at or probe.answered_at or probe.ordered_at
        if probe.result in _PROVEN:
            answered_at = probe.confirmed_at or probe.answered_at or ended_at
            self.advance(answered_at)
            probed_at = max(answered_at, self._proofs.probed_at or answered_at)
            self._proofs = self._proofs._replace(probed_at=probed_at)
            self._settle(answered_at)
            self._answered(answered_at, ended_at)
        elif probe.result in _MISSED:
            self._rang_out(probe.alerting_at or probe.ordered_at, ended_at)

    def _answered(self, answered_at: Instant, told_at: Instant) -> None:
        """Somebody answered: what had begun to ring before counts no longer from then on."""
        told_at = max(answered_at, told_at)
        self.advance(told_at)
        self._answers.append(answered_at)
        rings = [(start, min(end, answered_at) if start < answered_at else end) for start, end in self._rings]
        self._rings = deque(rings, _REMEMBERED)
        self._timeline.paint(answered_at, None, COVERED, only=RANG_OUT)
        self._paint_rings(answered_at, told_at)

    def _rang_out(self, rang_at: Instant, ended_at: Instant) -> None:
        """A call rang from one instant on and nobody answered until the other."""
        ended_at = max(rang_at, ended_at)
        self.advance(ended_at)
        until = ended_at + self.rules.rang_out_limit
        answered_at = min((instant for instant in self._answers if instant > rang_at), default=until)
        self._rings.append((rang_at, min(answered_at, until)))
        self._paint_rings(rang_at, ended_at)

    def _paint_rings(self, since: Instant, at: Instant) -> None:
        """Enter what rang out since an instant until now, and how long that lasts from now on."""
        known_until = max(at, self._timeline.latest or at)
        for start, end in self._rings:
            if end > since:
                self._timeline.paint(start, end if end <= known_until else None, RANG_OUT, only=COVERED)
        self._proofs = self._proofs._replace(rang_out_until=max((end for _, end in self._rings), default=None))
        self._settle(at)

    # -- time

    def advance(self, now: Instant) -> None:
        """Live through the time up to ``now``, placing each change that comes of time alone at its own instant."""
        while self._next is not None and self._next <= now:
            self._settle(self._next)

    def _settle(self, at: Instant) -> None:
        """Enter what is true from this instant on, and find when time alone may change it next."""
        if not self._is_seen:
            return
        latest = self._timeline.latest
        at = at if latest is None else max(at, latest)
        reachability = Reachability(self.rules, self._view, self._proofs, self.duty)
        cause = reachability.cause(at)
        self._timeline.begin(at, COVERED if cause is None else State(Coverage.UNCOVERED, cause))
        self._next = reachability.next_change(at, self.next_duty_change)
