"""Tapes: what is learnt from a real Asterisk is told again as it was, and every part that a plan may need is there."""

import gzip
import re
from collections import Counter
from pathlib import Path

import pytest

from simulators.ami.casting import _MOVES
from simulators.ami.learning import learn
from simulators.ami.library import OPENING, TAPES, Library, _parts
from simulators.ami.switchboard import Switchboard
from simulators.ami.telling import Caller, Numbers, Part, tell
from simulators.site import PREFECTURE, Pattern
from telemon.errors import TelemonError
from telemon.instants import SECOND, parse_stamp

RECORDINGS = Path(__file__).parents[1] / "recordings"
VERSIONS = ("22", "16")
EXTENSIONS = {"3001": "svc1", "3002": "svc2"}
# Several calls, no stamps, or a call that nobody heard arrive.
NOT_ONE_CALL = {
    "calls_of_the_phones", "gap_arrival_dial", "gap_transfer", "i2_all_busy", "l2_unregister", "l4_core_reload",
    "load_q_25cps_filtered", "m1_kill9_talk", "o1_mixed5", "restarted", "u1_names", "v2_no_timestamps",
}  # fmt: skip
# Told by the switchboard, or not part of a call.
NOT_TOLD = {
    "TestEvent", "RTCPReceived", "RTCPSent", "FullyBooted", "DeviceStateChange", "ExtensionStatus",
    "QueueMemberStatus", "PresenceStateChange",
}  # fmt: skip
CAPTURES = [
    path for path in sorted(RECORDINGS.glob("*/*.ami.gz")) if path.name.removesuffix(".ami.gz") not in NOT_ONE_CALL
]
FILES = [path for version in VERSIONS for path in sorted((TAPES / version).glob("*.ami.gz"))]
COUNTED = ("HoldTime", "RingTime", "TalkTime", "Value")
NAMES = re.compile(
    r"(?:PJSIP|Local)/[^\s;,&]+?-[0-9a-f]{8}\b|\b\d{10}\.\d+\b|\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"
)


def recorded(capture):
    """Yield stamp and headers of each event that belongs to the call, in order."""
    arrived = False
    for block in capture.decode("utf-8", "surrogateescape").split("\r\n\r\n"):
        pairs = [
            tuple(line.split(": ", 1)) if ": " in line else (line[:-1], "") for line in block.split("\r\n") if line
        ]
        headers = dict(reversed(pairs))
        arrived |= (headers.get("Event"), headers.get("ChannelState")) == ("Newchannel", "4")
        own = headers.get("Event", "FullyBooted") not in NOT_TOLD and "ActionID" not in headers
        if arrived and own and headers["Privilege"] != "security,all":
            yield parse_stamp(headers["Timestamp"]), [pair for pair in pairs if pair[0] != "Timestamp"]


def retold(capture):
    """Tell the call again, as of the same instant, with the same people."""
    events = list(recorded(capture))
    first = dict(events[0][1])
    members = {
        headers["Interface"].removeprefix("PJSIP/"): headers["MemberName"]
        for headers in (dict(pairs) for _, pairs in events)
        if headers["Event"] == "AgentCalled"
    }
    caller = Caller(
        number=first["CallerIDNum"], name=first["CallerIDName"], ddi=first["Exten"], arrives_at=events[0][0]
    )
    part = Part(tape=learn(capture, extensions=EXTENSIONS), at=0)
    extensions = {phone: extension for extension, phone in EXTENSIONS.items()}
    queues: dict[str, dict[str, str]] = {
        queue: {} for _, pairs in events for header, queue in pairs if header == "Queue"
    }
    board = Switchboard(queues, booted_at=0.0)  # which alone knows who waits where
    for at, taped in tell(caller, [part], Numbers(), members=members, extensions=extensions):
        for event in board.tell(taped, at / SECOND):
            if event.name not in NOT_TOLD:
                yield at, [("Event", event.name), ("Privilege", f"{event.event_class},all"), *event.headers]


def with_names_in_order(events):
    """Write each serial number, uniqueid and bridge as the how manieth name it is."""
    names: dict[str, str] = {}
    return [
        [
            (header, NAMES.sub(lambda found: names.setdefault(found[0], f"#{len(names)}"), value))
            for header, value in pairs
        ]
        for _, pairs in events
    ]


def without_counts(pairs):
    variable = dict(pairs).get("Variable", "")
    timed = variable.endswith(("TIME", "TIME_MS")) or variable.startswith("QUEUEWAIT")
    return [pair for pair in pairs if pair[0] not in COUNTED or (pair[0] == "Value" and not timed)]


def counts(pairs):
    headers = dict(pairs)
    name = headers.get("Variable", headers["Event"])
    return {header: headers[header] for header in COUNTED if without_counts(pairs) != pairs and header in headers}, name


def name_of(path):
    return f"{path.parent.name}-{path.name.removesuffix('.ami.gz')}"


@pytest.mark.parametrize("path", CAPTURES, ids=name_of)
def test_a_recording_learnt_and_told_is_the_recording(path):
    for mine, asterisks in pairs_of(path):
        assert without_counts(mine) == without_counts(asterisks)


def pairs_of(path):
    """Yield each event as told and as recorded, with names that can be compared."""
    capture = gzip.decompress(path.read_bytes())
    real, told = list(recorded(capture)), list(retold(capture))
    assert abs(real[-1][0] - told[-1][0]) < 2000
    yield from zip(with_names_in_order(told), with_names_in_order(real), strict=True)


def check_counts(mine, asterisks):
    """Seconds may be off by one, and milliseconds by as much, where Asterisk's clock ticked in between."""
    (counted, name), (expected, _) = counts(mine), counts(asterisks)
    if name.startswith(("ANSWEREDTIME", "DIALEDTIME")):  # not followed through transfers and rounds
        return
    assert counted.keys() == expected.keys()
    unit = 1000 if name.endswith("_MS") or name == "AgentRingNoAnswer" else 1
    for header, value in counted.items():
        if value or expected[header]:
            assert abs(int(value) - int(expected[header])) <= unit, (name, header)


def test_enough_of_the_recordings_are_one_call():
    assert Counter(path.parent.name for path in CAPTURES).keys() == {"16", "16-more", "22", "22-more"}
    assert len(CAPTURES) > 120


# The tapes of the site


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_a_tape_told_is_the_tape_with_its_counts(path):
    for mine, asterisks in pairs_of(path):
        assert without_counts(mine) == without_counts(asterisks)
        check_counts(mine, asterisks)


FATES = {
    "answered", "answered_ended_by_operator", "held", "held_ended_by_operator", "transferred",
    "transferred_ended_by_service", "transfer_left", "transfer_refused", "transfer_rejected", "transfer_unanswered",
}  # fmt: skip
ROUNDS = {"rejected", "refused", "no_answer"}
WAITING = {*FATES, *ROUNDS, OPENING, "left", "idle_left", "ended", "idle_ended"}
SECOND_QUEUE = {*FATES, *ROUNDS, "left", "idle_left", "voicemail", "idle_voicemail"}
MOBILE = ("answered", "answered_ended_by_operator", "left", "not_accepted", "no_answer", "refused", "rejected")
ASKED = {
    Pattern.QUEUE: WAITING,
    Pattern.MENU: {*WAITING, "greeting_left"},
    Pattern.CRISIS: {*WAITING - {"rejected", "refused"}, "one_rejects", "one_refuses"},
    Pattern.RING_ALL: {*FATES, OPENING, "left", "ended", "one_rejects", "one_refuses", "all_reject"},
    Pattern.OVERFLOW: {
        *FATES, *ROUNDS, OPENING, "left", "idle_left", "moved", "idle_moved", *(f"{part}2" for part in SECOND_QUEUE),
    },
    Pattern.PERMANENCE: {
        *FATES, *ROUNDS, OPENING, "left", "idle_left", "moved", "idle_moved", *(f"mobile_{part}" for part in MOBILE),
    },
}  # fmt: skip
EVERYTHING = [(line.service, part) for line in PREFECTURE.lines for part in sorted(ASKED[line.pattern])]
EVERYTHING += [("closed", "announced"), ("closed", "announced_left")]


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_a_tape_falls_into_the_parts_that_its_name_tells(path):
    names = path.name.removesuffix(".ami.gz").split(".")[1:]
    parts = _parts(path.parent, path.name.removesuffix(".ami.gz"))
    assert all(part.bursts and part.bursts[0].at == 0 for part in parts)
    created = [
        line.creates for part in parts for burst in part.bursts for line in burst.lines if line.creates is not None
    ]
    assert created == list(range(len(parts[0].legs)))
    for name, part in zip(names, parts[-len(names) :], strict=True):
        assert rings(part) == (not name.startswith(("idle", "announced", "greeting"))), name


def rings(part):
    return any(line.name == "DialBegin" for burst in part.bursts for line in burst.lines)


@pytest.mark.parametrize("version", VERSIONS)
def test_every_part_that_a_plan_may_need_is_on_tape_with_the_bursts_that_move(version):
    library = Library(version)
    for service, name in EVERYTHING:
        bursts = len(library.part(service, name).bursts)
        if name in (OPENING, "one_rejects", "one_refuses"):
            continue
        moves = _MOVES[name if name in _MOVES else name.removeprefix("mobile_").removesuffix("2")]
        assert all(-1 <= number < bursts for number in moves), (service, name, bursts)
        assert len({number % bursts for number in moves}) == len(moves), (service, name, bursts)


def test_a_round_that_the_part_before_delays_is_told_from_its_beginning():
    """The caller is answered, and hangs up, at the very instant of the arrival: no tape is as quick."""
    library = Library()
    parts = [
        Part(tape=library.part("standard", OPENING), at=0),
        Part(tape=library.part("standard", "answered"), at=0, moved={1: 0, 2: 0}, cast={}),
    ]
    caller = Caller(number="0639980001", ddi="0102030405", arrives_at=1_795_000_000 * SECOND)
    told = list(tell(caller, parts, Numbers(), members={}, extensions={}))
    assert [event.encode(0.0).split(b"\r\n")[0] for _, event in told].count(b"Event: Newchannel") == 2
    assert [at for at, _ in told] == sorted(at for at, _ in told)


def test_a_version_or_part_without_tape_is_said():
    with pytest.raises(TelemonError, match=r"no tapes of Asterisk 13; there are some of 16, 22"):
        Library("13")
    with pytest.raises(TelemonError, match=r"no tape of service standard with the part 'voicemail': record one"):
        Library().part("standard", "voicemail")


@pytest.mark.parametrize("capture", [b"", b"Asterisk Call Manager/11.0.0\r\n", b"Event: Hangup\r\n\r\n"])
def test_a_capture_without_a_call_is_said(capture):
    with pytest.raises(TelemonError, match="holds no call from anybody"):
        learn(capture)
