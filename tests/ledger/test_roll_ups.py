"""Roll-ups in a ledger that others write meanwhile: never behind the calls, made again when these change."""

import threading
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from sqlalchemy import select

from telemon.buckets import HOUR
from telemon.instants import from_datetime
from telemon.ledger import rolling_up
from telemon.ledger.models import TABLES
from telemon.ledger.reader import read_calls
from telemon.ledger.reader import totals as counted
from telemon.ledger.roll_ups import Stretch, calls_of, read_measures, totals
from telemon.ledger.rolling_up import Roller
from telemon.measures import measure_by_service
from telemon.records import Flag, Outcome, Provenance
from telemon.roll_ups import definitions
from telemon.rulesets import load_rulesets
from telemon.upkeep import Upkeep
from tests.ledger.kit import CYCLE, RICH, T, locked, store, writing

ZONE = "Europe/Paris"
SITE = "pref31"
DAY = 24 * HOUR
EVER = (0, 200 * 366 * DAY)
KNOWN = definitions(load_rulesets(), CYCLE, ZONE)
QUALIPREF = next(each for each in KNOWN.values() if each.ruleset.name == "qualipref")
UNSEEN = {
    "outcome": Outcome.UNKNOWN, "flags": (Flag.ENDED_IN_GAP,), "answered_at": None, "answered_not_before": None,
    "ended_at": None, "machine_answered_at": None, "diverted_at": None,
}  # fmt: skip


MOMENTS = ("arrived_at", "alerting_at", "operator_ringing_at", "operator_up_at", "answered_at", "ended_at")


def calls(count, *, step=HOUR, start=T, **changes):
    """Answered calls, one each step."""
    plain = replace(RICH, flags=(), answered_not_before=None, machine_answered_at=None, diverted_at=None, attempts=(),
                    transfers=(), provenance=Provenance.LIVE)  # fmt: skip
    later = [replace(plain, call_id=f"call{n}", **moved(plain, start - T + n * step)) for n in range(count)]
    return [replace(call, **changes) for call in later]


def moved(call, duration):
    return {name: getattr(call, name) + duration for name in MOMENTS}


def roll_up(engine, known=KNOWN, sites=(SITE,)):
    roller = Roller(engine, sites, known)
    steps = 0
    while roller.step():
        steps += 1
    return steps


def rows(engine, table):
    columns = TABLES[table].columns
    with engine.connect() as connection:
        return sorted(connection.execute(select(*columns)).all())


def stale(engine):
    return {hour for _, hour, _ in rows(engine, "stale_hours")}


def check(engine, definition=QUALIPREF, *, sites=(SITE,), span=EVER, known=KNOWN):
    """The figures by way of the roll-ups are those of the calls; return them."""
    expected = measure_by_service(
        [call for call in read_calls(engine, *span) if call.site in sites], definition.ruleset, definition.cycle
    )
    assert read_measures(engine, Stretch(sites, *span), definition) == expected
    assert totals(engine, sites, known) == counted(engine, sites)
    return expected


def test_a_repair_months_later_changes_hour_day_month_and_year(engine):
    store(engine, *calls(40), replace(calls(1)[0], call_id="late", **UNSEEN))
    roll_up(engine)
    before = check(engine)["standard"]
    assert (before.answered, before.unknown, stale(engine)) == (40, 1, set())
    store(engine, *calls(1, start=T + 200 * DAY, call_id="half a year later"))
    roll_up(engine)
    store(engine, replace(calls(1)[0], call_id="late", provenance=Provenance.REPAIRED))
    assert stale(engine) == {T // HOUR}
    assert check(engine)["standard"].answered == 42  # read from the calls of that hour
    assert roll_up(engine) == 1
    after = check(engine)["standard"]
    assert (after.answered, after.unknown, after.by_provenance[Provenance.REPAIRED]) == (42, 0, 1)
    assert stale(engine) == set()


def test_a_call_that_arrived_in_another_hour_than_first_known_leaves_the_old_one(engine):
    early = replace(calls(1)[0], **UNSEEN)
    store(engine, early)
    roll_up(engine)
    store(engine, *calls(1, start=T + DAY))
    roll_up(engine)
    assert check(engine, span=(T - HOUR, T + 2 * HOUR)) == {}
    assert check(engine)["standard"].answered == 1


def test_made_step_by_step_anew_or_twice_they_are_the_same(engine, monkeypatch):
    monkeypatch.setattr(rolling_up, "CALLS", 7)
    some = [*calls(30), *calls(30, step=7 * HOUR, service="nuit"), *calls(20, start=T + 40 * DAY)]
    some = [replace(call, call_id=f"{call.service}{call.arrived_at}") for call in some]
    for first in range(0, 80, 20):
        store(engine, *some[first::20], *some[first : first + 20])
        roll_up(engine)
    gradually = rows(engine, "roll_ups")
    store(engine, *some)
    roll_up(engine)
    assert rows(engine, "roll_ups") == gradually
    Roller(engine, (SITE,), KNOWN).forget()
    assert rows(engine, "roll_ups") == rows(engine, "roll_up_sets") == []
    assert roll_up(engine) > 3
    assert rows(engine, "roll_ups") == gradually
    assert {span for _, _, span, *_ in gradually} == {"hour", "day", "month", "year"}


def test_a_build_that_was_cut_off_goes_on_where_it_stood(engine, monkeypatch):
    monkeypatch.setattr(rolling_up, "CALLS", 5)
    store(engine, *calls(30))
    Roller(engine, (SITE,), KNOWN).step()
    halfway = rows(engine, "roll_up_sets")
    assert {complete for *_, complete in halfway} == {False}
    starts = []

    def read(connection, stretch):
        starts.append(stretch.start)
        return calls_of(connection, stretch)

    monkeypatch.setattr(rolling_up, "calls_of", read)
    check(engine)  # from the calls alone
    assert roll_up(engine) > 3
    assert min(starts) == from_datetime(halfway[0][3])
    assert {complete for *_, complete in rows(engine, "roll_up_sets")} == {True}
    check(engine)


def test_hours_that_were_marked_before_the_first_build_are_not_done_twice(engine):
    store(engine, *calls(30))
    assert len(stale(engine)) == 30
    assert roll_up(engine) == 1
    assert stale(engine) == set()


def test_another_definition_is_built_beside_and_one_no_longer_known_goes(engine, caplog):
    store(engine, *calls(30))
    roll_up(engine)
    own = {"ours": {"version": "1", "valid_from": date(2020, 1, 1), "title_fr": "x", "title_en": "x", "max_rings": 2}}
    more = definitions(load_rulesets(own), CYCLE, ZONE)
    (ours,) = more.keys() - KNOWN.keys()
    store(engine, *calls(1, start=T + 5 * HOUR))
    assert check(engine, more[ours])["standard"].ruleset.max_rings == 2  # not built: from the calls
    roll_up(engine, more)
    assert {digest for _, digest, *_ in rows(engine, "roll_up_sets")} == more.keys()
    check(engine, more[ours])
    assert roll_up(engine, KNOWN) == 0
    assert {digest for _, digest, *_ in rows(engine, "roll_ups")} == KNOWN.keys()
    assert "roll-ups of pref31 dropped" in caplog.text
    check(engine, more[ours])


def test_other_sites_of_the_ledger_stay_as_they_are(engine):
    store(engine, *calls(5), *calls(5, site="annexe", call_id="annexe"))
    roll_up(engine)
    assert {site for site, *_ in rows(engine, "roll_ups")} == {SITE}
    assert {site for site, *_ in rows(engine, "stale_hours")} == {"annexe"}
    assert check(engine, sites=(SITE, "annexe"))["standard"].answered == 6
    roll_up(engine, sites=(SITE, "annexe"))
    assert check(engine, sites=(SITE, "annexe"))["standard"].answered == 6


def test_a_site_without_calls_is_complete_and_then_counts_its_first(engine):
    assert roll_up(engine) == 1
    assert check(engine) == {}
    store(engine, *calls(1))
    assert check(engine)["standard"].answered == 1
    roll_up(engine)
    assert check(engine)["standard"].answered == 1


def test_only_hours_that_are_over_are_made_again_for_whoever_names_the_time(engine):
    roll_up(engine)
    store(engine, *calls(3))
    roller = Roller(engine, (SITE,), KNOWN)
    assert roller.step(T + HOUR) == 1
    assert roller.step(T + HOUR) == 0
    assert stale(engine) == {T // HOUR + 1, T // HOUR + 2}
    check(engine)


def test_the_measures_of_many_stale_hours_fit_in_few_steps(engine):
    roll_up(engine)
    store(engine, *calls(48))
    roller = Roller(engine, (SITE,), KNOWN)
    assert roller.ahead() == 48
    assert roll_up(engine) <= 15
    assert roller.ahead() == 0
    check(engine)


def test_where_an_hour_of_utc_lies_in_two_hours_of_the_zone_both_are_made_again(engine):
    known = definitions(load_rulesets(), CYCLE, "Pacific/Marquesas")  # UTC-9:30
    hour = T // HOUR * HOUR
    store(engine, *calls(2, start=hour + HOUR // 3, step=HOUR // 3))
    roll_up(engine, known)
    store(engine, *calls(1, start=hour + HOUR // 4, call_id="early"))
    store(engine, *calls(1, start=hour + 3 * HOUR // 4, call_id="late"))
    for steps in (0, 1):
        assert steps == 0 or roll_up(engine, known) == 1
        for definition in known.values():
            first = check(engine, definition, known=known, span=(hour - HOUR // 2, hour + HOUR // 2))
            both = check(engine, definition, known=known, span=(hour - HOUR // 2, hour + 3 * HOUR // 2))
            assert (first["standard"].answered, both["standard"].answered) == (2, 4)


# Others write meanwhile


@pytest.mark.parametrize("built", [False, True])
def test_a_call_written_while_its_hour_is_rolled_up_is_not_forgotten(engine, monkeypatch, built):
    """Were the mark taken off after the calls were read, the writer's would go with it."""
    if built:
        roll_up(engine)
    first, late = calls(1)[0], replace(calls(1)[0], call_id="meanwhile")
    store(engine, first)
    with writing(engine) as writer:

        def read(*of):
            found = list(calls_of(*of))
            monkeypatch.setattr(rolling_up, "calls_of", calls_of)
            writer.put(late)
            writer.flush(0.5)  # it must wait for this step, or be found by the next
            return found

        monkeypatch.setattr(rolling_up, "calls_of", read)
        roller = Roller(engine, (SITE,), KNOWN)
        assert roller.step()
        assert writer.flush(20)
    assert check(engine)["standard"].answered == 2
    roll_up(engine)
    assert check(engine)["standard"].answered == 2
    assert stale(engine) == set()


@pytest.mark.parametrize("built", [False, True])
def test_two_that_roll_up_one_site_take_turns(engine, monkeypatch, built):
    if built:
        roll_up(engine)
    store(engine, *calls(40))
    results = []
    other = threading.Thread(target=lambda: results.append(roll_up(engine)))

    def read(*of):
        monkeypatch.setattr(rolling_up, "calls_of", calls_of)
        other.start()
        other.join(0.5)
        assert other.is_alive()  # it waits for this step's end
        return calls_of(*of)

    monkeypatch.setattr(rolling_up, "calls_of", read)
    roll_up(engine)
    other.join(60)
    assert len(results) == 1
    assert check(engine)["standard"].answered == 40
    together = rows(engine, "roll_ups")
    Roller(engine, (SITE,), KNOWN).forget()
    roll_up(engine)
    assert rows(engine, "roll_ups") == together


# Upkeep


class Clock:
    """The present instant, and an event once it was asked for so many times."""

    def __init__(self, times):
        self.left = times
        self.asked = threading.Event()

    def __call__(self):
        self.left -= 1
        if self.left <= 0:
            self.asked.set()
        return from_datetime(datetime(2100, 1, 1, tzinfo=UTC))


def test_upkeep_rolls_up_from_its_start_and_again_and_ends(engine):
    store(engine, *calls(5))
    clock = Clock(2)  # asked again once the first step is done
    upkeep = Upkeep(engine, (SITE,), KNOWN, seconds=0.05, clock=clock)
    upkeep.start()
    assert clock.asked.wait(20)
    assert {complete for *_, complete in rows(engine, "roll_up_sets")} == {True}
    store(engine, *calls(1, start=T + DAY, call_id="new"))
    clock.left = 3
    clock.asked.clear()
    assert clock.asked.wait(20)
    upkeep.stop()
    assert stale(engine) == set()
    assert (upkeep.errors_total, upkeep.rolled_up_total) == (0, 6)
    check(engine)
    assert not [thread for thread in threading.enumerate() if "APScheduler" in thread.name]


def test_upkeep_says_once_that_the_ledger_refuses_and_goes_on_afterwards(sqlite_engine, file, caplog):
    store(sqlite_engine, *calls(5))
    upkeep = Upkeep(sqlite_engine, (SITE,), KNOWN)
    with locked(file):
        upkeep._roll_up()
        upkeep._roll_up()
    assert upkeep.errors_total == 2
    assert caplog.text.count("cannot roll up: database is locked") == 1
    upkeep._roll_up()
    assert upkeep.rolled_up_total == 5
    check(sqlite_engine)
