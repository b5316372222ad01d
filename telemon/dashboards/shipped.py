"""Reading the dashboards that come with telemon."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from telemon.errors import DashboardError
from telemon.texts import text

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True)
class Board:
    """One dashboard as Grafana's JSON model."""

    language: str
    slug: str
    model: dict[str, Any]

    @property
    def uid(self) -> str:
        """What Grafana knows it by."""
        return str(self.model["uid"])

    @property
    def title(self) -> str:
        """What people know it by."""
        return str(self.model["title"])


def boards_folder() -> Path:
    """Return the folder ``dashboards/grafana``: of the checkout, or of the installed package."""
    checkout = Path(__file__).parents[2] / "dashboards" / "grafana"
    return checkout if checkout.is_dir() else Path(__file__).parent / "grafana"


def read_boards(languages: Iterable[str], folder: Path | None = None) -> list[Board]:
    """Return the dashboards of these languages, by their names.

    Raises:
        DashboardError: there are none, or one is no dashboard.
    """
    places = folder or boards_folder()
    boards = [_read(path, language) for language in languages for path in sorted((places / language).glob("*.json"))]
    if not boards:
        raise DashboardError(text()("dashboards.none", folder=places))
    return boards


def _read(path: Path, language: str) -> Board:
    try:
        model = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DashboardError(text()("dashboards.unreadable", path=path, reason=error)) from error
    if not isinstance(model, dict) or not (model.get("uid") and model.get("title")):
        raise DashboardError(text()("dashboards.unreadable", path=path, reason="uid, title"))
    return Board(language, path.stem, model)
