"""The roster against its plainest reading, table against calendar, and calendars that somebody broke."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from telemon.errors import RosterError
from telemon.instants import from_datetime
from telemon.roster.calendar import read_calendar
from telemon.roster.shifts import Roster, Shift
from telemon.roster.table import ShiftLine, read_table
from tests.core.roster_kit import OFFICERS, calendar, event, read

END = 60  # of what is known, in the first tests
WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
ZONES = ["Europe/Paris", "Pacific/Marquesas", "America/St_Johns", "Indian/Reunion", "UTC"]

shifts = st.lists(
    st.builds(
        lambda start, length, officer: Shift(start, start + length, officer),
        st.integers(-5, END + 5), st.integers(1, 20), st.sampled_from("abc"),
    ),
    max_size=10,
)  # fmt: skip


class Required:
    """Somebody must be there from each of these instants on, or from there on not."""

    def __init__(self, turns):
        self.turns = sorted(turns)

    def is_open(self, at):
        return sum(turn <= at for turn in self.turns) % 2 == 0

    def next_change(self, at):
        return next((turn for turn in self.turns if turn > at), None)


@given(shifts)
def test_on_duty_are_those_whose_shift_it_is(some):
    roster = Roster(tuple(some), 0, END)
    for at in range(-10, END + 30):
        expected = {shift.officer for shift in some if shift.start <= at < shift.end}
        assert roster.on_duty(at) == tuple(sorted(expected))
        for officer in "abc":
            found = roster.shift_of(officer, at)
            assert (found is not None) == (officer in expected)
            assert found is None or found.start <= at < found.end


@given(shifts)
def test_between_two_changes_nothing_changes_and_at_each_something_does(some):
    roster = Roster(tuple(some), 0, END)
    for at in range(-10, END + 30):
        change = roster.next_change(at)
        until = END + 40 if change is None else change
        assert {roster.on_duty(each) for each in range(at, until)} == {roster.on_duty(at)}
        assert change is None or roster.on_duty(change) != roster.on_duty(at)


@given(shifts, st.sets(st.integers(-5, END + 5)), st.integers(-5, END), st.integers(0, END))
def test_holes_and_doubles_to_the_instant(some, turns, start, length):
    roster = Roster(tuple(some), 0, END)
    required, end = Required(turns), start + length
    seen = range(max(start, 0), min(end, END))
    empty = {at for at in seen if not roster.on_duty(at)}
    double = {at: roster.on_duty(at) for at in seen if len(roster.on_duty(at)) > 1}
    for holes, expected in (
        (roster.holes(start, end), empty),
        (roster.holes(start, end, required), {at for at in empty if required.is_open(at)}),
    ):
        instants = [at for hole in holes for at in range(hole.start, hole.end)]
        assert instants == sorted(expected)
        assert all(hole.start < hole.end for hole in holes)
    doubles = [(at, each.officers) for each in roster.doubles(start, end) for at in range(each.start, each.end)]
    assert dict(doubles) == double
    assert len(doubles) == len(double)


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(ZONES),
    st.sets(st.integers(0, 6), min_size=1),
    st.tuples(st.times(), st.times()),
    st.dates(date(2023, 1, 1), date(2024, 12, 31)),
    st.one_of(st.none(), st.integers(0, 500)),
    st.integers(1, 5),
)
def test_a_table_and_a_calendar_that_say_the_same_are_the_same(name, days, times, first, length, every_weeks):
    zone = ZoneInfo(name)
    start, end = (each.replace(second=0, microsecond=0, fold=0) for each in times)
    last = None if length is None else first + timedelta(days=length)
    words = ",".join(("mon", "tue", "wed", "thu", "fri", "sat", "sun")[day] for day in sorted(days))
    line = ShiftLine("cdurand", words, start, end, first, last, every_weeks)
    window = [from_datetime(datetime(year, 3, 1, tzinfo=zone)) for year in (2024, 2026)]

    day = first
    while day.weekday() not in days or (day - first + timedelta(first.weekday())).days // 7 % every_weeks:
        day += timedelta(days=1)
    until = day if end > start else day + timedelta(days=1)
    rule = f"RRULE:FREQ=WEEKLY;WKST=MO;INTERVAL={every_weeks};BYDAY={','.join(WEEKDAYS[each] for each in sorted(days))}"
    if last is not None:
        rule += f";UNTIL={last:%Y%m%d}T235959"
    lines = [
        f"DTSTART:{datetime.combine(day, start):%Y%m%dT%H%M%S}",
        f"DTEND:{datetime.combine(until, end):%Y%m%dT%H%M%S}",
    ]
    data = calendar(*([event(*lines, rule)] if last is None or day <= last else []))

    by_table = Roster(read_table([line], zone, *window), *window)
    by_calendar = Roster(read_calendar(data, zone, OFFICERS, *window).shifts, *window)
    assert [(shift.start, shift.end) for shift in by_calendar.shifts] == [
        (shift.start, shift.end) for shift in by_table.shifts
    ]


GOOD = calendar(
    event("DTSTART;TZID=Europe/Paris:20260601T180000", "DURATION:PT14H", "RRULE:FREQ=WEEKLY;COUNT=9;BYDAY=MO,SU"),
    event("RECURRENCE-ID;TZID=Europe/Paris:20260608T180000", "DTSTART:20260609T180000Z", "DTEND:20260610T080000Z"),
    event("DTSTART;VALUE=DATE:20260701", "DTEND;VALUE=DATE:20260708", "RDATE;VALUE=DATE:20260901", uid="2"),
    more=("X-WR-TIMEZONE:Europe/Paris", "BEGIN:VTIMEZONE", "TZID:X", "BEGIN:STANDARD", "DTSTART:16010101T030000",
          "TZOFFSETFROM:+0200", "TZOFFSETTO:+0100", "RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10", "END:STANDARD",
          "END:VTIMEZONE"),
)  # fmt: skip
LINES = GOOD.split(b"\r\n")


def outcome(data):
    """Return the shifts, and why there are none."""
    try:
        return read(data).shifts, ""
    except RosterError as error:
        return (), str(error)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_a_broken_calendar_is_read_or_refused_in_one_line(data):
    lines = list(LINES)
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(lines) - 1))
        change = data.draw(st.sampled_from(["drop", "double", "swap", "cut", "put"]))
        if change == "drop" and len(lines) > 1:
            del lines[place]
        elif change == "double":
            lines.insert(data.draw(st.integers(0, len(lines))), lines[place])
        elif change == "swap":
            other = data.draw(st.integers(0, len(lines) - 1))
            lines[place], lines[other] = lines[other], lines[place]
        elif change == "cut":
            lines[place] = lines[place][: data.draw(st.integers(0, len(lines[place])))]
        else:
            at = data.draw(st.integers(0, len(lines[place])))
            junk = data.draw(
                st.one_of(st.binary(max_size=3), st.sampled_from([b"0", b";", b":", b"=", b"/", b"-", b"T"]))
            )
            lines[place] = lines[place][:at] + junk + lines[place][at + data.draw(st.integers(0, 3)) :]
    shifts_read, refusal = outcome(b"\r\n".join(lines))
    assert "\n" not in refusal
    assert all(shift.start < shift.end and shift.officer for shift in shifts_read)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(junk):
    for data in (junk, b"BEGIN:VCALENDAR\n" + junk + b"\nEND:VCALENDAR"):
        shifts_read, refusal = outcome(data)
        assert "\n" not in refusal
        assert shifts_read == ()
