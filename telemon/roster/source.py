"""Where a roster's calendar comes from: a file, or a web server that is asked only for what changed."""

from __future__ import annotations

import re
import ssl
import stat
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import httpx

from telemon import __version__
from telemon.errors import RosterError
from telemon.roster.bounds import MAXIMUM_BYTES
from telemon.texts import text

if TYPE_CHECKING:
    from collections.abc import Iterable

_PATIENCE: Final = httpx.Timeout(20, connect=10)  # seconds, for each step
_WHOLE_PATIENCE: Final = 60  # seconds, for all of them
_REDIRECTS: Final = 5
_NOT_MODIFIED: Final = 304
_REFUSED: Final = frozenset({401, 403})
_GONE: Final = frozenset({404, 410})
_CALENDAR: Final = "text/calendar"
_SCHEMES: Final = frozenset({"http", "https", "webcal"})  # webcal is what programs call https to subscribe


@dataclass(frozen=True, slots=True)
class Fetched:
    """A calendar's bytes, and what its server wants to hear when it is asked whether they changed."""

    data: bytes
    etag: str = ""
    last_modified: str = ""


def where(source: str) -> str:
    """Return what a message may say of a source: of a URL neither password nor path, which often are secrets."""
    if not _is_url(source):
        return source
    scheme, _, rest = source.partition("://")
    host, _, path = re.split(r"[?#]", rest)[0].partition("/")
    folder, _, name = path.rpartition("/")
    return f"{scheme}://{host.rpartition('@')[2]}/{'…/' if folder else ''}{name}"


def fetch(source: str, known: Fetched | None = None) -> Fetched:
    """Return the calendar at this path or URL; ``known`` itself if the server says that it did not change.

    Raises:
        RosterError: it cannot be had; the message says why and what to do, but not where.
    """
    if not _is_url(source):
        return Fetched(_read(Path(source)))
    try:
        with _client() as client:
            return _download(client, source, known)
    except httpx.TooManyRedirects as error:
        raise RosterError(text()("roster.redirects", maximum=_REDIRECTS)) from error
    except httpx.TimeoutException as error:
        raise RosterError(text()("roster.slow", seconds=_WHOLE_PATIENCE)) from error
    except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
        raise RosterError(text()("roster.bad_url", reason=_line(error))) from error
    except httpx.TransportError as error:
        key = "roster.certificate" if _is_about_trust(error) else "roster.unreachable"
        raise RosterError(text()(key, reason=_line(error))) from error
    except httpx.HTTPError as error:
        raise RosterError(text()("roster.unreachable", reason=_line(error))) from error


def _is_url(source: str) -> bool:
    scheme, separator, _ = source.partition("://")
    return bool(separator) and scheme.lower() in _SCHEMES


def _read(path: Path) -> bytes:
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # a pipe would keep us waiting
            raise RosterError(text()("roster.no_file"))
        with path.open("rb") as file:
            data = file.read(MAXIMUM_BYTES + 1)
    except OSError as error:
        raise RosterError(text()("roster.unreadable", reason=error.strerror or error)) from error
    _check_length(len(data))
    return data


def _client() -> httpx.Client:
    return httpx.Client(
        follow_redirects=True,
        max_redirects=_REDIRECTS,
        timeout=_PATIENCE,
        verify=ssl.create_default_context(),  # the machine's own authorities, SSL_CERT_FILE included
        headers={
            "User-Agent": f"telemon/{__version__}",
            "Accept": "text/calendar, */*;q=0.1",
            "Accept-Encoding": "identity",  # what is short on the wire is short in memory
        },
    )


def _download(client: httpx.Client, source: str, known: Fetched | None) -> Fetched:
    asked = {}
    if known is not None and known.etag:
        asked["If-None-Match"] = known.etag
    if known is not None and known.last_modified:
        asked["If-Modified-Since"] = known.last_modified
    url = "https" + source[6:] if source.lower().startswith("webcal:") else source
    deadline = time.monotonic() + _WHOLE_PATIENCE
    with client.stream("GET", url, headers=asked) as response:
        if response.status_code == _NOT_MODIFIED and known is not None and asked:
            return known
        _check_status(response)
        data = _body(response.iter_bytes(), deadline)
        kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != _CALENDAR and not _begins_well(data):  # many servers say octet-stream, some scripts even HTML
            raise RosterError(text()("roster.content_type", kind=kind[:80]))
        return Fetched(data, response.headers.get("etag", ""), response.headers.get("last-modified", ""))


def _check_status(response: httpx.Response) -> None:
    status = response.status_code
    if response.is_success:
        return
    if status in _REFUSED:
        raise RosterError(text()("roster.refused", status=status))
    if status in _GONE:
        raise RosterError(text()("roster.gone", status=status))
    raise RosterError(text()("roster.bad_status", status=status))


def _body(chunks: Iterable[bytes], deadline: float) -> bytes:
    """Put the body together, unless it is too long or drips in too slowly."""
    data = bytearray()
    for chunk in chunks:
        data += chunk
        _check_length(len(data))
        if time.monotonic() > deadline:
            raise RosterError(text()("roster.slow", seconds=_WHOLE_PATIENCE))
    return bytes(data)


def _begins_well(data: bytes) -> bool:
    return data.removeprefix(b"\xef\xbb\xbf").lstrip()[:15].upper() == b"BEGIN:VCALENDAR"


def _check_length(length: int) -> None:
    if length > MAXIMUM_BYTES:
        raise RosterError(text()("roster.too_long", megabytes=MAXIMUM_BYTES >> 20))


def _is_about_trust(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLError):
            return True
        error = error.__cause__ or error.__context__
    return False


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
