"""``telemon stats`` and ``telemon roll-up``, as their user meets them."""

import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select

from telemon.instants import SECOND, from_datetime
from telemon.ledger.models import TABLES
from telemon.ledger.store import open_ledger
from telemon.observation import GapCause, Interval, Sight
from telemon.records import Flag, Outcome, Provenance
from tests.acceptance.commands import configure, telemon_all
from tests.ledger.kit import RICH, T, store

PARIS = ZoneInfo("Europe/Paris")  # T is 2025-11-23 07:40 there
SITE = "site"


def at(month, day, hour=0, minute=0):
    return from_datetime(datetime(2025, month, day, hour, minute, tzinfo=PARIS))


def call(name, arrived_at=T, outcome=Outcome.ANSWERED, **changes):
    plain = replace(
        RICH, call_id=name, site=SITE, flags=(), attempts=(), transfers=(), provenance=Provenance.LIVE,
        arrived_at=arrived_at, alerting_at=arrived_at + SECOND, operator_ringing_at=None, operator_up_at=None,
        answered_at=arrived_at + 7 * SECOND if outcome is Outcome.ANSWERED else None, answered_not_before=None,
        machine_answered_at=None, diverted_at=None, ended_at=arrived_at + 60 * SECOND, outcome=outcome,
    )  # fmt: skip
    return replace(plain, **changes)


@pytest.fixture
def ledger(tmp_path):
    """A ledger of one site of this configuration and of another one, and what it was seen through."""
    configure(tmp_path, 1, more='language = "en"')
    engine = open_ledger(f"sqlite:///{tmp_path / 'telemon.db'}")
    gap, short = at(11, 23, 12), at(11, 23, 15)
    store(
        engine,
        *(call(f"a{n}") for n in range(3)),
        call("lost", at(6, 1, 9), Outcome.UNANSWERED),
        call("repaired", at(11, 23, 12, 30), provenance=Provenance.REPAIRED),
        call("elsewhere", site="annexe"),
        Interval("pbx", at(11, 23), gap, Sight.SEEN),
        Interval("pbx", gap, gap + 3600 * SECOND, Sight.GAP, GapCause.PBX_FROZEN),
        Interval("pbx", gap + 3600 * SECOND, short, Sight.SEEN),
        Interval("pbx", short, short + 59 * SECOND, Sight.GAP, GapCause.LINK_CUT),
        Interval("pbx", short + 59 * SECOND, at(11, 24), Sight.SEEN),
    )
    yield engine
    engine.dispose()


def of_service(output):
    return [line for line in map(json.loads, output.splitlines()) if "service" in line]


def gaps_in(output):
    return [line for line in map(json.loads, output.splitlines()) if "gap" in line]


@pytest.mark.usefixtures("ledger")
async def test_a_day_with_its_gaps_repairs_and_share(tmp_path):
    (english,) = await telemon_all(("stats", "-p", "2025-11-23"), cwd=tmp_path)
    status, output, errors = english
    assert (status, errors) == (0, "")
    assert re.search(r"Calls\s+│\s+4 │", output)
    assert re.search(r"Completed from Asterisk's own records\s+│\s+1 │", output)
    assert "Only from Asterisk's own records" not in output
    assert re.search(r"Share of the period observed\s+│\s+95\.8% │", output)
    assert "Not observed from 23/11/2025, 12:00 for 60.0 min: Asterisk did not answer (pbx)" in output
    assert output.count("Not observed") == 1  # the shorter gap counts, but is not listed


@pytest.mark.usefixtures("ledger")
async def test_the_same_in_french(tmp_path):
    configure(tmp_path, 1, more='language = "fr"')
    (answer,) = await telemon_all(("stats", "-p", "2025-11-23"), cwd=tmp_path)
    assert "Non observé à partir de 23/11/2025 12:00 pendant 60,0 min : Asterisk ne répondait pas (pbx)" in answer[1]
    assert re.search(r"Complétés d'après les journaux d'Asterisk\s+│\s+1 │", answer[1])


@pytest.mark.usefixtures("ledger")
async def test_json_lines_carry_the_gaps(tmp_path):
    (answer,) = await telemon_all(("stats", "-p", "2025-11-23", "-f", "ndjson"), cwd=tmp_path)
    (service,) = of_service(answer[1])
    assert (service["offered"], service["by_provenance"]) == (4, {"live": 3, "repaired": 1})
    assert gaps_in(answer[1]) == [
        {
            "gap": "pbx_frozen",
            "pbx": "pbx",
            "period": "2025-11-23",
            "start": "2025-11-23T11:00:00.000000+00:00",
            "end": "2025-11-23T12:00:00.000000+00:00",
            "seconds": 3600.0,
        }
    ]


@pytest.mark.usefixtures("ledger")
async def test_a_period_without_any_call_still_shows_its_gaps(tmp_path):
    (answer,) = await telemon_all(("stats", "-p", "2025-11-22", "-f", "ndjson"), cwd=tmp_path)
    assert [(gap["gap"], gap["seconds"]) for gap in map(json.loads, answer[1].splitlines())] == [
        ("telemon_stopped", 86_400.0)
    ]


@pytest.mark.usefixtures("ledger")
async def test_only_this_configurations_sites_count_unless_others_are_named(tmp_path):
    json_of = ("stats", "-p", "2025-11-23", "-f", "ndjson")
    own, other, both = await telemon_all(
        json_of, (*json_of, "--site", "annexe"), (*json_of, "--site", "annexe", "--site", "site"), cwd=tmp_path
    )
    offered = [of_service(output)[0]["offered"] for _, output, _ in (own, other, both)]
    assert offered == [4, 1, 5]
    assert [of_service(output)[0]["observed_share"] is None for _, output, _ in (own, other, both)] == [
        False, True, True,
    ]  # fmt: skip
    assert own[2] == ""
    assert other[2].startswith("annexe: not a site of this configuration.")
    assert (gaps_in(other[1]), len(gaps_in(both[1]))) == ([], 1)


async def test_roll_ups_change_no_figure(ledger, tmp_path):
    stats = [
        ("stats", "-p", period, "-f", "ndjson", "-r", rules)
        for period in ("2025", "2025-11", "2025-11-23", "2025-11-23..2025")
        for rules in ("qualipref", "marianne", "services-publics-plus")
    ]
    answers = await telemon_all(*stats, ("roll-up",), *stats, ("roll-up", "--all"), *stats, cwd=tmp_path)
    before, (made, *after, anew), again = answers[:12], answers[12:26], answers[26:]
    assert before == after == again
    assert made[0] == anew[0] == 0
    assert re.match(r"Roll-ups of site are up to date: 3 rule sets, [\d.]+ s\.\n$", made[1])
    assert of_service(before[0][1])[0]["by_outcome"] == {"answered": 4, "unanswered": 1}
    with ledger.connect() as connection:
        assert len(connection.execute(select(TABLES["roll_ups"])).all()) == 3 * (3 + 2 + 2 + 1)


async def test_a_late_repair_shows_at_once_and_after_the_next_roll_up(ledger, tmp_path):
    store(ledger, call("cut", at(3, 30, 3), Outcome.UNKNOWN, flags=(Flag.ENDED_IN_GAP,), ended_at=None))
    year = ("stats", "-p", "2025", "-f", "ndjson")
    *_, (_, before, _) = await telemon_all(("roll-up",), year, cwd=tmp_path)
    store(ledger, call("cut", at(3, 30, 3), provenance=Provenance.REPAIRED))
    (_, at_once, _), _, (_, later, _) = await telemon_all(year, ("roll-up",), year, cwd=tmp_path)
    assert [of_service(output)[0]["by_outcome"].get("unknown", 0) for output in (before, at_once, later)] == [1, 0, 0]
    assert at_once == later
    assert of_service(later)[0]["by_provenance"]["repaired"] == 2


async def test_both_nights_of_the_clocks_are_whole_days(ledger, tmp_path):
    """The first and the last hour of 23 and 25, and the hour that comes twice."""
    hours = [(3, 29, 23), (3, 30, 21), (10, 25, 22), (10, 26, 0), (10, 26, 1), (10, 26, 22)]  # in UTC
    moments = [datetime(2025, month, day, hour, 30, tzinfo=UTC) for month, day, hour in hours]
    store(ledger, *(call(f"night{n}", from_datetime(moment)) for n, moment in enumerate(moments)))
    days = [
        ("stats", "-p", day, "-f", "ndjson")
        for day in ("2025-03-30", "2025-10-26", "2025-03-29", "2025-10-27", "2025-03", "2025-10")
    ]
    *from_calls, made, a, b, c, d, e, f = await telemon_all(*days, ("roll-up",), *days, cwd=tmp_path)
    assert made[0] == 0
    for answers in (from_calls, (a, b, c, d, e, f)):
        counts = [sum(line["offered"] for line in of_service(output)) for _, output, _ in answers]
        assert counts == [2, 4, 0, 0, 2, 4]
