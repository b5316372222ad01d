"""Messages as events: what is read from them, what is refused, and what hostile callers cannot do."""

import pytest

from telemon.ami import events as ami
from telemon.ami.decoder import Decoder
from telemon.ami.events import DEVICE_EVENTS, NEEDLES, WANTED
from telemon.ami.wire import Parser

RECEIVED = 1_700_000_000_000_000
STAMPED = 1_795_416_994_123_456


def message(name, *lines, stamp="1795416994.123456"):
    head = [f"Event: {name}", "Privilege: call,all", *([f"Timestamp: {stamp}"] if stamp else [])]
    raw = b"".join((line if isinstance(line, bytes) else line.encode()) + b"\r\n" for line in [*head, *lines])
    (found,) = Parser(capture=True).receive_data(raw + b"\r\n")
    return found


def decoded(name, *lines, **options):
    return Decoder().decode(message(name, *lines, **options), RECEIVED)


def new_channel(*extra, name="Dupont"):
    return decoded(
        "Newchannel",
        "Channel: PJSIP/trunk-00000000",
        "ChannelState: 4",
        "ChannelStateDesc: Ring",
        "CallerIDNum: 0611110001",
        f"CallerIDName: {name}",
        "Context: from-trunk",
        "Exten: 0100",
        "Uniqueid: 1.0",
        "Linkedid: 1.0",
        *extra,
    )


EXPECTED = ami.NewChannel(STAMPED, "PJSIP/trunk-00000000", 4, "0611110001", "from-trunk", "0100", "1.0", "1.0")


def test_a_new_channel_is_read_whole():
    assert new_channel() == EXPECTED


@pytest.mark.parametrize(
    "name", ["Event: Shutdown", "x Uniqueid: 9.9", ": : :", "<script>", "=cmd|' /C calc'!A0", "A" * 65536]
)
def test_a_callers_name_changes_nothing(name):
    assert new_channel(name=name) == EXPECTED


def test_headers_in_another_order_are_found_all_the_same():
    event = decoded("Hangup", "Cause: 16", "Cause-txt: Normal Clearing", "Uniqueid: 1.0", "Channel: x")
    assert event == ami.Hangup(STAMPED, "1.0", 16)


def test_missing_headers_are_empty_or_zero():
    assert decoded("DialEnd") == ami.DialEnd(STAMPED, "", "", "")
    assert decoded("Hangup") == ami.Hangup(STAMPED, "", 0)


@pytest.mark.parametrize("cause", ["-1", "16x", "", "²", "9" * 5000, "0x10", "1e3"])
def test_a_number_that_is_none_is_zero(cause):
    assert decoded("Hangup", "Uniqueid: 1.0", f"Cause: {cause}").cause == 0


def test_a_second_uniqueid_makes_an_event_unbelievable():
    decoder = Decoder()
    forged = message("Hangup", "Uniqueid: 1.0", "Cause: 16", "Uniqueid: 2.0")
    assert decoder.decode(forged, RECEIVED) is None
    assert decoder.ambiguous == 1


def test_control_bytes_of_a_caller_never_reach_a_record():
    hostile = b"a\x00b\x1b[2J\xe2\x80\xae\x7f"
    event = decoded("Newchannel", b"CallerIDNum: " + hostile, b"Exten: " + hostile, "Uniqueid: 1.0")
    transfer = decoded("BlindTransfer", b"Extension: " + hostile)
    for value in (event.caller, event.exten, transfer.exten):
        assert value.isprintable()
        assert value.startswith("a\N{REPLACEMENT CHARACTER}b")


def test_bytes_that_are_no_utf8_stay_visible():
    assert decoded("QueueCallerJoin", b"Queue: Pr\xe9fecture", "Uniqueid: 1.0").queue == r"Pr\xe9fecture"


def test_what_the_database_says_is_as_old_as_the_newest_stamp():
    decoder = Decoder()
    decoder.decode(message("Hangup", "Uniqueid: 1.0"), RECEIVED)
    lines = ("Family: telemon", "Key: hours", "Val: closed", "ActionID: 7")
    found = decoder.decode(message("DBGetResponse", *lines, stamp=""), RECEIVED)
    assert found == ami.DatabaseValue(STAMPED, "telemon", "hours", "closed")


def test_an_event_that_telemon_does_not_use_is_none():
    assert decoded("RTCPSent", "Channel: x") is None


# -- time


@pytest.mark.parametrize(("stamp", "instant"), [("1795416994.123456", STAMPED), ("1795416994", STAMPED - 123_456)])
def test_asterisks_own_time_is_taken(stamp, instant):
    assert decoded("Hangup", "Uniqueid: 1.0", stamp=stamp).at == instant


@pytest.mark.parametrize("stamp", ["", "now", "-1.0", "1e9", "nan", "9" * 400, "17.x", ".5"])
def test_without_a_time_of_its_own_an_event_takes_the_receivers_and_is_counted(stamp):
    decoder = Decoder()
    assert decoder.decode(message("Hangup", "Uniqueid: 1.0", stamp=stamp), RECEIVED).at == RECEIVED
    assert (decoder.unstamped, decoder.stamped, decoder.clock) == (1, False, None)


def test_a_list_item_is_as_old_as_the_newest_stamp():
    decoder = Decoder()
    decoder.decode(message("Hangup", "Uniqueid: 1.0"), RECEIVED)
    listed = decoder.decode(message("CoreShowChannel", "Channel: PJSIP/op1-1", "Uniqueid: 1.1", stamp=""), RECEIVED)
    assert listed.at == STAMPED
    assert (decoder.unstamped, decoder.stamped) == (0, True)


# -- what is asked of the parser


def test_every_event_that_can_be_decoded_is_let_through():
    for name in WANTED | DEVICE_EVENTS:
        assert decoded(name.decode()) is not None
    assert NEEDLES.keys() <= WANTED


@pytest.mark.parametrize(
    ("name", "header"), [("VarSet", "Variable: QUEUESTATUS"), ("DialState", "DialStatus: PROGRESS")]
)
def test_the_needles_are_found_in_what_asterisk_writes(name, header):
    raw = message(name, header, "Uniqueid: 1.0", "Value: TIMEOUT").raw
    assert NEEDLES[name.encode()] in raw + b"\r\n"
