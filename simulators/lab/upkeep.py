"""The lab that stays up between commands: one Asterisk as the site PREFECTURE, and a note of where it is."""

from __future__ import annotations

import fcntl
import os
import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from simulators.lab import processes
from simulators.lab.asterisk import PREFECTURE_CONFIGURATION, STOP_SECONDS, Asterisk, lab_folder
from simulators.lab.roots import Version, make_root, root_of
from simulators.site import PREFECTURE
from simulators.telemon_toml import telemon_toml
from telemon.errors import TelemonError
from telemon.texts import text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HOST: Final = "127.0.0.1"


class RunningLab(BaseModel):
    """Where the lab's Asterisk is; ``started`` (clock ticks after boot) tells it from a later process of its number."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    version: Version
    pid: int
    started: int
    run_folder: Path
    ami_port: int
    ami_user: str
    ami_secret: str = Field(repr=False)
    sip_port: int
    phone_ports: dict[str, int]

    @property
    def is_running(self) -> bool:
        """Whether that Asterisk is still there."""
        return processes.started(self.pid) == self.started

    @property
    def log(self) -> Path:
        """Asterisk's own log."""
        return self.run_folder / "log" / "full"


def state_folder() -> Path:
    """Return the folder that is there while the lab is up: its note, telemon's configuration and ledger."""
    return lab_folder() / "running"


def telemon_config() -> Path:
    """Return the configuration with which telemon measures the lab that is up."""
    return state_folder() / "telemon.toml"


def read_lab() -> RunningLab | None:
    """Return the lab that is up; None if none is, or its Asterisk has died.

    Raises:
        TelemonError: the note of it cannot be read.
    """
    lab = noted_lab()
    return lab if lab is not None and lab.is_running else None


def noted_lab() -> RunningLab | None:
    """Return the lab that was started last and not taken down, whether its Asterisk still runs or not.

    Raises:
        TelemonError: the note of it cannot be read.
    """
    note = state_folder() / "lab.json"
    try:
        return RunningLab.model_validate_json(note.read_bytes())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise TelemonError(text()("sim_lab.unreadable", note=note, reason=error.strerror)) from error
    except ValidationError as error:
        raise TelemonError(text()("sim_lab.bad_note", note=note, folder=note.parent)) from error


def up(version: Version | None, say: Callable[[str], None]) -> RunningLab:
    """Return the lab, started (with Asterisk 22 unless told otherwise) if it is not up; ``say`` is told of each step.

    An exception that reaches this call, KeyboardInterrupt above all, undoes what was begun.

    Raises:
        TelemonError: another version is up, this machine cannot run the lab, or Asterisk does not boot.
    """
    if (lab := _up_already(version)) is not None:
        return lab
    version = version or Version.V22
    make_root(version, say)
    if os.geteuid() != 0:
        raise TelemonError(text()("sim_lab.no_rights"))
    with _alone():
        if (lab := _up_already(version)) is not None:
            return lab
        if (dead := noted_lab()) is not None:
            say(text()("sim_lab.clearing", version=dead.version))
            _sweep(dead)
        say(text()("sim_lab.starting", version=version))
        return _start(version)


def _up_already(version: Version | None) -> RunningLab | None:
    lab = read_lab()
    if lab is not None and version not in {None, lab.version}:
        raise TelemonError(text()("sim_lab.other_version", version=lab.version))
    return lab


def down() -> RunningLab | None:
    """End the lab's Asterisk and remove all that it left; return what was up or noted, None if nothing was.

    Raises:
        TelemonError: the note of the lab cannot be read, or its Asterisk may not be ended.
    """
    if noted_lab() is None:
        return None
    with _alone():
        if (lab := noted_lab()) is None:  # taken down by another command meanwhile
            return None
        try:
            processes.end(lab.pid, lab.started, STOP_SECONDS)
        except PermissionError as error:
            raise TelemonError(text()("sim_lab.may_not_end", pid=lab.pid)) from error
        _sweep(lab)
        return lab


@contextmanager
def _alone() -> Iterator[None]:
    """Hold off other commands that start or end the lab."""
    folder = lab_folder()
    folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _start(version: Version) -> RunningLab:
    asterisk = Asterisk(root_of(version), overlay=PREFECTURE_CONFIGURATION, phones=PREFECTURE.phones)
    try:
        asterisk.start()
        lab = _described(asterisk, version)
        _write_down(lab)
    except BaseException:
        asterisk.kill()
        shutil.rmtree(state_folder(), ignore_errors=True)
        raise
    return lab


def _described(asterisk: Asterisk, version: Version) -> RunningLab:
    start = processes.started(asterisk.pid)
    if start is None:
        raise TelemonError("\n".join((text()("sim_lab.ended_at_once"), asterisk.log())))
    return RunningLab(
        version=version,
        pid=asterisk.pid,
        started=start,
        run_folder=asterisk.run_folder.absolute(),
        ami_port=asterisk.ami_port,
        ami_user=asterisk.ami_user,
        ami_secret=asterisk.ami_secret,
        sip_port=asterisk.sip_port,
        phone_ports=asterisk.phone_ports,
    )


def _write_down(lab: RunningLab) -> None:
    """Write the note and telemon's configuration; both hold the secret, so nobody else may read them."""
    folder = state_folder()
    config = telemon_toml(
        PREFECTURE, host=HOST, port=lab.ami_port, username=lab.ami_user, secret=lab.ami_secret, folder=folder
    )
    try:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700)
        for name, content in (("telemon.toml", config), ("lab.json", lab.model_dump_json(indent=2))):
            with os.fdopen(os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.write(content)
    except OSError as error:
        raise TelemonError(text()("sim_lab.unwritable", folder=folder, reason=error.strerror)) from error


def _sweep(lab: RunningLab) -> None:
    for folder in (lab.run_folder, state_folder()):
        shutil.rmtree(folder, ignore_errors=True)
