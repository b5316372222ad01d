"""The configuration of one promise to callers, and when it holds."""

from __future__ import annotations

from datetime import UTC, date
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, field_validator

from telemon.config_pbx import Name
from telemon.opening import ALWAYS, parse_hours
from telemon.public_holidays import holidays_of
from telemon.records import ServiceKind

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from telemon.opening import OpeningHours


class ServiceConfig(BaseModel):
    """One promise to callers."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: Name
    kind: ServiceKind = ServiceKind.SWITCHBOARD
    ddis: tuple[str, ...] = ()
    queues: tuple[str, ...] = ()
    contexts: tuple[str, ...] = ()
    operators: tuple[str, ...] = ()
    hours: tuple[str, ...] = ()
    holidays: str = ""
    closed_on: tuple[date, ...] = ()
    opened_on: dict[date, str] = {}
    outside_hours: str = ""
    night_switch: str = ""
    trunks: tuple[str, ...] = ()

    @field_validator("hours")
    @classmethod
    def _readable(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        parse_hours(value, UTC)
        return value

    @field_validator("opened_on")
    @classmethod
    def _readable_days(cls, value: dict[date, str]) -> dict[date, str]:
        parse_hours((), UTC, opened_on=value)
        return value

    @field_validator("holidays")
    @classmethod
    def _known_place(cls, value: str) -> str:
        if value:
            holidays_of("fr", value)
        return value

    def opening_hours(self, zone: ZoneInfo) -> OpeningHours | None:
        """Return when it takes calls; None: always."""
        if not (self.hours or self.closed_on or self.opened_on or self.holidays):
            return None
        holidays = holidays_of("fr", self.holidays) if self.holidays else None
        return parse_hours(self.hours or ALWAYS, zone, self.closed_on, self.opened_on, holidays)
