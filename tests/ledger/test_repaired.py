"""Imports and the ledger: nothing twice, nothing lost, nothing in clear, whatever the order."""

import itertools
import threading
from dataclasses import replace

import pytest
from sqlalchemy import MetaData, Table, select

from telemon.instants import SECOND
from telemon.ledger.reader import read_observations
from telemon.ledger.reconciling import reconcile
from telemon.ledger.repairing import Repairer
from telemon.ledger.source_calls import from_body, hidden, to_body
from telemon.ledger.store import open_ledger
from telemon.observation import GapCause, Interval, Sight
from telemon.privacy import pseudonym
from telemon.records import EndedBy, Flag, Outcome, Provenance
from telemon.repair.kinds import SourceKind
from telemon.repair.settling import Sightings, Verdict
from tests.ledger.kit import ALWAYS, CANARY, CYCLE, KEY, RICH, read_all, store

QUEUE_LOG, CDR, CEL = SourceKind.QUEUE_LOG, SourceKind.CDR, SourceKind.CEL
SEVEN_DIGITS = "Local/0698765432@mobiles"
T = RICH.arrived_at
LATER = T + 10**6 * SECOND

# Seen from -1000 s, not from 100 s to 200 s, and again until 100,000 s.
WATCH = [
    Interval("pbx", T - 1000 * SECOND, T + 100 * SECOND, Sight.SEEN),
    Interval("pbx", T + 100 * SECOND, T + 200 * SECOND, Sight.GAP, GapCause.LINK_CUT),
    Interval("pbx", T + 200 * SECOND, T + 100_000 * SECOND, Sight.SEEN),
]


def seen(number, at, **changes):
    """A call of the ledger that arrived so many seconds after the first."""
    names = "arrived_at", "alerting_at", "operator_ringing_at", "operator_up_at", "answered_at", "ended_at"
    plain = {
        "call_id": f"site:{number}", "site": "site", "transfers": (), "attempts": (), "flags": (), "diverted_at": None,
        "answered_not_before": None, "machine_answered_at": None, "provenance": Provenance.LIVE,
        **{name: getattr(RICH, name) + at * SECOND for name in names},
    }  # fmt: skip
    return replace(RICH, **plain | changes)


def lost(number, at, **changes):
    gone = dict.fromkeys(("answered_at", "answered_by", "ended_at", "ended_by", "operator_ringing_at"))
    unknown = {"outcome": Outcome.UNKNOWN, "flags": (Flag.ENDED_IN_GAP,), "operator_up_at": None}
    return seen(number, at, **gone | unknown | changes)


def told(number, at, **changes):
    return seen(number, at, **{"provenance": Provenance.IMPORTED, "flags": (Flag.WHOLE_SECONDS,), **changes})


def abandoned(number, at, wait=30, **changes):
    gone = dict.fromkeys(("answered_at", "answered_by", "operator_ringing_at", "operator_up_at"))
    end = {"ended_at": T + (at + wait) * SECOND, "ended_by": EndedBy.CALLER, "outcome": Outcome.ABANDONED}
    return told(number, at, **gone | end | changes)


def importing(engine, kind, *records, dry_run=False):
    sightings = Sightings(list(read_observations(engine, "pbx", *ALWAYS)), LATER, "pbx")
    repairer = Repairer(engine, kind, "pbx", sightings, key=KEY, ring_cycle=CYCLE, dry_run=dry_run)
    repairer.take(records)
    return dict(repairer.counts)


def dump(engine, *, without=("stale_hours", "alembic_version")):
    """Everything that the database holds."""
    tables = MetaData()
    tables.reflect(engine)
    with engine.connect() as connection:
        return {
            table.name: sorted(map(repr, connection.execute(select(table)).all()))
            for table in tables.sorted_tables
            if table.name not in without
        }


def stale(engine):
    table = Table("stale_hours", MetaData(), autoload_with=engine)
    with engine.connect() as connection:
        return {(row.site, row.hour): row.generation for row in connection.execute(select(table))}


def by_id(engine):
    return {call.call_id: call for call in read_all(engine)}


def test_a_call_is_the_same_again_when_read_back():
    hid = hidden(RICH, KEY)
    assert from_body(to_body(hid)) == hid
    assert from_body(to_body(lost(1, 0))) == lost(1, 0)


def test_gaps_are_filled_and_what_was_seen_stays(engine):
    store(engine, *WATCH, seen(1, 0), lost(2, 90), seen(3, 300))
    counts = importing(
        engine, QUEUE_LOG,
        told(1, 0, answered_by="PJSIP/op9"), abandoned(2, 90), told(3, 300), told(4, 150), told(5, 400), told(6, -5000),
        told(7, 150, service=""),
    )  # fmt: skip
    assert counts == {
        Verdict.DIFFERING: 2, Verdict.REPAIRED: 1, Verdict.COMPLETE: 1, Verdict.ADDED: 1, Verdict.IMPORTED: 1,
        Verdict.NO_SERVICE: 1,
    }  # fmt: skip
    calls = by_id(engine)
    assert calls.keys() == {f"site:{number}" for number in (1, 2, 3, 4, 6)}
    assert calls["site:1"] == replace(seen(1, 0), caller=pseudonym(CANARY, KEY))
    assert (calls["site:2"].outcome, calls["site:2"].provenance) == (Outcome.ABANDONED, Provenance.REPAIRED)
    assert calls["site:2"].caller == calls["site:4"].caller == pseudonym(CANARY, KEY)
    assert (calls["site:4"].provenance, calls["site:6"].provenance) == (Provenance.REPAIRED, Provenance.IMPORTED)


def test_twice_is_once(engine):
    store(engine, *WATCH, seen(1, 0), lost(2, 90))
    records = [told(1, 0), abandoned(2, 90), told(4, 150), told(6, -5000), lost(8, 150, provenance=Provenance.IMPORTED)]
    importing(engine, QUEUE_LOG, *records)
    once, hours = dump(engine), stale(engine)
    counts = importing(engine, QUEUE_LOG, *records)
    assert counts == {Verdict.COMPLETE: 4, Verdict.UNKNOWN: 1}
    assert dump(engine) == once
    assert stale(engine) == hours


@pytest.mark.parametrize("order", list(itertools.permutations((QUEUE_LOG, CDR, CEL))))
def test_the_order_of_imports_does_not_matter(sqlite_engine, tmp_path, order):
    sources = {
        QUEUE_LOG: [abandoned(2, 90), told(4, 150, ddi="", ended_at=None, ended_by=None, flags=(Flag.ENDED_IN_GAP,))],
        CDR: [told(2, 90, flags=()), told(4, 150), told(6, -5000)],
        CEL: [lost(2, 90, provenance=Provenance.IMPORTED), told(4, 150, queues=(), answered_by="PJSIP/op3", flags=())],
    }
    engines = [sqlite_engine, open_ledger(f"sqlite:///{tmp_path}/other.db")]
    for engine, kinds in zip(engines, ((QUEUE_LOG, CDR, CEL), order), strict=True):
        store(engine, *WATCH, lost(2, 90))
        for kind in kinds:
            importing(engine, kind, *sources[kind])
    assert dump(engines[0]) == dump(engines[1])
    assert by_id(engines[1])["site:4"].answered_by == "PJSIP/op3"
    engines[1].dispose()


def test_a_dry_run_counts_and_writes_nothing(engine):
    store(engine, *WATCH, lost(2, 90))
    before = dump(engine, without=())
    assert importing(engine, CDR, told(2, 90), told(4, 150), dry_run=True) == {Verdict.REPAIRED: 1, Verdict.ADDED: 1}
    assert dump(engine, without=()) == before


def test_no_number_is_kept_in_clear(engine):
    store(engine, *WATCH, lost(2, 90))
    importing(engine, CEL, told(2, 90, answered_by=SEVEN_DIGITS), told(4, 150, caller="0698765432\0"))
    everything = repr(dump(engine, without=()))
    assert CANARY.lstrip("+") not in everything
    assert "0698765432" not in everything
    assert by_id(engine)["site:2"].answered_by.startswith("Local/")


def test_a_repair_that_comes_late_marks_its_hours_stale(engine):
    store(engine, *WATCH, lost(2, 90))
    before = stale(engine)
    importing(engine, CDR, told(2, 90), told(6, -500_000))
    hour = (T + 90 * SECOND) // (3600 * SECOND)
    assert stale(engine)["site", hour] > before["site", hour]
    assert stale(engine)["site", (T - 500_000 * SECOND) // (3600 * SECOND)] == 1


def test_the_daemon_does_not_undo_a_repair_but_may_know_better(engine):
    store(engine, *WATCH, lost(2, 90))
    importing(engine, QUEUE_LOG, abandoned(2, 90))
    store(engine, lost(2, 90))  # the journal, replayed
    assert by_id(engine)["site:2"].provenance is Provenance.REPAIRED
    store(engine, seen(2, 90))  # the second observer
    assert by_id(engine)["site:2"].provenance is Provenance.LIVE
    assert importing(engine, QUEUE_LOG, abandoned(2, 90)) == {Verdict.DIFFERING: 1}
    assert by_id(engine)["site:2"].outcome is Outcome.ANSWERED


def test_an_import_waits_while_others_write(engine):
    store(engine, *WATCH)
    records = [told(number, 150) for number in range(100)]
    counts = []

    def work(kind):
        counts.append(importing(engine, kind, *records))

    threads = [threading.Thread(target=work, args=(kind,)) for kind in (CDR, CEL)]
    for thread in threads:
        thread.start()
    store(engine, *(seen(number, 300) for number in range(200, 300)))
    for thread in threads:
        thread.join(60)
    assert sorted(map(len, counts)) == [1, 1]
    assert {Verdict.ADDED: 100} in counts
    assert len(read_all(engine)) == 200


# Reconciliation


def found(engine):
    sightings = Sightings(list(read_observations(engine, "pbx", *ALWAYS)), LATER, "pbx")
    return [
        (finding.call.call_id, finding.source, [difference.field for difference in finding.differences])
        if finding.live and finding.found
        else (finding.call.call_id, finding.source, "live" if finding.live else "found")
        for finding in reconcile(engine, "pbx", "site", sightings, *ALWAYS)
    ]


def test_each_difference_and_each_call_of_one_side_is_found(engine):
    store(engine, *WATCH, seen(1, 0), seen(2, 10), seen(3, 20), seen(4, 30, queues=()), seen(9, 90_000), lost(10, 95))
    importing(
        engine, QUEUE_LOG,
        told(1, 0), abandoned(2, 10), told(5, 25), told(6, 150), abandoned(10, 95), told(8, 50, service=""),
    )  # fmt: skip
    importing(engine, CDR, told(1, 0), told(4, 30))
    assert sorted(found(engine)) == [
        ("site:1", CDR, []),
        ("site:1", QUEUE_LOG, []),
        ("site:10", QUEUE_LOG, []),  # it was repaired from what it says
        ("site:2", CDR, "live"),
        ("site:2", QUEUE_LOG, ["outcome", "answered_at", "ended_at"]),
        ("site:3", CDR, "live"),
        ("site:3", QUEUE_LOG, "live"),
        ("site:4", CDR, []),  # without a queue, none is missing in the queue_log
        ("site:5", QUEUE_LOG, "found"),
    ]


def test_without_imports_there_is_nothing_to_reconcile(engine):
    store(engine, *WATCH, seen(1, 0))
    assert found(engine) == []
