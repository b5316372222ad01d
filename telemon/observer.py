"""One PBX under observation: messages in, finished calls out. The same for a live link and for a replay."""

from __future__ import annotations

from typing import TYPE_CHECKING

from telemon.ami import events as ami
from telemon.ami.events import Decoder
from telemon.observation import GapCause, Watch
from telemon.operators import Board

if TYPE_CHECKING:
    from collections.abc import Iterable

    from telemon.ami.wire import Message
    from telemon.instants import Instant
    from telemon.records import CallRecord
    from telemon.tracker import Tracker

_MEMBER_EVENTS = frozenset({ami.MemberState, ami.MemberRemoved, ami.ListedMember, ami.MembersListed})


class Observer:
    """Decode, track and keep account of what was seen.

    ``events`` counts the events used, ``decoder`` knows those without time or with forged headers.
    """

    def __init__(self, pbx: str, tracker: Tracker) -> None:
        self.pbx = pbx
        self.tracker = tracker
        self.decoder = Decoder()
        self.board = Board()
        self.watch = Watch(pbx)
        self.events = 0

    def take(self, messages: Iterable[Message], received_at: Instant) -> list[CallRecord]:
        """Take events as they arrived; responses and banners pass by. Returns the calls that are over."""
        finished: list[CallRecord] = []
        decode, feed = self.decoder.decode, self.tracker.feed
        for message in messages:
            if message.kind != "event":
                continue
            event = decode(message, received_at)
            if event is None:
                continue
            self.events += 1
            kind = type(event)
            if kind in _MEMBER_EVENTS:
                self.board.feed(event)
                continue
            if kind is ami.NewChannel:
                self.tracker.stamped = self.decoder.stamped
            finished += feed(event)
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
