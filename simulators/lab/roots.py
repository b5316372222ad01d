"""The private roots in which the lab's Asterisks live, made from Debian's packages by the script ``make-root``."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from simulators.lab.asterisk import lab_folder
from simulators.lab.processes import running_in
from telemon.errors import TelemonError
from telemon.texts import text

if TYPE_CHECKING:
    from collections.abc import Callable

_MAKE_ROOT = Path(__file__).parent / "make-root"


class Version(StrEnum):
    """The Asterisks that the lab can run: the current long-term one, and the oldest that telemon supports."""

    V22 = "22"
    V16 = "16"


def root_of(version: Version) -> Path:
    """Return where the root of this Asterisk is kept, made or not."""
    return lab_folder() / f"asterisk-{version}"


def is_made(version: Version) -> bool:
    """Whether that root is there, whole."""
    return (root_of(version) / ".lab-complete").is_file()


def make_root(version: Version, say: Callable[[str], None]) -> None:
    """Make the root unless it is there; it takes a minute, and ``say`` is told of each step.

    An exception that reaches this call, KeyboardInterrupt above all, undoes what was begun.

    Raises:
        TelemonError: this machine cannot make it; the message names each thing that is missing.
    """
    if is_made(version):
        return
    if shutil.which("bash") is None:
        raise TelemonError(text()("sim_lab.no_bash", root=root_of(version)))
    process = subprocess.Popen(
        ["bash", str(_MAKE_ROOT), version],
        env=_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # a Ctrl-C reaches it once, from here
    )
    step = ""
    try:
        assert process.stderr is not None
        for line in process.stderr:
            _, sign, said = line.rstrip().partition(f"make-root {version}: ")
            if sign:
                step = said
                say(step)
    except BaseException:
        os.killpg(process.pid, signal.SIGTERM)
        raise
    finally:
        process.wait()
    if process.returncode != 0:
        values = {"root": root_of(version), "script": _MAKE_ROOT, "code": process.returncode}
        raise TelemonError(step or text()("sim_lab.not_made", **values))


def remove_root(version: Version) -> None:
    """Remove the root and everything about it.

    Raises:
        TelemonError: an Asterisk runs in it, or it cannot be removed.
    """
    root = root_of(version)
    if pids := running_in(root):
        raise TelemonError(text()("sim_lab.in_use", root=root, pids=", ".join(map(str, pids))))
    command = ["bash", str(_MAKE_ROOT), version, "--remove"]
    done = subprocess.run(command, env=_environment(), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise TelemonError(text()("sim_lab.not_removed", root=root, reason=done.stderr.strip()))


def _environment() -> dict[str, str]:
    return {**os.environ, "TELEMON_LAB": str(lab_folder())}
