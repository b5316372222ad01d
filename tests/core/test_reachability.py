"""Whether somebody can be reached at one instant, and why not."""

from dataclasses import replace

import pytest

from telemon.ami import events as ami
from telemon.duty_records import Officer, UncoveredCause
from telemon.instants import SECOND
from telemon.operators import Board, Line
from telemon.permanence.reachability import NOTHING_SEEN, Proofs, Reachability, view_of
from telemon.services import Service
from tests.core.permanence_kit import DAY, OFFICERS, OWN, Turns, at, device, member, open_in, rules

TRUNK_DOWN, ROSTER_HOLE, NOBODY_REGISTERED, ALL_PAUSED, ALL_IN_CALL, RANG_OUT = UncoveredCause
NO_PROOFS = Proofs()


def asked(found, events, proofs=NO_PROOFS, duty=None):
    board = Board(found.devices)
    for event in events:
        board.feed(event)
    return Reachability(found, view_of(board, found), proofs, lambda _: duty)


def cause(events, *, second=100, duty=None, proofs=NO_PROOFS, found=None, **more):
    return asked(found or rules(**more), events, proofs, duty).cause(at(second))


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([], NOBODY_REGISTERED),
        ([member(0)], None),
        ([member(0, status=0)], None),  # a Local member, whose state nobody tracks
        ([member(0, status=6)], None),
        ([member(0, status=5)], NOBODY_REGISTERED),
        ([member(0, status=4)], NOBODY_REGISTERED),
        ([member(0, paused=1)], ALL_PAUSED),
        ([member(0, status=5, paused=1)], NOBODY_REGISTERED),
        ([member(0, paused=1), member(0, "PJSIP/b", status=5)], ALL_PAUSED),
        ([member(0, paused=1), member(0, "PJSIP/b")], None),
        ([member(71, status=2)], None),
        ([member(70, status=2)], ALL_IN_CALL),
        ([member(70, status=2), member(90, status=8)], ALL_IN_CALL),  # on hold it is the same call
        ([member(60, status=2), member(65), member(71, status=2)], None),
        ([member(60, status=2), member(0, "PJSIP/b", status=6)], None),
        ([member(60, status=2), member(0, "PJSIP/b", paused=1)], ALL_IN_CALL),
        ([member(60, status=2), member(0, "PJSIP/b", status=5)], ALL_IN_CALL),
        ([member(60, status=2, paused=1)], ALL_PAUSED),
        ([member(0), member(1, queue="other", paused=1)], None),
        ([member(0, queue="other")], NOBODY_REGISTERED),
        ([member(0), device(1, "PJSIP/operator", "UNAVAILABLE")], TRUNK_DOWN),
        ([member(0), device(1, "PJSIP/operator", "INVALID")], TRUNK_DOWN),
        ([member(0), device(1, "PJSIP/operator", "INUSE")], None),
        ([member(0, status=5), device(1, "PJSIP/operator", "UNAVAILABLE")], TRUNK_DOWN),
    ],
)
def test_of_the_causes_that_hold_the_first_is_told(events, expected):
    assert cause(events) is expected


@pytest.mark.parametrize(
    ("up", "expected"), [(("a", "b"), None), (("a",), None), ((), TRUNK_DOWN)], ids=["both", "one", "none"]
)
def test_the_trunk_is_down_when_all_of_them_are(up, expected):
    found = replace(rules(), service=replace(OWN, trunks=("PJSIP/a", "PJSIP/b")))
    states = [device(0, f"PJSIP/{name}", "NOT_INUSE" if name in up else "UNAVAILABLE") for name in ("a", "b")]
    assert cause([member(0), *states], found=found) is expected


# who is in charge


@pytest.mark.parametrize(
    ("second", "duty", "expected"),
    [
        (99.999999, None, NOBODY_REGISTERED),
        (100, None, None),
        (100, frozenset(), None),  # the roster says who answers outside hours
        (199.999999, frozenset(), None),
        (200, frozenset(), ROSTER_HOLE),
        (200, frozenset({"x"}), NOBODY_REGISTERED),
    ],
)
def test_while_a_switchboard_is_open_its_operators_answer(second, duty, expected):
    day = open_in(Turns([100, 200], [True, False], before=False))
    events = [member(0, status=5), member(0, "PJSIP/op1", queue="standard")]
    assert cause(events, second=second, duty=duty, found=rules([day])) is expected


def test_several_switchboards_that_are_open_answer_together():
    days = [replace(DAY, hours=None), Service(name="titres", queues=("titres",), operators=("PJSIP/tit1",))]
    found = rules(days)
    assert cause([member(0, "PJSIP/op1", queue="standard", status=5)], found=found) is NOBODY_REGISTERED
    assert cause([device(0, "PJSIP/tit1", "NOT_INUSE")], found=found) is None
    assert cause([device(0, "PJSIP/tit1", "UNAVAILABLE"), member(0)], found=found) is NOBODY_REGISTERED


@pytest.mark.parametrize(("trunks", "expected"), [((), TRUNK_DOWN), (("PJSIP/sda",), None)])
def test_an_open_switchboard_without_trunks_of_its_own_has_those_of_the_permanence(trunks, expected):
    found = rules([replace(DAY, trunks=trunks)])
    events = [member(0, "PJSIP/op1", queue="standard"), device(0, "PJSIP/operator", "UNAVAILABLE")]
    assert cause([*events, device(0, "PJSIP/sda", "NOT_INUSE")], found=found) is expected


# officers


@pytest.mark.parametrize(
    ("duty", "up", "expected"),
    [
        (None, "cdurand", None),
        (frozenset({"cdurand"}), "cdurand", None),
        (frozenset({"amartin"}), "cdurand", NOBODY_REGISTERED),
        (frozenset({"amartin", "cdurand"}), "cdurand", None),
        (frozenset({"somebody else"}), "cdurand", NOBODY_REGISTERED),
        (frozenset({"somebody else"}), "duty", None),  # the shared phone is of whoever is on duty
        (frozenset(), "duty", ROSTER_HOLE),
    ],
)
def test_an_officers_own_phone_counts_while_he_is_on_duty(duty, up, expected):
    states = [
        device(0, f"PJSIP/{name}", "NOT_INUSE" if name == up else "UNAVAILABLE") for name in ("cdurand", "amartin")
    ]
    events = [*states, member(0, status=1 if up == "duty" else 5)]
    assert cause(events, duty=duty, officers=OFFICERS) is expected


def test_a_phone_of_two_officers_counts_while_one_of_them_is_on_duty():
    officers = tuple(Officer(id=name, name=name, phones=("PJSIP/shared",)) for name in ("a", "b"))
    up = [device(0, "PJSIP/shared", "NOT_INUSE")]
    assert cause(up, duty=frozenset({"b"}), officers=officers) is None
    assert cause(up, duty=frozenset({"c"}), officers=officers) is NOBODY_REGISTERED


@pytest.mark.parametrize(
    ("duty", "gsm", "probed", "expected"),
    [
        (None, "NOT_INUSE", None, None),
        (None, None, None, None),
        (frozenset({"cdurand"}), "INUSE", None, None),
        (frozenset({"cdurand"}), "UNAVAILABLE", None, TRUNK_DOWN),
        (frozenset({"amartin"}), "NOT_INUSE", None, NOBODY_REGISTERED),  # who has none
        (frozenset({"amartin"}), "UNAVAILABLE", None, NOBODY_REGISTERED),
        (frozenset({"cdurand"}), "NOT_INUSE", 0, NOBODY_REGISTERED),
        (frozenset({"cdurand"}), "NOT_INUSE", 50.000001, None),
        (frozenset({"cdurand"}), "NOT_INUSE", 50, NOBODY_REGISTERED),
        (frozenset({"cdurand"}), "UNAVAILABLE", 0, NOBODY_REGISTERED),
    ],
)
def test_a_mobile_is_reached_through_its_trunk_and_as_long_as_that_is_proved(duty, gsm, probed, expected):
    events = [] if gsm is None else [device(0, "PJSIP/gsm", gsm)]
    proof = 0 if probed is None else 50 * SECOND
    proofs = Proofs(probed_at=at(probed) if probed else None)
    found = rules(officers=OFFICERS, mobile_trunk="PJSIP/gsm", mobile_proof=proof)
    assert cause(events, duty=duty, proofs=proofs, found=found) is expected


def test_without_a_trunk_for_them_no_mobile_counts():
    assert cause([], officers=OFFICERS) is NOBODY_REGISTERED


@pytest.mark.parametrize(("until", "expected"), [(100.000001, RANG_OUT), (100, None)])
def test_what_rang_out_counts_only_where_nothing_else_does(until, expected):
    proofs = Proofs(rang_out_until=at(until))
    assert cause([member(0)], proofs=proofs) is expected
    assert cause([member(0, paused=1)], proofs=proofs) is ALL_PAUSED


# when time alone may change it


def next_change(events=(), proofs=NO_PROOFS, found=None, turn=None, second=100):
    change = asked(found or rules(), events, proofs).next_change(at(second), lambda _: turn and at(turn))
    return None if change is None else (change - at(0)) / SECOND


def test_the_next_change_is_the_nearest_of_all():
    hours = Turns([110, 200], [True, False], before=False)
    assert next_change() is None
    assert next_change(turn=105) == 105
    assert next_change([member(90, status=2)], turn=125) == 120
    assert next_change([member(60, status=2)], turn=125) == 125  # that one is too long already
    assert next_change(found=rules([open_in(hours)]), turn=125) == 110
    assert next_change(proofs=Proofs(rang_out_until=at(101)), turn=105) == 101
    assert next_change(proofs=Proofs(rang_out_until=at(100))) is None
    assert next_change(proofs=Proofs(probed_at=at(90)), found=rules(mobile_proof=50 * SECOND)) == 140
    assert next_change(proofs=Proofs(probed_at=at(90))) is None
    assert next_change(turn=100) is None  # who answers so would keep us for ever


def test_nothing_seen_is_nobody():
    assert Reachability(rules(), NOTHING_SEEN, Proofs(), lambda _: None).cause(at(0)) is NOBODY_REGISTERED


def test_the_board_tells_lines_by_interface():
    board = Board(("PJSIP/*",))
    for event in (
        member(1, "PJSIP/a", paused=1), member(2, "PJSIP/a", queue="night", paused=0),
        member(3, "PJSIP/b", status=2), device(4, "PJSIP/b", "INUSE"), device(5, "PJSIP/c", "UNAVAILABLE"),
    ):  # fmt: skip
        board.feed(event)
    assert board.lines(("permanence", "night"), ("PJSIP/c",)) == {
        "PJSIP/a": Line(True, False, None), "PJSIP/b": Line(True, False, at(3)), "PJSIP/c": Line(False, False, None),
    }  # fmt: skip
    assert board.lines(("permanence",), ()) == {
        "PJSIP/a": Line(True, True, None), "PJSIP/b": Line(True, False, at(3)),
    }  # fmt: skip
    assert (board.device_state("PJSIP/c"), board.device_state("PJSIP/d")) == ("UNAVAILABLE", None)
    assert (board.is_gone("PJSIP/c"), board.is_gone("PJSIP/b"), board.is_gone("PJSIP/d")) == (True, False, False)
    board.feed(member(6, "PJSIP/b", status=1))
    assert board.lines((), ("PJSIP/b",))["PJSIP/b"].talking_since == at(3)  # the device still says so
    board.feed(device(7, "PJSIP/b", "NOT_INUSE"))
    assert board.lines((), ("PJSIP/b",))["PJSIP/b"].talking_since is None


def talking_since(board, interface="PJSIP/duty"):
    return {name: line.talking_since for name, line in board.lines(("*",), ("*",)).items()}.get(interface)


def listed(status=2, interface="PJSIP/duty"):
    return ami.ListedMember(at(50), "permanence", interface, "0", status, "0")


@pytest.mark.parametrize(
    ("happens", "since"),
    [
        ([member(20, status=8)], 10),
        ([member(20), member(30, status=2)], 30),
        ([ami.MemberRemoved(at(20), "permanence", "PJSIP/duty"), member(30, status=2)], 30),
        ([listed(), ami.MembersListed(at(50))], 10),
        ([listed(1), ami.MembersListed(at(50)), member(60, status=2)], 60),
        ([ami.MembersListed(at(50)), member(60, status=2)], 60),
    ],
)
def test_a_talk_lasts_from_the_first_word_of_it_to_the_last(happens, since):
    board = Board()
    for event in (member(10, status=2), *happens):
        board.feed(event)
    assert talking_since(board) == at(since)


def test_after_a_gap_nobody_knows_how_long_a_talk_has_lasted():
    board = Board()
    board.feed(member(10, status=2))
    board.clear()
    for event in (listed(), ami.MembersListed(at(50))):
        board.feed(event)
    assert talking_since(board) == at(50)
