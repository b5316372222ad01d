"""What the dashboards say, in both languages, from ``texts/*.toml``: one file each, French and English side by side."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, Final

LANGUAGES: Final = ("fr", "en")
_FOLDER: Final = Path(__file__).parent / "texts"


def read_texts(name: str) -> dict[str, dict[str, str]]:
    """Return the file's texts: dotted key → language → text.

    Raises:
        ValueError: a text lacks a language, is empty, or has a language that is none of ours.
    """
    texts: dict[str, dict[str, str]] = {}
    path = _FOLDER / f"{name}.toml"
    _flatten(tomllib.loads(path.read_text(encoding="utf-8")), "", texts)
    for key, said in texts.items():
        if set(said) != set(LANGUAGES) or not all(said.values()):
            raise ValueError(f"{path.name}: {key} must be said in {' and '.join(LANGUAGES)}")
    return texts


def _flatten(table: dict[str, Any], above: str, into: dict[str, dict[str, str]]) -> None:
    for key, value in table.items():
        path = f"{above}.{key}" if above else key
        if all(isinstance(said, str) for said in value.values()):
            into[path] = value
        else:
            _flatten(value, path, into)


class Words:
    """The texts of one dashboard in one language; what it does not say itself, ``common`` says."""

    def __init__(self, name: str, language: str) -> None:
        self.language = language
        self.used: set[str] = set()
        self._own = read_texts(name)
        self._common = read_texts("common")

    def __call__(self, key: str) -> str:
        """Return the text.

        Raises:
            KeyError: neither the dashboard nor ``common`` has it.
        """
        self.used.add(key)
        return (self._own.get(key) or self._common[key])[self.language]
