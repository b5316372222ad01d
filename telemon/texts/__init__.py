"""What people read, in French and English: one catalogue a language, the same keys in both.

Numbers, dates and time zones follow the locale through Babel.
"""

from __future__ import annotations

import os
import tomllib
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

from babel.dates import format_datetime, format_time
from babel.numbers import format_decimal, format_percent

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime, tzinfo

LANGUAGES: Final = ("en", "fr")
_NONE: Final = "\N{EN DASH}"
_ENVIRONMENT: Final = ("TELEMON_LOCALE", "LC_ALL", "LC_MESSAGES", "LANG")


@cache
def catalogue(language: str) -> Mapping[str, str]:
    """Return one language's texts by dotted key."""
    tables = tomllib.loads(files(__package__).joinpath(f"{language}.toml").read_text(encoding="utf-8"))
    return {f"{table}.{key}": text for table, texts in tables.items() for key, text in texts.items()}


def language_of(environment: Mapping[str, str]) -> str:
    """Return the language that the environment asks for, English if it names none of ours."""
    for name in _ENVIRONMENT:
        wanted = environment.get(name, "")
        if wanted:
            return wanted[:2] if wanted[:2] in LANGUAGES else "en"
    return "en"


class Texts:
    """Texts and formats in one language."""

    def __init__(self, language: str) -> None:
        self.language = language

    @property
    def _locale(self) -> str:
        """English as Europeans write it: the day before the month, 24 hours."""
        return "en_GB" if self.language == "en" else self.language

    def __call__(self, key: str, /, **values: Any) -> str:
        """Return the text of this key with the values put in.

        Raises:
            KeyError: no such key; a test keeps the catalogues complete.
        """
        return catalogue(self.language)[key].format_map(values)

    def number(self, value: float | None, decimals: int = 1) -> str:
        """Return a number as people write it here; a dash for none."""
        if value is None:
            return _NONE
        return format_decimal(round(value, decimals), f"#,##0.{'0' * decimals}" if decimals else "#,##0", self._locale)

    def percent(self, share: float | None) -> str:
        """Return a share (0 to 1) as a percentage with one decimal; a dash for none."""
        space = "" if self.language == "en" else "\N{NARROW NO-BREAK SPACE}"
        return _NONE if share is None else format_percent(share, f"#,##0.0{space}%", self._locale)

    def moment(self, value: datetime | None, zone: tzinfo) -> str:
        """Return a date and time in the site's zone; a dash for none."""
        return _NONE if value is None else format_datetime(value, "short", zone, self._locale)

    def exact_moment(self, value: datetime, zone: tzinfo) -> str:
        """Return a date and time to the second in the site's zone."""
        return format_datetime(value, "medium", zone, self._locale)

    def clock(self, value: datetime | None, zone: tzinfo) -> str:
        """Return a time of day in the site's zone; a dash for none."""
        return _NONE if value is None else format_time(value, "medium", zone, self._locale)


_current: Texts = Texts(language_of(os.environ))


def use(language: str) -> None:
    """Speak this language from now on."""
    _current.language = language


def text() -> Texts:
    """Return the texts in the language in use."""
    return _current
