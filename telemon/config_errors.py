"""What is wrong in a configuration file, and on which line."""

from __future__ import annotations

import os
import re
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Final

from telemon.texts import text

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

_TABLE: Final = re.compile(r"\s*(\[\[?)\s*([^\]]+?)\s*\]\]?")
_KEY: Final = re.compile(r"\s*([A-Za-z0-9_\"'.-]+)\s*=")


def explain(problem: Mapping[str, Any], source: str, name: str, known: Mapping[str, Collection[str]]) -> str:
    """Return one line for one of pydantic's errors: file, line, key, what is wrong, what to do.

    ``known`` are the keys that there are, by table; those outside any table under the empty name.
    """
    path: tuple[str | int, ...] = problem["loc"]
    variable = "__".join(("TELEMON", *map(str, path))).upper().replace("TELEMON__", "TELEMON_", 1)
    line = locate(source, path)
    where = variable if variable in os.environ else f"{name}:{line}" if line else name
    key = "".join(f"[{part + 1}]" if isinstance(part, int) else f".{part}" for part in path).removeprefix(".")
    if problem["type"] == "extra_forbidden":
        return text()("config.unknown_key", where=where, key=key) + _suggestion(path, known)
    if problem["type"] == "missing":
        return text()("config.missing_key", where=where, key=key)
    reason = problem["msg"].removeprefix("Value error, ").rstrip(".")
    if path[-1] in {"secret", "pin", "password"} or isinstance(problem["input"], (dict, list, tuple)):
        return text()("config.bad_key", where=where, key=key, reason=reason)
    return text()("config.bad_value", where=where, key=key, given=repr(problem["input"]), reason=reason)


def _suggestion(path: Sequence[str | int], known: Mapping[str, Collection[str]]) -> str:
    near = get_close_matches(str(path[-1]), known.get(str(path[0]) if len(path) > 1 else "", ()), n=1)
    return text()("config.perhaps", key=near[0]) if near else ""


def locate(source: str, path: Sequence[str | int]) -> int | None:
    """Return the line (from 1) on which this key, or else its table, stands; None if neither does."""
    wanted = [part for part in path if isinstance(part, str)]
    index = next((part for part in path if isinstance(part, int)), 0)
    table: list[str] = []
    seen: dict[str, int] = {}
    nearest = None
    for number, line in enumerate(source.splitlines(), start=1):
        header = _TABLE.match(line)
        if header is not None:
            table = header[2].split(".")
            seen[header[2]] = seen.get(header[2], -1) + 1
        current = not table or seen[".".join(table)] == (index if f"[[{'.'.join(table)}]]" in source else 0)
        if header is not None and current and table == wanted[: len(table)]:
            nearest = number
        key = _KEY.match(line)
        if key is not None and header is None and current:
            names = [*table, *(part.strip("\"'") for part in key[1].split("."))]
            if names == wanted[: len(names)]:
                return number
    return nearest
