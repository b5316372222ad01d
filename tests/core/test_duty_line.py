"""The dialogue of the officers' phone line, without any phone."""

import logging

import pytest

from telemon.agi.line import Action, DutyLine, HungUp, Prompt
from telemon.agi.server import PinGuard
from telemon.errors import CrisisError, LedgerError
from telemon.instants import SECOND
from tests.core.duty_kit import CAMILLE, NO_PIN, Caller, Desk

T = 1_763_880_006 * SECOND
LOCK = 900 * SECOND
RIGHT = ("4101", "271828")
WRONG = ("4101", "161803")
UNKNOWN = ("4999", "161803")
ASKED = [Prompt.ASK_NUMBER, Prompt.ASK_PIN]


class Phone:
    def __init__(self, desk=None):
        self.desk = desk or Desk()
        self.now = T
        self.guard = PinGuard(3, LOCK, lambda: self.now)

    def call(self, action, *keys, extension="PJSIP/op1"):
        caller = Caller(*keys)
        self.done = DutyLine(self.desk, self.guard, caller, extension).run(action)
        self.line = caller.line
        return caller.heard


def test_signing_in():
    phone = Phone()
    assert phone.call(Action.SIGN_IN, *RIGHT) == [*ASKED, Prompt.SIGNED_IN, CAMILLE, Prompt.GOODBYE]
    assert phone.desk.done == [("sign_in", "cdurand", "PJSIP/op1")]
    assert phone.done


def test_a_wrong_pin_may_be_put_right():
    heard = Phone().call(Action.SIGN_IN, *WRONG, *RIGHT)
    assert heard == [*ASKED, Prompt.WRONG, *ASKED, Prompt.SIGNED_IN, CAMILLE, Prompt.GOODBYE]


def test_the_right_pin_forgets_the_wrong_ones_of_number_and_phone():
    phone = Phone()
    for _ in range(3):
        assert Prompt.SIGNED_IN in phone.call(Action.SIGN_IN, *WRONG * 2, *RIGHT)


@pytest.mark.parametrize("wrong", [WRONG, UNKNOWN, (NO_PIN.number, "271828"), (NO_PIN.number, ""), ("4101", "")])
def test_three_wrong_tries_lock_and_all_sound_the_same(wrong):
    phone = Phone()
    expected = [*ASKED, Prompt.WRONG, *ASKED, Prompt.WRONG, *ASKED, Prompt.LOCKED, Prompt.GOODBYE]
    assert phone.call(Action.SIGN_IN, *wrong * 3, *RIGHT) == expected
    assert phone.desk.done == []
    for extension in ("PJSIP/op1", "PJSIP/op2"):  # the number is locked everywhere
        assert phone.call(Action.SIGN_IN, *wrong, extension=extension) == [*ASKED, Prompt.LOCKED, Prompt.GOODBYE]


def test_a_locked_phone_takes_the_right_pin_again_after_a_while():
    phone = Phone()
    phone.call(Action.SIGN_IN, *UNKNOWN * 3)
    assert phone.call(Action.SIGN_IN, *RIGHT) == [*ASKED, Prompt.LOCKED, Prompt.GOODBYE]
    phone.now += LOCK
    assert Prompt.SIGNED_IN in phone.call(Action.SIGN_IN, *RIGHT)


def test_who_keys_in_nothing_has_tried_nothing():
    phone = Phone()
    for _ in range(5):
        assert phone.call(Action.SIGN_IN, "") == [Prompt.ASK_NUMBER, Prompt.NOTHING_DONE, Prompt.GOODBYE]
    assert Prompt.SIGNED_IN in phone.call(Action.SIGN_IN, *RIGHT)


def test_hanging_up_before_the_pin_does_nothing_and_is_no_try():
    phone = Phone()
    for _ in range(5):
        with pytest.raises(HungUp):
            phone.call(Action.SIGN_IN, "4101")
    assert Prompt.SIGNED_IN in phone.call(Action.SIGN_IN, *RIGHT)
    assert len(phone.desk.done) == 1


@pytest.mark.parametrize(
    ("present", "said"),
    [
        ((CAMILLE, NO_PIN), [Prompt.ON_DUTY, CAMILLE, NO_PIN]),
        ((), [Prompt.NOBODY_ON_DUTY]),
        (None, [Prompt.ROSTER_UNKNOWN]),
    ],
)
def test_who_is_on_duty_takes_no_pin(present, said):
    assert Phone(Desk(present=present)).call(Action.WHO) == [*said, Prompt.GOODBYE]


def test_the_last_one_who_signs_out_is_told_that_nobody_is_left():
    heard = Phone(Desk(present=())).call(Action.SIGN_OUT, *RIGHT)
    assert heard == [*ASKED, Prompt.SIGNED_OUT, CAMILLE, Prompt.NOBODY_ON_DUTY, Prompt.GOODBYE]
    assert Prompt.NOBODY_ON_DUTY not in Phone(Desk(present=None)).call(Action.SIGN_OUT, *RIGHT)


CRISIS = {
    Action.CRISIS_OPEN: ("open_crisis", "cdurand", False),
    Action.CRISIS_EXERCISE: ("open_crisis", "cdurand", True),
    Action.CRISIS_JOIN: ("join_crisis", "cdurand"),
    Action.CRISIS_LEAVE: ("leave_crisis", "cdurand"),
    Action.CRISIS_LINE: ("open_line", "cdurand"),
    Action.CRISIS_CLOSE: ("close_crisis", "cdurand"),
}
CONFIRMED = {Action.CRISIS_OPEN, Action.CRISIS_EXERCISE, Action.CRISIS_CLOSE}


@pytest.mark.parametrize("action", CRISIS)
def test_the_crisis_cell(action):
    phone = Phone()
    phone.call(action, *RIGHT, *(["1"] if action in CONFIRMED else []))
    assert phone.desk.done == [CRISIS[action]]
    assert phone.done
    assert phone.line == {Action.CRISIS_LINE: True, Action.CRISIS_CLOSE: False}.get(action)


@pytest.mark.parametrize("action", [*CRISIS, Action.SIGN_IN, Action.SIGN_OUT])
def test_nothing_but_who_goes_without_a_pin(action):
    phone = Phone()
    phone.call(action, *WRONG * 3)
    assert phone.desk.done == []
    assert phone.line is None


@pytest.mark.parametrize("action", CONFIRMED)
@pytest.mark.parametrize("key", ["", "2"])
def test_what_cannot_be_taken_back_is_asked_for_twice(action, key):
    phone = Phone()
    assert phone.call(action, *RIGHT, key)[-2:] == [Prompt.NOTHING_DONE, Prompt.GOODBYE]
    assert phone.desk.done == []
    assert phone.line is None


@pytest.mark.parametrize(
    ("fault", "said"),
    [(CrisisError("no crisis is open"), Prompt.NOT_NOW), (LedgerError("the disk is full"), Prompt.FAILED)],
)
def test_what_fails_is_said_and_changes_no_line(fault, said):
    phone = Phone(Desk(fault))
    assert phone.call(Action.CRISIS_LINE, *RIGHT)[-2:] == [said, Prompt.GOODBYE]
    assert phone.line is None
    assert not phone.done


def test_no_key_that_was_pressed_is_logged(caplog):
    caplog.set_level(logging.DEBUG)
    phone = Phone()
    phone.call(Action.SIGN_IN, "271828", "4101", *WRONG, *RIGHT)
    phone.call(Action.SIGN_IN, *UNKNOWN * 3)
    assert "cdurand" in caplog.text
    assert "refused" in caplog.text
    for secret in (*RIGHT, *WRONG, *UNKNOWN):
        assert secret not in caplog.text
