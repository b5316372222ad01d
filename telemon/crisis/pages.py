"""``/api/crisis``: a crisis cell opened, joined and closed by another program.

``GET /api/crisis`` tells how things stand; ``POST`` to it orders the cell, and to ``/join``, ``/leave``, ``/line`` and
``/close`` below it does what the commands of these names do. Each request carries ``Authorization: Bearer TOKEN``;
where no token is configured, all of this is off and answers 404. A body is one small JSON object; every answer, a
refusal too, is JSON, and a refusal says in ``error`` what to do.
"""

from __future__ import annotations

import asyncio
import json
from hmac import compare_digest
from typing import TYPE_CHECKING, Any, Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse
from starlette.routing import Route

from telemon.crisis.desks import choose
from telemon.crisis.export import status_json
from telemon.errors import CrisisError, LedgerError
from telemon.texts import text

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from starlette.requests import Request
    from starlette.responses import Response

    from telemon.crisis.desk import Answer, CrisisDesk
    from telemon.crisis.stages import CrisisStatus, LineNow

LARGEST_BODY: Final = 4096  # bytes
BODY_SECONDS: Final = 10.0
_API: Final = "api"  # who did it, unless the request says
_Wish = tuple[dict[str, type], "Callable[[CrisisDesk, Mapping[str, Any]], Answer]"]

_WISHES: Final[dict[str, _Wish]] = {
    "": (
        {"by": str, "title": str, "exercise": bool},
        lambda desk, said: desk.open(
            said.get("by", _API), title=said.get("title", ""), is_exercise=said.get("exercise", False)
        ),
    ),
    "/join": ({"person": str}, lambda desk, said: desk.join(said.get("person", ""), through=_API)),
    "/leave": ({"person": str}, lambda desk, said: desk.leave(said.get("person", ""))),
    "/line": ({}, lambda desk, _: desk.open_line()),
    "/close": ({"by": str}, lambda desk, said: desk.close(said.get("by", _API))),
}
"""What may be asked below ``/api/crisis``: the members that its body may have, and what is done with them."""


class _Refusal(Exception):  # noqa: N818 - it is an answer
    """A request that is not done; its arguments are the status and the message."""


def crisis_routes(
    desks: Mapping[str, CrisisDesk],
    token: str | None,
    live: Callable[[str], LineNow | None] = lambda _: None,
) -> list[Route]:
    """Return the routes.

    Args:
        desks: by service.
        token: whoever shows it may ask; None or empty: nobody may.
        live: tells of a service how its line is now. It is asked in the event loop.
    """
    pages = _Pages(desks, token, live)
    wishes = [
        Route(f"/api/crisis{path}", pages.guarded(pages.doing(*wish)), methods=["POST"])
        for path, wish in _WISHES.items()
    ]
    return [Route("/api/crisis", pages.guarded(pages.show), methods=["GET"]), *wishes]


class _Pages:
    def __init__(
        self, desks: Mapping[str, CrisisDesk], token: str | None, live: Callable[[str], LineNow | None]
    ) -> None:
        self._desks = desks
        self._token = token
        self._live = live

    def guarded(self, page: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
        """Return a page that first looks at the token, and turns what goes wrong into JSON."""

        async def answer(request: Request) -> Response:
            try:
                self._admit(request)
                return await page(request)
            except _Refusal as refusal:
                status, said = refusal.args
                headers = {"WWW-Authenticate": "Bearer"} if status == 401 else None  # noqa: PLR2004 - RFC 6750, 3
                return JSONResponse({"error": said}, status_code=status, headers=headers)
            except CrisisError as error:
                return JSONResponse({"error": str(error)}, status_code=409)
            except LedgerError as error:
                return JSONResponse({"error": str(error)}, status_code=503)

        return answer

    async def show(self, request: Request) -> Response:
        """Tell how things stand."""
        desk = self._desk(request.query_params.get("service"))
        status = await run_in_threadpool(desk.status, self._live(desk.service))
        return JSONResponse({"service": desk.service, "crisis": None if status is None else _shown(status, desk)})

    def doing(
        self, members: Mapping[str, type], wish: Callable[[CrisisDesk, Mapping[str, Any]], Answer]
    ) -> Callable[[Request], Awaitable[Response]]:
        """Return the page that does a wish."""

        async def do(request: Request) -> Response:
            said = _understood(await _body(request), {**members, "service": str})
            desk = self._desk(said.get("service"))
            answer = await run_in_threadpool(wish, desk, said)
            shown = {"service": desk.service, "changed": answer.changed, "crisis": _shown(answer.status, desk)}
            return JSONResponse(shown)

        return do

    def _admit(self, request: Request) -> None:
        if not self._token:
            raise _Refusal(404, text()("crisis.api_off"))
        kind, _, shown = request.headers.get("Authorization", "").partition(" ")
        known = compare_digest(shown.strip().encode("latin-1"), self._token.encode())
        if kind.lower() != "bearer" or not known:
            raise _Refusal(401, text()("crisis.api_token"))

    def _desk(self, service: str | None) -> CrisisDesk:
        try:
            return choose(self._desks, service)
        except CrisisError as error:
            raise _Refusal(404, str(error)) from error


def _shown(status: CrisisStatus, desk: CrisisDesk) -> dict[str, Any]:
    return status_json(status, status.exceeded(desk.rules.thresholds))


async def _body(request: Request) -> bytes:
    body = b""
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for part in request.stream():
                body += part
                if len(body) > LARGEST_BODY:
                    raise _Refusal(413, text()("crisis.api_large", limit=LARGEST_BODY))
    except ClientDisconnect as error:
        raise _Refusal(400, text()("crisis.api_no_json")) from error  # nobody hears it
    except TimeoutError as error:
        raise _Refusal(408, text()("crisis.api_slow", seconds=round(BODY_SECONDS))) from error
    return body


def _understood(body: bytes, members: Mapping[str, type]) -> dict[str, Any]:
    try:
        said = json.loads(body) if body else {}
    except (ValueError, RecursionError) as error:
        raise _Refusal(400, text()("crisis.api_no_json")) from error
    if not isinstance(said, dict):
        raise _Refusal(400, text()("crisis.api_no_json"))
    for name, value in said.items():
        if type(value) is not members.get(name):
            known = ", ".join(f"{member} ({kind.__name__})" for member, kind in sorted(members.items()))
            raise _Refusal(400, text()("crisis.api_member", name=name[:40], known=known))
    return said
