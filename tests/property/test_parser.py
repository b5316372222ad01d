"""The parser is total: however the bytes are sliced, and whatever they are, the same comes out."""

import re
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from telemon.ami.wire import Message, Parser, encode_action
from telemon.errors import AmiInjectionError, AmiProtocolError

LIMITS = {"max_message": 512, "max_headers": 24}
BANNER = b"Asterisk Call Manager/11.0.0\r\n"

texts = st.one_of(
    st.binary(max_size=40).map(lambda raw: raw.replace(b"\r", b"").replace(b"\n", b"")),
    st.sampled_from([b"Event: Shutdown", b"Asterisk Call Manager/1.0", b": ", b"a: b: c", b"\x00\xff", b"", b"=cmd|x"]),
)
names = st.sampled_from([b"Uniqueid", b"ChanVariable(PJSIP/x)", b"Output", b"Variable", b"no colon"])
header_lines = st.lists(st.builds(lambda name, value: name + b": " + value, names, texts), max_size=30)
events = st.builds(
    lambda name, lines, odd: b"\r\n".join([b"Event: " + name, *lines]) + b"\r\n\r\n" + odd,
    st.sampled_from([b"Newchannel", b"Hangup", b"VarSet", b"TestEvent"]),
    header_lines,
    st.sampled_from([b"", b"", b"\r\n"]),
)
responses = st.builds(
    lambda lines: b"\r\n".join([b"Response: Success", *lines]) + b"\r\n\r\n",
    st.lists(texts.map(b"Message: ".__add__), max_size=3),
)
follows = st.builds(
    lambda lines: b"Response: Follows\r\n" + b"\n".join(lines) + b"--END COMMAND--\r\n\r\n",
    st.lists(st.one_of(texts, st.just(b"\r\n\r\n")), max_size=4),
)
rubbish = st.one_of(
    st.binary(max_size=60),
    st.sampled_from([BANNER, b"\r", b"\r\n", b"Asterisk Call Manager/5\nx\r\n", b"x" * 600, b"Event: Torn\r\nA: b"]),
)
streams = st.lists(st.one_of(events, responses, follows), max_size=8).map(b"".join)
hostile_streams = st.lists(st.one_of(events, responses, follows, rubbish), max_size=8).map(b"".join)
pieces = st.lists(st.sampled_from([b"\r", b"\n", b"\r\n", b": ", b"Event", b"Response: Follows", BANNER, b"A"]))
cuts = st.lists(st.integers(0, 4000), max_size=12)


def sliced(data, places):
    edges = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[start:end] for start, end in pairwise(edges)]


def outcome(slices, *, capture, receive=Parser.receive_data):
    """All that an observer can tell: messages, counters, and the error without its excerpt of an incomplete banner."""
    parser = Parser(frozenset({b"Newchannel", b"VarSet"}), {b"VarSet": b"Uniqueid: "}, capture=capture, **LIMITS)
    messages = []
    for piece in slices:
        try:
            messages += receive(parser, piece)
        except AmiProtocolError:
            break
    error = parser.error and re.sub(r"(manager port: it begins with ).*(; check)", r"\1\2", str(parser.error))
    return messages, parser.skipped, parser.malformed, error


def through_buffer(parser, data):
    messages = []
    while data:
        space = parser.get_buffer()
        count = min(len(space), len(data))
        space[:count] = data[:count]
        messages += parser.buffer_updated(count)
        data = data[count:]
    return messages


def assert_slicing_changes_nothing(data, places, *, capture):
    whole = outcome([data], capture=capture)
    assert outcome(sliced(data, places), capture=capture) == whole
    assert outcome([data[i : i + 1] for i in range(len(data))], capture=capture) == whole
    assert outcome([data], capture=capture, receive=through_buffer) == whole


@settings(max_examples=400, deadline=None)
@given(data=hostile_streams, places=cuts)
@example(data=b"Response: Follows\r\n" + b"x" * 474 + b"--END COMMAND--\r\n\r\n", places=[])
def test_slicing_changes_nothing_on_a_live_link(data, places):
    assert_slicing_changes_nothing(BANNER + data, places, capture=False)


@settings(max_examples=400, deadline=None)
@given(data=hostile_streams, places=cuts)
@example(data=b"Asterisk Call Manager/5\nx\r\n", places=[])
@example(data=b"Event: Torn\r\nA: " + b"x" * 600 + BANNER + b"Response: Success\r\n\r\n", places=[])
def test_slicing_changes_nothing_in_a_capture(data, places):
    assert_slicing_changes_nothing(data, places, capture=True)


@settings(max_examples=600, deadline=None)
@given(data=st.one_of(st.binary(max_size=300), pieces.map(b"".join)), places=cuts, capture=st.booleans())
@example(data=b"\r\n" + BANNER, places=[1], capture=False)
def test_slicing_changes_nothing_on_arbitrary_bytes(data, places, capture):
    assert_slicing_changes_nothing(data, places, capture=capture)


@settings(max_examples=100, deadline=None)
@given(streams)
def test_every_message_of_a_good_stream_comes_out_in_order(data):
    parser = Parser()
    received = parser.receive_data(BANNER + data)
    assert received[0] == Message("banner", "11.0.0", BANNER[:-2])
    assert parser.malformed == 0
    position = 0
    for message in received[1:]:
        position = data.index(message.raw, position) + len(message.raw)
        assert data[position : position + 4] == b"\r\n\r\n"
    assert not data[position:].strip(b"\r\n")


@settings(max_examples=600, deadline=None)
@given(
    action=st.from_regex(r"[A-Za-z]{1,12}", fullmatch=True),
    headers=st.lists(st.tuples(st.from_regex(r"[A-Za-z][A-Za-z0-9_-]{0,15}", fullmatch=True), st.text())),
    action_id=st.text(min_size=1),
)
def test_an_action_reads_back_as_it_was_meant_or_is_refused(action, headers, action_id):
    values = [action_id, *(value for _, value in headers)]
    forged = any(character in value for value in values for character in "\r\n\0")
    try:
        data = encode_action(action, headers, action_id=action_id)
    except AmiInjectionError:
        assert forged
        return
    assert not forged
    (message,) = Parser(capture=True).receive_data(data.replace(b"Action: ", b"Event: ", 1))
    assert message.headers() == [("Event", action), ("ActionID", action_id), *headers]


@pytest.mark.parametrize("count", [1, 5000])
def test_any_number_of_banners_is_read(count):
    assert len(Parser(capture=True).receive_data(BANNER * count)) == count
