"""The parts that a configuration calls for: whom to call, what to observe with, where to keep a journal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from telemon.ami.entrance import Peer, tls_context
from telemon.duty.parts import devices_of
from telemon.errors import ConfigError
from telemon.instants import SECOND, from_seconds
from telemon.journal.writer import Journal
from telemon.observer import Observer
from telemon.texts import text
from telemon.tracker import Tracker

if TYPE_CHECKING:
    import ssl

    from telemon.config import Config
    from telemon.config_pbx import PbxConfig

_DAY: Final = 86_400 * SECOND
_MEGABYTE: Final = 1_000_000


def peer_of(pbx: PbxConfig) -> Peer:
    """Return whom to call for one configured PBX.

    Raises:
        ConfigError: there is no secret, or tls_ca is no file of certificates.
    """
    return Peer(
        name=pbx.name,
        host=pbx.host,
        port=pbx.port,
        user=pbx.username,
        secret=pbx.resolve_secret(),
        tls=_tls(pbx) if pbx.tls else None,
        plain_login=pbx.plain_login,
        event_filter=pbx.event_filter,
        ping_seconds=pbx.ping_seconds,
    )


def _tls(pbx: PbxConfig) -> ssl.SSLContext:
    try:
        return tls_context(authority=None if pbx.tls_ca is None else str(pbx.tls_ca), verify=pbx.tls_verify)
    except OSError as error:  # SSLError is one
        raise ConfigError(text()("config.tls_ca", pbx=pbx.name, path=pbx.tls_ca, reason=error)) from error


def observer_of(config: Config, pbx: PbxConfig) -> Observer:
    """Return a fresh observer for one configured PBX."""
    numbering = config.numbering(pbx)
    tracker = Tracker(config.call_site(pbx), numbering, short_abandon=from_seconds(config.short_abandon_seconds))
    tolerance = from_seconds(pbx.clock_tolerance_seconds)
    return Observer(pbx.name, tracker, devices_of(config, pbx), clock_tolerance=tolerance, name=config.observer)


def journal_of(config: Config, pbx: PbxConfig) -> Journal:
    """Open the journal of one configured PBX.

    Raises:
        JournalError: its folder cannot be used, or another telemon uses it.
    """
    settings = config.journal
    return Journal(
        config.journal_folder(pbx),
        keep=round(settings.keep_days * _DAY),
        maximum_bytes=settings.maximum_megabytes * _MEGABYTE,
        free_bytes=settings.free_megabytes * _MEGABYTE,
    )
