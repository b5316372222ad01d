"""Whom an event of a calendar puts on duty, as people write names: any case, accents or not, either name first."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from telemon.duty_records import Officer

_SEPARATOR: Final = re.compile(r"[,;/&+\n]|\bet\b|\band\b", re.IGNORECASE)
_WORD: Final = re.compile(r"[^\W_]+")
_LONGEST_NAME: Final = 80  # a name, not a text

Key = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Named:
    """Who is on duty: ids of officers, and names that are nobody's; ``unknown`` are those."""

    officers: tuple[str, ...]
    unknown: tuple[str, ...] = ()


class Names:
    """Who is meant by a name. Where two officers share one, it is nobody's."""

    def __init__(self, officers: Iterable[Officer]) -> None:
        self._ids: dict[Key, str] = {}
        self._names: dict[Key, set[str]] = {}
        for officer in officers:
            self._ids[_key(officer.id)] = officer.id
            self._names.setdefault(_key(officer.name), set()).add(officer.id)

    def find(self, name: str) -> str | None:
        """Return the id of the officer whose id or name this is."""
        key = _key(name)
        bearers = self._names.get(key, set())
        return self._ids.get(key) or (next(iter(bearers)) if len(bearers) == 1 else None)

    def named(self, summary: str, attendees: Sequence[tuple[str, str]]) -> Named:
        """Return whom an event names: in its summary, else by its attendees (CN, address), else in free words."""
        whole = self.find(summary)  # before it is split: "Durand, Camille"
        parts = [whole] if whole else [clean(part) for part in _SEPARATOR.split(summary)]
        parts = [part for part in parts if part]
        if not any(self.find(part) for part in parts):
            invited = list(dict.fromkeys(self._invited(attendees)))
            if invited:
                return Named(tuple(invited))
        unknown = tuple(dict.fromkeys(part for part in parts if self.find(part) is None))
        return Named(tuple(dict.fromkeys(self.find(part) or part for part in parts)), unknown)

    def _invited(self, attendees: Sequence[tuple[str, str]]) -> Iterator[str]:
        for common_name, address in attendees:
            mailbox = re.sub(r"^mailto:", "", address, flags=re.IGNORECASE)
            officer = self.find(common_name) or self.find(mailbox.partition("@")[0]) or self.find(mailbox)
            if officer is not None:
                yield officer


def clean(words: str) -> str:
    """Return foreign words as one short line without control characters."""
    printable = "".join(letter if letter.isprintable() else " " for letter in words[: 10 * _LONGEST_NAME])
    return " ".join(printable.split())[:_LONGEST_NAME].rstrip()


def _key(name: str) -> Key:
    """Return what two ways to write one name have in common."""
    letters = unicodedata.normalize("NFKD", name[: 10 * _LONGEST_NAME])
    bare = "".join(letter for letter in letters if not unicodedata.combining(letter))
    return tuple(sorted(_WORD.findall(bare.casefold())))
