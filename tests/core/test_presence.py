"""Who is on duty: the roster, less who signed out, and who signed in; a story for each rule."""

from datetime import UTC, datetime

import pytest

from telemon.duty_records import PresenceAction, PresenceChange
from telemon.instants import from_datetime
from telemon.roster.presence import Presence
from telemon.roster.shifts import Roster, Shift

IN, OUT = PresenceAction.SIGNED_IN, PresenceAction.SIGNED_OUT


def at(day, hour, minute=0):
    return from_datetime(datetime(2026, 11, day, hour, minute, tzinfo=UTC))


def said(officer, action, *when):
    return PresenceChange(site="s", officer=officer, at=at(*when), action=action, through="phone", extension="PJSIP/a")


# ana: nights of the 1st and 2nd, ben: day of the 2nd; nobody on the 3rd by day; cleo: night of the 3rd
ROSTER = Roster(
    (
        Shift(at(1, 18), at(2, 8), "ana"),
        Shift(at(2, 8), at(2, 18), "ben"),
        Shift(at(2, 18), at(3, 8), "ana"),
        Shift(at(3, 18), at(4, 8), "cleo"),
    ),
    at(1, 0),
    at(5, 0),
)


def on_duty(changes, *when, roster=ROSTER):
    return present(Presence(changes), roster, *when)


def present(presence, roster, *when):
    officers = presence.on_duty(roster, at(*when))
    return None if officers is None else set(officers)


def test_without_a_word_it_is_the_roster():
    assert on_duty([], 1, 20) == {"ana"}
    assert on_duty([], 2, 8) == {"ben"}
    assert on_duty([], 3, 12) == set()


def test_without_roster_and_sign_in_nobody_can_say():
    assert on_duty([], 2, 8, roster=None) is None
    assert on_duty([said("ana", OUT, 1, 20)], 2, 8, roster=None) is None
    assert on_duty([said("ana", IN, 2, 9)], 2, 8, roster=None) is None


def test_without_roster_a_sign_in_lasts_until_the_sign_out():
    changes = [said("ana", IN, 1, 20), said("ben", IN, 1, 21), said("ana", OUT, 3, 7)]
    assert on_duty(changes, 1, 20, roster=None) == {"ana"}
    assert on_duty(changes, 3, 6, roster=None) == {"ana", "ben"}
    assert on_duty(changes, 3, 7, roster=None) == {"ben"}
    assert on_duty([*changes, said("ben", OUT, 3, 8)], 4, 0, roster=None) == set()


def test_a_sign_out_lasts_to_the_end_of_the_shift():
    changes = [said("ana", OUT, 1, 22)]
    assert on_duty(changes, 1, 21, 59) == {"ana"}
    assert on_duty(changes, 1, 22) == on_duty(changes, 2, 7) == set()
    assert on_duty(changes, 2, 19) == {"ana"}


def test_a_sign_out_before_the_shift_does_not_count_in_it():
    assert on_duty([said("ana", OUT, 1, 17)], 1, 18) == {"ana"}


def test_a_sign_out_does_not_reach_into_a_shift_that_follows_at_once():
    roster = Roster((Shift(at(1, 8), at(1, 18), "ana"), Shift(at(1, 18), at(2, 8), "ana")), at(1, 0), at(5, 0))
    presence = Presence([said("ana", OUT, 1, 12)])
    assert present(presence, roster, 1, 17) == set()
    assert present(presence, roster, 1, 18) == {"ana"}
    assert presence.next_change(roster, at(1, 12)) == at(1, 18)


def test_a_stand_in_is_relieved_by_the_next_shift_of_somebody_else():
    changes = [said("ana", OUT, 1, 22), said("dan", IN, 1, 22)]
    assert on_duty(changes, 1, 23) == on_duty(changes, 2, 7) == {"dan"}
    assert on_duty(changes, 2, 8) == {"ben"}


def test_a_sign_in_bridges_a_hole():
    changes = [said("dan", IN, 3, 9)]
    assert on_duty(changes, 3, 8) == set()
    assert on_duty(changes, 3, 17) == {"dan"}
    assert on_duty(changes, 3, 18) == {"cleo"}


def test_who_signs_in_early_has_his_shift_all_the_same():
    changes = [said("ana", IN, 1, 17)]
    assert on_duty(changes, 1, 17) == on_duty(changes, 1, 18) == on_duty(changes, 2, 7) == {"ana"}
    assert on_duty(changes, 2, 8) == {"ben"}


def test_ones_own_shift_ends_no_sign_in():
    roster = Roster((Shift(at(1, 18), at(2, 8), "ana"), Shift(at(2, 12), at(2, 18), "ben")), at(1, 0), at(5, 0))
    changes = [said("ana", IN, 1, 17)]
    assert on_duty(changes, 2, 11, roster=roster) == {"ana"}
    assert on_duty(changes, 2, 12, roster=roster) == {"ben"}


def test_signed_out_by_mistake_and_in_again():
    changes = [said("ana", OUT, 1, 22), said("ana", IN, 1, 23)]
    assert on_duty(changes, 1, 22) == set()
    assert on_duty(changes, 1, 23) == {"ana"}


def test_what_was_said_before_the_roster_is_known_no_longer_counts():
    roster = Roster(ROSTER.shifts, at(3, 10), at(5, 0))
    assert on_duty([said("dan", IN, 3, 9)], 3, 12, roster=roster) == set()


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_the_order_of_telling_does_not_matter(order):
    changes = [said("ana", OUT, 1, 22), said("dan", IN, 1, 22), said("dan", OUT, 2, 3)]
    told = Presence([changes[place] for place in order])
    assert [present(told, ROSTER, *when) for when in ((1, 21), (1, 23), (2, 4))] == [{"ana"}, {"dan"}, set()]


def test_one_told_twice_counts_once_and_one_corrected_as_corrected():
    presence = Presence([said("dan", IN, 3, 9), said("dan", IN, 3, 9)])
    presence.add(said("dan", OUT, 3, 9))
    assert present(presence, ROSTER, 3, 12) == set()
    assert present(presence, None, 3, 12) is None


def test_next_change_of_the_roster_alone_is_the_rosters():
    presence = Presence()
    for when in ((1, 0), (1, 18), (2, 17), (3, 9), (4, 7)):
        assert presence.next_change(ROSTER, at(*when)) == ROSTER.next_change(at(*when))
    assert presence.next_change(ROSTER, at(4, 8)) is None
    assert presence.next_change(None, at(1, 0)) is None


def test_next_change_knows_when_a_sign_in_ends():
    presence = Presence([said("dan", IN, 3, 9)])
    assert presence.next_change(ROSTER, at(3, 8)) == at(3, 9)
    assert presence.next_change(ROSTER, at(3, 9)) == at(3, 18)
