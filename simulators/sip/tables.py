"""A plan as the tables that SIPp's scenarios read: one line a call (``caller.csv``), one line a call and phone."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from simulators.plan import Answers, Behaviour, Forwards, Hold, PlannedCall, Rejects, RingsOn, Transfer
from simulators.site import Pattern
from telemon.errors import TelemonError
from telemon.records import EndedBy
from telemon.texts import text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from simulators.site import Site

LEAD_SECONDS: Final = 0.5
"""From SIPp's start to the plan's beginning: it takes a while to read its table and to make its calls."""
SPARE_SECONDS: Final = 30.0  # how much longer than planned a caller stays, where the switchboard is to hang up
_PLAIN: Final = re.compile(r"[\w.+-]+", re.ASCII)  # no separator of SIP, of CSV or of SIPp's keywords
_NOBODY: Final = "-;rings;1;1;1;1;"  # SIPp refuses an empty table


def caller_table(calls: Sequence[PlannedCall], site: Site) -> str:
    """Return ``caller.csv``; TelemonError if a name or number could not pass through SIP as it is."""
    return _table(
        ";".join(
            (
                _plain(call.name),
                _plain(call.caller),
                _plain(call.ddi),
                _milliseconds(LEAD_SECONDS + call.arrives_at),
                _milliseconds(call.patience),
                _milliseconds(stays_seconds(call, site)),
            )
        )
        for call in calls
    )


def phone_table(phones: Sequence[str], calls: Iterable[PlannedCall], site: Site) -> str:
    """Return ``phone.csv`` of one address: keys are names of calls, after the phone's where several share it."""
    return _table([*_phone_lines(phones, calls, site)] or [_NOBODY])


def stays_seconds(call: PlannedCall, site: Site) -> float:
    """How long the caller stays from its own 200 on.

    A greeting answers before anybody is rung, and no caller can tell from SIP when an operator takes over: there, as
    at a voicemail and after a transfer, the caller leaves when the plan expects the call to end.
    """
    expected = call.expected
    if expected is None:
        return _from_plan_alone(call, site)
    if _is_greeted(call, site):
        answered = 0.0
    elif expected.answered_after is not None:
        answered = expected.answered_after
    elif expected.machine_after is not None:
        answered = expected.machine_after
    else:
        return _from_plan_alone(call, site)  # nobody should have answered, but somebody may
    return expected.ended_after - answered + (SPARE_SECONDS if expected.ended_by is EndedBy.SWITCHBOARD else 0)


def _from_plan_alone(call: PlannedCall, site: Site) -> float:
    seconds = call.talk
    if isinstance(call.afterwards, Transfer):
        target = call.phones.get(site.extensions.get(call.afterwards.to, ""))
        seconds += call.afterwards.after + (target.after if isinstance(target, Answers) else 0)
    return seconds + (SPARE_SECONDS if call.ended_by is EndedBy.SWITCHBOARD else 0)


def _is_greeted(call: PlannedCall, site: Site) -> bool:
    return any(line.service == call.service and line.pattern is Pattern.MENU for line in site.lines)


def _phone_lines(phones: Sequence[str], calls: Iterable[PlannedCall], site: Site) -> Iterator[str]:
    extensions = frozenset(site.extensions.values())
    for call in calls:
        name = _plain(call.name)
        planned = {phone: call.phones[phone] for phone in phones if call.phones.get(phone, RingsOn()) != RingsOn()}
        lines = {phone: _line(call, behaviour, phone in extensions) for phone, behaviour in planned.items()}
        if len(phones) == len(lines) and len(set(lines.values())) == 1:
            yield f"{name};{lines[phones[0]]}"
        else:
            yield from (f"{_plain(phone)}/{name};{line}" for phone, line in lines.items())


def _line(call: PlannedCall, behaviour: Behaviour, is_extension: bool) -> str:  # noqa: FBT001 - private
    """Write what one phone does: words, ring, before, hold, talk, extension (see ``scenarios/phone.xml``)."""
    match behaviour:
        case Rejects(after=0):
            return _fields("refuses")
        case Rejects(after=after):
            return _fields("rejects", ring=after)
        case Forwards(to=extension):
            return _fields("forwards", to=extension)
        case Answers():
            return _answers(call, behaviour, None if is_extension else call.afterwards)
        case RingsOn():
            return _fields("rings")


def _answers(call: PlannedCall, answers: Answers, afterwards: Transfer | Hold | None) -> str:
    words = ["answers"]
    if answers.accepts:
        words.append("presses")
    before, hold, talk, to = 0.0, 0.0, call.talk, ""
    match afterwards:
        case Transfer(to=extension, after=after):
            words.append("transfers")
            before, to = after, extension
        case Hold(after=after, lasts=lasts):
            words.append("holds")
            before, hold = after, lasts
            talk = call.talk - after - lasts
    if call.ended_by is EndedBy.SWITCHBOARD and answers.accepts is not False:
        words.append("hangs-up")
    return _fields(" ".join(words), ring=answers.after, before=before, hold=hold, talk=talk, to=to)


def _fields(
    words: str, *, ring: float = 0.0, before: float = 0.0, hold: float = 0.0, talk: float = 0.0, to: str = ""
) -> str:
    durations = (_milliseconds(seconds) for seconds in (ring, before, hold, talk))
    return ";".join((words, *durations, _plain(to) if to else ""))


def _table(lines: Iterable[str]) -> str:
    return "\n".join(("SEQUENTIAL", *lines, ""))


def _milliseconds(seconds: float) -> str:
    return str(max(1, round(seconds * 1000)))  # a pause of 0 would never end


def _plain(word: str) -> str:
    if not _PLAIN.fullmatch(word):
        raise TelemonError(text()("sim_sip.not_plain", word=word))
    return word
