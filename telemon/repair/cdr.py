"""Call detail records (CDR) → calls, as far as they tell.

Asterisk writes one row for each phone that it rang for a caller, and one for each stretch in which it rang none. That
is made for bills, and answers few of telemon's questions. Claimed here:

- *answered*, and by whom: a phone's row that is ``ANSWERED`` for a second at least, also through Local channels where
  the linkedid is kept (``newcdrcolumns = yes``). That is the phone's answer: a caller who left while a queue still
  announced the call to its member counts as answered;
- *when*: to the row's resolution, if another row proves that the caller's line was not up before. Otherwise the answer
  lies between ``answered_not_before`` and the end, flag ``ANSWERED_IN_GAP``: an announcement takes the line up, too;
- *diverted*: phones rang, and in the end a machine had the caller;
- *busy*: every phone refused as busy, and nothing else came.

Never in CDR: who hung up, nor (``unanswered = no`` in cdr.conf) calls for which no phone was rung and whose line never
came up. A call that nobody answered is otherwise ``unknown``: abandoned, or given up by the switchboard; and unless its
line came up, its end is not written either. Nor when it began to ring, holds and transfers. A blind transfer or a menu
overwrites what was dialled: where that leaves it open, ``ddi`` and ``service`` are empty. Phones that call are left
out.
"""

from __future__ import annotations

from collections import Counter
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final

from telemon.applications import REACHING, SPEAKING
from telemon.instants import SECOND
from telemon.legs import interface_of
from telemon.records import AttemptResult, CallRecord, Flag, Outcome, Provenance, RingAttempt, ServiceKind
from telemon.repair.cdr_rows import BUSY, CdrRow, typed
from telemon.repair.columns import COLUMNS
from telemon.repair.kinds import SourceKind

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import tzinfo

    from telemon.instants import Duration, Instant
    from telemon.services import Numbering, Service

FIELDS: Final = COLUMNS[SourceKind.CDR]

_QUIET: Final = 60 * SECOND  # rows of one call are written when its channels end, which need not be together


class Reader:
    """Read one run of CDR, in the order of writing or of beginning.

    ``short_abandon`` is not asked: no abandon is ever certain. ``zone`` is that of dates without one. ``passed_over``
    counts, by reason, rows of which nothing could be made.
    """

    def __init__(self, site: str, numbering: Numbering, short_abandon: Duration, zone: tzinfo) -> None:  # noqa: ARG002 - as every reader
        self.passed_over: Counter[str] = Counter()
        self._site = site
        self._numbering = numbering
        self._zone = zone
        self._calls: dict[str, list[CdrRow]] = {}  # by linkedid
        self._swept_at: Instant = 0
        self._arrivals: Counter[str] = Counter()  # by interface: how often callers came by it
        self._rings: Counter[str] = Counter()  # by interface: how often it was rung for callers

    def feed(self, row: Mapping[str, str]) -> list[CallRecord]:
        """Take one row and return the calls that are over by then."""
        record = typed(row, self._zone)
        if record is None:
            self.passed_over["without channel or times"] += 1
            return []
        self._learn(record)
        self._calls.setdefault(record.linkedid, []).append(record)
        if record.uniqueid != record.linkedid and record.uniqueid in self._calls:
            self._calls[record.uniqueid].append(record)  # an operator joined this call to another one
        if record.start < self._swept_at + _QUIET:
            return []
        self._swept_at = record.start
        over = [key for key, rows in self._calls.items() if max(r.end for r in rows) + _QUIET < record.start]
        return [call for key in over if (call := self._call(key, self._calls.pop(key))) is not None]

    def finish(self) -> list[CallRecord]:
        """Return the rest: a CDR is only written once its channel is gone, so these calls are over as well."""
        calls, self._calls = self._calls, {}
        return [call for key, rows in calls.items() if (call := self._call(key, rows)) is not None]

    def _learn(self, row: CdrRow) -> None:
        """Note by which interfaces callers come, and which are rung for them."""
        if row.is_local or row.uniqueid != row.linkedid or not self._numbering.is_inbound(row.context):
            return
        if row.linkedid not in self._calls:
            self._arrivals[interface_of(row.channel)] += 1
        if row.phone is not None:
            self._rings[row.phone] += 1

    def _is_phone(self, interface: str) -> bool:
        """Whether an interface is rung rather than arrived by: a trunk is both where calls go on to mobiles."""
        named = any(fnmatchcase(interface, p) for service in self._numbering.services for p in service.operators)
        return named or self._rings[interface] > self._arrivals[interface]

    def _call(self, key: str, rows: Sequence[CdrRow]) -> CallRecord | None:
        callers = sorted((r for r in rows if r.uniqueid == key), key=lambda r: (r.start, r.sequence))
        if not callers:
            self.passed_over["without the caller's own row"] += len(rows)
            return None
        if callers[0].is_local or self._is_phone(interface_of(callers[0].channel)):
            return None
        ordered = sorted(rows, key=lambda r: (r.start, r.sequence))
        return _Story(self._numbering, callers, ordered).record(self._site)


class _Story:
    """The rows of one call: ``callers``, the caller's own, in order, and ``rows``, all."""

    def __init__(self, numbering: Numbering, callers: Sequence[CdrRow], rows: Sequence[CdrRow]) -> None:
        self._numbering = numbering
        self._callers = callers
        self._rows = rows

    def record(self, site: str) -> CallRecord:
        """Return what the rows tell of the call."""
        first = self._callers[0]
        inbound = next((r for r in self._callers if self._numbering.is_inbound(r.context)), None)
        service = self._service(inbound)
        answer = self._answer()
        answered_at, not_before = (None, None) if answer is None else self._answered_at(answer[0])
        machine = None if answer is not None else self._machine()
        # Of a line that never came up, no row says how long it went on after the last phone; of one that was joined to
        # another call, the rows are that other's.
        last = max(r.end for r in self._callers)
        was_up = any(r.answer is not None and r.end == last for r in self._callers)
        ended_at = last if was_up and all(r.linkedid == r.uniqueid for r in self._callers) else None
        return CallRecord(
            call_id=f"{site}:{first.uniqueid}",
            site=site,
            service="" if service is None else service.name,
            service_kind=ServiceKind.SWITCHBOARD if service is None else service.kind,
            ddi="" if inbound is None else inbound.exten,
            caller=first.caller,
            linkedid=first.uniqueid,
            arrived_at=first.start,
            alerting_at=None,
            operator_ringing_at=None,
            operator_up_at=None,
            answered_at=answered_at,
            answered_not_before=not_before,
            machine_answered_at=None if machine is None else machine.answer,
            diverted_at=None if machine is None else machine.answer,
            ended_at=ended_at,
            outcome=self._outcome(answered=answer is not None, machine=machine),
            ended_by=None,
            answered_by=None if answer is None else answer[1],
            queues=tuple(self._queues()),
            attempts=tuple(self._attempts(answer, answered_at if not_before is None else None)),
            transfers=(),
            hold_duration=0,
            hangup_cause=None,
            is_probe=first.caller in self._numbering.probe_callers,
            flags=self._flags(inexact=not_before is not None, endless=ended_at is None),
            provenance=Provenance.IMPORTED,
        )

    def _service(self, inbound: CdrRow | None) -> Service | None:
        dialled = None if inbound is None else self._numbering.service_dialled(inbound.context, inbound.exten)
        if dialled is not None:
            return dialled
        queued = map(self._numbering.service_of_queue, self._queues())
        return next((service for service in queued if service is not None), None)

    def _flags(self, *, inexact: bool, endless: bool) -> tuple[Flag, ...]:
        signs = (
            (any(r.whole for r in self._rows), Flag.WHOLE_SECONDS),
            (inexact, Flag.ANSWERED_IN_GAP),
            (endless, Flag.ENDED_IN_GAP),
        )
        return tuple(sorted(flag for holds, flag in signs if holds))

    def _queues(self) -> Iterator[str]:
        before = ""
        for row in self._callers:
            name = row.data.partition(",")[0] if row.application == "Queue" else ""
            if name and name != before:
                yield name
            before = name

    # -- the answer

    def _answer(self) -> tuple[CdrRow, str] | None:
        """Return the caller's row that an operator answered, and who that was; None also if nobody can tell."""
        if any(r.is_answered and r.other.endswith(";1") and not self._beyond(r) for r in self._callers):
            return None  # behind a Local channel of which no row is here
        answered = [(row, operator) for row in self._callers if (operator := self._operator(row)) is not None]
        for place, (row, operator) in enumerate(answered):
            if row.answer not in (None, row.end):
                return row, operator
            # For no time at all: Asterisk writes that of a phone whose call another one picked up, of a Local channel
            # that is optimised away, and of whoever was gone as the other answered.
            if not any(r.errand == row.errand and r.start == row.end for r, _ in answered[place + 1 :]):
                return None
        return None

    def _operator(self, row: CdrRow, depth: int = 0) -> str | None:
        """Return the phone at the end of an answered row, through the halves of Local channels; None for a machine."""
        if not row.is_answered:
            return None
        if row.phone is not None:
            return None if self._numbering.is_machine(row.phone) else row.phone
        if not row.other.endswith(";1") or depth > len(self._rows):
            return None
        return next((phone for r in self._beyond(row) if (phone := self._operator(r, depth + 1)) is not None), None)

    def _beyond(self, row: CdrRow) -> list[CdrRow]:
        """Return the rows of the other half of the Local channel that a row ends in."""
        return [r for r in self._rows if r.channel == f"{row.other[:-1]}2"]

    def _answered_at(self, row: CdrRow) -> tuple[Instant, Instant | None]:
        """Return the answer and, where only the line's coming up is known, the earliest instant that it can be."""
        came_up = row.start if row.answer is None else row.answer
        was_down = any(
            r.answer is None and r.errand == row.errand and row is not r and r.end <= came_up for r in self._callers
        )
        return (came_up, None) if was_down else (row.end, came_up)

    # -- no answer

    def _outcome(self, *, answered: bool, machine: CdrRow | None) -> Outcome:
        if answered:
            return Outcome.ANSWERED
        phones = [r for r in self._callers if r.phone is not None]
        if phones and all(r.disposition == BUSY for r in phones):
            return Outcome.BUSY if len(phones) == len(self._callers) else Outcome.UNKNOWN
        return Outcome.UNKNOWN if machine is None else Outcome.DIVERTED

    def _machine(self) -> CdrRow | None:
        """Return the caller's last row if it is that of a machine which took a call that had rung."""
        *before, last = self._callers
        if not last.is_answered:
            return None
        if not last.other and last.application in SPEAKING:
            rang = any(r.application in REACHING and not r.is_answered and r.end > r.start for r in before)
            return last if rang else None
        beyond = self._beyond(last) if last.other.endswith(";1") and last.application in REACHING else []
        is_machine = bool(beyond) and all(not r.other and r.application in SPEAKING for r in beyond)
        return last if is_machine else None

    def _attempts(self, answer: tuple[CdrRow, str] | None, answered_at: Instant | None) -> Iterator[RingAttempt]:
        """Each phone that was rung; a row begins with its caller's wait, which may be before the phone was rung."""
        for row in self._rows:
            if row.phone is None or self._numbering.is_machine(row.phone) or row.application not in REACHING:
                continue
            is_answer = answer is not None and row.phone == answer[1] and row.is_answered
            result = AttemptResult.BUSY if row.disposition == BUSY else AttemptResult.UNKNOWN
            yield RingAttempt(
                operator=row.phone,
                started_at=row.start,
                ringing_at=None,
                ended_at=answered_at if is_answer else row.end,
                result=AttemptResult.ANSWERED if is_answer else result,
            )
