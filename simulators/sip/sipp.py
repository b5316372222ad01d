"""One SIPp process: started, watched, always bounded."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from simulators.lab.ports import udp_port_is_bound
from telemon.errors import TelemonError
from telemon.texts import text

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from pathlib import Path

    from simulators.sip.address import Address

_READY_SECONDS: Final = 10.0
_RETRY_SECONDS: Final = 0.01
# Calls are kept for so long after their end, in ms: a message that comes again then makes no new one.
_DEAD_CALL_WAIT: Final = "500"
# SIPp's exit codes (its manual, "Exit codes"): every call as in the scenario; some not; no call came at all
_ENDS: Final = (0, 1, 99)


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """What a process is to play: a scenario and its table, from ``local``, against ``remote``.

    It takes two more UDP ports of the same host, for media and for its control.
    """

    party: str
    scenario: str
    table: str
    local: Address
    remote: Address
    media_port: int
    control_port: int
    longest_seconds: float


class Sipp:
    """One running SIPp. Its files are in the folder: ``messages`` (the SIP log), ``happenings`` (what it logged)."""

    def __init__(self, role: Role, folder: Path) -> None:
        self.party = role.party
        self.messages = folder / "messages"
        self.happenings = folder / "happenings"
        self._role = role
        self._folder = folder
        self._process: Process | None = None

    async def start(self, *more: str) -> None:
        """Start it; TelemonError if there is no SIPp on this machine, or its port is taken."""
        if udp_port_is_bound(self._role.local.port):
            raise TelemonError(text()("sim_sip.port_taken", port=self._role.local.port, party=self.party))
        (self._folder / "scenario.xml").write_text(self._role.scenario, "utf-8")
        (self._folder / "table.csv").write_text(self._role.table, "utf-8")
        options = (*_options(self._role), *more)
        try:
            with (self._folder / "output").open("wb") as output:
                self._process = await asyncio.create_subprocess_exec(
                    *("sipp", "-sf", "scenario.xml", *options, str(self._role.remote)),
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=asyncio.subprocess.DEVNULL,
                    stderr=output,
                    cwd=self._folder,
                    env={**os.environ, "TERM": "dumb", "TZ": "UTC"},
                )
        except FileNotFoundError as error:
            raise TelemonError(text()("sim_sip.no_sipp")) from error

    async def listens(self) -> None:
        """Return once it takes calls; TelemonError with its reason if it never does."""
        deadline = time.monotonic() + _READY_SECONDS
        while not udp_port_is_bound(self._role.local.port):
            if self._running.returncode is not None or time.monotonic() > deadline:
                raise self._failure()
            await asyncio.sleep(_RETRY_SECONDS)

    async def end(self) -> str | None:
        """Let it finish the calls under way, then end; return what ``wait`` does."""
        if self._running.returncode is None:
            self._running.send_signal(signal.SIGUSR1)
        return await self.wait()

    async def wait(self) -> str | None:
        """Wait until it ends by itself; say what was wrong if it broke down, not if calls went another way."""
        return None if await self._running.wait() in _ENDS else str(self._failure())

    async def kill(self) -> None:
        """End it at once; no harm if it has ended."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    @property
    def _running(self) -> Process:
        assert self._process is not None, "not started"
        return self._process

    def _failure(self) -> TelemonError:
        files = (self._folder / "errors", self._folder / "output")
        said = " ".join(file.read_text("utf-8", "replace")[-500:].strip() for file in files if file.exists())
        values = {"party": self.party, "code": self._running.returncode, "said": said or text()("sim_sip.no_reason")}
        return TelemonError(text()("sim_sip.sipp_ended", **values))


def _options(role: Role) -> tuple[str, ...]:
    host = role.local.host
    return (
        *("-i", host, "-mi", host, "-ci", host, "-p", f"{role.local.port}"),
        *("-mp", f"{role.media_port}", "-cp", f"{role.control_port}"),
        *("-inf", "table.csv", "-infindex", "table.csv", "0"),
        *("-trace_msg", "-message_file", "messages", "-trace_err", "-error_file", "errors"),
        *("-trace_logs", "-log_file", "happenings"),
        *("-default_behaviors", "all,-abortunexp", "-aa", "-nostdin", "-deadcall_wait", _DEAD_CALL_WAIT),
        *("-timeout", f"{role.longest_seconds:.0f}s", "-timeout_error"),
    )
