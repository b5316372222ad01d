"""A journal on bad disks, real ones: full, filling up, failing, and slow."""

import json
import logging
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing, contextmanager

import pytest

from telemon.journal import folder as journal_folder
from tests.crash.journal_kit import append, cannot, journal, numbers_in

MB = 1 << 20
LENGTH = 4000  # random bytes: they pack two to one


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 4 MB."""
    point = tmp_path / "disk"
    point.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(point)], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        cannot(f"no file system can be mounted here: {mounted.stderr.strip()}")
    yield point
    subprocess.run(["umount", "-l", str(point)], check=True)


@pytest.fixture(autouse=True)
def small_segments(monkeypatch):
    monkeypatch.setattr(journal_folder, "SEGMENT_BYTES", 256 << 10)


@contextmanager
def filled(disk, leave=0):
    """Another program's file takes the disk, but for ``leave`` bytes."""
    path = disk / "other"
    status = os.statvfs(disk)
    with path.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, status.f_bavail * status.f_frsize - leave)
    yield
    path.unlink()


def append_slowly(opened, count):
    """Append so that several writes come of it."""
    for _ in range(0, count, 50):
        append(opened, 50, LENGTH)
        assert opened.flush(20)


def wait_until(condition):
    for _ in range(2000):
        if condition():
            return
        threading.Event().wait(0.01)
    pytest.fail("it never came so far")


def test_on_a_full_disk_the_oldest_goes_first_and_loudly(small_disk, caplog):
    folder = small_disk / "journal"
    with journal(folder) as opened:
        append_slowly(opened, 3000)  # 12 MB
        assert opened.lost_total == 0
        assert opened.purged_total > 0
        assert not opened.failing
    kept = numbers_in(folder, length=LENGTH)
    assert kept == list(range(kept[0], 3000))
    assert 400 < len(kept) < 3000
    assert any(record.levelno == logging.ERROR and "its disk is full" in record.message for record in caplog.records)


def test_on_a_disk_that_others_filled_records_wait_and_nothing_is_lost(small_disk, caplog):
    folder = small_disk / "journal"
    with journal(folder) as opened:
        append(opened, 10, LENGTH)
        assert opened.flush(10)
        with filled(small_disk):
            append(opened, 100, LENGTH)
            wait_until(lambda: opened.failing)
            assert not opened.flush(0.5)
            assert "No space left on device (free some space" in opened.last_error
        assert opened.flush(20)
        assert not opened.failing
        assert opened.last_error is None
        assert opened.lost_total == 0
    assert numbers_in(folder, length=LENGTH) == list(range(110))
    assert "cannot write: No space left" in caplog.text
    assert "writing again after" in caplog.text


def test_on_a_full_disk_it_starts_all_the_same(small_disk, caplog):
    """A new journal and an old one; both write as soon as there is room."""
    for length in (0, 10):
        folder = small_disk / f"journal{length}"
        if length:
            with journal(folder) as opened:
                append(opened, length)
        with filled(small_disk), journal(folder) as opened:
            append(opened, 5000)
            wait_until(lambda opened=opened: opened.failing)
            (small_disk / "other").write_bytes(b"")
            assert opened.flush(20)
        assert numbers_in(folder) == list(range(length + 5000))
    assert "cannot write" in caplog.text


def test_what_a_disk_keeps_for_the_ledger_the_journal_gives_back(small_disk, caplog):
    folder = small_disk / "journal"
    with journal(folder, free_bytes=MB, maximum_waiting=MB // 2) as opened:
        append_slowly(opened, 400)
        before = opened.size_bytes
        with filled(small_disk, leave=MB // 2):
            append(opened, 50, LENGTH)
            assert opened.flush(20), "older segments were there to give room"
            assert opened.size_bytes < before
            wait_until(lambda: os.statvfs(small_disk).f_bavail * 4096 >= MB)  # a seal takes a little, for a moment
        assert opened.lost_total == 0
        with filled(small_disk, leave=MB // 4):
            append(opened, 1000, LENGTH)
            wait_until(lambda: opened.failing)
            assert "1.0 the ledger's ([journal] free_megabytes)" in opened.last_error
            with closing(sqlite3.connect(small_disk / "ledger.db")) as ledger:
                ledger.execute("CREATE TABLE calls (body BLOB)")
                ledger.execute("INSERT INTO calls VALUES (zeroblob(100000))")
                ledger.commit()
            assert 0 < opened.lost_total < 1000
            lost = opened.lost_total
        assert opened.flush(20)
        assert opened.lost_total == lost
        append(opened, 1, LENGTH)
        assert opened.flush(20)
    kept = numbers_in(folder, length=LENGTH)
    assert kept[-1] == 1450
    assert 1450 - kept[0] + 1 - len(kept) == lost
    assert {"ERROR", "CRITICAL", "WARNING"} <= {record.levelname for record in caplog.records}


# -- a disk that strace makes slow or failing

CHILD = """
import json, sys, time
from pathlib import Path
from telemon.journal import folder
from tests.crash.journal_kit import append, journal, numbers_in
folder.SEGMENT_BYTES = int(sys.argv[2])
"""

STEADY = (
    CHILD
    + """
import os
from telemon.journal.entries import Heard
from tests.crash.journal_kit import EVENT, PAD
EVENTS, SECONDS = 2000, 5
data = EVENT % (1, PAD[:330])
with journal(Path(sys.argv[1]), clock=lambda: time.time_ns() // 1000) as opened:
    began = time.perf_counter()
    descriptor = os.open(Path(sys.argv[1]) / "probe", os.O_RDWR | os.O_CREAT)
    os.write(descriptor, b"x")
    os.fdatasync(descriptor)
    slowness = time.perf_counter() - began
    appended, done, slowest, lag = [], 0, 0.0, 0.0
    began = time.perf_counter()
    while done < EVENTS * SECONDS:
        now = time.perf_counter()
        while len(appended) < min(EVENTS * SECONDS, (now - began) * EVENTS):
            appended.append(time.perf_counter())
            opened.append(Heard(time.time_ns() // 1000, data))
            slowest = max(slowest, time.perf_counter() - appended[-1])
        done = opened.written_total
        if done < len(appended):
            lag = max(lag, time.perf_counter() - appended[done])
        time.sleep(0.002)
    print(json.dumps({"slowness": slowness, "slowest": slowest, "lag": lag, "lost": opened.lost_total,
                      "segments": len(list(Path(sys.argv[1]).glob("*.journal*")))}))
"""
)

COUNTED = (
    CHILD
    + """
with journal(Path(sys.argv[1])) as opened:
    for _ in range(40):
        append(opened, 50)
        assert opened.flush(20)
    assert opened.lost_total == 0
    opened.close(10)
print(json.dumps(numbers_in(Path(sys.argv[1]))))
"""
)


def under_strace(program, folder, segment_bytes, *injections):
    strace = shutil.which("strace") or cannot("no strace: install the package strace")
    calls = {part.partition(":")[0] for part in injections}
    command: list[str] = [strace, "-f", "--seccomp-bpf", "-qq", "-o", os.devnull, "-e", "trace=" + ",".join(calls)]
    for injection in injections:
        command += ["-e", "inject=" + injection]
    done = subprocess.run(
        [*command, sys.executable, "-c", program, str(folder), str(segment_bytes)],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    if "ptrace" in done.stderr or "PTRACE" in done.stderr:
        cannot(f"strace may not trace here: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), done.stderr


def test_a_disk_that_takes_100_ms_per_fsync_delays_nobody(tmp_path):
    """At 2,000 events/s for five seconds, rotation and sealing included, the disk is less than 1 s behind."""
    measured, said = under_strace(
        STEADY, tmp_path / "journal", MB, "fdatasync:delay_exit=100000", "fsync:delay_exit=100000"
    )
    assert measured["slowness"] >= 0.1
    assert measured["segments"] >= 4
    assert measured["slowest"] < 0.1
    assert measured["lag"] < 1.0
    assert measured["lost"] == 0
    assert not said


def test_a_healthy_disk_is_not_100_ms_behind(tmp_path):
    """Nor is it with rotation and sealing under way; the bound leaves room for a busy machine."""
    done = subprocess.run(
        [sys.executable, "-c", STEADY, str(tmp_path / "journal"), str(MB)], capture_output=True, text=True, check=True
    )
    measured = json.loads(done.stdout)
    assert measured["lag"] < 0.5


@pytest.mark.parametrize(
    "injection",
    [
        "fdatasync:error=EIO:when=3..4",
        "pwrite64:error=EIO:when=5",
        "pwrite64:error=ENOSPC:when=2..3",
        "fsync:error=EIO:when=2",
        "fsync:error=ENOSPC:when=1",  # already at the first segment of all
    ],
)
def test_a_disk_that_fails_now_and_then_loses_nothing(tmp_path, injection):
    numbers, said = under_strace(COUNTED, tmp_path / "journal", 50_000, injection)
    assert numbers == list(range(2000))
    assert "cannot" in said
