"""AMI bytes: every oddity that real Asterisks show, and what hostile callers or wrong ports could send."""

import pytest

from telemon.ami.events import NEEDLES, WANTED
from telemon.ami.wire import MAX_MESSAGE_BYTES, Message, Parser, encode_action
from telemon.errors import AmiInjectionError, AmiProtocolError

BANNER = b"Asterisk Call Manager/11.0.0\r\n"


def block(*lines):
    return b"".join(line + b"\r\n" for line in lines) + b"\r\n"


def live(*, data=b"", **limits):
    parser = Parser(**limits)
    parser.receive_data(BANNER + data)
    return parser


def only(data):
    (message,) = live().receive_data(data)
    return message


def bytewise(parser, data):
    return [message for i in range(len(data)) for message in parser.receive_data(data[i : i + 1])]


def event_of(length):
    """An event of exactly this many bytes, without its closing empty line."""
    return block(b"Event: Big", b"Value: " + b"x" * (length - len(b"Event: Big\r\nValue: ")))


# -- the shape of messages


def test_the_banner_comes_first_and_gives_the_version():
    assert Parser().receive_data(BANNER) == [Message("banner", "11.0.0", b"Asterisk Call Manager/11.0.0")]


def test_events_and_responses_are_told_apart_and_named():
    data = block(b"Response: Success", b"ActionID: 7", b"Ping: Pong") + block(b"Event: Hangup", b"Uniqueid: 1.0")
    response, event = live().receive_data(data)
    assert (response.kind, response.name, response.get("ActionID")) == ("response", "Success", "7")
    assert (event.kind, event.name, event.get("Uniqueid")) == ("event", "Hangup", "1.0")


def test_repeated_headers_are_all_kept_in_order_and_the_first_one_wins():
    message = only(
        block(
            b"Event: Newchannel",
            b"Uniqueid: 1.0",
            b"ChanVariable(PJSIP/x): a=1",
            b"ChanVariable(PJSIP/x): b=2",
            b"Variable: c=3",
            b"Variable: d: 4",
            b"Uniqueid: 9.9",
        )
    )
    assert message.get_all("ChanVariable(PJSIP/x)") == ["a=1", "b=2"]
    assert message.get_all("Variable") == ["c=3", "d: 4"]
    assert message.get("Uniqueid") == "1.0"


def test_command_output_of_today_is_read_line_by_line():
    message = only(
        block(b"Response: Success", b"Message: Command output follows", b"Output: one", b"Output: ", b"Output: three")
    )
    assert message.get_all("Output") == ["one", "", "three"]


def test_command_output_of_old_asterisks_may_hold_empty_lines():
    data = (
        b"Response: Follows\r\nPrivilege: Command\r\nfirst\n\r\n\r\nEvent: Hangup\r\n\r\nlast\n--END COMMAND--\r\n\r\n"
    )
    message, after = live().receive_data(data + block(b"Event: Reload"))
    assert (message.kind, message.name) == ("response", "Follows")
    assert b"last\n--END COMMAND--" in message.raw
    assert after.name == "Reload"


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (b"Event: Shutdown", "Event: Shutdown"),
        (b"a: b:c ::", "a: b:c ::"),
        (b"  two spaces", "  two spaces"),
        (b"Pr\xe9fecture", "Pr\\xe9fecture"),
        ("Préfecture".encode(), "Préfecture"),
        (b"\x00\x01\x1b[2J\x7f", "\x00\x01\x1b[2J\x7f"),
        (b"", ""),
    ],
)
def test_a_value_may_hold_anything_but_the_end_of_its_line(raw, value):
    message, after = live().receive_data(block(b"Event: Newchannel", b"CallerIDName: " + raw, b"Uniqueid: 1.0") * 2)
    assert message == after
    assert message.get("CallerIDName") == value
    assert message.get("Uniqueid") == "1.0"


def test_a_line_without_a_colon_is_a_header_without_a_value():
    message = only(block(b"Event: Odd", b"just words", b"Tight:value", b"Uniqueid: 1.0"))
    assert message.headers() == [("Event", "Odd"), ("just words", ""), ("Tight", "value"), ("Uniqueid", "1.0")]


@pytest.mark.parametrize("slicing", [bytewise, Parser.receive_data])
def test_the_extra_empty_line_after_a_test_event_is_no_message(slicing):
    data = block(b"Event: TestEvent", b"State: a", b"State: b") + b"\r\n" + block(b"Event: Hangup")
    parser = live()
    assert [message.name for message in slicing(parser, data)] == ["TestEvent", "Hangup"]
    assert parser.malformed == 0


def test_a_block_that_is_neither_event_nor_response_is_counted_and_passed():
    parser = live(data=block(b"Surprise: yes"))
    assert [message.name for message in parser.receive_data(block(b"Event: Hangup"))] == ["Hangup"]
    assert parser.malformed == 1


# -- limits


@pytest.mark.parametrize("slicing", [bytewise, Parser.receive_data])
def test_a_message_of_exactly_the_limit_passes_and_one_more_byte_fails(slicing):
    (message,) = slicing(live(max_message=300), event_of(300))
    assert len(message.raw) == 300
    with pytest.raises(AmiProtocolError, match=r"longer than 300 bytes at byte 30 of the stream.*Event: Big"):
        slicing(live(max_message=300), event_of(301))


@pytest.mark.parametrize("slicing", [bytewise, Parser.receive_data])
def test_the_limit_is_as_exact_for_command_output(slicing):
    def follows(length):
        return b"Response: Follows\r\n" + b"x" * (length - 36) + b"--END COMMAND--\r\n\r\n"

    (message,) = slicing(live(max_message=300), follows(302))
    assert len(message.raw) == 300
    with pytest.raises(AmiProtocolError, match="longer than 300 bytes"):
        slicing(live(max_message=300), follows(303))


def test_a_message_without_an_end_is_refused_before_it_fills_the_memory():
    parser = live()
    for _ in range(16):
        assert parser.receive_data(b"x" * 65536) == []
    with pytest.raises(AmiProtocolError, match="longer than 1048576 bytes"):
        parser.receive_data(b"x" * 65536)


def test_an_event_of_one_mebibyte_is_read():
    message = only(event_of(MAX_MESSAGE_BYTES))
    assert len(message.get("Value")) == MAX_MESSAGE_BYTES - len(b"Event: Big\r\nValue: ")


@pytest.mark.parametrize("first", [b"Event: Many", b"Response: Success"])
def test_the_number_of_headers_is_limited(first):
    assert len(live(max_headers=50).receive_data(block(first, *[b"a: b"] * 49))) == 1
    with pytest.raises(AmiProtocolError, match=r"more than 50 headers at byte 30 of the stream.*: b"):
        live(max_headers=50).receive_data(block(first, *[b"a: b"] * 50))


def test_an_unwanted_event_is_held_to_the_limits_too():
    with pytest.raises(AmiProtocolError, match="more than 50 headers"):
        live(max_headers=50, wanted=frozenset()).receive_data(block(b"Event: Many", *[b"a: b"] * 50))


def test_an_error_says_where_in_the_stream_it_is_after_megabytes_of_it():
    good = block(b"Event: Hangup", b"Uniqueid: 1.0")
    parser = live(max_message=300)
    for _ in range(20_000):
        parser.receive_data(good)
    with pytest.raises(AmiProtocolError, match=f"at byte {len(BANNER) + 20_000 * len(good)} of the stream"):
        parser.receive_data(event_of(301))


@pytest.mark.parametrize("before", [1, 20_000], ids=["one read", "many reads"])
def test_messages_before_an_error_are_delivered_and_then_every_call_raises_it(before):
    good = block(b"Event: Hangup", b"Uniqueid: 1.0")
    parser = live(max_message=300)
    assert len(parser.receive_data(good * before + event_of(301) + good)) == before
    assert parser.error is not None
    for _ in range(2):
        with pytest.raises(AmiProtocolError, match="longer than 300"):
            parser.receive_data(good)
        with pytest.raises(AmiProtocolError, match="longer than 300"):
            parser.buffer_updated(0)


# -- peers that are no manager port


@pytest.mark.parametrize(
    "greeting",
    [
        b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n",
        b"HTTP/1.1 400 Bad Request\r\nServer: x\r\n\r\n",
        b"\x15\x03\x01\x00\x02\x02F",
        b"Asterisk Call Manager of mine\r\n",
        b"Asterisk Call Manager/" + b"9" * 300,
        b"Event: Hangup\r\n\r\n",
    ],
)
def test_another_kind_of_server_is_named_with_what_it_said(greeting):
    with pytest.raises(AmiProtocolError) as caught:
        Parser().receive_data(greeting)
    assert "no Asterisk manager port" in str(caught.value)
    assert repr(greeting[:80]) in str(caught.value)
    assert "host and port" in str(caught.value)


def test_a_banner_that_never_ends_its_line_is_refused():
    with pytest.raises(AmiProtocolError, match="no Asterisk manager port"):
        bytewise(Parser(), BANNER[:-2] + b"\n" + block(b"Event: Hangup"))


# -- captures


@pytest.mark.parametrize("slicing", [bytewise, Parser.receive_data])
def test_a_capture_may_be_torn_in_mid_event_by_the_next_connection(slicing):
    torn = block(b"Event: Newchannel", b"Uniqueid: 1.0", b"CallerIDName: x")[:-9]
    data = BANNER + block(b"Event: Hangup") + torn + BANNER + block(b"Response: Success") + block(b"Event: FullyBooted")
    parser = Parser(capture=True)
    kinds = [(message.kind, message.name) for message in slicing(parser, data)]
    assert kinds == [
        ("banner", "11.0.0"),
        ("event", "Hangup"),
        ("banner", "11.0.0"),
        ("response", "Success"),
        ("event", "FullyBooted"),
    ]
    assert parser.malformed == 1


def test_a_capture_may_begin_in_mid_stream():
    parser = Parser(capture=True)
    names = [m.name for m in parser.receive_data(b"ueid: 1.0\r\nCause: 16\r\n\r\n" + block(b"Event: Hangup"))]
    assert names == ["Hangup"]
    assert parser.malformed == 1


@pytest.mark.parametrize("capture", [True, False])
@pytest.mark.parametrize("value", [b"Asterisk Call Manager/1.0", b"x Asterisk Call Manager/1.0 Response: Success"])
def test_a_caller_named_like_a_banner_is_no_reconnect(capture, value):
    parser = Parser(capture=capture)
    event = block(b"Event: Newchannel", b"CallerIDName: " + value, b"Uniqueid: 1.0")
    banner, *messages = parser.receive_data(BANNER + event * 2)
    assert banner.kind == "banner"
    assert [message.get("CallerIDName").encode() for message in messages] == [value, value]
    assert parser.malformed == 0


# -- skipping


def test_unwanted_events_are_skipped_by_their_whole_name():
    parser = live(wanted=frozenset({b"Hangup"}))
    data = block(b"Event: HangupRequest") + block(b"Event: Hangup") + block(b"Event: Hang") + block(b"Response: Error")
    assert [message.name for message in parser.receive_data(data)] == ["Hangup", "Error"]
    assert parser.skipped == 2


def test_of_variables_and_dial_states_only_the_useful_ones_come_through():
    parser = live(wanted=WANTED, needles=NEEDLES)
    data = b"".join(
        block(b"Event: VarSet", b"Uniqueid: 1.0", b"Variable: " + variable, b"Value: TIMEOUT")
        for variable in (b"QUEUESTATUS", b"QUEUESTATUSX", b"MYQUEUESTATUS", b"A: QUEUESTATUS")
    ) + b"".join(block(b"Event: DialState", b"DialStatus: " + status) for status in (b"RINGING", b"PROGRESS"))
    kept = parser.receive_data(data)
    assert [message.get("Variable") or message.get("DialStatus") for message in kept] == ["QUEUESTATUS", "PROGRESS"]
    assert parser.skipped == 4


def test_empty_lines_between_events_are_passed_over():
    parser = live()
    events = b"".join(block(b"Event: TestEvent", b"State: %d" % i) + b"\r\n" for i in range(1000))
    assert [message.get("State") for message in parser.receive_data(events)] == [str(i) for i in range(1000)]


# -- BufferedProtocol's way in


def test_receiving_into_the_buffer_equals_receiving_bytes():
    data = BANNER + b"".join(block(b"Event: Hangup", b"Uniqueid: 1.%d" % i) for i in range(30_000))
    plain = Parser().receive_data(data)
    parser = Parser()
    buffered = []
    position = 0
    while position < len(data):
        space = parser.get_buffer()
        assert len(space) >= 1 << 15
        count = min(len(space), 50_021, len(data) - position)
        space[:count] = data[position : position + count]
        buffered += parser.buffer_updated(count)
        position += count
    assert buffered == plain
    assert len(plain) == 30_001


# -- actions


def test_an_action_is_written_as_asterisk_reads_it():
    data = encode_action("Login", [("Username", "télemon"), ("Events", "on")], action_id="a1")
    assert data == "Action: Login\r\nActionID: a1\r\nUsername: télemon\r\nEvents: on\r\n\r\n".encode()


@pytest.mark.parametrize("forbidden", ["\r", "\n", "\0", "\r\nAction: Originate"])
def test_an_action_that_would_forge_another_line_is_refused(forbidden):
    for attempt in (
        lambda: encode_action("Ping" + forbidden),
        lambda: encode_action("Ping", [("Name", "value" + forbidden)]),
        lambda: encode_action("Ping", [("Name" + forbidden, "value")]),
        lambda: encode_action("Ping", action_id="1" + forbidden),
    ):
        with pytest.raises(AmiInjectionError, match="remove CR, LF and NUL"):
            attempt()


@pytest.mark.parametrize("name", ["", "Bad Name", "Name:", "9lives", "Naïve"])
def test_a_header_name_must_be_one(name):
    with pytest.raises(AmiInjectionError):
        encode_action("Ping", [(name, "value")])


def test_text_that_is_no_unicode_is_escaped_rather_than_breaking_the_link():
    assert encode_action("Ping", [("Name", "\udce9")]) == b"Action: Ping\r\nName: \\udce9\r\n\r\n"


def test_an_empty_line_too_many_after_the_last_event_of_a_run_belongs_to_none():
    stream = BANNER + b"Event: X\r\nA: 1\r\n\r\nEvent: X\r\nA: 2\r\n\r\n\r\n"
    whole = Parser().receive_data(stream)
    assert [message.raw for message in whole[1:]] == [b"Event: X\r\nA: 1", b"Event: X\r\nA: 2"]
