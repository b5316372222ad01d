"""Real recordings as events, and what must hold of any records made from them."""

import gzip
from functools import cache
from pathlib import Path

from telemon.ami import events as ami
from telemon.ami.decoder import Decoder
from telemon.ami.events import NEEDLES, WANTED
from telemon.ami.wire import Parser
from telemon.records import Outcome
from telemon.tracker import Tracker

RECORDINGS = Path(__file__).parent.parent / "recordings"
# Not the load recording: 1500 calls would only make every example slow.
NAMES = sorted(
    f"{path.parent.name}/{path.name.removesuffix('.ami.gz')}"
    for path in RECORDINGS.glob("*/*.ami.gz")
    if not path.name.startswith("load")
)
_IDENTIFIERS = {
    "uniqueid", "linkedid", "dest_uniqueid", "transferer", "transferee", "orig_transferer", "second_transferer",
    "second_bridge", "target", "parkee", "bridge",
}  # fmt: skip
_CHANNELS = {"channel", "new_name", "dest_channel", "retriever_channel"}


@cache
def events_of(name):
    parser, decoder = Parser(WANTED, NEEDLES, capture=True), Decoder()
    data = gzip.decompress((RECORDINGS / f"{name}.ami.gz").read_bytes())
    decoded = (decoder.decode(message, 0) for message in parser.receive_data(data) if message.kind == "event")
    return tuple(event for event in decoded if event is not None)


def renamed(event, prefix, shift):
    """The same event on other channels and at another time."""
    changed = {"at": event.at + shift}
    for field, value in event._asdict().items():
        if value and field in _IDENTIFIERS:
            changed[field] = prefix + value
        elif value and field in _CHANNELS:
            head, dash, serial = value.rpartition("-")
            changed[field] = head + dash + prefix + serial
    return event._replace(**changed)


def tracked(events, tracker=None):
    """Feed the events, then lose the link and see nothing left: every call comes out, and nothing stays behind."""
    tracker = tracker or Tracker("test")
    records = [record for event in events for record in tracker.feed(event)]
    end = max((event.at for event in events), default=0)
    tracker.lose_link(end)
    records += tracker.feed(ami.ChannelsListed(end))
    assert_nothing_is_left(tracker)
    return records


def assert_nothing_is_left(tracker):
    assert not tracker.calls
    assert not tracker.switch.legs
    assert not tracker.switch.bridges
    assert not tracker.switch._by_name
    assert not tracker._orphans
    assert tracker.census.is_empty
    assert not tracker._finished


def assert_sound(records):
    """No negative duration, instants in order, each call once, and an outcome that its instants bear out."""
    assert len({record.call_id for record in records}) == len(records)
    for record in records:
        order = [record.arrived_at, record.alerting_at, record.answered_at, record.ended_at]
        known = [instant for instant in order if instant is not None]
        assert known == sorted(known), record
        durations = [
            record.wait_duration,
            record.ring_duration,
            record.operator_ring_duration,
            record.talk_duration,
            record.hold_duration,
            *(attempt.ring_duration for attempt in record.attempts),
        ]
        assert all(duration is None or duration >= 0 for duration in durations), record
        assert (
            (record.outcome is Outcome.ANSWERED) == (record.answered_at is not None) == (record.answered_by is not None)
        )
        assert (record.ended_at is None) == (record.ended_by is None)
        for instant in (record.diverted_at, record.machine_answered_at, record.answered_not_before):
            assert instant is None or record.arrived_at <= instant, record
        if record.answered_not_before is not None:
            assert record.answered_not_before <= record.answered_at, record
        if record.diverted_at is not None:
            assert record.alerting_at <= record.diverted_at, record
            assert record.ended_at is None or record.diverted_at <= record.ended_at, record
        if record.hold_duration and record.talk_duration is not None:
            assert record.hold_duration <= record.talk_duration, record
