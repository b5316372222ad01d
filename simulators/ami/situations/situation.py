"""One situation: the recording of a whole call, and what the SIP side knows of it."""

from __future__ import annotations

import gzip
import json
import re
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simulators.ami.learning import learn
from simulators.ami.situations.retiming import Act, Retiming
from simulators.ami.tape import Burst
from simulators.ami.telling import Part, tell
from simulators.truth import CallTruth
from telemon.errors import TelemonError
from telemon.instants import from_seconds, parse_stamp
from telemon.records import EndedBy, Outcome
from telemon.texts import text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from simulators.ami.tape import Tape, TapedEvent
    from simulators.ami.telling import Caller, Numbers
    from telemon.instants import Duration, Instant

_FOLDER = Path(__file__).parent
_ENDING = ".ami.gz"
_STAMP = re.compile(rb"\r\nTimestamp: ([^\r]+)\r\n")
# The phones' names as members of queues, as tests/lab/capture/configuration/queues.conf and the stories have them.
MEMBERS: Mapping[str, str] = {
    "op1": "Operator 1",
    "op2": "Operator 2",
    "op3": "Operator 3",
    "svc1": "Late",
    "late": "Late",
}
_NO_PLAN: Mapping[str, Duration] = {}


def situation_versions() -> tuple[str, ...]:
    """Return the versions of Asterisk that situations were recorded from."""
    return tuple(sorted(folder.name for folder in _FOLDER.iterdir() if any(folder.glob(f"*{_ENDING}"))))


def situation_names(version: str = "22") -> tuple[str, ...]:
    """Return the names of all situations that were recorded from this version of Asterisk."""
    return tuple(sorted(file.name.removesuffix(_ENDING) for file in (_FOLDER / version).glob(f"*{_ENDING}")))


@cache
def load_situation(name: str, version: str = "22") -> Situation:
    """Read one situation.

    Raises:
        TelemonError: there is none of that name.
    """
    known = situation_names(version)
    if name not in known:
        say = text()
        if known:
            raise TelemonError(say("sim_ami.no_situation", name=name, version=version, known=", ".join(known)))
        versions = ", ".join(situation_versions())
        raise TelemonError(say("sim_ami.no_version", name=name, version=version, known=versions))
    file = _FOLDER / version / f"{name}{_ENDING}"
    truth = json.loads(file.with_name(f"{name}.truth.json").read_text("utf-8"))
    return read_situation(gzip.decompress(file.read_bytes()), truth)


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """A recorded call that can be told again.

    Attributes:
        what: what happens, in a sentence.
        ddi: the number that is dialled; it decides what the dialplan does, so no call of this situation has another.
        dialled_at: when the recorded caller dialled. Asterisk counts some timers in whole seconds, so a call that
            begins at the same fraction of a second is the most alike.
        acts: what people did, in order.
        tape: the events.
        recorded: the call's truth, as ``tests/lab/capture/stage.py`` writes it.
    """

    name: str
    version: str
    what: str
    ddi: str
    dialled_at: Instant
    acts: tuple[Act, ...]
    tape: Tape
    recorded: Mapping[str, Any]
    timers: Mapping[str, str]
    begins: Duration

    def tell(
        self, caller: Caller, numbers: Numbers, plan: Mapping[str, Duration] = _NO_PLAN
    ) -> Iterator[tuple[Instant, TapedEvent]]:
        """Tell the call anew: each event with its instant, in order.

        Args:
            caller: who dials now, and when; their ``ddi`` must be the situation's.
            numbers: the switchboard's counters.
            plan: when people act, by the names in ``acts``, in microseconds after the caller dials.

        Raises:
            TelemonError: the plan does not fit the recording, or another number is dialled.
        """
        if caller.ddi != self.ddi:
            raise TelemonError(f"situation {self.name}: the number dialled must be {self.ddi}, not {caller.ddi}")
        tape = self._retimed(self._retiming(plan))
        return tell(caller, [Part(tape=tape, at=tape.bursts[0].at)], numbers, members=MEMBERS, extensions={})

    def truth(self, caller: Caller, plan: Mapping[str, Duration] = _NO_PLAN, *, service: str = "") -> CallTruth:
        """Return the truth of the call that :meth:`tell` tells, from what the SIP side saw of the recorded one.

        Raises:
            TelemonError: the plan does not fit the recording.
        """
        moved = self._retiming(plan)
        recorded = self.recorded

        def instant(key: str) -> Instant | None:
            at = recorded[key]
            return None if at is None else caller.arrives_at + moved(from_seconds(at) - self.dialled_at)

        heard = instant("invite_at_unix" if recorded["unheard"] else "ringing_at_unix")
        ended_at = instant("end_at_unix")
        assert ended_at is not None
        answered_at, taken_at = instant("joined_at_unix"), instant("taken_at_unix")
        return CallTruth(
            name=self.name,
            service=service,
            ddi=self.ddi,
            caller=caller.number,
            outcome=Outcome(recorded["outcome"]),
            arrived_at=caller.arrives_at,
            alerting_at=heard if heard is not None else instant("first_phone_ringing_at_unix"),
            answered_at=answered_at,
            ended_at=ended_at,
            ended_by=EndedBy(recorded["ended_by"]),
            answered_by=_interface(recorded["answered_by"]),
            machine_answered=recorded["machine_answered"] is not None,
            wait_ended_at=next(at for at in (answered_at, taken_at, ended_at) if at is not None),
            rung=tuple(f"PJSIP/{phone['phone']}" for phone in recorded["phones"]),
            transferred_to=tuple(f"PJSIP/{phone}" for phone in recorded["transferred_to"]),
        )

    def _retiming(self, plan: Mapping[str, Duration]) -> Retiming:
        told = [at for at, _ in self._told()]
        try:
            return Retiming(self.acts, told, plan, self.timers)
        except TelemonError as error:
            raise TelemonError(f"situation {self.name}: {error}") from error

    def _told(self) -> Iterator[tuple[Duration, int]]:
        """Yield when each line of the tape was told, since the caller dialled, and its place on the tape."""
        place = 0
        for burst in self.tape.bursts:
            for line in burst.lines:
                yield self.begins + burst.at + line.offset, place
                place += 1

    def _retimed(self, moved: Retiming) -> Tape:
        lines = [line for burst in self.tape.bursts for line in burst.lines]
        bursts: list[Burst] = []
        latest = moved(self.begins)
        for at, place in self._told():
            latest = max(latest, moved(at))
            bursts.append(Burst(latest, (replace(lines[place], offset=0),)))
        return replace(self.tape, bursts=tuple(bursts))


def read_situation(capture: bytes, truth: Mapping[str, Any]) -> Situation:
    """Make a situation of a capture with one caller, and its truth as ``tests/lab/capture/stage.py`` writes it.

    Raises:
        TelemonError: the capture holds no call of that caller.
    """
    (call,) = truth["calls"]
    dialled_at = from_seconds(call["invite_at_unix"])
    acts = [Act(act["what"], from_seconds(act["at_unix"]) - dialled_at) for act in truth["acts"]]
    return Situation(
        name=truth["scenario"],
        version=truth["asterisk"],
        what=truth["what"],
        ddi=call["ddi"],
        dialled_at=dialled_at,
        acts=tuple(act for act in acts if act.at >= 0),
        tape=learn(capture, caller=call["caller"]),
        recorded=call,
        timers=truth["timers"],
        begins=_arrival(capture, call["caller"]) - dialled_at,
    )


def _arrival(capture: bytes, caller: str) -> Instant:
    """Return when Asterisk told of the caller's channel."""
    mine = f"\r\nCallerIDNum: {caller}\r\n".encode()
    arrival = next(event for event in capture.split(b"\r\n\r\n") if b"Event: Newchannel\r\n" in event and mine in event)
    stamp = _STAMP.search(arrival)
    at = parse_stamp(stamp[1].decode()) if stamp else None
    if at is None:
        raise TelemonError(f"the recorded call from {caller} begins with an event without Timestamp: record it again")
    return at


def _interface(phone: str | None) -> str | None:
    return None if phone is None else f"PJSIP/{phone}"
