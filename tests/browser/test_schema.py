"""The committed dashboards are what Grafana's own types say a dashboard is: no option misspelt, no wrong value.

The types are those of ``@grafana/schema``; ``schema/dashboard.ts`` says which panel is held against which of them.
"""

import copy
import json
import subprocess
from pathlib import Path

import pytest
from jsonschema import Draft7Validator  # type: ignore[import-untyped]  # it comes without types
from jsonschema.exceptions import best_match  # type: ignore[import-untyped]  # likewise

HERE = Path(__file__).parent
GENERATOR = HERE / "grafana/node_modules/.bin/ts-json-schema-generator"
DASHBOARDS = sorted(Path(__file__).parents[2].joinpath("dashboards/grafana").glob("*/*.json"))

pytestmark = pytest.mark.real("node")


@pytest.fixture(scope="module")
def validator():
    command = [str(GENERATOR), "--path", "dashboard.ts", "--tsconfig", "tsconfig.json", "--type", "DashboardFile"]
    made = subprocess.run([*command, "--expose", "none"], cwd=HERE / "schema", capture_output=True, check=True)
    return Draft7Validator(json.loads(made.stdout))


def explain(error):
    """Name the place: of a panel the error in the branch for its own type, not that it is no panel of other types."""
    if error.validator == "anyOf" and error.context:
        own = [one for one in error.context if list(one.relative_path) != ["type"]]
        error = best_match(iter(own or error.context)) or error
    return f"{'/'.join(map(str, error.absolute_path))}: {error.message[:200]}"


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_a_dashboard_is_what_grafanas_types_say(validator, path):
    assert [explain(error) for error in validator.iter_errors(json.loads(path.read_text(encoding="utf-8")))] == []


def spoil(tree, at, value):
    """Return a copy with one value changed, deep inside."""
    spoilt = copy.deepcopy(tree)
    inside = spoilt
    for step in at[:-1]:
        inside = inside[step]
    inside[at[-1]] = value
    return spoilt


@pytest.mark.parametrize(
    ("at", "value"),
    [
        (["panels", 1, "options", "colourMode"], "value"),
        (["panels", 1, "options", "colorMode"], "backgroud"),
        (["panels", 1, "fieldConfig", "defaults", "decimals"], "0"),
        (["panels", 1, "fieldConfig", "defaults", "unti"], "s"),
        (["panels", 1, "fieldConfig", "overrides", 0, "properties", 0, "value", "mode"], "fixd"),
        (["panels", 1, "targets", 0, "format"], "tabel"),
        (["panels", 9, "fieldConfig", "defaults", "custom", "drawStyle"], "barz"),
        (["panels", 9, "fieldConfig", "overrides", 0, "properties", 1, "value"], "lines"),
        (["panels", 10, "transformations", 0, "id"], "mergee"),
        (["panels", 0, "type"], "statt"),
        (["panels", 0, "gridPos", "w"], "24"),
        (["templating", "list", 0, "type"], "querry"),
        (["annotations", "list", 0, "exprs"], "up"),
        (["refreshh"], "5s"),
    ],
    ids=lambda one: ".".join(map(str, one)) if isinstance(one, list) else str(one),
)
def test_the_schema_sees_a_slip(validator, at, value):
    live = json.loads(next(path for path in DASHBOARDS if path.stem == "live").read_text(encoding="utf-8"))
    assert validator.is_valid(live)
    assert not validator.is_valid(spoil(live, at, value))
