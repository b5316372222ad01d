"""Single values as the tables hold them: instants as ISO 8601 text, text that every database takes."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from telemon.instants import SECOND, to_iso

if TYPE_CHECKING:
    from telemon.instants import Instant

Row = tuple[object, ...]


def clean(text: str) -> str:
    """Return text that every database takes: NUL and lone surrogates (bytes that were no UTF-8) become U+FFFD."""
    if text.isprintable():
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").replace("\0", "\N{REPLACEMENT CHARACTER}")


def stamp(instant: Instant | None) -> str | None:
    """Return an instant as ``telemon.instants.to_iso`` does, several times faster in a stream of near instants."""
    if instant is None:
        return None
    second, microseconds = divmod(instant, SECOND)
    return f"{_second(second)}.{microseconds:06d}+00:00"


@lru_cache(1024)
def _second(second: int) -> str:
    return to_iso(second * SECOND).partition(".")[0]
