"""A real Asterisk that telemon may order calls from, phones of the permanence played by SIPp, and ``telemon probe``."""

import asyncio
import json
from contextlib import asynccontextmanager, contextmanager

from simulators.lab.ports import free_port
from simulators.lab.templates import render
from simulators.sip import player
from simulators.sip.address import Address
from simulators.sip.sipp import Role, Sipp
from tests.acceptance.commands import start
from tests.acceptance.dialplan_kit import LOGIN_FILE, started

NUMBER = "0102030406"
CALLER = "0102030499"
MOBILE = "0690000001"
PRESS_SECONDS = 2.0  # from the answer to the key
_LONGEST = 60.0


@contextmanager
def ready(version=22):
    """Start the site with its second login switched on, as its file says that one does it."""
    with started(version) as asterisk:
        etc = asterisk.run_folder / "etc"
        head, mark, tail = (etc / LOGIN_FILE).read_text().partition(";[telemon-originate]")
        (etc / LOGIN_FILE).write_text(head + (mark + tail).replace("\n;", "\n")[1:])
        with (etc / "manager.conf").open("a") as own:
            own.write(f"[telemon-originate](+)\nsecret = {asterisk.ami_secret}\n")
        asterisk.command("manager reload")
        yield asterisk


def configure(folder, asterisk, *, probe="seconds = 10", secret=None, callers=(CALLER,), more=""):
    """Write a configuration of the permanence into a folder, and return its path."""
    (folder / "originate.secret").write_text(asterisk.ami_secret if secret is None else secret)
    config = folder / "telemon.toml"
    config.write_text(
        f"""
site = "pref"
probe_callers = {json.dumps(list(callers))}
{more}
[[pbx]]
port = {asterisk.ami_port}
secret = "{asterisk.ami_secret}"
originate_secret_file = "{folder}/originate.secret"
[[service]]
name = "permanence"
kind = "permanence"
ddis = ["{NUMBER}"]
queues = ["permanence"]
[probe]
{probe}
[ledger]
url = "sqlite:///{folder}/calls.db"
key_file = "{folder}/telemon.key"
[web]
port = 0
"""
    )
    return config


@asynccontextmanager
async def phone(asterisk, folder, name, does=None, *, ring=1.0, called=None):
    """Let SIPp be a phone that does this (words of ``simulators/sip/scenarios/phone.xml``); else it rings on."""
    own = folder / name
    own.mkdir()
    role = Role(
        party=name,
        scenario=render(player._SCENARIOS / "phone.xml", {"REFUSALS": "", "PRESS": round(PRESS_SECONDS * 1000)}),
        table=f"SEQUENTIAL\n{called or name if does else 'nobody'}/;{does};{round(ring * 1000)};1;1;1;\n",
        local=Address("127.0.0.1", asterisk.phone_ports[name]),
        remote=Address("127.0.0.1", asterisk.sip_port),
        media_port=free_port(),
        control_port=free_port(),
        longest_seconds=_LONGEST,
    )
    process = Sipp(role, own)
    await process.start()
    try:
        await process.listens()
        yield process
    finally:
        await process.kill()


async def probe(config, *arguments, **more):
    """Run ``telemon probe`` to its end; return status, standard output and standard error."""
    process = await start("probe", "-c", config, *arguments, cwd=config.parent, **more)
    try:
        output, errors = await asyncio.wait_for(process.communicate(), _LONGEST)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return process.returncode, output.decode(), errors.decode()


async def probed(config, *arguments):
    """Run it for its JSON; return status, that, and the stages it told."""
    status, output, errors = await probe(config, "-f", "ndjson", *arguments)
    return status, json.loads(output), errors.splitlines()


async def listed(config):
    status, output, errors = await probe(config, "--list", "2000..2100", "-f", "ndjson")
    assert (status, errors) == (0, "")
    return [json.loads(line) for line in output.splitlines()]
