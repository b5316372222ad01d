"""The addresses of the wallboard, and what each answers."""

# FastAPI reads the annotations of what answers as they are here: they are no texts in this module.
import asyncio
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Annotated, Any, Final

from fastapi import APIRouter, Depends, Path, Request
from fastapi.routing import APIRoute
from fastapi.sse import EventSourceResponse
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, RedirectResponse, Response

from telemon.errors import LedgerError
from telemon.wallboard.gate import TOKEN_HEADER, Refused, asked
from telemon.wallboard.pages import view_of
from telemon.wallboard.roles import Right
from telemon.wallboard.signing_in import Refusal
from telemon.wallboard.visitors import Visitor

if TYPE_CHECKING:
    from telemon.wallboard.board import Wallboard

LARGEST_FORM: Final = 4096  # bytes
FORM_SECONDS: Final = 10.0
_HOME, _SIGN_IN = "/wallboard", "/sign-in"
_ENTRY: Final = r"^[A-Za-z0-9_-]{1,64}$"
_SAID: Final = {
    Refusal.WRONG: (401, "sign_in.wrong"),
    Refusal.LOCKED: (429, "sign_in.locked"),
    Refusal.BUSY: (503, "sign_in.busy"),
}


def routers(board: "Wallboard") -> list[APIRouter]:
    """Return everything that answers."""
    return [_pages(board), _signing(board), _data(board)]


def _redirect(to: str) -> RedirectResponse:
    return RedirectResponse(to, 303)


# -- pages


def _pages(board: "Wallboard") -> APIRouter:
    router = APIRouter(route_class=_page_route(board))

    @router.get("/")
    async def home() -> Response:
        return _redirect(_HOME)

    @router.get(_HOME)
    async def wallboard(request: Request) -> Response:
        visitor = board.gate.visitor(request)
        if visitor is None:
            return _redirect(_SIGN_IN)
        texts = board.pages.texts(request)
        boot = await board.boot(visitor, texts.language)
        return board.pages.answer(
            request, "wallboard.html", boot=boot, view=view_of(request), **board.about(visitor, texts)
        )

    return router


def _signing(board: "Wallboard") -> APIRouter:
    router = APIRouter(route_class=_page_route(board))

    def form(request: Request, status: int = 200, problem: str = "", user: str = "") -> Response:
        key = problem or ("sign_in.nobody" if board.gate.is_shut else "")
        said = board.pages.texts(request)(key) if key else ""
        return board.pages.answer(request, "sign_in.html", status, problem=said, user=user, csrf="")

    @router.get(_SIGN_IN)
    async def show(request: Request) -> Response:
        return form(request)

    @router.post(_SIGN_IN)
    async def sign_in(request: Request) -> Response:
        if not asked(request).is_own:
            raise Refused(403, "sign_in.elsewhere")
        said = await _form(request)
        name = said.get("user", "")[:100]
        found = await board.gate.sign_in.check(name, said.get("password", ""), board.gate.source(request))
        if isinstance(found, Refusal):
            return form(request, *_SAID[found], name)
        answer = _redirect(_HOME)
        board.keep_session(answer, board.gate.sessions.begin(found))
        return answer

    @router.post("/sign-out")
    async def sign_out(request: Request) -> Response:
        visitor = board.gate.admit_deed(request, None, (await _form(request)).get("csrf", ""))
        board.gate.sessions.end(visitor)
        answer = _redirect(_SIGN_IN)
        board.keep_session(answer, None)
        return answer

    return router


async def _form(request: Request) -> dict[str, str]:
    """Return the fields of a small form.

    Raises:
        Refused: it is too large or too slow, or no form.
    """
    length = request.headers.get("content-length", "")
    if not length.isdecimal():
        raise Refused(411, "sign_in.no_form")
    if int(length) > LARGEST_FORM:
        raise Refused(413, "sign_in.no_form")
    try:
        async with asyncio.timeout(FORM_SECONDS), request.form(max_fields=10, max_files=0) as said:
            return {name: value for name, value in said.items() if isinstance(value, str)}
    except ClientDisconnect as error:
        raise Refused(400, "sign_in.no_form") from error
    except TimeoutError as error:
        raise Refused(408, "sign_in.no_form") from error


# -- data


def _data(board: "Wallboard") -> APIRouter:
    router = APIRouter(route_class=_data_route(board))
    gate = board.gate

    def anybody(request: Request) -> Visitor:
        return gate.admit(request)

    def reader(request: Request) -> Visitor:
        return gate.admit(request, Right.FIGURES)

    def caller(request: Request) -> Visitor:
        return gate.admit_deed(request, Right.CALL_BACK, request.headers.get(TOKEN_HEADER, ""))

    @router.get("/wallboard/stream")
    async def stream(visitor: Annotated[Visitor, Depends(anybody)]) -> Response:
        return _stream(board, visitor)

    @router.get("/wallboard/history", dependencies=[Depends(reader)])
    async def history(service: str | None = None, site: str | None = None) -> Response:
        return await _history(board, site, service)

    @router.post("/wallboard/callbacks/{entry}/done")
    async def done(
        visitor: Annotated[Visitor, Depends(caller)], entry: Annotated[str, Path(pattern=_ENTRY)]
    ) -> Response:
        if not await board.called_back(entry, visitor.name):
            raise Refused(404, "sign_in.no_entry")
        return Response(status_code=204)

    return router


def _stream(board: "Wallboard", visitor: Visitor) -> Response:
    if board.feed.is_full:
        raise Refused(503, "sign_in.full")
    return EventSourceResponse(board.feed.watch(visitor), headers={"X-Accel-Buffering": "no"})


async def _history(board: "Wallboard", site: str | None, service: str | None) -> Response:
    try:
        curve = await board.curve(site, service)
    except LedgerError as error:
        raise Refused(503, "sign_in.no_ledger") from error
    if curve is None:
        raise Refused(404, "sign_in.no_service")
    return JSONResponse(curve._asdict())


# -- refusals


_Answer = Callable[[Request], Coroutine[Any, Any, Response]]


def _route(refuse: Callable[[Request, Refused], Response]) -> type[APIRoute]:
    """Return a kind of route whose refusals become answers."""

    class Route(APIRoute):
        def get_route_handler(self) -> _Answer:
            handle = super().get_route_handler()

            async def answer(request: Request) -> Response:
                try:
                    return await handle(request)
                except Refused as refused:
                    return refuse(request, refused)

            return answer

    return Route


def _data_route(board: "Wallboard") -> type[APIRoute]:
    return _route(
        lambda request, refused: JSONResponse(
            {"error": board.pages.texts(request)(refused.key)}, status_code=refused.status
        )
    )


def _page_route(board: "Wallboard") -> type[APIRoute]:
    def refuse(request: Request, refused: Refused) -> Response:
        texts = board.pages.texts(request)
        shown = {"title": texts("sign_in.refused"), "message": texts(refused.key), "user": "", "csrf": ""}
        return board.pages.answer(request, "refused.html", refused.status, **shown)

    return _route(refuse)
