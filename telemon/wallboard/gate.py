"""Who is let in to what: looks at a request and says whose it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from telemon.instants import SECOND, from_seconds
from telemon.wallboard.asking import Asking
from telemon.wallboard.roles import may
from telemon.wallboard.sessions import Sessions
from telemon.wallboard.signing_in import SignIn
from telemon.wallboard.visitors import neighbour, vouched

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

    from telemon.config import Config
    from telemon.instants import Instant
    from telemon.wallboard.roles import Right
    from telemon.wallboard.visitors import Visitor

TOKEN_HEADER: Final = "X-CSRF-Token"  # noqa: S105 - its name
_COOKIE: Final = "telemon_session"


class Refused(Exception):  # noqa: N818 - it is an answer
    """A request that is not done.

    Args:
        status: of HTTP.
        key: of the text that says why.
    """

    def __init__(self, status: int, key: str) -> None:
        super().__init__(key)
        self.status = status
        self.key = key


class Gate:
    """Knows the users, their sessions and the proxies that may vouch for somebody."""

    def __init__(self, config: Config, key: bytes, clock: Callable[[], Instant]) -> None:
        web = config.web
        self._web = web
        self._users = config.user
        self._clock = clock
        self.sessions = Sessions(key, config.user, from_seconds(web.session_hours * 3600), clock)
        self.sign_in = SignIn(config.user, web.attempts, round(web.lock_minutes * 60) * SECOND, clock)
        # RFC 6265bis, 4.1.3.2: a browser takes it from this host alone
        self.cookie = f"__Host-{_COOKIE}" if web.has_secure_cookie else _COOKIE

    def reconfigure(self, config: Config) -> None:
        """Go on with other users; what stands under ``[web]`` waits for the next start."""
        self._users = config.user
        self.sessions.reconfigure(config.user)
        self.sign_in.reconfigure(config.user)

    def visitor(self, request: Request) -> Visitor | None:
        """Return who asks; None for somebody who must sign in first. A proxy's word counts before a session."""
        asking, now = asked(request), self._clock()
        named = vouched(asking, self._web, self._users, now)
        if named is not None or self._is_named(asking):
            return named
        session = self.sessions.read(request.cookies.get(self.cookie, ""))
        return session or neighbour(asking, self._web, now)

    def _is_named(self, asking: Asking) -> bool:
        """Whether a trusted proxy says who it is, or tries to: then nothing else counts."""
        header, trusted = self._web.proxy_header, asking.peer_address in self._web.trusted_proxies
        return bool(header and trusted and asking.values(header))

    def is_welcome(self, visitor: Visitor) -> bool:
        """Whether somebody who was let in may stay."""
        return self.sessions.lasts(visitor)

    def admit(self, request: Request, right: Right | None = None) -> Visitor:
        """Return who asks for data.

        Raises:
            Refused: nobody known does, or his role may not have it, or a page of another site asks through him.
        """
        if asked(request).is_from_elsewhere:
            raise Refused(403, "sign_in.elsewhere")
        visitor = self.visitor(request)
        if visitor is None:
            raise Refused(401, "sign_in.first")
        if right is not None and not may(visitor.role, right):
            raise Refused(403, "sign_in.not_yours")
        return visitor

    def admit_deed(self, request: Request, right: Right | None, token: str) -> Visitor:
        """Return who wants something done, by a page of ours that bears his token.

        Raises:
            Refused: as above, or another site's page may have sent it.
        """
        if not asked(request).is_own:
            raise Refused(403, "sign_in.elsewhere")
        visitor = self.admit(request, right)
        if not self.sessions.is_token(visitor, token):
            raise Refused(403, "sign_in.stale")
        return visitor

    def source(self, request: Request) -> str:
        """Return from where a try to sign in comes, as far as it is counted."""
        return asked(request).source(self._web.trusted_proxies)

    @property
    def is_shut(self) -> bool:
        """Whether nobody at all could sign in."""
        return not self.sign_in.has_users


def asked(request: Request) -> Asking:
    """Return a request as the core looks at it."""
    client = request.scope.get("client")
    headers = tuple((name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in request.headers.raw)
    return Asking("" if client is None else client[0], request.scope.get("http_version", ""), headers)
