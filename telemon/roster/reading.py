"""Reads a calendar in a process of its own, with little memory and time.

Anybody who may edit the calendar decides what is read here, and a rule such as "each 30 February" keeps the library
searching up to the year 9999. The daemon, which must go on listening meanwhile, waits for a process that can be ended.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from contextlib import suppress
from dataclasses import astuple
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from telemon.duty_records import Officer
from telemon.errors import RosterError
from telemon.roster.shifts import Shift
from telemon.texts import text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from telemon.instants import Instant
    from telemon.roster.calendar import CalendarReading

_PATIENCE: Final = 90  # seconds on the wall, on a machine that has other things to do
_MEMORY: Final = 512 << 20  # the longest calendar that is read was seen to take 310 MB
_POLITENESS: Final = 10


def read_apart(
    data: bytes,
    zone: ZoneInfo,
    officers: Sequence[Officer],
    start: Instant,
    end: Instant,
    *,
    processor_seconds: int = 30,
) -> CalendarReading:
    """Do what ``telemon.roster.calendar.read_calendar`` does, in a process of its own.

    Raises:
        RosterError: as there, or it took too long or too much memory.
    """
    from telemon.roster.calendar import CalendarReading

    head = {
        "zone": zone.key, "start": start, "end": end, "language": text().language,
        "officers": [{"id": officer.id, "name": officer.name} for officer in officers],
        "processor_seconds": processor_seconds,
    }  # fmt: skip
    process = _run(json.dumps(head).encode() + b"\n" + data)
    try:
        answer = json.loads(process.stdout)
    except ValueError as error:  # it was ended for what it used, or should not have failed
        last = process.stderr.decode(errors="replace").strip().rpartition("\n")[2][:200]
        if process.returncode < 0 or last.startswith("MemoryError"):
            raise RosterError(text()("roster.too_hard", seconds=processor_seconds)) from error
        raise RosterError(text()("roster.broken", reason=last)) from error
    if "error" in answer:
        raise RosterError(answer["error"])
    return CalendarReading(tuple(Shift(*shift) for shift in answer["shifts"]), tuple(answer["warnings"]))


def _run(given: bytes) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(
            [sys.executable, "-P", "-m", "telemon.roster.reading"],
            input=given,
            capture_output=True,
            timeout=_PATIENCE,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise RosterError(text()("roster.too_hard", seconds=_PATIENCE)) from error
    except OSError as error:
        raise RosterError(text()("roster.no_process", reason=error.strerror or error)) from error


def main() -> None:
    """Read what standard input holds: one line of JSON and the calendar; write JSON to standard output."""
    head = json.loads(sys.stdin.buffer.readline())
    resource.setrlimit(resource.RLIMIT_CPU, (head["processor_seconds"],) * 2)
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with suppress(PermissionError):  # systemd's unit forbids it
        os.nice(_POLITENESS)
    from telemon.roster.calendar import read_calendar
    from telemon.texts import use

    use(head["language"])
    officers = [Officer(**officer) for officer in head["officers"]]
    try:
        reading = read_calendar(sys.stdin.buffer.read(), ZoneInfo(head["zone"]), officers, head["start"], head["end"])
    except RosterError as error:
        answer: dict[str, object] = {"error": str(error)}
    else:
        answer = {"shifts": [astuple(shift) for shift in reading.shifts], "warnings": reading.warnings}
    sys.stdout.write(json.dumps(answer))


if __name__ == "__main__":
    main()
