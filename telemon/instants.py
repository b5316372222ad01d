"""Instants and durations as exact integers.

An instant is a whole number of microseconds since 1970-01-01T00:00:00 UTC, a duration a whole number of
microseconds. Asterisk stamps its events to the microsecond, and a promise such as "fewer than five rings" has a
sharp edge (19.999 999 s keeps it, 20.000 000 s does not), which binary fractions of a second would blur.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

Instant = int
Duration = int

SECOND: Duration = 1_000_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_STAMP_DECIMALS = 6
_USUAL_LENGTH = 17  # ten digits of seconds, a point, six of microseconds
_STAMP_DIGITS = 11  # up to the year 5138; a longer one is no time


def to_datetime(instant: Instant) -> datetime:
    """Return the instant as an aware UTC datetime."""
    return EPOCH + timedelta(microseconds=instant)


def from_datetime(moment: datetime) -> Instant:
    """Return an aware datetime as an instant.

    Raises:
        ValueError: the datetime is naive, so it names no instant.
    """
    if moment.tzinfo is None:
        raise ValueError(f"naive datetime {moment.isoformat()}: it names no instant")
    return (moment - EPOCH) // _MICROSECOND


def to_iso(instant: Instant) -> str:
    """Return ISO 8601 in UTC with six decimals, e.g. ``2026-11-23T07:00:06.851132+00:00``."""
    return to_datetime(instant).isoformat(timespec="microseconds")


def to_seconds(duration: Duration) -> float:
    """Return a duration in seconds."""
    return duration / SECOND


def from_seconds(seconds: float) -> Duration:
    """Return seconds as a duration, rounded to the microsecond."""
    return round(seconds * SECOND)


def parse_stamp(stamp: str) -> Instant | None:
    """Read AMI's ``Timestamp`` (Unix seconds with decimals, main/manager.c ``append_event``); None if it is not one."""
    if len(stamp) == _USUAL_LENGTH and stamp[10] == ".":  # as Asterisk writes it, and as it comes with every event
        digits = stamp[:10] + stamp[11:]
        return int(digits) if digits.isdecimal() else None
    whole, _, fraction = stamp.partition(".")
    if not (0 < len(whole) <= _STAMP_DIGITS and (whole + fraction).isascii() and (whole + (fraction or "0")).isdigit()):
        return None
    return int(whole) * SECOND + int(fraction[:_STAMP_DECIMALS].ljust(_STAMP_DECIMALS, "0"))
