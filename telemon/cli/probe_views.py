"""Test calls in words: one as it goes, its result, and past ones as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.table import Table
from rich.text import Text

from telemon.duty_records import Probe, ProbeResult
from telemon.instants import to_datetime, to_seconds
from telemon.probes.pursuit import Why
from telemon.texts import text

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import tzinfo

    from telemon.instants import Duration
    from telemon.probes.once import Stage
    from telemon.probes.prober import Target

GOOD: Final = frozenset({ProbeResult.CONFIRMED, ProbeResult.ANSWERED})
"""Somebody is there."""

_SENTENCES: Final = {
    None: "probe.is_under_way",
    ProbeResult.CONFIRMED: "probe.is_confirmed",
    ProbeResult.ANSWERED: "probe.is_answered",
    ProbeResult.MACHINE: "probe.is_machine",
    ProbeResult.UNANSWERED: "probe.is_unanswered",
    ProbeResult.FAILED: "probe.is_failed",
    ProbeResult.UNKNOWN: "probe.is_unknown",
}
_WORDS: Final = {
    None: "probe.under_way",
    ProbeResult.CONFIRMED: "probe.confirmed",
    ProbeResult.ANSWERED: "probe.answered",
    ProbeResult.MACHINE: "probe.machine",
    ProbeResult.UNANSWERED: "probe.unanswered",
    ProbeResult.FAILED: "probe.failed",
    ProbeResult.UNKNOWN: "probe.unknown_result",
}
_REASONS: Final = {
    Why.REFUSED: "probe.why_refused",
    Why.NO_LOGIN: "probe.why_no_login",
    Why.NOT_RETURNED: "probe.why_not_returned",
    Why.NOT_RECOGNISED: "probe.why_not_recognised",
    Why.NO_RESPONSE: "probe.why_no_response",
    Why.GAP: "probe.why_gap",
    Why.STOPPED: "probe.why_stopped",
}


def stage_line(target: Target, stage: Stage) -> str:
    """Return one line on how far a test call is."""
    say = text()
    if stage.answered_by is not None:
        return say("probe.stage_pressed" if stage.pressed else "probe.stage_answered", phone=stage.answered_by)
    if stage.rings:
        return say("probe.stage_rings", phones=", ".join(stage.rings))
    return say("probe.stage_ordered", number=target.number, service=target.service)


def reason_text(probe: Probe) -> str:
    """Return why there is no proof, and what to do; empty where there is nothing to say."""
    word, _, detail = probe.reason.partition(": ")
    if word not in {why.value for why in Why}:
        return probe.reason
    return text()(_REASONS[Why(word)], pbx=probe.pbx, number=probe.number, detail=detail)


def result_line(probe: Probe) -> str:
    """Return the result of one test call as a sentence."""
    rang = None if probe.ended_at is None else probe.ended_at - probe.ordered_at
    return text()(
        _SENTENCES[probe.result],
        phone=probe.answered_by or "?",
        delay=_seconds(probe.delay),
        seconds=_seconds(rang),
        reason=reason_text(probe),
    )


def probes_table(probes: Iterable[Probe], zone: tzinfo) -> Table:
    """Return one row a test call."""
    say = text()
    table = Table(title=say("probe.title", zone=zone))
    for key in ("probe.ordered_at", "probe.service", "probe.number", "probe.ordered_by", "probe.result"):
        table.add_column(say(key), overflow="fold")
    table.add_column(say("probe.delay"), justify="right")
    table.add_column(say("probe.answered_by"), overflow="fold")
    for probe in probes:
        style = "blue" if probe.result in GOOD else "dim" if probe.result is None else "dark_orange"
        by = "probe.by_schedule" if probe.ordered_by == "schedule" else "probe.by_command"
        table.add_row(
            Text(say.moment(to_datetime(probe.ordered_at), zone)),
            Text(probe.service),
            Text(probe.number),
            Text(say(by)),
            Text(say(_WORDS[probe.result]), style=style),
            Text(_seconds(probe.delay)),
            Text(probe.answered_by or ""),
        )
    return table


def reason_lines(probes: Iterable[Probe], zone: tzinfo) -> list[str]:
    """Return a line for each test call that gives no proof, on why: too long for a table."""
    say = text()
    return [f"{say.moment(to_datetime(p.ordered_at), zone)} – {reason_text(p)}" for p in probes if p.reason]  # noqa: RUF001


def _seconds(duration: Duration | None) -> str:
    return text().number(None if duration is None else to_seconds(duration), 1)
