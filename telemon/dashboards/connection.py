"""One Grafana: its HTTP API through grafana-client, and what it says when it refuses.

Source: Grafana's HTTP API reference (folders, data sources, dashboards, annotations), and for the answers that the
reference leaves open pkg/services/dashboards/errors.go and pkg/api/apierrors of Grafana itself.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from grafana_client.api import GrafanaApi
from grafana_client.client import GrafanaClientError, GrafanaException
from niquests.exceptions import ConnectionError as NoConnection
from niquests.exceptions import RequestException, SSLError, Timeout

from telemon.errors import DashboardError
from telemon.texts import text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TIMEOUT: Final = 15.0  # seconds
_API: Final[Any] = GrafanaApi  # grafana-client is not typed
_NOT_FOUND, _CHANGED = 404, 412
_ADVICE: Final = {
    401: "dashboards.unauthorized",
    403: "dashboards.forbidden",
    404: "dashboards.no_api",
    412: "dashboards.changed_meanwhile",
}


class Grafana:
    """What telemon asks of a Grafana; every method may raise DashboardError."""

    def __init__(self, url: str, token: str) -> None:
        """Take the address as it stands in a browser, a sub-path included; nothing is sent yet.

        Raises:
            DashboardError: the address is none.
        """
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError as error:
            raise DashboardError(text()("dashboards.bad_url", url=url)) from error
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.username:
            raise DashboardError(text()("dashboards.bad_url", url=url))
        prefix = f"{parts.path.strip('/')}/".lstrip("/")  # grafana-client joins it without a stroke
        self.url = url
        self._api = _API(
            token,
            protocol=parts.scheme,
            host=f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname,
            port=port,
            url_path_prefix=prefix,
            timeout=TIMEOUT,
        )

    def folder(self, uid: str) -> dict[str, Any] | None:
        """Return a folder, None if there is none of that uid."""
        return self._found("dashboards.doing_folder", lambda: self._api.folder.get_folder(uid))

    def make_folder(self, uid: str, title: str) -> None:
        """Make a folder."""
        self._done("dashboards.doing_folder", lambda: self._api.folder.create_folder(title, uid))

    def data_source(self, uid: str) -> dict[str, Any] | None:
        """Return a data source, None if there is none of that uid."""
        return self._found("dashboards.doing_source", lambda: self._api.datasource.get_datasource_by_uid(uid))

    def make_data_source(self, source: dict[str, Any]) -> None:
        """Make a data source."""
        self._done("dashboards.doing_source", lambda: self._api.datasource.create_datasource(source))

    def change_data_source(self, source: dict[str, Any]) -> None:
        """Write a data source anew; Grafana keeps its secrets."""
        self._done(
            "dashboards.doing_source", lambda: self._api.datasource.update_datasource_by_uid(source["uid"], source)
        )

    def dashboard(self, uid: str) -> dict[str, Any] | None:
        """Return ``{"dashboard": …, "meta": …}``, None if there is none of that uid."""
        return self._found("dashboards.doing_dashboard", lambda: self._api.dashboard.get_dashboard(uid))

    def save_dashboard(self, model: dict[str, Any], folder: str, message: str) -> None:
        """Save a dashboard; refused if it is no longer the ``version`` that the model names."""
        payload = {"dashboard": model, "folderUid": folder, "overwrite": False, "message": message}
        self._done("dashboards.doing_dashboard", lambda: self._api.dashboard.update_dashboard(payload))

    def annotations(self, tag: str, start: int, end: int, limit: int) -> list[dict[str, Any]]:
        """Return the organisation's annotations with a tag between two instants in milliseconds."""
        find = self._api.annotations.find_annotations
        with self._explained("dashboards.doing_annotations"):
            found = find(time_from=start, time_to=end, tags=[tag], ann_type="annotation", limit=limit)
            return [dict(one) for one in self._structure(found, list)]

    def add_annotation(self, start: int, end: int, tags: list[str], words: str) -> None:
        """Add an annotation, a region if it ends later than it begins (milliseconds)."""
        add = self._api.annotations.add_annotation
        self._done("dashboards.doing_annotations", lambda: add(time_from=start, time_to=end, tags=tags, text=words))

    def change_annotation(self, number: int, start: int, end: int, tags: list[str], words: str) -> None:
        """Write an annotation anew."""
        change = self._api.annotations.update_annotation
        self._done(
            "dashboards.doing_annotations",
            lambda: change(number, time_from=start, time_to=end, tags=tags, text=words),
        )

    def _found(self, doing: str, ask: Callable[[], Any]) -> dict[str, Any] | None:
        with self._explained(doing):
            try:
                return dict(self._structure(ask(), dict))
            except GrafanaClientError as error:
                if error.status_code == _NOT_FOUND and isinstance(error.response, dict):
                    return None  # Grafana says so itself; a page of something else would be HTML
                raise

    def _done(self, doing: str, ask: Callable[[], Any]) -> None:
        with self._explained(doing):
            self._structure(ask(), dict)

    def _structure(self, answer: Any, kind: type) -> Any:
        """Return the answer if it is of the API: a proxy's sign-in page comes as 200 with HTML."""
        if not isinstance(answer, kind):
            raise DashboardError(text()("dashboards.no_api", url=self.url, doing="", said=""))
        return answer

    @contextmanager
    def _explained(self, doing: str) -> Iterator[None]:
        say = text()
        try:
            yield
        except GrafanaException as error:
            if not error.status_code:
                raise DashboardError(say("dashboards.timeout", url=self.url, seconds=TIMEOUT)) from error
            key = _ADVICE.get(error.status_code, "dashboards.refused")
            raise DashboardError(say(key, url=self.url, doing=say(doing), said=_said(error))) from error
        except SSLError as error:
            raise DashboardError(say("dashboards.tls", url=self.url, reason=error)) from error
        except Timeout as error:
            raise DashboardError(say("dashboards.timeout", url=self.url, seconds=TIMEOUT)) from error
        except NoConnection as error:
            raise DashboardError(say("dashboards.unreachable", url=self.url, reason=_innermost(error))) from error
        except RequestException as error:  # no JSON where JSON was to be
            raise DashboardError(say("dashboards.no_api", url=self.url, doing="", said=error)) from error


def _said(error: GrafanaException) -> str:
    """Return Grafana's own words, cut short, with the status."""
    response = error.response
    words = response.get("message", "") if isinstance(response, dict) else ""
    return f"{error.status_code} {' '.join(str(words).split())[:200]}".strip()


def _innermost(error: BaseException) -> str:
    """Return what began a chain of exceptions: the system's own words, rather than three libraries' around it."""
    while error.__context__ is not None:
        error = error.__context__
    return getattr(error, "strerror", None) or str(error)
