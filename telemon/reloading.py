"""A configuration that changed while telemon runs: what is taken over at once, and what waits for a restart."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from telemon.ami.entrance import Peer
    from telemon.config import Config
    from telemon.config_pbx import PbxConfig

# What every call's identity and reckoning rest on, and what is opened once.
_WAITING: Final = frozenset(
    {
        "site",
        "observer",
        "timezone",
        "country",
        "ledger",
        "journal",
        "web",
        "agi",
        "probe",
        "crisis",
        "callbacks",
        "figures",
    }
)


@dataclass(frozen=True, slots=True)
class Change:
    """``config`` is the new one, but for the keys in ``waiting``, which are as before; ``taken`` are the other ones."""

    config: Config
    taken: tuple[str, ...]
    waiting: tuple[str, ...]


def change(old: Config, new: Config) -> Change:
    """Return what changes from one configuration to another without a restart."""
    changed = [key for key in type(old).model_fields if getattr(old, key) != getattr(new, key)]
    fixed = _WAITING if _names(old) == _names(new) else _WAITING | {"pbx"}
    waiting = tuple(key for key in changed if key in fixed)
    return Change(
        config=new.model_copy(update={key: getattr(old, key) for key in waiting}),
        taken=tuple(key for key in changed if key not in fixed),
        waiting=waiting,
    )


def _names(config: Config) -> list[tuple[str, str]]:
    return [(pbx.name, pbx.site) for pbx in config.pbx]


def must_reconnect(old: tuple[PbxConfig, Peer], new: tuple[PbxConfig, Peer]) -> bool:
    """Whether a PBX that is configured otherwise needs another connection: not for pings, nor for an equal context."""
    ours, theirs = ((pbx.tls, pbx.tls_ca, pbx.tls_verify) for pbx, _ in (old, new))
    return ours != theirs or replace(new[1], tls=old[1].tls, ping_seconds=old[1].ping_seconds) != old[1]
