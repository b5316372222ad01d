"""Who is on duty now: the roster, fetched again and again, and who signed in or out."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from telemon.duty_records import PresenceAction
from telemon.errors import LedgerError
from telemon.instants import SECOND
from telemon.ledger.reading_presences import read_presences
from telemon.roster.presence import Presence

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Engine

    from telemon.duty_records import PresenceChange
    from telemon.instants import Duration, Instant
    from telemon.roster.keeper import RosterKeeper
    from telemon.roster.required import InCharge
    from telemon.roster.shifts import Hole, Roster

log = logging.getLogger(__name__)

PRESENCE_SECONDS: Final = 5.0  # between two looks for what another telemon wrote
_OVERLAP: Final[Duration] = 60 * SECOND  # what is written may be a little older than what was read before


class Staffing:
    """The roster and the presences of one site.

    Args:
        keeper: of the roster; None where none is configured.
        required: when somebody must be on duty; None for always.
        on_changed: called in the event loop when others may be on duty.
        on_signed_in: called in the event loop with each sign-in, whoever wrote it.
    """

    def __init__(
        self,
        site: str,
        engine: Engine,
        keeper: RosterKeeper | None,
        *,
        required: InCharge | None,
        on_changed: Callable[[], None],
        on_signed_in: Callable[[Instant], None],
        clock: Callable[[], Instant],
    ) -> None:
        self.keeper = keeper
        self.required = required
        self._site = site
        self._engine = engine
        self._on_changed = on_changed
        self._on_signed_in = on_signed_in
        self._clock = clock
        self._presence = Presence()
        self._known: set[PresenceChange] = set()
        self._read_until: Instant | None = None
        self._warned: tuple[str, ...] = ()

    @property
    def roster(self) -> Roster | None:
        """The roster as it is known now."""
        return None if self.keeper is None else self.keeper.roster

    def on_duty(self, at: Instant) -> frozenset[str] | None:
        """Return who is on duty at an instant; None where nobody keeps that."""
        return self._presence.on_duty(self.roster, at)

    def next_change(self, at: Instant) -> Instant | None:
        """Return when others are next on duty."""
        return self._presence.next_change(self.roster, at)

    def hole_ahead(self, now: Instant, ahead: Duration) -> Hole | None:
        """Return the first time from now on, within ``ahead``, in which nobody is on duty though somebody must be."""
        if self.roster is None:
            return None
        return next(iter(self.roster.holes(now, now + ahead, self.required)), None)

    def sign(self, change: PresenceChange) -> None:
        """Take a sign-in or sign-out."""
        if change in self._known:
            return
        self._known.add(change)
        self._presence.add(change)
        self._on_changed()
        if change.action is PresenceAction.SIGNED_IN:
            self._on_signed_in(change.at)

    def reconfigure(self, keeper: RosterKeeper | None, required: InCharge | None) -> None:
        """Go on with another roster; who signed in stays."""
        self.keeper, self.required = keeper, required

    async def refresh(self) -> None:
        """Fetch the roster now."""
        keeper = self.keeper
        if keeper is None:
            return
        await asyncio.to_thread(keeper.refresh)
        for warning in keeper.warnings:
            if warning not in self._warned:
                log.warning(warning)
        self._warned = keeper.warnings
        self._on_changed()

    async def keep_presences(self) -> None:
        """Read again and again who signed in or out, until cancelled: another telemon may have written it."""
        while True:
            now = self._clock()
            try:
                changes = await asyncio.to_thread(read_presences, self._engine, self._site, self._read_until)
            except LedgerError as error:
                log.warning("%s; who signed in elsewhere is not known meanwhile", error)
            else:
                for change in changes:
                    self.sign(change)
                self._read_until = now - _OVERLAP
            await asyncio.sleep(PRESENCE_SECONDS)
