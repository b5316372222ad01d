"""Each situation, played on a real Asterisk and told by the AMI simulator for the same acts: one ledger row."""

import asyncio
import contextlib
from typing import Any

import pytest

from simulators.ami.situations import load_situation, read_situation
from simulators.ami.telling import Caller, Numbers
from simulators.lab.asterisk import lab_folder
from telemon.instants import from_seconds
from tests.acceptance.situation_kit import (
    check_against_truth,
    comparable,
    differences,
    only_row,
    told_over_tcp,
    told_with_fault,
)
from tests.lab.capture.stage import perform, server
from tests.lab.capture.stories.situations import FAULTS, SITUATIONS, faults, situations

# Playing them all, several at once, takes longer than one test may.
pytestmark = pytest.mark.timeout(400)
SERVERS = 6
STORIES = {story.name: story for story in (*faults(), *situations())}
NAMES = [story.name for story in situations()]
PACES = {situation.story: situation.pace for situation in SITUATIONS} | dict.fromkeys(FAULTS, 0.8)
FAULT_OF = {"link_cut_talking": "cut", "killed_talking": "kill"}
ON_16 = ("linear", "locals_n_transfer", "menu_to_queue", "parked_fetched", "pickup_queue", "semi_attended")


async def play_all(names, version):
    """Play stories on real Asterisks, each at its pace: the recording and the truth of each, or why there is none."""
    todo = list(names)
    played: dict[str, Any] = {}

    async def work(asterisk):
        while todo:
            name = todo.pop(0)
            try:
                stage = await perform(STORIES[name], asterisk, pace=PACES[name])
                played[name] = bytes(stage.recorder.data), stage.told_truth(name, STORIES[name].what, version)
            except Exception as error:  # noqa: BLE001 - told by the test of that situation
                played[name] = error

    with contextlib.ExitStack() as running:
        root = lab_folder() / f"asterisk-{version}"
        servers = [running.enter_context(server(root)) for _ in range(min(SERVERS, len(todo)))]
        async with asyncio.TaskGroup() as workers:
            for asterisk in servers:
                workers.create_task(work(asterisk))
    return played


@pytest.fixture(scope="module")
def played():
    return asyncio.run(play_all(STORIES, "22"))


@pytest.fixture(scope="module")
def played_on_16():
    return asyncio.run(play_all(ON_16, "16"))


def situation_of(played):
    if isinstance(played, Exception):
        raise played
    live_bytes, live_truth = played
    return read_situation(live_bytes, live_truth), live_bytes


async def check(name, version, played):
    live, live_bytes = situation_of(played)
    tape = load_situation(name, version)
    assert {act.name for act in live.acts} == {act.name for act in tape.acts}, "people did something else"
    plan = {act.name: act.at for act in live.acts}
    caller = Caller(number=live.recorded["caller"], ddi=live.ddi, arrives_at=live.dialled_at)
    told = await told_over_tcp(tape.tell(caller, Numbers(), plan), starts_at=live.dialled_at, version=version)

    live_row, told_row = only_row(live_bytes), only_row(told)
    check_against_truth(live_row, live.truth(caller))
    check_against_truth(told_row, tape.truth(caller, plan))
    assert differences(comparable(live_row), comparable(told_row)) == []


@pytest.mark.real("asterisk")
@pytest.mark.parametrize("name", NAMES)
async def test_the_simulator_tells_what_asterisk_22_tells(name, played):
    await check(name, "22", played[name])


@pytest.mark.real("asterisk")
@pytest.mark.parametrize("name", FAULTS)
async def test_a_fault_in_mid_call_leaves_the_same_row(name, played):
    """The tape knows nothing of the fault: the server plays it, as ``--fault cut@…`` and ``kill@…`` do."""
    live, live_bytes = situation_of(played[name])
    tape = load_situation("ring_all")
    known = {act.name for act in tape.acts}
    plan = {act.name: act.at for act in live.acts if act.name in known}
    caller = Caller(number=live.recorded["caller"], ddi=live.ddi, arrives_at=live.dialled_at)
    happened = {event["what"]: from_seconds(event["at_unix"]) for event in played[name][1]["happenings"]}
    told = await told_with_fault(
        tape.tell(caller, Numbers(), plan),
        (FAULT_OF[name], happened["begins"], happened["ends"]),
        starts_at=live.dialled_at,
        version="22",
    )
    assert differences(comparable(only_row(live_bytes)), comparable(only_row(told))) == []


@pytest.mark.real("asterisk-16")
@pytest.mark.parametrize("name", ON_16)
async def test_the_simulator_tells_what_asterisk_16_tells(name, played_on_16):
    await check(name, "16", played_on_16[name])
