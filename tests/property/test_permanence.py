"""A permanence's intervals against what is true at each instant, whatever happens and in whatever order it is told."""

from bisect import bisect_right
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from telemon.duty_records import Coverage, ProbeResult
from telemon.instants import SECOND
from telemon.operators import Board
from telemon.permanence.cover import Permanence
from telemon.permanence.coverage import timeline
from telemon.permanence.reachability import Proofs, Reachability, view_of
from telemon.records import Outcome
from tests.core.permanence_kit import (
    OFFICERS,
    RANG_OUT,
    START,
    Turns,
    at,
    call,
    device,
    member,
    open_in,
    probe,
    rules,
)  # fmt: skip

END = 260  # seconds
HOURS = Turns([40, 60, 61, 130, 200], [True, False, True, False, True], before=False)
SHIFTS = Turns(
    [30, 70, 75, 150, 190],
    [frozenset({"amartin"}), frozenset(), frozenset({"cdurand"}), frozenset({"x"}), frozenset({"cdurand", "amartin"})],
    before=frozenset({"cdurand"}),
)
RULES = rules(
    [open_in(HOURS)], officers=OFFICERS, mobile_trunk="PJSIP/gsm", mobile_proof=50 * SECOND,
)  # fmt: skip

seconds = st.integers(0, 200)
states = st.sampled_from(["NOT_INUSE", "UNAVAILABLE", "INUSE", "RINGING"])
members = st.builds(
    lambda second, who, status, paused: (
        "event",
        second,
        member(second, who[0], queue=who[1], status=status, paused=paused),
    ),
    seconds,
    st.sampled_from([("PJSIP/duty", "permanence"), ("PJSIP/amartin", "permanence"), ("PJSIP/op1", "standard")]),
    st.sampled_from([1, 1, 2, 2, 5, 6]),
    st.sampled_from([0, 0, 1]),
)
devices = st.builds(
    lambda second, name, state: ("event", second, device(second, f"PJSIP/{name}", state)),
    seconds, st.sampled_from(["operator", "gsm", "cdurand"]), states,
)  # fmt: skip
unanswered = st.builds(
    lambda start, length: ("call", start + length, call(start, start + length)), seconds, st.integers(0, 40)
)
answered = st.builds(
    lambda start, rings, talks: (
        "call", start + rings + talks, call(start, start + rings + talks, answered=start + rings),
    ),
    seconds, st.integers(0, 20), st.integers(0, 40),
)  # fmt: skip
probes = st.builds(
    lambda start, rings, result: (
        "probe", start + rings, probe(start, result, answered=start + rings, ended=start + rings),
    ),
    seconds, st.integers(0, 20), st.sampled_from([ProbeResult.ANSWERED, ProbeResult.UNANSWERED, ProbeResult.FAILED]),
)  # fmt: skip
sign_ins = st.builds(lambda second: ("sign_in", second, None), seconds)
sees = st.builds(lambda second: ("see", second, None), seconds)
losses = st.builds(
    lambda second, back: ("lose", second, max(0, second - back)), seconds, st.sampled_from([0, 0, 5, 30])
)
looks = st.builds(lambda second: ("look", second, None), seconds)
stores = st.builds(lambda second: ("store", second, None), seconds)
steps = st.lists(
    st.one_of(members, members, devices, unanswered, answered, probes, sign_ins, sees, losses, looks, stores),
    max_size=25,
)


class Life:
    """A permanence that lives through steps, and the ledger's rows of it."""

    def __init__(self):
        self.board = Board(RULES.devices)
        self.permanence = Permanence("site", "", RULES, self.board)
        self.permanence.duty, self.permanence.next_duty_change = SHIFTS, SHIFTS.next_change
        self.rows = {}

    def take(self, kind, second, what):
        permanence = self.permanence
        if kind == "event":
            self.board.feed(what)
            permanence.board_changed(what.at)
        elif kind == "store":
            self.store()
        else:
            act = {
                "call": lambda: permanence.finished(what),
                "probe": lambda: permanence.probed(what),
                "sign_in": lambda: permanence.signed_in(at(second)),
                "see": lambda: permanence.see(at(second)),
                "lose": lambda: permanence.lose(at(what)),
                "look": lambda: permanence.advance(at(second)),
                "doubt": lambda: permanence.doubt(at(what), at(second)),
            }
            act[kind]()

    def store(self):
        for interval in self.permanence.take_changed():
            self.rows[interval.started_at] = interval

    def live(self, told):
        for step in told:
            self.take(*step)
        self.permanence.advance(at(END))
        self.store()
        return sorted(self.rows.values(), key=lambda interval: interval.started_at)


def assert_sound(intervals):
    """They follow each other without a hole, each lasts, and only the last is open."""
    for before, after in pairwise(intervals):
        assert before.started_at < before.ended_at == after.started_at
    assert [interval.ended_at for interval in intervals[-1:]] in ([], [None])
    for interval in intervals:
        assert (interval.cause is not None) == (interval.state is Coverage.UNCOVERED)


def rang_out(told, second):
    """Whether a call rang before an instant that nobody answered, and nobody proved to answer since."""
    proofs = [when for _, when in proved(told)]
    for kind, ended, what in told:
        missed = (kind == "call" and what.outcome is Outcome.UNANSWERED) or (
            kind == "probe" and what.result is ProbeResult.UNANSWERED
        )
        if missed:
            rang = (what.alerting_at if kind == "call" else what.ordered_at) - START
            end = min([ended * SECOND + RANG_OUT * SECOND, *(proof for proof in proofs if proof > rang)])
            if rang <= second * SECOND < end:
                return True
    return False


def proved(told):
    for kind, second, what in told:
        if kind == "sign_in":
            yield kind, second * SECOND
        elif (kind == "call" and what.answered_at) or (kind == "probe" and what.result is ProbeResult.ANSWERED):
            yield kind, what.answered_at - START


def truth(told, second):
    """What is true from this second to the next, told from scratch."""
    board = Board(RULES.devices)
    for kind, when, what in told:
        if kind == "event" and when <= second:
            board.feed(what)
    probed = [when for kind, when in proved(told) if kind == "probe" and when <= second * SECOND]
    proofs = Proofs(at(second) + 1 if rang_out(told, second) else None, max(probed) + START if probed else None)
    cause = Reachability(RULES, view_of(board, RULES), proofs, SHIFTS).cause(at(second))
    return Coverage.COVERED if cause is None else cause


def sight(told):
    """Whether it is seen, second by second; None before anything was said of it."""
    seen: list[bool | None] = [None] * END
    for kind, second, what in told:
        if kind == "see":
            seen[second:] = [True] * (END - second)
        elif kind == "lose":
            seen[what:] = [False] * (END - what)
    return seen


@settings(max_examples=600, deadline=None)
@given(steps)
def test_told_in_order_it_is_exact(steps_taken):
    told = [("see", 0, None), *sorted(steps_taken, key=lambda step: step[1])]
    intervals = Life().live(told)
    assert_sound(intervals)
    starts = [interval.started_at for interval in intervals]
    for second, seen in enumerate(sight(told)):
        place = bisect_right(starts, at(second)) - 1
        if seen is None or (place < 0 and not seen):
            continue
        state = intervals[place].cause or intervals[place].state
        assert state == (truth(told, second) if seen else Coverage.UNKNOWN), second


doubts = st.builds(lambda second, back: ("doubt", second, second - back), seconds, st.integers(-5, 60))


@settings(max_examples=600, deadline=None)
@given(
    st.lists(
        st.one_of(members, devices, unanswered, answered, probes, sign_ins, sees, losses, looks, stores, doubts),
        max_size=30,
    )
)
def test_in_any_order_and_doubled_it_stays_sound(told):
    intervals = Life().live([("see", 0, None), *(step for step in told for _ in range(1 + (step[1] % 3 == 0)))])
    assert_sound(intervals)
    joined = timeline(intervals, at(0), at(END), at(END))
    assert joined[0].start == at(0)
    assert joined[-1].end == at(END)
    for before, after in pairwise(joined):
        assert before.end == after.start
        assert (before.state, before.cause) != (after.state, after.cause)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.one_of(members, devices, sees, losses, looks), max_size=30))
def test_stored_at_the_end_they_are_merged(told):
    intervals = Life().live([("see", 0, None), *sorted(told, key=lambda step: step[1])])
    for before, after in pairwise(intervals):
        assert (before.state, before.cause) != (after.state, after.cause)
