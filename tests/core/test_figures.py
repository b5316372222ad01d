"""The text of metrics, the present periods and their parts, and cover by several PBXs."""

from datetime import UTC, datetime
from fractions import Fraction
from itertools import pairwise
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client import Histogram as Theirs
from prometheus_client.parser import text_string_to_metric_families

from telemon.duty_records import Coverage, UncoveredCause
from telemon.figures.covered import anywhere, share
from telemon.figures.rules import promise_of
from telemon.figures.spans import PARTS, Part, Span, spans_at
from telemon.instants import SECOND, from_datetime
from telemon.metrics.families import Family, Histogram, number
from telemon.permanence.coverage import Stretch, sums
from telemon.roll_ups import Definition
from telemon.rulesets import load_rulesets

PARIS = ZoneInfo("Europe/Paris")
CAUSE = UncoveredCause.NOBODY_REGISTERED


def parsed(text):
    return [
        (sample.name, sample.labels, sample.value)
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    ]


# Text


@given(st.floats() | st.integers(-(2**53), 2**53))
def test_a_value_is_read_back_as_it_was(value):
    assert float(number(value)) == value or value != value  # noqa: PLR0124 - NaN


@given(st.dictionaries(st.tuples(st.text(), st.text()), st.floats(allow_nan=False), max_size=5))
def test_hostile_labels_stay_inside_their_quotes(values):
    family = Family("x", 'said "so"\non two \\ lines', ("a", "b"))
    for _ in range(2):  # made, and kept
        text = family.render(values.items())
        assert text.count(b"\n") == (len(values) + 2 if values else 0)
    assert family.render(values.items()) == family.join([family.block(values.items())])


def test_only_what_is_told_is_shown_and_a_change_is_seen():
    family = Family("x", "said", ("a",))
    assert family.render([(("1",), 1), (("2",), 2)]).endswith(b'x{a="1"} 1\nx{a="2"} 2\n')
    assert family.render([(("2",), 2.5)]) == b'# HELP x said\n# TYPE x gauge\nx{a="2"} 2.5\n'
    assert family.render([]) == b""


def test_a_histogram_reads_like_that_of_the_library():
    bounds, registry = (1, 2.5, 5), CollectorRegistry()
    ours, theirs = (
        Histogram("x", "said", ("a",), bounds),
        Theirs("x", "said", ("a",), buckets=bounds, registry=registry),
    )
    for value in (0.5, 1, 1.1, 2.5, 4, 5, 6, 600):
        ours.child(("v",)).observe(value)
        theirs.labels("v").observe(value)
        known = [one for one in parsed(generate_latest(registry)) if not one[0].endswith("_created")]
        assert sorted(parsed(b"".join(ours.render())), key=str) == sorted(known, key=str)


# Periods


@given(st.datetimes(datetime(2000, 1, 1), datetime(2060, 1, 1)))  # noqa: DTZ001 - hypothesis wants naive bounds
def test_the_parts_of_a_period_make_it_up(moment):
    spans = spans_at(from_datetime(moment.replace(tzinfo=UTC)), PARIS)
    for span in Span:
        parts = sorted(spans.part(part) for part in PARTS[span])
        period = spans.period(span)
        assert period.start <= spans.now < period.end
        assert parts[0][0] == period.start
        assert parts[-1][1] == spans.day.end
        assert all(one[1] == other[0] for one, other in pairwise(parts))
        to_come = sum(spans.to_come(span).values())
        assert spans.last_day(span).toordinal() - spans.today.toordinal() == to_come


def test_days_to_come_by_weekday():
    spans = spans_at(from_datetime(datetime(2026, 11, 23, 9, tzinfo=PARIS)), PARIS)  # a Monday
    assert spans.to_come(Span.MONTH) == {0: 1, 1: 1, 2: 1, 3: 1, 4: 1, 5: 1, 6: 1}
    assert spans.to_come(Span.DAY) == {}
    assert sum(spans.to_come(Span.YEAR).values()) == 38
    assert spans.part(Part.EARLIER_DAYS) == (spans.month.start, spans.day.start)


# What staffing has to keep


def test_promises_of_rule_sets():
    known = {
        name: promise_of(Definition.of(versions[-1], 5 * SECOND, "Europe/Paris"), 0.9)
        for name, versions in load_rulesets().items()
    }
    assert (known["qualipref"].seconds, known["qualipref"].lost_below) == (20, 0.1)  # fewer than five rings
    assert known["qualipref"].within_at_least == 0.9
    assert (known["services-publics-plus"].lost_below, known["services-publics-plus"].answered_at_least) == (1, 0.85)


# Cover


def line(*states, step=10):
    return [
        Stretch(step * place, step * (place + 1), state, CAUSE if state is Coverage.UNCOVERED else None)
        for place, state in enumerate(states)
    ]


COVERED, UNCOVERED, UNKNOWN = Coverage.COVERED, Coverage.UNCOVERED, Coverage.UNKNOWN


def test_whoever_is_reached_by_one_pbx_is_reached():
    joined = anywhere([line(COVERED, UNCOVERED, UNCOVERED, UNKNOWN), line(UNCOVERED, UNKNOWN, UNCOVERED, COVERED)])
    assert [stretch.state for stretch in joined] == [COVERED, UNKNOWN, UNCOVERED, COVERED]
    assert anywhere([line(COVERED)]) == line(COVERED)


@given(st.lists(st.lists(st.sampled_from(list(Coverage)), min_size=6, max_size=6), min_size=1, max_size=3))
def test_joined_cover_has_no_hole_and_is_never_less_than_one_alone(rows):
    lines = [line(*row) for row in rows]
    joined = anywhere(lines)
    assert [joined[0].start, joined[-1].end] == [0, 60]
    assert all(one.end == other.start for one, other in pairwise(joined))
    best = max(sums(one, [0, 60])[0].covered for one in lines)
    assert sums(joined, [0, 60])[0].covered >= best


def test_the_share_of_parts_is_that_of_the_whole():
    stretches = line(COVERED, UNCOVERED, UNKNOWN, COVERED)
    rate = share(sums(stretches, [0, 15, 40]))
    assert rate == sums(stretches, [0, 40])[0].rate
    assert (rate.value, rate.lower, rate.upper) == (Fraction(2, 3), Fraction(1, 2), Fraction(3, 4))
