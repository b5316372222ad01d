"""A plan carried out: callers and phones around one switchboard, and the truth of every call afterwards."""

from __future__ import annotations

import asyncio
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from simulators.lab.ports import free_port
from simulators.lab.templates import render
from simulators.sip.address import Address, local_host
from simulators.sip.dialogs import read_dialogs
from simulators.sip.pauses import keep_pauses
from simulators.sip.sipp import Role, Sipp
from simulators.sip.tables import LEAD_SECONDS, SPARE_SECONDS, caller_table, phone_table, stays_seconds
from simulators.sip.verdict import failure_of
from simulators.sip.witness import gather, time_greetings, truth_of
from simulators.site import Pattern
from telemon.errors import AmiError, TelemonError
from telemon.texts import text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from simulators.plan import Plan, PlannedCall
    from simulators.sip.dialogs import Dialog
    from simulators.sip.target import Target
    from simulators.sip.witness import Seen
    from simulators.truth import CallTruth

_SCENARIOS: Final = Path(__file__).parent / "scenarios"
_REFUSALS: Final = (400, 401, 403, 404, 406, 407, 408, 410, 480, 484, 486, 488, 500, 501, 502, 503, 504, 600, 603, 606)
_GRACE_SECONDS: Final = 40.0  # SIP's own timers give up after 32 s (RFC 3261, timer B)
_WATCH_SECONDS: Final = 0.25
_CALLS_A_SECOND: Final = "5000"  # SIPp makes its calls at once; each then waits for its own time


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a plan is: calls placed so far, and those among them that are over."""

    placed: int
    over: int


@dataclass(frozen=True, slots=True)
class Played:
    """What became of a plan: every call seen whole, and what went wrong, by the name of a call or of a SIPp."""

    seen: tuple[Seen, ...]
    truths: tuple[CallTruth, ...]
    failures: dict[str, str]


async def play(plan: Plan, target: Target, *, progress: Callable[[Progress], None] | None = None) -> Played:
    """Place every call of a plan at its time, and return when all are over on every phone.

    Only one plan may be played on one switchboard's phones at a time.

    Raises:
        TelemonError: SIPp is missing or broke down, or a port of the phones is taken.
    """
    if not plan.calls:
        raise TelemonError(text()("sim_sip.no_calls", scenario=plan.scenario))
    with tempfile.TemporaryDirectory(prefix="telemon-sipp-") as folder:
        bench = _Bench(plan, target, Path(folder))
        try:
            await bench.run(progress)
        finally:
            await bench.kill()
        return bench.played()


class _Bench:
    """The SIPp processes of one plan, and the folder with their tables and logs."""

    def __init__(self, plan: Plan, target: Target, folder: Path) -> None:
        self._plan = plan
        self._target = target
        self._folder = folder
        self._longest = _GRACE_SECONDS + max(
            LEAD_SECONDS + call.arrives_at + call.patience + stays_seconds(call, target.site) + SPARE_SECONDS
            for call in plan.calls
        )
        self._parties = target.parties()
        self._phones: dict[Address, Sipp] = {}
        self._problems: dict[str, str] = {}
        local = Address(local_host(target.address), self._free_port())
        table = caller_table(plan.calls, target.site)
        self._caller = self._sipp(text()("sim_sip.callers"), "caller.xml", table, local)

    async def run(self, progress: Callable[[Progress], None] | None) -> None:
        for address, phones in self._parties.items():
            table = phone_table(phones, self._plan.calls, self._target.site)
            name = text()("sim_sip.phones") if len(phones) > 1 else phones[0]
            self._phones[address] = self._sipp(f"{name}@{address}", "phone.xml", table, address)
            await self._phones[address].start()
        for phone in self._phones.values():
            await phone.listens()
        count = str(len(self._plan.calls))
        await self._caller.start("-m", count, "-l", count, "-r", _CALLS_A_SECOND)
        beside = [asyncio.create_task(self._watch(progress))] if progress else []
        beside.append(asyncio.create_task(self._keep_pauses()))
        try:
            self._note(self._caller, await self._caller.wait())
            await self._end_phones()
        finally:
            for task in beside:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task

    async def _end_phones(self) -> None:
        with suppress(TimeoutError):  # a leg that the switchboard never ends: its call says so
            async with asyncio.timeout(_GRACE_SECONDS), asyncio.TaskGroup() as ending:
                for phone in self._phones.values():
                    ending.create_task(self._end(phone))

    async def _keep_pauses(self) -> None:
        try:
            await keep_pauses(self._plan.pauses, self._target.console)
        except AmiError as error:
            self._problems[text()("sim_sip.pauses")] = str(error)

    async def _end(self, phone: Sipp) -> None:
        self._note(phone, await phone.end())

    def _note(self, process: Sipp, problem: str | None) -> None:
        if problem is not None:
            self._problems[process.party] = problem

    async def kill(self) -> None:
        for process in (self._caller, *self._phones.values()):
            await process.kill()

    async def _watch(self, progress: Callable[[Progress], None]) -> None:
        while True:
            with suppress(FileNotFoundError):  # SIPp has logged nothing yet
                log = self._caller.happenings.read_bytes()
                progress(Progress(log.count(b"placed "), log.count(b"over ")))
            await asyncio.sleep(_WATCH_SECONDS)

    def _sipp(self, party: str, scenario: str, table: str, local: Address) -> Sipp:
        from simulators.traffic.dialling import ACCEPTS_AFTER_SECONDS

        recv = '  <recv response="{}" optional="global" next="refused"/>'
        values = {
            "REFUSALS": "\n".join(recv.format(code) for code in _REFUSALS),
            "PRESS": round(ACCEPTS_AFTER_SECONDS * 1000),
        }
        folder = self._folder / party
        folder.mkdir()
        role = Role(
            party=party,
            scenario=render(_SCENARIOS / scenario, values),
            table=table,
            local=local,
            remote=self._target.address,
            media_port=self._free_port(),
            control_port=self._free_port(),
            longest_seconds=self._longest,
        )
        return Sipp(role, folder)

    def played(self) -> Played:
        seen: list[Seen] = []
        failures = dict(self._problems)
        for call, caller, legs in self._dialogs():
            failure = failure_of(call, caller, legs)
            if failure:
                failures[call.name] = failure
            if caller is not None and caller.ended_at is not None:
                seen.append(gather(call, caller, legs))
        greeting = (line.service for line in self._target.site.lines if line.pattern is Pattern.MENU)
        seen = time_greetings(seen, greeting)
        return Played(tuple(seen), tuple(truth_of(call) for call in seen), failures)

    def _dialogs(self) -> Iterator[tuple[PlannedCall, Dialog | None, list[Dialog] | None]]:
        callers = {dialog.name: dialog for dialog in read_dialogs(self._caller.messages)}
        legs: dict[str, list[Dialog]] = {}
        for address, phone in self._phones.items():
            for dialog in read_dialogs(phone.messages, self._parties[address]):
                legs.setdefault(dialog.name, []).append(dialog)
        for call in self._plan.calls:
            yield call, callers.get(call.name), legs.get(call.name, []) if self._phones else None

    def _free_port(self) -> int:
        """Return a port at which no phone is expected: those of a lab that is up look free until they are played."""
        expected = {address.port for address in self._parties}
        return next(port for port in iter(free_port, None) if port not in expected)
