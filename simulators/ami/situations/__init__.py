"""Situations: whole calls that were played on a real Asterisk, to be told again at other times and paces.

    situation = load_situation("pickup_queue")
    plan = {"op2 dials *8": from_seconds(4.2)}  # op2 picks up later than on the tape
    for at, event in situation.tell(caller, numbers, plan):
        server.emit(event, to_seconds(at))
    truth = situation.truth(caller, plan)

``python -m tests.lab.capture --situations`` records them; ``tests/acceptance/test_situations.py`` plays each again on
a real Asterisk and holds both against each other.
"""

from simulators.ami.situations.programme import CAPTURE_SITE, Programme, capture_switchboard
from simulators.ami.situations.retiming import Act
from simulators.ami.situations.situation import (
    Situation,
    load_situation,
    read_situation,
    situation_names,
    situation_versions,
)

__all__ = [
    "CAPTURE_SITE",
    "Act",
    "Programme",
    "Situation",
    "capture_switchboard",
    "load_situation",
    "read_situation",
    "situation_names",
    "situation_versions",
]
