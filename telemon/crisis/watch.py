"""The crisis cells as the daemon sees them: what is stored of them, and what their lines do now."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from telemon.crisis.stages import LineNow
from telemon.errors import LedgerError
from telemon.records import Flag

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from telemon.ami.link import Link
    from telemon.calls import Call
    from telemon.crisis.desk import CrisisDesk
    from telemon.crisis.stages import CrisisStatus, Excess
    from telemon.instants import Instant
    from telemon.records import CallRecord

log = logging.getLogger(__name__)

LOOK_SECONDS: Final = 1.0
_REMEMBERED: Final = 10_000  # answers of calls that are over, for a crisis ordered while they went on


class CrisisWatch:
    """Keeps ``statuses``, by service, of the crises that are open.

    Args:
        desks: by service.
        links: whose calls are watched.
    """

    def __init__(self, desks: Mapping[str, CrisisDesk], links: Sequence[Link]) -> None:
        self.desks = desks
        self.statuses: dict[str, CrisisStatus] = {}
        self._links = links
        self._answers: dict[str, deque[Instant]] = {service: deque(maxlen=_REMEMBERED) for service in desks}

    def finished(self, records: Iterable[CallRecord]) -> None:
        """Take calls that are over."""
        for record in records:
            is_public = not record.is_probe and Flag.INTERNAL not in record.flags
            if is_public and record.answered_at is not None and record.service in self._answers:
                self._answers[record.service].append(record.answered_at)

    def line_now(self, service: str) -> LineNow | None:
        """Return how a line is strained at this moment; None while nobody watches it."""
        seen = [link for link in self._links if link.connected]
        waits = [
            link.now - call.alerting_at
            for link in seen
            for call in _public_calls(link, service)
            if call.waiting and call.alerting_at is not None
        ]
        return LineNow(waiting=len(waits), longest_wait=max([0, *waits])) if seen else None

    def exceeded(self, service: str) -> tuple[Excess, ...]:
        """Return what is too much, or too few, in an open crisis at this moment."""
        status = replace(self.statuses[service], line=self.line_now(service))
        return status.exceeded(self.desks[service].rules.thresholds)

    async def keep(self) -> None:
        """Read and stamp the crises again and again, until cancelled."""
        failing = False
        while True:
            try:
                for service in self.desks:
                    await self._look(service)
                failing = False
            except LedgerError as error:
                if not failing:
                    log.error("%s; crisis cells are not followed meanwhile", error)  # noqa: TRY400 - its text says all
                failing = True
            await asyncio.sleep(LOOK_SECONDS)

    async def _look(self, service: str) -> None:
        before = self.statuses.get(service)
        ordered_at = None if before is None else before.crisis.ordered_at
        status = await asyncio.to_thread(
            self.desks[service].refresh,
            line_opened_at=self._line_opened_at(),
            first_answered_at=None if ordered_at is None else self._first_answer(service, ordered_at),
        )
        if status is None:
            self.statuses.pop(service, None)
        else:
            self.statuses[service] = status

    def _line_opened_at(self) -> Instant | None:
        duties = (link.observer.duty for link in self._links)
        told = (duty.line_opened_at for duty in duties if duty is not None)
        return min((at for at in told if at is not None), default=None)

    def _first_answer(self, service: str, ordered_at: Instant) -> Instant | None:
        going_on = (call.answered_at for link in self._links for call in _public_calls(link, service))
        told = (*self._answers[service], *(at for at in going_on if at is not None))
        return min((at for at in told if at >= ordered_at), default=None)


def _public_calls(link: Link, service: str) -> list[Call]:
    """Return a service's calls under way, but for probes and those from within."""
    return [
        call
        for call in link.observer.tracker.open_calls()
        if call.service is not None and call.service.name == service and call.is_outside and not call.is_probe
    ]
