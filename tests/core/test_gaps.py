"""When nobody saw a PBX, whoever watched it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemon.daemon import SIGHT_SECONDS
from telemon.gaps import TRAILING, Gap, gaps_of
from telemon.instants import SECOND
from telemon.observation import GapCause, Interval, Sight, Watch

MINUTE = 60 * SECOND
STOPPED = GapCause.TELEMON_STOPPED
FROZEN = GapCause.PBX_FROZEN


def seen(start, end, observer=""):
    return Interval("pbx", round(start * MINUTE), end and round(end * MINUTE), Sight.SEEN, observer=observer)


def gap(start, end, cause=GapCause.LINK_CUT, observer=""):
    return Interval("pbx", start * MINUTE, end and end * MINUTE, Sight.GAP, cause, observer)


def found(intervals):
    """The gaps from minute 10 to 60, in minutes, at minute 60."""
    gaps = gaps_of(intervals, 10 * MINUTE, 60 * MINUTE, 60 * MINUTE, pbx="pbx")
    assert {gap.pbx for gap in gaps} <= {"pbx"}
    return [(gap.start / MINUTE, gap.duration / MINUTE, gap.cause) for gap in gaps]


@pytest.mark.parametrize(
    ("intervals", "gaps"),
    [
        ([], [(10, 50, "telemon_stopped")]),
        ([seen(0, 60)], []),
        ([seen(0, 30), gap(30, 32), seen(32, 60)], [(30, 2, "link_cut")]),
        ([seen(0, 30), seen(40, 60)], [(30, 10, "telemon_stopped")]),
        ([seen(0, 30), gap(30, None, STOPPED), gap(40, 41, STOPPED), seen(41, 60)], [
            (30, 10, "telemon_stopped"),
            (40, 1, "telemon_stopped"),
        ]),
        ([gap(5, 20, GapCause.LINK_REFUSED), seen(20, 60)], [(10, 10, "link_refused")]),
        ([seen(0, 30), gap(30, None, FROZEN)], [(30, 30, "pbx_frozen")]),
        ([seen(0, 30), gap(40, None)], [(30, 10, "telemon_stopped"), (40, 20, "link_cut")]),
        # Killed, or still running: what the ledger knows last is at most a few seconds old, or it is over.
        ([seen(0, 59.9)], []),
        ([seen(59.9, None)], [(10, 49.9, "telemon_stopped")]),
        ([seen(0, 55)], [(55, 5, "telemon_stopped")]),
    ],
)  # fmt: skip
def test_gaps_are_what_was_not_seen(intervals, gaps):
    assert found(intervals) == gaps


@pytest.mark.parametrize(
    ("intervals", "gaps"),
    [
        # What one of them saw was seen, and be it that they have the same name.
        ([seen(0, 60, "a"), gap(20, 21, STOPPED, "b"), seen(21, 50, "b"), gap(50, None, STOPPED, "b")], []),
        ([seen(0, 60), gap(20, 21, STOPPED), seen(21, 50), gap(50, None, STOPPED)], []),
        # The last stretch of each goes on, not only that of the one whose last stretch began last.
        ([seen(0, 59.9, "a"), gap(30, None, STOPPED, "b")], []),
        ([seen(0, 59.9, "a"), seen(20, 30, "b")], []),
        # An open gap of one is not closed by what the other does.
        (
            [seen(0, 20, "a"), gap(20, None, FROZEN, "a"), seen(0, 30, "b"), gap(30, 31, STOPPED, "b")],
            [(30, 1, "telemon_stopped"), (31, 29, "telemon_stopped")],
        ),
        # The cause is that of the one that saw longest, for as long as nobody sees …
        (
            [seen(0, 20, "a"), gap(20, None, FROZEN, "a"), seen(0, 30, "b"), gap(30, 40, observer="b"), seen(40, 60)],
            [(30, 10, "link_cut")],
        ),
        (
            [seen(0, 30, "a"), gap(30, 50, FROZEN, "a"), seen(50, 60), seen(0, 20, "b"), gap(40, 60, STOPPED, "b")],
            [(30, 20, "pbx_frozen")],
        ),
        # … even if it could not write why: it was killed.
        ([gap(20, 60, FROZEN, "a"), seen(0, 20, "a"), seen(0, 30, "b")], [(30, 30, "telemon_stopped")]),
        # Before anybody saw: that of the one that saw first.
        ([seen(50, 60, "a"), gap(5, 30, FROZEN, "b"), seen(30, 60, "b")], [(10, 20, "pbx_frozen")]),
    ],
)  # fmt: skip
def test_two_observers_miss_what_both_miss(intervals, gaps):
    assert found(sorted(intervals, key=lambda interval: interval.started_at)) == gaps


STEPS = st.lists(st.tuples(st.booleans(), st.integers(1, 40), st.sampled_from(GapCause)), max_size=8)


def told(observer, steps):
    """What a daemon writes of one observer, as the ledger keeps it."""
    watch, at = Watch("pbx", observer), 0
    for sees, later, cause in steps:
        at += later * SECOND
        watch.see(at) if sees else watch.lose(at, cause)
    return list({interval.started_at: interval for interval in watch.take_changed()}.values())


@given(st.lists(STEPS, min_size=1, max_size=3), st.integers(0, 60), st.integers(1, 100))
def test_seen_and_gaps_share_the_time_between_them(all_steps, start, length):
    """Second by second: a gap exactly where no observer's stretch of seeing lies, and no gap twice."""
    intervals = [interval for number, steps in enumerate(all_steps) for interval in told(str(number), steps)]
    intervals = [interval for interval in intervals if interval.sight is Sight.GAP or interval.ended_at is not None]
    start, end, now = start * SECOND, (start + length) * SECOND, 10_000 * SECOND
    gaps = gaps_of(intervals, start, end, now, pbx="pbx")
    for at in range(start, end, SECOND):
        saw = any(i.sight is Sight.SEEN and i.started_at <= at < i.ended_at for i in intervals)
        assert sum(gap.start <= at < gap.end for gap in gaps) == (not saw)
    assert all(gap.duration > 0 and start <= gap.start and gap.end <= end for gap in gaps)


@given(st.permutations("abc"), st.fixed_dictionaries(dict.fromkeys("abc", STEPS)))
def test_the_order_of_the_observers_changes_nothing(order, steps):
    intervals = [interval for observer in order for interval in told(observer, steps[observer])]
    in_order = [interval for observer in "abc" for interval in told(observer, steps[observer])]
    arguments = (0, 400 * SECOND, 10_000 * SECOND)
    assert gaps_of(intervals, *arguments, pbx="pbx") == gaps_of(in_order, *arguments, pbx="pbx")


def test_a_cause_that_is_not_known_is_said_to_be():
    assert found([gap(0, 20, None), seen(20, 60)]) == [(10, 10, "unknown")]


def test_a_gap_ends_where_it_says():
    assert Gap(5, 7, "link_cut", "pbx").end == 12


def test_a_renewal_may_be_half_as_late_as_it_is_frequent():
    assert TRAILING >= 1.5 * SIGHT_SECONDS * SECOND
