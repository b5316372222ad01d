"""Words for the values of labels: outcomes, causes, kinds; every value has one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from telemon.duty.conditions import ConditionKind
from telemon.duty_records import ProbeResult, UncoveredCause
from telemon.observation import GapCause
from telemon.records import Outcome

if TYPE_CHECKING:
    from enum import StrEnum

    from dashboards.source.sheet import Sheet


def outcome_words(sheet: Sheet) -> dict[str, str]:
    """Return what each outcome is called."""
    return _words(sheet, "outcome", Outcome)


def cause_words(sheet: Sheet) -> dict[str, str]:
    """Return why nobody can be reached."""
    return _words(sheet, "cause", UncoveredCause)


def gap_words(sheet: Sheet) -> dict[str, str]:
    """Return why nothing was seen."""
    return _words(sheet, "gap", GapCause)


def condition_words(sheet: Sheet) -> dict[str, str]:
    """Return what is wrong."""
    return _words(sheet, "condition", ConditionKind)


def probe_words(sheet: Sheet) -> dict[str, str]:
    """Return what became of a test call."""
    return _words(sheet, "probe", ProbeResult)


def _words(sheet: Sheet, table: str, values: type[StrEnum]) -> dict[str, str]:
    return {value.value: sheet.say(f"{table}.{value.value}") for value in values}
