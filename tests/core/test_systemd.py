"""What systemd hears, on a socket such as it gives."""

import asyncio
import logging
import os
import socket
import time
import uuid

import pytest

from telemon.systemd import Notifier


@pytest.fixture(params=["a path", "abstract"])
def heard(request, tmp_path, monkeypatch):
    """Listen as systemd does; return what was said since, each message as its lines."""
    shown = str(tmp_path / "notify") if request.param == "a path" else f"@telemon-test-{uuid.uuid4().hex}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(shown.replace("@", "\0", 1) if shown.startswith("@") else shown)
        listener.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", shown)

        def messages():
            got: list[list[str]] = []
            while True:
                try:
                    got.append(listener.recv(4096).decode().split("\n"))
                except BlockingIOError:
                    return got

        yield messages


def test_start_reload_and_end(heard):
    notifier = Notifier()
    notifier.ready("Connected to 1 of 2, débordement")
    before = time.monotonic_ns() // 1000
    notifier.reloading()
    after = time.monotonic_ns() // 1000
    notifier.stopping()
    ready, reloading, stopping = heard()
    assert ready == ["READY=1", "STATUS=Connected to 1 of 2, débordement"]
    assert reloading[0] == "RELOADING=1"
    name, _, at = reloading[1].partition("=")
    assert (name, before <= int(at) <= after) == ("MONOTONIC_USEC", True)
    assert stopping == ["STOPPING=1"]


async def test_the_watchdog_is_told_twice_per_limit(heard, monkeypatch):
    monkeypatch.setenv("WATCHDOG_USEC", "200000")
    monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()))
    notifier = Notifier()
    assert notifier.watchdog_seconds == 0.2
    keeping = asyncio.create_task(notifier.keep_watchdog())
    await asyncio.sleep(0.45)
    told = heard()
    time.sleep(0.3)  # noqa: ASYNC251 - a loop that is stuck
    assert heard() == []
    keeping.cancel()
    assert told
    assert all(message == ["WATCHDOG=1"] for message in told)
    assert 3 <= len(told) <= 5


@pytest.mark.parametrize(("limit", "pid"), [("", None), ("nonsense", None), ("200000", "1")])
async def test_a_watchdog_that_is_none_of_ours_is_told_nothing(heard, monkeypatch, limit, pid):
    monkeypatch.setenv("WATCHDOG_USEC", limit)
    if pid:
        monkeypatch.setenv("WATCHDOG_PID", pid)
    await asyncio.wait_for(Notifier().keep_watchdog(), 1)
    assert heard() == []


async def test_without_systemd_nothing_is_said(monkeypatch, caplog):
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    monkeypatch.setenv("WATCHDOG_USEC", "200000")
    notifier = Notifier()
    notifier.ready("x")
    await asyncio.wait_for(notifier.keep_watchdog(), 1)
    assert caplog.records == []


def test_a_systemd_that_is_gone_ends_nothing(monkeypatch, tmp_path, caplog):
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "gone"))
    Notifier().ready("x")
    (record,) = caplog.records
    assert (record.levelno, record.getMessage()) == (
        logging.WARNING,
        "systemd cannot be told READY=1: No such file or directory",
    )
