"""Killed anywhere between journal, ledger and checkpoint: the next start stands where the journal ends."""

import random
import signal
import subprocess
import sys
from contextlib import closing

import pytest

from telemon.journal.checkpoint import NAME, read_checkpoint
from telemon.journal.reader import read_entries
from telemon.journal.writer import Journal
from telemon.ledger.reader import read_calls
from telemon.ledger.store import open_ledger
from telemon.ledger.writer import LedgerWriter
from telemon.observer import Observer
from telemon.recorder import Recorder
from telemon.reenactment import Reenactment
from telemon.tracker import Tracker

KEY = b"k" * 32
CYCLE = 5_000_000
FOREVER = (0, 1 << 52)
SEED = 20261123


def fresh():
    return Observer("pbx", Tracker("site"))


class Life:
    """One process's journal, ledger and observer, in one folder."""

    def __init__(self, folder):
        self.folder = folder / "journal"
        self.engine = open_ledger(f"sqlite:///{folder}/ledger.db")
        self.ledger = LedgerWriter(self.engine, key=KEY, ring_cycle=CYCLE)
        journal = Journal(self.folder, keep=1 << 60, maximum_bytes=1 << 40, free_bytes=0)
        self.recorder = Recorder(self.folder, journal, fresh(), self.put)

    def put(self, records):
        for record in records:
            self.ledger.put(record)

    def close(self):
        self.recorder.journal.close(10)
        assert self.ledger.close(10) == 0
        self.engine.dispose()


# What the process does that is killed: everything telemon does for one PBX, as fast as it can, on recorded events.
_VICTIM = """
import sys
from itertools import cycle, count
from pathlib import Path
from telemon.ami.events import NEEDLES, WANTED
from telemon.ami.wire import Parser
from telemon.journal.entries import Heard
from telemon.replay import read_capture
from tests.crash.test_between import Life

life = Life(Path(sys.argv[1]))
recorder = life.recorder
serial = count()
print("ready", flush=True)
for capture in sys.argv[2:]:
    parser = Parser(WANTED, NEEDLES, capture=True)
    messages = [message for chunk in read_capture(capture) for message in parser.receive_data(chunk)]
    for start in range(0, len(messages), 7):
        events = [message for message in messages[start : start + 7] if message.kind == "event"]
        entry = Heard(0, b"".join(message.raw + b"\\r\\n\\r\\n" for message in events))
        recorder.journal.append(entry)
        life.put(recorder.observer.take(events, 0))
        if next(serial) % 5 == 0:
            checkpoint = recorder.checkpoint()
            if life.ledger.flush(10):
                recorder.keep(checkpoint, 10)
            print("on", flush=True)
print("over", flush=True)
"""


def killed(folder, captures, after):
    """Run the process until it has said so many lines, and kill it at once."""
    command = [sys.executable, "-c", _VICTIM, str(folder), *map(str, captures)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for _ in range(after):
            line = process.stdout.readline()
            assert line, "it ended before it was killed"
        process.send_signal(signal.SIGKILL)


def lived_again(folder):
    """Return what the whole journal says: the calls that ended, and those under way."""
    observer, records = fresh(), []
    again = Reenactment(observer)
    for number, entry in read_entries(folder):
        records += again.feed(number, entry)
    return {record.call_id: record.outcome for record in records}, set(observer.tracker.calls)


@pytest.mark.timeout(180)
def test_killed_twenty_times_ledger_and_calls_under_way_are_those_of_the_journal(tmp_path, captures):
    chance = random.Random(SEED)
    with_calls = 0
    for turn in range(20):
        folder = tmp_path / str(turn)
        folder.mkdir()
        killed(folder, chance.sample(captures, len(captures)), chance.randint(3, 60))
        with closing(Life(folder)) as life:
            ended, under_way = lived_again(life.folder)
            life.ledger.flush(10)
            assert {call.call_id: call.outcome for call in read_calls(life.engine, *FOREVER)} == ended, turn
            assert set(life.recorder.observer.tracker.calls) == under_way, turn
            with_calls += bool(ended)
    assert with_calls > 10


@pytest.fixture(scope="module")
def captures():
    from tests.core.test_freezing import CAPTURES

    return CAPTURES


@pytest.mark.parametrize("left", ["checkpoint.new", "no checkpoint", "half a checkpoint", "another version's"])
def test_a_checkpoint_that_was_not_finished_is_made_up_for_by_the_journal(tmp_path, captures, left):
    killed(tmp_path, captures, 20)
    checkpoint = tmp_path / "journal" / NAME
    whole = checkpoint.read_bytes()
    if left == "checkpoint.new":
        checkpoint.with_suffix(".new").write_bytes(whole[: len(whole) // 2])
    elif left == "no checkpoint":
        checkpoint.unlink()
    elif left == "half a checkpoint":
        checkpoint.write_bytes(whole[: len(whole) // 2])
    else:
        checkpoint.write_bytes(whole[:30] + bytes([whole[30] ^ 1]) + whole[31:])
    assert (read_checkpoint(tmp_path / "journal") is not None) == (left == "checkpoint.new")
    with closing(Life(tmp_path)) as life:
        ended, under_way = lived_again(life.folder)
        life.ledger.flush(10)
        assert {call.call_id for call in read_calls(life.engine, *FOREVER)} == set(ended)
        assert set(life.recorder.observer.tracker.calls) == under_way


def test_a_second_start_finds_what_the_first_left_even_if_nothing_happened_between(tmp_path, captures):
    killed(tmp_path, captures, 20)
    with closing(Life(tmp_path)) as life:
        first = set(life.recorder.observer.tracker.calls)
        assert life.recorder.observer.watch.is_blind
    with closing(Life(tmp_path)) as life:
        assert set(life.recorder.observer.tracker.calls) == first
