"""Which interface a queue's member is: the queue_log has only the member's name."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_MEMBER = re.compile(r"^\s*member\s*=>?\s*([^;]*)")


def members_of(configuration: str) -> dict[str, str]:
    """Return the interface of each member by its name, from the text of a queues.conf.

    ``member => interface[,penalty[,name[,state interface[,ringinuse]]]]``: ``reload_single_member`` in
    apps/app_queue.c. A member without a name bears that of its interface.
    """
    members: dict[str, str] = {}
    for line in configuration.splitlines():
        found = _MEMBER.match(line)
        if found is not None:
            interface, _, name, *_ = [part.strip() for part in (found[1] + ",,").split(",")]
            members[name or interface] = interface
    return members


def members_like(interfaces: Iterable[str]) -> dict[str, str]:
    """Return interfaces by what stands behind their technology (``PJSIP/op1`` by ``op1``), where only one has it."""
    by_name: dict[str, set[str]] = {}
    for interface in interfaces:
        by_name.setdefault(interface.rpartition("/")[2], set()).add(interface)
    return {name: alike.pop() for name, alike in by_name.items() if name and len(alike) == 1}
