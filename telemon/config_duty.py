"""The configuration's tables about the permanence and the crisis cell."""

from __future__ import annotations

import tomllib
from datetime import date, time
from pathlib import Path
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, field_validator

from telemon.agi.pins import check_hash
from telemon.config_pbx import credential
from telemon.duty_records import Officer
from telemon.errors import ConfigError
from telemon.probes.pursuit import LEAST_PER_DAY
from telemon.roster.table import parse_days
from telemon.texts import text

PINS_CREDENTIAL: Final = "agi.pins"  # among systemd's credentials
_STRICT = ConfigDict(extra="forbid", frozen=True)
Minutes = Annotated[float, Field(gt=0, le=24 * 60)]
Digits = Annotated[str, Field(pattern=r"^[0-9]{1,10}$")]


class PermanenceConfig(BaseModel):
    """When the permanence counts as covered."""

    model_config = _STRICT
    in_call_minutes: Minutes = 10
    rang_out_minutes: Minutes = 15
    mobile_trunk: str = ""
    mobile_proof_hours: Annotated[float, Field(ge=0, le=24 * 366)] = 0


class RosterConfig(BaseModel):
    """Where it is written who is on duty when; without a calendar, in ``[[shift]]``."""

    model_config = _STRICT
    calendar: str = ""
    refresh_minutes: Minutes = 15
    ahead_hours: Annotated[float, Field(ge=0, le=24 * 366)] = 72


class ShiftConfig(BaseModel):
    """One shift that comes again every week, or every so many weeks."""

    model_config = _STRICT
    officer: str
    days: str = "mon-sun"
    start: time
    end: time
    first: date
    last: date | None = None
    every_weeks: Annotated[int, Field(ge=1, le=520)] = 1

    @field_validator("days")
    @classmethod
    def _readable(cls, value: str) -> str:
        parse_days(value)
        return value


class OfficerConfig(BaseModel):
    """Somebody who may be on duty."""

    model_config = _STRICT
    id: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,62}$")]
    name: Annotated[str, Field(min_length=1, max_length=100)]
    number: Digits | Annotated[str, Field(max_length=0)] = ""
    phones: tuple[str, ...] = ()
    mobile: str = ""
    pin: str = ""

    @field_validator("pin")
    @classmethod
    def _hashed(cls, value: str) -> str:
        if value:
            check_hash(value)
        return value

    @property
    def officer(self) -> Officer:
        """Return the officer."""
        return Officer(**self.model_dump())


class ProbeConfig(BaseModel):
    """Test calls to the permanence."""

    model_config = _STRICT
    per_day: Annotated[float, Field(ge=0, le=24)] = 0
    number: str = ""
    seconds: Annotated[float, Field(ge=5, le=300)] = 60
    confirm: bool = True

    @field_validator("per_day")
    @classmethod
    def _often_enough(cls, value: float) -> float:
        if 0 < value < LEAST_PER_DAY:
            raise ValueError(f"at least {LEAST_PER_DAY:.3f}, one test call a month, or 0 for none")
        return value


class AgiConfig(BaseModel):
    """Where Asterisk reaches telemon for sign-ins by phone."""

    model_config = _STRICT
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 0
    workers: Annotated[int, Field(ge=1, le=64)] = 4
    attempts: Annotated[int, Field(ge=1, le=10)] = 3
    lock_minutes: Minutes = 15
    pins_file: Path | None = None

    def resolve_pins(self) -> dict[str, str]:
        """Return hashes of PINs by officer's id, from systemd's credential or the file; empty where there is none.

        Raises:
            ConfigError: it cannot be read, is no TOML, or has something else than a hash.
        """
        path = credential(PINS_CREDENTIAL) or self.pins_file
        if path is None:
            return {}
        try:
            pins = {str(officer): str(pin) for officer, pin in tomllib.loads(path.read_text(encoding="utf-8")).items()}
            for pin in pins.values():
                check_hash(pin)
        except OSError as error:
            raise ConfigError(text()("config.pins_file", path=path, reason=error.strerror)) from error
        except ValueError as error:  # no TOML, no UTF-8, no hash
            raise ConfigError(text()("config.pins_file", path=path, reason=error)) from error
        return pins


class CrisisConfig(BaseModel):
    """What the crisis cell promises, and how much its line may be strained while it is open."""

    model_config = _STRICT
    staff: Annotated[int, Field(ge=1, le=1000)] = 4
    deadline_minutes: Minutes = 60
    maximum_waiting: Annotated[int, Field(ge=0)] = 10
    maximum_wait_seconds: Annotated[float, Field(gt=0)] = 120
    minimum_staff: Annotated[int, Field(ge=0)] = 2


DUTY_TABLES: Final[dict[str, type[BaseModel]]] = {
    "permanence": PermanenceConfig, "roster": RosterConfig, "shift": ShiftConfig, "officer": OfficerConfig,
    "probe": ProbeConfig, "agi": AgiConfig, "crisis": CrisisConfig,
}  # fmt: skip
