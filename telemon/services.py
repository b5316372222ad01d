"""What the caller dialled: services, and the patterns by which a channel is recognised as a call to one."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import TYPE_CHECKING

from telemon.records import ServiceKind

if TYPE_CHECKING:
    from telemon.instants import Instant
    from telemon.opening import OpeningHours

# Contexts in which trunks commonly deliver calls (FreePBX, Wazo, Asterisk's own samples).
INBOUND_CONTEXTS = (
    "from-trunk*",
    "from-pstn*",
    "from-did*",
    "from-external*",
    "incoming*",
    "inbound*",
    "trunk*",
    "telemon-*",  # where dialplans/ leads a call, and where a list shows it after a gap
)
_CLASSES = {"X": "[0-9]", "Z": "[1-9]", "N": "[2-9]", ".": ".+", "!": ".*"}


@lru_cache(maxsize=1024)
def _pattern(pattern: str) -> re.Pattern[str]:
    """Translate one Asterisk extension pattern (``_01XX``, ``_[2-5]Z.``) into a regular expression.

    Source: main/pbx.c ``ext_cmp_pattern``; a leading underscore makes a pattern, anything else is literal.
    """
    if not pattern.startswith("_"):
        return re.compile(re.escape(pattern))
    parts = re.findall(r"\[[^\]]*\]|[^ -]", pattern[1:])  # Asterisk passes over spaces and dashes
    return re.compile("".join(_class(p) if len(p) > 1 else _CLASSES.get(p.upper(), re.escape(p)) for p in parts))


def _class(part: str) -> str:
    """Translate ``[2-57]``; where it names no character, nothing matches."""
    ranges = re.findall(r"(.)-(.)|(.)", part[1:-1])
    members = [f"{re.escape(a)}-{re.escape(b)}" if a else re.escape(c) for a, b, c in ranges if not a or a <= b]
    return f"[{''.join(members)}]" if members else "(?!)"


def matches_exten(pattern: str, exten: str) -> bool:
    """Whether an extension or DDI is the one the pattern names."""
    return _pattern(pattern).fullmatch(exten) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One promise to callers: recognised by DDI patterns, by queues, or by contexts."""

    name: str
    kind: ServiceKind = ServiceKind.SWITCHBOARD
    ddis: tuple[str, ...] = ()
    queues: tuple[str, ...] = ()
    contexts: tuple[str, ...] = ()
    operators: tuple[str, ...] = ()  # devices that answer it, beside the members of its queues
    hours: OpeningHours | None = None
    outside_hours: str = ""  # the permanence that takes its calls while it is closed
    night_switch: str = ""  # the device or ``db:family/key`` by which the PBX says that it is closed
    trunks: tuple[str, ...] = ()  # devices by which its callers come

    def is_open(self, at: Instant) -> bool:
        """Whether the service takes calls at this instant; without hours, always."""
        return self.hours is None or self.hours.is_open(at)


EVERYTHING = Service(name="switchboard", ddis=("_!",), queues=("*",))


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbering:
    """How one PBX's channels are told apart: callers from phones, services from each other, humans from machines."""

    services: tuple[Service, ...] = (EVERYTHING,)
    inbound_contexts: tuple[str, ...] = INBOUND_CONTEXTS
    machines: tuple[str, ...] = ()
    probe_callers: frozenset[str] = field(default_factory=frozenset)

    def is_inbound(self, context: str) -> bool:
        """Whether channels created in this context come from outside."""
        return any(fnmatchcase(context, pattern) for pattern in self.inbound_contexts)

    def is_machine(self, interface: str) -> bool:
        """Whether this interface is a machine's, whatever answers on it."""
        return any(fnmatchcase(interface, pattern) for pattern in self.machines)

    def service_dialled(self, context: str, ddi: str) -> Service | None:
        """Return the service that this DDI or context stands for, if any."""
        for service in self.services:
            if any(matches_exten(pattern, ddi) for pattern in service.ddis):
                return service
            if any(fnmatchcase(context, pattern) for pattern in service.contexts):
                return service
        return None

    def service_of_queue(self, queue: str) -> Service | None:
        """Return the service that this queue belongs to, if any."""
        for service in self.services:
            if any(fnmatchcase(queue, pattern) for pattern in service.queues):
                return service
        return None
