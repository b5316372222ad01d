"""The roster as a calendar program writes it: the bytes of an iCalendar file (RFC 5545) become shifts.

A shift ends when the clock on the wall shows its end, as calendar programs show it: a night of 20:00 to 08:00 that
repeats lasts 11 or 13 hours when the clocks change. Times without a zone are those of the site.
"""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

import recurring_ical_events  # type: ignore[import-untyped]  # it has no types
from icalendar import Calendar
from icalendar.prop import vDDDTypes
from icalendar.timezone import tzp

from telemon.errors import RosterError
from telemon.instants import from_datetime, to_datetime
from telemon.roster.bounds import MAXIMUM_SHIFTS, Repetitions, check_bytes
from telemon.roster.names import Names, clean
from telemon.roster.shifts import Shift
from telemon.texts import text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import tzinfo

    from icalendar.cal import Component

    from telemon.duty_records import Officer
    from telemon.instants import Instant

_DAY: Final = timedelta(days=1)
_MARGIN: Final = 2 * _DAY  # the libraries compare wall clocks of different zones; what is too much is cut off here
_DECIDING: Final = frozenset({"DTSTART", "DTEND", "DURATION", "RRULE", "RDATE", "EXDATE", "RECURRENCE-ID"})
_ZONE: Final = "X-WR-TIMEZONE"
_SHOWN: Final = 5  # names in one warning
# What the two libraries were seen to raise on what is no calendar.
_BROKEN: Final = (
    ValueError, KeyError, TypeError, AttributeError, IndexError, ArithmeticError, AssertionError, RecursionError,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class CalendarReading:
    """The shifts that overlap what was asked for, and what in the calendar is odd, one line each."""

    shifts: tuple[Shift, ...]
    warnings: tuple[str, ...] = ()


def read_calendar(
    data: bytes, zone: tzinfo, officers: Sequence[Officer], start: Instant, end: Instant
) -> CalendarReading:
    """Return the shifts that overlap [start, end).

    Raises:
        RosterError: it is no calendar, an event of it cannot be understood, or it asks for too much.
    """
    check_bytes(data)
    reader = _Reader(zone, officers, start, end)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the libraries' guesses about time zones
        try:
            for calendar in _calendars(data):
                reader.read(calendar)
        except _BROKEN as error:
            raise RosterError(text()("roster.broken", reason=clean(str(error)) or type(error).__name__)) from error
    return CalendarReading(tuple(sorted(reader.shifts)), reader.warnings())


def _calendars(data: bytes) -> list[Calendar]:
    try:
        words = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        words = data.decode("cp1252", "replace")  # as older programs on Windows write it
    words = words.strip()
    if words[:15].upper() != "BEGIN:VCALENDAR":
        raise RosterError(text()("roster.no_calendar", begin=clean(words[:40])))
    if words[-13:].upper() != "END:VCALENDAR":
        raise RosterError(text()("roster.cut_off"))
    tzp.use_default()  # forget the time zones that other calendars defined under the same name
    return Calendar.from_ical(words + "\n", multiple=True)


class _Reader:
    def __init__(self, zone: tzinfo, officers: Sequence[Officer], start: Instant, end: Instant) -> None:
        self.shifts: list[Shift] = []
        self._zone = zone
        self._names = Names(officers)
        self._checks_names = bool(officers)
        self._start, self._end = start, end
        self._span = to_datetime(start) - _MARGIN, to_datetime(end) + _MARGIN
        self._repetitions = Repetitions(self._span[1].date())
        self._odd: dict[str, dict[str, None]] = {}  # key of a text → what it is about

    def read(self, calendar: Calendar) -> None:
        self._check_zones(calendar)
        events = calendar.walk("VEVENT")
        for event in events:
            with _naming(event):
                self._check(event)
        _tell_apart(events)
        groups: dict[str, list[Component]] = {}
        for number, event in enumerate(events):
            groups.setdefault(str(event.get("UID", f"without {number}")), []).append(event)
        for group in groups.values():
            alone = calendar.copy()
            alone.subcomponents = group
            with _naming(group[0]):
                self._expand(alone)

    def _expand(self, calendar: Calendar) -> None:
        """Take all occurrences of a calendar's events."""
        for series in recurring_ical_events.of(calendar).series:
            for occurrence in series.between(*self._span):
                self._take(occurrence.as_component(False))

    def warnings(self) -> tuple[str, ...]:
        """Return one line for each kind of oddity."""
        return tuple(
            text()(key, names=", ".join(list(about)[:_SHOWN]) + (", …" if len(about) > _SHOWN else ""))
            for key, about in self._odd.items()
        )

    def _warn(self, key: str, about: str) -> None:
        self._odd.setdefault(key, {})[about] = None

    def _check_zones(self, calendar: Calendar) -> None:
        for part in (part for name in ("STANDARD", "DAYLIGHT") for part in calendar.walk(name)):
            self._repetitions.add(_rules(part), _time(part, "DTSTART") or date.min)
        name = calendar.get(_ZONE)
        try:
            if name is not None:
                ZoneInfo(str(name))
        except (ValueError, OSError, KeyError):  # ZoneInfoNotFoundError is a KeyError
            calendar.pop(_ZONE)
            self._warn("roster.unknown_zone", clean(str(name)))

    def _check(self, event: Component) -> None:
        """Refuse an event that says something about when it is that nobody understands."""
        for name, _ in event.errors:
            if name in _DECIDING:
                raise RosterError(text()("roster.bad_event", event=_title(event), key=name))
        start, end = _time(event, "DTSTART"), _time(event, "DTEND")
        if start is None:
            raise RosterError(text()("roster.no_start", event=_title(event)))
        for key in _DECIDING & event.keys():
            self._check_known_zone(event[key])
        if end is not None and isinstance(start, datetime) and isinstance(end, datetime):
            if start.tzinfo is not None and end.tzinfo is not None:  # in one zone, so that the wall's clock decides
                end = end.astimezone(start.tzinfo)
                event["DTEND"] = vDDDTypes(end)
            if _instant(end, self._zone) < _instant(start, self._zone):
                raise RosterError(text()("roster.ends_before", event=_title(event)))
        self._repetitions.add(_rules(event), start)

    def _check_known_zone(self, value: Any) -> None:
        for each in value if isinstance(value, list) else [value]:
            name = getattr(each, "params", {}).get("TZID")
            moments = [each] if hasattr(each, "dt") else getattr(each, "dts", [])
            if name and any(isinstance(one.dt, datetime) and one.dt.tzinfo is None for one in moments):
                self._warn("roster.unknown_zone", clean(str(name)))

    def _take(self, event: Component) -> None:
        """Add the shifts of one occurrence."""
        if str(event.get("STATUS", "")).upper() == "CANCELLED":
            return
        begin, until = _span(event, self._zone)
        if until <= self._start or begin >= self._end:
            return
        named = self._names.named(str(event.get("SUMMARY", "")), list(_attendees(event)))
        if str(event.get("TRANSP", "")).upper() == "TRANSPARENT":
            if len(named.unknown) < len(named.officers):
                self._warn("roster.free_time", _title(event))
            return
        if until <= begin or not named.officers:
            self._warn("roster.no_end" if until <= begin else "roster.nobody", _title(event))
            return
        for name in named.unknown if self._checks_names else ():
            self._warn("roster.unknown_officer", name)
        self.shifts += [Shift(begin, until, officer, _title(event)) for officer in named.officers]
        if len(self.shifts) > MAXIMUM_SHIFTS:
            raise RosterError(text()("roster.too_many_shifts", maximum=MAXIMUM_SHIFTS))


@contextmanager
def _naming(event: Component) -> Iterator[None]:
    """Name the event at which a library gave up."""
    try:
        yield
    except _BROKEN as error:
        reason = clean(str(error)) or type(error).__name__
        raise RosterError(text()("roster.odd_event", event=_title(event), reason=reason)) from error


def _tell_apart(events: Sequence[Component]) -> None:
    """Give events a UID of their own where a program gave them all the same, so that none hides the others."""
    seen: dict[tuple[str, str], Component] = {}
    for number, event in enumerate(events):
        key = str(event.get("UID", "")), str(event.get("SEQUENCE", ""))
        if "RECURRENCE-ID" in event:
            continue
        first = seen.setdefault(key, event)
        if first is not event and _time(first, "DTSTART") != _time(event, "DTSTART"):
            event["UID"] = f"{key[0]}#{number}"


def _rules(component: Component) -> list[Any]:
    rules = component.get("RRULE", [])
    return rules if isinstance(rules, list) else [rules]


def _time(event: Component, key: str) -> date | None:
    """Return a property's date or datetime; None if there is none, or several."""
    moment = getattr(event.get(key), "dt", None)
    return moment if isinstance(moment, date) else None


def _span(event: Component, zone: tzinfo) -> tuple[Instant, Instant]:
    start, end = _time(event, "DTSTART"), _time(event, "DTEND")
    assert start is not None
    assert end is not None
    if not isinstance(start, datetime) and not isinstance(end, datetime) and end <= start:
        end = start + _DAY  # some programs end a day on that day
    return _instant(start, zone), _instant(end, zone)


def _instant(moment: date, zone: tzinfo) -> Instant:
    if not isinstance(moment, datetime):
        moment = datetime.combine(moment, time())
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=zone)
    return from_datetime(moment.astimezone(UTC))


def _attendees(event: Component) -> Iterator[tuple[str, str]]:
    """Yield name and address of each person that did not decline."""
    attendees = event.get("ATTENDEE", [])
    for attendee in attendees if isinstance(attendees, list) else [attendees]:
        params = getattr(attendee, "params", {})
        if str(params.get("PARTSTAT", "")).upper() != "DECLINED":
            yield str(params.get("CN", "")), str(attendee)


def _title(event: Component) -> str:
    return clean(str(event.get("SUMMARY", "")) or str(event.get("UID", ""))) or "?"
