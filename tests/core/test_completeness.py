"""Of two records of one call, which says more."""

from dataclasses import replace

import pytest

from telemon.completeness import Completeness, completeness
from telemon.records import Flag, Outcome, Provenance
from tests.ledger.kit import RICH

SEEN = replace(RICH, flags=(), provenance=Provenance.LIVE)
LEAST_FIRST = [
    replace(SEEN, outcome=Outcome.UNKNOWN, flags=(Flag.ENDED_IN_GAP,)),
    replace(SEEN, flags=(Flag.ENDED_IN_GAP, Flag.ARRIVED_IN_GAP)),
    replace(SEEN, provenance=Provenance.IMPORTED, flags=(Flag.WHOLE_SECONDS,)),
    replace(SEEN, flags=(Flag.ARRIVED_IN_GAP, Flag.SEEN_THROUGH_GAP)),
    replace(SEEN, provenance=Provenance.REPAIRED, flags=(Flag.ARRIVED_IN_GAP,)),
    replace(SEEN, flags=(Flag.SEEN_THROUGH_GAP, Flag.INTERNAL)),
    SEEN,
]


def test_each_step_says_more_than_the_one_before():
    assert [completeness(call) for call in LEAST_FIRST] == list(Completeness)


@pytest.mark.parametrize("provenance", Provenance)
@pytest.mark.parametrize("flag", [None, *Flag])
def test_nothing_says_less_than_an_unknown_call_whatever_else_is_told(provenance, flag):
    flags = () if flag is None else (flag,)
    unknown = replace(SEEN, outcome=Outcome.UNKNOWN, provenance=provenance, flags=flags)
    assert completeness(unknown) == min(Completeness)
    assert completeness(replace(unknown, outcome=Outcome.ANSWERED)) > completeness(unknown)


@pytest.mark.parametrize("flag", sorted(flag for flag in Flag if not flag.value.endswith("_gap")))
def test_a_flag_that_is_about_no_gap_changes_nothing(flag):
    assert completeness(replace(SEEN, flags=(flag,))) is Completeness.SEEN


def test_what_was_read_again_from_the_journal_says_as_much_as_what_was_seen():
    assert completeness(replace(SEEN, provenance=Provenance.REPLAYED)) is Completeness.SEEN
