"""Calendars as calendar programs write them, and instants of the site's zone."""

from datetime import datetime
from zoneinfo import ZoneInfo

from telemon.duty_records import Officer
from telemon.instants import SECOND, from_datetime, to_datetime
from telemon.roster.calendar import read_calendar

PARIS = ZoneInfo("Europe/Paris")
DURAND = Officer(id="cdurand", name="Camille Durand")
LEFEVRE = Officer(id="h.lefevre", name="Hélène Lefèvre")
OFFICERS = (DURAND, LEFEVRE)
HOUR = 3600 * SECOND


def at(year, month, day, hour=0, minute=0):
    """Return the instant at which the clocks of Paris show this."""
    return from_datetime(datetime(year, month, day, hour, minute, tzinfo=PARIS))


YEAR = at(2026, 1, 1), at(2027, 1, 1)


def wall(instant):
    """Return what the clocks of Paris show."""
    return f"{to_datetime(instant).astimezone(PARIS):%Y-%m-%d %H:%M}"


def event(*lines, summary="Camille Durand", uid="1@test"):
    return "\r\n".join(["BEGIN:VEVENT", f"UID:{uid}", f"SUMMARY:{summary}", *lines, "END:VEVENT"])


def calendar(*components, more=()):
    """Return the bytes of a calendar."""
    return "\r\n".join(
        ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//test//EN", *more, *components, "END:VCALENDAR", ""]
    ).encode()


def read(data, start=YEAR[0], end=YEAR[1], officers=OFFICERS):
    return read_calendar(data, PARIS, officers, start, end)


def spans(data, **where):
    """Return from, to and officer of each shift, as the clocks of Paris show them."""
    return [(wall(shift.start), wall(shift.end), shift.officer) for shift in read(data, **where).shifts]
