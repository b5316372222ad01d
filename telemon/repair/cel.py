"""Channel event logging (CEL) → calls: its rows are told to the tracker as the manager's events would be.

So one state machine decides about calls that were watched and about calls that are read here. What CEL does not say is
concluded, or left open:

- *Who dials.* A leg that begins with another's linkedid is rung by that call's channel that is in no bridge.
- *Entering a queue.* ``APP_START`` of Queue, unless Queue ended at once without anybody's hanging up: it let nobody in.
- *A phone that rings.* Never said; ``ringing_at`` stays open. A refusal within half a second came before any ring.
- *Why a dial ended.* A phone that hung up by itself refused; one whose call went on afterwards rang in vain.
- *An operator who hung up* while the dialplan still spoke to him is joined for an instant: no answer is claimed then.
- *The end* is the channel's, which Queue may hold until it has announced the call to a member who picked up.
- *Holds* are not in CEL: ``hold_duration`` is 0.
- *Who hung up* is in the column ``extra``; without it, a call that was not answered has no outcome.

What cel.conf does not name is not there. ``events`` should be ``ALL``, and ``apps`` must name ``queue``: otherwise a
call through a queue has no ``alerting_at``, and no outcome that depends on it. It must name ``ringing`` where the
dialplan rings before it dials: otherwise the ring begins with the first phone. (``apps = all``, which cel.conf.sample
offers, names no application at all in Asterisk 16 and 22: main/cel.c, ``cel_track_app``.)
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from telemon.instants import SECOND
from telemon.records import AttemptResult, EndedBy, Flag, Outcome, Provenance
from telemon.repair.cel_rows import event_of, typed
from telemon.repair.cel_telling import AT_ONCE, Teller
from telemon.repair.columns import COLUMNS
from telemon.repair.kinds import SourceKind
from telemon.repair.stamps import created_at, read_stamp
from telemon.tracker import Tracker

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import tzinfo

    from telemon.instants import Duration, Instant
    from telemon.records import CallRecord, RingAttempt
    from telemon.services import Numbering

_HELD: Final = 10_000  # calls
_BY_RINGING: Final = frozenset(
    {Outcome.SHORT_ABANDONED, Outcome.IVR_ONLY, Outcome.FAILED, Outcome.BUSY, Outcome.CLOSED}
)
_INSTANT: Final = SECOND // 100

FIELDS: Final = COLUMNS[SourceKind.CEL]


class Reader:
    """Read one run of CEL, the oldest row first.

    ``numbering``, ``short_abandon`` and ``site`` as for the tracker; ``zone`` is that of dates without one.
    ``passed_over`` counts, by reason, rows of which nothing could be made.
    """

    def __init__(self, site: str, numbering: Numbering, short_abandon: Duration, zone: tzinfo) -> None:
        self.passed_over: Counter[str] = Counter()
        self._tracker = Tracker(site, numbering, short_abandon=short_abandon, provenance=Provenance.IMPORTED)
        self._teller = Teller(self._tracker, self.passed_over)
        self._zone = zone
        self._latest: Instant = 0

    def feed(self, row: Mapping[str, str]) -> list[CallRecord]:
        """Take one row and return the calls that it ends."""
        uniqueid = row["uniqueid"]
        not_before = max(self._latest, created_at(uniqueid) or 0)
        stamp = read_stamp(row["eventtime"], self._zone, not_before=not_before)
        if stamp is None or not uniqueid or not row["linkedid"]:
            self.passed_over["without time" if stamp is None else "without channel"] += 1
            return []
        self._latest = max(self._latest, stamp.at)
        self._teller.whole = self._teller.whole or stamp.whole
        if self._teller.knows(event_of(row)):
            self._teller.take(typed(row, stamp.at))
        return self._take_finished(_HELD)

    def finish(self) -> list[CallRecord]:
        """Return the calls that the rows leave open."""
        self._teller.finished += self._tracker.give_up()
        return self._take_finished()

    def _take_finished(self, held: int = 0) -> list[CallRecord]:
        """Return what is over, once a queue showed whether ``apps`` names queues, or so many calls came without any."""
        finished = self._teller.finished
        if not finished or (self._teller.queues_are_said is None and len(finished) < held):
            return []
        self._teller.finished = []
        calls = [self._revised(call) for call in finished]
        return [_doubted(call) for call in calls] if self._teller.queues_are_said is False else calls

    def _revised(self, call: CallRecord) -> CallRecord:
        flags = {*call.flags, Flag.WHOLE_SECONDS} if self._teller.whole else {*call.flags}
        call = replace(
            call, flags=tuple(sorted(flags)), attempts=tuple(_revised_attempt(call, each) for each in call.attempts)
        )
        if _was_gone(call) and not self._teller.whole:
            call = replace(call, outcome=Outcome.UNKNOWN, answered_at=None, answered_by=None, operator_up_at=None)
        uniqueid = call.call_id.removeprefix(f"{call.site}:")
        if uniqueid in self._teller.unsure:
            self._teller.unsure.discard(uniqueid)
            unknown = call.outcome is not Outcome.ANSWERED
            call = replace(call, ended_by=None, outcome=Outcome.UNKNOWN if unknown else call.outcome)
        return call


def _doubted(call: CallRecord) -> CallRecord:
    """Where queues are not said to begin, nobody knows since when, or that, a caller was in one."""
    outcome = Outcome.UNKNOWN if call.outcome in _BY_RINGING else call.outcome
    return replace(call, alerting_at=None, outcome=outcome)


def _was_gone(call: CallRecord) -> bool:
    """Whether the operator was joined for less than anybody takes to hang up: gone before, perhaps never heard."""
    talked = call.talk_duration
    return talked is not None and talked < _INSTANT and call.ended_by is EndedBy.SWITCHBOARD


def _revised_attempt(call: CallRecord, attempt: RingAttempt) -> RingAttempt:
    """A phone that was no longer rung while its caller went on waiting had rung in vain; when it rang is not known."""
    over = call.wait_ended_at
    if attempt.result is AttemptResult.CANCELLED and attempt.ended_at is not None and over is not None:
        in_vain = attempt.ended_at < over - AT_ONCE
        given_up = call.answered_at is None and call.ended_by is EndedBy.SWITCHBOARD
        if in_vain or given_up:
            return replace(attempt, result=AttemptResult.NO_ANSWER, ringing_at=None)
    return replace(attempt, ringing_at=None)
