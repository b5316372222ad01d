"""The judge and calls that were completed from Asterisk's own records: to the second, and only what those say."""

from dataclasses import replace

import pytest

from simulators.compare.comparison import compare
from simulators.compare.metrics import Status
from telemon.instants import SECOND
from telemon.records import EndedBy, Outcome
from tests.core.test_compare import CYCLE, KEY, SHORT, TOLERANCE, stored, truth


def differing(wanted, row):
    comparison = compare([wanted], [row], KEY, tolerance=TOLERANCE, ring_cycle=CYCLE, short_abandon=SHORT)
    return {
        found.metric for pair in comparison.joined.pairs for found in comparison.differences(pair, Status.DIFFERENT)
    }


def repaired(wanted, **changes):
    return replace(stored(wanted), from_records=True, **changes)


def test_whole_seconds_and_what_is_not_said_are_tolerated_only_where_the_row_is_made_of_records():
    wanted = truth(call_id="site:call0")
    early = {"arrived_at": wanted.arrived_at - 900_000, "ended_at": wanted.ended_at - 900_000}
    untold = {"ddi": "", "rung": (), "transferred_to": (), "machine_answered": True}
    assert differing(wanted, repaired(wanted, **early, **untold)) == set()
    assert differing(wanted, replace(stored(wanted), **early, **untold)) == {"arrived_at", "ended_at", *untold}


@pytest.mark.parametrize(
    ("changes", "metrics"),
    [
        ({"ended_at": None, "ended_by": None, "talk": None}, set()),
        ({"ended_by": EndedBy.SWITCHBOARD}, {"ended_by"}),
        ({"outcome": Outcome.UNKNOWN}, {"outcome"}),
        ({"answered_by": "PJSIP/op9"}, {"answered_by"}),
        ({"wait": 14 * SECOND}, {"wait_seconds"}),
        ({"ddi": "0199"}, {"ddi"}),
    ],
)
def test_what_a_record_does_say_is_held_to_the_truth(changes, metrics):
    wanted = truth(call_id="site:call0")
    assert differing(wanted, repaired(wanted, **changes)) == metrics
