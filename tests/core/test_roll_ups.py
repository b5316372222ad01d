"""Bodies of roll-ups: what they say, that they add up, and which definitions they are kept apart by."""

from dataclasses import replace
from datetime import date, datetime
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemon.buckets import Buckets, Span
from telemon.instants import SECOND, from_datetime, to_datetime
from telemon.measures import measure, merge
from telemon.records import Flag, Outcome, Provenance
from telemon.roll_ups import Definition, Sums, body_of, definitions
from telemon.rulesets import AnsweredBy, Clock, Goal, GoalKind, load_rulesets, ruleset_at
from tests.core.test_measures import call

CYCLE = 5 * SECOND
PARIS = "Europe/Paris"
QUALIPREF = ruleset_at(load_rulesets(), "qualipref", date(2026, 1, 1))
HERE = Definition.of(QUALIPREF, CYCLE, PARIS)

CALLS = st.builds(
    call,
    outcome=st.sampled_from(Outcome),
    rang=st.integers(0, 700 * SECOND),
    is_probe=st.booleans(),
    flags=st.lists(st.sampled_from(Flag), max_size=2, unique=True).map(tuple),
    provenance=st.sampled_from(Provenance),
    machine_answered_at=st.sampled_from((None, 1_700_000_001 * SECOND)),
)


def measured(calls, definition=HERE):
    return measure(calls, definition.ruleset, definition.cycle)


def added(*bodies, definition=HERE):
    sums = Sums()
    for body in bodies:
        sums.add(body)
    return sums.measures(definition)


def test_a_body_says_what_its_documentation_says():
    """Ledgers hold such texts: whoever changes them must raise FORM."""
    calls = [call(rang=rang * SECOND) for rang in (1, 4, 6)]
    calls += [call(Outcome.ABANDONED, rang=12 * SECOND), call(is_probe=True), call(Outcome.ABANDONED, rang=2 * SECOND)]
    calls[0] = replace(calls[0], provenance=Provenance.REPAIRED)
    assert body_of(measured(calls)) == (
        '{"by_outcome":{"answered":3,"abandoned":1,"short_abandoned":1},"recorded":{"answered":3,"abandoned":2},'
        '"by_provenance":{"repaired":1},"probes":1,"within":3,"rings_answered":[4,2,[1,1],[2,1]],'
        '"rings_lost":[3,3,[3],[1]],"answer_times":[11000000,6000000,[10,30,20],[1,1,1]],'
        '"waits":[35000000,15000000,[40,30,20,60],[1,1,1,1]]}'
    )


def test_nothing_is_an_empty_body():
    assert body_of(measured([])) == "{}"
    assert added("{}") == added() == measured([])


@given(calls=st.lists(CALLS, max_size=12), cut=st.integers(0, 12))
@pytest.mark.parametrize("name", ["qualipref", "marianne", "services-publics-plus"])
def test_bodies_add_up_to_the_measures_of_all_calls(name, calls, cut):
    definition = Definition.of(ruleset_at(load_rulesets(), name, date(2026, 1, 1)), CYCLE, PARIS)
    first, second = (measured(some, definition) for some in (calls[:cut], calls[cut:]))
    both = added(body_of(first), body_of(second), definition=definition)
    assert both == merge(first, second) == measured(calls, definition)
    assert body_of(both) == body_of(measured(calls, definition))


def test_gaps_must_fit_into_the_period():
    with pytest.raises(ValueError, match="do not fit"):
        Sums().measures(HERE, gap_duration=2, period_duration=1)


@pytest.mark.parametrize(
    "change",
    [
        {"clock": Clock.ARRIVAL},
        {"answered_by": AnsweredBy.OPERATOR_OR_MACHINE},
        {"max_rings": 4},
        {"country": "US"},
        {"short_abandon": 0},
        {"lost": frozenset({Outcome.ABANDONED})},
    ],
)
def test_what_counts_otherwise_is_another_definition(change):
    assert Definition.of(replace(QUALIPREF, **change), CYCLE, PARIS).digest != HERE.digest


def test_zone_and_ring_cycle_make_another_definition_too():
    assert Definition.of(QUALIPREF, CYCLE, "Pacific/Marquesas").digest != HERE.digest
    assert Definition.of(QUALIPREF, CYCLE + 1, PARIS).digest != HERE.digest


def test_what_a_rule_set_is_called_or_promises_changes_no_sum():
    goals = (Goal(GoalKind.LOST_RATE_BELOW, Fraction(1, 20)),)
    renamed = replace(
        QUALIPREF, name="x", version="9", valid_from=date(2030, 1, 1), title_fr="x", title_en="x", country="FR",
        goals=goals, lost=frozenset(sorted(QUALIPREF.lost, reverse=True)),
    )  # fmt: skip
    assert Definition.of(renamed, CYCLE, PARIS).digest == HERE.digest


def test_every_version_of_every_rule_set_is_rolled_up_once():
    own = {"ours": [{"version": f"{n}", "valid_from": date(2020 + n, 1, 1), "title_fr": "x", "title_en": "x",
                     "max_rings": 3 + n % 2} for n in range(3)]}  # fmt: skip
    known = definitions(load_rulesets(own), CYCLE, PARIS)
    assert sorted(each.ruleset.name for each in known.values()) == ["marianne", "ours", "ours", "qualipref",
                                                                    "services-publics-plus"]  # fmt: skip
    assert {digest: each.digest for digest, each in known.items()} == {digest: digest for digest in known}


# Hours


@pytest.mark.parametrize(
    ("zone", "day", "begin", "count"),
    [
        (PARIS, date(2026, 3, 29), ["00:00", "01:00", "03:00", "04:00"], 23),
        (PARIS, date(2026, 10, 25), ["00:00", "01:00", "02:00", "02:00", "03:00"], 25),
        (PARIS, date(2028, 2, 29), ["00:00", "01:00", "02:00", "03:00"], 24),
        ("Pacific/Marquesas", date(2026, 1, 1), ["00:00", "01:00", "02:00"], 24),
        ("Australia/Lord_Howe", date(2026, 4, 5), ["00:00", "01:00", "01:30", "02:00", "03:00"], 25),  # 24.5 h
        ("Australia/Lord_Howe", date(2026, 10, 4), ["00:00", "01:00", "02:30", "03:00", "04:00"], 24),  # 23.5 h
        ("America/St_Johns", date(2006, 10, 29), ["00:00", "00:00", "01:00", "02:00"], 25),
    ],
)
def test_hours_begin_where_the_clock_on_the_wall_shows_a_full_one(zone, day, begin, count):
    where = ZoneInfo(zone)
    noon = from_datetime(datetime(day.year, day.month, day.day, 12, tzinfo=where))
    buckets = Buckets(where)
    whole = buckets.whole(Span.DAY, noon, noon + 1)
    starts = buckets.starts(Span.HOUR, whole.start, whole.end)[:-1]
    shown = [f"{to_datetime(start).astimezone(where):%H:%M}" for start in starts]
    assert (shown[: len(begin)], len(shown)) == (begin, count)
    assert {time[3:] for time in shown[len(begin) :]} == {"00"}
