"""The queue_log that a real Asterisk would write for what the simulated one tells.

Sources: apps/app_queue.c and main/logger.c; held against the queue_logs of real Asterisks 16 and 22.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from simulators.ami.server import AmiServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import TextIO

    from simulators.ami.event import Told

# What QUEUESTATUS says where the queue let a caller go, and how the queue_log calls that. Where it says nothing, the
# caller hung up, or was moved away: an abandon.
_EXITS: Final = {
    "TIMEOUT": "EXITWITHTIMEOUT",
    "LEAVEEMPTY": "EXITEMPTY",
    "LEAVEUNAVAIL": "EXITEMPTY",
}
_STATUS: Final = "QUEUESTATUS"
_TRANSFER: Final = "transfer"
_COMPLETES: Final = {"caller": "COMPLETECALLER", "agent": "COMPLETEAGENT"}


@dataclass(slots=True)
class _Waiting:
    """One caller in one queue, and since when each member's phone rings."""

    queue: str
    position: str
    joined_at: int
    ringing: dict[str, float] = field(default_factory=dict)
    left: tuple[int, str] | None = None  # when, and in which place; why is not known yet


class QueueLog:
    """Writes lines as events come; ``begin()`` after each start of Asterisk, before its first line."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._waiting: dict[str, _Waiting] = {}
        self._positions: dict[str, str] = {}
        self._transfers: dict[str, tuple[str, ...]] = {}
        self._started = False
        self._events = {
            "QueueCallerJoin": self._join,
            "AgentCalled": self._called,
            "AgentRingNoAnswer": self._no_answer,
            "AgentConnect": self._connect,
            "AgentComplete": self._complete,
            "QueueCallerAbandon": self._leave,
            "VarSet": self._variable,
            "BlindTransfer": self._blind_transfer,
            "AttendedTransfer": self._attended_transfer,
            "QueueMemberPause": self._pause,
            "Hangup": self._hang_up,
        }

    def begin(self) -> None:
        """Asterisk has started: its calls of before are gone without a word, and its next line is preceded by one."""
        self._started = False
        self._waiting.clear()
        self._positions.clear()
        self._transfers.clear()

    def hear(self, event: Told, stamp: float) -> None:
        """Write what Asterisk writes when it tells this event at an instant (Unix seconds)."""
        handler = self._events.get(event.name)
        if handler is not None:
            handler(event, stamp)

    def _write(self, at: float, uniqueid: str, queue: str, agent: str, event: str, *data: object) -> None:
        if not self._started:
            self._started = True
            self._write(at, "NONE", "NONE", "NONE", "QUEUESTART", "")
        self._file.write("|".join(map(str, (int(at), uniqueid, queue, agent, event, *data))) + "\n")
        self._file.flush()  # as Asterisk does: what is written survives its end

    # -- one method an event

    def _join(self, event: Told, stamp: float) -> None:
        uniqueid, queue = event.get("Uniqueid"), event.get("Queue")
        self._abandon(uniqueid)
        self._waiting[uniqueid] = _Waiting(queue, event.get("Position"), int(stamp))
        self._positions[uniqueid] = event.get("Position")
        number = event.get("CallerIDNum")
        number = "" if number == "<unknown>" else number
        self._write(stamp, uniqueid, queue, "NONE", "ENTERQUEUE", "", number, event.get("Position"))

    def _called(self, event: Told, stamp: float) -> None:
        waiting = self._waiting.get(event.get("Uniqueid"))
        if waiting is not None:
            waiting.ringing[event.get("MemberName")] = stamp

    def _no_answer(self, event: Told, stamp: float) -> None:
        uniqueid, member = event.get("Uniqueid"), event.get("MemberName")
        waiting = self._waiting.get(uniqueid)
        if waiting is not None:
            waiting.ringing.pop(member, None)
        self._write(stamp, uniqueid, event.get("Queue"), member, "RINGNOANSWER", event.get("RingTime"))

    def _connect(self, event: Told, stamp: float) -> None:
        uniqueid = event.get("Uniqueid")
        self._waiting.pop(uniqueid, None)
        hold, legs, rang = event.get("HoldTime"), event.get("DestUniqueid"), event.get("RingTime")
        self._write(stamp, uniqueid, event.get("Queue"), event.get("MemberName"), "CONNECT", hold, legs, rang)

    def _complete(self, event: Told, stamp: float) -> None:
        uniqueid = event.get("Uniqueid")
        hold, talk = event.get("HoldTime"), event.get("TalkTime")
        name = _COMPLETES.get(event.get("Reason"), "")
        moved: tuple[str, ...] = ()
        if event.get("Reason") == _TRANSFER:
            name, *rest = self._transfers.pop(uniqueid, ("BLINDTRANSFER", "", ""))
            moved = tuple(rest)
        if name:
            place = self._positions.get(uniqueid, "1")
            self._write(stamp, uniqueid, event.get("Queue"), event.get("MemberName"), name, *moved, hold, talk, place)

    def _blind_transfer(self, event: Told, stamp: float) -> None:  # noqa: ARG002 - one signature for all
        to = event.get("Extension"), event.get("Context") or event.get("TransfereeContext")
        self._transfers[event.get("TransfereeUniqueid")] = ("BLINDTRANSFER", *to)

    def _attended_transfer(self, event: Told, stamp: float) -> None:  # noqa: ARG002
        to = "BRIDGE", event.get("DestBridgeUniqueid")
        self._transfers[event.get("TransfereeUniqueid")] = ("ATTENDEDTRANSFER", *to)

    def _leave(self, event: Told, stamp: float) -> None:
        waiting = self._waiting.get(event.get("Uniqueid"))
        if waiting is not None:
            waiting.left = int(stamp), event.get("Position")
            for member, since in waiting.ringing.items():
                self._cancelled(event, stamp, member, since)
            waiting.ringing.clear()

    def _cancelled(self, event: Told, stamp: float, member: str, since: float) -> None:
        rang = round((stamp - since) * 1000)
        self._write(stamp, event.get("Uniqueid"), event.get("Queue"), member, "RINGCANCELED", rang)

    def _variable(self, event: Told, stamp: float) -> None:  # noqa: ARG002
        if event.get("Variable") == _STATUS:
            self._exit(event.get("Uniqueid"), _EXITS.get(event.get("Value"), ""))

    def _abandon(self, uniqueid: str) -> None:
        self._exit(uniqueid, "ABANDON")

    def _exit(self, uniqueid: str, name: str) -> None:
        """Write why the caller left the queue, which nobody knows before what comes next."""
        waiting = self._waiting.get(uniqueid)
        if waiting is None or waiting.left is None or not name:
            return
        del self._waiting[uniqueid]
        at, position = waiting.left
        self._write(at, uniqueid, waiting.queue, "NONE", name, position, waiting.position, at - waiting.joined_at)

    def _hang_up(self, event: Told, stamp: float) -> None:
        uniqueid = event.get("Uniqueid")
        waiting = self._waiting.get(uniqueid)
        if waiting is not None and waiting.left is None:  # Asterisk ends: it hangs up whoever waits
            waiting.left = int(stamp), waiting.position
        self._abandon(uniqueid)
        self._positions.pop(uniqueid, None)
        self._transfers.pop(uniqueid, None)

    def _pause(self, event: Told, stamp: float) -> None:
        name = "PAUSE" if event.get("Paused") == "1" else "UNPAUSE"
        self._write(stamp, "NONE", event.get("Queue"), event.get("MemberName"), name, event.get("PausedReason"))


@contextmanager
def writing(path: Path | None) -> Iterator[QueueLog | None]:
    """Open a queue_log to write, in place of what is there; None where none is wanted."""
    if path is None:
        yield None
        return
    with path.open("w", encoding="utf-8") as file:
        yield QueueLog(file)


class LoggingServer(AmiServer):
    """An AMI server whose switchboard writes a queue_log, whether anybody is connected or not."""

    queue_log: QueueLog | None = None

    def emit(self, event: Told, at: float | None = None) -> None:
        """Write what the event means for the queue_log, then tell it; a frozen Asterisk does both when it goes on."""
        if self.queue_log is not None and not self.frozen:
            self.queue_log.hear(event, self.now() if at is None else at)
        super().emit(event, at)

    def concerns(self, event: Told) -> bool:
        """Why a caller left a queue is of concern, even where no client asked for variables."""
        if self.queue_log is not None and event.name == "VarSet" and event.get("Variable") == _STATUS:
            return True
        return super().concerns(event)

    def boot(self) -> None:
        """Start Asterisk again."""
        super().boot()
        if self.queue_log is not None:
            self.queue_log.begin()
