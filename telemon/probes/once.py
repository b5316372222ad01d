"""One test call placed and followed by a command of its own, whether the daemon runs or not."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from telemon.ami import events as ami
from telemon.ami.decoder import Decoder
from telemon.ami.events import DEVICE_EVENTS
from telemon.ami.link import Link
from telemon.ami.wire import Parser
from telemon.errors import AmiConnectionError
from telemon.instants import to_seconds
from telemon.journal.entries import Heard
from telemon.parts import observer_of, peer_of
from telemon.probes.prober import Prober, ordering, originators_of
from telemon.probes.pursuit import AFTERWARDS, KEY_DEVICE, KEY_PRESSED, SETTLE
from telemon.texts import text

if TYPE_CHECKING:
    from collections.abc import Callable

    from telemon.config import Config
    from telemon.duty_records import Probe
    from telemon.journal.entries import Entry
    from telemon.probes.prober import Target
    from telemon.records import CallRecord

WATCH_SECONDS: Final = 0.1
_SPARE_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """How far a test call is: the phones that ring, or who answered, and whether a key was pressed."""

    rings: tuple[str, ...] = ()
    answered_by: str | None = None
    pressed: bool = False


async def probe_once(
    config: Config,
    target: Target,
    *,
    seconds: float,
    tell: Callable[[Probe], None],
    watch: Callable[[Stage], None],
) -> Probe:
    """Place a test call and follow it through a link of its own; return it with its result.

    ``tell`` is given the probe as it is ordered and with its result, ``watch`` each stage, several times a second.

    Raises:
        AmiError: the first login cannot listen, so that nothing would be learnt.
        ConfigError: a secret is missing.
    """
    follower = _Follower(config, target, seconds, tell)
    tasks: list[asyncio.Task[Any]] = [listening := asyncio.create_task(follower.listen())]
    try:
        await follower.connected(listening)
        tasks.append(probing := asyncio.create_task(follower.prober.probe(target, "command")))
        while not probing.done():
            watch(follower.stage())
            if listening.done():
                follower.ended()
            await asyncio.wait({probing}, timeout=WATCH_SECONDS)
        watch(follower.stage())
        return probing.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class _Follower:
    """A link to the PBX of a test call, and a prober that is given what it hears."""

    def __init__(self, config: Config, target: Target, seconds: float, tell: Callable[[Probe], None]) -> None:
        pbx = next(pbx for pbx in config.pbx if pbx.name == target.pbx)
        self._target = target
        self._longest = seconds + to_seconds(AFTERWARDS + SETTLE) + _SPARE_SECONDS
        self._peer = peer_of(pbx)
        self._observer = observer_of(config, pbx)
        self._observer.board.patterns = (*self._observer.board.patterns, KEY_DEVICE)  # so that devices are listened to
        self._link = Link(self._peer, self._observer, self._finished, keep=self._keep)
        self._parser = Parser(DEVICE_EVENTS, capture=True)
        self._decoder = Decoder()
        self._pressed = False
        self._last = Stage()
        order = ordering(originators_of(config), seconds=seconds, confirm=config.probe.confirm)
        self.prober = Prober(order, tell, now=lambda _: self._link.now, seconds=seconds)

    async def listen(self) -> None:
        """Take stock, and hear what happens, for as long as a test call can last."""
        await self._link.check(self._longest)

    async def connected(self, listening: asyncio.Task[None]) -> None:
        """Return once everything is heard; raise what ``listen`` does where that cannot be."""
        while not self._link.connected:
            await asyncio.wait({listening}, timeout=WATCH_SECONDS)
            if listening.done():
                listening.result()
                raise AmiConnectionError(text()("probe.not_heard", pbx=self._peer.name))

    def stage(self) -> Stage:
        """Return how far the call is, as far as it was seen."""
        calls = (call for call in self._observer.tracker.open_calls() if call.is_probe)
        call = next(calls, None)
        self.prober.looked(self._target.pbx, is_missing=call is None)
        if call is not None:
            rings = tuple(attempt.operator for attempt in call.attempts if attempt.ended_at is None)
            self._last = Stage(rings=rings, answered_by=call.answered_by, pressed=self._pressed)
        return self._last

    def ended(self) -> None:
        """The link fell, and will not be made again."""
        self.prober.ended(self._target.pbx, self._link.now)

    def _finished(self, records: list[CallRecord]) -> None:
        for record in records:
            self.prober.finished(record)

    def _keep(self, entry: Entry) -> None:
        """Find the key in what the link heard."""
        if not isinstance(entry, Heard):
            return
        for message in self._parser.receive_data(entry.data):
            event = self._decoder.decode(message, entry.received_at)
            if isinstance(event, ami.DeviceState) and event.device == KEY_DEVICE:
                self._pressed = event.state == KEY_PRESSED
                self.prober.changed(self._target.pbx, event.at, event.device, event.state)
