"""Bringing a Grafana to where it should be: everything is read and compared, then only what differs is written."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from telemon import __version__
from telemon.dashboards.differences import difference, normalised
from telemon.dashboards.marks import TAG
from telemon.errors import DashboardError
from telemon.texts import text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from telemon.dashboards.connection import Grafana
    from telemon.dashboards.marks import Mark
    from telemon.dashboards.shipped import Board

FOLDER: Final = "telemon"
SOURCE_UID: Final = "telemon-prometheus"
PROMETHEUS: Final = "http://127.0.0.1:9090"
MOST_MARKS: Final = 20_000


class Kind(StrEnum):
    """What is brought."""

    FOLDER = "folder"
    SOURCE = "source"
    DASHBOARD = "dashboard"
    ANNOTATION = "annotation"


class Fate(StrEnum):
    """What becomes of it."""

    NEW = "new"
    CHANGED = "changed"
    SAME = "same"


@dataclass(frozen=True, slots=True)
class Step:
    """One thing, how it differs from what Grafana has, and what makes it so (nothing, where it is so already)."""

    kind: Kind
    name: str
    fate: Fate
    difference: tuple[str, ...]
    act: Callable[[], None]


def plan(
    grafana: Grafana, boards: Sequence[Board], folder: str, prometheus: str | None, marks: Sequence[Mark]
) -> Iterable[Step]:
    """Yield what there is to do, in the order in which it must be done; reads, and writes nothing.

    Raises:
        DashboardError: Grafana cannot be reached or asked, or holds what must not be overwritten.
    """
    yield _folder(grafana, folder)
    yield _source(grafana, prometheus)
    for board in boards:
        yield _dashboard(grafana, board, folder)
    yield from _annotations(grafana, marks)


def _folder(grafana: Grafana, uid: str) -> Step:
    there = grafana.folder(uid)
    name = uid if there is None else str(there["title"])  # people may call it as they like
    act = _nothing if there is not None else lambda: grafana.make_folder(uid, uid)
    return Step(Kind.FOLDER, name, Fate.NEW if there is None else Fate.SAME, (), act)


def _source(grafana: Grafana, prometheus: str | None) -> Step:
    there = grafana.data_source(SOURCE_UID)
    if there is None:
        source = _wanted_source({}, prometheus or PROMETHEUS)
        return Step(Kind.SOURCE, source["name"], Fate.NEW, (), lambda: grafana.make_data_source(source))
    source = _wanted_source(there, prometheus or there.get("url") or PROMETHEUS)
    changes = tuple(difference(there, source, title=source["name"]))
    if not changes:
        return Step(Kind.SOURCE, source["name"], Fate.SAME, (), _nothing)
    if there.get("readOnly"):
        raise DashboardError(text()("dashboards.source_provisioned", url=grafana.url, uid=SOURCE_UID))
    return Step(Kind.SOURCE, source["name"], Fate.CHANGED, changes, lambda: grafana.change_data_source(source))


def _wanted_source(there: dict[str, Any], url: str) -> dict[str, Any]:
    """Return the data source as it should be; what somebody set besides (a sign-in, a certificate) stays.

    ``timeInterval`` is the scrape interval of ``dashboards/prometheus/prometheus.yml``: no step is finer than it.
    """
    more = {"httpMethod": "POST", "timeInterval": "5s"}
    return {
        **there,
        "uid": SOURCE_UID,
        "name": "telemon Prometheus",
        "type": "prometheus",
        "access": "proxy",
        "url": url,
        "jsonData": {**there.get("jsonData", {}), **more},
    }


def _dashboard(grafana: Grafana, board: Board, folder: str) -> Step:
    there = grafana.dashboard(board.uid)
    wanted = normalised(board.model)
    message = f"telemon {__version__}"
    if there is None:
        new = {**wanted, "id": None}
        return Step(Kind.DASHBOARD, board.title, Fate.NEW, (), lambda: grafana.save_dashboard(new, folder, message))
    _refuse_strangers(grafana, board, there["meta"], folder)
    found = there["dashboard"]
    changes = tuple(difference(normalised(found), wanted, title=board.uid))
    if not changes:
        return Step(Kind.DASHBOARD, board.title, Fate.SAME, (), _nothing)
    # the version that was compared: whoever saves meanwhile is not overwritten
    new = {**wanted, "id": found.get("id"), "version": found.get("version", there["meta"].get("version"))}
    return Step(
        Kind.DASHBOARD, board.title, Fate.CHANGED, changes, lambda: grafana.save_dashboard(new, folder, message)
    )


def _refuse_strangers(grafana: Grafana, board: Board, meta: dict[str, Any], folder: str) -> None:
    where = {"url": grafana.url, "uid": board.uid, "title": board.title}
    if meta.get("provisioned"):
        raise DashboardError(text()("dashboards.provisioned", **where))
    elsewhere = str(meta.get("folderUid") or "")
    if elsewhere != folder:
        shown = meta.get("folderTitle") or elsewhere
        raise DashboardError(text()("dashboards.elsewhere", **where, folder=folder, elsewhere=elsewhere, shown=shown))


def _annotations(grafana: Grafana, marks: Sequence[Mark]) -> Iterable[Step]:
    if not marks:
        return
    start, end = min(mark.start for mark in marks) - 1, max(mark.end for mark in marks) + 1
    found = grafana.annotations(TAG, start, end, MOST_MARKS)
    known = {tag: one for one in found for tag in one.get("tags", ()) if tag.startswith("id:")}
    for mark in sorted(marks, key=lambda mark: mark.start):
        yield _annotation(grafana, mark, known.get(mark.identity))


def _annotation(grafana: Grafana, mark: Mark, there: dict[str, Any] | None) -> Step:
    values = (mark.start, mark.end, list(mark.tags), mark.words)
    if there is None:
        return Step(Kind.ANNOTATION, mark.words, Fate.NEW, (), lambda: grafana.add_annotation(*values))
    before = {"time": there.get("time"), "timeEnd": there.get("timeEnd") or there.get("time"), "text": there["text"]}
    after = {"time": mark.start, "timeEnd": mark.end, "text": mark.words}
    changes = tuple(difference(before, after, title=mark.words))
    if not changes:
        return Step(Kind.ANNOTATION, mark.words, Fate.SAME, (), _nothing)
    number = int(there["id"])
    return Step(Kind.ANNOTATION, mark.words, Fate.CHANGED, changes, lambda: grafana.change_annotation(number, *values))


def _nothing() -> None:
    """Leave what is already as it should be."""
