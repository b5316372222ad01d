"""How much a calendar may ask for: a recurrence of each second, or a million events, is no roster.

dateutil walks through each repetition from an event's start to the end of what is wanted, so their number is the time
that reading takes. What these rules do not foresee ends with the process that reads (``telemon.roster.reading``).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from telemon.errors import RosterError
from telemon.texts import text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import date

MAXIMUM_BYTES: Final = 8 << 20  # ten years of daily shifts are 2 MB
MAXIMUM_COMPONENTS: Final = 50_000
MAXIMUM_SHIFTS: Final = 20_000  # in the time that is wanted
_MAXIMUM_DEPTH: Final = 8
_MAXIMUM_REPETITIONS: Final = 200_000  # of one rule: every hour for 22 years
_MAXIMUM_TOTAL: Final = 1_000_000
_BEGIN_OR_END: Final = re.compile(rb"^(?:\xef\xbb\xbf)?(BEGIN|END):", re.IGNORECASE | re.MULTILINE)
_DAYS_APART: Final = {"HOURLY": 1 / 24, "DAILY": 1, "WEEKLY": 7, "MONTHLY": 28, "YEARLY": 365}
_DAYS_WITHIN: Final = {"WEEKLY": 7, "MONTHLY": 31, "YEARLY": 366}
_PICKS_DAYS: Final = frozenset({"BYDAY", "BYMONTHDAY", "BYYEARDAY", "BYWEEKNO"})
_PICKS_TIMES: Final = ("BYHOUR", "BYMINUTE", "BYSECOND")


def check_bytes(data: bytes) -> None:
    """Refuse a file that would take too long even to be taken apart.

    Raises:
        RosterError: it is too long, or has too many, too deep or unended components.
    """
    if len(data) > MAXIMUM_BYTES:
        raise RosterError(text()("roster.too_long", megabytes=MAXIMUM_BYTES >> 20))
    depth = count = 0
    for found in _BEGIN_OR_END.finditer(data):
        begins = found[1].upper() == b"BEGIN"
        depth += 1 if begins else -1
        count += begins
        if depth > _MAXIMUM_DEPTH or count > MAXIMUM_COMPONENTS:
            raise RosterError(text()("roster.too_many", maximum=MAXIMUM_COMPONENTS))
    if depth != 0:
        raise RosterError(text()("roster.cut_off"))


class Repetitions:
    """Counts what the recurrence rules of a calendar ask for, up to the last day that is wanted."""

    def __init__(self, last: date) -> None:
        self._last = last
        self._total = 0.0

    def add(self, rules: Iterable[Mapping[str, Any]], first: date) -> None:
        """Count the repetitions of an event that begins on this day.

        Raises:
            RosterError: they are too many, alone or with those before.
        """
        for rule in rules:
            if not rule:  # a line without a value, as some exports have it
                continue
            count = _count(rule, max(0, self._last.toordinal() - first.toordinal()))
            self._total += count
            if count > _MAXIMUM_REPETITIONS or self._total > _MAXIMUM_TOTAL:
                words = ";".join(f"{key}={_words(rule[key])}" for key in list(rule)[:5])
                raise RosterError(text()("roster.too_often", rule=words[:100]))


def _count(rule: Mapping[str, Any], days: int) -> float:
    frequency = str(_values(rule, "FREQ")[0]).upper()
    if frequency not in _DAYS_APART:
        raise RosterError(text()("roster.too_often", rule=f"FREQ={frequency}"))
    interval = int((_values(rule, "INTERVAL") or [1])[0])
    if interval < 1:  # dateutil would stay where it is for ever
        raise RosterError(text()("roster.too_often", rule=f"INTERVAL={interval}"))
    count = days / (_DAYS_APART[frequency] * interval) + 1
    if _PICKS_DAYS & rule.keys():
        count *= _DAYS_WITHIN.get(frequency, 1)
    for key in _PICKS_TIMES:
        count *= max(1, len(_values(rule, key)))
    return count


def _values(rule: Mapping[str, Any], key: str) -> list[Any]:
    values = rule.get(key, [])
    return list(values) if isinstance(values, (list, tuple)) else [values]


def _words(values: Any) -> str:
    return ",".join(map(str, values)) if isinstance(values, (list, tuple)) else str(values)
