"""Scenario files: those that come along, one's own, and what is said of a wrong one."""

from datetime import UTC, datetime

import pytest

from simulators.traffic import draw, load_scenario, scenario_names, stream
from telemon.errors import TelemonError
from tests.core.traffic_kit import scenario


def test_the_scenarios_are_all_there_and_begin_on_their_dates():
    assert set(scenario_names()) == {
        "quiet-night", "monday-morning", "understaffed", "crisis", "holiday", "flapping-phone", "year", "demo"
    }  # fmt: skip
    begins = {name: datetime.fromtimestamp(load_scenario(name).starts_at, UTC) for name in scenario_names()}
    assert begins["year"] == datetime(2025, 12, 31, 23, tzinfo=UTC)
    assert begins["monday-morning"] == datetime(2026, 11, 23, 8, tzinfo=UTC)


GOOD = """
title = "mine"
begins = 2026-11-23T09:00:00
lasts_hours = 1
calls_per_day = 500
[services.standard]
share = 1.0
"""


def test_a_file_of_ones_own_is_read(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(GOOD + "[operators.usual]\nreaction_seconds = 3\n[operators.phones.op2]\nabsent_share = 0.5\n")
    mine = load_scenario(str(path))
    assert mine.name == "mine"
    op2 = mine.operators.phones["op2"]
    assert (op2.reaction_seconds, op2.absent_share) == (3.0, 0.5)
    assert draw(mine, seed=1).calls


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("lasts_hours = 1", "", "lasts_hours: this key is missing; add it"),
        ("lasts_hours = 1", "lasts_hours = -1", "lasts_hours: Input should be greater than 0, not -1; correct it"),
        ("share = 1.0", "share = 1.0\nshrae = 2", "services.standard.shrae: there is no such key; correct"),
        ("share = 1.0", 'share = 1.0\nprofile = "moon"', "'moon' is no profile; take one of office, round_the_clock"),
        ("share = 1.0", 'share = 1.0\nhours = ["monday"]', "services.standard.hours: opening hours 'monday' are not"),
        ("title", 'zone = "Europe/Pars"\ntitle', "zone: unknown time zone 'Europe/Pars'; write one like"),
        ("title", 'holidays = "FR-99"\ntitle', "holidays: no public holidays are known of 'FR-99'; write"),
        ("[services", "[profiles]\nnight = [0]\n[services", "profiles.night: Tuple should have at least 24 items"),
        ("[services", "[[surges]]\nservice='x'\nbegins_after_hours=1\n[services", "surges.0.service 'x' is no service"),
        ("= 500", "=", "is no TOML: "),
    ],
)
def test_a_wrong_file_is_told_by_file_key_and_remedy(tmp_path, old, new, message):
    path = tmp_path / "mine.toml"
    path.write_text(GOOD.replace(old, new, 1))
    with pytest.raises(TelemonError) as raised:
        load_scenario(str(path))
    assert str(path) in str(raised.value)
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_scenario_that_is_not_there(tmp_path):
    with pytest.raises(TelemonError, match=r"no scenario 'sunday'; take one of crisis, .*, year, or the path"):
        load_scenario("sunday")
    with pytest.raises(TelemonError, match="No such file or directory; check the path"):
        load_scenario(str(tmp_path / "none.toml"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"services": {"mairie": {"share": 1}}}, "services: site prefecture has no 'mairie' here; take one of accueil"),
        ({"operators": {"phones": {"op11": {}}}}, "operators.phones: site prefecture has no 'op11'"),
        ({"operators": {"rota": [{"phones": ["svc1"], "hours": []}]}}, "operators.rota: .* no 'svc1'"),
        ({"flapping": [{"phone": "acc1"}]}, "flapping: site prefecture has no 'acc1' here"),
    ],
)
def test_a_scenario_of_another_site_is_refused_at_once(changes, message):
    with pytest.raises(TelemonError, match=message):
        stream(scenario(**changes), seed=1)


def test_a_squeeze_must_be_possible():
    with pytest.raises(TelemonError, match="squeeze is 0; give a number above 0"):
        draw(scenario(), seed=1, squeeze=0)
