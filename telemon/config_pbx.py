"""The configuration of one Asterisk, and where its secrets come from."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from telemon.errors import ConfigError
from telemon.services import INBOUND_CONTEXTS
from telemon.texts import text

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,62}$")]
Port = Annotated[int, Field(ge=1, le=65535)]


def credential(name: str) -> Path | None:
    """Return what ``LoadCredential=<name>:…`` of the unit gave us, if it did (systemd.exec(5))."""
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    path = Path(folder, name) if folder else None
    return path if path is not None and path.exists() else None


class PbxConfig(BaseModel):
    """One Asterisk."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: Name = "pbx"
    site: Name | Annotated[str, Field(max_length=0)] = ""
    host: str = "127.0.0.1"
    port: Port = 5038
    username: str = "telemon"
    secret: SecretStr | None = None
    secret_file: Path | None = None
    tls: bool = False
    tls_ca: Path | None = None
    tls_verify: bool = True
    plain_login: bool = False
    event_filter: bool = True
    ping_seconds: Annotated[float, Field(ge=0.1, le=300)] = 10
    clock_tolerance_seconds: Annotated[float, Field(ge=0.5, le=1e9)] = 0.5
    inbound_contexts: tuple[str, ...] = INBOUND_CONTEXTS
    machines: tuple[str, ...] = ()
    originate_username: str = "telemon-originate"
    originate_secret_file: Path | None = None

    def resolve_secret(self) -> str:
        """Return the secret: systemd's credential, its file, ``TELEMON_SECRET_<NAME>``, or the configuration's own.

        Raises:
            ConfigError: there is none, or the file cannot be read.
        """
        path = credential(f"{self.name}.secret") or self.secret_file
        if path is not None:
            try:
                return path.read_text(encoding="utf-8").strip()
            except OSError as error:
                reason = error.strerror
                raise ConfigError(text()("config.secret_file", pbx=self.name, path=path, reason=reason)) from error
        variable = f"TELEMON_SECRET_{self.name.upper().replace('-', '_').replace('.', '_')}"
        if variable in os.environ:
            return os.environ[variable]
        if self.secret is None:
            raise ConfigError(text()("config.no_secret", pbx=self.name, variable=variable))
        return self.secret.get_secret_value()

    def resolve_originate_secret(self) -> str | None:
        """Return the secret of the login that may place calls; None where none is configured.

        Raises:
            ConfigError: its file cannot be read.
        """
        path = credential(f"{self.name}.originate") or self.originate_secret_file
        if path is None:
            return None
        try:
            return path.read_text(encoding="utf-8").strip()
        except OSError as error:
            reason = error.strerror
            raise ConfigError(text()("config.secret_file", pbx=self.name, path=path, reason=reason)) from error
