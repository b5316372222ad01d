"""Times as Asterisk writes them into its own records: epoch seconds or a date, with or without zone and fractions."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone, tzinfo
from typing import TYPE_CHECKING, Final, NamedTuple

from telemon.instants import SECOND, from_datetime, parse_stamp

if TYPE_CHECKING:
    from telemon.instants import Instant

# Asterisk reads the clock for an event some time before it writes it, and two threads may write in the other order.
_DISORDER: Final = 2 * SECOND
_OLDEST: Final = 9  # digits of a second that can be one: since 1973
_DATE = re.compile(
    r"\s*(\d{4})-(\d\d)-(\d\d)[ T](\d\d):(\d\d):(\d\d)(?:[.,](\d{1,9}))?\s*(?:(Z)|([+-])(\d\d):?(\d\d)?)?\s*"
)


class Stamp(NamedTuple):
    """One instant; ``whole`` where no fraction of the second was written."""

    at: Instant
    whole: bool


def read_stamp(text: str, zone: tzinfo, *, not_before: Instant | None = None) -> Stamp | None:
    """Read epoch seconds or a date; None if it is neither.

    A date without zone of its own is in ``zone``. In the hour that comes twice in autumn it is the first of the two
    instants that is not (more than two seconds) before ``not_before``: what is known to have come earlier.
    """
    instant = parse_stamp(text)
    if instant is not None:
        return Stamp(instant, "." not in text) if instant else None
    found = _DATE.fullmatch(text)
    if found is None:
        return None
    year, month, day, hour, minute, second, fraction, *offset = found.groups()
    try:
        date = datetime(int(year), int(month), int(day), int(hour), int(minute), int(second), tzinfo=zone)
        instant = (
            _in_zone(date, not_before) if offset == [None] * 4 else from_datetime(date.replace(tzinfo=_zone(offset)))
        )
    except (ValueError, OverflowError):
        return None
    return Stamp(instant + int((fraction or "0")[:6].ljust(6, "0")), fraction is None)


def _zone(offset: list[str | None]) -> timezone:
    _, sign, hours, minutes = offset
    east = timedelta(hours=int(hours or 0), minutes=int(minutes or 0))
    return timezone(-east if sign == "-" else east)


def _in_zone(date: datetime, not_before: Instant | None) -> Instant:
    first, second = from_datetime(date), from_datetime(date.replace(fold=1))
    is_repeated = second > first
    return second if is_repeated and not_before is not None and first < not_before - _DISORDER else first


def created_at(uniqueid: str) -> Instant | None:
    """Return the second in which a channel was created: its uniqueid holds it (``systemname-seconds.serial``)."""
    seconds = uniqueid.rpartition("-")[2].partition(".")[0]
    return parse_stamp(seconds) if len(seconds) >= _OLDEST else None
