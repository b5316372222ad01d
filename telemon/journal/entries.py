"""What the journal remembers of one PBX: all that decided which calls there were, in the order in which it came."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from telemon.instants import Instant
    from telemon.observation import GapCause


class Heard(NamedTuple):
    """The AMI events of one chunk, byte for byte as they came, each with its closing empty line."""

    received_at: Instant
    data: bytes


class Clocked(NamedTuple):
    """Asterisk's own time (``clock``), as a Pong told it."""

    received_at: Instant
    clock: Instant


class Lost(NamedTuple):
    """From ``at`` on nothing is seen, until the next complete list of channels."""

    at: Instant
    cause: GapCause


Entry = Heard | Clocked | Lost
