"""An observer frozen and thawed goes on as if nothing had happened; what is no state of one is refused."""

import os
import pickle

import pytest

from telemon.ami.events import NEEDLES, WANTED
from telemon.ami.wire import Parser
from telemon.freezing import freeze, thaw
from telemon.observer import Observer
from telemon.records import ServiceKind
from telemon.replay import read_capture
from telemon.services import EVERYTHING, Numbering, Service
from telemon.tracker import Tracker
from tests.core.test_recordings import RECORDINGS

CAPTURES = sorted(RECORDINGS.glob("2*/*.ami.gz"))
STANDARD = Service(name="standard", ddis=("0102030405", "0100"), queues=("standard",))


def observer(*services, pbx="pbx"):
    return Observer(pbx, Tracker("site", Numbering(services=services) if services else None))


def messages_of(capture):
    parser = Parser(WANTED, NEEDLES, capture=True)
    return [message for chunk in read_capture(str(capture)) for message in parser.receive_data(chunk)]


def lived(messages, every):
    """Return what an observer makes of these messages that is frozen and thawed after so many of them."""
    one, records = observer(), []
    for start in range(0, len(messages), every or len(messages)):
        records += one.take(messages[start : start + (every or len(messages))], 0)
        if every:
            one = thaw(freeze(one), observer())
    assert one.events
    return [*records, *one.tracker.give_up()], one.watch.take_changed()


@pytest.mark.parametrize("capture", CAPTURES, ids=lambda path: path.name.partition(".")[0])
def test_every_recording_gives_the_same_calls_however_often_it_is_interrupted(capture):
    messages = messages_of(capture)
    assert lived(messages, 97) == lived(messages, 0)


def in_mid_call():
    one = observer(STANDARD)
    for message in messages_of(next(path for path in CAPTURES if path.name.startswith("a1"))):
        one.take([message], 0)
        if any(call.alerting_at for call in one.tracker.open_calls()):
            return one
    raise AssertionError("no call in this recording")


def test_services_are_those_of_the_configuration_at_hand():
    (service,) = {call.service for call in in_mid_call().tracker.open_calls()}
    assert service is not None
    renewed = Service(name=service.name, ddis=("0999",), kind=ServiceKind.CRISIS)
    (thawed,) = thaw(freeze(in_mid_call()), observer(renewed)).tracker.open_calls()
    assert thawed.service is renewed
    (kept,) = thaw(freeze(in_mid_call()), observer(Service(name="other"))).tracker.open_calls()
    assert kept.service is not None
    assert (kept.service.name, kept.service.kind) == (service.name, service.kind)


def test_where_no_service_is_configured_the_one_of_everything_stays_itself():
    one = observer()
    for message in messages_of(CAPTURES[0]):
        one.take([message], 0)
        if one.tracker.calls:
            break
    assert {call.service for call in thaw(freeze(one), observer()).tracker.calls.values()} <= {EVERYTHING, None}


class Forged:
    def __reduce__(self):
        return (os.system, ("echo forged",))


@pytest.mark.parametrize("state", [b"", b"no pickle", pickle.dumps([1]), pickle.dumps(Forged())])
def test_what_is_no_state_is_refused_and_does_nothing(state, capfd):
    with pytest.raises(ValueError, match="state"):
        thaw(state, observer())
    assert capfd.readouterr() == ("", "")


def test_the_state_of_another_pbx_is_refused():
    with pytest.raises(ValueError, match="another PBX"):
        thaw(freeze(observer(pbx="north")), observer(pbx="south"))


def test_half_a_state_is_refused():
    state = freeze(in_mid_call())
    for length in range(0, len(state), 101):
        with pytest.raises(ValueError, match="no state"):
            thaw(state[:length], observer(STANDARD))
