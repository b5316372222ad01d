"""A real Asterisk, in a chroot that ``scripts/lab-packages`` made, with a configuration of its own."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

import telemon
from simulators.lab.ports import free_port
from simulators.lab.templates import render
from telemon.errors import TelemonError
from telemon.texts import text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_CONFIGURATION = Path(__file__).parent / "configuration"
PREFECTURE_CONFIGURATION = Path(__file__).parent / "prefecture"
"""The overlay that makes an Asterisk the site ``simulators.site.PREFECTURE``; its phones are ``PREFECTURE.phones``."""
PHONES = ("op1", "op2", "op3", "svc1")
# Asterisk complains of each that is missing; empty, they leave everything as it is by default.
_EMPTY = ("acl", "ccss", "cdr", "cel", "features", "pjproject", "queuerules", "udptl")
BOOT_SECONDS = 30.0
STOP_SECONDS = 10.0
_RETRY_SECONDS = 0.02


def lab_folder() -> Path:
    """Return the folder in which ``scripts/lab-packages`` keeps the lab's roots."""
    if folder := os.environ.get("TELEMON_LAB"):
        return Path(folder)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "telemon-lab"


def missing_for_lab(version: int = 22) -> str | None:
    """Say why no real call can be placed here, None if it can."""
    if os.geteuid() != 0:
        return text()("sim_lab.needs_root")
    if shutil.which("sipp") is None:
        return text()("sim_lab.needs_sipp")
    if not (lab_folder() / f"asterisk-{version}" / ".lab-complete").is_file():
        return text()("sim_lab.needs_asterisk", version=version, folder=lab_folder())
    return None


def dialplans_folder() -> Path:
    """Return the folder ``dialplans``: of the checkout, or of the installed package."""
    checkout = Path(__file__).parents[2] / "dialplans"
    return checkout if checkout.is_dir() else Path(telemon.__file__).parent / "dialplans"


class Asterisk:
    """One running Asterisk: AMI and SIP on free ports of 127.0.0.1, stopped and cleaned up on exit.

    Files in ``overlay`` stand in for those of the same name in ``configuration``; a phone with a file of its own name
    there is configured by it. All of them may ``#include "telemon/…"``, the files of ``dialplans``.

    Attributes: ``ami_port``, ``ami_user``, ``ami_secret``, ``sip_port``, ``phone_ports`` (where each phone is
    expected to listen, by name), ``pid`` and ``run_folder``. It runs on if the process that started it ends without
    ``stop()``.
    """

    ami_user = "telemon"

    def __init__(
        self, root: Path | None = None, *, overlay: Path | None = None, phones: Sequence[str] = PHONES
    ) -> None:
        self.root = root or lab_folder() / "asterisk-22"
        self.ami_port = free_port()
        self.ami_secret = secrets.token_hex(8)
        self.sip_port = free_port()
        self.phone_ports = {name: free_port() for name in phones}
        self._folders = (_CONFIGURATION, *(() if overlay is None else (overlay,)))
        self._run_folder: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process id of Asterisk itself."""
        return self._running.pid

    @property
    def run_folder(self) -> Path:
        """Where its configuration, log and spool are: ``etc``, ``log``, ``spool``."""
        if self._run_folder is None:
            raise TelemonError("this Asterisk was not started; call start() first")
        return self._run_folder

    @property
    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise TelemonError("this Asterisk was not started; call start() first")
        return self._process

    def start(self) -> None:
        """Start, and return once Asterisk is fully booted; TelemonError with its log if it does not boot."""
        self._run_folder = Path(tempfile.mkdtemp(prefix="asterisk-", dir=self.root / "tmp"))
        self._write_configuration(self._run_folder)
        self._run(self._run_folder)

    def restart(self) -> None:
        """Ask Asterisk to end and start it again, with the same ports and configuration."""
        self._running.terminate()
        self._running.wait(STOP_SECONDS)
        self._run(self.run_folder)

    def _run(self, run_folder: Path) -> None:
        with (run_folder / "output").open("ab") as output:
            self._process = subprocess.Popen(
                [*self._asterisk, "-f", "-U", "asterisk", "-G", "asterisk"],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C at the terminal is not for it
            )
        try:
            self._wait_until_booted()
        except BaseException:
            self.kill()
            raise

    @property
    def _asterisk(self) -> list[str]:
        configuration = self.run_folder.relative_to(self.root) / "etc" / "asterisk.conf"
        return ["chroot", str(self.root), "/usr/sbin/asterisk", "-C", f"/{configuration}"]

    def command(self, line: str) -> str:
        """Run one command of Asterisk's console (``asterisk -rx``) and return what it prints."""
        done = subprocess.run(
            [*self._asterisk, "-rx", line], check=True, capture_output=True, text=True, timeout=STOP_SECONDS
        )
        return done.stdout

    def stop(self) -> None:
        """Ask Asterisk to end (SIGTERM: it hangs every call up first) and clean up."""
        self._running.terminate()
        try:
            self._running.wait(STOP_SECONDS)
        finally:
            self.kill()

    def kill(self) -> None:
        """End Asterisk at once (SIGKILL: nothing is said to anybody) and clean up; no harm if it has ended."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        if self._run_folder is not None:
            shutil.rmtree(self._run_folder)
            self._run_folder = None

    def log(self, lines: int = 60) -> str:
        """Return the last lines of what Asterisk logged and printed."""
        if self._run_folder is None:
            return text()("sim_lab.no_log")
        files = (self._run_folder / "log" / "full", self._run_folder / "output")
        logged = "\n".join(file.read_text("utf-8", "replace") for file in files if file.exists())
        return "\n".join(logged.splitlines()[-lines:])

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None and self._process.poll() is None:
            self.stop()
        self.kill()

    def _write_configuration(self, run_folder: Path) -> None:
        for name in ("etc", "lib", "log", "spool"):
            (run_folder / name).mkdir()
        templates = {path.name: path for folder in self._folders for path in folder.glob("*.conf")}
        phone = templates.pop("phone.conf")
        phones = [
            render(templates.pop(f"{name}.conf", phone), {"NAME": name, "PORT": port})
            for name, port in self.phone_ports.items()
        ]
        values = {
            "AMI_PORT": self.ami_port,
            "AMI_SECRET": self.ami_secret,
            "MODULES": f"/{next(self.root.glob('usr/lib/**/asterisk/modules')).relative_to(self.root)}",
            "PHONES": "\n".join(phones),
            "RUN": f"/{run_folder.relative_to(self.root)}",
            "SIP_PORT": self.sip_port,
        }
        for name in _EMPTY:
            (run_folder / "etc" / f"{name}.conf").touch()
        for name, template in templates.items():
            (run_folder / "etc" / name).write_text(render(template, values), "utf-8")
        shutil.copytree(dialplans_folder(), run_folder / "etc" / "telemon")
        user, group = _ids_of(self.root, "asterisk")
        for path in (run_folder, *run_folder.rglob("*")):
            os.chown(path, user, group)

    def _wait_until_booted(self) -> None:
        deadline = time.monotonic() + BOOT_SECONDS
        while time.monotonic() < deadline:
            if self._running.poll() is not None:
                raise TelemonError("\n".join((text()("sim_lab.ended", code=self._running.returncode), self.log())))
            with contextlib.suppress(OSError):  # nobody listens yet
                if b"Event: FullyBooted\r\n" in self._first_lines():
                    return
            time.sleep(_RETRY_SECONDS)
        raise TelemonError("\n".join((text()("sim_lab.not_booted", seconds=round(BOOT_SECONDS)), self.log())))

    def _first_lines(self) -> Iterator[bytes]:
        login = f"Action: Login\r\nUsername: {self.ami_user}\r\nSecret: {self.ami_secret}\r\n\r\n"
        with socket.create_connection(("127.0.0.1", self.ami_port), BOOT_SECONDS) as link:
            link.sendall(login.encode())
            yield from link.makefile("rb")


def _ids_of(root: Path, user: str) -> tuple[int, int]:
    """Return the user and group id that a name has inside the root (passwd(5))."""
    for line in (root / "etc" / "passwd").read_text("utf-8").splitlines():
        name, _, uid, gid, *_ = line.split(":")
        if name == user:
            return int(uid), int(gid)
    raise TelemonError(text()("sim_lab.no_user", user=user, root=root))
