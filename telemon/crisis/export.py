"""A crisis and its report as plain JSON values, the same for commands and pages.

Instants are ISO 8601 UTC with microseconds, durations seconds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from telemon.crisis.stages import Limit, steps
from telemon.instants import to_iso, to_seconds

if TYPE_CHECKING:
    from collections.abc import Iterable

    from telemon.crisis.report import CrisisReport, CurvePoint
    from telemon.crisis.stages import CrisisStatus, Excess, Step
    from telemon.duty_records import Crisis, CrisisMember
    from telemon.instants import Duration, Instant
    from telemon.rates import Rate
    from telemon.spread import Spread


def crisis_json(crisis: Crisis) -> dict[str, Any]:
    """Return the record of one crisis."""
    return {
        "crisis_id": crisis.crisis_id,
        "site": crisis.site,
        "service": crisis.service,
        "title": crisis.title,
        "is_exercise": crisis.is_exercise,
        "plan": crisis.plan,
        "deadline_seconds": to_seconds(crisis.deadline),
        "ordered_at": to_iso(crisis.ordered_at),
        "ordered_by": crisis.ordered_by,
        "staffed_at": _iso(crisis.staffed_at),
        "line_opened_at": _iso(crisis.line_opened_at),
        "operational_at": _iso(crisis.operational_at),
        "closed_at": _iso(crisis.closed_at),
        "closed_by": crisis.closed_by,
    }


def status_json(status: CrisisStatus, exceeded: Iterable[Excess]) -> dict[str, Any]:
    """Return how things stand; ``line`` is null where nobody watches the line."""
    line = status.line
    return {
        **crisis_json(status.crisis),
        "now": to_iso(status.now),
        "remaining_seconds": to_seconds(status.remaining),
        "verdict": status.verdict.value,
        "stages": _stages(steps(status.crisis)),
        "people": list(status.people),
        "line": None
        if line is None
        else {"waiting": line.waiting, "longest_wait_seconds": to_seconds(line.longest_wait)},
        "exceeded": [_excess(excess) for excess in exceeded],
    }


def report_json(report: CrisisReport) -> dict[str, Any]:
    """Return the whole report."""
    measures = report.measures
    share = measures.observed_share
    return {
        **crisis_json(report.crisis),
        "end": to_iso(report.end),
        "is_final": report.is_final,
        "verdict": report.verdict.value,
        "stages": _stages(report.steps),
        "rule_set": measures.ruleset.name,
        "rule_set_version": measures.ruleset.version,
        "offered": measures.offered,
        "answered": measures.answered,
        "lost": measures.lost,
        "by_outcome": {outcome.value: count for outcome, count in sorted(measures.by_outcome.items())},
        "excluded": measures.excluded,
        "lost_rate": _rate(measures.lost_rate),
        "max_rings": measures.ruleset.max_rings,
        "within_of_answered": _rate(measures.within_of_answered),
        "waits": {
            "answered": _waits(report.waits_answered),
            "lost": _waits(report.waits_lost),
            "all": _waits(report.waits),
        },
        "rings_answered": {str(ring): count for ring, count in sorted(measures.rings_answered.counts.items())},
        "rings_lost": {str(ring): count for ring, count in sorted(measures.rings_lost.counts.items())},
        "peak_waiting": {
            "callers": report.peak.waiting,
            "at": _iso(report.peak.at),
            "is_certain": report.peak.is_certain,
        },
        "curve": [_point(point) for point in report.curve],
        "members": [_member(member) for member in report.members],
        "observed_share": None if share is None else float(share),
        "gaps": [
            {"pbx": gap.pbx, "cause": gap.cause, "start": to_iso(gap.start), "end": to_iso(gap.end)}
            for gap in report.gaps
        ],
    }


def _stages(told: Iterable[Step]) -> list[dict[str, Any]]:
    return [
        {
            "stage": step.stage.value,
            "at": _iso(step.at),
            "delay_seconds": _seconds(step.delay),
            "margin_seconds": _seconds(step.margin),
        }
        for step in told
    ]


def _excess(excess: Excess) -> dict[str, Any]:
    def plain(value: int) -> float:
        return to_seconds(value) if excess.limit is Limit.WAIT else value

    return {"limit": excess.limit.value, "value": plain(excess.value), "allowed": plain(excess.allowed)}


def _rate(rate: Rate) -> dict[str, float | None]:
    parts = (("value", rate.value), ("lower", rate.lower), ("upper", rate.upper))
    return {key: None if part is None else float(part) for key, part in parts}


def _waits(waits: Spread) -> dict[str, Any]:
    return {
        "count": waits.count,
        "median_seconds": _seconds(waits.percentile(50)),
        "p95_seconds": _seconds(waits.percentile(95)),
        "longest_seconds": _seconds(waits.longest),
    }


def _point(point: CurvePoint) -> dict[str, Any]:
    return {**point._asdict(), "start": to_iso(point.start), "end": to_iso(point.end)}


def _member(member: CrisisMember) -> dict[str, Any]:
    return {
        "person": member.person,
        "joined_at": to_iso(member.joined_at),
        "left_at": _iso(member.left_at),
        "through": member.through,
    }


def _iso(instant: Instant | None) -> str | None:
    return None if instant is None else to_iso(instant)


def _seconds(duration: Duration | None) -> float | None:
    return None if duration is None else to_seconds(duration)
