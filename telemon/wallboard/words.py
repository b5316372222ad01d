"""In which language a visitor reads, and the words that go to his browser."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final

from telemon.texts import LANGUAGES, catalogue

if TYPE_CHECKING:
    from collections.abc import Mapping

TABLES: Final = frozenset({"wallboard", "outcome", "stage", "gap", "kind", "uncovered"})


def language_of(asked: str | None, kept: str | None, configured: str | None, accepted: str) -> str:
    """Return the language: as the address asks, as was asked before, as configured, as the browser prefers."""
    for language in (asked, kept, configured):
        if language in LANGUAGES:
            return language
    return _preferred(accepted) or "fr"


def _preferred(accepted: str) -> str | None:
    """Read ``Accept-Language`` (RFC 9110, 12.5.4)."""
    weighed = []
    for one in accepted.split(",")[:20]:
        name, _, parameter = one.strip().partition(";")
        try:
            weight = float(parameter.strip().removeprefix("q=") or 1)
        except ValueError:
            continue
        if name[:2].lower() in LANGUAGES and weight > 0:
            weighed.append((weight, name[:2].lower()))
    return max(weighed, key=lambda one: one[0])[1] if weighed else None


@cache
def words(language: str) -> Mapping[str, str]:
    """Return the texts of the tables that the page uses, by dotted key."""
    return {key: text for key, text in catalogue(language).items() if key.partition(".")[0] in TABLES}
