"""Situations told again: as recorded, at other times, and one after the other."""

import gzip
from pathlib import Path

import pytest

from simulators.ami import situations as package
from simulators.ami.situations import (
    Programme,
    load_situation,
    situation_names,
    situation_versions,
)
from simulators.ami.telling import Caller, Numbers
from telemon.errors import TelemonError
from telemon.instants import SECOND, from_seconds
from telemon.replay import Replay
from tests.acceptance.situation_kit import check_against_truth, comparable, differences, only_row
from tests.lab.capture.stories.situations import SITUATIONS

BANNER = b"Asterisk Call Manager/11.0.0\r\n"
ALL = [(version, name) for version in ("22", "16") for name in situation_names(version)]
# Not the call's own: noise, or what the simulated switchboard adds by itself.
ADDED = (b"DeviceStateChange", b"ExtensionStatus", b"QueueMemberStatus", b"PresenceStateChange", b"FullyBooted")


def caller_of(situation, *, at=None, number="0199001234"):
    return Caller(number=number, ddi=situation.ddi, arrives_at=situation.dialled_at if at is None else at)


def written(events):
    return BANNER + b"".join(event.encode(at / SECOND) for at, event in events)


def recording(version, name):
    return gzip.decompress((Path(package.__file__).parent / version / f"{name}.ami.gz").read_bytes())


def headers(data):
    """The name of each event and of each of its headers."""
    for block in data.partition(b"\r\n")[2].split(b"\r\n\r\n"):
        names = [line.partition(b":")[0] for line in block.split(b"\r\n") if line]
        event = block.partition(b"Event: ")[2].partition(b"\r\n")[0]
        if event and event not in ADDED and b"\r\nPrivilege: security,all\r\n" not in block:
            yield event, names


def row_of(situation, plan=None):
    return only_row(written(situation.tell(caller_of(situation), Numbers(), plan or {})))


@pytest.mark.parametrize(("version", "name"), ALL)
def test_a_situation_is_told_as_it_was_recorded(version, name):
    situation = load_situation(name, version)
    caller = caller_of(situation, at=situation.dialled_at + 86400 * SECOND)
    told = written(situation.tell(caller, Numbers()))
    raw = recording(version, name)
    row = only_row(told)
    assert differences(comparable(only_row(raw)), comparable(row), within=0.001) == []
    check_against_truth(row, situation.truth(caller))
    assert list(headers(told)) == list(headers(raw))


@pytest.mark.parametrize("version", ["22", "16"])
def test_all_situations_in_a_row_are_as_many_calls_each_with_its_truth(version):
    programme = Programme.of(["all"], starts_at=1_800_000_000 * SECOND, version=version, site="test")
    session = Replay("test")
    records = session.feed(written(programme)) + session.finish()
    by_caller = {record.caller: record for record in records}
    truths = {truth.caller: truth for truth in programme.truths}
    assert len(truths) == len(situation_names(version))
    for number, truth in truths.items():
        check_against_truth(by_caller[number], truth)
        assert by_caller[number].call_id == truth.call_id
    assert set(programme.ddis) == {truth.ddi for truth in programme.truths}


def test_an_answer_that_comes_later_moves_all_that_follows():
    situation = load_situation("ring_all")
    before, after = row_of(situation), row_of(situation, {"op2 answers": from_seconds(5.5)})
    moved = after.answered_at - before.answered_at
    assert moved == pytest.approx(2.5 * SECOND, abs=0.05 * SECOND)
    assert after.ring_duration - before.ring_duration == moved
    assert after.talk_duration == before.talk_duration


def test_an_act_alone_moves_where_the_plan_names_the_one_after_it():
    situation = load_situation("ring_all")
    before = row_of(situation)
    (end,) = (act.at for act in situation.acts if act.name == "trunk hangs up")
    after = row_of(situation, {"op2 answers": from_seconds(5.5), "trunk hangs up": end})
    assert after.ended_at == pytest.approx(before.ended_at, abs=1000)
    assert after.talk_duration < before.talk_duration - 2 * SECOND


def test_a_timer_that_was_set_before_an_act_does_not_move_with_it():
    situation = load_situation("leave_empty")
    before, after = row_of(situation), row_of(situation, {"console QueuePause": from_seconds(3)})
    assert after.attempts[0].ring_duration == pytest.approx(before.attempts[0].ring_duration, abs=1000)
    assert after.ended_at == pytest.approx(before.ended_at, abs=1000)


@pytest.mark.parametrize(
    ("name", "plan", "complaint"),
    [
        ("ring_all", {"op2 answers": 9.0, "trunk hangs up": 7.0}, "trunk hangs up would come at 7.000 s"),
        ("leave_empty", {"console QueuePause": 4.6}, "does not fit the tape: what Asterisk told at 4"),
        ("turns_second_round", {"op2 answers": 3.0}, "op2 answers would come at 3.000 s"),
        ("ring_all", {"op9 answers": 3.0}, "no act 'op9 answers' on the tape; its acts are: trunk dials 0200, "),
    ],
)
def test_a_plan_that_does_not_fit_is_refused(name, plan, complaint):
    with pytest.raises(TelemonError, match=f"situation {name}: .*{complaint}"):
        row_of(load_situation(name), {act: from_seconds(at) for act, at in plan.items()})


def test_what_does_not_exist_is_named():
    with pytest.raises(TelemonError, match="no situation 'nonsense' of Asterisk 22; there are abandoned_in_queue, "):
        load_situation("nonsense")
    with pytest.raises(TelemonError, match="no situation 'ring_all' of Asterisk 99; versions are 16, 22"):
        load_situation("ring_all", "99")


def test_another_number_than_the_recorded_one_cannot_be_dialled():
    situation = load_situation("ring_all")
    caller = Caller(number="0199001234", ddi="0999", arrives_at=situation.dialled_at)
    with pytest.raises(TelemonError, match="the number dialled must be 0200, not 0999"):
        situation.tell(caller, Numbers())


def test_every_situation_is_recorded_from_both_versions():
    assert situation_versions() == ("16", "22")
    assert set(situation_names("22")) == set(situation_names("16")) == {situation.story for situation in SITUATIONS}
