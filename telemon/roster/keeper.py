"""Keeps the roster: fetches the calendar, reads it, and holds on to the last good one when that fails."""

from __future__ import annotations

import json
import os
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Final

from telemon.errors import ConfigError, RosterError
from telemon.instants import SECOND
from telemon.roster.reading import read_apart
from telemon.roster.shifts import Roster
from telemon.roster.source import Fetched, fetch, where
from telemon.roster.table import ShiftLine, read_table
from telemon.texts import text

if TYPE_CHECKING:
    from collections.abc import Callable
    from zoneinfo import ZoneInfo

    from telemon.config import Config
    from telemon.duty_records import Officer
    from telemon.instants import Duration, Instant

_DAY: Final[Duration] = 86_400 * SECOND
BEFORE: Final = 35 * _DAY  # how far back the roster is known
AHEAD: Final = 400 * _DAY
FILE: Final = "roster.last-good"


@dataclass(frozen=True, slots=True, kw_only=True)
class RosterSettings:
    """``calendar`` is a path or URL, empty for none; ``folder`` is where the last good one is kept.

    ``table`` is used when there is no calendar, or none could ever be read.
    """

    calendar: str
    folder: Path
    zone: ZoneInfo
    officers: tuple[Officer, ...] = ()
    table: tuple[ShiftLine, ...] = ()


def keeper_of(config: Config, clock: Callable[[], Instant], *, saves: bool = True) -> RosterKeeper | None:
    """Return the keeper of this configuration's roster; None if it has neither calendar nor shifts.

    One that does not save only looks: its user need not be the daemon's.

    Raises:
        ConfigError: the days of a ``[[shift]]`` cannot be read.
    """
    if not config.roster.calendar and not config.shift:
        return None
    try:
        table = tuple(ShiftLine(**shift.model_dump()) for shift in config.shift)
    except ValueError as error:
        raise ConfigError(f"[[shift]]: {error}") from error
    settings = RosterSettings(
        calendar=config.roster.calendar,
        folder=config.state_folder,
        zone=config.zone,
        officers=tuple(officer.officer for officer in config.officer),
        table=table,
    )
    return RosterKeeper(settings, clock, saves=saves)


@dataclass(frozen=True, slots=True)
class _Good:
    """A calendar that could be read, and when its source last said that it is this one."""

    fetched: Fetched
    confirmed_at: Instant


class RosterKeeper:
    """The roster as it is known now, and what is wrong with its source.

    ``roster`` is None without any; ``problem`` is None while all is well, else one line; ``warnings`` are what is
    odd besides; ``loaded_at`` is when its source last confirmed what ``roster`` says; ``by_table`` tells that the
    configuration's table is used.
    """

    def __init__(self, settings: RosterSettings, clock: Callable[[], Instant], *, saves: bool = True) -> None:
        self.roster: Roster | None = None
        self.problem: str | None = None
        self.warnings: tuple[str, ...] = ()
        self.loaded_at: Instant | None = None
        self.by_table = False
        self._settings = settings
        self._clock = clock
        self._saves = saves
        self._good: _Good | None = None
        self._oddities: tuple[str, ...] = ()  # of the calendar
        self._read_at: Instant = 0

    def refresh(self) -> None:
        """Ask the source again. Blocks, for a minute or two at worst; what goes wrong is in ``problem`` afterwards."""
        now = self._clock()
        if not self._settings.calendar:
            self._use_table(now)
            return
        good = self._good or self._remembered()
        try:
            fetched = fetch(self._settings.calendar, None if good is None else good.fetched)
            self._use(_Good(fetched, now), now)
        except RosterError as error:
            self.problem = text()("roster.problem", where=where(self._settings.calendar), reason=error)
            self._fall_back(good, now)
        else:
            self.problem = None
            if self._saves:
                trouble = self._remember(fetched, now, known=good is not None and good.fetched == fetched)
                self.warnings = (*self._oddities, *trouble)

    def _use(self, good: _Good, now: Instant) -> None:
        """Make this calendar the roster; it is read anew once a day at least, to look as far ahead as ever."""
        unread = self._good is None or self._good.fetched.data != good.fetched.data
        if unread or now - self._read_at >= _DAY:
            settings = self._settings
            start, end = now - BEFORE, now + AHEAD
            reading = read_apart(good.fetched.data, settings.zone, settings.officers, start, end)
            self.roster = Roster(reading.shifts, start, end)
            self.warnings = self._oddities = reading.warnings
            self._read_at = now
        self._good, self.loaded_at, self.by_table = good, good.confirmed_at, False

    def _fall_back(self, good: _Good | None, now: Instant) -> None:
        """Use the last good calendar, else the table."""
        with suppress(RosterError):
            if good is not None:
                self._use(good, now)
        if self._good is None:
            self._use_table(now)

    def _use_table(self, now: Instant) -> None:
        if not self._settings.table:
            return
        start, end = now - BEFORE, now + AHEAD
        self.roster = Roster(read_table(self._settings.table, self._settings.zone, start, end), start, end)
        self.loaded_at, self.by_table = now, True
        known = {officer.id for officer in self._settings.officers}
        unknown = sorted({line.officer for line in self._settings.table} - known)
        if known and unknown:
            self.warnings = (text()("roster.unknown_officer", names=", ".join(unknown)),)

    @property
    def _path(self) -> Path:
        return self._settings.folder / FILE

    def _identity(self) -> str:
        """Return what tells one source from another without giving away its URL, which may hold a secret."""
        return sha256(self._settings.calendar.encode()).hexdigest()

    def _remember(self, fetched: Fetched, now: Instant, *, known: bool) -> tuple[str, ...]:
        """Keep the calendar for a start without its source; return what is wrong if that fails."""
        try:
            if not (known and self._path.exists()):
                head = {"source": self._identity(), "etag": fetched.etag, "last_modified": fetched.last_modified}
                head["digest"] = sha256(fetched.data).hexdigest()
                _replace(self._path, json.dumps(head).encode() + b"\n" + fetched.data)
            os.utime(self._path, (now / SECOND, now / SECOND))
        except OSError as error:
            return (text()("roster.not_kept", path=self._path, reason=error.strerror or error),)
        return ()

    def _remembered(self) -> _Good | None:
        """Return the last good calendar of this source; None if there is none, or it was torn."""
        try:
            line, _, data = self._path.read_bytes().partition(b"\n")
            confirmed_at = int(self._path.stat().st_mtime) * SECOND
            head = json.loads(line)
            if head["source"] == self._identity() and head["digest"] == sha256(data).hexdigest():
                return _Good(Fetched(data, head["etag"], head["last_modified"]), confirmed_at)
        except (OSError, ValueError, KeyError, TypeError):
            pass
        return None


def _replace(path: Path, data: bytes) -> None:
    """Write a file whole or not at all, readable for its owner only: a roster holds names."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # with mode 0600
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
