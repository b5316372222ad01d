"""A desk of officers who are remembered in memory, and a phone whose caller keys in what a script says."""

from telemon.agi.line import HungUp
from telemon.agi.pins import hash_pin
from telemon.duty_records import Officer
from telemon.errors import CrisisError

CAMILLE = Officer(id="cdurand", name="Camille Durand", number="4101", pin=hash_pin("271828"))
NO_PIN = Officer(id="dmartin", name="Dominique Martin", number="4102")


class Desk:
    """Notes what it is asked for; ``fault`` is raised instead."""

    def __init__(self, fault=None, present=(CAMILLE,)):
        self.officers = {one.number: one for one in (CAMILLE, NO_PIN)}
        self.done = []
        self.fault = fault
        self.present = present

    def _note(self, *what):
        if self.fault is not None:
            raise self.fault
        self.done.append(what)

    def sign_in(self, officer, extension):
        self._note("sign_in", officer.id, extension)

    def sign_out(self, officer, extension):
        self._note("sign_out", officer.id, extension)

    def on_duty(self):
        if isinstance(self.fault, Exception) and not isinstance(self.fault, CrisisError):
            raise self.fault
        return self.present

    def open_crisis(self, officer, *, is_exercise):
        self._note("open_crisis", officer.id, is_exercise)

    def join_crisis(self, officer):
        self._note("join_crisis", officer.id)

    def leave_crisis(self, officer):
        self._note("leave_crisis", officer.id)

    def open_line(self, officer):
        self._note("open_line", officer.id)

    def close_crisis(self, officer):
        self._note("close_crisis", officer.id)


class Caller:
    """Keys in these, one after the other, and hangs up after the last."""

    def __init__(self, *keys):
        self.keys = list(keys)
        self.heard = []
        self.line = None

    def say(self, *words):
        self.heard += words

    def ask_digits(self, prompt, longest):
        self.heard.append(prompt)
        if not self.keys:
            raise HungUp
        return self.keys.pop(0)[:longest]

    def switch_line(self, *, is_open):
        self.line = is_open
