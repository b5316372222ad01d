"""One manager event: a name and its headers in order, and how Asterisk writes it on the wire."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, Self

Headers = tuple[tuple[str, str], ...]

# Class of what is made by hand, but for class "call". Source: Asterisk's manager_*.c and the events' documentation.
_CLASSES = {"QueueMemberPause": "agent", "QueueMemberStatus": "agent", "Shutdown": "system"}


def render(headers: Headers) -> bytes:
    """Write headers as one AMI message, blank line included."""
    return "".join(f"{name}: {value}\r\n" for name, value in headers).encode() + b"\r\n"


def opening(name: str, event_class: str, stamp: float | None) -> str:
    """Write the first lines of an event; ``stamp`` is in Unix seconds, None where ``timestampevents`` is off."""
    first = f"Event: {name}\r\nPrivilege: {event_class},all\r\n"
    return first if stamp is None else f"{first}Timestamp: {stamp:.6f}\r\n"


class Told(Protocol):
    """One event, made by hand or read from a tape."""

    @property
    def name(self) -> str:
        """What happened: ``Newchannel``, ``Hangup``…"""

    @property
    def event_class(self) -> str:
        """The manager class that a user must be allowed to read: ``call``, ``agent``, ``dialplan`` or ``system``."""

    @property
    def headers(self) -> Headers:
        """Everything but ``Event``, ``Privilege`` and ``Timestamp``, in order."""

    def get(self, header: str) -> str:
        """Return the value of the first header of this name, or an empty string."""

    def replaced(self, **values: str) -> Self:
        """Return the same event with other values for headers that it has."""

    def encode(self, stamp: float | None) -> bytes:
        """Write the event as it is broadcast.

        Args:
            stamp: Unix seconds for ``Timestamp`` (``timestampevents = yes``), or None to leave the header out.
        """


@dataclass(frozen=True, slots=True)
class Event:
    """One event as Asterisk tells it, without ``Privilege`` and ``Timestamp``: those are the session's business."""

    name: str
    headers: Headers = ()

    def get(self, header: str) -> str:
        """Return the value of the first header of this name, or an empty string."""
        return next((value for name, value in self.headers if name == header), "")

    def replaced(self, **values: str) -> Self:
        """Return the same event with other values for headers that it has."""
        return type(self)(self.name, tuple((name, values.get(name, value)) for name, value in self.headers))

    @property
    def event_class(self) -> str:
        """The manager class that a user must be allowed to read: ``call``, ``agent``, ``dialplan`` or ``system``."""
        return _CLASSES.get(self.name, "call")

    def encode(self, stamp: float | None) -> bytes:
        """Write the event as it is broadcast; ``stamp`` as :class:`Told` has it."""
        return opening(self.name, self.event_class, stamp).encode() + render(self.headers)
