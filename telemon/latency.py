"""Settings of Python itself that let the event loop run soon, whatever the threads beside it do."""

from __future__ import annotations

import gc
import sys
from typing import Final

SWITCH_SECONDS: Final = 0.0005
_THRESHOLDS: Final = (20_000, 20, 50)


def prefer_the_reader() -> None:
    """Set them, once everything that lives as long as the daemon is made.

    A thread that computes gives the interpreter up after half a millisecond instead of five: the event loop asks for it
    again after each system call, so that a few of these add up. What exists by now is no longer searched for garbage,
    and the rest less often: a search through all objects of a hundred sites takes 0.1 s, in which nothing else runs.
    """
    sys.setswitchinterval(SWITCH_SECONDS)
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)
