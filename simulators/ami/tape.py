"""A tape: one real call as Asterisk told it, with places where another call has other names, numbers and times.

A tape is a row of *bursts*. In each, somebody has acted (the caller dials, a phone answers, somebody hangs up) or a
timer of Asterisk has run out, and Asterisk tells what follows within milliseconds. To tell another call of the same
kind, the bursts keep their events and move to other instants.

Places are written ``%(name)s``: ``c0``, ``u0`` for channel and uniqueid of the caller, ``c1``, ``u1``… for the other
legs in the order of their creation, ``b0``… for bridges, ``caller``, ``caller_name`` and ``ddi``, ``r_op1`` for a phone
by its name on the tape, ``m_op1`` for its name as a queue's member, and the name of a header for what depends on other
calls or on time.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from simulators.ami.event import opening

if TYPE_CHECKING:
    from collections.abc import Mapping

    from telemon.instants import Duration


_PLACE = re.compile(r"%\(\w+\)s")


@dataclass(frozen=True, slots=True)
class Count:
    """A place for whole seconds (``unit`` 1) or milliseconds (1000) since a mark; as ``since`` to ``until``."""

    place: str
    since: str
    unit: int = 1
    until: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """One event on a tape.

    Attributes:
        offset: microseconds since its burst began.
        headers: value of each header, with places, those after ``Timestamp`` only.
        text: these headers as they go on the wire, with places; empty values and repeated headers as they were.
        legs: the legs it speaks of, by their place in the order of creation; 0 is the caller's.
        phone: the phone whose leg it is about, if it is about one phone's alone.
        creates: the leg whose channel is new with this event.
        mark: what begins with this event, for later counts.
    """

    name: str
    event_class: str
    offset: Duration
    headers: Mapping[str, str]
    text: str
    legs: frozenset[int]
    phone: str = ""
    creates: int | None = None
    mark: str = ""
    counts: tuple[Count, ...] = ()

    @property
    def fixed(self) -> str:
        """The event as it goes on the wire, but for its stamp and with its places empty."""
        return opening(self.name, self.event_class, None) + _PLACE.sub("", self.text)


@dataclass(frozen=True, slots=True)
class Burst:
    """Events that follow each other within milliseconds; ``at`` is when the first came, since the call's arrival."""

    at: Duration
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Tape:
    """One call, or one part of it.

    Attributes:
        legs: the fixed part of each leg's channel name and what follows its serial: ``("PJSIP/%(r_op1)s", "")``.
        phones: the phones on it, in the order in which they first rang.
        bridges: how many bridges were built.
    """

    legs: tuple[tuple[str, str], ...]
    phones: tuple[str, ...]
    bridges: int
    bursts: tuple[Burst, ...]


class TapedEvent:
    """One event of a call that is told from a tape; it reads like an ``Event``, and is written only when asked."""

    __slots__ = ("_values", "line")

    def __init__(self, line: Line, values: Mapping[str, object]) -> None:
        self.line = line
        self._values = values

    @property
    def name(self) -> str:
        """The event's name."""
        return self.line.name

    @property
    def event_class(self) -> str:
        """The manager class that a user must be allowed to read."""
        return self.line.event_class

    @property
    def headers(self) -> tuple[tuple[str, str], ...]:
        """Every header, in order."""
        lines = (self.line.text % self._values).split("\r\n")
        return tuple((name, value) for name, _, value in (line.partition(": ") for line in lines) if name)

    def get(self, header: str) -> str:
        """Return the value of the first header of this name, or an empty string."""
        value = self.line.headers.get(header, "")
        return value % self._values if "%" in value else value

    def replaced(self, **values: str) -> Self:
        """Return the same event with other values for places that are named after headers."""
        return type(self)(self.line, {**self._values, **values})

    def encode(self, stamp: float | None) -> bytes:
        """Write the event as it is broadcast; ``stamp`` as for ``Event.encode``."""
        return (opening(self.line.name, self.line.event_class, stamp) + self.line.text % self._values + "\r\n").encode()
