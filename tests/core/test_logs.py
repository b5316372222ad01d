"""What is logged: one line a record, readable by people or by programs, and nobody's number or name in it."""

import asyncio
import json
import logging
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta

import pytest

from telemon.config import LogConfig
from telemon.logs import log_loop_failure, places, set_up

CANARY, NAME = "0612345678", "Cunégonde Canari"
log = logging.getLogger("telemon.somewhere")


@pytest.fixture(autouse=True)
def _as_before():
    root, ours = logging.getLogger(), logging.getLogger("telemon")
    before = root.handlers[:], root.level, ours.level, sys.excepthook, threading.excepthook
    yield
    root.handlers[:], root.level, ours.level, sys.excepthook, threading.excepthook = before
    logging.captureWarnings(False)
    logging.raiseExceptions = True


@pytest.fixture(params=["text", "json"])
def said(request, capsys):
    """Log what a function logs, in both formats; return the lines."""

    def lines(speak):
        set_up(LogConfig(format=request.param, level="debug"))
        speak()
        return capsys.readouterr().err.splitlines()

    return lines


def failure():
    channels: dict[str, int] = {}
    try:
        channels[f"PJSIP/{CANARY} {NAME}"]
    except KeyError as error:
        return error


def test_json_is_one_object_a_line_with_time_in_utc(capsys):
    set_up(LogConfig(format="json"))
    before = datetime.now(UTC)
    log.info('a "quoted" word, é, \x1b[31m and\nanother line', extra={"color_message": "no"})
    (line,) = capsys.readouterr().err.splitlines()
    assert line.isascii()
    entry = json.loads(line)
    assert list(entry) == ["time", "level", "logger", "message"]
    assert (entry["level"], entry["logger"]) == ("INFO", "telemon.somewhere")
    assert entry["message"] == 'a "quoted" word, é, \\x1b[31m and\\nanother line'
    at = datetime.fromisoformat(entry["time"])
    assert at.utcoffset() == timedelta(0)
    assert before - timedelta(milliseconds=1) <= at <= datetime.now(UTC)


def test_text_is_one_line_with_the_offset_of_its_time(capsys):
    set_up(LogConfig())
    log.warning("first\r\nsecond \x1b[31mred %s", "\u2028")
    (line,) = capsys.readouterr().err.splitlines()
    time, level, logger, message = line.split(" ", 3)
    assert datetime.fromisoformat(time).tzinfo is not None
    assert (level, logger, message) == ("WARNING", "telemon.somewhere:", "first\\r\\nsecond \\x1b[31mred \\u2028")


@pytest.mark.parametrize(("level", "kept"), [("debug", 4), ("info", 3), ("warning", 2), ("error", 1)])
def test_the_level_is_of_what_telemon_says(capsys, level, kept):
    set_up(LogConfig(level=level))
    for number in (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR):
        log.log(number, "said")
    assert len(capsys.readouterr().err.splitlines()) == kept


def test_the_libraries_only_warn_at_any_level(said):
    libraries = [logging.getLogger(name) for name in ("asyncio", "sqlalchemy.engine", "alembic")]

    def speak():
        for library in libraries:
            library.info("statement and parameters")
            library.warning("warned")

    assert len(said(speak)) == len(libraries)


def test_set_up_again_changes_the_format_and_the_level_without_doubling(capsys):
    set_up(LogConfig(format="json", level="error"))
    set_up(LogConfig(format="text", level="info"))
    log.info("once")
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith("INFO telemon.somewhere: once")


def test_of_an_exception_only_its_type_and_its_places_are_logged(said):
    (line,) = said(lambda: log.error("an event could not be used", exc_info=failure()))
    assert "KeyError at test_logs.py:" in line
    assert "failure" in line
    assert CANARY not in line
    assert "Canari" not in line


def test_neither_of_those_behind_it_or_in_its_group():
    another = failure()
    try:
        try:
            raise failure()
        except KeyError as error:
            raise ExceptionGroup(NAME, [ValueError(CANARY), another]) from error
    except ExceptionGroup as error:
        told = places(error)
    assert told.count("KeyError at") == 2
    assert told.startswith("ExceptionGroup at ")
    assert "; ValueError; " in told
    assert "; from KeyError at " in told
    assert CANARY not in told
    assert NAME not in told


@pytest.mark.parametrize(
    ("given", "logged"),
    [
        (f"Local/{CANARY}@mobiles-00000001;2", "Local/[number]@mobiles-00000001;2"),
        ("calls +33612345678.", "calls [number]."),
        ("call 'site:1763880006.42' is lost", "call 'site:1763880006.42' is lost"),
        ("127.0.0.1:15038 in 0.123456789 s, 12345678 records", "127.0.0.1:15038 in 0.123456789 s, 12345678 records"),
    ],
)
def test_what_looks_like_a_telephone_number_is_left_out(said, given, logged):
    (line,) = said(lambda: log.info("%s", given))
    assert logged in line
    assert (CANARY in line, "33612345678" in line) == (False, False)


def test_what_the_event_loop_could_hand_to_nobody(said):
    async def fail():
        asyncio.get_running_loop().set_exception_handler(log_loop_failure)
        asyncio.get_running_loop().call_soon(failing)
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    def failing():
        raise failure()

    (line,) = said(lambda: asyncio.run(fail()))
    assert "KeyError at" in line
    assert CANARY not in line


def test_an_end_by_mistake_and_a_warning_are_records_too():
    program = f"""
import threading, warnings
from telemon.config import LogConfig
from telemon.logs import set_up
set_up(LogConfig(format="json"))
warnings.warn("beware")
def fail():
    raise KeyError({CANARY!r})
thread = threading.Thread(target=fail, name="writer")
thread.start()
thread.join()
fail()
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    entries = [json.loads(line) for line in done.stderr.splitlines()]
    assert done.returncode == 1
    assert [entry["level"] for entry in entries] == ["WARNING", "CRITICAL", "CRITICAL"]
    assert "beware" in entries[0]["message"]
    assert entries[1]["message"].startswith("thread writer ended")
    assert "KeyError at <string>:" in entries[2]["message"]
    assert CANARY not in done.stderr
