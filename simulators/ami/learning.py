"""A tape is learnt from a capture: the raw bytes of a manager session during one call to a real Asterisk."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from simulators.ami.tape import Burst, Count, Line, Tape
from telemon.errors import TelemonError
from telemon.instants import SECOND, parse_stamp

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from telemon.instants import Duration, Instant

    Pairs = list[tuple[str, str]]

# A pause this long parts two bursts; within one, a real Asterisk takes a few milliseconds, its phones a few more.
_PAUSE: Final[Duration] = SECOND // 4
# Not a call's own: told to test suites, about media, or to sessions that log in.
_FOREIGN: Final = frozenset({"TestEvent", "RTCPReceived", "RTCPSent", "FullyBooted"})
# What other calls have a say in: the switchboard tells these itself.
_CONSEQUENCES: Final = frozenset({"DeviceStateChange", "ExtensionStatus", "QueueMemberStatus", "PresenceStateChange"})
_SECURITY: Final = "security,all"
_CHANNEL: Final = re.compile(r"^(?P<fixed>.+)-(?P<serial>[0-9a-f]{8})(?P<half>;[12])?$")
_LOCAL: Final = "Local/"

# Places that are named after their header: the switchboard knows who else waits.
_SHARED: Final = {
    "QueueCallerJoin": ("Position", "Count"),
    "QueueCallerLeave": ("Position", "Count"),
    "QueueCallerAbandon": ("Position", "OriginalPosition"),
}
# What Asterisk counts in whole seconds or milliseconds. Source: apps/app_queue.c (``time(NULL)`` differences),
# main/channel.c for the durations that are variables.
_COUNTED: Final = {
    ("AgentConnect", "HoldTime"): Count("HoldTime", "joined"),
    ("AgentConnect", "RingTime"): Count("RingTime", "round"),
    ("AgentComplete", "HoldTime"): Count("HoldTime", "joined", until="connected"),
    ("AgentComplete", "TalkTime"): Count("TalkTime", "connected"),
    ("AgentRingNoAnswer", "RingTime"): Count("RingTime", "round", 1000),
    ("QueueCallerAbandon", "HoldTime"): Count("HoldTime", "joined"),
    ("VarSet", "QUEUEWAIT"): Count("Value", "joined"),
    ("VarSet", "QUEUEWAIT_MS"): Count("Value", "joined", 1000),
    ("VarSet", "ANSWEREDTIME"): Count("Value", "answered"),
    ("VarSet", "ANSWEREDTIME_MS"): Count("Value", "answered", 1000),
    ("VarSet", "DIALEDTIME"): Count("Value", "round"),
    ("VarSet", "DIALEDTIME_MS"): Count("Value", "round", 1000),
}
_MARKS: Final = {"QueueCallerJoin": "joined", "AgentConnect": "connected", "DialBegin": "round"}
_CALLER: Final = 0


def learn(
    capture: bytes, *, caller: str = "", extensions: Mapping[str, str] | None = None, originated: bool = False
) -> Tape:
    """Make a tape of one call, by default of the first.

    Args:
        capture: the session's bytes, logged in with ``read = all`` and ``timestampevents = yes``.
        caller: whose call, if not the first; the number as the capture shows it.
        extensions: where operators transfer to, number to phone: each becomes the place ``x_`` and the phone.
        originated: the call was placed by ``Originate``, and begins with a channel that nobody dialled in by.

    Raises:
        TelemonError: the capture holds no such call.
    """
    told = list(_events(capture))
    start = next(
        (n for n, (_, event) in enumerate(told) if _is_arrival(event, caller, "0" if originated else "4")), None
    )
    if start is None:
        who = caller or "anybody"
        raise TelemonError(f"the capture holds no call from {who}: no Newchannel in state Ring with that number")
    return _Learner(told[start:], extensions or {}).tape()


def _events(capture: bytes) -> Iterator[tuple[Instant, Pairs]]:
    for block in capture.decode("utf-8", "surrogateescape").split("\r\n\r\n"):
        lines = (line.partition(":") for line in block.strip("\r\n").split("\r\n"))
        pairs = [(name, value.removeprefix(" ")) for name, _, value in lines]
        headers = dict(reversed(pairs))
        name = headers.get("Event")
        if name is None or "ActionID" in headers or name in _FOREIGN | _CONSEQUENCES:
            continue
        stamp = parse_stamp(headers.get("Timestamp", ""))
        if stamp is not None and headers.get("Privilege") != _SECURITY:
            yield stamp, pairs


def _is_arrival(event: Pairs, caller: str, state: str) -> bool:
    headers = dict(event)
    arrives = (headers["Event"], headers.get("ChannelState")) == ("Newchannel", state)
    return arrives and caller in ("", headers.get("CallerIDNum"))


class _Learner:
    """Reads one call's events once, and keeps what their names stand for."""

    def __init__(self, told: list[tuple[Instant, Pairs]], extensions: Mapping[str, str]) -> None:
        self._told = told
        arrival = dict(told[0][1])
        self._trunk = _fixed(arrival["Channel"])
        self._legs: list[tuple[str, str]] = []
        self._phones: dict[str, None] = {}
        self._places: dict[str, str] = {}
        self._leg_of: dict[str, int] = {}
        self._phone_of: list[str] = []
        self._learn_names()
        self._places.update({extension: f"x_{phone}" for extension, phone in extensions.items()})
        for header, place in (("CallerIDNum", "caller"), ("CallerIDName", "caller_name")):
            if arrival[header] != "<unknown>":
                self._places[arrival[header]] = place
        self._places[arrival["Exten"]] = "ddi"
        longest_first = sorted(self._places, key=len, reverse=True)
        self._known = re.compile(rf"(?<![\w.])(?:{'|'.join(map(re.escape, longest_first))})(?![\w.]*\w)")

    def tape(self) -> Tape:
        bursts: list[tuple[Instant, list[Line]]] = []
        last = self._told[0][0] - 2 * _PAUSE
        for stamp, event in self._told:
            stamp = max(last, stamp)  # noqa: PLW2901 - stamps may go back by less than a millisecond
            if stamp - last > _PAUSE:
                bursts.append((stamp, []))
            bursts[-1][1].append(self._line(event, stamp - bursts[-1][0]))
            last = stamp
        return Tape(
            legs=tuple(self._legs),
            phones=tuple(self._phones),
            bridges=sum(place.startswith("b") for place in self._places.values()),
            bursts=tuple(Burst(at - self._told[0][0], tuple(lines)) for at, lines in bursts),
        )

    def _learn_names(self) -> None:
        for _, event in self._told:
            headers = dict(event)
            if headers["Event"] == "Newchannel":
                self._learn_leg(headers["Channel"], headers["Uniqueid"])
            elif headers["Event"] == "BridgeCreate":
                self._places.setdefault(headers["BridgeUniqueid"], f"b{self._bridges}")
            elif "MemberName" in headers and (phone := _phone(headers.get("Interface", ""))):
                self._places.setdefault(headers["MemberName"], f"m_{phone}")

    @property
    def _bridges(self) -> int:
        return sum(place.startswith("b") for place in self._places.values())

    def _learn_leg(self, channel: str, uniqueid: str) -> None:
        number = len(self._legs)
        fixed = _fixed(channel)
        half = channel[-2:] if channel.startswith(_LOCAL) else ""
        phone = _phone(fixed)
        if phone and fixed != self._trunk:
            self._phones.setdefault(phone)
            self._places[phone] = f"r_{phone}"
            fixed = f"PJSIP/%(r_{phone})s"
        self._legs.append((fixed, half))
        self._places[channel], self._places[uniqueid] = f"c{number}", f"u{number}"
        self._leg_of[channel] = self._leg_of[uniqueid] = number
        self._phone_of.append(phone if fixed.startswith("PJSIP/%") else "")

    def _line(self, event: Pairs, offset: Duration) -> Line:
        given = dict(reversed(event))
        name = given["Event"]
        counts: list[Count] = []
        pairs: Pairs = []
        for header, value in event:
            if header in ("Event", "Privilege", "Timestamp"):
                continue
            count = _COUNTED.get((name, given["Variable"] if header == "Value" and name == "VarSet" else header))
            if header in _SHARED.get(name, ()):
                pairs.append((header, f"%({header})s"))
            elif count is not None and value:
                counts.append(count)
                pairs.append((header, f"%({count.place})s"))
            else:
                pairs.append((header, self._with_places(value)))
        legs = frozenset(self._leg_of[value] for value in given.values() if value in self._leg_of)
        phones = {phone for leg in legs if (phone := self._phone_of[leg])}
        return Line(
            name=name,
            event_class=given["Privilege"].removesuffix(",all"),
            offset=offset,
            headers=dict(reversed(pairs)),
            text="".join(f"{header}: {value}\r\n" for header, value in pairs),
            legs=legs,
            phone=phones.pop() if len(phones) == 1 else "",
            creates=self._leg_of[given["Uniqueid"]] if name == "Newchannel" else None,
            mark=self._mark(name, given),
            counts=tuple(counts),
        )

    def _mark(self, name: str, given: Mapping[str, str]) -> str:
        if name == "BridgeEnter" and self._leg_of.get(given["Uniqueid"]) == _CALLER:
            return "answered"
        return _MARKS.get(name, "")

    def _with_places(self, value: str) -> str:
        return self._known.sub(lambda found: f"%({self._places[found[0]]})s", value.replace("%", "%%"))


def _fixed(channel: str) -> str:
    found = _CHANNEL.match(channel)
    return found["fixed"] if found else channel


def _phone(interface: str) -> str:
    technology, _, name = interface.partition("/")
    return name if technology == "PJSIP" else ""
