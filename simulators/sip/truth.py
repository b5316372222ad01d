"""What really happened on the SIP side, from SIPp's own message logs (``-trace_msg``)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from typing import TYPE_CHECKING

from telemon.errors import TelemonError
from telemon.instants import from_datetime
from telemon.records import EndedBy

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from simulators.sip.plans import PlannedCall
    from telemon.instants import Instant

# SIPp 3.6, src/socket.cpp: a rule of dashes with the instant, "UDP message sent|received", a blank line, the message
_RULE = "^-{40,} (?P<day>[0-9-]+)[ \t]+(?P<time>[0-9:.]+)$"
_BLOCK = re.compile(
    rf"{_RULE}\nUDP message (?P<way>sent|received)[^\n]*\n\n(?P<text>.*?)(?=^-{{40,}} |\Z)", re.MULTILINE | re.DOTALL
)
_FINAL = 200


@dataclass(frozen=True, slots=True)
class Message:
    """One SIP message as it left or reached a party; ``method`` is that of its CSeq, ``code`` None for a request."""

    at: Instant
    is_sent: bool
    method: str
    code: int | None
    call_id: str
    from_user: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialog:
    """One INVITE as one party lived through it; instants by that party's clock, which is also Asterisk's.

    ``party`` is the phone's name or the caller's number, ``ended_at`` the first BYE or CANCEL, else the refusal,
    ``hung_up`` whether this party sent it.
    """

    party: str
    caller: str
    invite_at: Instant
    ringing_at: Instant | None
    answered_at: Instant | None
    referred_at: Instant | None
    ended_at: Instant
    final_code: int
    hung_up: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CallTruth:
    """One planned call as it really went: the caller's side, and every phone's in the order of their INVITEs."""

    plan: PlannedCall
    caller: Dialog
    legs: tuple[Dialog, ...]

    @property
    def invite_at(self) -> Instant:
        """When the caller dialled."""
        return self.caller.invite_at

    @property
    def ringing_at(self) -> Instant | None:
        """When the caller first heard a ring (its first 180)."""
        return self.caller.ringing_at

    @property
    def joined_at(self) -> Instant | None:
        """When the caller was answered (its own 200)."""
        return self.caller.answered_at

    @property
    def ended_at(self) -> Instant:
        """The caller's BYE or CANCEL, the switchboard's BYE, or the refusal."""
        return self.caller.ended_at

    @property
    def final_code(self) -> int:
        """The final answer to the caller's INVITE; 487 after a CANCEL."""
        return self.caller.final_code

    @property
    def ended_by(self) -> EndedBy:
        """Who hung up first."""
        return EndedBy.CALLER if self.caller.hung_up else EndedBy.SWITCHBOARD

    @property
    def answered_by(self) -> str | None:
        """The interface (``PJSIP/op1``) that answered first."""
        return next(iter(self._answerers()), None)

    @property
    def transferred_to(self) -> tuple[str, ...]:
        """The interfaces that answered afterwards."""
        return tuple(self._answerers()[1:])

    def leg(self, phone: str) -> Dialog:
        """Return the only leg to this phone; TelemonError if there is none or more than one."""
        legs = [leg for leg in self.legs if leg.party == phone]
        if len(legs) != 1:
            raise TelemonError(f"call of {self.plan.caller}: {len(legs)} legs to {phone}, expected one")
        return legs[0]

    def _answerers(self) -> list[str]:
        answered = [(leg.answered_at, leg.party) for leg in self.legs if leg.answered_at is not None]
        return [f"PJSIP/{party}" for _, party in sorted(answered)]


def read_messages(log: Path) -> Iterator[Message]:
    """Read one message log of SIPp, run with ``TZ=UTC``; nothing if SIPp wrote none."""
    if not log.exists():
        return
    for block in _BLOCK.finditer(log.read_text("utf-8").replace("\r\n", "\n")):
        start, *lines = block["text"].split("\n\n")[0].split("\n")
        headers = dict(line.split(":", 1) for line in lines)
        user = re.search(r"sip:([^@>]+)@", headers["From"])
        yield Message(
            at=from_datetime(datetime.fromisoformat(f"{block['day']}T{block['time']}+00:00")),
            is_sent=block["way"] == "sent",
            method=headers["CSeq"].split()[1],
            code=int(start.split()[1]) if start.startswith("SIP/") else None,
            call_id=headers["Call-ID"].strip(),
            from_user=user[1] if user else "",
        )


def read_dialogs(party: str, log: Path) -> list[Dialog]:
    """Read every call that one party made or took, in order."""
    by_call: dict[str, list[Message]] = {}
    for message in read_messages(log):
        by_call.setdefault(message.call_id, []).append(message)
    return [_dialog(party, messages) for messages in by_call.values()]


def truth_of(plan: PlannedCall, caller_log: Path, phones: Mapping[str, list[Dialog]]) -> CallTruth:
    """Gather what the caller and the phones saw of one call."""
    (caller,) = read_dialogs(plan.caller, caller_log)
    legs = [leg for leg in chain.from_iterable(phones.values()) if leg.caller == plan.caller]
    return CallTruth(plan=plan, caller=caller, legs=tuple(sorted(legs, key=lambda leg: leg.invite_at)))


def _dialog(party: str, messages: list[Message]) -> Dialog:
    finals = [m for m in messages if m.method == "INVITE" and m.code is not None and m.code >= _FINAL]
    goodbyes = [m for m in messages if m.method in ("BYE", "CANCEL") and m.code is None]
    if not finals or (finals[0].code == _FINAL and not goodbyes):
        raise TelemonError(f"SIPp's log of {party} ends in the middle of call {messages[0].call_id}")
    end = goodbyes[0] if goodbyes else finals[0]
    return Dialog(
        party=party,
        caller=messages[0].from_user,
        invite_at=messages[0].at,
        ringing_at=_first(messages, "INVITE", 180),
        answered_at=_first(messages, "INVITE", 200),
        referred_at=_first(messages, "REFER", None),
        ended_at=end.at,
        final_code=finals[0].code or 0,
        hung_up=end.code is None and end.is_sent,
    )


def _first(messages: list[Message], method: str, code: int | None) -> Instant | None:
    return next((m.at for m in messages if (m.method, m.code) == (method, code)), None)
