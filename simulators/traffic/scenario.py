"""What a scenario says: how many call and when, how patient they are, and who is there to answer.

Every duration is in seconds unless its name says otherwise; every share lies between 0 and 1.
"""

from __future__ import annotations

from datetime import UTC
from typing import Annotated, Any, Final, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import holidays
from pydantic import BaseModel, ConfigDict, Field, NaiveDatetime, field_validator, model_validator

from telemon.opening import parse_hours
from telemon.texts import text

_STRICT = ConfigDict(extra="forbid", frozen=True)
Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Factor = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Week = Annotated[tuple[Factor, ...], Field(min_length=7, max_length=7)]
Day = Annotated[tuple[Factor, ...], Field(min_length=24, max_length=24)]
Hours = tuple[str, ...]

_OFFICE: Final = (1, 1, 1, 1, 1, 1, 2, 8, 60, 110, 115, 95, 50, 70, 105, 95, 70, 30, 10, 6, 4, 3, 2, 1)
_ROUND_THE_CLOCK: Final = (3, 2, 2, 2, 2, 3, 4, 5, 5, 5, 5, 5, 5, 5, 5, 5, 6, 7, 8, 8, 7, 6, 5, 4)


def _readable(lines: Hours) -> Hours:
    parse_hours(lines, UTC)
    return lines


class ServiceTraffic(BaseModel):
    """The callers of one service.

    ``share`` of ``calls_per_day``, spread over the day by ``profile``. Without ``hours`` (in the words of
    ``telemon.opening``) the service never closes; with hours it also closes on public holidays. ``weekdays`` and
    ``holiday_factor`` replace the scenario's own.
    """

    model_config = _STRICT
    share: Factor
    profile: str = "office"
    hours: Hours = ()
    weekdays: Week | None = None
    holiday_factor: Factor | None = None
    check_hours = field_validator("hours")(_readable)


class Callers(BaseModel):
    """Those who call: patience is Weibull (scale, shape), but a ``hasty_share`` of them gives up sooner.

    Who was lost calls again with ``retry_share``, after a delay with a mean of ``retry_seconds`` (exponential).
    """

    model_config = _STRICT
    patience_seconds: Positive = 90.0
    patience_shape: Positive = 1.3
    hasty_share: Share = 0.03
    hasty_seconds: Positive = 4.0
    retry_share: Share = 0.35
    retry_seconds: Positive = 240.0


class Talks(BaseModel):
    """What follows the answer: log-normal talks, of which some are handed on, held, or ended by the operator."""

    model_config = _STRICT
    median_seconds: Positive = 110.0
    sigma: Factor = 0.7
    transfer_share: Share = 0.12
    hold_share: Share = 0.08
    operator_ends_share: Share = 0.15
    message_seconds: Positive = 25.0  # median of what is said to voicemail


class Habits(BaseModel):
    """One who answers: log-normal reaction, and how often the phone rings on unheard or is refused.

    ``accept_share`` is for the duty mobile: how often the one who picks it up presses 1.
    """

    model_config = _STRICT
    reaction_seconds: Positive = 5.0
    reaction_sigma: Factor = 0.45
    absent_share: Share = 0.03
    reject_share: Share = 0.03
    accept_share: Share = 0.8


class Shift(BaseModel):
    """When these phones are staffed, apart from short pauses; the time between two spans of a day is a break."""

    model_config = _STRICT
    phones: tuple[str, ...]
    hours: Hours
    check_hours = field_validator("hours")(_readable)


class Operators(BaseModel):
    """Those who answer. A phone in no shift is always staffed; ``phones`` says in what one differs from ``usual``.

    Pauses come on duty, at random (Poisson), and last ``pause_minutes`` on average (exponential).
    """

    model_config = _STRICT
    usual: Habits = Habits()
    extensions: Habits = Habits(reaction_seconds=6.0, absent_share=0.12, reject_share=0.0)
    phones: dict[str, Habits] = {}
    rota: tuple[Shift, ...] = ()
    wrap_up_seconds: Factor = 12.0
    pauses_per_hour: Factor = 0.3
    pause_minutes: Positive = 8.0

    @model_validator(mode="before")
    @classmethod
    def _fill_in(cls, values: Any) -> Any:
        """Let each phone keep the usual habits that its own table does not change."""
        if not isinstance(values, dict) or not isinstance(values.get("phones"), dict):
            return values
        usual, phones = values.get("usual", {}), values["phones"]
        if not isinstance(usual, dict) or not all(isinstance(own, dict) for own in phones.values()):
            return values
        return {**values, "phones": {phone: {**usual, **own} for phone, own in phones.items()}}


class Surge(BaseModel):
    """A service's callers multiplied by ``factor``: a linear ramp, a plateau, a linear decay.

    Where ``staffed_after_minutes`` is set, the service's phones are staffed from then to the surge's end only:
    a crisis cell, which is first called together.
    """

    model_config = _STRICT
    service: str
    begins_after_hours: Factor
    factor: Annotated[float, Field(ge=1, allow_inf_nan=False)] = 20.0
    ramp_minutes: Positive = 5.0
    plateau_minutes: Factor = 60.0
    decay_minutes: Positive = 60.0
    staffed_after_minutes: Factor | None = None

    @property
    def begins(self) -> float:
        """Its first second, from the scenario's beginning."""
        return self.begins_after_hours * 3600

    @property
    def ends(self) -> float:
        """Its last second, from the scenario's beginning."""
        return self.begins + (self.ramp_minutes + self.plateau_minutes + self.decay_minutes) * 60

    def factor_at(self, elapsed: float) -> float:
        """By how much callers are multiplied, ``elapsed`` seconds after the scenario's beginning."""
        if not self.begins < elapsed < self.ends:
            return 1.0
        rising = (elapsed - self.begins) / (self.ramp_minutes * 60)
        falling = (self.ends - elapsed) / (self.decay_minutes * 60)
        return 1 + (self.factor - 1) * min(1.0, rising, falling)


class Flapping(BaseModel):
    """A phone that loses its registration on and off: exponential spells with these means."""

    model_config = _STRICT
    phone: str
    reachable_minutes: Positive = 10.0
    unreachable_minutes: Positive = 2.0


class Scenario(BaseModel):
    """One named scenario. ``begins`` is local time in ``zone``; ``holidays`` is a country (``FR``, ``FR-57``).

    ``calls_per_day`` is meant for a day whose factors (``weekdays`` from Monday, ``months`` from January) are all 1.
    """

    model_config = _STRICT
    name: str
    title: str
    begins: NaiveDatetime
    lasts_hours: Positive
    calls_per_day: Factor
    services: dict[str, ServiceTraffic]
    zone: str = "Europe/Paris"
    holidays: str = "FR"
    holiday_factor: Factor = 0.08
    weekdays: Week = (1.3, 1.05, 0.9, 1.0, 0.9, 0.12, 0.08)
    months: Annotated[tuple[Factor, ...], Field(min_length=12, max_length=12)] = (
        1.1, 1.05, 1.05, 1.0, 0.9, 1.0, 0.9, 0.7, 1.25, 1.1, 1.0, 0.9,
    )  # fmt: skip
    profiles: Annotated[dict[str, Day], Field(validate_default=True)] = {}
    callers: Callers = Callers()
    talks: Talks = Talks()
    operators: Operators = Operators()
    surges: tuple[Surge, ...] = ()
    flapping: tuple[Flapping, ...] = ()

    @field_validator("profiles")
    @classmethod
    def _with_usual_profiles(cls, value: dict[str, tuple[float, ...]]) -> dict[str, tuple[float, ...]]:
        empty = [name for name, hours in value.items() if sum(hours) == 0]
        if empty:
            raise ValueError(text()("sim_traffic.empty_profile", name=empty[0]))
        return {"office": _OFFICE, "round_the_clock": _ROUND_THE_CLOCK, **value}

    @field_validator("zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ValueError(text()("sim_traffic.unknown_zone", zone=value)) from error
        return value

    @field_validator("holidays")
    @classmethod
    def _known_country(cls, value: str) -> str:
        country, _, region = value.partition("-")
        try:
            holidays.country_holidays(country, subdiv=region or None)
        except NotImplementedError as error:  # how the library holidays says that it does not know a place
            raise ValueError(text()("sim_traffic.unknown_country", country=value)) from error
        return value

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for name, service in self.services.items():
            if service.profile not in self.profiles:
                known = ", ".join(sorted(self.profiles))
                values = {"service": name, "profile": service.profile, "known": known}
                raise ValueError(text()("sim_traffic.unknown_profile", **values))
        for nth, surge in enumerate(self.surges):
            if surge.service not in self.services:
                raise ValueError(text()("sim_traffic.surge_service", nth=nth, service=surge.service))
        return self

    @property
    def starts_at(self) -> float:
        """Its own beginning in Unix seconds."""
        return self.begins.replace(tzinfo=ZoneInfo(self.zone)).timestamp()

    @property
    def lasts(self) -> float:
        """Its length in seconds."""
        return self.lasts_hours * 3600
