"""Callers and phones that speak real SIP: SIPp processes around one Asterisk."""

from __future__ import annotations

import asyncio
import os
import signal
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from simulators.lab.ports import free_port, udp_port_is_bound
from simulators.lab.templates import render
from simulators.sip.plans import Answers, Behaviour, PlannedCall, Rejects, RingsOn
from simulators.sip.truth import CallTruth, read_dialogs, truth_of
from telemon.errors import TelemonError

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import Sequence

    from simulators.lab.asterisk import Asterisk

LONGEST_SECONDS = 100  # no SIPp of the lab lives longer, whatever happens
_READY_SECONDS = 5.0
_RETRY_SECONDS = 0.01
_REFUSALS = (403, 404, 408, 480, 484, 486, 488, 500, 503, 600, 603)
_SCENARIOS = Path(__file__).parent / "scenarios"
# SIPp's exit codes (its manual, "Exit codes"): every call as planned; no call came at all
_WENT_WELL, _NO_CALLS = 0, 99


async def place_calls(asterisk: Asterisk, plans: Sequence[PlannedCall]) -> list[CallTruth]:
    """Place all these calls, each at its ``start_after``, and return what really happened, in the plans' order.

    Returns when every call is over on every phone. Only one ``place_calls`` may run on one Asterisk at a time,
    for the phones are its own. TelemonError if SIPp saw a call go another way than its plan allows.
    """
    with tempfile.TemporaryDirectory(prefix="telemon-sipp-") as folder:
        bench = _Bench(asterisk, Path(folder))
        try:
            await bench.start_phones(plans)
            async with asyncio.TaskGroup() as callers:
                for plan in plans:
                    callers.create_task(bench.place(plan))
            await bench.end_phones()
        finally:
            await bench.kill()
        return bench.truths(plans)


class _Bench:
    """The SIPp processes of one ``place_calls``, and the folder with their scenarios and logs."""

    def __init__(self, asterisk: Asterisk, folder: Path) -> None:
        self._asterisk = asterisk
        self._folder = folder
        self._phones: dict[str, Process] = {}
        self._all: list[Process] = []

    async def start_phones(self, plans: Sequence[PlannedCall]) -> None:
        for name, port in self._asterisk.phone_ports.items():
            self._phones[name] = await self._run(name, _phone_scenario(name, plans), port)
        deadline = time.monotonic() + _READY_SECONDS
        for name, port in self._asterisk.phone_ports.items():
            while not udp_port_is_bound(port):
                if self._phones[name].returncode is not None or time.monotonic() > deadline:
                    raise self._failure(name, self._phones[name])
                await asyncio.sleep(_RETRY_SECONDS)

    async def place(self, plan: PlannedCall) -> None:
        await asyncio.sleep(plan.start_after)
        caller = await self._run(plan.caller, _caller_scenario(plan), free_port(), "-m", "1")
        if await caller.wait() != _WENT_WELL:
            raise self._failure(plan.caller, caller)

    async def end_phones(self) -> None:
        for phone in self._phones.values():
            phone.send_signal(signal.SIGUSR1)  # SIPp finishes the calls under way, then ends
        for name, phone in self._phones.items():
            if await phone.wait() not in (_WENT_WELL, _NO_CALLS):
                raise self._failure(name, phone)

    async def kill(self) -> None:
        for process in self._all:
            if process.returncode is None:
                process.kill()
                await process.wait()

    def truths(self, plans: Sequence[PlannedCall]) -> list[CallTruth]:
        phones = {name: read_dialogs(name, self._log(name)) for name in self._phones}
        return [truth_of(plan, self._log(plan.caller), phones) for plan in plans]

    def _log(self, party: str) -> Path:
        return self._folder / f"{party}.messages"

    async def _run(self, party: str, scenario: str, port: int, *more: str) -> Process:
        file = self._folder / f"{party}.xml"
        file.write_text(scenario, "utf-8")
        local = ("-i", "127.0.0.1", "-mi", "127.0.0.1", "-ci", "127.0.0.1", "-p", f"{port}")
        ports = ("-mp", f"{free_port()}", "-cp", f"{free_port()}")
        logs = ("-trace_msg", "-message_file", f"{self._log(party)}", "-trace_err", "-error_file", f"{file}.errors")
        ways = ("-default_behaviors", "all,-abortunexp", "-aa", "-nostdin", "-deadcall_wait", "0")
        limit = ("-timeout", f"{LONGEST_SECONDS}s", "-timeout_error")
        remote = f"127.0.0.1:{self._asterisk.sip_port}"
        process = await asyncio.create_subprocess_exec(
            *("sipp", "-sf", str(file), *local, *ports, *logs, *ways, *limit, *more, remote),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            cwd=self._folder,
            env={**os.environ, "TERM": "dumb", "TZ": "UTC"},
        )
        self._all.append(process)
        return process

    def _failure(self, party: str, process: Process) -> TelemonError:
        errors = self._folder / f"{party}.xml.errors"
        said = errors.read_text("utf-8", "replace")[-2000:] if errors.exists() else "(it wrote no error)"
        return TelemonError(f"SIPp as {party} ended with code {process.returncode}: {said}")


def _milliseconds(seconds: float) -> int:
    return max(1, round(seconds * 1000))  # 0 would mean "no timeout" to SIPp


def _caller_scenario(plan: PlannedCall) -> str:
    patience = _milliseconds(plan.patience)
    wait = f'optional="true" timeout="{patience}" ontimeout="cancel" next="refused"'
    values = {
        "CALLER": plan.caller,
        "DDI": plan.ddi,
        "PATIENCE": patience,
        "REFUSALS": "\n".join(f'  <recv response="{code}" {wait}/>' for code in _REFUSALS),
        "TALK": _milliseconds(plan.talk),
    }
    return render(_SCENARIOS / "caller.xml", values)


def _phone_scenario(phone: str, plans: Sequence[PlannedCall]) -> str:
    planned = {f"c{plan.caller}": plan.phones.get(phone, RingsOn()) for plan in plans}
    keys = [key for key, behaviour in planned.items() if behaviour != RingsOn()]
    match = '      <ereg regexp="sip:{}@" search_in="hdr" header="From:" assign_to="{}"/>'
    values = {
        "CALLERS": "\n".join(match.format(key[1:], key) for key in keys),
        "CHOICES": "\n".join(f'  <nop next="{key}" test="{key}"/>' for key in keys),
        "PLANS": "".join(_section(key, planned[key]) for key in keys),
    }
    return render(_SCENARIOS / "phone.xml", values)


def _section(key: str, behaviour: Behaviour) -> str:
    match behaviour:
        case Rejects():
            return render(_SCENARIOS / "phone_rejects.xml", {"KEY": key})
        case Answers(after=after, transfer_to=None):
            values = {"KEY": key, "RING": _milliseconds(after), "AFTER_ACK": "bye"}
            return render(_SCENARIOS / "phone_answers.xml", values)
        case Answers(after=after, transfer_to=extension, transfer_after=talk):
            values = {"KEY": key, "RING": _milliseconds(after), "AFTER_ACK": f"{key}_talks"}
            hand_on = {"KEY": key, "TALK": _milliseconds(talk), "EXTENSION": extension}
            answers = render(_SCENARIOS / "phone_answers.xml", values)
            return answers + render(_SCENARIOS / "phone_transfers.xml", hand_on)
        case RingsOn():
            return ""
