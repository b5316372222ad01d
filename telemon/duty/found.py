"""What is wrong with permanence, roster and crisis cells now, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from telemon.crisis.stages import Limit
from telemon.duty.conditions import ConditionKind, Key
from telemon.duty_records import Coverage, ProbeResult
from telemon.instants import SECOND, to_datetime
from telemon.night_switch import Accord
from telemon.texts import text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from telemon.crisis.stages import Excess
    from telemon.duty.duties import Duties
    from telemon.instants import Instant

_MISSED: Final = {
    ProbeResult.MACHINE: "conditions.probe_machine",
    ProbeResult.UNANSWERED: "conditions.probe_unanswered",
    ProbeResult.FAILED: "conditions.probe_failed",
}
_Found = tuple[Key, str]


def found_now(duties: Duties, now: Instant) -> dict[Key, str]:
    """Return all that is wrong at this instant, as the duty officer should read it."""
    return dict(
        (*_of_cover(duties), *_of_roster(duties), *_of_switches(duties), *_of_probes(duties), *_of_crises(duties, now))
    )


def _of_cover(duties: Duties) -> Iterator[_Found]:
    for service, current in duties.covers().items():
        if current.state is Coverage.UNCOVERED and current.cause is not None:
            cause = text()(f"uncovered.{current.cause.value}")
            yield Key(ConditionKind.UNCOVERED, service), text()("conditions.uncovered", service=service, cause=cause)


def _of_roster(duties: Duties) -> Iterator[_Found]:
    keeper = duties.staffing.keeper
    if keeper is not None and keeper.problem is not None:
        yield Key(ConditionKind.ROSTER_UNREADABLE), keeper.problem
    if duties.hole is not None:
        zone = duties.config.zone
        start, end = (text().moment(to_datetime(at), zone) for at in (duties.hole.start, duties.hole.end))
        yield Key(ConditionKind.ROSTER_HOLE), text()("conditions.roster_hole_ahead", start=start, end=end)


def _of_switches(duties: Duties) -> Iterator[_Found]:
    for link, watch in duties.watches():
        for service, switch in watch.switches.items():
            agreement = switch.judge(link.now)
            if agreement.state is Accord.DISAGREES:
                key = "conditions.should_be_open" if agreement.expected_open else "conditions.should_be_closed"
                yield Key(ConditionKind.NIGHT_SWITCH, service), text()(key, service=service, pbx=link.peer.name)


def _of_probes(duties: Duties) -> Iterator[_Found]:
    for service, probe in duties.probes.latest.items():
        key = _MISSED.get(probe.result) if probe.result is not None else None
        if key is not None:
            at = text().moment(to_datetime(probe.ordered_at), duties.config.zone)
            said = text()("conditions.probe", service=service, number=probe.number, at=at, result=text()(key))
            yield Key(ConditionKind.PROBE_FAILED, service), said


def _of_crises(duties: Duties, now: Instant) -> Iterator[_Found]:
    crisis = duties.crisis
    for service, status in crisis.statuses.items():
        if status.crisis.operational_at is None and now >= status.crisis.ordered_at + status.crisis.deadline:
            yield Key(ConditionKind.CRISIS_LATE, service), text()("conditions.crisis_late", service=service)
        excesses = " ".join(_said(excess) for excess in crisis.exceeded(service))
        if excesses:
            said = text()("conditions.crisis_strained", service=service, what=excesses)
            yield Key(ConditionKind.CRISIS_STRAINED, service), said


def _said(excess: Excess) -> str:
    unit = SECOND if excess.limit is Limit.WAIT else 1
    return text()(f"excess.{excess.limit.value}", value=excess.value // unit, allowed=excess.allowed // unit)
