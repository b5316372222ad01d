"""A channel of Asterisk that speaks and listens, over AGI.

Prompts are ``telemon/…`` in the channel's language (``telemon prompts`` makes them); where a site has not installed
them, Asterisk's own sounds say roughly the same, and digits stand in for names.
"""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Any, Final, Protocol

from asterisk.agi import AGI, AGIError

from telemon.agi.line import HungUp, Prompt
from telemon.duty_records import Officer

KEY_SECONDS: Final = 6.0  # how long the caller may think before each key
BUSY_SOUNDS: Final = ("all-circuits-busy-now",)
_UP: Final = "6"  # include/asterisk/channelstate.h, AST_STATE_UP
_ID: Final = re.compile(r"[a-z0-9][a-z0-9_.-]{0,62}")  # as in telemon.config_duty; whatever else is no file's name
_STOCK: Final[dict[Prompt, tuple[str, ...]]] = {
    Prompt.ASK_NUMBER: ("agent-user",),
    Prompt.ASK_PIN: ("agent-pass",),
    Prompt.WRONG: ("vm-incorrect",),
    Prompt.LOCKED: ("vm-incorrect", "please-try-call-later"),
    Prompt.SIGNED_IN: ("agent-loginok",),
    Prompt.SIGNED_OUT: ("agent-loggedoff",),
    Prompt.ON_DUTY: ("extension",),
    Prompt.UNNAMED: ("vm-theperson",),
    Prompt.NOBODY_ON_DUTY: ("vm-nobodyavail",),
    Prompt.ROSTER_UNKNOWN: ("feature-not-avail-line",),
    Prompt.CONFIRM_CRISIS: ("if-correct-press", "digits/1"),
    Prompt.CONFIRM_EXERCISE: ("if-correct-press", "digits/1"),
    Prompt.CONFIRM_CLOSE: ("if-correct-press", "digits/1"),
    Prompt.CRISIS_ORDERED: ("activated",),
    Prompt.EXERCISE_ORDERED: ("activated",),
    Prompt.CRISIS_JOINED: ("conf-hasjoin",),
    Prompt.CRISIS_LEFT: ("conf-hasleft",),
    Prompt.LINE_OPENED: ("enabled",),
    Prompt.CRISIS_CLOSED: ("de-activated",),
    Prompt.NOTHING_DONE: ("cancelled",),
    Prompt.NOT_NOW: ("vm-sorry",),
    Prompt.FAILED: ("tt-somethingwrong",),
    Prompt.BUSY: BUSY_SOUNDS,
    Prompt.GOODBYE: ("vm-goodbye",),
}
# Source: main/pbx_variables.c, pbx_builtin_setvar_helper: a name with parentheses is a dialplan function.
_SWITCH: Final = {
    True: {"DB(telemon/crisis)": "open", "DEVICE_STATE(Custom:telemon-crisis)": "INUSE"},
    False: {"DB(telemon/crisis)": "closed", "DEVICE_STATE(Custom:telemon-crisis)": "NOT_INUSE"},
}


class Lines(Protocol):
    """Both directions of a connection, as pyst2 uses them."""

    def readline(self) -> str:
        """Return the next line; HungUp if there is none."""
        ...

    def write(self, text: str) -> None:
        """Send a command."""
        ...

    def flush(self) -> None:
        """See to it that it is sent."""
        ...


ANSWERED: Final = ("SET VARIABLE", "TELEMON_ANSWERED", "yes")  # as dialplans/permanence/presence.conf asks


class _Nowhere:
    """Where pyst2's account of every line goes: the keys of a PIN are among them."""

    def write(self, text: str) -> None:
        """Forget it."""


class Agi(AGI):  # type: ignore[misc]  # pyst2 has no types
    """pyst2's AGI over a connection: its own constructor sets a handler of SIGHUP, which only the main thread may."""

    def __init__(self, lines: Lines) -> None:  # not super(): see above
        self.stdin = self.stdout = lines
        self.stderr = _Nowhere()
        self._got_sighup = False
        self.env: dict[str, str] = {}
        self._get_agi_env()


class ChannelVoice:
    """What the caller hears and keys in; see ``telemon.agi.line.Voice``."""

    def __init__(self, agi: Agi, folder: str) -> None:
        self._agi = agi
        self._folder = folder
        self._missing: set[str] = set()

    def greet(self) -> None:
        """Tell the dialplan that telemon is there: after one missing sound, AGISTATUS is FAILURE (res/res_agi.c)."""
        self._ask(*ANSWERED)

    def say(self, *words: Prompt | Officer) -> None:
        """Say prompts and names; a key does not interrupt them."""
        for word in words:
            if isinstance(word, Officer):
                self._name(word)
            else:
                self._play(word)

    def ask_digits(self, prompt: Prompt, longest: int) -> str:
        """Say a prompt, which a key interrupts, and return the digits up to ``#``, a pause, or ``longest``.

        One command takes them all: between two commands Asterisk drops keys (res/res_agi.c, run_agi).
        """
        own = f"{self._folder}/{file_name(prompt)}"
        answer = self._data(own, longest) if own not in self._missing else None
        if answer is None:
            self._missing.add(own)
            *before, last = _STOCK[prompt]
            for sound in before:
                self._stream(sound)
            answer = self._data(last, longest)
        return answer or ""

    def switch_line(self, *, is_open: bool) -> None:
        """Set the switch of ``dialplans/crisis/extensions.conf`` as its codes do; works on a dead channel too."""
        for name, value in _SWITCH[is_open].items():
            with suppress(HungUp):  # what comes next will find out
                self._ask("SET VARIABLE", name, value)

    def _play(self, prompt: Prompt) -> None:
        if not self._stream(f"{self._folder}/{file_name(prompt)}"):
            for sound in _STOCK[prompt]:
                self._stream(sound)

    def _name(self, officer: Officer) -> None:
        """Say a name; of somebody who stands in the calendar alone there is no recording, and no number to say."""
        if _ID.fullmatch(officer.id) and self._stream(f"{self._folder}/name-{officer.id}"):
            return
        if officer.number.isascii() and officer.number.isdigit():
            self._ask("SAY DIGITS", officer.number, '""')
        else:
            self._play(Prompt.UNNAMED)

    def _stream(self, sound: str) -> bool:
        """Play a sound; False if there is none."""
        return self._with_sound("STREAM FILE", sound, '""') is not None

    def _data(self, sound: str, longest: int) -> str | None:
        """Play a sound and return the digits keyed in; None if there is no such sound."""
        answer = self._with_sound("GET DATA", sound, f"{KEY_SECONDS * 1000:.0f}", str(longest))
        return None if answer is None else "".join(filter(str.isdecimal, answer["result"][0]))

    def _with_sound(self, *command: str) -> dict[str, Any] | None:
        """Return the answer; None if there is no such sound.

        Asterisk answers -1 then, as it does once the caller is gone (res/res_agi.c, handle_streamfile, handle_getdata).
        """
        try:
            return self._ask(*command)
        except HungUp:
            if self._ask("CHANNEL STATUS")["result"][0] != _UP:
                raise
            return None

    def _ask(self, *command: str) -> dict[str, Any]:
        try:
            answer: dict[str, Any] = self._agi.execute(*command)
        except (AGIError, ValueError) as error:  # -1, 511 of a dead channel; ValueError: pyst2 reads no code in it
            raise HungUp(f"{command[0]}: {error}") from error
        return answer


def file_name(prompt: Prompt) -> str:
    """Return the name of a prompt's sound file, without folder and extension."""
    return prompt.value.partition(".")[2].replace("_", "-")
