"""Lost callers at a real Asterisk: on the list while nobody called them back, gone once somebody did."""

import asyncio
import random
import signal
import sqlite3
import time
from contextlib import asynccontextmanager, closing, suppress

import pytest

from simulators.lab.asterisk import Asterisk, lab_folder
from simulators.lab.ports import free_port
from telemon.ami.link import Link
from telemon.callbacks.keeping import Callbacks
from telemon.callbacks.sealing import load_seal
from telemon.config import load
from telemon.ledger.store import open_ledger
from telemon.parts import observer_of, peer_of
from tests.acceptance.commands import configure, running
from tests.acceptance.shell import events_of, pbx, plan, tell, until
from tests.lab.capture.recorder import MANAGERS, Console
from tests.lab.capture.softphone import Over, Softphone

real = pytest.mark.real("asterisk")
CANARY = "0699887766"
OTHER = "0511223344"
MOBILE = "0690000001"
OVERLAY = {
    "gsm": "[@NAME@](line)\ncontext = from-trunk\naors = @NAME@\n"
    "[@NAME@]\ntype = aor\ncontact = sip:@NAME@@127.0.0.1:@PORT@\n",
    "extensions": f"""
[from-trunk]
exten => 0100,1,Dial(PJSIP/op1,1)
 same => n,Hangup()
exten => 0101,1,Dial(Local/{MOBILE}@external/n,10)
 same => n,Hangup()
exten => 0102,1,Dial(PJSIP/op1,20)
 same => n,Hangup()
[from-internal]
exten => _0XXXX.,1,Goto(external,${{EXTEN:1}},1)
exten => _9XXXX.,1,Dial(Local/${{EXTEN:1}}@external/n,20)
 same => n,Hangup()
[external]
exten => _0X.,1,Dial(PJSIP/${{EXTEN}}@gsm,20)
 same => n,Hangup()
""",
    "manager": MANAGERS,
}
CONFIG = """
site = "lab"
[[pbx]]
port = {port}
secret = "{secret}"
[[service]]
name = "standard"
ddis = ["_010X"]
[ledger]
url = "sqlite:///{folder}/ledger.db"
key_file = "{folder}/telemon.key"
"""


@pytest.fixture(scope="module", params=[pytest.param(16, marks=pytest.mark.real("asterisk-16")), 22])
def asterisk(request, tmp_path_factory):
    """Its own: phones that get an outside line by 0 (or by a Local channel behind 9), and a trunk that takes calls."""
    folder = tmp_path_factory.mktemp("overlay")
    for name, text in OVERLAY.items():
        (folder / f"{name}.conf").write_text(text)
    with Asterisk(lab_folder() / f"asterisk-{request.param}", overlay=folder, phones=("op1", "op2", "gsm")) as running:
        yield running


class Town:
    """The callers behind the trunk, the operators, and telemon's link with its list."""

    def __init__(self, asterisk, folder):
        path = folder / "telemon.toml"
        path.write_text(CONFIG.format(port=asterisk.ami_port, secret=asterisk.ami_secret, folder=folder))
        config = load(path)
        self.engine = open_ledger(config.ledger.url)
        self.callbacks = Callbacks(config, self.engine)
        observer = observer_of(config, config.pbx[0])
        self.link = Link(peer_of(config.pbx[0]), observer, self.callbacks.finished, rng=random.Random(1))
        self.callbacks.attend(observer)
        self.trunk = Softphone("trunk", asterisk.sip_port, free_port())
        self.op1, self.op2, self.gsm = (
            Softphone(name, asterisk.sip_port, asterisk.phone_ports[name]) for name in ("op1", "op2", "gsm")
        )
        self.phones = (self.trunk, self.op1, self.op2, self.gsm)
        self.console = Console(asterisk, "console")
        self.op1.on_call = self.rings

    @staticmethod
    async def rings(leg):
        leg.ring()
        await leg.over.wait()

    @staticmethod
    async def answers(leg):
        leg.ring()
        leg.answer()
        await leg.over.wait()

    async def hang_up(self):
        """Let everybody hang up, and wait until the switchboard has nothing left."""
        for phone in self.phones:
            for leg in phone.legs:
                if not leg.over.is_set():
                    leg.bye()
        await until(lambda: not self.link.observer.tracker.switch.legs)

    async def lose(self, caller):
        """Let somebody call whom nobody answers."""
        leg = self.trunk.dial("0100", caller)
        with suppress(Over):
            await leg.until_answered()
        await until(lambda: caller in self.numbers)

    async def talk(self, phone, number, caller=""):
        """Call somebody who answers, and return the call."""
        leg = phone.dial(number, caller)
        await leg.until_answered()
        return leg

    @property
    def numbers(self):
        return [entry.number for entry in self.callbacks.entries()]


@asynccontextmanager
async def town_at(asterisk, folder):
    town = Town(asterisk, folder)
    for phone in town.phones:
        await phone.open()
    town.callbacks.start()
    task = asyncio.ensure_future(town.link.run())
    try:
        await until(lambda: town.link.connected)
        yield town
        await town.hang_up()
        assert not task.done()
        assert not town.link.observer.failures
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        town.callbacks.stop()
        town.engine.dispose()
        for phone in town.phones:
            phone.close()
        await asyncio.sleep(0.01)  # asyncio frees the ports in its next turn


@real
async def test_called_back_through_the_outside_line(asterisk, tmp_path):
    async with town_at(asterisk, tmp_path) as town:
        await town.lose(CANARY)
        await town.lose(OTHER)

        town.gsm.on_call = town.rings  # not at home
        leg = town.op2.dial(f"0{CANARY}")
        await until(lambda: town.gsm.legs and town.gsm.legs[-1].ringing_at)
        await town.hang_up()
        assert town.numbers == [OTHER, CANARY]

        town.gsm.on_call = town.answers
        leg = await town.talk(town.op2, f"0{CANARY}")
        await until(lambda: town.numbers == [OTHER])
        leg.bye()

        await town.talk(town.op2, f"9{OTHER}")  # by way of a Local channel
        await until(lambda: town.numbers == [])


@real
async def test_called_back_by_a_click(asterisk, tmp_path):
    async with town_at(asterisk, tmp_path) as town:
        town.gsm.on_call = town.op2.on_call = town.answers
        await town.lose(CANARY)
        await town.lose(OTHER)

        abroad = f"0033{CANARY[1:]}"  # the operator's phone first, then the number
        await town.console.act(
            "Originate", Channel="PJSIP/op2", Context="from-internal", Exten=f"0{abroad}", Priority="1", Async="true"
        )
        await until(lambda: town.numbers == [OTHER])
        # the number first, then the operator's phone
        await town.console.act(
            "Originate", Channel=f"PJSIP/{OTHER}@gsm", Application="Dial", Data="PJSIP/op2", Async="true"
        )
        await until(lambda: town.numbers == [])


@real
async def test_a_forwarded_caller_is_no_call_back_and_who_is_being_talked_to_is_hidden(asterisk, tmp_path):
    async with town_at(asterisk, tmp_path) as town:
        await town.lose(MOBILE)  # the officer's own mobile, of all numbers
        town.gsm.on_call = town.answers
        leg = await town.talk(town.trunk, "0101", CANARY)  # is led to that mobile
        await leg.stay(0.5)
        assert town.numbers == [MOBILE]
        leg.bye()

        await town.lose(OTHER)
        town.op1.on_call = town.answers
        await town.talk(town.trunk, "0102", OTHER)
        await until(lambda: town.numbers == [MOBILE])  # while they talk
        await town.hang_up()
        assert town.numbers == [MOBILE]  # and for good


@real
async def test_the_number_of_a_real_call_is_nowhere_but_under_lock_and_key(asterisk, tmp_path, caplog):
    with caplog.at_level("DEBUG"):
        async with town_at(asterisk, tmp_path) as town:
            await town.lose(CANARY)
            (entry,) = town.callbacks.entries()
            assert CANARY not in repr(entry)
            await until(lambda: b"gAAAA" in (tmp_path / "ledger.db-wal").read_bytes())
            written = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
            assert town.callbacks.done(entry.id, "alice")
    written |= {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert [path for path, data in written.items() if CANARY[1:].encode() in data] == []
    assert CANARY[1:] not in caplog.text


def listed(config):
    """Open what the ledger holds of lost callers with the key beside it."""
    seal = load_seal(config.parent / "callbacks.key")
    with closing(sqlite3.connect(config.parent / "telemon.db")) as connection:
        tokens = [token for (token,) in connection.execute("SELECT number FROM lost_callers ORDER BY last_at")]
    opened = [seal.open(token) for token in tokens]
    return [sealed.losses[-1].number if sealed else "" for sealed in opened]


async def test_a_daemon_that_is_killed_goes_on_with_its_list(tmp_path):
    async with pbx() as server:
        config = configure(tmp_path, server.port)
        async with running(config) as daemon:
            began = time.time() - 600
            tell(server, events_of([plan(CANARY, patience=30.0)], first_at=began))
            tell(server, events_of([plan(OTHER, patience=30.0)], first_at=began + 60))
            await until(lambda: (tmp_path / "telemon.db").exists() and listed(config) == [CANARY, OTHER])
            tell(server, events_of([plan("0177889900", patience=30.0)], first_at=began + 120))
            await daemon.stop(signal.SIGKILL)  # before it was written, or after
        assert oct((tmp_path / "callbacks.key").stat().st_mode)[-3:] == "600"
        async with running(config) as daemon:
            await until(lambda: listed(config)[:2] == [CANARY, OTHER])
            tell(server, events_of([plan(CANARY, answers_at=3.0)], first_at=began + 240))
            await until(lambda: listed(config).count("") == 1 and CANARY not in listed(config))
            status, _ = await daemon.stop(signal.SIGTERM)
            assert status == 0
            log = "".join(daemon.log)
    assert OTHER in listed(config)
    journal = tmp_path / "journal"
    holding = [
        path for path in tmp_path.rglob("*")
        if path.is_file() and OTHER[1:].encode() in path.read_bytes() and not path.is_relative_to(journal)
    ]  # fmt: skip
    assert holding == []
    assert OTHER[1:] not in log
