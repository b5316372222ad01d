"""Who asks, and by what right: by a session, by a proxy that vouches for him, or because this machine is open."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple
from unicodedata import normalize

from telemon.instants import SECOND
from telemon.wallboard.asking import is_loopback

if TYPE_CHECKING:
    from collections.abc import Iterable

    from telemon.config_web import UserConfig, WebConfig
    from telemon.instants import Duration, Instant
    from telemon.wallboard.asking import Asking
    from telemon.wallboard.roles import Role

PROXY_TRUST: Final[Duration] = 15 * 60 * SECOND  # a stream ends after it, and the browser asks anew, through the proxy
LONGEST_NAME: Final = 100


class Visitor(NamedTuple):
    """Somebody who may look; ``binding`` tells this visit from others, for the token that forms carry."""

    name: str
    role: Role
    expires_at: Instant
    binding: str
    user: UserConfig | None = None  # of a session


def vouched(asking: Asking, web: WebConfig, users: Iterable[UserConfig], now: Instant) -> Visitor | None:
    """Return whom a trusted proxy names; None if it names nobody, or none of those who may look.

    A header that comes twice, a proxy that nobody trusts, or groups that stand for several roles vouch for nobody.
    """
    name = named(asking, web)
    if not name:
        return None
    if web.proxy_roles_header:
        groups = (group.strip() for group in asking.one(web.proxy_roles_header).split(","))
        roles = {web.proxy_groups[group] for group in groups if group in web.proxy_groups}
    else:
        roles = {user.role for user in users if user.name == name}
    if len(roles) != 1:
        return None
    role = roles.pop()
    return Visitor(name, role, now + PROXY_TRUST, f"proxy\0{name}\0{role}")


def named(asking: Asking, web: WebConfig) -> str:
    """Return the name that a trusted proxy gives, empty without one."""
    if not web.proxy_header or asking.peer_address not in web.trusted_proxies:
        return ""
    try:
        name = asking.one(web.proxy_header).encode("latin-1").decode("utf-8")
    except UnicodeError:
        return ""
    return normalize("NFC", name) if name.isprintable() and len(name) <= LONGEST_NAME else ""


def neighbour(asking: Asking, web: WebConfig, now: Instant) -> Visitor | None:
    """Return whoever sits at this machine, where that is enough.

    Not through a proxy on the same machine, nor from a page of another site whose name was made to lead here
    (DNS rebinding): that name is still in ``Host``.
    """
    address = asking.peer_address
    if web.open_as is None or address is None or not address.is_loopback or asking.was_forwarded:
        return None
    if web.proxy_header and asking.values(web.proxy_header):
        return None
    if not is_loopback(asking.host):
        return None
    return Visitor("", web.open_as, now + round(web.session_hours * 3600) * SECOND, f"open\0{web.open_as}")
