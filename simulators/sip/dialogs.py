"""What each party of a call saw, from SIPp's own message logs (``-trace_msg``)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

from telemon.errors import TelemonError
from telemon.instants import from_datetime
from telemon.texts import text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from telemon.instants import Instant

# SIPp 3.6, src/socket.cpp: a rule of dashes with the instant, "UDP message sent|received", a blank line, the message
_RULE: Final = re.compile(r"^-{40,} (?P<day>[0-9-]+)[ \t]+(?P<time>[0-9:.]+)$", re.MULTILINE)
_CALL_ID: Final = re.compile(r"^Call-ID:[ \t]*(\S+)", re.MULTILINE | re.IGNORECASE)
_CSEQ: Final = re.compile(r"^CSeq:[ \t]*\d+[ \t]+(\w+)", re.MULTILINE | re.IGNORECASE)
_NAME: Final = re.compile(r'^From:[ \t]*"([^"\n]*)"', re.MULTILINE | re.IGNORECASE)
_REQUEST: Final = re.compile(r"(\w+) sips?:(?:([^@;>\s]+)@)?")
_REFUSED: Final = 300  # RFC 3261, 21.3: from here on, no final response is an answer


@dataclass(frozen=True, slots=True)
class Message:
    """One SIP message as it left or reached a party.

    ``method`` is that of its CSeq, ``code`` None for a request; ``name`` is the display name of its From, ``user``
    whom a request is for.
    """

    at: Instant
    is_sent: bool
    method: str
    code: int | None
    call_id: str
    name: str
    user: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialog:
    """One INVITE as one party lived through it; instants by that party's clock, which is also Asterisk's.

    ``party`` is the phone's name (the caller's logs: ""), ``name`` the call's. ``ended_at`` is the first BYE or CANCEL,
    else the refusal; ``hung_up`` whether this party sent it. It and ``final_code`` are None if the log ends before.
    """

    party: str
    name: str
    invite_at: Instant
    ringing_at: Instant | None
    answered_at: Instant | None
    pressed_at: Instant | None
    referred_at: Instant | None
    ended_at: Instant | None
    final_code: int | None
    hung_up: bool


def read_messages(log: Path) -> Iterator[Message]:
    """Read one message log of SIPp, run with ``TZ=UTC``; nothing if SIPp wrote none.

    Raises:
        TelemonError: the log holds something else than SIP.
    """
    if not log.exists():
        return
    logged = log.read_text("utf-8", "replace").replace("\r\n", "\n")
    rules = list(_RULE.finditer(logged))
    ends = (*(rule.start() for rule in rules[1:]), len(logged))
    for rule, end in zip(rules, ends, strict=False):  # an empty log has an end, too
        block = logged[rule.end() : end].lstrip("\n")
        said, _, message = block.partition("\n\n")
        headers = message.partition("\n\n")[0]
        call_id, cseq = _CALL_ID.search(headers), _CSEQ.search(headers)
        if call_id is None or cseq is None:
            raise TelemonError(text()("sim_sip.no_message", log=log, time=rule["time"], said=repr(message[:60])))
        start, name = headers.partition("\n")[0], _NAME.search(headers)
        request = _REQUEST.match(start)
        yield Message(
            at=from_datetime(datetime.fromisoformat(f"{rule['day']}T{rule['time']}+00:00")),
            is_sent=" sent " in said,
            method=cseq[1],
            code=int(start.split()[1]) if start.startswith("SIP/") else None,
            call_id=call_id[1],
            name=name[1] if name else "",
            user=(request[2] or "") if request else "",
        )


def read_dialogs(log: Path, phones: Sequence[str] = ("",)) -> list[Dialog]:
    """Read every call that was made or taken at one address, in order.

    Several ``phones`` are told apart by whom each INVITE is for; one alone takes all, whatever the number.
    """
    by_call: dict[str, list[Message]] = {}
    for message in read_messages(log):
        by_call.setdefault(message.call_id, []).append(message)
    return [
        _dialog(phones[0] if len(phones) == 1 else messages[0].user, messages)
        for messages in by_call.values()
        if messages[0].method == "INVITE"
    ]


def _dialog(party: str, messages: list[Message]) -> Dialog:
    finals = [m for m in messages if m.method == "INVITE" and m.code is not None and m.code >= 200]  # noqa: PLR2004 - RFC 3261, 7.2: final responses
    final = finals[0].code if finals else None
    end = _end(messages, finals[0]) if finals else None
    return Dialog(
        party=party,
        name=messages[0].name,
        invite_at=messages[0].at,
        ringing_at=_first(messages, "INVITE", 180),
        answered_at=_first(messages, "INVITE", 200),
        pressed_at=_first(messages, "INFO", None),
        referred_at=_first(messages, "REFER", None),
        ended_at=None if end is None else end.at,
        final_code=final,
        hung_up=end is not None and end.code is None and end.is_sent,
    )


def _end(messages: list[Message], final: Message) -> Message | None:
    """Return what ended it: of an answered call the BYE, of another the CANCEL, else its refusal."""
    assert final.code is not None
    is_refused = final.code >= _REFUSED
    goodbye = "CANCEL" if is_refused else "BYE"
    first = next((m for m in messages if m.method == goodbye and m.code is None), None)
    return final if first is None and is_refused else first


def _first(messages: list[Message], method: str, code: int | None) -> Instant | None:
    return next((m.at for m in messages if (m.method, m.code) == (method, code)), None)
