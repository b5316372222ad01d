"""Sign-ins and rosters of any shape: who is on duty changes when, and only when, ``next_change`` says."""

from hypothesis import given
from hypothesis import strategies as st

from telemon.duty_records import PresenceAction, PresenceChange
from telemon.roster.presence import Presence
from telemon.roster.shifts import Roster, Shift

OFFICERS = st.sampled_from("abc")
INSTANTS = st.integers(0, 60)


@st.composite
def rosters(draw):
    shifts = draw(st.lists(st.tuples(OFFICERS, INSTANTS, st.integers(1, 15)), max_size=8))
    return Roster(tuple(Shift(start, start + length, one) for one, start, length in shifts), draw(INSTANTS) - 40, 80)


CHANGES = st.lists(
    st.builds(
        PresenceChange,
        site=st.just("s"),
        officer=OFFICERS,
        at=INSTANTS,
        action=st.sampled_from(PresenceAction),
        through=st.just("phone"),
    ),
    max_size=8,
    unique_by=lambda change: (change.officer, change.at),
)


@given(st.none() | rosters(), CHANGES)
def test_it_changes_exactly_when_it_says(roster, changes):
    presence = Presence(changes)
    told = [presence.on_duty(roster, at) for at in range(100)]
    for at in range(99):
        differs = next((later for later in range(at + 1, 100) if told[later] != told[at]), None)
        assert presence.next_change(roster, at) == differs


@given(rosters(), CHANGES, st.randoms(use_true_random=False))
def test_the_order_of_telling_does_not_matter(roster, changes, chance):
    shuffled = list(changes)
    chance.shuffle(shuffled)
    for at in range(0, 80, 3):
        assert Presence(changes).on_duty(roster, at) == Presence(shuffled).on_duty(roster, at)


@given(rosters(), CHANGES)
def test_what_comes_later_changes_nothing_before(roster, changes):
    for at in range(0, 80, 7):
        before = [change for change in changes if change.at <= at]
        assert Presence(changes).on_duty(roster, at) == Presence(before).on_duty(roster, at)


@given(rosters(), CHANGES)
def test_nobody_is_on_duty_without_a_shift_or_a_sign_in(roster, changes):
    presence = Presence(changes)
    for at in range(0, 80, 3):
        present = presence.on_duty(roster, at) or frozenset()
        signed_in = {change.officer for change in changes if change.action is PresenceAction.SIGNED_IN}
        assert present <= signed_in | set(roster.on_duty(at))
        silent = set(roster.on_duty(at)) - {change.officer for change in changes}
        assert present >= silent
