"""Test calls to a permanence: when the next one is due, and what became of one.

Nobody on duty may come to expect a test at some hour, so that the minute is drawn, by a random number generator that
is an argument like the time.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from telemon.duty_records import Probe, ProbeResult
from telemon.instants import SECOND, from_datetime, to_datetime, to_iso, to_seconds
from telemon.records import AttemptResult, Outcome

if TYPE_CHECKING:
    import random
    from datetime import tzinfo

    from telemon.instants import Duration, Instant
    from telemon.records import CallRecord

KEY_DEVICE: Final = "Custom:telemon-probe"
"""The device that ``dialplans/probe`` sets to ``INUSE`` when the officer presses the key."""

KEY_PRESSED: Final = "INUSE"
LEAST_PER_DAY: Final = 1 / 31
MOST_PER_DAY: Final = 24  # one for each hour; with more, two in a row would share one

MINUTE: Final = 60 * SECOND
_HOUR: Final = 60 * MINUTE
_DAY_MINUTES: Final = 1440
_LATE: Final = 2 * MINUTE
_PARTS: Final = 4 * MOST_PER_DAY  # hold an hour that differs, whatever the changes of the clock
_WALL_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001 - of the wall clock, in any zone
CLOCK_SLACK: Final = 2 * SECOND  # by how much the call may seem to come before its order, both by the PBX's clock
SETTLE: Final = 5 * SECOND  # a call's end and the order's answer come by two connections, in any order
AFTERWARDS: Final = 90 * SECOND  # the announcement and the key, where a greeting lets it begin before the ringing


# -- when


@dataclass(frozen=True, slots=True)
class Timetable:
    """``per_day`` tests, each at a random minute of its own part of the day, never twice in a row at the same hour.

    Local time is cut into equal parts, ``per_day`` a day (from one a month to one an hour), so that tests are spread
    over all hours and weekdays; the part under way when telemon starts is used if nothing was tested in it yet. What
    was missed is not made up for.
    """

    per_day: float
    zone: tzinfo

    def __post_init__(self) -> None:
        """Refuse what cannot be drawn (ValueError)."""
        if not LEAST_PER_DAY <= self.per_day <= MOST_PER_DAY:
            raise ValueError(
                f"{self.per_day} test calls a day: from {LEAST_PER_DAY:.3f} to {MOST_PER_DAY} can be drawn"
            )

    def draw(self, now: Instant, previous: Instant | None, rng: random.Random) -> Instant:
        """Return when the test after ``previous`` is due: a whole minute after ``now``."""
        previous = None if previous is None else min(previous, now)  # the clock may have been set back
        wall = to_datetime(now).astimezone(self.zone).replace(tzinfo=None) - _WALL_EPOCH
        first = int(wall / timedelta(days=1) * self.per_day) - 1
        for part in range(first, first + _PARTS):
            start, end = self._bound(part), self._bound(part + 1)
            if end <= now or (previous is not None and start <= previous):
                continue
            minutes = self._minutes(max(start, now + MINUTE), end, previous)
            if minutes:
                return rng.choice(minutes)
        raise AssertionError(f"no minute within {_PARTS} parts of the day")

    def postpone(self, now: Instant, previous: Instant | None, rng: random.Random) -> Instant:
        """Return when to try again what could not be done now: within an hour, or in the next where that is needed."""
        start = now + MINUTE
        soon = self._minutes(start, start + _HOUR, previous)
        return rng.choice(soon or self._minutes(start, start + 3 * _HOUR, previous))  # an hour may come twice in a row

    def is_too_late(self, due: Instant, now: Instant) -> bool:
        """Whether this machine slept over the time that was drawn, so that another is to be drawn."""
        return now - due >= _LATE

    def _bound(self, part: int) -> Instant:
        """Return where a part begins by the wall clock, counted in parts since 1970."""
        wall = _WALL_EPOCH + timedelta(minutes=round(part * _DAY_MINUTES / self.per_day))
        return from_datetime(wall.replace(tzinfo=self.zone))

    def _minutes(self, start: Instant, end: Instant, previous: Instant | None) -> list[Instant]:
        """Return the whole minutes from ``start`` to before ``end`` that are not of the hour of ``previous``."""
        taken = None if previous is None else self._hour(previous)
        first = -(-start // MINUTE) * MINUTE
        return [minute for minute in range(first, end, MINUTE) if self._hour(minute) != taken]

    def _hour(self, at: Instant) -> int:
        return to_datetime(at).astimezone(self.zone).hour


# -- what became of it


class Answer(StrEnum):
    """What Asterisk says of an order to call."""

    NO_LOGIN = "no_login"  # it could not be told of the order
    REFUSED = "refused"  # it did not take the order
    FAILED = "failed"  # it called, and nobody and nothing took the call
    REACHED = "reached"  # somebody or something did
    UNHEARD = "unheard"  # it took the order, and the connection fell before it said more


class Why(StrEnum):
    """Why there is no proof, as the first word of ``Probe.reason``; what follows a colon is for the engineer."""

    REFUSED = "refused"
    NO_LOGIN = "no_login"  # the second login did not get in
    NOT_RETURNED = "not_returned"  # the call did not come back as one from outside
    NOT_RECOGNISED = "not_recognised"  # it was answered, and telemon saw no test call
    NO_RESPONSE = "no_response"
    GAP = "gap"
    STOPPED = "stopped"  # telemon ended before the call did


_NOT_PLACED: Final = {Answer.NO_LOGIN: Why.NO_LOGIN, Answer.REFUSED: Why.REFUSED}


def reason(why: Why, detail: str = "") -> str:
    """Return the text of ``Probe.reason``."""
    return f"{why.value}: {detail}" if detail else why.value


class Pursuit:
    """One test call while it lasts: what is known of it, and the verdict once that is enough.

    All instants are of the PBX's clock. ``ring`` is how long it may ring.
    """

    def __init__(self, probe: Probe, ring: Duration) -> None:
        self.probe = probe
        self.give_up_at = probe.ordered_at + ring + AFTERWARDS
        self._answer: Answer | None = None
        self._answer_at: Instant = probe.ordered_at
        self._detail = ""
        self._call: CallRecord | None = None
        self._keys_at: list[Instant] = []
        self._blind_at: Instant | None = None
        self.is_missing = False  # whoever follows it looks, and sees no test call under way

    def respond(self, at: Instant, answer: Answer, detail: str = "") -> None:
        """Take what Asterisk says of the order."""
        self._answer, self._answer_at, self._detail = answer, at, detail

    def finish(self, record: CallRecord) -> None:
        """Take a call that is over; others than the one ordered pass by."""
        probe = self.probe
        ours = record.is_probe and (record.service == probe.service or record.ddi == probe.number)
        if ours and record.site == probe.site and record.arrived_at >= probe.ordered_at - CLOCK_SLACK:
            self._call = self._call or record

    def change(self, at: Instant, device: str, state: str) -> None:
        """Take the state of a device; the first key pressed since the answer counts."""
        if device == KEY_DEVICE and state == KEY_PRESSED:
            self._keys_at.append(at)

    def lose(self, at: Instant) -> None:
        """Nothing is seen from now on, for a while."""
        if self._blind_at is None:
            self._blind_at = max(at, self.probe.ordered_at)

    def give_up(self, at: Instant) -> None:
        """Nothing will be seen any more."""
        self.lose(at)
        self.give_up_at = min(self.give_up_at, at)

    def verdict(self, now: Instant) -> Probe | None:
        """Return the probe with its result, None while that is open."""
        if self._call is not None:
            return self._judge(self._call)
        found = self._found_without_call(now)
        return None if found is None else self._closed(now, *found)

    def _found_without_call(self, now: Instant) -> tuple[ProbeResult, str] | None:
        """Return the result as long as no call was seen."""
        if self._answer in _NOT_PLACED:
            return ProbeResult.FAILED, reason(_NOT_PLACED[self._answer], self._detail)
        if self._blind_at is not None:
            return (ProbeResult.UNKNOWN, reason(Why.GAP)) if now >= self.give_up_at else None
        if self._answer is Answer.FAILED:
            found, due = (ProbeResult.FAILED, reason(Why.NOT_RETURNED, self._detail)), self._answer_at + SETTLE
        elif self._answer is Answer.REACHED:
            found = ProbeResult.FAILED, reason(Why.NOT_RECOGNISED)
            due = self._answer_at + (SETTLE if self.is_missing else AFTERWARDS)
        else:
            found, due = (ProbeResult.UNKNOWN, reason(Why.NO_RESPONSE)), self.give_up_at + SETTLE
        return found if now >= due else None

    def abandon(self, at: Instant) -> Probe:
        """Return the probe as telemon leaves it that ends before the call does."""
        return self.verdict(at) or self._closed(at, ProbeResult.UNKNOWN, reason(Why.STOPPED))

    def _closed(self, at: Instant, result: ProbeResult, why: str) -> Probe:
        return replace(self.probe, result=result, reason=why, ended_at=max(at, self.probe.ordered_at))

    def _judge(self, call: CallRecord) -> Probe:
        seen = replace(self.probe, call_id=call.call_id, alerting_at=call.alerting_at, ended_at=call.ended_at)
        if self._is_hidden(call):
            return replace(seen, result=ProbeResult.UNKNOWN, reason=reason(Why.GAP))
        if call.outcome is Outcome.ANSWERED:
            answered = replace(seen, answered_at=call.answered_at, answered_by=call.answered_by)
            since = call.answered_at
            key_at = next((at for at in self._keys_at if since is not None and at >= since), None)
            result = ProbeResult.ANSWERED if key_at is None else ProbeResult.CONFIRMED
            return replace(answered, result=result, confirmed_at=key_at)
        return replace(seen, result=ProbeResult.MACHINE if _by_machine(call) else ProbeResult.UNANSWERED)

    def _is_hidden(self, call: CallRecord) -> bool:
        """Whether a gap hid what became of it: one that began before the answer, or before an end without one."""
        if call.outcome is Outcome.UNKNOWN:
            return True
        known_at = call.answered_at if call.outcome is Outcome.ANSWERED else call.ended_at
        return self._blind_at is not None and (known_at is None or self._blind_at < known_at)


def _by_machine(call: CallRecord) -> bool:
    """Whether a voicemail, an announcement, or a mobile whose holder pressed nothing took it."""
    not_accepted = any(attempt.result is AttemptResult.NOT_ACCEPTED for attempt in call.attempts)
    return not_accepted or call.machine_answered_at is not None or call.diverted_at is not None


def left_over(probe: Probe, now: Instant, ring: Duration) -> Probe | None:
    """Return a probe without result as one that nobody will finish any more, None if it may be under way."""
    pursuit = Pursuit(probe, ring)
    return pursuit.abandon(now) if now >= pursuit.give_up_at + SETTLE else None


def probe_json(probe: Probe) -> dict[str, object]:
    """Return a probe as JSON holds it: instants in ISO 8601, ``delay_seconds`` from the order to the answer."""
    names = ("probe_id", "site", "service", "pbx", "number", "ordered_by")
    instants = ("ordered_at", "alerting_at", "answered_at", "confirmed_at", "ended_at")
    moments = {name: getattr(probe, name) for name in instants}
    return {
        **{name: getattr(probe, name) for name in names},
        **{name: None if at is None else to_iso(at) for name, at in moments.items()},
        "delay_seconds": None if probe.delay is None else to_seconds(probe.delay),
        "result": None if probe.result is None else probe.result.value,
        "call_id": probe.call_id,
        "answered_by": probe.answered_by,
        "reason": probe.reason,
    }
