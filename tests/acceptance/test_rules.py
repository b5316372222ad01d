"""The committed rules and routes, judged by Prometheus' and Alertmanager's own tools; every alert is explained."""

import re
import subprocess
from itertools import chain

import pytest
from ruamel.yaml import YAML

from telemon import __path__ as telemon_path
from tests.acceptance.monitoring_kit import DASHBOARDS

PROMETHEUS, ALERTMANAGER = DASHBOARDS / "prometheus", DASHBOARDS / "alertmanager" / "alertmanager.yml"
RULES, TESTS = sorted(PROMETHEUS.glob("rules/*.yml")), sorted(PROMETHEUS.glob("tests/*.yml"))
TEXTS = ("summary_fr", "summary_en", "description_fr", "description_en")
NAMED = re.compile(r'alertname="(Telemon\w+)"')
_YAML = YAML(typ="safe")


def run(*command, status=0):
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout + done.stderr


def alerts():
    groups = chain.from_iterable(_YAML.load(path)["groups"] for path in RULES)
    return {rule["alert"]: rule for group in groups for rule in group["rules"] if "alert" in rule}


def steps():
    """Yield each step of the rules' own tests: file, case, step."""
    for path in TESTS:
        for case in _YAML.load(path)["tests"]:
            for step in case["promql_expr_test"]:
                yield path, case, step


def without_comments(path):
    return re.sub(r"(^|\s)#.*", "", path.read_text("utf-8"))


def fired(step):
    return {name for sample in step["exp_samples"] for name in NAMED.findall(sample["labels"])}


@pytest.mark.real("promtool")
def test_promtool_accepts_configuration_and_rules():
    assert "is valid prometheus config file syntax" in run("promtool", "check", "config", PROMETHEUS / "prometheus.yml")
    for path in RULES:
        run("promtool", "check", "rules", "--lint=all", "--lint-fatal", path)


@pytest.mark.real("promtool")
@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.stem)
def test_rules_fire_and_resolve_as_their_own_tests_say(path):
    assert "SUCCESS" in run("promtool", "test", "rules", path)


def test_every_alert_is_seen_to_fire_to_be_silent_and_to_resolve():
    """A case that has an alert fire also has an earlier step without it, and some case a later one."""
    fires, silent_before, over_after = set(), set(), set()
    for path in TESTS:
        for case in _YAML.load(path)["tests"]:
            told = [fired(step) for step in case["promql_expr_test"] if "ALERTS" in step["expr"]]
            for place, names in enumerate(told):
                fires |= names
                silent_before |= names - set().union(*told[place - 1 : place])
                over_after |= set().union(*told[:place]) - names
    expected = set(alerts()) - {"TelemonDeadMan"}
    assert fires == set(alerts())
    assert expected - silent_before == set()
    assert expected - over_after == set()


@pytest.mark.real("promtool")
def test_what_alerts_say_is_whole_in_both_languages(tmp_path):
    """promtool shows an alert's texts only where they are not as expected: so nothing is expected."""
    said: dict[str, dict[str, str]] = {}
    for number, (path, case, step) in enumerate(steps()):
        names = fired(step) - said.keys()
        if not names:
            continue
        cases = [{"eval_time": step["eval_time"], "alertname": name, "exp_alerts": []} for name in names]
        own = {key: case[key] for key in ("interval", "input_series")} | {"alert_rule_test": cases}
        content = _YAML.load(path)
        rules = [str(path.parent / name) for name in content["rule_files"]]
        content |= {"rule_files": rules, "tests": [own]}
        with (tmp_path / f"{number}.yml").open("w") as stream:
            _YAML.dump(content, stream)
        shown = run("promtool", "test", "rules", tmp_path / f"{number}.yml", status=1)
        for name, texts in re.findall(r'Labels:\{alertname="(\w+)".*?\n\s*Annotations:\{(.*)\}', shown):
            said[name] = dict(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', texts))
    assert said.keys() == alerts().keys()
    for name, texts in said.items():
        assert texts.keys() == {*TEXTS, "runbook"}, name
        for text in texts.values():
            assert text.strip()
            assert not re.search(r"no value|error expanding|\{\{|%!|\bNaN\b", text), (name, text)
        assert texts["summary_fr"] != texts["summary_en"]
        assert texts["description_fr"] != texts["description_en"]


def test_every_alert_has_a_severity_and_a_row_in_the_reference():
    reference = (DASHBOARDS.parent / "docs" / "alerts.md").read_text("utf-8")
    rows = dict(re.findall(r'^\| <a id="(\w+)"></a>`(\w+)` \|', reference, re.MULTILINE))
    assert set(rows.values()) == set(alerts())
    for name, rule in alerts().items():
        page, anchor = rule["annotations"]["runbook"].split("#")
        assert (page, rows[anchor]) == ("docs/alerts.md", name)
        severity = rule["labels"]["severity"]
        assert severity in {"critical", "warning", "info", "none"} or "exercise" in severity
        assert (severity == "none") == (name == "TelemonDeadMan")


def test_rules_ask_for_nothing_that_telemon_does_not_tell():
    (package,) = telemon_path
    source = "\n".join(path.read_text("utf-8") for path in (DASHBOARDS.parent / package).rglob("*.py"))
    exposed = set(re.findall(r'"(telemon_[a-z_]+)"', source))
    asked = set(re.findall(r"\btelemon_[a-z_0-9]+", "\n".join(map(without_comments, RULES))))
    assert len(asked) > 30
    assert {name for name in asked if name not in exposed and name.removesuffix("_total") not in exposed} == set()


def test_rules_ask_for_no_recorded_series_that_is_not_recorded():
    text = "\n".join(map(without_comments, RULES))
    recorded = set(re.findall(r"- record: (\S+)", text))
    asked = set(re.findall(r"\btelemon:\w+:\w+", text))
    assert len(recorded) > 30
    assert asked - recorded == set()


@pytest.mark.real("alertmanager")
def test_amtool_accepts_the_configuration():
    assert "SUCCESS" in run("amtool", "check-config", ALERTMANAGER)


@pytest.mark.real("alertmanager")
@pytest.mark.parametrize(
    ("labels", "receivers"),
    [
        ("alertname=TelemonDeadMan severity=none", "dead-man"),
        ("alertname=TelemonDown severity=critical", "duty-officers,critical"),
        ("alertname=TelemonCallerWaiting severity=warning site=a", "warning"),
        ("alertname=TelemonStaffingShort severity=info", "info"),
        ("alertname=TelemonX severity=none", "nobody"),
        ("alertname=Somebodys", "warning"),
        ("alertname=Somebodys severity=unheard-of", "warning"),
    ],
)
def test_alerts_are_routed_by_their_severity(labels, receivers):
    command = ("amtool", "config", "routes", "test", f"--config.file={ALERTMANAGER}")
    run(*command, f"--verify.receivers={receivers}", *labels.split())
    run(*command, "--verify.receivers=somebody-else", *labels.split(), status=1)


def test_nothing_but_the_loopback_is_named_and_no_secret():
    for path in (*RULES, *PROMETHEUS.glob("*.yml"), *PROMETHEUS.glob("targets/*.yml"), ALERTMANAGER):
        text = path.read_text("utf-8")
        assert {address for address in re.findall(r"[\w.]+:\d{2,5}\b", text) if address[:9] != "127.0.0.1"} == set(), (
            path
        )
        assert not re.search(r"^[^#]*(password|credentials|token):", text, re.MULTILINE), path
