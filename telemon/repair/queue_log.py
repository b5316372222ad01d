"""Calls from Asterisk's queue_log: a line, or a row of its real-time table, each time something happens in a queue.

Sources: ``ast_queue_log`` in main/logger.c and its callers in apps/app_queue.c, Asterisk 13 to 22; ``TRANSFER`` is how
Asterisk 11 and before wrote a blind transfer, ``DID`` is what FreePBX adds by ``QueueLog()``.

What a queue_log never says, and these records therefore do not: what happened before the queue but for the second of
the arrival (in the uniqueid), what became of a caller whom the queue let go (timeout, empty, key, transfer), whether a
phone refused or only rang, holds and parking, and, where the member has a name, which interface it is. A caller who
reaches the queue through a Local channel has that channel's uniqueid there.
"""

from __future__ import annotations

import heapq
from collections import Counter
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final

from telemon.instants import SECOND
from telemon.records import AttemptResult, EndedBy, TransferKind
from telemon.repair.queued import QueuedCall
from telemon.repair.stamps import created_at, read_stamp

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from datetime import tzinfo

    from telemon.instants import Duration, Instant
    from telemon.records import CallRecord
    from telemon.services import Numbering

    Row = Mapping[str, str]

FIELDS: Final = ("time", "callid", "queuename", "agent", "event", "data1", "data2", "data3", "data4", "data5")

# How long a call may still come back: one that ended could have been redirected (the queue calls that an abandon), one
# that the queue let go, or an operator handed on, may enter another queue after an announcement, or a long talk.
_LINGERS_ENDED: Final[Duration] = 600 * SECOND
_LINGERS_OPEN: Final[Duration] = 6 * 3600 * SECOND
_MANY_DIGITS: Final = 9
_MILLISECOND: Final[Duration] = 1_000

# Lines that say nothing of a call (callid NONE, MANAGER, REALTIME, or a phone's own).
_OF_NO_CALL: Final = frozenset(
    {
        "ADDMEMBER", "REMOVEMEMBER", "PAUSE", "UNPAUSE", "PAUSEALL", "UNPAUSEALL", "PAUSEREASON", "PENALTY",
        "RINGINUSE", "AGENTLOGIN", "AGENTLOGOFF", "AGENTCALLBACKLOGIN", "AGENTCALLBACKLOGOFF", "CONFIGRELOAD",
        "QUEUESTART", "INFO",
    }
)  # fmt: skip


class Reader:
    """Rows of one PBX in order of time, to records.

    ``passed_over`` counts rows that tell nothing usable: ``no_time``, ``no_uniqueid``, ``unknown_event``, and
    ``no_beginning`` where a line goes on with a call that the log never began (a Local channel optimised away).
    """

    def __init__(
        self,
        site: str,
        numbering: Numbering,
        short_abandon: Duration,
        zone: tzinfo,
        *,
        interfaces: Mapping[str, str] | None = None,
        last_queues: Collection[str] = (),
    ) -> None:
        """Prepare to read.

        Args:
            site: prefix of each ``call_id``.
            numbering: which queue, or number dialled, belongs to which service.
            short_abandon: below this ring duration an abandoned call is ``short_abandoned``.
            zone: of times that name none.
            interfaces: interface of each member by its name in queues.conf.
            last_queues: patterns of queues after which the dialplan only hangs up, so that a timeout is the end.
        """
        self.passed_over: Counter[str] = Counter()
        self._site = site
        self._numbering = numbering
        self._short_abandon = short_abandon
        self._zone = zone
        self._interfaces = dict(interfaces or {})
        self._last_queues = tuple(last_queues)
        self._own_numbers = {ddi for service in numbering.services for ddi in service.ddis if ddi[:1] != "_"}
        self._phones = {interface.rpartition("/")[2] for interface in self._interfaces.values()}
        self._calls: dict[str, QueuedCall] = {}
        self._due: dict[str, Instant] = {}
        self._agenda: list[tuple[Instant, str]] = []
        self._first_at: Instant | None = None
        self._now: Instant | None = None
        self._events: dict[str, Callable[[QueuedCall, Row, Instant], None]] = {
            "ENTERQUEUE": self._enter,
            "DID": self._did,
            "CONNECT": self._connect,
            "RINGNOANSWER": lambda call, row, at: self._rang(call, row, at, AttemptResult.NO_ANSWER),
            "RINGCANCELED": lambda call, row, at: self._rang(call, row, at, AttemptResult.CANCELLED),
            "AGENTDUMP": lambda call, row, at: self._rang(call, row, at, AttemptResult.NOT_ACCEPTED),
            "ABANDON": self._abandon,
            "COMPLETECALLER": lambda call, row, at: self._complete(call, row, at, EndedBy.CALLER),
            "COMPLETEAGENT": lambda call, row, at: self._complete(call, row, at, EndedBy.SWITCHBOARD),
            "BLINDTRANSFER": self._blind_transfer,
            "TRANSFER": self._blind_transfer,
            "ATTENDEDTRANSFER": self._attended_transfer,
            "EXITWITHTIMEOUT": self._exit,
            "EXITEMPTY": self._exit,
            "EXITWITHKEY": lambda call, row, at: self._left(call, row, at, "data4"),
            "SYSCOMPAT": lambda call, row, at: self._left(call, row, at, ""),
        }

    def feed(self, row: Row) -> list[CallRecord]:
        """Take one row and return the calls that can no longer change."""
        stamp = read_stamp(row.get("time", ""), self._zone, not_before=self._now)
        if stamp is None:
            self.passed_over["no_time"] += 1
            return []
        self._now = stamp.at
        if self._first_at is None:
            self._first_at = stamp.at
        self._take(row, stamp.at)
        return [] if not self._agenda or self._agenda[0][0] > stamp.at else self._settle(stamp.at)

    def finish(self) -> list[CallRecord]:
        """Return every call left; one whose end is not in the log has none."""
        left = [record for uniqueid in list(self._calls) for record in self._record(uniqueid)]
        self._agenda.clear()
        return left

    def _take(self, row: Row, at: Instant) -> None:
        name, uniqueid = row.get("event", ""), row.get("callid", "")
        event = self._events.get(name)
        if event is None:
            self.passed_over["unknown_event"] += name not in _OF_NO_CALL
            return
        created = created_at(uniqueid)
        if created is None:
            self.passed_over["no_uniqueid"] += 1
            return
        call = self._calls.get(uniqueid)
        if call is None:
            begins = name in ("ENTERQUEUE", "DID")
            if not begins and self._first_at is not None and created > self._first_at:
                self.passed_over["no_beginning"] += 1
                return
            call = self._calls[uniqueid] = QueuedCall(uniqueid=uniqueid, created_at=created, first_at=at)
        if "/" in row.get("agent", ""):
            self._phones.add(row["agent"].rpartition("/")[2])
        event(call, row, at)
        self._remind(uniqueid, at + (_LINGERS_ENDED if call.is_over else _LINGERS_OPEN))

    def _remind(self, uniqueid: str, due: Instant) -> None:
        self._due[uniqueid] = due
        heapq.heappush(self._agenda, (due, uniqueid))

    def _settle(self, now: Instant) -> list[CallRecord]:
        over: list[CallRecord] = []
        while self._agenda and self._agenda[0][0] <= now:
            due, uniqueid = heapq.heappop(self._agenda)
            if self._due.get(uniqueid) == due:  # else it was heard of since
                over += self._record(uniqueid)
        return over

    def _record(self, uniqueid: str) -> list[CallRecord]:
        call = self._calls.pop(uniqueid)
        self._due.pop(uniqueid, None)
        if not call.entered_any:
            return []
        is_probe = call.caller in self._numbering.probe_callers
        # A phone named like its number, or an operator who consults a queue on behalf of a caller, shown as what that
        # one dialled.
        is_internal = call.caller != "" and (call.caller in self._phones or call.caller in self._own_numbers)
        return [call.record(self._site, self._short_abandon, is_probe=is_probe, is_internal=is_internal)]

    # -- one method an event

    def _enter(self, call: QueuedCall, row: Row, at: Instant) -> None:
        queue = row.get("queuename", "")
        of_queue = self._numbering.service_of_queue(queue)
        if call.service is None:
            call.service = of_queue
        call.caller = call.caller or row.get("data2", "")
        # As telemon.tracker has it: a service that names no queues has all that its DDIs lead to.
        rings = of_queue is not None or (call.service is not None and not call.service.queues)
        call.enter(queue, at, rings=rings)

    def _did(self, call: QueuedCall, row: Row, at: Instant) -> None:  # noqa: ARG002 - one signature for all
        call.ddi = call.ddi or row.get("data1", "")
        if call.service is None:
            call.service = self._numbering.service_dialled("", call.ddi)

    def _connect(self, call: QueuedCall, row: Row, at: Instant) -> None:
        self._waited(call, row, at, "data1")
        operator = self._operator(row)
        if self._numbering.is_machine(operator):
            call.meet_machine(at)
        else:
            call.connect(operator, at, _number(row.get("data3", "")))

    def _rang(self, call: QueuedCall, row: Row, at: Instant, result: AttemptResult) -> None:
        self._waited(call, row, at, "")
        call.rang(self._operator(row), at, (_number(row.get("data1", "")) or 0) * _MILLISECOND, result)

    def _abandon(self, call: QueuedCall, row: Row, at: Instant) -> None:
        self._waited(call, row, at, "data3")
        call.end(at, EndedBy.CALLER)

    def _complete(self, call: QueuedCall, row: Row, at: Instant, by: EndedBy) -> None:
        self._talked(call, row, at, "data1", "data2")
        call.end(at, by)

    def _blind_transfer(self, call: QueuedCall, row: Row, at: Instant) -> None:
        self._talked(call, row, at, "data3", "data4")
        call.hand_on(TransferKind.BLIND, row.get("data1", ""), at)

    def _attended_transfer(self, call: QueuedCall, row: Row, at: Instant) -> None:
        linked = row.get("data1") == "LINK"  # it names two channels, the others one thing only
        self._talked(call, row, at, *(("data4", "data5") if linked else ("data3", "data4")))
        call.hand_on(TransferKind.ATTENDED, "", at)

    def _exit(self, call: QueuedCall, row: Row, at: Instant) -> None:
        self._left(call, row, at, "data3")
        if any(fnmatchcase(row.get("queuename", ""), pattern) for pattern in self._last_queues):
            call.end(at, EndedBy.SWITCHBOARD)

    def _left(self, call: QueuedCall, row: Row, at: Instant, waited: str) -> None:
        self._waited(call, row, at, waited)
        call.leave()

    # -- calls that began before the log did

    def _waited(self, call: QueuedCall, row: Row, at: Instant, field: str) -> None:
        if not call.queues:
            self._enter(call, {**row, "data2": ""}, at - (_number(row.get(field, "")) or 0) * SECOND)

    def _talked(self, call: QueuedCall, row: Row, at: Instant, hold: str, talk: str) -> None:
        if call.connected_at is None and call.machine_at is None:
            answered_at = at - (_number(row.get(talk, "")) or 0) * SECOND
            self._waited(call, row, answered_at, hold)
            call.connect(self._operator(row), answered_at, None)

    def _operator(self, row: Row) -> str:
        agent = row.get("agent", "")
        return self._interfaces.get(agent, agent)


def _number(text: str) -> int | None:
    """Read a whole number of seconds or milliseconds; None where there is none."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _MANY_DIGITS else None
