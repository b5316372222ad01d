"""One permanence phone at a real Asterisk 22: whatever becomes of it stands in the timeline, when it does and why."""

import asyncio
import random
import time
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

import simulators.lab
from simulators.lab.asterisk import Asterisk
from simulators.lab.ports import free_port
from telemon.ami.link import Link
from telemon.config import load
from telemon.duty.parts import duty_watch
from telemon.instants import SECOND
from telemon.parts import observer_of, peer_of
from tests.acceptance.shell import until
from tests.lab.capture.recorder import MANAGERS, Console
from tests.lab.capture.softphone import Over, Softphone

pytestmark = pytest.mark.real("asterisk")

LAB_CONFIGURATION = Path(simulators.lab.__file__).parent / "configuration"
LATE = 2 * SECOND  # how long after its cause a change may stand in the timeline, and be known
IN_CALL_SECONDS = 3
TICK_SECONDS = 0.1
# Asterisk asks each contact once a second whether it is there, and waits that long for the answer.
QUALIFIED = "qualify_frequency = 1\nqualify_timeout = 0.3\n"
OVERLAY = {
    "phone": "[@NAME@](phone)\naors = @NAME@\n"
    f"[@NAME@]\ntype = aor\nmax_contacts = 1\nremove_existing = yes\n{QUALIFIED}",
    "operator": "[@NAME@](line)\ncontext = from-trunk\naors = @NAME@\n"
    f"[@NAME@]\ntype = aor\ncontact = sip:@NAME@@127.0.0.1:@PORT@\n{QUALIFIED}",
    "queues": "[permanence]\nstrategy = ringall\ntimeout = 15\njoinempty = yes\nmember => PJSIP/duty\n",
    "extensions": "[from-trunk]\nexten => 0100,1,Queue(permanence,r)\n same => n,Hangup()\n"
    "exten => 0101,1,Queue(permanence,r,,,2)\n same => n,Hangup()\n",
    "manager": MANAGERS,
}
CONFIG = """
site = "lab"
[[pbx]]
port = {port}
secret = "{secret}"
[[service]]
name = "permanence"
kind = "permanence"
ddis = ["_010X"]
queues = ["permanence"]
trunks = ["PJSIP/operator"]
"""


@pytest.fixture(scope="module")
def asterisk(tmp_path_factory):
    """Its own: a phone that registers, and a trunk that is asked whether it is there."""
    folder = tmp_path_factory.mktemp("overlay")
    for name, text in OVERLAY.items():
        (folder / f"{name}.conf").write_text(text)
    modules = (LAB_CONFIGURATION / "modules.conf").read_text()
    (folder / "modules.conf").write_text(f"{modules}load = res_pjsip_registrar.so\n")
    with Asterisk(overlay=folder, phones=("duty", "operator")) as running:
        yield running


class Scene:
    """The phones, a console that acts, and telemon's link with its timeline of the permanence."""

    def __init__(self, asterisk, config):
        self.duty, self.operator = (
            Softphone(name, asterisk.sip_port, asterisk.phone_ports[name]) for name in ("duty", "operator")
        )
        self.caller = Softphone("trunk", asterisk.sip_port, free_port())
        self.console = Console(asterisk, "console")
        observer = observer_of(config, config.pbx[0])
        self.watch = duty_watch(config, config.pbx[0], observer.board)
        self.permanence = self.watch.permanences["permanence"]
        self.permanence.rules = replace(self.permanence.rules, in_call_limit=IN_CALL_SECONDS * SECOND)
        self.link = Link(peer_of(config.pbx[0]), observer, lambda _: None, rng=random.Random(1))
        observer.attend(self.watch, self.link.now)
        self.moments = []

    async def tick(self):
        while True:
            self.permanence.advance(self.link.now)
            await asyncio.sleep(TICK_SECONDS)

    @property
    def state(self):
        current = self.permanence.current
        return None if current is None else current.cause or current.state

    async def changes(self, state, since):
        """Wait until the timeline says so; it must within two seconds of the instant of the cause."""
        self.moments.append((since, state))
        await until(lambda: self.state == state, seconds=max(0, since + LATE - now()) / SECOND)

    async def call(self, number, answers_after=None):
        """Call the permanence; the phone rings, and answers or not."""

        async def behave(leg):
            leg.ring()
            if answers_after is not None:
                await leg.stay(answers_after)
                leg.answer()
            await leg.over.wait()

        self.duty.on_call = behave
        leg = self.caller.dial(number)
        with suppress(Over):
            await leg.until_answered()
        return leg


def now():
    return time.time_ns() // 1000


@asynccontextmanager
async def scene_at(asterisk, folder):
    path = folder / "telemon.toml"
    path.write_text(CONFIG.format(port=asterisk.ami_port, secret=asterisk.ami_secret))
    scene = Scene(asterisk, load(path))
    phones = (scene.duty, scene.operator, scene.caller)
    for phone in phones:
        await phone.open()
    tasks = [asyncio.ensure_future(work) for work in (scene.link.run(), scene.tick())]
    try:
        await until(lambda: scene.link.connected)
        yield scene
        assert not any(task.done() for task in tasks)
        assert not scene.link.observer.failures
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for phone in phones:
            phone.close()
        await asyncio.sleep(0.01)  # asyncio frees the ports in its next turn


def timeline(scene):
    """What is told of each interval: when it began, and its state."""
    intervals = sorted(scene.permanence.take_changed(), key=lambda interval: interval.started_at)
    assert all(before.ended_at == after.started_at for before, after in pairwise(intervals))
    return [(interval.started_at, interval.cause or interval.state) for interval in intervals]


def assert_as_caused(told, moments):
    assert [state for _, state in told] == [state for _, state in moments]
    for (started_at, state), (moment, _) in zip(told, moments, strict=True):
        assert moment - 5_000 <= started_at <= moment + LATE, (state, started_at - moment)


async def test_what_becomes_of_the_only_phone_stands_in_the_timeline(asterisk, tmp_path):
    async with scene_at(asterisk, tmp_path) as scene:
        duty, operator, console = scene.duty, scene.operator, scene.console
        await until(lambda: scene.state == "nobody_registered")
        scene.permanence.take_changed()

        for seconds, state in ((60, "covered"), (0, "nobody_registered"), (60, "covered")):
            since = now()
            await duty.register(seconds)
            await scene.changes(state, since)

        for paused, state in (("true", "all_paused"), ("false", "covered")):
            since = now()
            await console.act("QueuePause", Interface="PJSIP/duty", Paused=paused)
            await scene.changes(state, since)

        for phone, state in ((duty, "nobody_registered"), (operator, "trunk_down")):
            phone.close()
            await scene.changes(state, now())
            await phone.open()
            await scene.changes("covered", now())

        leg = await scene.call("0100", answers_after=0.5)
        await scene.changes("all_in_call", duty.legs[-1].answered_at + IN_CALL_SECONDS * SECOND)
        leg.bye()
        await scene.changes("covered", now())

        told = timeline(scene)
    assert told[0][1] == "nobody_registered"
    assert_as_caused(told[1:], scene.moments)


async def test_a_call_that_nobody_answers_counts_from_its_first_ring_until_somebody_answers(asterisk, tmp_path):
    async with scene_at(asterisk, tmp_path) as scene:
        await scene.duty.register(60)
        await until(lambda: scene.state == "covered")
        scene.permanence.take_changed()

        rang = await scene.call("0101")
        await scene.changes("rang_out", rang.ended_at)
        leg = await scene.call("0100", answers_after=0.5)
        await leg.stay(0.5)  # to be bridged, and not only picked up
        assert scene.state == "rang_out"  # telemon counts an answer once the call is over
        leg.bye()
        await until(lambda: scene.state == "covered")
        told = timeline(scene)
    assert [state for _, state in told[-2:]] == ["rang_out", "covered"]
    (rang_out, _), (answered, _) = told[-2:]
    assert 0 <= rang_out - rang.invite_at <= LATE
    assert abs(answered - leg.answered_at) <= LATE
