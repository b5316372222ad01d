"""One PBX under observation: messages in, finished calls out. The same for a live link and for a replay."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from telemon.ami import events as ami
from telemon.ami.decoder import Decoder
from telemon.observation import GapCause, Watch
from telemon.operators import Board

if TYPE_CHECKING:
    from collections.abc import Iterable

    from telemon.ami.wire import Message
    from telemon.instants import Instant
    from telemon.records import CallRecord
    from telemon.tracker import Tracker

_MEMBER_EVENTS = frozenset({
    ami.MemberState, ami.MemberRemoved, ami.ListedMember, ami.MembersListed, ami.ListedQueue, ami.DeviceState,
})  # fmt: skip
_NOTEWORTHY = frozenset({ami.FullyBooted, ami.Shutdown, ami.Reloaded})


class Observer:
    """Decode, track and keep account of what was seen.

    ``seen`` counts the events used by type, ``decoder`` those without time or with forged headers, ``failures`` those
    on which telemon itself stumbled, ``last_failure`` saying how.
    """

    def __init__(self, pbx: str, tracker: Tracker, devices: tuple[str, ...] = ()) -> None:
        self.pbx = pbx
        self.tracker = tracker
        self.decoder = Decoder()
        self.board = Board(devices)
        self.watch = Watch(pbx)
        self.seen: dict[type, int] = defaultdict(int)
        self.noted: list[Any] = []  # what the link itself must act on
        self.failures = 0
        self.last_failure: Exception | None = None

    def take(self, messages: Iterable[Message], received_at: Instant) -> list[CallRecord]:
        """Take events as they arrived; responses and banners pass by. Returns the calls that are over."""
        finished: list[CallRecord] = []
        decode = self.decoder.decode
        for message in messages:
            if message.kind != "event":
                continue
            try:
                event = decode(message, received_at)
                if event is not None:
                    finished += self._use(event, received_at)
            except Exception as error:  # noqa: BLE001 - our own mistake with one event must not blind us to the next
                self.failures += 1
                self.last_failure = error
        return finished

    @property
    def events(self) -> int:
        """How many events were used."""
        return sum(self.seen.values())

    def _use(self, event: Any, received_at: Instant) -> list[CallRecord]:
        kind = type(event)
        self.seen[kind] += 1
        if kind in _MEMBER_EVENTS:
            self.board.feed(event)
            return []
        if kind is ami.NewChannel:
            self.tracker.stamped = self.decoder.stamped
        elif kind in _NOTEWORTHY:
            self.noted.append(event)
            return []
        finished = self.tracker.feed(event)
        if kind is ami.ChannelsListed:
            self.watch.see(self.now(received_at))
        return finished

    def lose(self, at: Instant, cause: GapCause) -> None:
        """The link is down: open a gap."""
        self.tracker.lose_link(at)
        self.board.clear()
        self.watch.lose(at, cause)

    def now(self, received_at: Instant) -> Instant:
        """Return Asterisk's own time where it gives one."""
        return self.decoder.clock or received_at
