"""``telemon-sim ami``."""

from __future__ import annotations

import asyncio
import os
import time
from contextlib import AsyncExitStack, suppress
from typing import TYPE_CHECKING, Annotated

import typer

from telemon.errors import AmiConnectionError

if TYPE_CHECKING:
    from simulators.ami.server import AmiServer


def command(
    *,
    port: Annotated[int, typer.Option(help="TCP port to listen on; 0 takes any free one.")] = 5038,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    user: Annotated[str, typer.Option(help="Manager user that may log in.")] = "telemon",
    secret: Annotated[str, typer.Option(help="That user's secret.")] = "secret",  # noqa: S107 - guards fictitious calls
    seed: Annotated[int, typer.Option(help="The same seed gives the same calls.")] = 1,
    speed: Annotated[float, typer.Option(min=0.01, help="2 tells everything twice as fast.")] = 1.0,
    duration: Annotated[float | None, typer.Option(min=0.0, help="Seconds to run; without it, for ever.")] = None,
) -> None:
    """Serve the manager interface (AMI) of a living switchboard: five operators, three queues, a call every 3 s.

    Point any AMI client at it, telemon first of all:

      telemon-sim ami --port 15038

    then log in to 127.0.0.1:15038 as "telemon" with secret "secret". DDIs: 0102030405 (queue standard),
    0102030406 (permanence), 0102030407 (crise). Ctrl-C ends it.
    """
    with suppress(KeyboardInterrupt):
        asyncio.run(
            _serve(host=host, port=port, users={user: secret}, seed=seed, speed=speed, duration=duration),
        )


async def _serve(
    *,
    host: str,
    port: int,
    users: dict[str, str],
    seed: int,
    speed: float,
    duration: float | None,
) -> None:
    """Run the demo's switchboard until the time is over or the task is cancelled.

    Raises:
        AmiConnectionError: the address cannot be listened on.
    """
    from simulators.ami.demo import demo_switchboard, play
    from simulators.ami.server import AmiServer

    server = AmiServer(host, port, users=users, switchboard=demo_switchboard(time.time()))
    running = AsyncExitStack()
    try:
        await running.enter_async_context(server)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise AmiConnectionError(
            f"cannot listen on {host}:{port}: {reason}. Choose another --port, or 0 for any free one."
        ) from error
    async with running:
        typer.echo(f"AMI simulator on {host}:{server.port}, user {', '.join(users)}. Ctrl-C ends it.")
        running.callback(lambda: typer.echo(f"{_calls(server.switchboard.processed_calls)} told."))
        with suppress(TimeoutError):
            async with asyncio.timeout(duration), asyncio.TaskGroup() as tasks:
                tasks.create_task(play(server, seed=seed, speed=speed))
                tasks.create_task(_show_progress(server))


async def _show_progress(server: AmiServer) -> None:
    """Keep one line up to date; on something else than a terminal, stay silent."""
    from rich.console import Console

    with Console().status("waiting for the first call") as line:
        while True:
            board = server.switchboard
            waiting = sum(len(queue.waiting) for queue in board.queues.values())
            line.update(
                f"{_calls(board.processed_calls)} so far · {waiting} waiting · {len(board.bridges)} in conversation"
                f" · clients connected: {len(server.sessions)}"
            )
            await asyncio.sleep(0.25)


def _calls(count: int) -> str:
    return f"{count} call" if count == 1 else f"{count} calls"
