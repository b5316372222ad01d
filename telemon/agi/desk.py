"""What an officer does by phone, done: for ``telemon.agi.server``, from whose threads it is called."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, TypeVar

from telemon.crisis.desks import choose
from telemon.duty_records import Officer, PresenceAction, PresenceChange
from telemon.errors import PresenceError
from telemon.texts import text

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping

    from telemon.config import Config
    from telemon.crisis.desk import CrisisDesk
    from telemon.instants import Instant
    from telemon.ledger.writer import LedgerWriter
    from telemon.roster.staffing import Staffing

_PATIENCE_SECONDS: Final = 5.0  # the event loop is rarely busy for a hundredth of it
_PHONE: Final = "phone"

T = TypeVar("T")


class PhoneDesk:
    """Signs officers in and out, and serves the crisis cell; a ``telemon.agi.line.Desk``.

    A sign-in counts at once and is written as soon as the ledger can be: at three in the morning nobody waits for a
    database.
    """

    def __init__(
        self,
        config: Config,
        staffing: Staffing,
        ledger: LedgerWriter,
        desks: Mapping[str, CrisisDesk],
        clock: Callable[[], Instant],
    ) -> None:
        """Made in the event loop that ``staffing`` lives in."""
        self.reconfigure(config)
        self._staffing = staffing
        self._ledger = ledger
        self._desks = desks
        self._clock = clock
        self._loop = asyncio.get_running_loop()

    def reconfigure(self, config: Config) -> None:
        """Serve the officers of another configuration from now on."""
        everybody = config.officers()
        self.officers: Mapping[str, Officer] = {one.number: one for one in everybody if one.number}
        self._by_id = {one.id: one for one in everybody}
        self._site = config.site

    def sign_in(self, officer: Officer, extension: str) -> None:
        """Sign an officer in."""
        self._sign(officer, extension, PresenceAction.SIGNED_IN)

    def sign_out(self, officer: Officer, extension: str) -> None:
        """Sign an officer out."""
        self._sign(officer, extension, PresenceAction.SIGNED_OUT)

    def on_duty(self) -> list[Officer] | None:
        """Return who is on duty now, by name only where the roster names no officer; None where nobody keeps that."""

        async def ask() -> frozenset[str] | None:
            return self._staffing.on_duty(self._clock())

        present = self._in_loop(ask())
        return None if present is None else [self._by_id.get(one, Officer(id=one, name=one)) for one in sorted(present)]

    def open_crisis(self, officer: Officer, *, is_exercise: bool) -> None:
        """Order the cell."""
        self._cell.open(officer.id, is_exercise=is_exercise)

    def join_crisis(self, officer: Officer) -> None:
        """Sign an officer in to the cell."""
        self._cell.join(officer.id, through=_PHONE)

    def leave_crisis(self, officer: Officer) -> None:
        """Sign an officer out of the cell."""
        self._cell.leave(officer.id)

    def open_line(self, officer: Officer) -> None:  # noqa: ARG002 - anybody of the cell may
        """Say that the crisis line is open."""
        self._cell.open_line()

    def close_crisis(self, officer: Officer) -> None:
        """Close the cell."""
        self._cell.close(officer.id)

    @property
    def _cell(self) -> CrisisDesk:
        return choose(self._desks, None)

    def _sign(self, officer: Officer, extension: str, action: PresenceAction) -> None:
        change = PresenceChange(
            site=self._site, officer=officer.id, at=self._clock(), action=action, through=_PHONE, extension=extension
        )
        self._ledger.put(change)

        async def take() -> None:
            self._staffing.sign(change)

        self._in_loop(take())

    def _in_loop(self, doing: Coroutine[None, None, T]) -> T:
        try:
            return asyncio.run_coroutine_threadsafe(doing, self._loop).result(_PATIENCE_SECONDS)
        except TimeoutError as error:
            raise PresenceError(text()("presence.busy")) from error
