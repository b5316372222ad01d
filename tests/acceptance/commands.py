"""The ``telemon`` command as a process of its own, and a configuration for it."""

import asyncio
import json
import os
import sys
from contextlib import asynccontextmanager

from tests.acceptance.shell import PATIENCE, SECRET

TELEMON = (sys.executable, "-c", "from telemon.cli import main; main()")


def environment(**more):
    """Return this process's environment without what would configure, translate or unbuffer telemon."""
    without = ("TELEMON_", "LC_", "LANG", "PYTHONUNBUFFERED")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(without)}
    return kept | {"TELEMON_LOCALE": "en", "COLUMNS": "200"} | more


async def start(*arguments, cwd, stdin=asyncio.subprocess.DEVNULL, **more):
    return await asyncio.create_subprocess_exec(
        *TELEMON,
        *map(str, arguments),
        cwd=cwd,
        env=environment(**more),
        stdin=stdin,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        limit=1 << 24,
    )


async def telemon(*arguments, cwd, given=None, **more):
    """Run one command to its end; return status, standard output and standard error."""
    stdin = asyncio.subprocess.DEVNULL if given is None else asyncio.subprocess.PIPE
    process = await start(*arguments, cwd=cwd, stdin=stdin, **more)
    try:
        output, errors = await asyncio.wait_for(process.communicate(given), 2 * PATIENCE)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return process.returncode, output.decode(), errors.decode()


_ALL = """
import contextlib, io, json, sys
from telemon.cli import main
answers = []
for arguments in json.load(sys.stdin):
    sys.argv[1:] = arguments
    output, errors = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors):
        try:
            main()
            status = 0
        except SystemExit as end:
            status = end.code or 0
    answers.append((status, output.getvalue(), errors.getvalue()))
json.dump(answers, sys.stdout)
"""


async def telemon_all(*commands, cwd, **more):
    """Run commands one after the other in one process, which is quicker; return what ``telemon`` returns, of each."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        _ALL,
        cwd=cwd,
        env=environment(**more),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await asyncio.wait_for(process.communicate(json.dumps(commands).encode()), 3 * PATIENCE)
    assert process.returncode == 0
    return [tuple(answer) for answer in json.loads(output)]


def configure(folder, *ports, more="", web_port=0, ping_seconds=1):
    """Write a configuration of one PBX for each port into a folder, and return its path."""
    names = ["pbx"] if len(ports) == 1 else [f"pbx{number}" for number in range(1, len(ports) + 1)]
    tables = [
        f'[[pbx]]\nname = "{name}"\nport = {port}\nsecret = "{SECRET}"\nping_seconds = {ping_seconds}\n'
        "clock_tolerance_seconds = 1e9\n"  # these tests tell a day in a moment
        for name, port in zip(names, ports, strict=True)
    ]
    service = '[[service]]\nname = "standard"\nddis = ["0102030405"]\nqueues = ["standard"]\n'
    path = folder / "telemon.toml"
    path.write_text(f'site = "site"\n{more}\n{"".join(tables)}{service}[web]\nport = {web_port}\n', encoding="utf-8")
    return path


class Running:
    """``telemon run`` under way: where its pages are, and what it has logged so far."""

    def __init__(self, process):
        self.process = process
        self.log = []
        self.address = ""

    async def line(self, words):
        """Read the log up to a line with these words in it, and return that line."""
        assert self.process.stderr is not None
        while True:
            line = (await asyncio.wait_for(self.process.stderr.readline(), 2 * PATIENCE)).decode()
            assert line, f"telemon ended; it said:\n{''.join(self.log)}"
            self.log.append(line)
            if words in line:
                return line

    async def stop(self, number):
        """Send a signal; return status, and seconds to the end."""
        loop = asyncio.get_running_loop()
        asked = loop.time()
        self.process.send_signal(number)
        _, errors = await asyncio.wait_for(self.process.communicate(), 2 * PATIENCE)
        self.log.append(errors.decode())
        return self.process.returncode, loop.time() - asked


@asynccontextmanager
async def running(config, *, connected=1, **more):
    """Start ``telemon run`` and wait until it has taken stock of its PBXs."""
    process = await start("run", "--config", config, cwd=config.parent, **more)
    daemon = Running(process)
    try:
        line = await daemon.line("http://")
        daemon.address = "http://" + line.partition("http://")[2].split()[0]
        for _ in range(connected):
            await daemon.line("connected to Asterisk")
        yield daemon
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()
