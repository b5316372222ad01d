"""The configuration: one TOML file, overridden by the environment, secrets from files or the environment."""

from __future__ import annotations

import os
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, SettingsError

from telemon.cadences import ring_cycle
from telemon.config_duty import (
    DUTY_TABLES,
    AgiConfig,
    CrisisConfig,
    OfficerConfig,
    PermanenceConfig,
    ProbeConfig,
    RosterConfig,
    ShiftConfig,
)
from telemon.config_errors import explain
from telemon.config_pbx import Name, PbxConfig
from telemon.config_service import ServiceConfig
from telemon.config_web import UserConfig, WebConfig
from telemon.errors import ConfigError
from telemon.records import ServiceKind
from telemon.rulesets import load_rulesets
from telemon.services import Numbering, Service
from telemon.texts import text

if TYPE_CHECKING:
    from telemon.duty_records import Officer

PLACES: Final = (Path("telemon.toml"), Path("/etc/telemon/telemon.toml"))
_STRICT = ConfigDict(extra="forbid", frozen=True)


class LedgerConfig(BaseModel):
    """Where calls are kept."""

    model_config = _STRICT
    url: str = "sqlite:///telemon.db"
    key_file: Path = Path("telemon.key")


class JournalConfig(BaseModel):
    """Where the raw events are kept for a while, so that a restart loses nothing."""

    model_config = _STRICT
    folder: Path | None = None  # beside the key file
    keep_days: Annotated[float, Field(gt=0, le=400)] = 7
    maximum_megabytes: Annotated[int, Field(ge=32)] = 1024
    free_megabytes: Annotated[int, Field(ge=1)] = 256


class LogConfig(BaseModel):
    """What is logged to standard error, and how."""

    model_config = _STRICT
    format: Literal["text", "json"] = "text"
    level: Literal["debug", "info", "warning", "error"] = "info"


class CallbacksConfig(BaseModel):
    """How long a lost caller's number is kept for calling back."""

    model_config = _STRICT
    keep_hours: Annotated[float, Field(ge=0, le=24 * 31)] = 24
    key_file: Path | None = None  # beside the ledger's key
    minimum_digits: Annotated[int, Field(ge=3, le=15)] = 4


class FiguresConfig(BaseModel):
    """What is reckoned from the ledger for dashboards and wallboard."""

    model_config = _STRICT
    rule_sets: tuple[str, ...] = ()
    staffing_weeks: Annotated[int, Field(ge=1, le=52)] = 8
    wrap_up_seconds: Annotated[float, Field(ge=0, le=3600)] = 0
    within_rings_share: Annotated[float, Field(gt=0, lt=1)] = 0.9


class Config(BaseSettings):
    """Everything that a site decides."""

    model_config = SettingsConfigDict(
        extra="forbid", frozen=True, env_prefix="TELEMON_", env_nested_delimiter="__", env_ignore_empty=True
    )
    site: Name = "site"
    observer: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{0,63}$")] = ""
    language: Literal["fr", "en"] | None = None
    timezone: str = "Europe/Paris"
    country: str = "fr"
    rule_sets: dict[str, Any] = {}
    rule_set: str = "qualipref"
    short_abandon_seconds: Annotated[float, Field(ge=0, le=60)] = 5
    probe_callers: frozenset[str] = frozenset()
    pbx: tuple[PbxConfig, ...] = (PbxConfig(),)
    service: tuple[ServiceConfig, ...] = ()
    ledger: LedgerConfig = LedgerConfig()
    journal: JournalConfig = JournalConfig()
    permanence: PermanenceConfig = PermanenceConfig()
    roster: RosterConfig = RosterConfig()
    shift: tuple[ShiftConfig, ...] = ()
    officer: tuple[OfficerConfig, ...] = ()
    probe: ProbeConfig = ProbeConfig()
    agi: AgiConfig = AgiConfig()
    crisis: CrisisConfig = CrisisConfig()
    callbacks: CallbacksConfig = CallbacksConfig()
    figures: FiguresConfig = FiguresConfig()
    log: LogConfig = LogConfig()
    web: WebConfig = WebConfig()
    user: tuple[UserConfig, ...] = ()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - pydantic-settings calls by name
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Let the environment win over the file."""
        return env_settings, init_settings

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ValueError(text()("config.zone", zone=value)) from error
        return value

    @field_validator("country")
    @classmethod
    def _known_country(cls, value: str) -> str:
        try:
            ring_cycle(value)
        except ConfigError as error:
            raise ValueError(str(error)) from error
        return value

    @field_validator("rule_sets")
    @classmethod
    def _readable_rules(cls, value: dict[str, Any]) -> dict[str, Any]:
        try:
            load_rulesets(value)
        except ConfigError as error:
            raise ValueError(str(error)) from error
        return value

    @field_validator("rule_set")
    @classmethod
    def _known_rules(cls, value: str, info: ValidationInfo) -> str:
        known = load_rulesets(info.data.get("rule_sets"))
        if value not in known:
            raise ValueError(text()("config.rule_set", known=", ".join(sorted(known))))
        return value

    @field_validator("service")
    @classmethod
    def _distinct_services(cls, value: tuple[ServiceConfig, ...]) -> tuple[ServiceConfig, ...]:
        if len({service.name for service in value}) != len(value):
            raise ValueError(text()("config.service_names"))
        permanences = {service.name for service in value if service.kind is ServiceKind.PERMANENCE}
        for service in value:
            if service.outside_hours and service.outside_hours not in permanences:
                raise ValueError(text()("config.outside_hours", service=service.name, named=service.outside_hours))
        return value

    @field_validator("user")
    @classmethod
    def _distinct_users(cls, value: tuple[UserConfig, ...]) -> tuple[UserConfig, ...]:
        if len({user.name for user in value}) != len(value):
            raise ValueError(text()("config.user_names"))
        return value

    @field_validator("pbx")
    @classmethod
    def _distinct(cls, value: tuple[PbxConfig, ...]) -> tuple[PbxConfig, ...]:
        if len({pbx.name for pbx in value}) != len(value) or not value:
            raise ValueError(text()("config.pbx_names"))
        return value

    @field_validator("figures")
    @classmethod
    def _known_figures(cls, value: FiguresConfig, info: ValidationInfo) -> FiguresConfig:
        known = load_rulesets(info.data.get("rule_sets"))
        if not known.keys() >= set(value.rule_sets):
            raise ValueError(text()("config.rule_set", known=", ".join(sorted(known))))
        return value

    @property
    def zone(self) -> ZoneInfo:
        """The site's time zone."""
        return ZoneInfo(self.timezone)

    def numbering(self, pbx: PbxConfig) -> Numbering:
        """Return how this PBX's channels are told apart."""
        services = tuple(self._service(service) for service in self.service)
        known = {"services": services} if services else {}
        return Numbering(
            inbound_contexts=pbx.inbound_contexts,
            machines=pbx.machines,
            probe_callers=self.probe_callers,
            **known,
        )

    def site_of(self, pbx: PbxConfig) -> str:
        """Return the site that this PBX belongs to: its own, else the configuration's."""
        return pbx.site or self.site

    def call_site(self, pbx: PbxConfig) -> str:
        """Return the first half of this PBX's call ids: its site, and the PBX where the site has several."""
        site = self.site_of(pbx)
        alone = sum(self.site_of(other) == site for other in self.pbx) == 1
        return site if alone else f"{site}/{pbx.name}"

    def officers(self) -> tuple[Officer, ...]:
        """Return who may be on duty, each with the hash of his PIN.

        Raises:
            ConfigError: ``agi.pins_file`` cannot be read.
        """
        pins = self.agi.resolve_pins()
        everybody = (one.officer for one in self.officer)
        return tuple(replace(officer, pin=pins.get(officer.id, officer.pin)) for officer in everybody)

    @property
    def state_folder(self) -> Path:
        """Where telemon keeps what it must not forget, beside the ledger and the journal."""
        return self.ledger.key_file.parent

    @property
    def callbacks_key_file(self) -> Path:
        """Where the key of lost callers' numbers lies."""
        return self.callbacks.key_file or self.state_folder / "callbacks.key"

    @property
    def session_key_file(self) -> Path:
        """Where the key that signs sessions lies."""
        return self.web.session_key_file or self.state_folder / "web.key"

    def journal_folder(self, pbx: PbxConfig) -> Path:
        """Return where this PBX's journal lies."""
        folder = self.journal.folder or self.state_folder / "journal"
        return folder / pbx.name

    def _service(self, service: ServiceConfig) -> Service:
        return Service(
            name=service.name,
            kind=service.kind,
            ddis=service.ddis,
            queues=service.queues,
            contexts=service.contexts,
            operators=service.operators,
            hours=service.opening_hours(self.zone),
            outside_hours=service.outside_hours,
            night_switch=service.night_switch,
            trunks=service.trunks,
        )


def load(path: Path | None) -> Config:
    """Read the configuration file, or the first found in the usual places, or the defaults if there is none.

    Raises:
        ConfigError: it cannot be read, or says what telemon does not understand; the message names the lines.
    """
    if path is None:
        path = _from_environment() or next((place for place in PLACES if place.exists()), None)
    if path is None:
        return _validated({}, "", "(environment)")
    try:
        source = path.read_text(encoding="utf-8")
        data = tomllib.loads(source)
    except OSError as error:
        raise ConfigError(text()("config.unreadable", path=path, reason=error.strerror or error)) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(text()("config.no_toml", path=path, reason=error)) from error
    return _validated(data, source, str(path))


def _from_environment() -> Path | None:
    named = os.environ.get("TELEMON_CONFIG")
    return Path(named) if named else None


def _validated(data: dict[str, Any], source: str, name: str) -> Config:
    try:
        return Config(**data)
    except ValidationError as error:
        tables: dict[str, type[BaseModel]] = {
            "": Config, "pbx": PbxConfig, "service": ServiceConfig, "ledger": LedgerConfig,
            "journal": JournalConfig,
            "callbacks": CallbacksConfig, "figures": FiguresConfig, "log": LogConfig,
            "web": WebConfig, "user": UserConfig, **DUTY_TABLES,
        }  # fmt: skip
        known = {table: model.model_fields for table, model in tables.items()}
        raise ConfigError("\n".join(explain(problem, source, name, known) for problem in error.errors())) from None
    except SettingsError as error:  # a variable of a table or list holds no JSON
        raise ConfigError(text()("config.environment", reason=error)) from None
