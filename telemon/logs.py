"""What telemon logs, to standard error: one line a record, as text or JSON, and no personal data in it.

What stood in an event when something failed could be a caller's number or name. Of an exception, therefore, only its
type and the places it passed are logged, never its message; and whatever looks like a telephone number is left out.
"""

from __future__ import annotations

import logging
import re
import sys
import threading
import traceback
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pythonjsonlogger.json import JsonFormatter

if TYPE_CHECKING:
    import asyncio
    from types import TracebackType

    from telemon.config import LogConfig

# Nine digits are the shortest number with its area (France without the 0). Before a point stand the seconds of a
# uniqueid, which names a call and not a caller.
_NUMBER: Final = re.compile(r"(?<![\d.])\+?\d{9,}(?!\.?\d)")
_PLACES: Final = 6  # of the innermost calls; more says little
_FIELDS: Final = {"asctime": "time", "levelname": "level", "name": "logger", "message": "message"}


def set_up(config: LogConfig) -> None:
    """Log from now on as configured; again at any time, to change it. The level is telemon's: others only warn."""
    handler = logging.StreamHandler()
    handler.setFormatter(_Json() if config.format == "json" else _Text())
    root = logging.getLogger()
    for previous in root.handlers[:]:
        root.removeHandler(previous)
    root.addHandler(handler)
    level = logging.getLevelName(config.level.upper())
    root.setLevel(max(level, logging.WARNING))
    logging.getLogger("telemon").setLevel(level)
    logging.raiseExceptions = False  # else a record that cannot be formatted is shown as it came
    logging.captureWarnings(True)
    sys.excepthook = _log_end
    threading.excepthook = _log_end_of_thread


def places(error: BaseException) -> str:
    """Return the type of an exception and where it came from, innermost first; nothing of what it says."""
    frames = traceback.extract_tb(error.__traceback__)[-_PLACES:][::-1]
    where = " < ".join(f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames)
    parts = [f"{type(error).__name__} at {where}" if where else type(error).__name__]
    if isinstance(error, BaseExceptionGroup):
        parts += [places(one) for one in error.exceptions]
    if (cause := error.__cause__ or (None if error.__suppress_context__ else error.__context__)) is not None:
        parts.append(f"from {places(cause)}")
    return "; ".join(parts)


class _Text(logging.Formatter):
    """A line for people and for the system's journal: local time with its offset, level, logger, message."""

    def __init__(self) -> None:
        super().__init__("{asctime} {levelname} {name}: {message}", style="{")

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: ARG002, N802 - logging's
        return datetime.fromtimestamp(record.created, UTC).astimezone().isoformat(timespec="milliseconds")

    def format(self, record: logging.LogRecord) -> str:
        return super().format(_discreet(record))


class _Json(JsonFormatter):
    """One JSON object a line, in ASCII: ``time`` (UTC), ``level``, ``logger``, ``message``."""

    def __init__(self) -> None:
        super().__init__(tuple(_FIELDS), rename_fields=_FIELDS)

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: ARG002, N802 - logging's
        return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="microseconds")

    def format(self, record: logging.LogRecord) -> str:
        return super().format(_discreet(record))


def _discreet(record: logging.LogRecord) -> logging.LogRecord:
    """Return a record of which only time, level, logger and the cleaned message are left."""
    message = record.getMessage()
    if record.exc_info and record.exc_info[1] is not None:
        message = f"{message} [{places(record.exc_info[1])}]"
    printable = "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in message)
    kept = {"name": record.name, "levelno": record.levelno, "levelname": record.levelname, "created": record.created}
    return logging.makeLogRecord({**kept, "msg": _NUMBER.sub("[number]", printable)})


def log_loop_failure(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Log what the event loop cannot hand to anybody; asyncio's own handler would show the exception's message."""
    logging.getLogger("telemon").error("event loop: %s", context["message"], exc_info=context.get("exception"))


def _log_end(kind: type[BaseException], error: BaseException, _: TracebackType | None) -> None:
    if not issubclass(kind, KeyboardInterrupt):
        logging.getLogger("telemon").critical("ended by a mistake of telemon's, please report it", exc_info=error)


def _log_end_of_thread(end: threading.ExceptHookArgs) -> None:
    if end.exc_value is not None:
        name = end.thread.name if end.thread else "?"
        logging.getLogger("telemon").critical("thread %s ended, please report it", name, exc_info=end.exc_value)
