"""Scenario files: the built-in ones by name, one's own by path."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pydantic import ValidationError

from simulators.traffic.scenario import Scenario
from telemon.errors import TelemonError

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

_FOLDER: Final = Path(__file__).parent / "scenarios"
_ADVICE: Final = {
    "extra_forbidden": "there is no such key; correct its spelling or take it out",
    "missing": "this key is missing; add it",
}


def scenario_names() -> tuple[str, ...]:
    """Return the names of the built-in scenarios, sorted."""
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.toml")))


def load_scenario(name_or_path: str) -> Scenario:
    """Read a built-in scenario by its name, or any file that ends in ``.toml``.

    Raises:
        TelemonError: there is none, it cannot be read, or a key is wrong; the message names file, key and remedy.
    """
    path = Path(name_or_path)
    if path.suffix != ".toml":
        if name_or_path not in scenario_names():
            known = ", ".join(scenario_names())
            raise TelemonError(f"no scenario {name_or_path!r}; take one of {known}, or the path of a .toml file")
        path = _FOLDER / f"{name_or_path}.toml"
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise TelemonError(f"scenario {path}: {error.strerror}; check the path") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise TelemonError(f"scenario {path} is no TOML: {error}") from error
    try:
        return Scenario.model_validate({"name": path.stem} | values)
    except ValidationError as error:
        problems = "; ".join(_explain(problem) for problem in error.errors())
        raise TelemonError(f"scenario {path}: {problems}") from None


def _explain(problem: ErrorDetails) -> str:
    key = ".".join(str(part) for part in problem["loc"])
    message = _ADVICE.get(problem["type"]) or problem["msg"].removeprefix("Value error, ")
    if problem["type"] not in ("extra_forbidden", "missing", "value_error"):
        message = f"{message}, not {problem['input']!r}; correct it"
    return f"{key}: {message}" if key else message
