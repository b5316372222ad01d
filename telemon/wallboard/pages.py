"""The HTML pages, from the templates beside this module, and the files that they use."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from starlette.responses import HTMLResponse
from starlette.staticfiles import StaticFiles

from telemon.texts import Texts
from telemon.wallboard.words import language_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import Scope

LANGUAGE_COOKIE: Final = "telemon_lang"
VIEWS: Final = frozenset({"screen", "phone"})
_YEAR: Final = 365 * 86_400
_FILES: Final = Path(__file__).parent / "static"
_TYPES: Final = {".js": "text/javascript", ".woff2": "font/woff2", ".svg": "image/svg+xml", ".css": "text/css"}
_ESCAPES: Final = str.maketrans(
    {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}
)


def boot_json(said: Mapping[str, Any], picture: str) -> Markup:
    """Return these members and the picture as JSON that nothing in it can end.

    Neither ``</script>`` nor ``<!--`` is spelt out (HTML Living Standard, 4.12.1.3).
    """
    members = json.dumps(said, separators=(",", ":"), allow_nan=False).removesuffix("}")
    return Markup(f'{members},"picture":{picture}}}'.translate(_ESCAPES))  # noqa: S704 - escaped just now


class Files(StaticFiles):
    """The files in ``static``, under a name that changes with them, so that browsers may keep each for good."""

    def __init__(self) -> None:
        super().__init__(directory=_FILES)
        marks = (
            f"{path.relative_to(_FILES)}\0".encode() + path.read_bytes()
            for path in sorted(_FILES.rglob("*.*"))
            if path.is_file()
        )
        found = sha256()
        for mark in marks:
            found.update(mark)
        self.prefix = f"/static/{found.hexdigest()[:12]}/"

    def file_response(self, full_path: Any, stat_result: Any, scope: Scope, status_code: int = 200) -> Response:
        """Answer with a file, under the type that browsers insist on."""
        answer = super().file_response(full_path, stat_result, scope, status_code)
        kind = _TYPES.get(Path(full_path).suffix)
        if kind is not None and "content-type" in answer.headers:
            answer.headers["content-type"] = f"{kind}; charset=utf-8" if kind.startswith("text/") else kind
        answer.headers["cache-control"] = "public, max-age=31536000, immutable"
        return answer


class Pages:
    """Fills templates in the visitor's language.

    Args:
        configured: the language of the site, None for the visitor's own.
    """

    def __init__(self, configured: str | None, static: str, *, secure: bool) -> None:
        self._configured = configured
        self._secure = secure
        self._templates = Environment(
            loader=PackageLoader("telemon.wallboard"), autoescape=True, undefined=StrictUndefined, trim_blocks=False
        )
        self._templates.globals["static"] = static

    def texts(self, request: Request) -> Texts:
        """Return the texts in the visitor's language."""
        query, cookies = request.query_params, request.cookies
        accepted = request.headers.get("accept-language", "")
        return Texts(language_of(query.get("lang"), cookies.get(LANGUAGE_COOKIE), self._configured, accepted))

    def answer(self, request: Request, template: str, status: int = 200, **values: Any) -> HTMLResponse:
        """Return a filled template; a language that the address asked for is kept in a cookie."""
        texts = self.texts(request)
        filled = self._templates.get_template(template).render(lang=texts.language, texts=texts, **values)
        answer = HTMLResponse(filled, status)
        if request.query_params.get("lang") == texts.language:
            answer.set_cookie(
                LANGUAGE_COOKIE, texts.language, max_age=_YEAR, httponly=True, samesite="strict", secure=self._secure
            )
        return answer


def view_of(request: Request) -> str:
    """Return the layout that the address asks for; empty to let the window decide."""
    wanted = request.query_params.get("view", "")
    return wanted if wanted in VIEWS else ""
