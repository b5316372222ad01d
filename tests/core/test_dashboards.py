"""The Grafana dashboards: what is committed is what the source says, and it holds together."""

import ast
import itertools
import json
import re
from collections import Counter
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, ProcessCollector

import telemon
from dashboards.source import __main__ as command
from dashboards.source import palette
from dashboards.source.__main__ import PLANS, drawn, main
from dashboards.source.board import METRIC, draw
from dashboards.source.words import LANGUAGES, Words, read_texts

FILES = {path: json.loads(told) for path, told in drawn().items()}
SLUGS = [plan.slug for plan in PLANS]
NAMES = [f"{path.parent.name}-{path.stem}" for path in FILES]
every_dashboard = pytest.mark.parametrize("board", FILES.values(), ids=NAMES)


def queries(board):
    """Yield each query with where it stands; those of annotations, too."""
    for panel in board["panels"]:
        for target in panel["targets"]:
            yield f"{panel['id']}.{target['refId']}", target["expr"]
    for mark in board["annotations"]["list"]:
        yield mark["name"], mark["expr"]


def strings(tree):
    """Yield every string of a JSON tree with its key."""
    inside = tree.items() if isinstance(tree, dict) else enumerate(tree)
    for key, value in inside:
        if isinstance(value, dict | list):
            yield from strings(value)
        elif isinstance(value, str):
            yield key, value


# What is committed


def test_the_committed_files_are_what_the_source_says(capsys):
    assert main(["--check"]) == 0, capsys.readouterr().err


def test_writing_twice_changes_nothing_and_a_difference_is_named(tmp_path, monkeypatch, capsys):
    folder = tmp_path / "dashboards" / "grafana"
    monkeypatch.setattr(command, "FOLDER", folder)
    assert main(["--check"]) == 1
    assert main([]) == 0
    before = {path: path.read_bytes() for path in folder.glob("*/*.json")}
    assert len(before) == len(SLUGS) * len(LANGUAGES)
    assert main([]) == 0
    assert {path: path.read_bytes() for path in folder.glob("*/*.json")} == before
    assert main(["--check"]) == 0
    capsys.readouterr()
    (folder / "fr" / "live.json").write_bytes(before[folder / "fr" / "live.json"].replace(b"live", b"lives"))
    (folder / "en" / "stray.json").write_text("{}")
    assert main(["--check"]) == 1
    told = capsys.readouterr().err
    assert re.findall(r"\S+\.json", told) == ["dashboards/grafana/en/stray.json", "dashboards/grafana/fr/live.json"]
    assert main([]) == 0
    assert {path: path.read_bytes() for path in folder.glob("*/*.json")} == before


def test_files_end_with_a_newline_and_have_sorted_keys():
    for told in drawn().values():
        assert told.endswith("}\n")
        assert "\r" not in told
        assert told == json.dumps(json.loads(told), ensure_ascii=False, indent=1, sort_keys=True) + "\n"


# What holds together


def test_every_uid_is_there_once():
    expected = {f"telemon-{slug}-{language}" for slug in SLUGS for language in LANGUAGES}
    assert sorted(board["uid"] for board in FILES.values()) == sorted(expected)


@every_dashboard
def test_panels_and_queries_are_numbered_once(board):
    numbers = [panel["id"] for panel in board["panels"]]
    assert len(set(numbers)) == len(numbers)
    for panel in board["panels"]:
        references = [target["refId"] for target in panel["targets"]]
        assert all(references)
        assert len(set(references)) == len(references)
        assert all(target["datasource"]["uid"] == "telemon-prometheus" for target in panel["targets"])


@every_dashboard
def test_every_panel_has_a_title_a_unit_and_a_definition_with_its_metrics(board):
    for panel in board["panels"]:
        assert panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"]
        definition, _, metrics = panel["description"].partition("\n\n")
        assert re.search(r"Unités? :|Units?:", definition), panel["title"]
        asked = {name for target in panel["targets"] for name in METRIC.findall(target["expr"])}
        assert set(re.findall(r"`(\w+)`", metrics)) == asked - {"telemon_pbx_info"}


@every_dashboard
def test_panels_neither_overlap_nor_leave_the_grid(board):
    taken: Counter[tuple[int, int]] = Counter()
    for panel in board["panels"]:
        x, y, w, h = (panel["gridPos"][side] for side in "xywh")
        assert 0 <= x < x + w <= 24
        taken.update(itertools.product(range(x, x + w), range(y, y + h)))
    assert max(taken.values()) == 1


@every_dashboard
def test_the_first_panels_stand_at_the_top_left(board):
    places = [(panel["gridPos"]["y"], panel["gridPos"]["x"]) for panel in board["panels"]]
    assert places[0] == (0, 0)


@every_dashboard
def test_every_variable_is_defined_and_used(board):
    defined = {variable["name"] for variable in board["templating"]["list"]}
    asked = " ".join(expr for _, expr in queries(board))
    asked += " ".join(variable["query"]["query"] for variable in board["templating"]["list"])
    assert set(re.findall(r"\$(?!__)\{?(\w+)", asked)) == defined


def exposed():
    """Return every metric's name that telemon's source spells out, as Prometheus stores it, and the process's own."""
    found = {metric.name for metric in ProcessCollector(registry=CollectorRegistry()).collect()}
    for path in Path(telemon.__path__[0]).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.update(re.findall(r"^telemon_[a-z_]+$", node.value))
    return found | {f"{name}_total" for name in found}


def test_every_metric_in_a_query_is_one_that_telemon_exposes():
    known = exposed()
    for board in FILES.values():
        asked = [expr for _, expr in queries(board)]
        asked += [variable["query"]["query"] for variable in board["templating"]["list"]]
        assert {name for expr in asked for name in METRIC.findall(expr)} <= known, board["uid"]


def test_annual_figures_come_from_the_ledger():
    """``increase()`` extrapolates: only the quarter-hour curve and telemon's own health may use it."""
    users = {
        (slug, place)
        for slug in SLUGS
        for place, expr in queries(next(board for board in FILES.values() if board["uid"] == f"telemon-{slug}-en"))
        if re.search(r"\b(increase|rate)\(", expr)
    }
    assert {slug for slug, _ in users} == {"live", "health"}
    assert {place for slug, place in users if slug == "live"} == {"10.offered", "10.answered", "10.lost"}


@every_dashboard
def test_an_annotation_marks_what_is_above_zero(board):
    marks = {mark["target"]["refId"]: mark["expr"] for mark in board["annotations"]["list"]}
    assert set(marks) == {"gaps", "alerts", "crises"}
    assert "telemon_observation_seeing == bool 0" in marks["gaps"]


def test_a_site_in_the_comparison_leads_to_it_live():
    for board in FILES.values():
        if not board["uid"].startswith("telemon-sites"):
            continue
        links = [
            link["url"]
            for override in board["panels"][-1]["fieldConfig"]["overrides"]
            for value in override["properties"]
            if value["id"] == "links"
            for link in value["value"]
        ]
        uid = board["uid"].replace("sites", "live")
        assert links == [f"/d/{uid}?var-site=${{__data.fields.site:percentencode}}"]


def test_the_week_begins_on_monday():
    board = next(board for board in FILES.values() if board["uid"] == "telemon-staffing-fr")
    maps = [panel for panel in board["panels"] if panel["targets"][0]["refId"] == "hours" and panel["type"] == "table"]
    assert len(maps) == 5
    for panel in maps:
        matrix, order, rows = panel["transformations"]
        assert matrix["options"]["rowField"] == "weekday"
        hours = [f"{hour:02}" for hour in range(24)]
        columns = order["options"]["indexByName"]
        assert sorted(columns, key=columns.get) == ["weekday\\hour", *hours]
        assert rows["options"]["sort"] == [{"field": "weekday\\hour", "desc": False}]
        (named,) = [one for one in panel["fieldConfig"]["overrides"] if one["matcher"]["options"] == "weekday\\hour"]
        mapped = next(value["value"] for value in named["properties"] if value["id"] == "mappings")[0]["options"]
        assert [mapped[day]["text"] for day in "1234567"][:2] == ["lundi", "mardi"]
        assert mapped["7"]["text"] == "dimanche"


# Two languages


@pytest.mark.parametrize("slug", SLUGS)
def test_both_languages_have_the_same_panels(slug):
    french, english = (
        next(board for board in FILES.values() if board["uid"] == f"telemon-{slug}-{language}")
        for language in LANGUAGES
    )
    for one, other in zip(french["panels"], english["panels"], strict=True):
        for key in ("id", "type", "gridPos", "options", "transformations"):
            assert one.get(key) == other.get(key)
        pairs = zip(one["targets"], other["targets"], strict=True)
        assert all({**a, "legendFormat": ""} == {**b, "legendFormat": ""} for a, b in pairs)


@pytest.mark.parametrize("name", ["common", *SLUGS])
def test_no_text_is_left_over(name):
    used = {key for plan in PLANS if name in {"common", plan.slug} for key in draw(plan, "fr")[1].used}
    assert read_texts(name).keys() - used == set()


@pytest.mark.parametrize("name", ["common", *SLUGS])
def test_french_puts_a_space_before_double_signs_and_both_name_the_same_fields(name):
    for key, said in read_texts(name).items():
        assert not re.search(r"[\w}»]:\s|[\w»][;?!](\s|$)", said["fr"]), key
        assert re.findall(r"{{\w+}}", said["fr"]) == re.findall(r"{{\w+}}", said["en"]), key


def test_a_text_that_lacks_a_language_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("dashboards.source.words._FOLDER", tmp_path)
    (tmp_path / "live.toml").write_text('[title]\nfr = "Direct"\n')
    with pytest.raises(ValueError, match=r"live\.toml: title must be said in fr and en"):
        Words("live", "fr")


# Colours


def luminance(color):
    shares = (int(color[place : place + 2], 16) / 255 for place in (1, 3, 5))
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in shares)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def brightness(color):
    red, green, blue = (int(color[place : place + 2], 16) for place in (1, 3, 5))
    return (red * 299 + green * 587 + blue * 114) / 1000


@pytest.mark.parametrize("color", sorted(palette.FILLS))
def test_text_on_a_colour_can_be_read(color):
    """Grafana writes black where the background's brightness is above 180, else white; large text needs 3:1 (WCAG)."""
    text = 0.0 if brightness(color) > 180 else 1.0
    lighter, darker = sorted((luminance(color), text), reverse=True)
    assert (lighter + 0.05) / (darker + 0.05) >= 3


@every_dashboard
def test_only_the_palette_is_used(board):
    known = palette.FILLS | palette.LINES | {palette.PLAIN, palette.NOTHING}
    colors = {value for key, value in strings(board) if key in {"color", "fixedColor", "iconColor"}}
    assert colors
    assert colors <= known


@every_dashboard
def test_what_carries_text_has_a_colour_made_for_it(board):
    for panel in board["panels"]:
        if panel["type"] == "stat" and panel["options"]["colorMode"] == "background_solid":
            colors = {value for key, value in strings(panel) if key in {"color", "fixedColor"}}
            assert colors <= palette.FILLS, panel["title"]
