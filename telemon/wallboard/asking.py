"""One request as it came: from where, with which headers. What cannot be told for certain counts as not said."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Collection
    from ipaddress import IPv4Address, IPv6Address

_FORWARDING: Final = frozenset(
    {
        "cdn-loop",
        "client-ip",
        "forwarded",  # RFC 7239
        "true-client-ip",
        "via",  # RFC 9110, 7.6.3
        "x-client-ip",
        "x-forwarded",
        "x-original-url",
        "x-real-ip",
    }
)
_FORWARDED_PREFIX: Final = "x-forwarded-"
_HOST: Final = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::(\d{1,5}))?")


@dataclass(frozen=True, slots=True)
class Asking:
    """A request; ``headers`` as (name in lower case, value), in their order, repeated ones too."""

    peer: str
    http_version: str
    headers: tuple[tuple[str, str], ...]

    def values(self, name: str) -> list[str]:
        """Return every value of a header."""
        return [value.strip(" \t") for known, value in self.headers if known == name.lower()]

    def one(self, name: str) -> str:
        """Return a header's value; empty where it is not there, or there twice."""
        values = self.values(name)
        return values[0] if len(values) == 1 else ""

    @property
    def peer_address(self) -> IPv4Address | IPv6Address | None:
        """Return who is at the other end of the connection; None where that is no address."""
        try:
            address = ip_address(self.peer.partition("%")[0])
        except ValueError:
            return None
        return getattr(address, "ipv4_mapped", None) or address

    @property
    def host(self) -> str:
        """Return the name or address, without port, that the browser believes to speak to; empty if that is unclear."""
        match = _HOST.fullmatch(self.one("host"))
        return "" if match is None else match[1].lower()

    @property
    def was_forwarded(self) -> bool:
        """Whether anything between the browser and us shows; proxies of old speak HTTP/1.0 and add no header."""
        names = {name for name, _ in self.headers}
        told = any(name.startswith(_FORWARDED_PREFIX) for name in names) or not names.isdisjoint(_FORWARDING)
        return told or self.http_version == "1.0"

    @property
    def is_own(self) -> bool:
        """Whether one of our own pages asks for something to be done (OWASP: verifying origin).

        Browsers say so in ``Sec-Fetch-Site`` (Fetch metadata) over TLS and on loopback, in ``Origin`` everywhere.
        """
        site, origin = self.values("sec-fetch-site"), self.values("origin")
        if site not in ([], ["same-origin"]) or len(origin) > 1:
            return False
        if not origin:
            return bool(site)
        return _origin_host(origin[0]) == self.one("host").lower() != ""

    @property
    def is_from_elsewhere(self) -> bool:
        """Whether a page of another site asks for data: the browser says so where it can."""
        return not {"cross-site", "same-site"}.isdisjoint(self.values("sec-fetch-site"))

    def source(self, trusted: Collection[IPv4Address | IPv6Address]) -> str:
        """Return whose tries to sign in are counted together: an address, of IPv6 the network of one subscriber.

        Behind a trusted proxy it is the address that the proxy itself saw, the last one it names.
        """
        address = self.peer_address
        if address in trusted:
            named = ",".join(self.values("x-forwarded-for")).rpartition(",")[2].strip()
            with suppress(ValueError):
                address = ip_address(named)
        if address is None:
            return self.peer
        return str(address) if address.version == 4 else address.exploded[:19]  # noqa: PLR2004 - /64, RFC 6177


def _origin_host(origin: str) -> str:
    """Return host and port of an origin, as ``Host`` writes them; empty for ``null`` and what is none."""
    try:
        parts = urlsplit(origin)
    except ValueError:
        return ""
    return parts.netloc.lower() if parts.scheme in {"http", "https"} and parts.path == "" else ""


def is_loopback(host: str) -> bool:
    """Whether this name or address, in brackets or not, is this machine's alone (RFC 6761, 6.3 for the name)."""
    if host.lower() == "localhost":
        return True
    try:
        return ip_address(host.removeprefix("[").removesuffix("]")).is_loopback
    except ValueError:
        return False
