"""Telephone numbers in their spellings, and the operators' calls out, by which a lost caller is called back."""

import gzip
import re
from dataclasses import replace

import pytest

from telemon.ami import events as ami
from telemon.ami.events import NEEDLES, WANTED
from telemon.ami.wire import Parser
from telemon.cadences import COUNTRIES
from telemon.callbacks.dialled import HEARD, CallsOut
from telemon.callbacks.numbers import number_in, plan_of, same_number_key, spelling
from telemon.freezing import freeze, thaw
from telemon.instants import SECOND
from telemon.observer import Observer
from telemon.services import Numbering, Service
from telemon.tracker import Tracker
from tests.core.scene import START, Scene
from tests.core.test_recordings import RECORDINGS


def same(number, country="fr"):
    spelled = spelling(number, 4)
    assert spelled is not None
    return same_number_key(spelled, plan_of(country))


# -- numbers


@pytest.mark.parametrize(
    "number",
    [
        "06 12 34 56 78", "+33612345678", "0033612345678", "33612345678", "612345678", "+33 (0)6 12.34-56 78",
        "00612345678", "90612345678", "00033612345678", "36510612345678", "036510612345678",
    ],
)  # fmt: skip
def test_all_spellings_of_a_french_number_are_one(number):
    assert same(number) == "+33612345678"


@pytest.mark.parametrize(
    ("one", "other", "country"),
    [
        ("0262123456", "+262262123456", "re"),
        ("0262123456", "00262262123456", "fr"),
        ("0508411234", "+508411234", "pm"),
        ("+32475123456", "0032475123456", "fr"),
        ("+32475123456", "00032475123456", "fr"),
        ("32475123456", "+32475123456", "fr"),
        ("0475123456", "+32475123456", "be"),
        ("12025550123", "+12025550123", "us"),
        ("2025550123", "912025550123", "us"),
        ("+442079460123", "02079460123", "uk"),
        ("+390612345678", "0612345678", "it"),
        ("0612345678", "+3612345678", "hu"),
        ("+41445551234", "0041445551234", "ch"),
    ],
)
def test_elsewhere_too(one, other, country):
    assert same(one, country) == same(other, country)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("0612345678", "0712345678"),
        ("+33612345678", "+32612345678"),
        ("3631", "03631"),
        ("12345", "0612312345"),
        ("345678", "0612345678"),
        ("+376312345", "0376312345"),
        ("+12025550123", "0612025550"),
    ],
)
def test_other_numbers_stay_apart(one, other):
    assert same(one) != same(other)


def test_every_country_with_a_ring_has_a_numbering_plan():
    assert all(plan_of(country).codes for country in COUNTRIES)


@pytest.mark.parametrize("number", ["", "anonymous", "<unknown>", "201", "+12", "06123A5678", "٠٦١٢٣٤", "1" * 31])
def test_who_cannot_be_called_has_no_spelling(number):
    assert spelling(number, 4) is None


@pytest.mark.parametrize(
    ("dial_string", "number"),
    [
        ("0690000009@gsm", "0690000009"),
        ("g1/ww0612345678", "0612345678"),
        ("gsm/sip:+33612345678@10.0.0.1:5060;transport=udp", "+33612345678"),
        ("user:1234567@host/0612345678@context", "0612345678"),
        ("*31#0612345678@gsm", "0612345678"),
        ("user:1234567@host", ""),
        ("PJSIP/op1", ""),
        ("op1", ""),
        ("", ""),
        ("06\N{REPLACEMENT CHARACTER}12@gsm", ""),
    ],
)
def test_a_dial_tells_its_number(dial_string, number):
    assert number_in(dial_string) == number


# -- calls out, in events

NUMBERING = Numbering(services=(Service(name="standard", ddis=("_01XX",), queues=("standard",)),))


class Outside(Scene):
    """A stage on which calls out are heard, too."""

    def __init__(self):
        super().__init__(NUMBERING)
        self.out = CallsOut(self.tracker)

    def tell(self, kind, **fields):
        event = kind(at=self.now, **fields)
        super().tell(kind, **fields)
        if kind in HEARD:
            self.out.hear(event)

    def trunk(self, source, uniqueid, dial_string, *, interface="PJSIP/gsm"):
        self.channel(uniqueid, interface, context="from-trunk", linkedid=source or uniqueid)
        self.tell(
            ami.DialBegin, uniqueid=source, dest_channel=interface, dest_uniqueid=uniqueid, dial_string=dial_string
        )

    @property
    def reached(self):
        return [(at - START, number) for at, number in self.out.take()]


def test_an_operators_call_out_reaches_somebody_at_the_answer_and_until_its_end():
    scene = Outside()
    scene.phone_calls("op", "PJSIP/op1", "00612345678")
    scene.trunk("op", "out", "0612345678@gsm")
    assert scene.reached == []
    scene.at(5).dial_ends("out", "ANSWER")
    assert scene.reached == [(5 * SECOND, "0612345678")]
    scene.at(60).ends("out")
    assert scene.reached == [(60 * SECOND, "0612345678")]
    scene.ends("op")
    assert scene.records == []


@pytest.mark.parametrize("status", ["NOANSWER", "BUSY", "CANCEL", "CHANUNAVAIL", "CONGESTION"])
def test_a_call_out_that_nobody_answers_reaches_nobody(status):
    scene = Outside()
    scene.phone_calls("op", "PJSIP/op1", "00612345678")
    scene.trunk("op", "out", "0612345678@gsm")
    scene.dial_ends("out", status)
    scene.ends("out", "op")
    assert scene.reached == []


def test_what_a_callers_own_call_rings_outside_is_no_call_back():
    scene = Outside()
    scene.caller()
    scene.trunk("1795000000.0", "out", "0690000001@gsm")
    scene.dial_ends("out", "ANSWER")
    scene.ends("out")
    assert scene.reached == []


def test_nor_is_it_through_the_halves_of_a_local_channel():
    scene = Outside()
    scene.caller()
    scene.channel("l1", "Local/0690000001@external-0;1", linkedid="1795000000.0")
    scene.channel("l2", "Local/0690000001@external-0;2", linkedid="1795000000.0")
    scene.trunk("l2", "out", "0690000001@gsm")  # comes before the dial that leads to it
    scene.tell(ami.DialBegin, uniqueid="1795000000.0", dest_channel="Local/0690000001@external-0;1", dest_uniqueid="l1")
    scene.dial_ends("out", "ANSWER")
    assert scene.reached == []


def test_a_phones_call_out_through_the_halves_of_a_local_channel_is_one():
    scene = Outside()
    scene.phone_calls("op", "PJSIP/op1", "00612345678")
    scene.channel("l1", "Local/0612345678@external-0;1", linkedid="op")
    scene.channel("l2", "Local/0612345678@external-0;2", linkedid="op")
    scene.tell(
        ami.DialBegin, uniqueid="op", dest_channel="Local/x;1", dest_uniqueid="l1", dial_string="0612345678@external"
    )
    scene.trunk("l2", "out", "0612345678@gsm")
    scene.dial_ends("out", "ANSWER")
    scene.dial_ends("l1", "ANSWER")
    assert [number for _, number in scene.reached] == ["0612345678"]


def test_click_to_call_that_rings_the_operator_or_the_caller_first():
    scene = Outside()
    scene.channel("op", "PJSIP/op1")  # ordered by the manager: Down, so no call of its own
    scene.trunk("op", "out", "0612345678@gsm")
    scene.dial_ends("out", "ANSWER")
    scene.trunk("", "first", "0712345678@gsm")
    scene.dial_ends("first", "ANSWER")
    assert [number for _, number in scene.reached] == ["0612345678", "0712345678"]


def test_a_test_call_is_none():
    scene = Outside()
    for half in "12":
        scene.channel(f"l{half}", f"Local/0100@telemon-probe-0;{half}", context="telemon-probe")
    scene.trunk("l2", "out", "0100@gsm")
    scene.dial_ends("out", "ANSWER")
    assert scene.reached == []


def test_a_phone_that_places_test_calls_calls_nobody_back():
    scene = Outside()
    scene.tracker.numbering = replace(NUMBERING, probe_callers=frozenset({"0102030499"}))
    scene.channel("op", "PJSIP/robot", state=4, exten="0612345678", caller="0102030499")
    scene.trunk("op", "out", "0612345678@gsm")
    scene.dial_ends("out", "ANSWER")
    assert scene.reached == []


def test_what_a_services_queue_rings_for_somebody_of_the_house_is_no_call_back():
    scene = Outside()
    scene.phone_calls("op", "PJSIP/op1", "4000")
    scene.joins("op")
    scene.trunk("op", "out", "PJSIP/0690000001@gsm")
    scene.dial_ends("out", "ANSWER")
    assert scene.reached == []


def test_a_dial_of_somebody_who_was_never_seen_tells_nothing():
    scene = Outside()
    scene.trunk("stranger", "out", "0612345678@gsm")
    scene.dial_ends("out", "ANSWER")
    assert scene.reached == []


def test_legs_gone_unseen_do_not_pile_up():
    scene = Outside()
    scene.phone_calls("op", "PJSIP/op1", "00612345678")
    for number in range(1500):
        scene.trunk("op", f"out{number}", "0612345678@gsm")
        scene.tracker.switch.remove(scene.tracker.switch.legs[f"out{number}"])  # as a list after a gap does
    assert len(scene.out._rung) < 1001


@pytest.mark.parametrize("version", ["16", "22"])
def test_the_call_out_of_a_recording_is_heard(version):
    parser = Parser(WANTED, NEEDLES, capture=True)
    observer = Observer("pbx", Tracker("site"))
    data = gzip.decompress((RECORDINGS / version / "q1_outbound.ami.gz").read_bytes())
    observer.take(parser.receive_data(data), 0)
    answer, end = observer.calls_out.take()
    (stamp,) = re.findall(rb"Event: DialEnd\r\n.*\r\nTimestamp: (\d+)\.(\d+)\r\nChannel: PJSIP/op3", data)
    assert (answer.at, answer.number) == (int(b"".join(stamp)), "0690000009")
    assert (end.number, end.at > answer.at) == ("0690000009", True)
    assert observer.calls_out.take() == []


def test_no_recording_of_inbound_calls_holds_one():
    for path in sorted(RECORDINGS.glob("22/[a-k]*.ami.gz")):
        parser = Parser(WANTED, NEEDLES, capture=True)
        observer = Observer("pbx", Tracker("site"))
        observer.take(parser.receive_data(gzip.decompress(path.read_bytes())), 0)
        assert observer.calls_out.take() == [], path.name


def test_a_checkpoint_holds_no_number_that_was_dialled():
    parser = Parser(WANTED, NEEDLES, capture=True)
    observer = Observer("pbx", Tracker("site"))
    data = gzip.decompress((RECORDINGS / "22" / "q1_outbound.ami.gz").read_bytes())
    observer.take(parser.receive_data(data), 0)
    assert observer.calls_out.reached
    state = freeze(observer)
    assert b"0690000009" not in state
    again = thaw(state, Observer("pbx", Tracker("site")))
    assert again.calls_out.take() == []
    again.calls_out.hear(ami.DialEnd(0, "x", "", "ANSWER"))
