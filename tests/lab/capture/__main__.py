"""Play stories on real Asterisks and write their recordings: ``python -m tests.lab.capture --out FOLDER [NAME…]``."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys
import traceback
from pathlib import Path

from simulators.lab.asterisk import Asterisk, lab_folder
from tests.lab.capture.stage import Stage, server
from tests.lab.capture.stories import STORIES, Story

_LONGEST_SECONDS = 90


async def play(story: Story, asterisk: Asterisk, out: Path, version: str) -> None:
    async with Stage(asterisk) as stage:
        stage.happens("story begins")
        async with asyncio.timeout(_LONGEST_SECONDS):
            await story.play(stage)
            await stage.settled()
        await stage.recorder.close()
        stage.write(out, story.name, story.what, version)


async def work(todo: list[Story], asterisk: Asterisk, out: Path, version: str) -> None:
    while todo:
        story = todo.pop(0)
        try:
            await play(story, asterisk, out, version)
            said = "done"
        except Exception:  # noqa: BLE001 - one story that goes wrong must not end the others
            said = f"FAILED {traceback.format_exc()}"
        sys.stdout.write(f"{story.name} {said}\n")


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--asterisk", default="22")
    parser.add_argument("--servers", type=int, default=4)
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    todo = [s for s in STORIES if not options.names or any(name in s.name for name in options.names)]
    root = lab_folder() / f"asterisk-{options.asterisk}"
    with contextlib.ExitStack() as running:
        servers = [running.enter_context(server(root)) for _ in range(min(options.servers, len(todo)))]
        async with asyncio.TaskGroup() as workers:
            for asterisk in servers:
                workers.create_task(work(todo, asterisk, options.out, options.asterisk))


asyncio.run(main())
