"""A year of a permanence whose every absence is planned: told as manager events, stored, and printed by the command."""

from __future__ import annotations

import json
import random
from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from telemon.ami.wire import Message
from telemon.config import load
from telemon.duty.parts import duty_watch
from telemon.instants import SECOND, from_datetime, to_datetime
from telemon.ledger.store import open_ledger
from telemon.observation import GapCause
from telemon.parts import observer_of
from telemon.roster.shifts import Roster, Shift
from tests.acceptance.commands import telemon_all
from tests.ledger.kit import writing

PARIS = ZoneInfo("Europe/Paris")
YEAR = 2024  # with a leap day
HOUR, DAY = 3600 * SECOND, 86_400 * SECOND
LIMIT = 600 * SECOND  # of a call
CONFIG = """
site = "site"
language = "en"
[[pbx]]
secret = "none"
clock_tolerance_seconds = 1e9
[permanence]
in_call_minutes = 10
[[service]]
name = "permanence"
kind = "permanence"
queues = ["permanence"]
trunks = ["PJSIP/operator"]
[[service]]
name = "standard"
queues = ["standard"]
hours = ["mon-fri 08:30-12:00,13:30-17:30"]
outside_hours = "permanence"
"""
CAUSES = {
    "unregistered": "nobody_registered",
    "paused": "all_paused",
    "long_call": "all_in_call",
    "trunk": "trunk_down",
    "roster": "roster_hole",
    "gap": None,
}


def paris(year, month, day, hour=0, minute=0):
    return from_datetime(datetime(year, month, day, hour, minute, tzinfo=PARIS))


START, END = paris(YEAR, 1, 1), paris(YEAR + 1, 1, 1)
BEGINS, STOPS = paris(YEAR, 1, 1, 9) + 123_456, paris(YEAR, 12, 31, 12, 30) + 1


@dataclass(frozen=True)
class Absence:
    kind: str
    start: int
    end: int


NIGHTS = (  # of both changes of the clocks, and of the leap day
    Absence("unregistered", paris(YEAR, 3, 30, 22), paris(YEAR, 3, 31, 10)),
    Absence("paused", paris(YEAR, 10, 26, 23, 30), paris(YEAR, 10, 27, 2, 30) + HOUR),
    Absence("gap", paris(YEAR, 10, 27, 22) + 17, paris(YEAR, 10, 28, 0, 30)),
    Absence("roster", paris(YEAR, 2, 28, 23) + 5, paris(YEAR, 3, 1, 1)),
)


def planned(seed):
    """Absences that do not touch each other: from a second to a day long, one every fifteen hours or so."""
    chance = random.Random(seed)
    plan, at = list(NIGHTS), BEGINS
    while True:
        start = at + int(chance.expovariate(1 / (15 * HOUR))) + LIMIT + 1
        end = start + int(SECOND * 86_400 ** chance.random())
        if end >= STOPS:
            return sorted(plan, key=lambda one: one.start)
        if all(end < night.start - LIMIT or start - LIMIT > night.end for night in NIGHTS):
            plan.append(Absence(chance.choice(list(CAUSES)), start, end))
        at = end


# What it comes to, told from the plan alone


def open_spans():
    """When the switchboard answers for the permanence."""
    for number in range((date(YEAR + 1, 1, 1) - date(YEAR, 1, 1)).days):
        day = date(YEAR, 1, 1) + timedelta(days=number)
        if day.weekday() < 5:
            for hours in ((time(8, 30), time(12)), (time(13, 30), time(17, 30))):
                yield tuple(from_datetime(datetime.combine(day, each, tzinfo=PARIS)) for each in hours)


def expected(plan):
    """Every stretch that is not covered: start, end, cause (None: not known)."""
    by_day = list(open_spans())
    yield START, BEGINS, None
    for absence in plan:
        start, cause = absence.start, CAUSES[absence.kind]
        if absence.kind in ("gap", "trunk"):  # the switchboard's callers come by the same trunk
            yield start, absence.end, cause
            continue
        for opens, closes in by_day:
            if start < closes and opens < absence.end:
                if start < opens:
                    yield start, opens, cause
                start = closes
        if start < absence.end:
            yield start, absence.end, cause
    yield STOPS, END, None


def of_days(stretches):
    """What each day comes to, by cause, in microseconds."""
    edges = [paris(YEAR, 1, 1)]
    while edges[-1] < END:
        day = to_datetime(edges[-1]).astimezone(PARIS).date() + timedelta(days=1)
        edges.append(paris(day.year, day.month, day.day))
    days = {}
    for begin, end in pairwise(edges):
        lost: Counter[str | None] = Counter()
        for start, finish, cause in stretches:
            if start < end and begin < finish:
                lost[cause] += min(finish, end) - max(start, begin)
        days[to_datetime(begin).astimezone(PARIS).date().isoformat()] = (end - begin, lost)
    return days


# Telling it


class Pbx:
    """Tells one observer what an Asterisk would say, at any instant."""

    def __init__(self, config, roster):
        self.observer = observer_of(config, config.pbx[0])
        self.watch = duty_watch(config, config.pbx[0], self.observer.board)
        permanence = self.watch.permanences["permanence"]
        permanence.duty = lambda at: frozenset(roster.on_duty(at))
        permanence.next_duty_change = roster.next_change
        self.observer.attend(self.watch, BEGINS)
        self.status = self.paused = 0
        self.trunk = "NOT_INUSE"

    def tell(self, at, name, **headers):
        stamp = {} if at is None else {"Timestamp": f"{at // SECOND}.{at % SECOND:06d}"}
        lines = [f"{key}: {value}" for key, value in {"Event": name, **stamp, **headers}.items()]
        received_at = self.observer.now(0) if at is None else at
        assert self.observer.take([Message("event", name, "\r\n".join(lines).encode())], received_at) == []
        assert not self.observer.failures

    def member(self, at, name="QueueMemberStatus", interface="Interface", queue="permanence", status=None):
        status = (self.status or 1) if status is None else status
        own = queue == "permanence"
        said = {"InCall": int(status == 2), "Status": status, "Paused": self.paused if own else 0}
        self.tell(at, name, Queue=queue, **{interface: "PJSIP/duty" if own else "PJSIP/op1"}, **said)

    def log_in(self, at):
        """Answer what telemon asks first, as ``telemon.ami.link`` does."""
        self.observer.keep_time(at, at)
        self.tell(None, "CoreShowChannelsComplete")
        self.member(None, "QueueMember", "Location")
        self.member(None, "QueueMember", "Location", queue="standard", status=1)
        self.tell(None, "QueueStatusComplete")
        self.tell(None, "DeviceStateChange", Device="PJSIP/operator", State=self.trunk)
        self.tell(None, "DeviceStateListComplete")

    def begin(self, absence):
        at = absence.start
        if absence.kind == "unregistered":
            self.status = 5
            self.member(at)
        elif absence.kind == "paused":
            self.paused = 1
            self.member(at, "QueueMemberPause")
        elif absence.kind == "long_call":
            self.status = 2
            self.member(at - LIMIT)
        elif absence.kind == "trunk":
            self.tell(at, "DeviceStateChange", Device="PJSIP/operator", State="UNAVAILABLE")
        elif absence.kind == "gap":
            self.observer.lose(at, GapCause.LINK_CUT)

    def end(self, absence):
        was_paused, self.status, self.paused = self.paused, 0, 0
        if absence.kind == "gap":
            self.log_in(absence.end)
        elif absence.kind == "trunk":
            self.tell(absence.end, "DeviceStateChange", Device="PJSIP/operator", State="NOT_INUSE")
        elif absence.kind != "roster":
            self.member(absence.end, "QueueMemberPause" if was_paused else "QueueMemberStatus")


def roster_of(plan):
    """Shifts by turns, with the planned holes between them."""
    edges = [BEGINS - DAY, *(edge for one in plan if one.kind == "roster" for edge in (one.start, one.end)), END]
    spans = list(zip(edges[::2], edges[1::2], strict=True))
    shifts = [Shift(start, end, ("cdurand", "amartin")[number % 2]) for number, (start, end) in enumerate(spans)]
    return Roster(tuple(shifts), BEGINS - DAY, END)


def live(plan, config, engine, chance):
    """Tell the year; look at the clock, and write, now and then only."""
    pbx = Pbx(config, roster_of(plan))
    with writing(engine) as writer:

        def store(now):
            for interval in pbx.watch.to_store(now, everything=chance.random() < 0.5):
                writer.put(interval)

        pbx.log_in(BEGINS)
        for absence in plan:
            pbx.begin(absence)
            now = chance.randint(absence.start, absence.end)
            if chance.random() < 0.5:
                pbx.watch.advance(now)
                store(now)
            pbx.end(absence)
        pbx.watch.lose(STOPS)
        store(STOPS)
        assert writer.flush(30)


def microseconds(line, key):
    return round(line[key] * SECOND)


def lost_in(line):
    lost = Counter({cause: round(seconds * SECOND) for cause, seconds in line["uncovered_by_cause"].items()})
    return lost + Counter({None: microseconds(line, "unknown_seconds")})


@pytest.mark.parametrize("seed", [1, 2])
async def test_a_planned_year_comes_out_as_planned(tmp_path, seed):
    (tmp_path / "telemon.toml").write_text(CONFIG)
    config = load(tmp_path / "telemon.toml")
    plan = planned(seed)
    assert {absence.kind for absence in plan} == CAUSES.keys()
    engine = open_ledger(f"sqlite:///{tmp_path}/telemon.db")
    live(plan, config, engine, random.Random(seed))
    engine.dispose()

    command = ("coverage", str(YEAR), "-f", "ndjson", "--by")
    answers = await telemon_all((*command, "day"), (*command, "month"), (*command, "year"), cwd=tmp_path)
    assert [(status, errors) for status, _, errors in answers] == [(0, "")] * 3
    days, months, years = ([json.loads(line) for line in output.splitlines()] for _, output, _ in answers)

    stretches = list(expected(plan))
    truth = of_days(stretches)
    assert len(truth) == 366
    lines = {line["period"]: line for line in days if line.get("span") == "day"}
    assert lines.keys() == truth.keys()
    assert [lines[f"{YEAR}-{day}"]["required_seconds"] for day in ("02-29", "03-31", "10-27")] == [86400, 82800, 90000]
    for day, (length, lost) in truth.items():
        line = lines[day]
        assert (day, microseconds(line, "required_seconds"), lost_in(line)) == (day, length, +lost)
        assert microseconds(line, "covered_seconds") == length - lost.total()
        assert microseconds(line, "uncovered_seconds") == (lost - Counter({None: lost[None]})).total()

    told = [(parse(line["start"]), parse(line["end"]), line["cause"]) for line in days if "state" in line]
    assert told == [one for one in stretches if one[2] is not None and one[1] - one[0] > 60 * SECOND]

    for coarse, span in ((months, "month"), (years, "year"), (days, "whole")):
        sums = [line for line in coarse if line.get("span") == span]
        for key in ("required_seconds", "covered_seconds", "unknown_seconds"):
            assert sum(microseconds(line, key) for line in sums) == sum(
                microseconds(line, key) for line in lines.values()
            )


def parse(iso):
    return from_datetime(datetime.fromisoformat(iso))
