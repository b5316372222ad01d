"""A past for the ledger and for Prometheus, so that figures of a month and panels of a day have something to show."""

import random
from bisect import bisect
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from telemon.duty_records import Attendance, Coverage, CoverInterval, Probe, ProbeResult, UncoveredCause
from telemon.instants import SECOND, from_datetime
from telemon.ledger.store import open_ledger
from telemon.observation import GapCause, Interval, Sight
from telemon.records import CallRecord, Outcome, Provenance, ServiceKind
from tests.ledger.kit import RICH, store

HOUR = 3600 * SECOND
DAYS = 58  # a little more than eight weeks, which staffing and forecasts look back
OPENS, CLOSES = 9, 17
MOST_AN_HOUR = {"standard": 8, "titres": 4, "permanence": 1}
KINDS = {"standard": ServiceKind.SWITCHBOARD, "titres": ServiceKind.SWITCHBOARD, "permanence": ServiceKind.PERMANENCE}
PRESENT = {"standard": 3, "titres": 2, "permanence": 1}
_FATES = (Outcome.ANSWERED, Outcome.ABANDONED, Outcome.SHORT_ABANDONED, Outcome.UNANSWERED, Outcome.UNKNOWN)
_SHARES = {"pref31": (0.93, 0.96, 0.98, 0.99, 1.0), "pref65": (0.78, 0.95, 0.97, 0.995, 1.0)}
_NOTHING: dict[str, Any] = {
    "operator_ringing_at": None, "operator_up_at": None, "answered_not_before": None, "machine_answered_at": None,
    "diverted_at": None, "attempts": (), "transfers": (), "hold_duration": 0, "flags": (), "is_probe": False,
    "provenance": Provenance.LIVE,
}  # fmt: skip


def _call(rng, number, site, service, arrived, fate=None):
    """One call as the site's luck has it, unless its fate is sealed; an answer comes mostly within 20 s."""
    fate = fate or _FATES[bisect(_SHARES[site], rng.random())]
    waits = round(SECOND * (rng.uniform(0.5, 4.5) if fate is Outcome.SHORT_ABANDONED else rng.gammavariate(3, 4) + 1))
    taken = arrived + waits if fate is Outcome.ANSWERED else None
    return replace(
        RICH,
        **_NOTHING,
        call_id=f"{site}-past.{number}",
        site=site,
        service=service,
        service_kind=KINDS[service],
        caller=f"01990{number:05}",
        linkedid=f"past.{number}",
        arrived_at=arrived,
        alerting_at=arrived,
        answered_at=taken,
        answered_by="PJSIP/op1" if taken else None,
        ended_at=arrived + waits + (round(rng.gammavariate(4, 30) * SECOND) if taken else 0),
        outcome=fate,
    )


def _hours(now, zone):
    """Yield the local start of each hour that is over; every day is a working day, whichever is today."""
    first = datetime.combine((now.astimezone(zone) - timedelta(days=DAYS)).date(), datetime.min.time(), zone)
    hour = first
    while hour + timedelta(hours=1) < now:
        yield hour
        hour = (hour.astimezone(UTC) + timedelta(hours=1)).astimezone(zone)


def past(sites, now, zone):
    """Yield records of all kinds: calls, what was watched (with one gap), cover, test calls, who could answer."""
    rng, number = random.Random(6), 0
    begins = from_datetime(next(_hours(now, zone)))
    for site, pbx in sites.items():
        blind = from_datetime(now - timedelta(days=3, minutes=20))
        yield Interval(pbx, begins, blind, Sight.SEEN)
        yield Interval(pbx, blind, blind + HOUR // 3, Sight.GAP, GapCause.PBX_FROZEN)
        yield Interval(pbx, blind + HOUR // 3, from_datetime(now) - 60 * SECOND, Sight.SEEN)
        for hour in _hours(now, zone):
            start = from_datetime(hour)
            for service, most in MOST_AN_HOUR.items():
                if service != "permanence" and not OPENS <= hour.hour < CLOSES:
                    continue
                busier = most * (2 if hour.weekday() == 0 and hour.hour < 11 else 1)
                for _ in range(rng.randint(0, busier)):
                    number += 1
                    yield _call(rng, number, site, service, start + rng.randrange(HOUR))
                present = PRESENT[service] * HOUR
                yield Attendance(
                    site=site,
                    service=service,
                    observer="",
                    hour=start,
                    seen=HOUR,
                    present=present,
                    talking=present // 4,
                )
        for service in MOST_AN_HOUR:  # each has lost a call today, whichever hour it is
            number += 1
            yield _call(rng, number, site, service, from_datetime(now) - 2 * HOUR, Outcome.ABANDONED)
        yield from _duty(site, pbx, begins, from_datetime(now))


def _duty(site, pbx, begins, now):
    """The permanence was always covered, but for an hour of the day before yesterday and five minutes this morning."""
    absences = ((now - 50 * HOUR, now - 49 * HOUR), (now - 4 * HOUR, now - 4 * HOUR + 300 * SECOND))
    edge = begins
    for (start, end), cause in zip(
        absences, (UncoveredCause.NOBODY_REGISTERED, UncoveredCause.ALL_PAUSED), strict=True
    ):
        yield _cover(site, edge, start, Coverage.COVERED)
        yield _cover(site, start, end, Coverage.UNCOVERED, cause)
        edge = end
    yield _cover(site, edge, now - 60 * SECOND, Coverage.COVERED)
    for days, result in ((2, ProbeResult.CONFIRMED), (1, ProbeResult.UNANSWERED)):
        at = now - days * 24 * HOUR
        yield Probe(
            probe_id=f"past-{days}", site=site, service="permanence", pbx=pbx, number="0102030406",
            ordered_by="schedule", ordered_at=at, result=result, ended_at=at + 60 * SECOND,
            answered_at=at + 9 * SECOND if result is ProbeResult.CONFIRMED else None,
        )  # fmt: skip


def _cover(site, start, end, state, cause=None):
    return CoverInterval(
        site=site, service="permanence", observer="", started_at=start, ended_at=end, state=state, cause=cause
    )


def write_ledger(url, sites, now, zone):
    """Fill a new ledger; return how many calls by site, service and outcome."""
    items = list(past(sites, now, zone))
    engine = open_ledger(url)
    store(engine, *items)
    engine.dispose()
    return Counter((item.site, item.service, item.outcome) for item in items if isinstance(item, CallRecord))


# -- Prometheus' own past

_GAUGES = (
    "process_resident_memory_bytes", "telemon_ami_event_lag_seconds", "telemon_journal_pending_bytes",
    "telemon_journal_size_bytes", "telemon_ledger_pending_records", "telemon_observation_seeing", "telemon_pbx_info",
    "telemon_permanence_covered", "telemon_permanence_uncovered",
)  # fmt: skip
_COUNTERS = ("process_cpu_seconds_total", "telemon_ami_events_total", "telemon_ledger_errors_total")
_FIGURES = ("telemon_period_calls", "telemon_period_rate")
_DAY = 86_400
_LOOK_BACK = 280  # seconds; Prometheus takes a sample for the present for five minutes


def _extent(name, labels):
    """How far a series reaches back, and how far apart its samples are, both in seconds; 0: it has no past."""
    if name in _FIGURES:
        if labels["period"] == "day":
            return _DAY, _LOOK_BACK
        return 4 * _DAY if (labels["period"], labels["rule_set"]) == ("month", "qualipref") else 0, _LOOK_BACK
    return _DAY, 60


def _value(name, labels, value, ago, today):
    """What a series read so many seconds ago: as now, but for one absence, one gap, and what grew or wavered."""
    away = 14_100 < ago <= 14_400
    match name:
        case "telemon_permanence_covered":
            value = not away
        case "telemon_permanence_uncovered":
            value = away and labels["cause"] == "all_paused"
        case "telemon_observation_seeing":
            value = not 7_000 < ago <= 7_600
        case "telemon_period_calls" if labels["period"] == "day":
            value = round(value * max(0, today - ago) / today)
        case "telemon_period_rate":
            value = min(1.0, max(0.0, value + 0.002 * (ago // 3600 % 7 - 3)))
        case _ if name in _COUNTERS:
            value *= 1 - ago / _DAY
    return float(value)


def openmetrics(samples, now):
    """Write a past for those of a page's samples that have one; it ends now, where the scraping begins.

    Args:
        samples: (name, labels, value) of each series as it is now.
        now: in the site's zone.
    """
    lines, end = [], int(now.timestamp())
    today = now.hour * 3600 + now.minute * 60 + now.second
    for name in (*_GAUGES, *_FIGURES, *_COUNTERS):
        lines.append(f"# TYPE {name.removesuffix('_total')} {'counter' if name in _COUNTERS else 'gauge'}\n")
        for labels, value in ((labels, value) for known, labels, value in samples if known == name):
            written = ",".join(f'{key}="{text}"' for key, text in sorted(labels.items()))
            back, step = _extent(name, labels)
            lines += [
                f"{name}{{{written}}} {_value(name, labels, value, ago, today)} {end - ago}\n"
                for ago in range(back, 0, -step)
            ]
    return "".join([*lines, "# EOF\n"])
