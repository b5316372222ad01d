"""Whether the PBX's own night switch agrees with a service's opening hours."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from telemon.instants import SECOND

if TYPE_CHECKING:
    from datetime import date

    from telemon.instants import Instant
    from telemon.opening import OpeningHours
    from telemon.services import Service

# As FreePBX sets Custom:DAYNIGHT<n> too; any other state says nothing: the PBX goes by its own clock.
_DEVICE: Final = {"INUSE": False, "NOT_INUSE": True}
# Of dialplans/permanence (telemon/hours), and of FreePBX (DAYNIGHT/C<n>).
_DATABASE: Final = {"open": True, "closed": False, "DAY": True, "NIGHT": False}
_DATABASE_PREFIX: Final = "db:"
# GotoIfTime(08:30-17:30,…) is true until 17:30:59 (main/pbx_timing.c, get_timerange: "Do the last one").
_LAST_MINUTE: Final = 60 * SECOND


class Accord(StrEnum):
    """Whether the PBX does what the opening hours say."""

    AGREES = "agrees"
    DISAGREES = "disagrees"
    UNKNOWN = "unknown"  # it goes by its own clock, and no call has shown what that says


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """What the hours expect and what the PBX does; ``told_open`` is None as long as nothing tells.

    ``since`` is the instant from which ``state`` holds.
    """

    state: Accord
    expected_open: bool
    told_open: bool | None
    since: Instant


class NightSwitch:
    """One service's night switch, told by the PBX and shown by where its calls go.

    A call is the better witness, until the hours or the switch next change. The switch named in
    ``Service.night_switch`` must decide alone: one that only overrules the PBX's clock in one direction (as FreePBX's
    call flow control before a time condition) would disagree every evening until the first call.

    Instants may come a little out of order, and calls as late as their end.
    """

    def __init__(self, service: Service) -> None:
        self._service = service
        self._switch: bool | None = None
        self._call: bool | None = None
        self._begun = False
        self._next: Instant | None = None  # when the hours next change
        self._proof: Instant = 0  # a call before this says nothing of now
        self._expected = True
        self._state = Accord.UNKNOWN
        self._since: Instant = 0

    @property
    def device_name(self) -> str:
        """The device whose state tells, such as ``Custom:telemon-night``; "" if there is none."""
        return "" if self._service.night_switch.startswith(_DATABASE_PREFIX) else self._service.night_switch

    @property
    def database_key(self) -> tuple[str, str] | None:
        """Family and key of the database entry that tells, to be asked by AMI's ``DBGet``; None if there is none."""
        place = self._service.night_switch.removeprefix(_DATABASE_PREFIX)
        family, _, key = place.partition("/")
        return None if place == self._service.night_switch else (family, key)

    def device(self, at: Instant, state: str) -> None:
        """Take the device's state, as ``DeviceStateChange`` names it."""
        self._tell(at, told=_DEVICE.get(state))

    def database(self, at: Instant, value: str | None) -> None:
        """Take the database entry's value; None if there is no such entry (``DBGet`` answers with an error)."""
        self._tell(at, told=None if value is None else _DATABASE.get(value))

    def call(self, at: Instant, went_to_night: bool) -> None:  # noqa: FBT001 - the answer, not an option
        """Take where a caller of the service was led at that instant, before any overflow."""
        self._advance(at)
        told = not went_to_night
        if at < self._proof or (told != self._expected and self._service.is_open(at - _LAST_MINUTE) == told):
            return
        self._proof, self._call = at, told
        self._settle(at)

    def lose(self, at: Instant) -> None:
        """From here on nobody was watching: what was told may have changed."""
        self._advance(at)
        self._switch = None
        self._forget_calls(at)

    def judge(self, now: Instant) -> Agreement:
        """Say whether it agrees now, and since when it does or does not."""
        self._advance(now)
        return Agreement(state=self._state, expected_open=self._expected, told_open=self._told, since=self._since)

    @property
    def _told(self) -> bool | None:
        return self._switch if self._call is None else self._call

    def _tell(self, at: Instant, *, told: bool | None) -> None:
        self._advance(at)
        if told != self._switch:
            self._switch = told
            self._forget_calls(at)

    def _advance(self, to: Instant) -> None:
        """Go on to this instant, past every change of the hours on the way."""
        if not self._begun:
            self._begun = True
            self._proof = self._since = to
            self._hours_change(to)
        while self._next is not None and self._next <= to:
            at = self._next
            self._hours_change(at)
            self._forget_calls(at)

    def _hours_change(self, at: Instant) -> None:
        hours = self._service.hours
        self._expected = self._service.is_open(at)
        self._next = None if hours is None else hours.next_change(at)

    def _forget_calls(self, at: Instant) -> None:
        self._call = None
        self._proof = at
        self._settle(at)

    def _settle(self, at: Instant) -> None:
        state = {None: Accord.UNKNOWN, self._expected: Accord.AGREES}.get(self._told, Accord.DISAGREES)
        if state != self._state:
            self._state, self._since = state, max(self._since, at)


def days_off_commands(hours: OpeningHours, first: date, last: date) -> list[str]:
    """Return the commands for ``asterisk -rx`` by which dialplans/permanence closes on the same days off as ``hours``.

    A day with hours of its own is not among them: the dialplan knows no other hours than the week's.
    """
    return [f"database put telemon-holiday {day} 1" for day in hours.days_off(first, last)]
