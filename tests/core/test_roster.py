"""Who is on duty at an instant, when that changes, and when nobody or several are."""

from datetime import UTC

import pytest

from telemon.opening import parse_hours
from telemon.roster.shifts import Double, Hole, Roster, Shift


def roster(*shifts, known=(0, 1000)):
    return Roster(tuple(Shift(*shift) for shift in shifts), *known)


def test_on_duty_from_the_first_instant_up_to_but_not_with_the_last():
    one = roster((10, 20, "a"))
    assert [one.on_duty(at) for at in (9, 10, 19, 20)] == [(), ("a",), ("a",), ()]


def test_several_are_on_duty_sorted():
    assert roster((10, 20, "b"), (5, 15, "a")).on_duty(12) == ("a", "b")


def test_changes_are_those_of_who_is_on_duty():
    both = roster((10, 20, "a"), (20, 30, "a"), (25, 40, "b"))
    seen, at = [], 0
    while (change := both.next_change(at)) is not None:
        seen.append((change, both.on_duty(change)))
        at = change
    assert seen == [(10, ("a",)), (25, ("a", "b")), (30, ("b",)), (40, ())]


def test_an_empty_roster_never_changes():
    assert (roster().next_change(5), roster().on_duty(5)) == (None, ())


def test_overlapping_shifts_of_one_officer_are_one_and_adjacent_ones_two():
    joined = roster((10, 20, "a"), (15, 30, "a"), (16, 17, "a"), (30, 40, "a"))
    assert [(shift.start, shift.end) for shift in joined.shifts] == [(10, 30), (30, 40)]
    assert joined.shift_of("a", 29) == joined.shifts[0]
    assert joined.shift_of("a", 30) == joined.shifts[1]
    assert joined.shift_of("a", 40) is None
    assert joined.shift_of("b", 29) is None


def test_holes_are_what_no_shift_covers_within_what_is_known():
    partly = roster((10, 20, "a"), (20, 30, "b"), (40, 50, "a"), known=(5, 60))
    assert partly.holes(0, 100) == [Hole(5, 10), Hole(30, 40), Hole(50, 60)]
    assert partly.holes(32, 35) == [Hole(32, 35)]
    assert partly.holes(12, 25) == []
    assert partly.holes(70, 90) == []


def test_doubles_name_all_who_are_there():
    many = roster((10, 30, "a"), (20, 40, "b"), (25, 27, "c"))
    assert many.doubles(0, 100) == [
        Double(20, 25, ("a", "b")),
        Double(25, 27, ("a", "b", "c")),
        Double(27, 30, ("a", "b")),
    ]
    assert many.doubles(0, 20) == []


class Nights:
    """Somebody must be there in each second ten."""

    def is_open(self, at):
        return at // 10 % 2 == 1

    def next_change(self, at):
        return (at // 10 + 1) * 10


def test_holes_count_only_when_somebody_must_be_there():
    assert roster((12, 18, "a"), known=(0, 45)).holes(0, 100, Nights()) == [Hole(10, 12), Hole(18, 20), Hole(30, 40)]


def test_without_any_change_ahead_the_answer_holds():
    class Never:
        def is_open(self, at):
            return at < 0

        def next_change(self, _):
            return None

    assert roster().holes(0, 100, Never()) == []


def test_opening_hours_say_when_somebody_must_be_there():
    hours = parse_hours(["mon-sun 00:00-24:00"], UTC)
    assert roster((0, 10, "a")).holes(0, 20, hours) == [Hole(10, 20)]


def test_a_shift_ends_after_it_begins():
    with pytest.raises(ValueError, match="a shift of a that ends at 10, not after its start 10"):
        Shift(10, 10, "a")
