"""The judge: whom it joins, what it finds, and what it lets pass."""

import re
from dataclasses import replace
from io import StringIO
from itertools import permutations
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from simulators.compare.comparison import compare
from simulators.compare.lines import lines
from simulators.compare.matching import match
from simulators.compare.metrics import Status
from simulators.compare.row import LedgerRow
from simulators.compare.tables import edges_table, faults_table, metrics_table, totals_table
from simulators.truth import CallTruth
from telemon.cadences import rings_if_any
from telemon.instants import SECOND
from telemon.privacy import pseudonym, without_numbers
from telemon.records import EndedBy, Outcome
from telemon.texts import text, use

KEY = bytes(range(32))
CYCLE = 5 * SECOND
TOLERANCE = SECOND // 10
SHORT = 5 * SECOND
MILLISECOND = SECOND // 1000
T = 1_795_000_000 * SECOND
MOBILE = "PJSIP/0639980001@gsm"


def truth(number=0, **changes):
    arrived_at = changes.pop("arrived_at", T + number * 60 * SECOND)
    values = {
        "name": f"call{number}",
        "service": "standard",
        "ddi": "0102030405",
        "caller": f"01990000{number:02d}",
        "outcome": Outcome.ANSWERED,
        "arrived_at": arrived_at,
        "alerting_at": arrived_at + 100 * MILLISECOND,
        "answered_at": arrived_at + 12 * SECOND,
        "wait_ended_at": arrived_at + 12 * SECOND,
        "ended_at": arrived_at + 40 * SECOND,
        "ended_by": EndedBy.CALLER,
        "answered_by": "PJSIP/op2",
        "machine_answered": False,
        "rung": ("PJSIP/op1", "PJSIP/op2", MOBILE),
        "transferred_to": ("PJSIP/svc1",),
    }
    return CallTruth(**values | changes)


def lost(number=0, **changes):
    gone = {"outcome": Outcome.ABANDONED, "answered_at": None, "answered_by": None, "transferred_to": ()}
    return truth(number, **gone | changes)


def stored(known, key=KEY, **changes):
    """Return the row that a ledger with this key has of a call; without a key, one with the numbers themselves."""

    def hidden(address):
        return without_numbers(address, key) if key else address

    ring = known.ring_duration
    row = LedgerRow(
        call_id=known.call_id or f"site:{known.name}",
        site="site",
        service=known.service,
        ddi=known.ddi,
        caller=pseudonym(known.caller, key) if key else known.caller,
        outcome=known.outcome,
        arrived_at=known.arrived_at,
        ended_at=known.ended_at,
        ended_by=known.ended_by,
        answered_by=known.answered_by and hidden(known.answered_by),
        machine_answered=known.machine_answered,
        wait=known.wait_duration,
        ring=ring,
        talk=known.talk_duration,
        rings=rings_if_any(ring, CYCLE),
        rung=tuple(map(hidden, known.rung)),
        transferred_to=tuple(map(hidden, known.transferred_to)),
    )
    return replace(row, **changes)


def judged(truths, rows, key=KEY):
    return compare(truths, rows, key, tolerance=TOLERANCE, ring_cycle=CYCLE, short_abandon=SHORT)


def found(comparison):
    """Return what differs as (call, metric)."""
    pairs = [comparison.joined.pairs[number] for number in comparison.different]
    return [
        (known.name, difference.metric)
        for known, row in pairs
        for difference in comparison.differences((known, row), Status.DIFFERENT)
    ]


# Matching by arrival


def cost(ours, theirs, pairs, window):
    return sum(abs(ours[a] - theirs[b]) for a, b in pairs) + window / 2 * (len(ours) + len(theirs) - 2 * len(pairs))


def cheapest(ours, theirs, window):
    """Try every matching there is, in order of arrival or not."""
    if len(ours) > len(theirs):
        return cheapest(theirs, ours, window)
    places = [*range(len(theirs)), *[None] * len(ours)]
    return min(
        cost(ours, theirs, [(a, b) for a, b in enumerate(chosen) if b is not None], window)
        for chosen in permutations(places, len(ours))
    )


instants = st.lists(st.integers(0, 60), max_size=4)


@given(instants, instants, st.integers(1, 30))
def test_no_other_matching_is_cheaper(ours, theirs, window):
    pairs = list(match(ours, theirs, window))
    assert cost(ours, theirs, pairs, window) == cheapest(ours, theirs, window)
    assert all(abs(ours[a] - theirs[b]) <= window for a, b in pairs)
    assert len({a for a, _ in pairs}) == len({b for _, b in pairs}) == len(pairs)


def test_many_at_once_are_matched_each_with_its_own():
    ours = [number * 10 * MILLISECOND for number in range(20_000)]
    theirs = [at + 4 * MILLISECOND for at in ours if at % (1000 * MILLISECOND)]
    pairs = list(match(ours, theirs, 2 * SECOND))
    assert len(pairs) == len(theirs)
    assert all(theirs[b] - ours[a] == 4 * MILLISECOND for a, b in pairs)


# Joining


@st.composite
def rehearsals(draw):
    """Return truths, at least 100 ms apart, and a ledger of them: within 40 ms, in any order."""
    truths, rows, at = [], [], T
    key = draw(st.sampled_from([KEY, None]))
    for number in range(draw(st.integers(1, 12))):
        at += draw(st.integers(100, 3000)) * MILLISECOND
        ring = draw(st.integers(0, 30_000)) * MILLISECOND
        known = draw(st.sampled_from([truth, lost]))(
            number,
            arrived_at=at,
            call_id=draw(st.sampled_from([None, f"site:{number}"])),
            caller=draw(st.sampled_from(["0199000001", "01 99 00 00 02", "anonymous", ""])),
            ddi=draw(st.sampled_from(["0102030405", "0102030406"])),
            alerting_at=draw(st.sampled_from([None, at + 5])),
            wait_ended_at=at + ring,
            rung=draw(st.sampled_from([(), ("PJSIP/op1",), ("PJSIP/op1", MOBILE)])),
        )
        if known.answered_at is not None:
            known = replace(known, answered_at=at + ring)
        truths.append(known)
        arrived, waited = (draw(st.integers(-40, 40)) * MILLISECOND for _ in range(2))
        ring_found = known.ring_duration and max(0, known.ring_duration + waited)
        rows.append(
            stored(
                known,
                key,
                arrived_at=at + arrived,
                wait=known.wait_duration + waited,
                ring=ring_found,
                rings=rings_if_any(ring_found, CYCLE),
                rung=tuple(draw(st.permutations(stored(known, key).rung))),
            )
        )
    return truths, draw(st.permutations(rows))


@given(rehearsals(), st.sampled_from([KEY, None]))
def test_a_jittered_ledger_in_any_order_is_clean(rehearsal, key):
    truths, rows = rehearsal
    result = judged(truths, rows, key)
    assert [known for known, _ in result.joined.pairs] == truths
    assert found(result) == []
    assert result.is_clean
    assert result.outside == 0
    assert all(abs(tally.greatest or 0) <= 40 * MILLISECOND for tally in result.tallies)


def test_neighbours_are_told_apart_by_their_callers():
    first, second = truth(1, arrived_at=T), lost(2, arrived_at=T + 5 * MILLISECOND)
    rows = [
        stored(second, arrived_at=T + 1 * MILLISECOND),
        stored(first, arrived_at=T + 6 * MILLISECOND),
    ]
    assert judged([first, second], rows).is_clean
    swapped = judged([first, second], rows, None)
    assert swapped.blind
    assert ("call1", "outcome") in found(swapped)


def test_the_call_id_goes_before_everything_else():
    known = truth(1, call_id="site:7.0")
    row = stored(known, arrived_at=known.arrived_at + 3600 * SECOND, ended_at=known.ended_at + 3600 * SECOND)
    assert found(judged([known], [row])) == [("call1", "arrived_at"), ("call1", "ended_at")]


def test_a_lost_call_does_not_shift_those_after_it():
    truths = [truth(number, arrived_at=T + number * SECOND) for number in range(6)]
    rows = [stored(known) for known in truths[1:]]
    again = stored(truths[5], call_id="again", arrived_at=T + 6 * SECOND)
    result = judged(truths, [*rows, again], None)
    assert result.joined.missing == [truths[0]]
    assert result.joined.surplus == [again]
    assert found(result) == []


@pytest.mark.parametrize("call_id", [None, "site:1"])
def test_a_call_counted_twice_is_one_too_many(call_id):
    known = truth(1, call_id=call_id)
    row = stored(known)
    result = judged([known], [row, row])
    assert (result.joined.missing, result.joined.surplus) == ([], [row])
    assert not result.is_clean


def test_a_call_that_the_ledger_lost_is_missing():
    truths = [truth(1), lost(2)]
    result = judged(truths, [stored(truths[0])])
    assert result.joined.missing == [truths[1]]
    assert not result.is_clean
    ours, theirs = result.outcomes()
    assert ours == {Outcome.ANSWERED: 1, Outcome.ABANDONED: 1}
    assert theirs == {Outcome.ANSWERED: 1}


def test_calls_of_other_times_are_not_the_rehearsals():
    known, window = truth(1), 2 * SECOND
    others = [known.arrived_at - window - 1, known.ended_at + 1]
    within = [known.arrived_at - window, known.ended_at]
    stranger = truth(9)
    rows = [stored(stranger, arrived_at=at, call_id=str(at)) for at in (*others, *within)]
    result = judged([known], [stored(known), *rows])
    assert result.outside == 2
    assert [row.arrived_at for row in result.joined.surplus] == within


# What differs


def perturbed(row):
    """Return what to change in a row so that one metric, and no other, is beyond the tolerance."""
    return {
        "call_id": {"call_id": "site:99"},
        "service": {"service": "permanence"},
        "ddi": {"ddi": "0102030499"},
        "caller": {"caller": pseudonym("0199999999", KEY)},
        "outcome": {"outcome": Outcome.UNKNOWN},
        "ended_by": {"ended_by": EndedBy.SWITCHBOARD},
        "answered_by": {"answered_by": "PJSIP/op3"},
        "machine_answered": {"machine_answered": True},
        "rung": {"rung": (*row.rung, row.rung[0])},
        "transferred_to": {"transferred_to": ()},
        "rings": {"rings": row.rings - 1},
        "arrived_at": {"arrived_at": row.arrived_at + TOLERANCE + 1},
        "wait_seconds": {"wait": row.wait - TOLERANCE - 1},
        "ring_seconds": {"ring": None},
        "talk_seconds": {"talk": row.talk + TOLERANCE + 1},
        "ended_at": {"ended_at": None},
    }


@pytest.mark.parametrize("metric", perturbed(stored(truth())))
@given(which=st.integers(0, 3))
def test_a_single_fault_is_found_and_named(metric, which):
    truths = [truth(number, call_id=f"site:{number}" if metric == "call_id" else None) for number in range(4)]
    rows = [stored(known) for known in truths]
    rows[which] = replace(rows[which], **perturbed(rows[which])[metric])
    result = judged(truths, rows)
    assert found(result) == [(f"call{which}", metric)]
    assert not result.is_clean
    assert [(tally.metric, tally.different) for tally in result.tallies if tally.different] == [(metric, 1)]


def test_every_metric_is_perturbed_above():
    assert {tally.metric for tally in judged([truth()], [stored(truth())]).tallies} == perturbed(stored(truth())).keys()


def test_what_lies_within_the_tolerance_is_measured_all_the_same():
    truths = [truth(number) for number in range(100)]
    rows = [stored(known, arrived_at=known.arrived_at - number * MILLISECOND) for number, known in enumerate(truths)]
    result = judged(truths, rows)
    tally = next(tally for tally in result.tallies if tally.metric == "arrived_at")
    assert result.is_clean
    assert (tally.same, tally.greatest, tally.p95) == (100, -99 * MILLISECOND, 94 * MILLISECOND)


@pytest.mark.parametrize(
    ("rang", "rang_found", "status"),
    [
        (19_950, 20_010, Status.ON_EDGE),
        (20_050, 19_990, Status.ON_EDGE),
        (20_100, 20_000, Status.SAME),
        (19_950, 19_990, Status.SAME),
        (19_899, 20_000, Status.DIFFERENT),  # more than the tolerance apart
        (19_950, 14_999, Status.DIFFERENT),  # that ring begins elsewhere
        (19_950, 25_000, Status.DIFFERENT),  # two rings more
    ],
)
def test_rings_at_the_edge(rang, rang_found, status):
    known = lost(alerting_at=T, wait_ended_at=T + rang * MILLISECOND)
    row = stored(known, ring=rang_found * MILLISECOND, rings=rings_if_any(rang_found * MILLISECOND, CYCLE))
    result = judged([known], [row])
    rings = next(tally for tally in result.tallies if tally.metric == "rings")
    assert {Status.SAME: rings.same, Status.ON_EDGE: rings.on_edge, Status.DIFFERENT: rings.different}[status] == 1
    assert result.on_edge == ((0,) if status is Status.ON_EDGE else ())
    assert result.is_clean == (status is not Status.DIFFERENT)


def test_a_ring_more_in_mid_cycle_is_a_fault_even_if_the_time_is_right():
    known = lost(alerting_at=T, wait_ended_at=T + 12 * SECOND)
    assert found(judged([known], [stored(known, rings=4)])) == [("call0", "rings")]


# Numbers


@pytest.mark.parametrize(("rang", "tolerated"), [(4_950, True), (5_050, True), (4_850, False), (5_150, False)])
def test_a_hair_between_a_short_abandon_and_one_that_counts(rang, tolerated):
    known = lost(alerting_at=T, wait_ended_at=T + rang * MILLISECOND, ended_at=T + rang * MILLISECOND)
    result = judged([known], [stored(known, outcome=Outcome.SHORT_ABANDONED)])
    assert result.is_clean is tolerated
    assert result.on_edge == ((0,) if tolerated else ())


@pytest.mark.parametrize("shown", [KEY, None], ids=["pseudonyms", "numbers"])
@pytest.mark.parametrize("given_key", [KEY, None], ids=["key", "no key"])
def test_a_mobile_is_recognised(shown, given_key):
    known = truth(answered_by=MOBILE)
    assert judged([known], [stored(known, shown)], given_key).is_clean
    other = stored(truth(answered_by="PJSIP/op9"), shown, rung=stored(known, shown).rung)
    assert found(judged([known], [other], given_key)) == [("call0", "answered_by")]


def test_only_the_key_tells_two_mobiles_apart():
    known = truth(answered_by=MOBILE, rung=(MOBILE,))
    other = stored(truth(answered_by="PJSIP/0639980002@gsm", rung=("PJSIP/0639980002@gsm",)))
    assert found(judged([known], [other])) == [("call0", "answered_by"), ("call0", "rung")]
    assert judged([known], [other], None).is_clean


def test_a_pseudonym_that_looks_as_if_it_held_a_number_is_recognised():
    numbers = (f"06399{number:05d}" for number in range(100_000))
    mobile = next(number for number in numbers if re.search("[0-9]{6}", pseudonym(number, KEY)))
    known = truth(answered_by=f"Local/{mobile}@mobiles", caller=mobile)
    assert judged([known], [stored(known)]).is_clean
    assert judged([known], [stored(known)], None).is_clean


def test_another_key_is_said_to_be_so():
    truths = [truth(number) for number in range(3)]
    result = judged(truths, [stored(known) for known in truths], b"another key, of another telemon's")
    assert result.is_key_wrong
    assert {metric for _, metric in found(result)} == {"caller", "rung"}
    assert not judged(truths, [stored(known) for known in truths]).is_key_wrong


# What is shown


def shown(*tables):
    file = StringIO()
    Console(file=file, width=160, color_system=None).print(*tables)
    return file.getvalue()


@pytest.fixture
def french():
    before = text().language
    use("fr")
    yield
    use(before)


def faulty():
    truths = [truth(1, name="[red]\x1b[2J[/nothing]"), lost(2), truth(3), lost(4, wait_ended_at=T + 260 * SECOND)]
    late = {"ring": truths[3].ring_duration - 10 * MILLISECOND, "rings": 4}
    rows = [
        stored(truths[0], outcome=Outcome.UNKNOWN, talk=1_234_567),
        stored(truths[2]),
        stored(truths[2], call_id="twice"),
        stored(truths[3], **late),
    ]
    return truths, rows


def test_the_tables_name_each_fault_and_obey_no_caller():
    result = judged(*faulty())
    zone = ZoneInfo("Europe/Paris")
    said = shown(faults_table(result, zone, None))
    assert "[red]\N{REPLACEMENT CHARACTER}[2J[/nothing]" in said
    assert "\x1b" not in said
    assert ("28.000" in said, "1.235" in said, "-26.765" in said) == (True, True, True)
    assert ("missing" in said, "too many" in said) == (True, True)
    assert "2026-11-18 12:07:40.000" in said  # T + 60 s, in Paris
    first = shown(faults_table(result, zone, 1))
    assert "missing" not in first


@pytest.mark.usefixtures("french")
def test_the_tables_speak_french():
    result = judged(*faulty())
    said = shown(metrics_table(result), faults_table(result, ZoneInfo("Europe/Paris"), None), totals_table(result))
    for words in ("Mesure par mesure", "postes sonnés", "28,000", "manque", "en trop", "présentés", "abandonné"):
        assert words in said


def test_the_edges_are_shown():
    known = lost(alerting_at=T, wait_ended_at=T + 20 * SECOND + 5 * MILLISECOND)
    result = judged([known], [stored(known, ring=19_995 * MILLISECOND, rings=4)])
    said = shown(edges_table(result, ZoneInfo("UTC"), 20))
    assert "call0" in said
    assert "-0.010" in said


def test_the_lines_say_the_same_for_machines():
    said = list(lines(judged(*faulty())))
    kinds = [line["kind"] for line in said]
    assert kinds == ["metric"] * 16 + ["difference"] * 2 + ["missing", "surplus", "total"]
    outcome, talk, missing, surplus, total = said[16:]
    assert (outcome["metric"], outcome["truth"], outcome["ledger"]) == ("outcome", "answered", "unknown")
    assert (talk["truth"], talk["ledger"], talk["deviation_seconds"]) == (28.0, 1.234567, -26.765433)
    assert (missing["name"], missing["outcome"], missing["call_id"]) == ("call2", "abandoned", None)
    assert (surplus["name"], surplus["call_id"]) == (None, "twice")
    assert total == {
        "kind": "total",
        "truth": {"answered": 2, "abandoned": 2},
        "ledger": {"answered": 2, "abandoned": 1, "unknown": 1},
        "joined": 3,
        "different": 1,
        "on_edge": 0,
        "missing": 1,
        "surplus": 1,
        "outside": 0,
        "clean": False,
    }
