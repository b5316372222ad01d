"""What an officer hears and keys in when he calls telemon: signing in and out, who is on duty, the crisis cell.

The dialogue alone: what speaks and listens is a ``Voice`` (a channel of Asterisk in ``telemon.agi.server``, a script in
tests), what is done about it a ``Desk``. PINs are compared here, and neither kept, logged nor handed on.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Protocol

from telemon.agi.pins import LONGEST as LONGEST_PIN
from telemon.agi.pins import verify_pin
from telemon.errors import CrisisError, TelemonError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from telemon.duty_records import Officer

log = logging.getLogger(__name__)

LONGEST_NUMBER: Final = 10
_YES: Final = "1"


class Prompt(StrEnum):
    """What telemon says on the phone; the values are keys of ``telemon.texts``."""

    ASK_NUMBER = "prompts.ask_number"
    ASK_PIN = "prompts.ask_pin"
    WRONG = "prompts.wrong"
    LOCKED = "prompts.locked"
    SIGNED_IN = "prompts.signed_in"
    SIGNED_OUT = "prompts.signed_out"
    ON_DUTY = "prompts.on_duty"
    UNNAMED = "prompts.unnamed"
    NOBODY_ON_DUTY = "prompts.nobody_on_duty"
    ROSTER_UNKNOWN = "prompts.roster_unknown"
    CONFIRM_CRISIS = "prompts.confirm_crisis"
    CONFIRM_EXERCISE = "prompts.confirm_exercise"
    CONFIRM_CLOSE = "prompts.confirm_close"
    CRISIS_ORDERED = "prompts.crisis_ordered"
    EXERCISE_ORDERED = "prompts.exercise_ordered"
    CRISIS_JOINED = "prompts.crisis_joined"
    CRISIS_LEFT = "prompts.crisis_left"
    LINE_OPENED = "prompts.line_opened"
    CRISIS_CLOSED = "prompts.crisis_closed"
    NOTHING_DONE = "prompts.nothing_done"
    NOT_NOW = "prompts.not_now"
    FAILED = "prompts.failed"
    BUSY = "prompts.busy"
    GOODBYE = "prompts.goodbye"


class Action(StrEnum):
    """What a call is for: the last part of ``AGI(agi://…/…)`` in dialplans/permanence/presence.conf."""

    SIGN_IN = "sign-in"
    SIGN_OUT = "sign-out"
    WHO = "who"
    CRISIS_OPEN = "crisis-open"
    CRISIS_EXERCISE = "crisis-exercise"
    CRISIS_JOIN = "crisis-join"
    CRISIS_LEAVE = "crisis-leave"
    CRISIS_LINE = "crisis-line"
    CRISIS_CLOSE = "crisis-close"


class HungUp(Exception):  # noqa: N818 - no error: the ordinary end of a call
    """The caller is gone."""


class Voice(Protocol):
    """The caller's phone; every method raises HungUp once the caller is gone."""

    def say(self, *words: Prompt | Officer) -> None:
        """Say prompts and names, one after the other."""
        ...

    def ask_digits(self, prompt: Prompt, longest: int) -> str:
        """Say a prompt, and return what is keyed in: up to so many digits, up to a ``#``, or up to a long pause."""
        ...

    def switch_line(self, *, is_open: bool) -> None:
        """Open or close the crisis line on the PBX of this call, even if the caller is gone by now."""
        ...


class Desk(Protocol):
    """What can be done by phone. Called from several threads at once; every method may raise TelemonError."""

    @property
    def officers(self) -> Mapping[str, Officer]:
        """The officers by number."""
        ...

    def sign_in(self, officer: Officer, extension: str) -> None:
        """Sign an officer in by this phone."""
        ...

    def sign_out(self, officer: Officer, extension: str) -> None:
        """Sign an officer out by this phone."""
        ...

    def on_duty(self) -> Sequence[Officer] | None:
        """Return who is on duty now; None where that is not kept."""
        ...

    def open_crisis(self, officer: Officer, *, is_exercise: bool) -> None:
        """Order the crisis cell."""
        ...

    def join_crisis(self, officer: Officer) -> None:
        """Sign an officer in to the cell."""
        ...

    def leave_crisis(self, officer: Officer) -> None:
        """Sign an officer out of the cell."""
        ...

    def open_line(self, officer: Officer) -> None:
        """Say that the crisis line is open."""
        ...

    def close_crisis(self, officer: Officer) -> None:
        """Close the cell."""
        ...


class Guard(Protocol):
    """Who may try a PIN. Called from several threads at once."""

    def begin(self, number: str, extension: str) -> bool:
        """Count a try, as wrong for now; False if the number or the phone is locked."""
        ...

    def is_locked(self, number: str, extension: str) -> bool:
        """Whether no further try is taken."""
        ...

    def right(self, number: str, extension: str) -> None:
        """Forget the wrong tries of both."""
        ...


_CONFIRMED: Final = {
    Action.CRISIS_OPEN: Prompt.CONFIRM_CRISIS,
    Action.CRISIS_EXERCISE: Prompt.CONFIRM_EXERCISE,
    Action.CRISIS_CLOSE: Prompt.CONFIRM_CLOSE,
}
_SAID: Final = {
    Action.SIGN_IN: Prompt.SIGNED_IN,
    Action.SIGN_OUT: Prompt.SIGNED_OUT,
    Action.CRISIS_OPEN: Prompt.CRISIS_ORDERED,
    Action.CRISIS_EXERCISE: Prompt.EXERCISE_ORDERED,
    Action.CRISIS_JOIN: Prompt.CRISIS_JOINED,
    Action.CRISIS_LEAVE: Prompt.CRISIS_LEFT,
    Action.CRISIS_LINE: Prompt.LINE_OPENED,
    Action.CRISIS_CLOSE: Prompt.CRISIS_CLOSED,
}
_WITH_NAME: Final = frozenset({Action.SIGN_IN, Action.SIGN_OUT, Action.CRISIS_JOIN, Action.CRISIS_LEAVE})


class DutyLine:
    """One call. ``extension`` is the phone that calls, as its channel is called: ``PJSIP/duty``."""

    def __init__(self, desk: Desk, guard: Guard, voice: Voice, extension: str) -> None:
        self._desk = desk
        self._guard = guard
        self._voice = voice
        self._extension = extension

    def run(self, action: Action) -> bool:
        """Lead the call to its end; True if what it is for was done.

        Raises:
            HungUp: the caller is gone. What he had been told is done stays done.
        """
        try:
            done = self._tell() if action is Action.WHO else self._act(action)
        except CrisisError as error:
            log.warning("by phone %s: %s refused: %s", self._extension, action, error)
            self._voice.say(Prompt.NOT_NOW)
            done = False
        except TelemonError as error:
            log.error("by phone %s: %s failed: %s", self._extension, action, error)  # noqa: TRY400 - it says what to do
            self._voice.say(Prompt.FAILED)
            done = False
        self._voice.say(Prompt.GOODBYE)
        return done

    def _act(self, action: Action) -> bool:
        officer = self._identify(action)
        if officer is None:
            return False
        if action in _CONFIRMED and self._voice.ask_digits(_CONFIRMED[action], 1) != _YES:
            self._voice.say(Prompt.NOTHING_DONE)
            return False
        self._do(action, officer)
        log.info("by phone %s: %s of %s", self._extension, action, officer.id)
        self._voice.say(_SAID[action], *([officer] if action in _WITH_NAME else []))
        if action is Action.SIGN_OUT:
            self._warn_if_nobody()
        return True

    def _do(self, action: Action, officer: Officer) -> None:
        match action:
            case Action.SIGN_IN:
                self._desk.sign_in(officer, self._extension)
            case Action.SIGN_OUT:
                self._desk.sign_out(officer, self._extension)
            case Action.CRISIS_OPEN | Action.CRISIS_EXERCISE:
                self._desk.open_crisis(officer, is_exercise=action is Action.CRISIS_EXERCISE)
            case Action.CRISIS_JOIN:
                self._desk.join_crisis(officer)
            case Action.CRISIS_LEAVE:
                self._desk.leave_crisis(officer)
            case Action.CRISIS_LINE:
                self._desk.open_line(officer)
                self._voice.switch_line(is_open=True)
            case Action.CRISIS_CLOSE:
                self._desk.close_crisis(officer)
                self._voice.switch_line(is_open=False)

    def _identify(self, action: Action) -> Officer | None:
        """Ask for number and PIN until they are right or locked; a number that nobody has is asked for its PIN too.

        Nothing tells the two apart: neither what is said, nor how long it takes, nor when the lock falls. What was
        keyed in is never logged: a PIN may have been keyed in as the number.
        """
        while True:
            number = self._voice.ask_digits(Prompt.ASK_NUMBER, LONGEST_NUMBER)
            if not number:  # nobody is there to try anything
                self._voice.say(Prompt.NOTHING_DONE)
                return None
            pin = self._voice.ask_digits(Prompt.ASK_PIN, LONGEST_PIN)
            if not self._guard.begin(number, self._extension):
                break
            officer = self._desk.officers.get(number)
            if verify_pin(pin, "" if officer is None else officer.pin) and officer is not None:
                self._guard.right(number, self._extension)
                return officer
            log.warning("by phone %s: %s refused, wrong number or PIN", self._extension, action)
            if self._guard.is_locked(number, self._extension):
                break
            self._voice.say(Prompt.WRONG)
        log.warning("by phone %s: %s refused, locked after wrong PINs", self._extension, action)
        self._voice.say(Prompt.LOCKED)
        return None

    def _tell(self) -> bool:
        officers = self._desk.on_duty()
        if officers is None:
            self._voice.say(Prompt.ROSTER_UNKNOWN)
        elif officers:
            self._voice.say(Prompt.ON_DUTY, *officers)
        else:
            self._voice.say(Prompt.NOBODY_ON_DUTY)
        return officers is not None

    def _warn_if_nobody(self) -> None:
        with suppress(TelemonError):  # he is signed out all the same
            officers = self._desk.on_duty()
            if officers is not None and not officers:
                self._voice.say(Prompt.NOBODY_ON_DUTY)
