"""Captures as files: plain, compressed, from standard input, torn, or no captures at all."""

import gzip
import io
import sys
from pathlib import Path

import pytest
import zstandard

from telemon.config import Config, JournalConfig
from telemon.config_pbx import PbxConfig
from telemon.errors import AmiProtocolError, CaptureError
from telemon.journal.entries import Heard
from telemon.journal.writer import Journal
from telemon.observation import Sight
from telemon.playback import playback, size_of
from telemon.records import Provenance
from telemon.replay import Replay, read_capture

CAPTURE = Path(__file__).parent.parent / "recordings" / "22" / "a1_queue_ring.ami.gz"
RAW = gzip.decompress(CAPTURE.read_bytes())


def read(path):
    return b"".join(read_capture(str(path)))


@pytest.mark.parametrize(
    ("suffix", "pack"),
    [
        ("ami", bytes),
        ("gz", gzip.compress),
        ("zst", zstandard.compress),
        ("gz", lambda data: gzip.compress(data[:5000]) + gzip.compress(data[5000:])),
        ("zst", lambda data: zstandard.compress(data[:5000]) + zstandard.compress(data[5000:])),
    ],
    ids=["plain", "gzip", "zstd", "two gzip members", "two zstd frames"],
)
def test_a_capture_is_read_whole_however_it_is_packed(tmp_path, suffix, pack):
    path = tmp_path / f"capture.{suffix}"
    path.write_bytes(pack(RAW))
    assert read(path) == RAW


@pytest.mark.parametrize(("suffix", "pack"), [("ami", bytes), ("gz", gzip.compress), ("zst", zstandard.compress)])
def test_how_far_it_has_read_adds_up_to_the_file(tmp_path, suffix, pack):
    path = tmp_path / f"capture.{suffix}"
    path.write_bytes(pack(RAW))
    steps: list[int] = []
    for _ in read_capture(str(path), steps.append):
        pass
    assert sum(steps) == path.stat().st_size == size_of(str(path))


def test_how_far_it_has_read_of_a_journal_adds_up_too(tmp_path):
    folder = journal_of(tmp_path, "one")
    steps: list[int] = []
    for _ in playback(str(folder), configured(tmp_path)).portions(steps.append):
        pass
    assert sum(steps) == sum(path.stat().st_size for path in folder.glob("*.journal")) == size_of(str(folder))


def journal_of(place, pbx):
    folder = place / "journal" / pbx
    events = [block + b"\r\n\r\n" for block in RAW.split(b"\r\n\r\n") if block.startswith(b"Event: ")]
    opened = Journal(folder, keep=1 << 60, maximum_bytes=1 << 40, free_bytes=0)
    for event in events:
        opened.append(Heard(0, event))
    assert opened.close(20) == 0
    return folder


def configured(place):
    secret = {"secret": "s"}
    return Config(
        site="site",
        pbx=tuple(PbxConfig.model_validate({"name": name, **secret}) for name in ("one", "two")),
        journal=JournalConfig(folder=place / "journal"),
    )


@pytest.mark.parametrize("name", ["one", "two", "three"])
def test_a_journal_is_of_the_pbx_in_whose_folder_it_lies(tmp_path, name):
    folder = journal_of(tmp_path, name)
    config = configured(tmp_path)
    owner = "two" if name == "two" else "one"
    for source in (folder, *folder.glob("*.journal")):
        portions = list(playback(str(source), config).portions(lambda _: None))
        (call,) = (call for portion in portions for call in portion.calls)
        assert call.call_id.startswith(f"site/{owner}:")
        intervals = [interval for portion in portions for interval in portion.intervals]
        assert {(interval.pbx, interval.sight) for interval in intervals} == {(owner, Sight.SEEN)}


def test_a_journal_gives_the_call_that_its_capture_gives(tmp_path):
    (journalled,) = (
        call
        for portion in playback(str(journal_of(tmp_path, "one")), configured(tmp_path)).portions(lambda _: None)
        for call in portion.calls
    )
    (captured,) = Replay("site/one").feed(RAW)
    assert journalled == captured


def test_a_capture_may_come_from_standard_input(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(RAW)))
    assert read("-") == RAW


def damaged(data):
    middle = len(data) // 2
    return data[:middle] + bytes(byte ^ 0xFF for byte in data[middle : middle + 64]) + data[middle + 64 :]


@pytest.mark.parametrize(
    "harm", [lambda data: data[:-40], damaged, lambda data: data[:10] + b"\xff" * 100, lambda _: b"no"]
)
@pytest.mark.parametrize(("suffix", "pack"), [("gz", gzip.compress), ("zst", zstandard.compress)])
def test_a_damaged_archive_is_named_and_never_taken_for_a_short_capture(tmp_path, suffix, pack, harm):
    path = tmp_path / f"capture.{suffix}"
    path.write_bytes(harm(pack(RAW)))
    with pytest.raises(CaptureError, match=r"capture\..*cannot be read as a capture"):
        read(path)


def test_what_cannot_be_opened_is_named(tmp_path):
    for path in (tmp_path / "nowhere.ami", tmp_path):
        with pytest.raises(CaptureError, match="check the path"):
            read(path)


def test_each_record_says_that_it_was_replayed():
    (record,) = Replay("site").feed(RAW)
    assert record.provenance is Provenance.REPLAYED
    assert record.call_id.startswith("site:")


def test_a_second_banner_is_a_gap_until_the_next_list_of_channels():
    session = Replay("site")
    session.feed(RAW)
    watch = session.observer.watch
    watch.take_changed()
    session.feed(b"Asterisk Call Manager/11.0.0\r\nResponse: Success\r\n\r\n")
    assert [interval.sight for interval in watch.take_changed()] == [Sight.SEEN, Sight.GAP]
    session.feed(b"Event: CoreShowChannelsComplete\r\nEventList: Complete\r\n\r\n")
    assert [interval.sight for interval in watch.take_changed()] == [Sight.GAP, Sight.SEEN]


def test_a_call_that_the_capture_does_not_see_to_its_end_comes_out_at_its_finish():
    session = Replay("site")
    assert session.feed(RAW[: RAW.index(b"Event: HangupRequest")]) == []
    (record,) = session.finish()
    assert record.ended_at is None
    assert session.finish() == []


def test_a_capture_that_begins_with_a_call_under_way_takes_its_arrival_from_the_uniqueid():
    session = Replay("site")
    listed = {
        "Channel": "PJSIP/trunk-00000001",
        "ChannelState": "4",
        "CallerIDNum": "0639980001",
        "Context": "from-trunk",
        "Exten": "0102030405",
        "Uniqueid": "1795416852.1",
        "Linkedid": "1795416852.1",
        "Application": "Queue",
    }
    lines = "".join(f"{name}: {value}\r\n" for name, value in listed.items())
    session.feed(
        f"Asterisk Call Manager/11.0.0\r\nEvent: CoreShowChannel\r\n{lines}\r\n"
        "Event: CoreShowChannelsComplete\r\nEventList: Complete\r\n\r\n".encode()
    )
    (record,) = session.finish()
    assert record.arrived_at == 1_795_416_852_000_000


@pytest.mark.parametrize("torn", [1, 100, 5001])
def test_a_capture_torn_anywhere_is_read_up_to_there(torn):
    session = Replay("site")
    assert len([*session.feed(RAW[:-torn]), *session.finish()]) == 1


def test_bytes_beyond_the_limits_are_an_error_and_what_came_before_is_kept():
    session = Replay("site")
    assert len(session.feed(RAW + b"x" * (2 << 20))) == 1
    with pytest.raises(AmiProtocolError, match="longer than"):
        session.feed(b"x")
