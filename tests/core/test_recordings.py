"""Every recording of a real Asterisk, replayed and held against what the SIP side saw."""

import gzip
import json
from pathlib import Path

import pytest

from telemon.records import Flag, TransferResult
from telemon.replay import Replay

RECORDINGS = Path(__file__).parent.parent / "recordings"
CAPTURES = sorted(RECORDINGS.glob("*/*.ami.gz"))
TOLERANCE = 0.050


def replay(path, slice_size):
    data = gzip.decompress(path.read_bytes())
    session = Replay("test")
    records = []
    for start in range(0, len(data), slice_size):
        records += session.feed(data[start : start + slice_size])
    records += session.finish()
    assert session.parser.malformed == 0
    assert session.observer.decoder.ambiguous == 0
    assert not session.observer.tracker.calls
    return sorted(records, key=lambda record: record.arrived_at)


def paired(path, records):
    """Join each record with its truth: by caller, then in order of arrival."""
    truth = json.loads(path.with_name(path.name.replace(".ami.gz", ".truth.json")).read_text())["calls"]
    assert len(records) == len(truth)
    by_time = sorted(truth, key=lambda call: (call["caller"], call["invite_at_unix"]))
    return list(zip(sorted(records, key=lambda r: (r.caller, r.arrived_at)), by_time, strict=True))


def seconds(duration):
    return None if duration is None else duration / 1e6


def interfaces(names):
    return [f"PJSIP/{name}" for name in names]


def check_waits(record, truth):
    assert seconds(record.wait_duration) == pytest.approx(truth["wait_from_arrival_seconds"], abs=TOLERANCE)
    heard = truth["ring_heard_seconds"]
    heard = heard if heard is not None else truth["since_first_phone_rang_seconds"]
    if heard is None:
        assert not record.ring_duration
    else:
        assert seconds(record.ring_duration) == pytest.approx(heard, abs=TOLERANCE)


def check_end(record, truth):
    if Flag.ENDED_IN_GAP in record.flags:  # the capture cannot know what happened while it was cut
        assert record.ended_at is None
        assert record.talk_duration is None
        return
    talk = truth.get("talk_seconds")
    assert seconds(record.talk_duration) == (None if talk is None else pytest.approx(talk, abs=TOLERANCE))
    if "ended_by" in truth:
        assert record.ended_by == truth["ended_by"]


def check_people(record, truth):
    answered_by = truth.get("answered_by")
    assert record.answered_by == (answered_by and f"PJSIP/{answered_by}")
    if "phones" not in truth:  # the load recording keeps no list of phones
        return
    rung = sorted(attempt.operator for attempt in record.attempts)
    assert rung == sorted(interfaces(phone["phone"] for phone in truth["phones"]))
    reached = [transfer.to for transfer in record.transfers if transfer.result is TransferResult.ANSWERED]
    assert reached == interfaces(truth["transferred_to"])
    assert (record.machine_answered_at is None) == (truth["machine_answered"] is None)


@pytest.mark.parametrize("slice_size", [1 << 18, 1], ids=["whole", "bytewise"])
@pytest.mark.parametrize("path", CAPTURES, ids=lambda path: f"{path.parent.name}-{path.name.removesuffix('.ami.gz')}")
def test_a_recording_replays_to_what_the_sip_side_saw(path, slice_size):
    for record, truth in paired(path, replay(path, slice_size)):
        assert record.outcome == truth["outcome"]
        assert record.ddi == truth["ddi"]
        assert record.caller == truth["caller"]
        check_people(record, truth)
        check_waits(record, truth)
        check_end(record, truth)


def test_a_call_answered_in_a_gap_says_so_and_gives_bounds():
    for path in RECORDINGS.glob("*/m3_ami_gap_ring.ami.gz"):
        (record,) = replay(path, 1 << 18)
        assert Flag.ANSWERED_IN_GAP in record.flags
        assert record.alerting_at < record.answered_not_before <= record.answered_at <= record.ended_at


def test_a_capture_without_timestamps_is_flagged():
    for path in RECORDINGS.glob("*/v2_no_timestamps.ami.gz"):
        (record,) = replay(path, 1 << 18)
        assert Flag.NO_TIMESTAMPS in record.flags


def test_both_asterisks_and_every_recording_are_here():
    assert len(CAPTURES) == 144
