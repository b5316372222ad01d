"""Play stories on one real Asterisk and keep what it itself wrote of them: CDRs, CELs, the queue log.

``python -m tests.lab.capture.records --out FOLDER [--asterisk 22] [NAME…]`` writes ``cdr/22.csv.gz``,
``cel/22.csv.gz`` and ``queue_log/22.gz``, each the whole file as one Asterisk left it, and ``truth/22.json.gz``: what
the SIP side knows of every call.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import json
import os
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simulators.lab.asterisk import Asterisk, lab_folder
from tests.lab.capture.stage import perform, server
from tests.lab.capture.stories import STORIES, Story

if TYPE_CHECKING:
    from collections.abc import Iterator

_FILES = {"cdr": "cdr-csv/Master.csv", "cel": "cel-custom/Master.csv", "queue_log": "queue_log"}
_QUIET_TRIES = 100


def log_folder(asterisk: Asterisk) -> Path:
    """Return the folder of Asterisk's logs, with those subfolders that its packages, not itself, would make."""
    log = asterisk.run_folder / "log"
    owner = log.stat()
    for path in {(log / file).parent for file in _FILES.values()} - {log}:
        path.mkdir(exist_ok=True)
        os.chown(path, owner.st_uid, owner.st_gid)
    return log


async def quiet(asterisk: Asterisk) -> None:
    """Wait until no channel is left, so that every record is written."""
    for _ in range(_QUIET_TRIES):
        if "0 active channels" in await asyncio.to_thread(asterisk.command, "core show channels count"):
            return
        await asyncio.sleep(0.1)
    raise TimeoutError("channels are still up 10 s after the story's end")


async def play(stories: list[Story], asterisk: Asterisk, version: str) -> list[dict[str, Any]]:
    truths = []
    for story in stories:
        try:
            stage = await perform(story, asterisk)
            await quiet(asterisk)
            truths.append(stage.told_truth(story.name, story.what, version))
            said = "done"
        except Exception:  # noqa: BLE001 - one story that goes wrong must not end the others
            said = f"FAILED {traceback.format_exc()}"
        sys.stdout.write(f"{story.name} {said}\n")
        sys.stdout.flush()
    return truths


def written(log: Path, version: str) -> Iterator[tuple[str, bytes]]:
    for kind, file in _FILES.items():
        ending = ".csv.gz" if file.endswith(".csv") else ".gz"
        yield f"{kind}/{version}{ending}", gzip.compress((log / file).read_bytes(), mtime=0)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--asterisk", default="22")
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    stories = [s for s in STORIES if not options.names or s.name in options.names]
    with server(lab_folder() / f"asterisk-{options.asterisk}") as asterisk:
        log = log_folder(asterisk)
        truths = asyncio.run(play(stories, asterisk, options.asterisk))
        files = dict(written(log, options.asterisk))
    told = json.dumps(truths, separators=(",", ":")) + "\n"
    files[f"truth/{options.asterisk}.json.gz"] = gzip.compress(told.encode(), mtime=0)
    for name, data in files.items():
        path = options.out / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


if __name__ == "__main__":
    main()
