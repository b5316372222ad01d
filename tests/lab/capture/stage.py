"""One story on a real Asterisk: its phones, its recording, and the truth that the SIP side saw."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import itertools
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from simulators.lab.asterisk import Asterisk
from simulators.lab.ports import free_port
from tests.lab.capture.recorder import Console, Recorder
from tests.lab.capture.softphone import Leg, Over, Softphone, now

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from telemon.instants import Instant

_callers = itertools.count(1)

PHONES = ("op1", "op2", "op3", "svc1", "svc2", "gsm")
CONFIGURATION = Path(__file__).parent / "configuration"


def server(root: Path | None = None) -> Asterisk:
    return Asterisk(root, overlay=CONFIGURATION, phones=PHONES)


@dataclass
class Expected:
    """What a story says of one call; instants come from SIP."""

    caller: Leg
    outcome: str
    by: str | None = None
    joined_at: Instant | None = None
    transferred_to: tuple[str, ...] = ()
    machine: str | None = None
    taken_at: Instant | None = None  # a machine had the caller from here on
    unheard: bool = False  # alerted all along, but no 180 could tell the SIP side so
    more: dict[str, Any] = field(default_factory=dict)


class Stage:
    """What a story may use. ``phone(...)`` sets what a phone does with the calls that it takes."""

    def __init__(self, asterisk: Asterisk) -> None:
        self.asterisk = asterisk
        self.recorder = Recorder(asterisk)
        self.console = Console(asterisk)
        self.phones = {name: Softphone(name, asterisk.sip_port, port) for name, port in asterisk.phone_ports.items()}
        self.trunk = Softphone("trunk", asterisk.sip_port, free_port())
        self.number = f"06222{next(_callers):05}"  # no story meets another's late INVITEs
        self.expected: list[Expected] = []
        self.happenings: list[dict[str, Any]] = []

    async def __aenter__(self) -> Self:
        try:
            for phone in (*self.phones.values(), self.trunk):
                await phone.open()
            await self.recorder.open()
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        for phone in (*self.phones.values(), self.trunk):
            phone.close()
        with contextlib.suppress(OSError, ValueError, AttributeError):
            await self.recorder.close()
        await asyncio.sleep(0.01)  # asyncio frees the ports in its next turn

    def phone(self, name: str, on_call: Callable[[Leg], Awaitable[None]]) -> Softphone:
        self.phones[name].on_call = on_call
        return self.phones[name]

    def all_rtp(self) -> None:
        for phone in (*self.phones.values(), self.trunk):
            phone.rtp = True

    def call(self, ddi: str, caller: str = "") -> Leg:
        return self.trunk.dial(ddi, caller or self.number)

    def truth(self, caller: Leg, outcome: str, by: str | None = None, **more: Any) -> None:
        known = {
            key: more.pop(key)
            for key in ("joined_at", "transferred_to", "machine", "taken_at", "unheard")
            if key in more
        }
        self.expected.append(Expected(caller, outcome, by, more=more, **known))

    def happens(self, what: str) -> None:
        self.happenings.append({"at_unix": now() / 1e6, "what": what})

    def legs_of(self, caller: Leg) -> list[Leg]:
        user = caller.local.split(":")[1].split("@")[0]
        legs = [leg for phone in self.phones.values() for leg in phone.legs if not leg.is_caller and leg.peer == user]
        return sorted(legs, key=lambda leg: leg.invite_at)

    async def settled(self) -> None:
        """Wait until every leg is over, take the last snapshot."""
        for phone in (*self.phones.values(), self.trunk):
            for leg in phone.legs:
                if phone.on_call is not None or leg.is_caller:
                    await asyncio.wait_for(leg.over.wait(), 40)
        await asyncio.sleep(0.5)
        await self.recorder.snapshot()

    def write(self, folder: Path, name: str, what: str, version: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.ami.gz").write_bytes(gzip.compress(bytes(self.recorder.data), mtime=0))
        truth = {
            "scenario": name,
            "asterisk": version,
            "what": what,
            "calls": [self._call(expected) for expected in self.expected],
            "happenings": self.happenings,
        }
        (folder / f"{name}.truth.json").write_text(json.dumps(truth, indent=1) + "\n")

    def _call(self, expected: Expected) -> dict[str, Any]:
        caller = expected.caller
        legs = self.legs_of(caller)
        ends = caller.ended_at
        joined = self._joined(expected, legs)
        waited = joined or expected.taken_at or ends
        first = min((leg.ringing_at for leg in legs if leg.ringing_at), default=None)
        rings_from = caller.invite_at if expected.unheard else caller.ringing_at
        return {
            "caller": caller.local.split(":")[1].split("@")[0],
            "ddi": caller.peer,
            "outcome": expected.outcome,
            "answered_by": expected.by,
            "joined_at_unix": _unix(joined),
            "invite_at_unix": _unix(caller.invite_at),
            "ringing_at_unix": _unix(caller.ringing_at),
            "first_phone_ringing_at_unix": _unix(first),
            "end_at_unix": _unix(ends),
            "ended_by": "caller" if caller.hung_up else "switchboard",
            "sip_final": caller.final,
            "wait_from_arrival_seconds": _between(caller.invite_at, waited),
            "ring_heard_seconds": _between(rings_from, waited),
            "since_first_phone_rang_seconds": _between(first, waited),
            "talk_seconds": _between(joined, ends),
            "machine_answered": expected.machine,
            "transferred_to": list(expected.transferred_to),
            "phones": [_phone(leg) for leg in legs],
            **expected.more,
        }

    @staticmethod
    def _joined(expected: Expected, legs: list[Leg]) -> Instant | None:
        if expected.by is None or expected.joined_at is not None:
            return expected.joined_at
        answers = [leg.answered_at for leg in legs if leg.phone.name == expected.by and leg.answered_at]
        both = [at for at in (expected.caller.answered_at, *answers[:1]) if at is not None]
        return max(both)


def _unix(at: Instant | None) -> float | None:
    return None if at is None else at / 1e6


def _between(start: Instant | None, end: Instant | None) -> float | None:
    return None if start is None or end is None else round((end - start) / 1e6, 3)


def _phone(leg: Leg) -> dict[str, Any]:
    return {
        "phone": leg.phone.name,
        "invited_at_unix": _unix(leg.invite_at),
        "ringing_at_unix": _unix(leg.ringing_at),
        "answered_at_unix": _unix(leg.answered_at),
        "final": leg.final,
        "cancelled": leg.cancelled,
    }


# -- what a phone does with a call


def rings_on() -> Callable[[Leg], Awaitable[None]]:
    async def behave(leg: Leg) -> None:
        leg.ring()
        await leg.over.wait()

    return behave


def answers(after: float, *, talk: float | None = None, early_media: bool = False) -> Callable[[Leg], Awaitable[None]]:
    async def behave(leg: Leg) -> None:
        leg.progress() if early_media else leg.ring()
        await leg.stay(after)
        leg.answer()
        if talk is not None:
            await leg.stay(talk)
            leg.bye()

    return behave


def refuses(code: int = 486, *, after: float = 0.0, contact: str = "") -> Callable[[Leg], Awaitable[None]]:
    async def behave(leg: Leg) -> None:
        if after:
            leg.ring()
            await leg.stay(after)
        leg.refuse(code, contact)

    return behave


async def talk(caller: Leg, seconds: float, *, patience: float = 60.0) -> None:
    """The caller waits for an answer, talks, hangs up."""
    with contextlib.suppress(Over):
        await caller.until_answered(patience)
        await caller.stay(seconds)
    caller.bye()


async def gives_up(caller: Leg, after: float) -> None:
    """The caller hangs up this long after dialling, unless the switchboard does before."""
    with contextlib.suppress(Over):
        await caller.stay(after)
    if not caller.over.is_set():
        caller.bye()
