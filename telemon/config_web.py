"""The configuration's tables about the pages: where they are served, and who may see them."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from telemon.config_pbx import credential
from telemon.errors import ConfigError
from telemon.hashing import check_hash
from telemon.texts import text
from telemon.wallboard.asking import is_loopback
from telemon.wallboard.roles import Role

API_CREDENTIAL: Final = "api.token"  # the API's token among systemd's credentials
_STRICT = ConfigDict(extra="forbid", frozen=True)
_LOOPBACK: Final = (IPv4Address("127.0.0.1"), IPv6Address("::1"))
HeaderName = Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{0,64}$")]


class WebConfig(BaseModel):
    """Where the pages are served, and how those who look at the wallboard are known."""

    model_config = _STRICT
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 9714
    token_file: Path | None = None
    open_as: Role | None = None
    proxy_header: HeaderName = ""
    proxy_roles_header: HeaderName = ""
    proxy_groups: dict[str, Role] = {}
    trusted_proxies: tuple[IPv4Address | IPv6Address, ...] = _LOOPBACK
    session_hours: Annotated[float, Field(gt=0, le=24 * 31)] = 12
    secure_cookie: bool | None = None  # unless told: where others than this machine can come
    session_key_file: Path | None = None  # beside the ledger's key
    attempts: Annotated[int, Field(ge=1, le=20)] = 5
    lock_minutes: Annotated[float, Field(gt=0, le=24 * 60)] = 15

    @field_validator("open_as", mode="before")
    @classmethod
    def _empty_is_none(cls, value: object) -> object:
        return value or None

    @field_validator("open_as")
    @classmethod
    def _only_on_loopback(cls, value: Role | None, info: ValidationInfo) -> Role | None:
        if value is not None and not is_loopback(info.data.get("host", "")):
            raise ValueError(text()("config.open_as"))
        return value

    @property
    def has_secure_cookie(self) -> bool:
        """Whether browsers may send the session's cookie over TLS only."""
        return not is_loopback(self.host) if self.secure_cookie is None else self.secure_cookie

    def resolve_token(self) -> str | None:
        """Return the token that the API asks for, systemd's credential or its file; None where nobody may use it.

        Raises:
            ConfigError: its file cannot be read, or is empty.
        """
        path = credential(API_CREDENTIAL) or self.token_file
        if path is None:
            return None
        try:
            token = path.read_text(encoding="utf-8").strip()
        except OSError as error:
            raise ConfigError(text()("config.token_file", path=path, reason=error.strerror)) from error
        if not token:
            raise ConfigError(text()("config.token_empty", path=path))
        return token


class UserConfig(BaseModel):
    """Somebody who may sign in at the wallboard; without a password, only through the proxy that names him."""

    model_config = _STRICT
    name: Annotated[str, Field(min_length=1, max_length=100)]
    role: Role
    password: str = ""

    @field_validator("password")
    @classmethod
    def _hashed(cls, value: str) -> str:
        if value:
            try:
                check_hash(value)
            except ValueError as error:
                raise ValueError(text()("config.password")) from error
        return value
