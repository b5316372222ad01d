"""Which number, queue or context means which service."""

import pytest

from telemon.services import EVERYTHING, INBOUND_CONTEXTS, Numbering, Service, matches_exten


@pytest.mark.parametrize(
    ("pattern", "exten", "expected"),
    [
        ("0100", "0100", True),
        ("0100", "01000", False),
        ("0100", "100", False),
        ("+33.", "+33.", True),
        ("+33.", "+331", False),  # no leading underscore: the point is a point
        ("_01XX", "0199", True),
        ("_01XX", "019", False),
        ("_01XX", "01A9", False),
        ("_01xz", "0109", True),
        ("_01xz", "0100", False),
        ("_N.", "29", True),
        ("_N.", "19", False),
        ("_N.", "2", False),
        ("_0!", "0", True),
        ("_0!", "0123", True),
        ("_[2-57]Z", "79", True),
        ("_[2-57]Z", "69", False),
        ("_+33[1-5]XXXXXXXX", "+33123456789", True),
        ("_!", "", True),
        ("_.", "", False),
        ("_*8X", "*81", True),
        ("_0(1)", "0(1)", True),
        ("_01-XX", "0199", True),
        ("_X", "٣", False),
    ],
)
def test_an_extension_pattern_means_what_it_means_in_asterisk(pattern, exten, expected):
    assert matches_exten(pattern, exten) is expected


@pytest.mark.parametrize("pattern", ["_[]1", "_[5-2]X", "_[12", "_[^1]", "_[\\d]"])
def test_an_odd_class_never_breaks_the_matching(pattern):
    assert matches_exten(pattern, "not a number") is False


TOWN_HALL = Service(name="town hall", ddis=("_010X",), queues=("standard*",))
CRISIS = Service(name="crisis", ddis=("0199",), contexts=("crisis-*",), queues=("*",))


def test_the_first_service_that_fits_is_the_one():
    numbering = Numbering(services=(TOWN_HALL, CRISIS))
    assert numbering.service_dialled("from-trunk", "0105") is TOWN_HALL
    assert numbering.service_dialled("crisis-line", "0105") is TOWN_HALL
    assert numbering.service_dialled("crisis-line", "0555") is CRISIS
    assert numbering.service_dialled("from-trunk", "0555") is None
    assert numbering.service_of_queue("standard_lin") is TOWN_HALL
    assert numbering.service_of_queue("other") is CRISIS
    assert Numbering(services=(TOWN_HALL,)).service_of_queue("other") is None


def test_without_configuration_everything_from_outside_is_the_switchboard():
    numbering = Numbering()
    assert numbering.service_dialled("from-trunk", "") is EVERYTHING
    assert numbering.service_of_queue("anything") is EVERYTHING


@pytest.mark.parametrize("context", ["from-trunk", "from-pstn-1", "incoming", "trunk-sfr", "inbound.calls"])
def test_common_contexts_of_trunks_are_inbound(context):
    assert Numbering().is_inbound(context)
    assert any(context.startswith(pattern.rstrip("*")) for pattern in INBOUND_CONTEXTS)


@pytest.mark.parametrize("context", ["from-internal", "default", "FROM-TRUNK", ""])
def test_other_contexts_are_not(context):
    assert not Numbering().is_inbound(context)


def test_machines_are_known_by_their_interface():
    numbering = Numbering(machines=("PJSIP/voicebox*",))
    assert numbering.is_machine("PJSIP/voicebox-2")
    assert not numbering.is_machine("PJSIP/op1")
