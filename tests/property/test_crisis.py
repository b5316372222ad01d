"""Whatever is told of a crisis, and in whatever order: stages are filled once, and a report adds up."""

from dataclasses import replace
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from telemon.crisis.report import MINUTE, crisis_report
from telemon.crisis.stages import FIELDS, headcount, progress
from telemon.instants import SECOND
from telemon.records import Flag, Outcome
from tests.core.test_crisis import CRISIS, T, stay
from tests.core.test_crisis_report import CYCLE, RULES, call

OFFSETS = st.integers(-50, 200)
STAYS = st.builds(
    lambda person, joined, lasted: stay(person, joined, None if lasted is None else joined + lasted),
    st.sampled_from("abcd"),
    st.integers(0, 150),
    st.none() | st.integers(0, 100),
)
NEWS = st.tuples(st.lists(STAYS, max_size=6), st.none() | OFFSETS, st.none() | OFFSETS, st.none() | st.integers(0, 200))


def stages(crisis):
    return [getattr(crisis, field) for field in FIELDS.values()]


@given(st.lists(NEWS, max_size=6))
def test_stages_are_only_ever_filled(news):
    crisis = CRISIS
    for members, line, answered, closed in news:
        if closed is not None and crisis.closed_at is None:
            crisis = replace(crisis, closed_at=T + closed)
        after = progress(
            crisis,
            members,
            line_opened_at=None if line is None else T + line,
            first_answered_at=None if answered is None else T + answered,
        )
        for old, new in zip(stages(crisis), stages(after), strict=True):
            assert new == old or (old is None and new >= T and (after.closed_at is None or new < after.closed_at))
        assert replace(after, **{field: getattr(crisis, field) for field in FIELDS.values()}) == crisis
        crisis = after


@settings(deadline=None)
@given(st.lists(STAYS, max_size=8))
def test_staffed_is_the_first_instant_at_which_enough_are_there(members):
    at = progress(CRISIS, members, line_opened_at=None, first_answered_at=None).staffed_at
    counts = [headcount(members, T + offset) for offset in range(260)]
    enough = [offset for offset, count in enumerate(counts) if count >= CRISIS.plan]
    assert at == (T + enough[0] if enough else None)


CALLS = st.lists(
    st.builds(
        lambda arrived, wait, outcome, is_probe, flags, talk: call(
            arrived, wait, outcome, is_probe=is_probe, flags=flags, talk=talk
        ),
        st.integers(-20, 700),
        st.integers(0, 200),
        st.sampled_from(Outcome),
        st.sampled_from((False, False, False, True)),
        st.sampled_from(((), (), (), (Flag.INTERNAL,))),
        st.integers(0, 50),
    ),
    max_size=20,
)


def waiting_at(calls, at):
    """How many wait at an instant, by looking at each call: slow, but plain."""
    return sum(
        one.arrived_at <= at < one.wait_ended_at
        for one in calls
        if T <= one.arrived_at < T + 600 * SECOND
        and not one.is_probe
        and not one.flags
        and one.outcome not in {Outcome.IVR_ONLY, Outcome.CLOSED}
    )


@settings(deadline=None)
@given(CALLS, st.lists(STAYS, max_size=5), st.integers(1, 11))
def test_a_report_adds_up(calls, members, minutes):
    closed = replace(CRISIS, closed_at=T + 600 * SECOND)
    made = crisis_report(closed, members, calls, (), now=T, ruleset=RULES, cycle=CYCLE, step=minutes * MINUTE)
    curve, measures = made.curve, made.measures
    assert [
        sum(values) for values in ([p.offered for p in curve], [p.answered for p in curve], [p.lost for p in curve])
    ] == [
        measures.offered,
        measures.answered,
        measures.lost,
    ]
    assert (curve[0].start, curve[-1].end) == (T, T + 600 * SECOND)
    assert all(before.end == after.start for before, after in pairwise(curve))
    assert made.waits.count == measures.answered + measures.lost
    assert made.peak.waiting == max(waiting_at(calls, T + second * SECOND) for second in range(901))
    for point in curve:
        seconds = range((point.start - T) // SECOND, (point.end - T) // SECOND)
        assert point.waiting == max(waiting_at(calls, T + second * SECOND) for second in seconds)
        counts = [headcount(members, T + offset) for offset in range(300) if point.start <= T + offset < point.end]
        assert (point.staff_least, point.staff_most) == (
            (min(counts), max(counts)) if counts else (headcount(members, point.start),) * 2
        )
