"""The figures on ``/metrics``: what ``telemon stats`` and ``telemon coverage`` print, from the same ledger."""

import json
import time
from dataclasses import replace
from datetime import UTC, datetime
from itertools import product
from shutil import copyfile
from zoneinfo import ZoneInfo

import pytest
from prometheus_client.parser import text_string_to_metric_families

from telemon.buckets import HOUR
from telemon.config import load
from telemon.duty_records import Attendance, Coverage, CoverInterval, UncoveredCause
from telemon.errors import LedgerError
from telemon.figures.attending import Attending
from telemon.figures.refreshing import KEPT_SECONDS, Figures
from telemon.instants import SECOND, from_datetime
from telemon.ledger.reading_losses import read_losses
from telemon.ledger.reading_staffing import read_attendance
from telemon.ledger.rolling_up import Roller
from telemon.ledger.store import open_ledger
from telemon.ledger.writer import LedgerWriter
from telemon.metrics import Metrics
from telemon.observation import GapCause, Interval, Sight
from telemon.records import Flag, Outcome, Provenance
from telemon.roll_ups import definitions
from telemon.rulesets import load_rulesets
from tests.acceptance.commands import telemon_all
from tests.acceptance.shell import PATIENCE, listening, pbx, until
from tests.ledger.kit import KEY, RICH, store

PARIS = ZoneInfo("Europe/Paris")
CYCLE = 5 * SECOND
SITES = ("pref31/a", "pref31/b", "pref32")
CONFIG = """
language = "en"
site = "none"
[[pbx]]
name = "a"
site = "pref31"
secret = "x"
[[pbx]]
name = "b"
site = "pref31"
secret = "x"
[[pbx]]
name = "c"
site = "pref32"
secret = "x"
[[service]]
name = "standard"
ddis = ["_!"]
[[service]]
name = "nuit"
kind = "permanence"
ddis = ["9"]
"""


def at(month, day, hour=0, minute=0):
    return from_datetime(datetime(2025, month, day, hour, minute, tzinfo=PARIS))


NOW = at(11, 23, 18, 30)  # a Sunday


def call(name, arrived_at, outcome=Outcome.ANSWERED, after=7.0, site="pref32", **changes):
    over = arrived_at + round(after * SECOND)
    answered = outcome is Outcome.ANSWERED
    plain = replace(
        RICH, call_id=f"{site}:{name}", site=site, flags=(), attempts=(), transfers=(), provenance=Provenance.LIVE,
        arrived_at=arrived_at, alerting_at=arrived_at, operator_ringing_at=None, operator_up_at=None,
        answered_at=over if answered else None, answered_not_before=None, machine_answered_at=None, diverted_at=None,
        ended_at=over + (120 * SECOND if answered else 0), outcome=outcome,
    )  # fmt: skip
    return replace(plain, **changes)


def history():
    """Some of everything in eight weeks and today, at three PBXs of two sites."""
    outcomes = [Outcome.ANSWERED] * 5 + [Outcome.ABANDONED, Outcome.SHORT_ABANDONED, Outcome.BUSY]
    for number in range(56 * 6):
        site = SITES[number % 3]
        arrived = NOW - number * 4 * HOUR - (number % 7) * 60 * SECOND
        yield call(f"n{number}", arrived, outcomes[number % 8], after=3.0 + 5 * (number % 6), site=site)
    for number in range(48):
        site = SITES[number % 3]
        yield call(f"d{number}", at(11, 23, 2) + number * HOUR // 4, outcomes[number * 5 % 8], after=21, site=site)
    yield call("gone", at(11, 23, 9), Outcome.UNKNOWN, ended_at=None, flags=(Flag.ENDED_IN_GAP,))
    yield call("spring", at(3, 30, 3, 10), Outcome.UNANSWERED, after=60)
    yield call("first", at(1, 1), Outcome.ABANDONED, after=21)


def seen():
    """PBX a had a gap of an hour today; b was not watched before November, c always."""
    year = at(1, 1)
    yield Interval("a", year, at(11, 23, 12), Sight.SEEN)
    yield Interval("a", at(11, 23, 12), at(11, 23, 13), Sight.GAP, GapCause.PBX_FROZEN)
    yield Interval("a", at(11, 23, 13), NOW, Sight.SEEN)
    yield Interval("b", at(11, 1), NOW, Sight.SEEN)
    yield Interval("c", year, NOW, Sight.SEEN)


def covered():
    for site, gap in (("pref31/a", 8), ("pref31/b", 10), ("pref32", 2)):
        yield CoverInterval(
            site=site,
            service="nuit",
            observer="",
            started_at=at(11, 1),
            ended_at=at(11, 23, gap),
            state=Coverage.COVERED,
        )
        yield CoverInterval(
            site=site, service="nuit", observer="", started_at=at(11, 23, gap), ended_at=at(11, 23, 12),
            state=Coverage.UNCOVERED, cause=UncoveredCause.NOBODY_REGISTERED,
        )  # fmt: skip
        yield CoverInterval(
            site=site, service="nuit", observer="", started_at=at(11, 23, 12), ended_at=NOW, state=Coverage.COVERED
        )


@pytest.fixture
def config(tmp_path):
    file = tmp_path / "telemon.toml"
    key = tmp_path / "telemon.key"
    file.write_text(f'{CONFIG}\n[ledger]\nurl = "sqlite:///{tmp_path}/telemon.db"\nkey_file = "{key}"\n', "utf-8")
    return load(file)


@pytest.fixture(scope="module")
def rolled_up(tmp_path_factory):
    """A ledger's file to be copied: rolling up takes longer than most tests."""
    file = tmp_path_factory.mktemp("ledger") / "telemon.db"
    engine = open_ledger(f"sqlite:///{file}")
    store(engine, *history(), *seen(), *covered())
    roller = Roller(engine, SITES, definitions(load_rulesets(), CYCLE, "Europe/Paris"))
    while roller.step():
        pass
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    engine.dispose()
    return file


@pytest.fixture
def engine(config, rolled_up, tmp_path):
    copyfile(rolled_up, tmp_path / "telemon.db")
    engine = open_ledger(config.ledger.url)
    yield engine
    engine.dispose()


def figures_of(config, engine, now=NOW, **options):
    return Figures(config, engine, clock=lambda: now, **options)


def samples(text):
    told = [
        (sample.name, sample.labels, sample.value)
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    ]
    assert len({(name, *sorted(labels.items())) for name, labels, _ in told}) == len(told)
    return told


def pick(told, name, key, **wanted):
    """Return the values of a family by one label, or several."""
    keys = (key,) if isinstance(key, str) else key
    return {
        tuple(labels[one] for one in keys) if len(keys) > 1 else labels[key]: value
        for said, labels, value in told
        if said == name and wanted.items() <= labels.items()
    }


PERIODS = {"day": "2025-11-23", "month": "2025-11", "year": "2025"}
RATES = {"lost": "lost_rate", "answered": "answer_rate", "within_rings": "within_of_answered"}


async def test_they_are_what_stats_prints(config, engine, tmp_path):
    figures = figures_of(config, engine)
    figures.refresh()
    told = samples(figures.text())
    asked = list(product({"pref31": SITES[:2], "pref32": SITES[2:]}.items(), PERIODS.items(), load_rulesets()))
    commands = [
        ("stats", "-p", period, "-r", rules, "-f", "ndjson", *(word for one in own for word in ("--site", one)))
        for (_, own), (_, period), rules in asked
    ]
    answers = await telemon_all(*commands, cwd=tmp_path)
    for ((site, _), (span, _), rules), (status, output, _) in zip(asked, answers, strict=True):
        assert status == 0
        (printed,) = [line for line in map(json.loads, output.splitlines()) if line.get("service") == "standard"]
        labels = {"site": site, "service": "standard", "rule_set": rules, "period": span}
        counts = pick(told, "telemon_period_calls", "result", **labels)
        assert (counts["answered"], counts["lost"]) == (printed["answered"], printed["lost"])
        assert min(counts["answered"], counts["lost"]) > 0
        for rate, key in RATES.items():
            bounds = pick(told, "telemon_period_rate", "bound", **labels, rate=rate)
            assert bounds == {
                "measured": printed[key]["value"], "lower": printed[key]["lower"], "upper": printed[key]["upper"]
            }  # fmt: skip


def test_observed_goals_and_what_the_wallboard_is_told(config, engine):
    figures = figures_of(config, engine)
    figures.refresh()
    told = samples(figures.text())
    observed = pick(told, "telemon_period_observed", ("site", "period"))
    assert observed["pref32", "year"] == observed["pref32", "day"] == 1
    assert observed["pref31", "day"] == pytest.approx(1 - 1 / 37)  # an hour of one of two PBXs, of 18.5 each
    assert observed["pref31", "year"] == pytest.approx(1 - (at(11, 1) - at(1, 1) + HOUR) / (2 * (NOW - at(1, 1))))
    assert pick(told, "telemon_goal", ("rule_set", "rate", "sense")) == {
        ("marianne", "lost", "below"): 0.1,
        ("qualipref", "lost", "below"): 0.1,
        ("services-publics-plus", "answered", "at_least"): 0.85,
    }
    assert pick(told, "telemon_promise_info", "site") == {"pref31": 1, "pref32": 1}
    assert set(pick(told, "telemon_max_rings", "rule_set").values()) == {5}
    day = figures.day()
    assert set(day) == {(site, service) for site in ("pref31", "pref32") for service in ("standard", "nuit")}
    of_day = pick(
        told, "telemon_period_calls", "result", site="pref32", service="standard", rule_set="qualipref", period="day"
    )
    shown = day["pref32", "standard"]
    assert (shown.answered, shown.lost, shown.within) == (of_day["answered"], of_day["lost"], of_day["within_rings"])
    assert shown.lost_rate[1] < shown.lost_rate[0] < shown.lost_rate[2]
    assert day["pref32", "nuit"] == (0, 0, 0, None, None, None)


def test_coverage_is_that_of_the_permanence_whichever_pbx_reaches_it(config, engine):
    figures = figures_of(config, engine)
    figures.refresh()
    told = samples(figures.text())
    day = pick(told, "telemon_coverage", ("site", "bound"), service="nuit", period="day")
    assert day["pref31", "lower"] == pytest.approx(1 - 2 / 18.5)  # from 10 to 12 o'clock by neither PBX
    assert day["pref32", "lower"] == day["pref32", "upper"] == pytest.approx(1 - 10 / 18.5)
    year = pick(told, "telemon_coverage", "bound", site="pref32", period="year")
    known = NOW - at(11, 1)
    assert year["upper"] == pytest.approx(1 - 10 * HOUR / (NOW - at(1, 1)))
    assert year["lower"] == pytest.approx((known - 10 * HOUR) / (NOW - at(1, 1)))


async def test_coverage_of_a_site_with_one_pbx_is_what_the_command_prints(config, engine, tmp_path):
    figures = figures_of(config, engine)
    figures.refresh()
    told = pick(samples(figures.text()), "telemon_coverage", "bound", site="pref32", period="day")
    ((_, output, _),) = await telemon_all(("coverage", "2025-11-23", "-f", "ndjson"), cwd=tmp_path)
    whole = next(
        line
        for line in map(json.loads, output.splitlines())
        if line.get("span") == "whole" and line["site"] == "pref32"
    )
    assert whole["covered_seconds"] == pytest.approx(told["lower"] * 18.5 * 3600)


def test_the_forecast_is_foretold_by_the_same_weekdays(config, engine):
    figures = figures_of(config, engine)
    figures.refresh()
    told = samples(figures.text())
    foretold = pick(
        told, "telemon_period_forecast", ("period", "rate"), site="pref32", service="standard", rule_set="qualipref"
    )
    assert set(foretold) == {
        (period, rate) for period in ("month", "year") for rate in ("lost", "answered", "within_rings")
    }
    measured = pick(
        told, "telemon_period_rate", "period", site="pref32", service="standard", rule_set="qualipref", rate="lost",
        bound="measured",
    )  # fmt: skip
    # half of the lost calls of this year came on days unlike those to come: the year gets better or worse, not equal
    assert foretold["year", "lost"] != measured["year"]
    assert abs(foretold["month", "lost"] - measured["month"]) < 0.1
    assert not pick(told, "telemon_period_forecast", "rate", site="pref32", service="nuit")  # no calls, no rate


def test_staffing_of_the_hours_of_the_week(config, engine):
    hour = at(11, 17, 10, 0)
    morning = [call(f"m{n}", hour + n * 60 * SECOND, after=5.0) for n in range(40)]
    people = [
        Attendance(
            site=site, service="standard", observer=observer, hour=hour, seen=length, present=length * 2, talking=length
        )
        for site, observer, length in (
            ("pref32", "", HOUR),
            ("pref32", "weaker", HOUR * 2 // 3),
            ("pref31/a", "", HOUR),
        )
    ]
    store(engine, *morning, *people)
    figures = figures_of(config, engine)
    figures.refresh()
    told = samples(figures.staffing_text())
    slot = {"site": "pref32", "service": "standard", "weekday": "1", "hour": "10"}
    before = len([one for one in history() if one.site == "pref32" and is_monday_at_ten(one.arrived_at)])
    assert pick(told, "telemon_staffing_calls", "hour", **slot) == {"10": (40 + before) / 8}
    assert pick(told, "telemon_staffing_present", "hour", **slot) == {"10": 2}
    assert pick(told, "telemon_staffing_needed", "hour", **slot) == {"10": 1}
    assert pick(told, "telemon_staffing_present", "site", weekday="1", hour="10") == {"pref31": 2, "pref32": 2}
    assert all(0 <= value <= 1 for value in pick(told, "telemon_staffing_lost_ratio", ("weekday", "hour")).values())
    now = pick(told, "telemon_staffing_needed_now", ("site", "service"))
    sunday = pick(told, "telemon_staffing_needed", "site", service="standard", weekday="7", hour="18")
    assert now["pref32", "standard"] == sunday.get("pref32", 0)


def is_monday_at_ten(instant):
    local = datetime.fromtimestamp(instant / SECOND, UTC).astimezone(PARIS)
    return at(9, 28) <= instant < at(11, 23) and local.weekday() == 0 and local.hour == 10


def test_figures_of_a_ledger_that_is_away_vanish(config, engine):
    age = [0.0]
    figures = figures_of(config, engine, monotonic=lambda: age[0])
    figures.refresh()
    assert figures.text()
    engine.dispose()
    with engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE roll_ups RENAME TO away")
        connection.exec_driver_sql("ALTER TABLE roll_up_sets RENAME TO gone")
    with pytest.raises(LedgerError):
        figures.refresh()
    age[0] = KEPT_SECONDS
    assert all((figures.text(), figures.day(), figures.staffing_text()))
    age[0] += 1
    assert (figures.text(), figures.day(), figures.staffing_text()) == (b"", {}, b"")


def test_without_roll_ups_there_is_the_day_alone(config, tmp_path):
    """A year read from its calls would take minutes."""
    bare = open_ledger(f"sqlite:///{tmp_path}/bare.db")
    store(bare, *history(), *seen())
    figures = figures_of(config, bare)
    figures.refresh()
    told = samples(figures.text())
    assert {labels["period"] for name, labels, _ in told if name == "telemon_period_calls"} == {"day"}
    bare.dispose()


def test_the_next_day_begins_with_nothing(config, engine):
    now = [NOW]
    figures = Figures(config, engine, clock=lambda: now[0])
    figures.refresh()
    now[0] = at(11, 24, 0, 1)
    figures.refresh()
    told = samples(figures.text())
    labels = {"site": "pref32", "service": "standard", "rule_set": "qualipref"}
    assert pick(told, "telemon_period_calls", "result", period="day", **labels) == dict.fromkeys(
        ("answered", "lost", "within_rings", "short_abandoned", "unknown"), 0
    )
    assert pick(told, "telemon_period_calls", "result", period="month", **labels)["answered"] > 0


async def test_its_threads_begin_keep_and_end(config, engine):
    figures = figures_of(config, engine)
    figures.start()
    try:
        await until(lambda: figures.text() and figures.staffing_text())
        assert figures.errors_total == 0
        metrics = Metrics({}, CYCLE, [], None, figures=figures)
        assert figures.text() in await metrics.expose()
        assert metrics.staffing() == [figures.staffing_text()]
    finally:
        figures.stop()


def test_the_latest_losses_of_the_ledger(engine):
    losses = {(one.call_site, one.outcome): one for one in read_losses(engine, SITES, NOW - 24 * HOUR)}
    expected = {}
    for one in sorted(history(), key=lambda one: one.arrived_at):
        if one.outcome in {Outcome.ABANDONED, Outcome.BUSY} and one.arrived_at >= NOW - 24 * HOUR:
            expected[one.site, one.outcome] = one.ended_at
    assert {key: one.at for key, one in losses.items()} == expected


async def test_attendance_reaches_the_ledger_and_outlives_a_restart(config, engine):
    """Two operators are there; the link falls, and comes back after a restart of telemon."""
    async with pbx() as server, listening(server.port) as listener:
        await listener.connected()
        ledger = LedgerWriter(engine, key=KEY, ring_cycle=CYCLE)
        for _ in range(2):
            attending = Attending(config, engine, [listener.link], ledger)
            attending.sample(listener.link)
            began = time.monotonic()
            await until(lambda began=began: time.monotonic() - began > 0.3)
            attending.close()
            assert ledger.flush(PATIENCE)
        ledger.close(1)
    hour = int(time.time() // 3600 * 3600) * SECOND
    rows = list(read_attendance(engine, ["site"], hour - HOUR, hour + 2 * HOUR))
    assert {row.service for row in rows} == {"standard"}
    assert sum(row.seen for row in rows) >= 0.3 * SECOND
    assert all(row.present == pytest.approx(2 * row.seen, abs=2) for row in rows)
