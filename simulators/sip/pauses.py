"""Planned pauses of operators, carried out by the manager's QueuePause."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from itertools import count
from typing import TYPE_CHECKING, Final

from simulators.sip.tables import LEAD_SECONDS
from telemon.ami.wire import encode_action
from telemon.errors import AmiConnectionError, AmiError, AmiLoginError
from telemon.texts import text

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

    from simulators.plan import PlannedPause
    from simulators.sip.target import Console

_ANSWER_SECONDS: Final = 10.0


async def keep_pauses(pauses: Sequence[PlannedPause], console: Console | None) -> None:
    """Pause and unpause each phone in all its queues at its time; without a console, nobody pauses.

    Raises:
        AmiError: the console's login is refused, may not pause members, or fell.
    """
    if not pauses or console is None:
        return
    loop = asyncio.get_running_loop()
    begins_at = loop.time() + LEAD_SECONDS
    changes = [(pause.begins, pause, "true") for pause in pauses] + [(pause.ends, pause, "false") for pause in pauses]
    async with _manager(console) as ask:
        try:
            for after, pause, paused in sorted(changes, key=lambda change: change[0]):
                await asyncio.sleep(begins_at + after - loop.time())
                await _pause(ask, pause, paused)
        finally:  # the plan may be over before the pause is
            for pause in pauses:
                await _pause(ask, pause, "false")


async def _pause(ask: Callable[..., Awaitable[str]], pause: PlannedPause, paused: str) -> None:
    interface = ("Interface", f"PJSIP/{pause.phone}")
    answer = await ask("QueuePause", interface, ("Paused", paused), ("Reason", pause.reason))
    # an interface that is in no queue of this switchboard cannot pause, and need not
    if "Response: Success" not in answer and "not found" not in answer:
        raise AmiError(text()("sim_sip.pause_refused", phone=pause.phone))


@asynccontextmanager
async def _manager(console: Console) -> AsyncIterator[Callable[..., Awaitable[str]]]:
    """Log in without events; yield a function that asks and returns the answer's text."""
    where = f"{console.host}:{console.port}"
    try:
        async with asyncio.timeout(_ANSWER_SECONDS):
            reader, writer = await asyncio.open_connection(console.host, console.port)
    except (OSError, TimeoutError) as error:
        raise AmiConnectionError(text()("sim_sip.console_unreachable", where=where, reason=_reason(error))) from error
    numbers = count(1)

    async def ask(action: str, *headers: tuple[str, str]) -> str:
        action_id = f"pause-{next(numbers)}"
        writer.write(encode_action(action, headers, action_id=action_id))
        async with asyncio.timeout(_ANSWER_SECONDS):
            while f"ActionID: {action_id}\r\n" not in (answer := (await reader.readuntil(b"\r\n\r\n")).decode()):
                pass
            return answer

    try:
        answer = await ask("Login", ("Username", console.user), ("Secret", console.secret), ("Events", "off"))
        if "Response: Success" not in answer:
            raise AmiLoginError(text()("sim_sip.console_refused", where=where, user=console.user))
        yield ask
    except (OSError, TimeoutError, asyncio.IncompleteReadError) as error:
        raise AmiConnectionError(text()("sim_sip.console_lost", where=where, reason=_reason(error))) from error
    finally:
        writer.close()


def _reason(error: Exception) -> str:
    return str(error) or text()("sim_sip.timeout")
