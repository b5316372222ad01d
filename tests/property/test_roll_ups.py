"""Whatever was rolled up, changed since or not built yet: a period's measures are those of its calls, to the last."""

import shutil
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from tempfile import TemporaryDirectory
from zoneinfo import ZoneInfo

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from telemon.buckets import HOUR, Buckets, Span
from telemon.instants import SECOND, from_datetime
from telemon.ledger import rolling_up
from telemon.ledger.reader import read_calls
from telemon.ledger.reader import totals as counted
from telemon.ledger.roll_ups import Stretch, read_measures, totals
from telemon.ledger.rolling_up import Roller
from telemon.ledger.store import open_ledger
from telemon.measures import measure_by_service
from telemon.records import CallRecord, Flag, Outcome, Provenance, ServiceKind
from telemon.roll_ups import definitions
from telemon.rulesets import load_rulesets
from tests.ledger.kit import store

CYCLE = 5 * SECOND
SITES = ("prefecture", "annexe")
DAY = 24 * HOUR
NIGHTS = {  # nights on which a calendar is most easily wrong
    "Europe/Paris": ["2026-03-29", "2026-10-25", "2028-02-29", "2027-01-01", "2026-07-14"],
    "Pacific/Marquesas": ["2026-01-01", "2028-02-29", "2026-10-25"],
    "Australia/Lord_Howe": ["2026-04-05", "2026-10-04", "2027-01-01"],  # its clocks change by half an hour
    "America/St_Johns": ["2006-10-29", "2006-04-02"],  # at one minute past midnight
    "Pacific/Apia": ["2011-12-30", "2012-01-01"],  # a day that never was
    "America/Sao_Paulo": ["2018-11-04", "2018-02-18"],  # clocks changed at midnight itself
}
ZONES = {zone: ZoneInfo(zone) for zone in NIGHTS}


def near(zone):
    """Instants on and around this zone's nights, many of them on the edge of something."""
    days = [datetime.fromisoformat(day) for day in NIGHTS[zone]]
    edges = [from_datetime((day + timedelta(days=more)).replace(tzinfo=ZONES[zone])) for day in days for more in (0, 1)]
    steps = st.sampled_from((0, HOUR // 2, HOUR, 2 * HOUR, 3 * HOUR, 24 * HOUR, 31 * DAY))
    return st.builds(
        lambda edge, sign, step, more: edge + sign * step + more,
        st.sampled_from(edges), st.sampled_from((-1, 1)), steps, st.sampled_from((-1, 0, 1)),
    )  # fmt: skip


# Buckets


@pytest.mark.parametrize("zone", sorted(NIGHTS))
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_cover_is_the_period_without_hole_or_overlap(zone, data):
    buckets = Buckets(ZONES[zone])
    start, end = sorted((data.draw(near(zone)), data.draw(near(zone))))
    stale = sorted({instant // HOUR for instant in data.draw(st.lists(near(zone), max_size=3))})
    pieces = buckets.cover(start, end, stale)
    assert [piece.start for piece in pieces] == [start, *(piece.end for piece in pieces)][: len(pieces)]
    assert not pieces or pieces[-1].end == end
    assert bool(pieces) == (start < end)
    for piece in pieces:
        if piece.span is not None:
            assert buckets.whole(piece.span, piece.start, piece.end) == piece
            assert not any(piece.start // HOUR <= hour and hour * HOUR < piece.end for hour in stale)


@pytest.mark.parametrize("zone", sorted(NIGHTS))
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_each_bucket_is_made_of_whole_finer_ones(zone, data):
    buckets = Buckets(ZONES[zone])
    instant = data.draw(near(zone))
    for finer, span in pairwise(Span):
        whole = buckets.whole(span, instant, instant + 1)
        assert whole.start <= instant < whole.end
        edges = buckets.starts(finer, whole.start, whole.end)
        assert (edges[0], edges[-1]) == (whole.start, whole.end)
        assert edges == sorted(edges)
        if finer is Span.HOUR:
            assert all(after - before <= HOUR for before, after in pairwise(edges))


# Sums


@st.composite
def calls(draw, zone):
    arrived_at = draw(near(zone))
    rang = draw(st.sampled_from((0, 4_999_999, 5 * SECOND, 19_999_999, 20 * SECOND, 700 * SECOND)))
    outcome = draw(st.sampled_from(Outcome))
    over = arrived_at + 2 * SECOND + rang
    return CallRecord(
        call_id=f"call-{draw(st.integers(0, 30))}",
        site=draw(st.sampled_from(SITES)),
        service=draw(st.sampled_from(("standard", "nuit"))),
        service_kind=ServiceKind.SWITCHBOARD,
        ddi="", caller="", linkedid="",
        arrived_at=arrived_at,
        alerting_at=draw(st.sampled_from((None, arrived_at + 2 * SECOND))),
        operator_ringing_at=None, operator_up_at=None,
        answered_at=over if outcome is Outcome.ANSWERED else None,
        answered_not_before=None,
        machine_answered_at=draw(st.sampled_from((None, arrived_at + SECOND))),
        diverted_at=None,
        ended_at=draw(st.sampled_from((None, over + SECOND))),
        outcome=outcome,
        ended_by=None, answered_by=None, queues=(), attempts=(), transfers=(), hold_duration=0, hangup_cause=None,
        is_probe=draw(st.integers(0, 9)) == 0,
        flags=tuple(draw(st.lists(st.sampled_from(Flag), max_size=1))),
        provenance=draw(st.sampled_from(Provenance)),
    )  # fmt: skip


@pytest.fixture(scope="module")
def empty(tmp_path_factory):
    """A ledger without any call, closed: copying it is quicker than making another."""
    file = tmp_path_factory.mktemp("empty") / "ledger.db"
    open_ledger(f"sqlite:///{file}").dispose()
    return file


@pytest.mark.parametrize("zone", sorted(NIGHTS))
@settings(max_examples=12, deadline=None, phases=set(Phase) - {Phase.explain})
@given(data=st.data())
def test_measures_by_way_of_roll_ups_are_those_of_the_calls(empty, zone, data):
    known = definitions(load_rulesets(), CYCLE, zone)
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(rolling_up, "CALLS", data.draw(st.integers(1, 4), "calls in a step"))
        copy = shutil.copy(empty, folder)
        engine = open_ledger(f"sqlite:///{copy}")
        roller = Roller(engine, SITES, known)
        for batch in data.draw(st.lists(st.lists(calls(zone), min_size=1, max_size=12), min_size=1, max_size=3)):
            store(engine, *batch)
            for _ in range(data.draw(st.sampled_from((0, 1, 3, 1000)), "steps")):
                if not roller.step():
                    break
            compare(engine, known, data.draw, zone)
        engine.dispose()


def compare(engine, known, draw, zone):
    every = list(read_calls(engine, 0, from_datetime(datetime(2100, 1, 1, tzinfo=UTC))))
    definition = known[draw(st.sampled_from(sorted(known)))]
    sites = draw(st.sampled_from((SITES, SITES[:1], SITES[1:])))
    start, end = sorted((draw(near(zone)), draw(near(zone)) + draw(st.sampled_from((0, DAY, 366 * DAY)))))
    expected = measure_by_service(
        [call for call in every if call.site in sites and start <= call.arrived_at < end],
        definition.ruleset, definition.cycle, gap_duration=1, period_duration=2,
    )  # fmt: skip
    assert read_measures(engine, Stretch(sites, start, end), definition, 1, 2) == expected
    night = {service: measures for service, measures in expected.items() if service == "nuit"}
    assert read_measures(engine, Stretch(sites, start, end, "nuit"), definition, 1, 2) == night
    assert totals(engine, sites, known) == counted(engine, sites)
