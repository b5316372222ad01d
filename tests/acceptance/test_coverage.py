"""``telemon coverage``, as its user meets it."""

import json
import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from telemon.duty_records import Coverage, CoverInterval, UncoveredCause
from telemon.instants import SECOND, from_datetime
from telemon.ledger.store import open_ledger
from tests.acceptance.commands import configure, telemon_all
from tests.ledger.kit import store

PARIS = ZoneInfo("Europe/Paris")
DASH = "\N{EN DASH}"
COVERED, UNCOVERED, UNKNOWN = Coverage
PERMANENCE = '[[service]]\nname = "permanence"\nkind = "permanence"\nqueues = ["permanence"]\n'


def at(day, hour=0, minute=0, second=0):
    return from_datetime(datetime(2025, 11, day, hour, minute, second, tzinfo=PARIS))


def told(start, end, cause=None, *, state=None, site="site", service="permanence", observer=""):
    state = state or (COVERED if cause is None else UNCOVERED)
    return CoverInterval(
        site=site, service=service, observer=observer, started_at=start, ended_at=end, state=state, cause=cause
    )


def configured(folder, language="en", more=""):
    path = configure(folder, 1, more=f'language = "{language}"')
    path.write_text(path.read_text() + PERMANENCE + more)


@pytest.fixture
def engine(tmp_path):
    """Two days: an hour paused, half a minute unregistered, two hours not known."""
    configured(tmp_path)
    engine = open_ledger(f"sqlite:///{tmp_path / 'telemon.db'}")
    edges = [at(22), at(22, 3), at(22, 4), at(23, 9), at(23, 9, 0, 30), at(23, 12), at(23, 14), at(24)]
    causes = [None, UncoveredCause.ALL_PAUSED, None, UncoveredCause.NOBODY_REGISTERED, None, None, None]
    stretches = [told(*each) for each in zip(edges, edges[1:], causes, strict=False)]
    stretches[5] = told(edges[5], edges[6], state=UNKNOWN)
    store(engine, *stretches)
    yield engine
    engine.dispose()


def lines(output):
    return [json.loads(line) for line in output.splitlines()]


async def run(folder, *arguments):
    ((status, output, errors),) = await telemon_all(("coverage", *arguments), cwd=folder)
    return status, output, errors


@pytest.mark.usefixtures("engine")
async def test_two_days_with_their_causes_and_bounds(tmp_path):
    status, output, errors = await run(tmp_path, "2025-11-22..2025-11-23")
    assert (status, errors) == (0, "")
    assert "Cover of permanence, 2025-11-22..2025-11-23 (site)" in output
    rows = {row[0]: row[1:] for row in (re.split(r"\s*[│┃]\s*", line.strip("│┃ \n")) for line in output.splitlines())}
    head = [*rows["Day"]]
    assert head == ["Required", "Covered", "Nobody registered", "All paused", "Not known", "Share"]
    assert rows["2025-11-22"] == ["24:00:00", "23:00:00", DASH, "1:00:00", DASH, "95.833%"]
    assert rows["2025-11-23"] == ["24:00:00", "21:59:30", "0:00:30", DASH, "2:00:00", "99.962% [91.631% … 99.965%]"]
    assert rows["In all"][:5] == ["48:00:00", "44:59:30", "0:00:30", "1:00:00", "2:00:00"]
    assert "22 Nov 2025, 03:00:00 to 22 Nov 2025, 04:00:00 (1:00:00): All paused" in output
    assert output.count(" to ") == 1  # half a minute counts, but is not listed


@pytest.mark.usefixtures("engine")
async def test_the_same_in_french(tmp_path):
    configured(tmp_path, "fr")
    _, output, _ = await run(tmp_path, "2025-11-22")
    assert "Couverture de permanence, 2025-11-22 (site)" in output
    assert "22 nov. 2025, 03:00:00 à 22 nov. 2025, 04:00:00 (1:00:00) : Tous en pause" in output


@pytest.mark.usefixtures("engine")
async def test_json_lines(tmp_path):
    _, output, _ = await run(tmp_path, "2025-11-23", "-f", "ndjson")
    day, whole = lines(output)
    assert day == {
        "service": "permanence",
        "site": "site",
        "span": "day",
        "period": "2025-11-23",
        "start": "2025-11-22T23:00:00.000000+00:00",
        "end": "2025-11-23T23:00:00.000000+00:00",
        "required_seconds": 86_400.0,
        "covered_seconds": 79_170.0,
        "uncovered_seconds": 30.0,
        "uncovered_by_cause": {"nobody_registered": 30.0},
        "unknown_seconds": 7200.0,
        "rate": pytest.approx(79_170 / 79_200),
        "lower": pytest.approx(79_170 / 86_400),
        "upper": pytest.approx(86_370 / 86_400),
    }
    assert whole == {key: value for key, value in day.items() if key != "period"} | {"span": "whole"}


@pytest.mark.usefixtures("engine")
async def test_every_interval_when_asked_for(tmp_path):
    (_, table, _), (_, output, _) = await telemon_all(
        ("coverage", "2025-11-23", "--timeline"), ("coverage", "2025-11-23", "--timeline", "-f", "ndjson"), cwd=tmp_path
    )
    assert "23 Nov 2025, 12:00:00 to 23 Nov 2025, 14:00:00 (2:00:00): Not known" in table
    told = [(line["state"], line["cause"], line["seconds"]) for line in lines(output) if "state" in line]
    assert told == [
        ("covered", None, 32_400.0), ("uncovered", "nobody_registered", 30.0), ("covered", None, 10_770.0),
        ("unknown", None, 7200.0), ("covered", None, 36_000.0),
    ]  # fmt: skip


@pytest.mark.usefixtures("engine")
async def test_a_long_period_is_shown_by_month_unless_asked_otherwise(tmp_path):
    answers = await telemon_all(
        ("coverage", "2025", "-f", "ndjson"), ("coverage", "2025", "--by", "day", "-f", "ndjson"),
        ("coverage", "2025-10..2025-11", "--by", "year", "-f", "ndjson"), cwd=tmp_path,
    )  # fmt: skip
    months, days, years = ([line.get("period") for line in lines(output) if "span" in line] for _, output, _ in answers)
    assert months == [f"2025-{month:02d}" for month in range(1, 13)] + [None]
    assert (len(days), days[0], days[-2]) == (366, "2025-01-01", "2025-12-31")
    assert years == ["2025", None]


async def test_two_observers_count_once(engine, tmp_path):
    store(
        engine,
        told(at(23, 12), at(23, 13), observer="b"),
        told(at(23, 16), at(23, 17), UncoveredCause.TRUNK_DOWN, observer="b"),
    )
    _, output, _ = await run(tmp_path, "2025-11-23", "-f", "ndjson")
    whole = next(line for line in lines(output) if line.get("span") == "whole")
    assert whole["uncovered_by_cause"] == {"trunk_down": 3600.0, "nobody_registered": 30.0}
    assert whole["unknown_seconds"] == 3600.0


@pytest.mark.usefixtures("engine")
async def test_only_the_hours_in_which_it_is_required_count(tmp_path):
    configured(tmp_path, more='hours = ["mon-sun 03:30-12:00"]\n')
    _, output, _ = await run(tmp_path, "2025-11-22", "-f", "ndjson")
    day, _, absence = lines(output)
    assert (day["required_seconds"], day["uncovered_seconds"]) == (30_600.0, 1800.0)
    assert (absence["cause"], absence["seconds"]) == ("all_paused", 1800.0)


async def test_today_counts_until_now(engine, tmp_path):
    now = from_datetime(datetime.now(UTC))
    store(engine, told(now - 40 * SECOND, now - 20 * SECOND), told(now - 20 * SECOND, now, UncoveredCause.RANG_OUT))
    _, output, _ = await run(tmp_path, "today", "-f", "ndjson")
    whole = next(line for line in lines(output) if line.get("span") == "whole")
    elapsed = whole["required_seconds"] - (now - from_datetime(datetime.fromisoformat(whole["start"]))) / SECOND
    assert 0 <= elapsed < 60
    assert whole["uncovered_by_cause"]["rang_out"] == pytest.approx(20 + elapsed, abs=0.001)  # it goes on


@pytest.mark.usefixtures("engine")
async def test_what_was_never_watched_is_not_known(tmp_path):
    configured(tmp_path, more=PERMANENCE.replace('"permanence"\nkind', '"night"\nkind'))
    answers = await telemon_all(
        ("coverage", "2025-11-23", "-f", "ndjson"), ("coverage", "2025-11-23", "-s", "night", "-f", "ndjson"),
        ("coverage", "2999", "-s", "night", "-f", "ndjson"), cwd=tmp_path,
    )  # fmt: skip
    both, night, future = (
        [(line["service"], line["unknown_seconds"], line["upper"]) for line in lines(output)]
        for _, output, _ in answers
    )
    assert {name for name, _, _ in both} == {"night", "permanence"}
    assert night == [("night", 86_400.0, 1.0)] * 2
    assert future == [("night", 0.0, None)]


@pytest.mark.usefixtures("engine")
async def test_a_permanence_that_is_none_is_told_with_those_there_are(tmp_path):
    status, output, errors = await run(tmp_path, "2025-11-23", "--service", "standard")
    assert (status, output) == (1, "")
    assert "Those of the configuration: permanence." in errors
    status, _, errors = await run(tmp_path, "2025-13")
    assert status == 1
    assert errors.startswith("telemon: PERIOD: ")
