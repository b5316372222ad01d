"""An officers' phone line on a real Asterisk: telemon's server, a telephone that dials it, and what is heard."""

from __future__ import annotations

import asyncio
import re
import shutil
import subprocess
import wave
from array import array
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from telemon.agi.desk import PhoneDesk
from telemon.agi.pins import hash_pin
from telemon.agi.server import AgiServer
from telemon.config import Config
from telemon.crisis.desks import desks
from telemon.ledger.reading_presences import read_presences
from telemon.ledger.store import open_ledger
from telemon.ledger.writer import LedgerWriter
from telemon.roster.presence import Presence
from tests.acceptance.dialplan_kit import Session
from tests.lab.capture.softphone import Softphone, now

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from telemon.crisis.desk import CrisisDesk
    from telemon.roster.staffing import Staffing

CAMILLE, DOMINIQUE = "cdurand", "dmartin"
NUMBER, PIN = "4101", "271828"
WRONG_PIN = "161803"
OFFICERS = (
    {"id": CAMILLE, "name": "Camille Durand", "number": NUMBER, "pin": hash_pin(PIN)},
    {"id": DOMINIQUE, "name": "Dominique Martin", "number": "4102", "pin": hash_pin("314159")},
)
QUIET = 0.05  # seconds between two keys


class Signed:
    """Who is on duty where there is no roster."""

    def __init__(self):
        self.presence = Presence()

    def on_duty(self, at):
        return self.presence.on_duty(None, at)

    def sign(self, change):
        self.presence.add(change)


@dataclass
class Line:
    """One server and what it works on."""

    server: AgiServer
    engine: Engine
    ledger: LedgerWriter
    cell: CrisisDesk
    events: Session
    site: str = "prefecture"
    taken: int = 0

    def presences(self):
        assert self.ledger.flush(10)
        return read_presences(self.engine, self.site)

    def streams(self):
        """What Asterisk was asked to play, in order: AGI's own account of it."""
        return [command.split()[2] for command in self.commands() if command.startswith("STREAM FILE")]

    def asked(self):
        """How often it was asked for keys, with a sound that is there."""
        return sum(bool(re.match(r"GET DATA (?!telemon/)", command)) for command in self.commands())

    def commands(self):
        self.events.ask("Ping")
        return [event["Command"] for event in self.events.events if event["Event"] == "AGIExecStart"]


@asynccontextmanager
async def phone_line(asterisk, tmp_path, *, folder="telemon", officers=OFFICERS, clock=now, **agi):
    """A server for this Asterisk, with a ledger of its own."""
    settings = {"lock_minutes": 15, "workers": 2} | agi
    tables = {
        "site": "prefecture",
        "officer": officers,
        "agi": settings,
        "service": [{"name": "crise", "kind": "crisis"}],
        "ledger": {"url": f"sqlite:///{tmp_path / 'ledger.db'}", "key_file": str(tmp_path / "key")},
    }
    config = Config.model_validate(tables)
    engine = open_ledger(config.ledger.url)
    ledger = LedgerWriter(engine, key=bytes(32), ring_cycle=5_000_000)
    cells = desks(config, engine)
    desk = PhoneDesk(config, cast("Staffing", Signed()), ledger, cells, now)
    with closing(Session(asterisk, "console")) as events:
        try:
            async with AgiServer(config.agi, desk, clock=clock, folder=folder) as server:
                address = f"agi://127.0.0.1:{server.port}"
                await asyncio.to_thread(asterisk.command, f"dialplan set global TELEMON_AGI {address}")
                yield Line(server, engine, ledger, cells["crise"], events)
        finally:
            ledger.close(5)
            engine.dispose()


class Ear(asyncio.DatagramProtocol):
    """What a telephone hears: A-law by RTP (RFC 3550, RFC 3551)."""

    def __init__(self):
        self.sound = bytearray()

    def datagram_received(self, data, _):
        self.sound += data[12:]


@asynccontextmanager
async def telephone(asterisk, name="op1"):
    phone = Softphone(name, asterisk.sip_port, asterisk.phone_ports[name])
    await phone.open()
    try:
        yield phone
    finally:
        phone.close()


@asynccontextmanager
async def call(phone, number):
    """A call that is answered; it is hung up at the end, if it has not ended by then."""
    leg = phone.dial(number)
    transport, ear = await asyncio.get_running_loop().create_datagram_endpoint(
        Ear, local_addr=("127.0.0.1", leg.media_port)
    )
    try:
        await leg.until_answered(10)
        yield leg, ear
    finally:
        if not leg.over.is_set():
            leg.bye()
        transport.close()


async def over(leg, patience=20):
    await asyncio.wait_for(leg.over.wait(), patience)


async def key_in(line, leg, *entries):
    """Key in one thing after the other, each once it is asked for."""
    for entry in entries:
        line.taken += 1
        await until(lambda: line.asked() >= line.taken)
        await leg.press(entry, QUIET)


async def until(condition, patience=10):
    """Wait until a condition, asked in a thread, holds."""
    async with asyncio.timeout(patience):
        while not await asyncio.to_thread(condition):  # noqa: ASYNC110 - a server's and a database's state
            await asyncio.sleep(0.02)


async def heard(line, sound):
    """Wait until Asterisk was asked to play a sound."""
    await until(lambda: sound in line.streams())


def samples_of(alaw):
    """G.711 A-law as 16-bit samples (ITU-T G.711, table 1a)."""
    told = array("h")
    for byte in alaw:
        code = byte ^ 0x55
        exponent, mantissa = (code >> 4) & 7, code & 15
        size = (mantissa << 4) + 8 if exponent == 0 else ((mantissa << 4) + 0x108) << (exponent - 1)
        told.append(size if code & 0x80 else -size)
    return told


def is_heard(alaw, path):
    """Whether a WAV file was heard, sample for sample but for the coarseness of A-law."""
    with wave.open(str(path), "rb") as sound:
        said = array("h", sound.readframes(sound.getnframes()))
    middle = len(said) // 4
    wanted = said[middle : middle + 2000]
    heard = samples_of(alaw)
    loudest = max(range(len(wanted)), key=lambda place: abs(wanted[place]))
    assert abs(wanted[loudest]) > 1000

    def fits(start):
        return all(
            abs(heard[start + place] - wanted[place]) <= 64 + abs(wanted[place]) / 16 for place in range(0, 2000, 7)
        )

    near = (
        place - loudest
        for place in range(loudest, len(heard) - 2000)
        if abs(heard[place] - wanted[loudest]) <= 64 + abs(wanted[loudest]) / 16
    )
    return any(fits(start) for start in near)


@contextmanager
def sounds_folder(asterisk, made, folder):
    """Put prompts where Asterisk looks for those of a language, under a name that no other test uses."""
    places = []
    for language in ("fr", "en"):
        inside = subprocess.check_output(
            ["chroot", asterisk.root, "readlink", "-m", f"/usr/share/asterisk/sounds/{language}/{folder}"], text=True
        )
        place = asterisk.root / inside.strip().lstrip("/")
        shutil.copytree(made / language / "telemon", place)
        places.append(place)
    try:
        yield
    finally:
        for place in places:
            shutil.rmtree(place)
