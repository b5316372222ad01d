"""Sites, and which PBXs and call sites of the ledger are theirs."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from telemon.config import Config


class Place(NamedTuple):
    """One site: its PBXs by name, and the sites of their calls (``CallRecord.site``), in the same order."""

    site: str
    pbxs: tuple[str, ...]
    call_sites: tuple[str, ...]


def sites_of(config: Config) -> dict[str, str]:
    """Return the site of each call site."""
    return {config.call_site(pbx): config.site_of(pbx) for pbx in config.pbx}


def places_of(config: Config) -> list[Place]:
    """Return the sites in the order of the configuration."""
    found: dict[str, Place] = {}
    for pbx in config.pbx:
        site = config.site_of(pbx)
        place = found.get(site, Place(site, (), ()))
        found[site] = Place(site, (*place.pbxs, pbx.name), (*place.call_sites, config.call_site(pbx)))
    return list(found.values())


def service_names(config: Config) -> list[str]:
    """Return the services, which all sites have alike."""
    return [service.name for service in config.numbering(config.pbx[0]).services]
