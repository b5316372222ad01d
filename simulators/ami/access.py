"""Who may log in, what each may read and do, and which events a session asked for."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

# Source: the table perms[] in Asterisk's main/manager.c.
CLASSES = frozenset(
    {
        "system", "call", "log", "verbose", "command", "agent", "user", "config", "dtmf", "reporting", "cdr",
        "dialplan", "originate", "agi", "cc", "aoc", "test", "security", "message",
    },
)  # fmt: skip


# A filter that looks at one header alone, and names its values: ``Event: (Hangup|Newchannel)``.
_OF_ONE_HEADER = re.compile(r"\^?(?P<header>[A-Za-z]+): (\w+|\(\w+(\|\w+)*\))")


@lru_cache(maxsize=64)
def parse_classes(text: str) -> frozenset[str]:
    """Read a list of classes as manager.conf and ``EventMask`` write it; unknown words count for nothing."""
    words = {word.strip().lower() for word in text.split(",")}
    if words & {"all", "on", "yes", "true", "1"}:
        return CLASSES
    return CLASSES & words


@dataclass(frozen=True, slots=True)
class User:
    """One section of manager.conf: ``secret``, ``read`` and ``write``."""

    secret: str
    read: str = "all"
    write: str = "all"

    def may_read(self, event_class: str) -> bool:
        """Whether events of this class are for this user."""
        return event_class in parse_classes(self.read)

    def may_run(self, needed: frozenset[str]) -> bool:
        """Whether an action that needs one of these classes is allowed."""
        return not needed or bool(needed & parse_classes(self.write))


class EventFilter:
    """The filters of one session, as the action ``Filter`` adds them.

    An event passes when it matches one of the including filters, or there is none, and no excluding one. Source:
    ``should_send_event`` and ``match_eventdata`` in Asterisk's main/manager.c.
    """

    def __init__(self) -> None:
        self._including: list[re.Pattern[str]] = []
        self._excluding: list[re.Pattern[str]] = []
        self.headers: set[str] | None = set()
        """The headers that decide; None if a filter may look at anything."""

    def add(self, expression: str) -> None:
        """Add one regular expression over the event's whole text; a leading ``!`` makes it exclude.

        Raises:
            re.error: the expression does not compile.
        """
        excludes = expression.startswith("!")
        pattern = re.compile(expression.removeprefix("!"))
        header = _OF_ONE_HEADER.fullmatch(pattern.pattern)
        if header is None:
            self.headers = None
        elif self.headers is not None:
            self.headers.add(header["header"])
        (self._excluding if excludes else self._including).append(pattern)

    def passes(self, text: str) -> bool:
        """Whether this event, as it would go on the wire, is to be sent."""
        included = not self._including or any(pattern.search(text) for pattern in self._including)
        return included and not any(pattern.search(text) for pattern in self._excluding)
