"""What one PBX tells of its permanence, its night switch, its crisis lines and its test calls.

Whoever hears the PBX (``telemon.observer``) hands on what it hears, at the PBX's own instants.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from telemon.ami import events as ami
from telemon.probes.pursuit import KEY_DEVICE
from telemon.records import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from telemon.duty_records import CoverInterval, Probe
    from telemon.instants import Instant
    from telemon.night_switch import NightSwitch
    from telemon.operators import Board
    from telemon.permanence.cover import Permanence
    from telemon.records import CallRecord
    from telemon.services import Service

CRISIS_LINE: Final = "Custom:telemon-crisis"  # dialplans/crisis
_OPEN: Final = "INUSE"


class DeviceNews(NamedTuple):
    """A device's state, and since when."""

    at: Instant
    device: str
    state: str


class DutyWatch:
    """Hands what is heard on to those whom it concerns.

    ``line_opened_at`` is since when the crisis line is open, None while it is not or nobody knows.

    Args:
        permanences: by service.
        switches: by the service that closes.
        services: all of this PBX.
    """

    def __init__(
        self,
        permanences: Mapping[str, Permanence],
        switches: Mapping[str, NightSwitch],
        services: Iterable[Service],
    ) -> None:
        self.permanences = permanences
        self.switches = switches
        self._news: list[DeviceNews] = []
        self.line_opened_at: Instant | None = None
        self._ended: list[CoverInterval] = []
        self._services = tuple(services)

    def hear(self, event: Any) -> None:
        """Take an event that changed the board."""
        if isinstance(event, ami.DeviceState):
            self._device(event)
        elif isinstance(event, ami.DatabaseValue):
            self.entry(*event)
        for permanence in self.permanences.values():
            permanence.board_changed(event.at)

    @property
    def switch_keys(self) -> tuple[tuple[str, str], ...]:
        """Family and key of the database entries that tell whether the PBX is open."""
        return tuple({key for switch in self.switches.values() if (key := switch.database_key) is not None})

    def entry(self, at: Instant, family: str, key: str, value: str | None) -> None:
        """Take an entry of the PBX's database; None if it is absent."""
        for switch in self.switches.values():
            if switch.database_key == (family, key):
                switch.database(at, value)

    def look(self, board: Board, at: Instant) -> None:
        """Take the states that were heard before anybody listened here."""
        names = {CRISIS_LINE, *(switch.device_name for switch in self.switches.values())}
        for name in names:
            state = board.device_state(name)
            if state is not None:
                self._device(ami.DeviceState(at, name, state))

    def _device(self, event: ami.DeviceState) -> None:
        for switch in self.switches.values():
            if event.device == switch.device_name:
                switch.device(event.at, event.state)
        if event.device == CRISIS_LINE:
            is_open = event.state == _OPEN
            self.line_opened_at = (self.line_opened_at or event.at) if is_open else None
        if event.device == KEY_DEVICE:
            self._news.append(DeviceNews(*event))

    def see(self, at: Instant) -> None:
        """Everything is known, and will be heard, from now on."""
        for permanence in self.permanences.values():
            permanence.see(at)

    def lose(self, at: Instant) -> None:
        """Nothing is heard from now on."""
        self.line_opened_at = None
        for permanence in self.permanences.values():
            permanence.lose(at)
        for switch in self.switches.values():
            switch.lose(at)

    def advance(self, now: Instant) -> None:
        """Let time pass: shifts end, services open and close."""
        for permanence in self.permanences.values():
            permanence.advance(now)

    def finished(self, records: Iterable[CallRecord]) -> None:
        """Take calls that are over."""
        for record in records:
            for permanence in self.permanences.values():
                permanence.finished(record)
            self._show_the_switch(record)

    def _show_the_switch(self, record: CallRecord) -> None:
        """Tell the night switch of a call's service where it was led."""
        switch = self.switches.get(record.service)
        if switch is None:
            return
        if record.outcome is Outcome.CLOSED:
            switch.call(record.arrived_at, went_to_night=True)
        elif record.queues:
            first = next((service.name for service in self._services if record.queues[0] in service.queues), None)
            night = next(service.outside_hours for service in self._services if service.name == record.service)
            if first in {record.service, night}:
                switch.call(record.arrived_at, went_to_night=first == night)

    def probed(self, probe: Probe) -> None:
        """Take a test call with its result."""
        for permanence in self.permanences.values():
            permanence.probed(probe)

    def doubt(self, start: Instant, end: Instant) -> None:
        """Events went missing between these instants."""
        for permanence in self.permanences.values():
            permanence.doubt(start, end)

    # -- what others know

    def on_duty_changed(self, at: Instant) -> None:
        """Others are on duty from now on, or may be."""
        for permanence in self.permanences.values():
            permanence.on_duty_changed(at)

    def signed_in(self, at: Instant) -> None:
        """An officer reported for duty."""
        for permanence in self.permanences.values():
            permanence.signed_in(at)

    def reconfigure(self, fresh: DutyWatch, board: Board, at: Instant) -> None:
        """Go on under another configuration; a permanence that is no longer there is unknown from now on."""
        kept = {}
        for name, permanence in fresh.permanences.items():
            before = self.permanences.get(name)
            if before is not None:
                before.reconfigure(permanence)
            kept[name] = before or permanence
        self._ended += [
            interval
            for name, permanence in self.permanences.items()
            if name not in kept
            for interval in _end_of(permanence, at)
        ]
        self.permanences, self.switches, self._services = kept, fresh.switches, fresh._services
        self.look(board, at)
        self.on_duty_changed(at)

    # -- what the shell takes

    def take_news(self) -> list[DeviceNews]:
        """Return the states of the device that tells of an officer's key, since the last call."""
        news, self._news = self._news, []
        return news

    def to_store(self, now: Instant, *, everything: bool) -> list[CoverInterval]:
        """Return the stretches of cover that changed since the last call, or all that last; up to ``now`` at most."""
        found, self._ended = self._ended, []
        for permanence in self.permanences.values():
            current = permanence.current
            found += permanence.take_changed()
            if everything and current is not None and current not in found:
                found.append(current)
        return [
            interval if interval.ended_at is not None else replace(interval, ended_at=max(interval.started_at, now))
            for interval in found
        ]


def _end_of(permanence: Permanence, at: Instant) -> list[CoverInterval]:
    """Return the last stretches of one that is no longer there."""
    permanence.lose(at)
    return permanence.take_changed()
