"""Who could answer now, as the queues and devices say."""

import pytest

from telemon.ami import events as ami
from telemon.operators import Board, Presence, presence_of


def line(kind, interface, *, queue="standard", status=1, paused="0", in_call="0"):
    said = {"at": 0, "queue": queue, "interface": interface, "status": status, "paused": paused, "in_call": in_call}
    return kind(**{field: said.get(field, interface) for field in kind._fields})


def shown(board):
    return {(member.queue, member.interface): presence_of(member) for member in board.members()}


@pytest.mark.parametrize(
    ("status", "paused", "in_call", "presence"),
    [
        (1, "0", "0", Presence.REACHABLE),
        (0, "0", "0", Presence.REACHABLE),
        (2, "0", "0", Presence.TALKING),
        (3, "0", "0", Presence.TALKING),
        (6, "0", "0", Presence.RINGING),
        (7, "0", "0", Presence.TALKING),
        (4, "0", "0", Presence.UNREACHABLE),
        (5, "0", "0", Presence.UNREACHABLE),
        (99, "0", "0", Presence.UNREACHABLE),
        (1, "1", "1", Presence.PAUSED),
        (1, "0", "1", Presence.TALKING),
    ],
)
def test_a_members_state_is_read_as_the_queue_means_it(status, paused, in_call, presence):
    board = Board()
    board.feed(line(ami.MemberState, "PJSIP/op1", status=status, paused=paused, in_call=in_call))
    assert shown(board) == {("standard", "PJSIP/op1"): presence}


def test_the_newest_state_of_each_member_of_each_queue_counts():
    board = Board()
    for queue in ("standard", "night"):
        board.feed(line(ami.MemberState, "PJSIP/op1", queue=queue))
    board.feed(line(ami.MemberState, "PJSIP/op1", status=6))
    assert shown(board) == {("standard", "PJSIP/op1"): Presence.RINGING, ("night", "PJSIP/op1"): Presence.REACHABLE}
    board.feed(ami.MemberRemoved(0, "night", "PJSIP/op1"))
    board.feed(ami.MemberRemoved(0, "night", "PJSIP/never-there"))
    assert shown(board) == {("standard", "PJSIP/op1"): Presence.RINGING}


def test_a_complete_list_replaces_all_and_an_incomplete_one_nothing():
    board = Board()
    board.feed(line(ami.MemberState, "PJSIP/op1"))
    board.feed(line(ami.ListedMember, "PJSIP/op2", status=5))
    assert set(shown(board)) == {("standard", "PJSIP/op1")}
    board.feed(ami.MembersListed(0))
    assert shown(board) == {("standard", "PJSIP/op2"): Presence.UNREACHABLE}
    board.feed(ami.MembersListed(0))
    assert shown(board) == {}


def test_what_is_no_longer_seen_is_not_shown():
    board = Board(("PJSIP/*",))
    board.feed(line(ami.MemberState, "PJSIP/op1"))
    board.feed(line(ami.ListedMember, "PJSIP/op2"))
    board.feed(ami.DeviceState(0, "PJSIP/op3", "NOT_INUSE"))
    board.clear()
    board.feed(ami.MembersListed(0))
    assert shown(board) == {}
    assert board.presences(("*",), ("*",)) == {}


def test_an_operator_of_a_service_is_one_however_many_queues_or_devices_name_him():
    board = Board(("PJSIP/op*",))
    board.feed(line(ami.MemberState, "PJSIP/op1", paused="1"))
    board.feed(line(ami.MemberState, "PJSIP/op1", queue="standard-night"))
    board.feed(line(ami.MemberState, "PJSIP/op2", queue="other"))
    board.feed(ami.DeviceState(0, "PJSIP/op3", "RINGING"))
    board.feed(ami.DeviceState(0, "PJSIP/door", "NOT_INUSE"))
    assert board.presences(("standard*",), ("PJSIP/op3",)) == {
        "PJSIP/op1": Presence.REACHABLE,
        "PJSIP/op3": Presence.RINGING,
    }
