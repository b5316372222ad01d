"""Scenario files: the built-in ones by name, one's own by path."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pydantic import ValidationError

from simulators.traffic.scenario import Scenario
from telemon.errors import TelemonError
from telemon.texts import text

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

_FOLDER: Final = Path(__file__).parent / "scenarios"
_ADVICE: Final = {
    "extra_forbidden": "sim_traffic.unknown_key",
    "missing": "sim_traffic.missing_key",
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
            raise TelemonError(text()("sim_traffic.no_scenario", name=name_or_path, known=known))
        path = _FOLDER / f"{name_or_path}.toml"
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise TelemonError(text()("sim_traffic.unreadable", path=path, reason=error.strerror)) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise TelemonError(text()("sim_traffic.no_toml", path=path, reason=error)) from error
    try:
        return Scenario.model_validate({"name": path.stem} | values)
    except ValidationError as error:
        problems = text()("sim_traffic.separator").join(_explain(problem) for problem in error.errors())
        raise TelemonError(text()("sim_traffic.problems", path=path, problems=problems)) from None


def _explain(problem: ErrorDetails) -> str:
    say, kind, reason = text(), problem["type"], problem["msg"].removeprefix("Value error, ")
    if kind in _ADVICE:
        message = say(_ADVICE[kind])
    elif kind == "value_error":
        message = reason
    else:
        message = say("sim_traffic.bad_value", reason=reason, given=repr(problem["input"]))
    key = ".".join(str(part) for part in problem["loc"])
    return say("sim_traffic.about_key", key=key, message=message) if key else message
