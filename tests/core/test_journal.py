"""A journal on disk: numbers, segments, what is sealed, what is purged, and who may write."""

import logging
import os
import stat
import subprocess
import sys
import threading

import pytest
import zstandard

from telemon.errors import JournalError
from telemon.instants import SECOND
from telemon.journal import folder as journal_folder
from telemon.journal.entries import Heard, Lost
from telemon.journal.reader import is_journal, read_entries
from telemon.journal.segments import seal
from telemon.observation import GapCause
from tests.crash.journal_kit import DAY, T, append, entry_of, journal, numbers_in, write

HOUR = 3600 * SECOND


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "journal"


@pytest.fixture
def small_segments(monkeypatch):
    monkeypatch.setattr(journal_folder, "SEGMENT_BYTES", 20_000)


def names(folder, pattern="*.journal*"):
    return sorted(path.name for path in folder.glob(pattern))


def fill(opened, segments, length=200):
    """Append until that many segments are full, one write after the other."""
    for _ in range(segments):
        append(opened, 120, length)  # beyond 20,000 bytes
        assert opened.flush(10)
    append(opened, 1, length)
    assert opened.flush(10)


def sealed(opened, count):
    """Wait until that many segments are compressed."""
    older = opened._folder.older
    for _ in range(1000):
        if sum(entry.segment.sealed for entry in older) >= count:
            return
        threading.Event().wait(0.02)
    pytest.fail(f"still not sealed: {names(opened._folder.path)}")


def test_what_is_appended_reads_back_with_its_numbers(folder):
    write(folder, 100)
    assert numbers_in(folder) == list(range(100))
    assert numbers_in(folder, 42) == list(range(42, 100))
    assert numbers_in(folder, 100) == []


def test_numbers_go_on_where_the_last_run_ended(folder):
    for run in range(3):
        with journal(folder) as opened:
            assert opened.next_number == 20 * run
            append(opened, 20)
            assert opened.close(10) == 0
            assert opened.written_total == 20
    assert numbers_in(folder) == list(range(60))


def test_numbers_may_be_skipped_but_never_come_twice(folder):
    write(folder, 10)
    with journal(folder) as opened:
        opened.skip_to(5)
        append(opened, 1)
        opened.skip_to(100)
        append(opened, 1)
        assert opened.flush(10)
    assert numbers_in(folder) == [*range(11), 100]
    with journal(folder) as opened:
        assert opened.next_number == 101


def test_it_can_be_read_while_it_is_written(folder):
    with journal(folder) as opened:
        for count in range(1, 6):
            append(opened, 1)
            assert opened.flush(10)
            assert numbers_in(folder) == list(range(count))


@pytest.mark.usefixtures("small_segments")
def test_only_its_owner_can_read_it(folder):
    before = os.umask(0)
    try:
        with journal(folder) as opened:
            fill(opened, 2)
            sealed(opened, 2)
    finally:
        os.umask(before)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}


def test_a_second_daemon_is_refused_and_told_who_writes(folder):
    other = (
        "import sys; from pathlib import Path; from telemon.journal.writer import Journal\n"
        "Journal(Path(sys.argv[1]), keep=1, maximum_bytes=1, free_bytes=0); print('open', flush=True); input()"
    )
    command = [sys.executable, "-c", other, str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        with pytest.raises(JournalError, match=rf"process {process.pid}\) writes there; end it first"):
            write(folder, 1)
        process.kill()
    write(folder, 1)
    assert numbers_in(folder) == [0]


def test_a_folder_that_cannot_be_used_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file" / "journal"):
        with pytest.raises(JournalError, match=r"journal .*file.*; let the user that telemon runs as"):
            write(folder, 1)
    with pytest.raises(JournalError, match="check the path"):
        list(read_entries(tmp_path / "nowhere"))


def test_nothing_is_taken_after_the_end(folder):
    with journal(folder) as opened:
        opened.close(10)
        with pytest.raises(JournalError, match="closed"):
            opened.append(entry_of(0))


def test_what_is_a_journal(folder, tmp_path):
    assert not is_journal(tmp_path)
    assert not is_journal(folder)
    write(folder, 3)
    assert is_journal(folder)
    (segment,) = folder.glob("*.journal")
    assert is_journal(segment)
    assert [number for number, _ in read_entries(segment)] == [0, 1, 2]
    (tmp_path / "capture.ami").write_bytes(b"Event: Hangup\r\n\r\n")
    assert not is_journal(tmp_path / "capture.ami")


# -- segments


@pytest.mark.usefixtures("small_segments")
def test_a_full_segment_is_sealed_and_the_next_named_by_its_first_record(folder):
    with journal(folder) as opened:
        fill(opened, 3)
        sealed(opened, 3)
        assert opened.size_bytes == sum(path.stat().st_size for path in folder.glob("*.journal*"))
    assert names(folder) == [
        "00000000000000000000.journal.zst",
        "00000000000000000120.journal.zst",
        "00000000000000000240.journal.zst",
        "00000000000000000360.journal",
    ]
    assert numbers_in(folder) == list(range(361))
    assert numbers_in(folder, 119) == list(range(119, 361))
    assert numbers_in(folder, 120) == list(range(120, 361))


def test_a_segment_lasts_an_hour_however_little_comes(folder):
    now = [T]
    with journal(folder, clock=lambda: now[0]) as opened:
        for hour in range(4):
            now[0] = T + hour * 40 * 60 * SECOND
            opened.append(Heard(now[0], b"x"))
            assert opened.flush(10)
    assert [name.partition(".")[0][-1] for name in names(folder)] == ["0", "2"]
    assert [number for number, _ in read_entries(folder)] == [0, 1, 2, 3]


@pytest.mark.usefixtures("small_segments")
def test_what_a_run_left_unsealed_the_next_one_seals(folder):
    with journal(folder) as opened:
        fill(opened, 3)
        opened.close(10)
    assert "00000000000000000240.journal" in names(folder)
    with journal(folder) as opened:
        sealed(opened, 3)
    assert numbers_in(folder) == list(range(361))


@pytest.mark.usefixtures("small_segments")
def test_numbers_go_on_behind_a_sealed_segment(folder):
    with journal(folder) as opened:
        fill(opened, 1)
        sealed(opened, 1)
    (folder / "00000000000000000120.journal").unlink()
    with journal(folder) as opened:
        assert opened.next_number == 120


# -- purge


def test_what_is_too_old_is_removed(folder):
    now = [T]
    with journal(folder, keep=7 * DAY, clock=lambda: now[0]) as opened:
        for day in range(20):
            now[0] = T + day * DAY
            opened.append(Heard(now[0], b"x"))
            assert opened.flush(10)
        assert opened.purged_total == 12
        assert opened.lost_total == 0
    assert [number for number, _ in read_entries(folder)] == [12, 13, 14, 15, 16, 17, 18, 19]


def test_what_became_too_old_while_telemon_was_down_is_removed_at_its_start(folder):
    now = [T]
    for day in range(10):
        now[0] = T + day * DAY
        with journal(folder, keep=7 * DAY, clock=lambda: now[0]) as opened:
            opened.append(Heard(now[0], b"x"))
            assert opened.flush(10)
        (newest,) = folder.glob(f"*{day}.journal")
        os.utime(newest, ns=(now[0] * 1000, now[0] * 1000))
    with journal(folder, keep=2 * DAY, clock=lambda: now[0]) as opened:
        assert opened.next_number == 10
        opened.append(Heard(now[0], b"x"))
        assert opened.flush(10)
    assert [number for number, _ in read_entries(folder)] == [7, 8, 9, 10]


@pytest.mark.usefixtures("small_segments")
def test_the_days_that_telemon_was_down_do_not_make_a_segment_younger(folder):
    now = [T]
    with journal(folder, clock=lambda: now[0]) as opened:
        fill(opened, 1)
        sealed(opened, 1)
    (old,) = folder.glob("*.zst")
    (plain,) = folder.glob("*.journal")
    plain.unlink()
    os.utime(old, ns=(T * 1000, T * 1000))
    now[0] = T + 6 * DAY
    with journal(folder, clock=lambda: now[0]) as opened:
        assert opened.append(Heard(now[0], b"x")) == 120
        assert opened.flush(10)
        assert [number for number, _ in read_entries(folder)] == list(range(121))
    now[0] = T + 8 * DAY
    with journal(folder, clock=lambda: now[0]) as opened:
        opened.append(Heard(now[0], b"x"))
        assert opened.flush(10)
    assert [number for number, _ in read_entries(folder)] == [120, 121]


def test_personal_data_of_a_silent_pbx_is_removed_too(folder, monkeypatch):
    monkeypatch.setattr("telemon.journal.writer.TIDY_SECONDS", 0.0)
    now = [T]
    with journal(folder, keep=7 * DAY, clock=lambda: now[0]) as opened:
        append(opened, 10)
        assert opened.flush(10)
        now[0] = T + 2 * HOUR
        sealed(opened, 1)
        now[0] = T + 8 * DAY
        for _ in range(1000):
            if opened.purged_total:
                break
            threading.Event().wait(0.02)
    assert numbers_in(folder) == []
    with journal(folder) as opened:
        assert opened.next_number == 10


def test_the_clock_of_a_pbx_does_not_make_a_segment_older(folder):
    """``Lost`` is in the PBX's time, which may be anything; what is too old is told by our own clock."""
    now = [T]
    for step in (0, HOUR):
        now[0] = T + step
        with journal(folder, clock=lambda: now[0]) as opened:
            for at in (T - 400 * DAY, T + 400 * DAY, T - 400 * DAY):
                opened.append(Lost(at, GapCause.LINK_CUT))
                assert opened.flush(10)
                now[0] += HOUR
            assert opened.purged_total == 0
    assert [number for number, _ in read_entries(folder)] == list(range(6))


@pytest.mark.usefixtures("small_segments")
def test_the_oldest_is_removed_where_all_together_are_too_long(folder):
    with journal(folder, maximum_bytes=60_000) as opened:
        for _ in range(8):
            fill(opened, 1)
            assert opened.size_bytes <= 60_000
        assert opened.purged_total > 0
    kept = numbers_in(folder)
    assert kept == list(range(kept[0], 8 * 121))
    assert 0 < kept[0] < 8 * 121 - 120


def test_the_current_segment_is_never_removed(folder):
    with journal(folder, keep=0, maximum_bytes=0) as opened:
        append(opened, 50)
        assert opened.flush(10)
    assert numbers_in(folder) == list(range(50))


# -- damage


def damaged_folder(folder):
    with journal(folder) as opened:
        fill(opened, 3)
        sealed(opened, 3)


@pytest.mark.usefixtures("small_segments")
def test_of_a_damaged_sealed_segment_the_rest_is_read(folder, caplog):
    damaged_folder(folder)
    victim = folder / "00000000000000000120.journal.zst"
    for harm in (
        lambda data: data[: len(data) // 2],
        lambda data: data[: len(data) // 2] + bytes(len(data) // 2),
        lambda data: b"no zstd at all" + data,
        lambda data: data[:0],
        lambda data: zstandard.compress(zstandard.decompress(data).replace(b"Uniqueid: 1763880006.144", bytes(24))),
    ):
        whole = victim.read_bytes()
        victim.write_bytes(harm(whole))
        caplog.clear()
        read = numbers_in(folder)
        victim.write_bytes(whole)
        assert [number for number in read if not 120 <= number < 240] == [*range(120), *range(240, 361)]
        assert read == sorted(set(read))
        assert any(victim.name in message for message in caplog.messages)
        assert {record.levelname for record in caplog.records} == {"ERROR"}


def test_damage_in_the_middle_of_the_newest_segment_costs_one_record(folder, caplog):
    write(folder, 50)
    (segment,) = folder.glob("*.journal")
    data = bytearray(segment.read_bytes())
    data[len(data) // 2] ^= 1
    segment.write_bytes(data)
    with journal(folder) as opened:
        assert "are damaged from byte" in caplog.text
        assert opened.next_number == 50
        append(opened, 10)
        assert opened.flush(10)
    read = numbers_in(folder)
    assert len(read) == 59
    assert set(read) < set(range(60))


def test_what_somebody_removes_under_us_is_said_and_the_rest_is_kept(folder, caplog):
    with journal(folder) as opened:
        append(opened, 10)
        assert opened.flush(10)
        for path in folder.glob("*.journal"):
            path.unlink()
        append(opened, 10)
        assert opened.flush(10)
    assert numbers_in(folder) == list(range(10, 20))
    assert "somebody removed it" in caplog.text


# -- sealing, stopped anywhere


def test_a_seal_stopped_at_any_step_leaves_every_record(folder, monkeypatch):
    monkeypatch.setattr("telemon.journal.segments._STEP", 4000)
    write(folder, 100)
    (plain,) = folder.glob("*.journal")
    content = plain.read_bytes()
    steps = 1 + len(list(seal(plain)))
    assert steps > 5
    for step in range(steps + 1):
        for leftover in folder.glob("*.journal*"):
            leftover.unlink()
        plain.write_bytes(content)
        sealing = seal(plain)
        for _ in range(step):
            next(sealing, None)
        snapshot = {path.name: path.read_bytes() for path in folder.glob("*.journal*")}  # as a kill leaves it
        sealing.close()
        for name, data in snapshot.items():
            (folder / name).write_bytes(data)
        assert numbers_in(folder) == list(range(100))
        with journal(folder) as opened:
            assert opened.next_number == 100
        assert numbers_in(folder) == list(range(100))
        assert not list(folder.glob("*.new"))


def test_while_both_exist_the_plain_segment_counts(folder):
    """Whatever became of the sealed one: a power cut may have left its name without its content."""
    write(folder, 10)
    sealed_too = folder / f"{0:020}.journal.zst"
    sealed_too.write_bytes(b"")
    assert numbers_in(folder) == list(range(10))
    write(folder, 1)
    assert not sealed_too.exists()
    assert numbers_in(folder) == list(range(11))


# -- memory


def test_records_that_memory_cannot_hold_are_counted_and_leave_a_hole(folder, monkeypatch, caplog):
    disk = threading.Lock()
    writing = os.fdatasync

    def slow(descriptor):
        with disk:
            writing(descriptor)

    monkeypatch.setattr(os, "fdatasync", slow)
    with journal(folder, maximum_waiting=10_000) as opened:
        with disk:
            for number in range(200):
                assert opened.append(Heard(T, b"x" * 500)) == number
            assert not opened.flush(0.1)
            assert opened.pending_bytes <= 10_000
            assert opened.lost_total == 200 - opened.pending
            assert len([record for record in caplog.records if record.levelno == logging.CRITICAL]) == 1
        assert opened.flush(10)
        assert opened.append(Heard(T, b"the next")) == 200
        lost = opened.lost_total
    numbers = [number for number, _ in read_entries(folder)]
    assert numbers == [*range(200 - lost), 200]


def test_a_record_longer_than_any_can_be_is_lost_alone(folder):
    with journal(folder) as opened:
        append(opened, 1)
        opened.append(Heard(T, bytes(9 << 20)))
        opened.append(entry_of(2))
        assert opened.flush(10)
        assert opened.lost_total == 1
    assert numbers_in(folder) == [0, 2]
