"""Play stories on real Asterisks and write their recordings: ``python -m tests.lab.capture --out FOLDER [NAME…]``."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys
import traceback
from pathlib import Path

from simulators.lab.asterisk import Asterisk, lab_folder
from tests.lab.capture.stage import perform, server
from tests.lab.capture.stories import STORIES, Story
from tests.lab.capture.stories.situations import situations


async def work(todo: list[Story], asterisk: Asterisk, out: Path, version: str, *, bare: bool) -> None:
    while todo:
        story = todo.pop(0)
        try:
            stage = await perform(story, asterisk)
            stage.write(out, story.name, story.what, version, bare=bare)
            said = "done"
        except Exception:  # noqa: BLE001 - one story that goes wrong must not end the others
            said = f"FAILED {traceback.format_exc()}"
        sys.stdout.write(f"{story.name} {said}\n")


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--situations", action="store_true", help="those of the AMI simulator, nothing but the call")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--asterisk", default="22")
    parser.add_argument("--servers", type=int, default=4)
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    known = situations() if options.situations else STORIES
    todo = [s for s in known if not options.names or any(name in s.name for name in options.names)]
    root = lab_folder() / f"asterisk-{options.asterisk}"
    with contextlib.ExitStack() as running:
        servers = [running.enter_context(server(root)) for _ in range(min(options.servers, len(todo)))]
        async with asyncio.TaskGroup() as workers:
            for asterisk in servers:
                workers.create_task(work(todo, asterisk, options.out, options.asterisk, bare=options.situations))


asyncio.run(main())
