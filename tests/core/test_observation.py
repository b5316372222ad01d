"""What was seen and what was not: intervals that follow each other without a hole."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemon.observation import GapCause, Interval, Sight, Watch

steps = st.lists(
    st.tuples(st.sampled_from(["see", "lose"]), st.integers(0, 1000), st.sampled_from(list(GapCause))), max_size=30
)


def watched(told):
    watch = Watch("pbx")
    for step, at, cause in told:
        watch.see(at) if step == "see" else watch.lose(at, cause)
    return watch


@given(steps)
def test_intervals_have_no_hole_no_overlap_and_no_negative_length(told):
    watch = watched(told)
    changed = watch.take_changed()
    ended = [interval for interval in changed if interval.ended_at is not None]
    assert all(interval.ended_at >= interval.started_at for interval in ended)
    followers = [*ended, *([watch.current] if watch.current else [])][1:]
    assert [interval.ended_at for interval in ended] == [interval.started_at for interval in followers]
    assert all(first.sight is not second.sight for first, second in zip(ended, followers, strict=True))


@given(steps, st.integers(0, 2000))
def test_the_lengths_add_up_to_the_time_there_was(told, later):
    watch = watched(told)
    changed = watch.take_changed()
    ended = [interval for interval in changed if interval.ended_at is not None]
    gaps = sum(interval.ended_at - interval.started_at for interval in ended if interval.sight is Sight.GAP)
    assert sum(watch.gap_durations.values()) == gaps
    if watch.current is None:
        assert sum(watch.blind_durations(later).values()) == 0
        return
    now = watch.current.started_at + later
    seen = sum(interval.ended_at - interval.started_at for interval in ended if interval.sight is Sight.SEEN)
    seen += later if watch.current.sight is Sight.SEEN else 0
    first = ended[0] if ended else watch.current
    assert sum(watch.blind_durations(now).values()) + seen == now - first.started_at


def test_a_gap_keeps_the_cause_it_began_with():
    watch = watched([
        ("see", 10, GapCause.LINK_CUT),
        ("lose", 20, GapCause.PBX_FROZEN),
        ("lose", 25, GapCause.LINK_REFUSED),
        ("see", 30, GapCause.LINK_CUT),
    ])  # fmt: skip
    ended = [interval for interval in watch.take_changed() if interval.ended_at is not None]
    assert ended == [
        Interval("pbx", 10, 20, Sight.SEEN),
        Interval("pbx", 20, 30, Sight.GAP, GapCause.PBX_FROZEN),
    ]
    assert watch.take_changed() == []


@pytest.mark.parametrize("cause", GapCause)
def test_before_anything_was_seen_there_is_a_gap_of_any_cause(cause):
    watch = watched([("lose", 5, cause)])
    assert watch.current.sight is Sight.GAP
    assert (watch.current.cause, watch.blind_durations(9)[cause]) == (cause, 4)
    assert watch.is_blind


def test_a_clock_set_back_makes_no_negative_gap():
    watch = watched([("lose", 50, GapCause.LINK_CUT), ("see", 40, GapCause.LINK_CUT)])
    assert (set(watch.gap_durations.values()), watch.current.started_at, set(watch.blind_durations(0).values())) == (
        {0}, 50, {0},
    )  # fmt: skip
