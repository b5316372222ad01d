"""One story on a real Asterisk: its phones, its recording, and the truth that the SIP side saw."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import itertools
import json
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from simulators.lab.asterisk import Asterisk
from simulators.lab.ports import free_port
from tests.lab.capture.recorder import Console, Recorder
from tests.lab.capture.softphone import Leg, Over, Softphone, now

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from telemon.instants import Instant
    from tests.lab.capture.story import Story

_CALLERS = "06222"
_callers = itertools.count(1)

_LONGEST_SECONDS = 90
# Asterisk counts some timers in whole seconds (time(NULL) in apps/app_queue.c), so plays of one story that shall be
# alike begin at the same fraction of a second.
_BEGINNING = 0.2
_NOISE = (b"Event: TestEvent\r\n", b"Event: RTCP", b"Event: SuccessfulAuth\r\n", b"Event: ChallengeSent\r\n")

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


class _NotedConsole(Console):
    """The console, whose every action is noted as an act."""

    def __init__(self, asterisk: Asterisk, user: str, acts: list[tuple[Instant, str]]) -> None:
        super().__init__(asterisk, user)
        self._acts = acts

    async def act(self, action: str, **headers: str) -> str:
        self._acts.append((now(), f"console {action}"))
        return await super().act(action, **headers)


class Stage:
    """What a story may use. ``phone(...)`` sets what a phone does with the calls that it takes.

    Attributes: ``pace`` stretches every time that people take, and none of Asterisk's; ``acts`` is what they did.
    """

    def __init__(
        self, asterisk: Asterisk, *, recorder: str = "telemon", console: str = "ctl", pace: float = 1.0
    ) -> None:
        self.asterisk = asterisk
        self.recorder = Recorder(asterisk, recorder)
        self.pace = pace
        self.phones = {name: Softphone(name, asterisk.sip_port, port) for name, port in asterisk.phone_ports.items()}
        self.trunk = Softphone("trunk", asterisk.sip_port, free_port())
        self.number = f"{_CALLERS}{next(_callers):05}"  # no story meets another's late INVITEs
        self.expected: list[Expected] = []
        self.happenings: list[dict[str, Any]] = []
        self.acts: list[tuple[Instant, str]] = []
        self.console = _NotedConsole(asterisk, console, self.acts)
        self.timers: dict[str, str] = {}
        for phone in (*self.phones.values(), self.trunk):
            phone.pace, phone.acts, phone.is_stale = pace, self.acts, self._is_stale

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

    async def wait(self, seconds: float) -> None:
        """Let time pass, as long as a person takes."""
        await asyncio.sleep(seconds * self.pace)

    def counts_from(self, act: str, after: str) -> None:
        """Say that what Asterisk does by itself after an act is counted from an earlier one: a timer ran on."""
        self.timers[after] = act

    def all_rtp(self) -> None:
        for phone in (*self.phones.values(), self.trunk):
            phone.rtp = True

    def call(self, ddi: str, caller: str = "") -> Leg:
        return self.trunk.dial(ddi, caller or self.number)

    def _is_stale(self, number: str) -> bool:
        return number.startswith(_CALLERS) and all(f":{number}@" not in leg.local for leg in self.trunk.legs)

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

    def write(self, folder: Path, name: str, what: str, version: str, *, bare: bool = False) -> None:
        """Write recording and truth; a ``bare`` recording is only what was told of the calls."""
        folder.mkdir(parents=True, exist_ok=True)
        data = _bare(bytes(self.recorder.data)) if bare else bytes(self.recorder.data)
        (folder / f"{name}.ami.gz").write_bytes(gzip.compress(data, mtime=0))
        truth = self.told_truth(name, what, version)
        (folder / f"{name}.truth.json").write_text(json.dumps(truth, indent=None if bare else 1) + "\n")

    def told_truth(self, name: str, what: str, version: str) -> dict[str, Any]:
        """What the SIP side knows of the story, once all is over."""
        return {
            "scenario": name,
            "asterisk": version,
            "what": what,
            "calls": [self._call(expected) for expected in self.expected],
            "happenings": self.happenings,
            "acts": [{"at_unix": at / 1e6, "what": what} for at, what in _numbered(sorted(self.acts))],
            "timers": self.timers,
        }

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
            "taken_at_unix": _unix(expected.taken_at),
            "unheard": expected.unheard,
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


def _bare(data: bytes) -> bytes:
    """Leave out what came between login and first channel, answers to actions, and what tells nothing of calls."""
    login, *events = (event.removeprefix(b"\r\n") for event in data.split(b"\r\n\r\n"))  # TestEvent leaves a line
    calls = itertools.dropwhile(lambda event: not event.startswith(b"Event: Newchannel\r\n"), events)
    told = [event for event in calls if event and b"\r\nActionID: " not in event and not event.startswith(_NOISE)]
    return b"".join(event + b"\r\n\r\n" for event in (login, *told))


def _numbered(acts: list[tuple[Instant, str]]) -> Iterator[tuple[Instant, str]]:
    """Tell acts of one name apart: the second is ``op1 rings (2)``."""
    times: Counter[str] = Counter()
    for at, what in acts:
        times[what] += 1
        yield at, what if times[what] == 1 else f"{what} ({times[what]})"


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


async def perform(
    story: Story, asterisk: Asterisk, *, recorder: str = "telemon", console: str = "ctl", pace: float = 1.0
) -> Stage:
    """Play one story to its end; the stage then holds the recording and the truth."""
    async with Stage(asterisk, recorder=recorder, console=console, pace=pace) as stage:
        await asyncio.sleep((_BEGINNING - time.time()) % 1)
        stage.happens("story begins")
        async with asyncio.timeout(_LONGEST_SECONDS):
            await story.play(stage)
            await stage.settled()
        await stage.recorder.close()
        return stage


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
