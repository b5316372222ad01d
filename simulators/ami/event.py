"""One manager event: a name and its headers in order, and how Asterisk writes it on the wire."""

from __future__ import annotations

from dataclasses import dataclass

Headers = tuple[tuple[str, str], ...]

# Class of each event that is not of class "call". Source: Asterisk's manager_*.c and the events' documentation.
_CLASSES = {
    "AgentCalled": "agent",
    "AgentComplete": "agent",
    "AgentConnect": "agent",
    "AgentRingNoAnswer": "agent",
    "FullyBooted": "system",
    "Newexten": "dialplan",
    "QueueCallerAbandon": "agent",
    "QueueCallerJoin": "agent",
    "QueueCallerLeave": "agent",
    "QueueMemberStatus": "agent",
    "Shutdown": "system",
}


def render(headers: Headers) -> bytes:
    """Write headers as one AMI message, blank line included."""
    return "".join(f"{name}: {value}\r\n" for name, value in headers).encode() + b"\r\n"


@dataclass(frozen=True, slots=True)
class Event:
    """One event as Asterisk tells it, without ``Privilege`` and ``Timestamp``: those are the session's business."""

    name: str
    headers: Headers = ()

    def get(self, header: str) -> str:
        """Return the value of the first header of this name, or an empty string."""
        return next((value for name, value in self.headers if name == header), "")

    def replaced(self, **values: str) -> Event:
        """Return the same event with other values for headers that it has."""
        return Event(self.name, tuple((name, values.get(name, value)) for name, value in self.headers))

    @property
    def event_class(self) -> str:
        """The manager class that a user must be allowed to read: ``call``, ``agent``, ``dialplan`` or ``system``."""
        return _CLASSES.get(self.name, "call")

    def encode(self, stamp: float | None) -> bytes:
        """Write the event as it is broadcast.

        Args:
            stamp: Unix seconds for ``Timestamp`` (``timestampevents = yes``), or None to leave the header out.
        """
        opening: Headers = (("Event", self.name), ("Privilege", f"{self.event_class},all"))
        if stamp is not None:
            opening += (("Timestamp", f"{stamp:.6f}"),)
        return render(opening + self.headers)
