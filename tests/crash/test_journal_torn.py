"""A journal cut, flipped or killed anywhere: everything before it is read, and it goes on."""

import random
import subprocess
import sys
import threading

import pytest

from telemon.journal.records import encode
from tests.crash.journal_kit import append, entry_of, journal, numbers_in, write

RECORDS = 20
LAST = encode(RECORDS - 1, entry_of(RECORDS - 1))
ROUNDS = 20

APPENDER = """
import sys
from pathlib import Path
from telemon.journal import folder
from tests.crash.journal_kit import append, journal
folder.SEGMENT_BYTES = 50_000  # so that kills fall into rotation and sealing too
with journal(Path(sys.argv[1])) as opened:
    while True:
        append(opened, 40)
        assert opened.flush()
        print(opened.next_number, flush=True)
"""


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole") / "journal"
    write(folder, RECORDS)
    (segment,) = folder.glob("*.journal")
    data = segment.read_bytes()
    assert data.endswith(LAST)
    return segment.name, data


@pytest.fixture
def restore(whole, tmp_path):
    """Lay down the journal with another content, at each call anew."""
    name, _ = whole
    tmp_path.joinpath("journal").mkdir()

    def lay(data):
        (tmp_path / "journal" / name).write_bytes(data)
        return tmp_path / "journal"

    return lay


def assert_it_goes_on(folder, torn, caplog):
    """Whoever reads sees the records before the last; whoever opens says what is cut off, and goes on."""
    caplog.clear()
    assert numbers_in(folder) == list(range(RECORDS - 1))
    assert (f"its last {torn} bytes" in caplog.text) == (torn > 0)
    caplog.clear()
    with journal(folder) as opened:
        assert opened.next_number == RECORDS - 1
        assert (f"its last {torn} bytes are no whole record" in caplog.text) == (torn > 0)
        append(opened, 2)
        assert opened.flush(10)
    caplog.clear()
    assert numbers_in(folder) == list(range(RECORDS + 1))
    assert not caplog.text


def test_cut_at_every_byte_of_its_last_record(whole, restore, caplog):
    _, data = whole
    for kept in range(len(LAST)):
        assert_it_goes_on(restore(data[: len(data) - len(LAST) + kept]), kept, caplog)


def test_every_byte_of_its_last_record_changed(whole, restore, caplog):
    _, data = whole
    for place in range(len(data) - len(LAST), len(data)):
        harmed = data[:place] + bytes([data[place] ^ 0xFF]) + data[place + 1 :]
        assert_it_goes_on(restore(harmed), len(LAST), caplog)


@pytest.mark.parametrize("zeros", [1, 29, 4096])
def test_a_power_cut_that_left_zeros_at_its_end(whole, restore, caplog, zeros):
    _, data = whole
    assert_it_goes_on(restore(data[: -len(LAST)] + bytes(zeros)), zeros, caplog)


def test_a_torn_end_is_cut_off_before_the_next_segment_begins(whole, restore, monkeypatch, caplog):
    monkeypatch.setattr("telemon.journal.folder.SEGMENT_BYTES", 1000)
    _, data = whole
    folder = restore(data[:-10])
    assert_it_goes_on(folder, len(LAST) - 10, caplog)
    assert len(list(folder.glob("*.journal*"))) == 2


def test_killed_at_twenty_random_instants(tmp_path, caplog):
    """What ``flush`` acknowledged is there after ``kill -9``, whole and once; and each run goes on after the last."""
    chance = random.Random(4)
    folder = tmp_path / "journal"
    acknowledged = 0
    sealed = 0
    for _ in range(ROUNDS):
        command = [sys.executable, "-c", APPENDER, str(folder)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            for _ in range(chance.randrange(1, 40)):
                line = process.stdout.readline()
                assert line, "the appender died by itself"
                acknowledged = int(line)
            threading.Event().wait(chance.random() * 0.01)
            process.kill()
            acknowledged = max([acknowledged, *map(int, process.stdout)])
        numbers = numbers_in(folder)
        assert numbers == list(range(len(numbers)))
        assert len(numbers) >= acknowledged
        sealed = len(list(folder.glob("*.zst")))
    assert sealed > 5
    assert not [record for record in caplog.records if record.levelname not in ("INFO", "WARNING")]
    with journal(folder) as opened:
        assert opened.next_number >= acknowledged
