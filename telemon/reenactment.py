"""A journal lived through again: the same entries give the same observer and the same calls."""

from __future__ import annotations

from typing import TYPE_CHECKING

from telemon.ami.events import DEVICE_EVENTS, NEEDLES, WANTED
from telemon.ami.wire import Parser
from telemon.errors import AmiProtocolError
from telemon.journal.entries import Clocked, Heard, Lost
from telemon.observation import GapCause

if TYPE_CHECKING:
    from telemon.ami.wire import Message
    from telemon.journal.entries import Entry
    from telemon.observer import Observer
    from telemon.records import CallRecord


class Reenactment:
    """Feed one observer what a journal says.

    ``number`` is that of the record expected next; a record missing from the journal is a gap.
    """

    def __init__(self, observer: Observer, number: int = 0) -> None:
        self.observer = observer
        self.number = number
        self._parser = _parser()

    def feed(self, number: int, entry: Entry) -> list[CallRecord]:
        """Take one record and return the calls that it ends.

        Raises:
            AmiProtocolError: it holds no AMI.
        """
        if number != self.number and self.observer.reached is not None:
            self.observer.lose(self.observer.reached, GapCause.EVENTS_DROPPED)
        self.number = number + 1
        finished: list[CallRecord] = []
        if isinstance(entry, Heard):
            finished = self.observer.take(self._messages(entry.data), entry.received_at)
        elif isinstance(entry, Clocked):
            self.observer.keep_time(entry.clock, entry.received_at)
        elif isinstance(entry, Lost):
            self.observer.lose(entry.at, entry.cause)
        self.observer.noted.clear()
        return finished

    def _messages(self, data: bytes) -> list[Message]:
        try:
            return self._parser.receive_data(data)
        except AmiProtocolError:
            self._parser = _parser()  # the one that met an error raises it for ever
            raise


def _parser() -> Parser:
    return Parser(WANTED | DEVICE_EVENTS, NEEDLES, capture=True)
