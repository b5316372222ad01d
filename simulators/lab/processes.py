"""Processes that outlive the command which started them: told apart from later ones of the same number, and ended."""

from __future__ import annotations

import os
import select
import signal
from contextlib import suppress
from pathlib import Path


def started(pid: int) -> int | None:
    """Return when a process began, in clock ticks after boot; None once it has ended.

    Source: proc(5), /proc/PID/stat, fields 3 (state) and 22 (starttime); field 2, the name, may hold anything.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    state, *fields = stat.rpartition(")")[2].split()
    return None if state in {"Z", "X"} else int(fields[18])


def end(pid: int, start: int, patience: float) -> None:
    """Ask the process that began at ``start`` to end, force it after ``patience`` seconds, and wait until it has ended.

    Any other process of that number is left alone. PermissionError if it may not be ended.
    """
    with suppress(ProcessLookupError):
        handle = os.pidfd_open(pid)
        try:
            if started(pid) != start:
                return
            signal.pidfd_send_signal(handle, signal.SIGTERM)
            if not select.select([handle], [], [], patience)[0]:
                signal.pidfd_send_signal(handle, signal.SIGKILL)
                select.select([handle], [], [])
        finally:
            os.close(handle)


def running_in(root: Path) -> list[int]:
    """Return the processes for which this folder is ``/``."""
    found = []
    for link in Path("/proc").glob("[0-9]*/root"):
        with suppress(OSError):  # it ended meanwhile, or is not ours to see
            if link.readlink() == root.resolve():
                found.append(int(link.parent.name))
    return found
