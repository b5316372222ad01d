"""``python -m tests.acceptance.wallboard_stand``: a living wallboard to develop pages against."""

import argparse
import asyncio
import sys
import tempfile
import time
from contextlib import suppress
from itertools import count
from pathlib import Path

from simulators.ami.library import Library
from simulators.ami.player import Player
from simulators.ami.server import AmiServer
from simulators.ami.switchboard import Switchboard
from simulators.site import PREFECTURE
from simulators.traffic import load_scenario, stream
from telemon.config_service import ServiceConfig
from tests.acceptance.shell import SECRET
from tests.acceptance.wallboard_kit import PASSWORD, config_of, standing


async def play(server):
    await server.wait_for_client()
    for seed in count(2196):
        player = Player(server, PREFECTURE, Library(), starts_at=server.clock.true_now, on_truth=lambda _: None)
        await player.play(stream(load_scenario("demo"), seed=seed))


async def show(role, port):
    services = tuple(
        ServiceConfig(name=line.service, kind=line.kind, ddis=(line.ddi,), queues=line.queues)
        for line in PREFECTURE.lines
    )
    board = Switchboard.of_site(PREFECTURE, booted_at=time.time())
    with tempfile.TemporaryDirectory(prefix="telemon-stand-") as folder:
        async with AmiServer(users={"telemon": SECRET}, switchboard=board) as server:
            web = {"port": port, "open_as": role} if role else {"port": port}
            async with standing(config_of(Path(folder), server.port, services=services, **web)) as stand:
                sys.stdout.write(f"{stand.address}/wallboard  supervisor, duty_officer, auditor, admin: {PASSWORD}\n")
                sys.stdout.flush()
                await play(server)


if __name__ == "__main__":
    options = argparse.ArgumentParser()
    options.add_argument("--role", default="supervisor", help="who comes in without signing in; '' for nobody")
    options.add_argument("--port", type=int, default=9715)
    chosen = options.parse_args()
    with suppress(KeyboardInterrupt):
        asyncio.run(show(chosen.role, chosen.port))
