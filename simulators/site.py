"""The switchboard that is rehearsed: its services, the way each of them rings, and who answers.

One description for all: the traffic model draws calls for it, the lab configures a real Asterisk like it, and the AMI
simulator speaks as if it were one.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from telemon.records import ServiceKind


class Pattern(StrEnum):
    """How a service rings: one folder or file of ``dialplans/`` each."""

    QUEUE = "queue"  # Queue() with ringback, one phone after the other
    RING_ALL = "ring_all"  # Dial() of every phone at once
    MENU = "menu"  # Answer(), a greeting, then a queue
    OVERFLOW = "overflow"  # a queue, then a second one, then voicemail
    PERMANENCE = "permanence"  # a queue of the duty phone, then the duty mobile, which must press 1
    CRISIS = "crisis"  # a queue that rings every phone at once


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One service: ``queues`` in the order in which a caller meets them, ``phones`` of each queue (or of the Dial).

    ``ring_seconds`` and ``retry_seconds`` are ``timeout`` and ``retry`` of queues.conf, ``queue_seconds`` the timeout
    of ``Queue()`` itself (or of the Dial).
    """

    service: str
    kind: ServiceKind
    ddi: str
    pattern: Pattern
    queues: tuple[str, ...]
    phones: tuple[tuple[str, ...], ...]
    ring_seconds: float = 15.0
    retry_seconds: float = 1.0
    queue_seconds: float = 120.0

    @property
    def operators(self) -> tuple[str, ...]:
        """Every phone of this service, each once."""
        return tuple(dict.fromkeys(phone for phones in self.phones for phone in phones))


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A whole switchboard. ``extensions`` are what operators transfer to: number to phone."""

    name: str
    lines: tuple[Line, ...]
    extensions: dict[str, str]

    def line(self, service: str) -> Line:
        """Return the line of a service; KeyError if there is none."""
        return {line.service: line for line in self.lines}[service]

    @property
    def operators(self) -> tuple[str, ...]:
        """Every operator's phone, each once."""
        return tuple(dict.fromkeys(phone for line in self.lines for phone in line.operators))

    @property
    def phones(self) -> tuple[str, ...]:
        """Every phone, those of the extensions included."""
        return tuple(dict.fromkeys((*self.operators, *self.extensions.values())))


def _numbered(prefix: str, count: int) -> tuple[str, ...]:
    return tuple(f"{prefix}{number}" for number in range(1, count + 1))


MOBILE = "gsm"  # the trunk behind which the duty officer's mobile is reached

PREFECTURE = Site(
    name="prefecture",
    lines=(
        Line(
            service="standard",
            kind=ServiceKind.SWITCHBOARD,
            ddi="0102030405",
            pattern=Pattern.QUEUE,
            queues=("standard",),
            phones=(_numbered("op", 10),),
        ),
        Line(
            service="permanence",
            kind=ServiceKind.PERMANENCE,
            ddi="0102030406",
            pattern=Pattern.PERMANENCE,
            queues=("permanence",),
            phones=(("duty",), (MOBILE,)),
            queue_seconds=20.0,
        ),
        Line(
            service="crise",
            kind=ServiceKind.CRISIS,
            ddi="0102030407",
            pattern=Pattern.CRISIS,
            queues=("crise",),
            phones=(_numbered("cri", 5),),
        ),
        Line(
            service="accueil",
            kind=ServiceKind.SWITCHBOARD,
            ddi="0102030408",
            pattern=Pattern.RING_ALL,
            queues=(),
            phones=(_numbered("acc", 3),),
            queue_seconds=60.0,
        ),
        Line(
            service="titres",
            kind=ServiceKind.SWITCHBOARD,
            ddi="0102030409",
            pattern=Pattern.MENU,
            queues=("titres",),
            phones=(_numbered("tit", 3),),
        ),
        Line(
            service="etrangers",
            kind=ServiceKind.SWITCHBOARD,
            ddi="0102030410",
            pattern=Pattern.OVERFLOW,
            queues=("etrangers", "debordement"),
            phones=(("etr1", "etr2"), ("deb1",)),
            queue_seconds=20.0,
        ),
    ),
    extensions={"3001": "svc1", "3002": "svc2", "3003": "svc3"},
)
