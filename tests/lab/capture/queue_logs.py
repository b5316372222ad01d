"""Record what Asterisk writes to its queue_log: ``python -m tests.lab.capture.queue_logs --out FOLDER [NAME…]``.

Beside the queue_log of each story stand its truth and its events, from which the AMI simulator makes its own.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from simulators.lab.asterisk import lab_folder
from tests.lab.capture.stage import answers, perform, server, talk
from tests.lab.capture.stories import STORIES
from tests.lab.capture.stories.situations import extension
from tests.lab.capture.story import Story

if TYPE_CHECKING:
    from simulators.lab.asterisk import Asterisk
    from tests.lab.capture.stage import Stage

NAMES = (
    "ring_all", "linear", "turns_second_round", "abandoned_in_queue", "one_refuses_one_rings", "leave_empty",
    "announcement_between", "queue_then_voicemail", "two_queues_unanswered", "blind_to_phone", "back_to_the_queue",
    "attended_to_phone", "attended_dtmf_queue", "redirect_ringing_to_queue", "redirect_to_queue", "calls_of_the_phones",
    "member_removed", "pickup_queue", "locals_optimised", "screened_queue_accepts", "parked_left", "restarted",
    "restarted_talking", "did_logged",
)  # fmt: skip


async def did_logged(stage: Stage) -> None:
    """FreePBX writes the number dialled into the queue_log itself."""
    steps = "QueueLog(one,${UNIQUEID},NONE,DID,${EXTEN})", "Queue(one,r,,,20)", "Hangup()"
    await extension(stage, "0265", *steps)
    stage.phone("op1", answers(2))
    caller = stage.call("0265")
    await talk(caller, 2)
    stage.truth(caller, "answered", "op1")


async def record(story: Story, asterisk: Asterisk, out: Path, version: str) -> None:
    log = asterisk.run_folder / "log" / "queue_log"
    start = log.stat().st_size if log.exists() else 0
    stage = await perform(story, asterisk)
    stage.write(out, story.name, story.what, version, bare=True)
    lines = log.read_bytes()[start:]
    (out / f"{story.name}.queue_log").write_bytes(lines)
    sys.stdout.write(f"{story.name}: {len(lines.splitlines())} lines\n")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--asterisk", default="22")
    parser.add_argument("names", nargs="*", default=NAMES)
    options = parser.parse_args()
    known = {story.name: story for story in STORIES}
    known[did_logged.__name__] = Story("did_logged", "the dialplan logs the DDI; op1 answers", did_logged)
    options.out.mkdir(parents=True, exist_ok=True)
    with server(lab_folder() / f"asterisk-{options.asterisk}") as asterisk:
        for name in options.names:
            asyncio.run(record(known[name], asterisk, options.out, options.asterisk))


if __name__ == "__main__":
    main()
