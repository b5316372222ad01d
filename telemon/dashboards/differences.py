"""What is different between two JSON models, line by line."""

from __future__ import annotations

import json
from difflib import unified_diff
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_GRAFANAS: Final = frozenset({"id", "version"})  # of the dashboard itself: Grafana counts them on its own
_NAMES: Final = ("id", "refId", "uid", "name")  # what an entry of a list is known by, so that a new one moves no other


def normalised(model: Mapping[str, Any]) -> dict[str, Any]:
    """Return a dashboard without what Grafana itself puts in."""
    return {key: value for key, value in model.items() if key not in _GRAFANAS}


def difference(before: object, after: object, *, title: str) -> list[str]:
    """Return a unified diff of two JSON values: one line a path, such as ``panels[id=3].title = "…"``; [] if equal."""
    old, new = sorted(_lines(before)), sorted(_lines(after))
    return list(unified_diff(old, new, f"Grafana: {title}", f"telemon: {title}", n=0, lineterm=""))


def _lines(value: object, path: str = "") -> Iterator[str]:
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _lines(inner, f"{path}.{key}" if path else key)
    elif isinstance(value, list) and value:
        for place, inner in zip(_places(value), value, strict=True):
            yield from _lines(inner, f"{path}[{place}]")
    elif value is not None:
        yield f"{path} = {json.dumps(value, ensure_ascii=False)}"


def _places(entries: list[Any]) -> list[str]:
    """Return what each entry is called: by its own name where all have one and no two the same, else by its number."""
    for name in _NAMES:
        called = [f"{name}={entry[name]}" for entry in entries if isinstance(entry, dict) and name in entry]
        if len(set(called)) == len(entries):
            return called
    return [str(number) for number in range(len(entries))]
