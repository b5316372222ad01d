from __future__ import annotations

from datetime import UTC, date, datetime
from fractions import Fraction

import pytest

from telemon.cadences import COUNTRIES, ring_cycle, rings
from telemon.errors import ConfigError
from telemon.records import Outcome
from telemon.rulesets import AnsweredBy, Clock, Goal, GoalKind, load_rulesets, ruleset_at

OWN = {
    "version": "1",
    "valid_from": date(2026, 1, 1),
    "title_fr": "Chez nous",
    "title_en": "Ours",
}


@pytest.mark.parametrize(
    ("country", "seconds"),
    [("FR", 5), ("fr", 5), ("US", 6), ("CA", 6), ("GB", 3), ("UK", 3), ("ES", 4.5), ("BE", 4), ("AT", 6), ("JP", 3)],
)
def test_ring_cycle_is_tone_and_silence(country, seconds):
    assert ring_cycle(country) == seconds * 1_000_000


def test_unknown_country_lists_the_known_ones():
    with pytest.raises(ConfigError, match=r'country "XX".*AT, AU, BE.*FR.*US') as caught:
        ring_cycle("XX")
    assert all(country in str(caught.value) for country in COUNTRIES)


def test_every_european_union_country_but_latvia_is_known():
    first = {"AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU"}
    second = {"IE", "IT", "LT", "LU", "LV", "MT", "NL", "PL", "PT", "RO", "SE", "SI", "SK"}
    assert (first | second) - set(COUNTRIES) == {"LV"}


@pytest.mark.parametrize(
    ("duration", "number"),
    [(0, 1), (4_999_999, 1), (5_000_000, 2), (19_999_999, 4), (20_000_000, 5), (3_600_000_000, 721)],
)
def test_a_ring_begins_each_cycle(duration, number):
    assert rings(duration, 5_000_000) == number


def test_shipped_rule_sets():
    rulesets = load_rulesets()
    on = date(2026, 6, 1)
    qualipref = ruleset_at(rulesets, "qualipref", on)
    marianne = ruleset_at(rulesets, "marianne", on)
    plus = ruleset_at(rulesets, "services-publics-plus", on)
    assert set(rulesets) == {"qualipref", "marianne", "services-publics-plus"}
    assert (qualipref.clock, qualipref.answered_by, qualipref.max_rings) == (Clock.ALERTING, AnsweredBy.OPERATOR, 5)
    assert qualipref.goals == (Goal(GoalKind.LOST_RATE_BELOW, Fraction(1, 10)),)
    assert qualipref.short_abandon == 5_000_000
    assert qualipref.lost == {
        Outcome.ABANDONED, Outcome.UNANSWERED, Outcome.BUSY, Outcome.DIVERTED, Outcome.FAILED
    }  # fmt: skip
    assert marianne.answered_by is AnsweredBy.OPERATOR_OR_MACHINE
    assert plus.goals == (Goal(GoalKind.ANSWER_RATE_AT_LEAST, Fraction(17, 20)),)
    assert plus.short_abandon == 0
    assert qualipref.label == "qualipref 2026.1"


def test_a_site_adds_its_own_with_defaults():
    own = load_rulesets({"mairie": OWN})["mairie"][0]
    assert (own.clock, own.answered_by, own.max_rings, own.goals) == (Clock.ALERTING, AnsweredBy.OPERATOR, 5, ())
    assert own.cycle(4_000_000) == 4_000_000


def test_every_key_is_read():
    table = OWN | {
        "clock": "arrival", "answered_by": "operator_or_machine", "max_rings": 3, "country": "us",
        "short_abandon_seconds": 2.5, "lost": ["abandoned", "short_abandoned"],
        "goals": {"within_rings_at_least": 0.9, "lost_rate_below": 0.1},
    }  # fmt: skip
    own = load_rulesets({"mairie": table})["mairie"][0]
    assert own.clock is Clock.ARRIVAL
    assert own.answered_by is AnsweredBy.OPERATOR_OR_MACHINE
    assert own.max_rings == 3
    assert own.cycle(5_000_000) == 6_000_000
    assert own.short_abandon == 2_500_000
    assert own.lost == {Outcome.ABANDONED, Outcome.SHORT_ABANDONED}
    assert own.goals == (
        Goal(GoalKind.WITHIN_RINGS_AT_LEAST, Fraction(9, 10)),
        Goal(GoalKind.LOST_RATE_BELOW, Fraction(1, 10)),
    )


def test_the_version_valid_on_a_day_is_chosen():
    newer = OWN | {"version": "2", "valid_from": date(2027, 1, 1), "max_rings": 4}
    rulesets = load_rulesets({"mairie": [newer, OWN]})
    assert ruleset_at(rulesets, "mairie", date(2026, 12, 31)).version == "1"
    assert ruleset_at(rulesets, "mairie", date(2027, 1, 1)).version == "2"
    with pytest.raises(
        ConfigError, match=r'"mairie" is not valid on 2025-12-31: mairie 1 is the first, from 2026-01-01'
    ):
        ruleset_at(rulesets, "mairie", date(2025, 12, 31))
    with pytest.raises(ConfigError, match=r'no rule set "marie": use one of mairie, marianne'):
        ruleset_at(rulesets, "marie", date(2026, 1, 1))


@pytest.mark.parametrize(
    ("key", "value", "allowed"),
    [
        ("version", 1, "a text"),
        ("valid_from", "2026-01-01", "a day without quotes"),
        ("valid_from", datetime(2026, 1, 1, tzinfo=UTC), "a day without quotes"),
        ("title_fr", " ", "a text"),
        ("clock", "wall", "one of arrival, alerting, operator"),
        ("answered_by", "robot", "one of operator, operator_or_machine"),
        ("max_rings", 0, "at least 1"),
        ("max_rings", True, "at least 1"),
        ("max_rings", 4.5, "at least 1"),
        ("country", "XX", "ring cadence is known"),
        ("short_abandon_seconds", -1, "from 0 to 60"),
        ("short_abandon_seconds", 61, "from 0 to 60"),
        ("short_abandon_seconds", float("nan"), "from 0 to 60"),
        ("lost", [], "one or more of abandoned"),
        ("lost", "abandoned", "one or more of abandoned"),
        ("lost", ["answered"], "one or more of abandoned"),
        ("lost", ["unknown"], "one or more of abandoned"),
        ("lost", ["perdu"], "one or more of abandoned"),
        ("goals", {"lost_rate_below": 10}, "a share from 0 to 1"),
        ("goals", {"lost_rate": 0.1}, "a table of lost_rate_below"),
        ("goals", 0.1, "a table of lost_rate_below"),
    ],
)
def test_a_bad_value_names_rule_set_key_and_what_is_allowed(key, value, allowed):
    with pytest.raises(ConfigError, match=rf'rule set "mairie": {key} = .*must be .*{allowed}'):
        load_rulesets({"mairie": OWN | {key: value}})


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ({"mairie": OWN | {"rings": 5}}, 'rule set "mairie": unknown key "rings": use version, valid_from'),
        ({"mairie": {"version": "1"}}, 'rule set "mairie": valid_from is missing'),
        ({"Mairie de Lyon": OWN}, 'rule set "Mairie de Lyon": a name is made of'),
        ({"mairie": 5}, "must be a table"),
        ({"mairie": []}, "must be a table"),
        ({"mairie": [OWN, 5]}, "must be a table"),
        ({"qualipref": OWN}, "telemon's own"),
        ({"mairie": [OWN, OWN | {"version": "2"}]}, "the same valid_from"),
        ({"mairie": [OWN, OWN | {"valid_from": date(2027, 1, 1)}]}, "the same version"),
        ({"mairie": OWN | {"clock": "operator", "answered_by": "operator_or_machine"}}, 'needs the clock "arrival"'),
    ],
)
def test_what_makes_no_rule_set(extra, message):
    with pytest.raises(ConfigError, match=message):
        load_rulesets(extra)
