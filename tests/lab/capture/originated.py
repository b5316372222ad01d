"""Record the tape of an originated call, the probe: ``python -m tests.lab.capture.originated --out FOLDER``.

A Local channel dials the permanence by a trunk that comes back in; the duty phone answers and hears a recording.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
from pathlib import Path

from simulators.lab import asterisk as lab
from simulators.site import PREFECTURE
from tests.lab.capture.stage import Stage, answers

ORIGINATE = (
    b"Action: Originate\r\nChannel: Local/0102030406@telemon-probe/n\r\nContext: telemon-probe-speaks\r\nExten: s\r\n"
    b"Priority: 1\r\nAsync: true\r\n\r\n"
)


async def record(asterisk: lab.Asterisk) -> bytes:
    async with Stage(asterisk, recorder="console", console="console") as stage:
        stage.phone("duty", answers(1.5))
        start = len(stage.recorder.data)
        _, writer = await asyncio.open_connection("127.0.0.1", asterisk.ami_port)
        login = f"Action: Login\r\nUsername: console\r\nSecret: {asterisk.ami_secret}\r\nEvents: off\r\n\r\n"
        writer.write(login.encode() + ORIGINATE)  # without ActionID: its last event would carry that, too
        await stage.recorder.until(b"Event: OriginateResponse\r\n", start)
        writer.close()
        await stage.settled()
        await stage.recorder.close()
        return bytes(stage.recorder.data[start:])


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--asterisk", default="22")
    options = parser.parse_args()
    root = lab.lab_folder() / f"asterisk-{options.asterisk}"
    with lab.Asterisk(root, overlay=lab.PREFECTURE_CONFIGURATION, phones=PREFECTURE.phones) as asterisk:
        heard = asyncio.run(record(asterisk))
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "probe.ami.gz").write_bytes(gzip.compress(heard, mtime=0))


if __name__ == "__main__":
    main()
