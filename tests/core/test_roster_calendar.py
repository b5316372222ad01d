"""iCalendar as real programs write it: whom it puts on duty when, and what is said of what cannot be read."""

import pytest

from telemon.errors import RosterError
from tests.core.roster_kit import HOUR, OFFICERS, at, calendar, event, read, spans

NIGHT = ("DTSTART;TZID=Europe/Paris:20260601T180000", "DTEND;TZID=Europe/Paris:20260602T080000")


SIXTY = ",".join(map(str, range(60)))


def refusal(data, **where):
    with pytest.raises(RosterError) as refused:
        read(data, **where)
    said = str(refused.value)
    assert "\n" not in said
    return said


# When


def test_one_night():
    assert spans(calendar(event(*NIGHT))) == [("2026-06-01 18:00", "2026-06-02 08:00", "cdurand")]


@pytest.mark.parametrize(
    "lines",
    [
        ("DTSTART:20260601T160000Z", "DTEND:20260602T060000Z"),
        ("DTSTART:20260601T180000", "DTEND:20260602T080000"),  # floating: the site's time
        ("DTSTART;TZID=Europe/Paris:20260601T180000", "DURATION:PT14H"),
        ("DTSTART;TZID=Europe/Paris:20260601T180000", "DTEND:20260602T060000Z"),
        ("DTSTART;TZID=America/New_York:20260601T120000", "DTEND;TZID=Asia/Tokyo:20260602T150000"),
        ("DTSTART;TZID=/freeassociation.sourceforge.net/Europe/Paris:20260601T180000", "DURATION:PT14H"),
        ("DTSTART;TZID=Romance Standard Time:20260601T180000", "DURATION:PT14H"),
    ],
)
def test_the_same_night_in_other_words(lines):
    reading = read(calendar(event(*lines)))
    assert [(shift.start, shift.end) for shift in reading.shifts] == [(at(2026, 6, 1, 18), at(2026, 6, 2, 8))]
    assert reading.warnings == ()


OUTLOOK = """\
BEGIN:VTIMEZONE
TZID:{name}
BEGIN:STANDARD
DTSTART:16010101T030000
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
RRULE:FREQ=YEARLY;INTERVAL=1;BYDAY=-1SU;BYMONTH=10
END:STANDARD
BEGIN:DAYLIGHT
DTSTART:16010101T020000
TZOFFSETFROM:+0100
TZOFFSETTO:+0200
RRULE:FREQ=YEARLY;INTERVAL=1;BYDAY=-1SU;BYMONTH=3
END:DAYLIGHT
END:VTIMEZONE"""
FIJI = """\
BEGIN:VTIMEZONE
TZID:{name}
BEGIN:STANDARD
DTSTART:16010101T000000
TZOFFSETFROM:+1200
TZOFFSETTO:+1200
END:STANDARD
END:VTIMEZONE"""


@pytest.mark.parametrize("name", ["Romance Standard Time", "Customized Time Zone", "Heure de la préfecture"])
@pytest.mark.parametrize("first", [True, False])
def test_time_zones_that_the_file_defines(name, first):
    parts = [OUTLOOK.format(name=name), event(f"DTSTART;TZID={name}:20260601T180000", "DURATION:PT14H")]
    data = calendar(*(parts if first else reversed(parts)))
    assert spans(data) == [("2026-06-01 18:00", "2026-06-02 08:00", "cdurand")]


def test_a_zone_of_another_file_is_forgotten():
    one, other = (
        calendar(zone.format(name="Our Time"), event("DTSTART;TZID=Our Time:20260601T180000", "DURATION:PT1H"))
        for zone in (OUTLOOK, FIJI)
    )
    assert spans(one) == [("2026-06-01 18:00", "2026-06-01 19:00", "cdurand")]
    assert spans(other) == [("2026-06-01 08:00", "2026-06-01 09:00", "cdurand")]


def test_a_zone_that_nobody_knows_is_the_sites_with_a_warning():
    reading = read(calendar(event("DTSTART;TZID=Nowhere/Else:20260601T180000", "DURATION:PT1H")))
    assert reading.shifts[0].start == at(2026, 6, 1, 18)
    assert reading.warnings == ("Time zone not known, so read in the site's or calendar's own: Nowhere/Else.",)


def test_the_zone_that_google_gives_the_calendar():
    more = ("X-WR-TIMEZONE:America/New_York",)
    assert spans(calendar(event("DTSTART:20260601T120000", "DTEND:20260602T020000"), more=more)) == [
        ("2026-06-01 18:00", "2026-06-02 08:00", "cdurand")
    ]
    reading = read(calendar(event(*NIGHT), more=("X-WR-TIMEZONE:Nowhere/Else",)))
    assert [shift.start for shift in reading.shifts] == [at(2026, 6, 1, 18)]
    assert "Nowhere/Else" in reading.warnings[0]


def test_whole_days_last_from_midnight_to_midnight_here():
    lines = ("DTSTART;VALUE=DATE:20260328", "DTEND;VALUE=DATE:20260329", "RRULE:FREQ=DAILY;COUNT=3")
    shifts = read(calendar(event(*lines))).shifts
    assert [shift.start for shift in shifts] == [at(2026, 3, day) for day in (28, 29, 30)]
    assert [(shift.end - shift.start) // HOUR for shift in shifts] == [24, 23, 24]
    (autumn,) = read(calendar(event("DTSTART;VALUE=DATE:20261025", "DTEND;VALUE=DATE:20261026"))).shifts
    assert autumn.end - autumn.start == 25 * HOUR


@pytest.mark.parametrize("end", ["DTEND;VALUE=DATE:20260601", "DTEND;VALUE=DATE:20260602", "DURATION:P1D", "X-NO:end"])
def test_one_whole_day_however_its_end_is_written(end):
    assert spans(calendar(event("DTSTART;VALUE=DATE:20260601", end))) == [
        ("2026-06-01 00:00", "2026-06-02 00:00", "cdurand")
    ]


def test_nights_end_by_the_clock_on_the_wall_when_the_clocks_change():
    lines = ("DTSTART;TZID=Europe/Paris:{0}T200000", "DTEND;TZID=Europe/Paris:{1}T080000", "RRULE:FREQ=DAILY;COUNT=3")
    spring = read(calendar(event(*(line.format(20260327, 20260328) for line in lines)))).shifts
    autumn = read(calendar(event(*(line.format(20261023, 20261024) for line in lines)))).shifts
    assert [(shift.end - shift.start) // HOUR for shift in spring] == [12, 11, 12]
    assert [(shift.end - shift.start) // HOUR for shift in autumn] == [12, 13, 12]
    assert (spring[1].start, spring[1].end) == (at(2026, 3, 28, 20), at(2026, 3, 29, 8))
    assert (autumn[1].start, autumn[1].end) == (at(2026, 10, 24, 20), at(2026, 10, 25, 8))


@pytest.mark.parametrize("zone", ["Europe/Paris", "Customized Time Zone"])
def test_an_end_in_another_zone_is_by_the_wall_of_the_start(zone):
    night = event(f"DTSTART;TZID={zone}:20260328T200000", "DTEND:20260329T060000Z")
    (shift,) = read(calendar(OUTLOOK.format(name="Customized Time Zone"), night)).shifts
    assert (shift.start, shift.end) == (at(2026, 3, 28, 20), at(2026, 3, 29, 8))


def test_hours_that_a_clock_skips_or_shows_twice():
    skipped = event("DTSTART;TZID=Europe/Paris:20260329T023000", "DTEND;TZID=Europe/Paris:20260329T040000")
    twice = event("DTSTART;TZID=Europe/Paris:20261025T023000", "DTEND;TZID=Europe/Paris:20261025T040000", uid="2@test")
    spring, autumn = read(calendar(skipped, twice)).shifts
    assert spring.start == at(2026, 3, 29, 3, 30)  # RFC 5545, 3.3.5: by the offset before the change
    assert autumn.start == at(2026, 10, 25, 2, 30)  # there too: the first of both
    assert autumn.end - autumn.start == 2.5 * HOUR


def test_the_leap_day_returns_in_leap_years_only():
    lines = ("DTSTART;VALUE=DATE:20240229", "DTEND;VALUE=DATE:20240301", "RRULE:FREQ=YEARLY")
    assert spans(calendar(event(*lines)), start=at(2025, 1, 1), end=at(2033, 1, 1)) == [
        ("2028-02-29 00:00", "2028-03-01 00:00", "cdurand"),
        ("2032-02-29 00:00", "2032-03-01 00:00", "cdurand"),
    ]


def test_a_week_with_exceptions_additions_and_changes():
    series = event(
        *NIGHT,
        "RRULE:FREQ=WEEKLY;COUNT=5",
        "EXDATE;TZID=Europe/Paris:20260608T180000",
        "RDATE;TZID=Europe/Paris:20260610T180000",
    )
    moved = event(
        "RECURRENCE-ID;TZID=Europe/Paris:20260615T180000",
        "DTSTART;TZID=Europe/Paris:20260616T190000",
        "DTEND;TZID=Europe/Paris:20260617T070000",
        summary="Hélène Lefèvre",
    )
    cancelled = event("RECURRENCE-ID;TZID=Europe/Paris:20260622T180000", *NIGHT, "STATUS:CANCELLED")
    assert spans(calendar(series, moved, cancelled)) == [
        ("2026-06-01 18:00", "2026-06-02 08:00", "cdurand"),
        ("2026-06-10 18:00", "2026-06-11 08:00", "cdurand"),
        ("2026-06-16 19:00", "2026-06-17 07:00", "h.lefevre"),
        ("2026-06-29 18:00", "2026-06-30 08:00", "cdurand"),
    ]


def test_a_rotation_over_three_weeks_up_to_a_day():
    lines = ("DTSTART;VALUE=DATE:20260105", "DURATION:P1W", "RRULE:FREQ=WEEKLY;INTERVAL=3;UNTIL=20260301")
    assert spans(calendar(event(*lines))) == [
        ("2026-01-05 00:00", "2026-01-12 00:00", "cdurand"),
        ("2026-01-26 00:00", "2026-02-02 00:00", "cdurand"),
        ("2026-02-16 00:00", "2026-02-23 00:00", "cdurand"),
    ]


def test_what_overlaps_the_edges_is_there_and_the_rest_is_not():
    data = calendar(event(*NIGHT, "RRULE:FREQ=DAILY"))
    found = read(data, start=at(2026, 7, 1, 8), end=at(2026, 7, 3, 18)).shifts
    assert [shift.start for shift in found] == [at(2026, 7, 1, 18), at(2026, 7, 2, 18)]
    found = read(data, start=at(2026, 7, 1, 7, 59), end=at(2026, 7, 3, 18, 1)).shifts
    assert [shift.start for shift in found] == [at(2026, 6, 30, 18), *(at(2026, 7, day, 18) for day in (1, 2, 3))]


def test_duty_until_further_notice():
    data = calendar(event("DTSTART;VALUE=DATE:20200101", "DTEND;VALUE=DATE:20990101"))
    assert spans(data) == [("2020-01-01 00:00", "2099-01-01 00:00", "cdurand")]


def test_events_that_share_a_uid_by_mistake_all_count():
    data = calendar(*(event(f"DTSTART:202606{day:02}T180000", "DURATION:PT1H") for day in (1, 2, 3)))
    assert [start for start, _, _ in spans(data)] == [f"2026-06-0{day} 18:00" for day in (1, 2, 3)]


def test_the_newest_version_of_an_event_counts():
    old = event(*NIGHT, "SEQUENCE:1")
    new = event("DTSTART:20260701T180000", "DURATION:PT1H", "SEQUENCE:2")
    assert [start for start, _, _ in spans(calendar(old, new))] == ["2026-07-01 18:00"]


# Who


@pytest.mark.parametrize(
    ("summary", "officers"),
    [
        ("Camille Durand", ["cdurand"]),
        ("CAMILLE DURAND", ["cdurand"]),
        ("DURAND Camille", ["cdurand"]),
        ("Durand\\, Camille", ["cdurand"]),
        ("cdurand", ["cdurand"]),
        ("helene lefevre", ["h.lefevre"]),
        ("Hélène Lefèvre", ["h.lefevre"]),  # accents as letters of their own
        ("H.Lefevre", ["h.lefevre"]),
        ("Camille Durand / Hélène Lefèvre", ["cdurand", "h.lefevre"]),
        ("Camille Durand et Hélène Lefèvre", ["cdurand", "h.lefevre"]),
        ("cdurand\\, h.lefevre", ["cdurand", "h.lefevre"]),
        ("Camille Durand and Camille Durand", ["cdurand"]),
    ],
)
def test_officers_by_the_summary(summary, officers):
    reading = read(calendar(event(*NIGHT, summary=summary)))
    assert [shift.officer for shift in reading.shifts] == officers
    assert reading.warnings == ()


@pytest.mark.parametrize(
    "attendee",
    [
        "ATTENDEE;CN=Helene LEFEVRE:mailto:x@example.org",
        "ATTENDEE:mailto:h.lefevre@example.org",
        "ATTENDEE:MAILTO:helene.lefevre@example.org",
        'ATTENDEE;CN="Lefèvre, Hélène";PARTSTAT=ACCEPTED:mailto:x@example.org',
    ],
)
def test_officers_by_their_invitation(attendee):
    declined = "ATTENDEE;CN=Camille Durand;PARTSTAT=DECLINED:mailto:cdurand@example.org"
    reading = read(calendar(event(*NIGHT, attendee, declined, summary="Astreinte")))
    assert [shift.officer for shift in reading.shifts] == ["h.lefevre"]
    assert reading.warnings == ()


def test_the_summary_goes_before_the_invitation():
    lines = (*NIGHT, "ATTENDEE:mailto:h.lefevre@example.org")
    assert [officer for _, _, officer in spans(calendar(event(*lines)))] == ["cdurand"]


def test_a_name_that_nobody_bears_is_on_duty_with_a_warning():
    data = calendar(event(*NIGHT, summary="Camille Durand / Bob\\nle remplaçant"))
    reading = read(data)
    assert [shift.officer for shift in reading.shifts] == ["Bob", "cdurand", "le remplaçant"]
    assert reading.warnings == ("On duty, but no [[officer]] of the configuration: Bob, le remplaçant.",)
    assert read(data, officers=()).warnings == ()


def test_two_officers_of_one_name_are_not_mistaken_for_each_other():
    twins = (*OFFICERS, OFFICERS[0].__class__(id="cdurand2", name="Durand Camille"))
    reading = read(calendar(event(*NIGHT)), officers=twins)
    assert [shift.officer for shift in reading.shifts] == ["Camille Durand"]
    assert reading.warnings
    assert spans(calendar(event(*NIGHT, summary="cdurand2")), officers=twins)[0][2] == "cdurand2"


def test_hostile_names_become_one_short_line():
    data = calendar(event(*NIGHT, summary="\x1b[31m" + "x" * 70_000))
    (shift,) = read(data).shifts
    assert shift.officer.startswith("[31mx")
    assert len(shift.officer) == 80


@pytest.mark.parametrize("line", ["TRANSP:TRANSPARENT", "STATUS:CANCELLED"])
def test_free_time_and_cancelled_events_are_no_shifts(line):
    assert read(calendar(event(*NIGHT, line))).shifts == ()


def test_free_time_of_an_officer_is_told():
    reading = read(
        calendar(
            event(*NIGHT, "TRANSP:TRANSPARENT"), event(*NIGHT, "TRANSP:TRANSPARENT", uid="2", summary="14 juillet")
        )
    )
    assert reading.warnings == ("Marked as free time (TRANSP:TRANSPARENT), so no shift; mark as busy: Camille Durand.",)


def test_events_without_length_or_name_are_told():
    reading = read(calendar(event("DTSTART:20260601T180000"), event(*NIGHT, uid="2", summary="")))
    assert reading.shifts == ()
    assert reading.warnings == (
        "Without any length, so no shift; give an end: Camille Durand.",
        "Names nobody, so no shift: 2.",
    )


def test_a_warning_names_a_few():
    names = [event(*NIGHT, uid=str(number), summary=f"Agent {number}") for number in range(9)]
    assert read(calendar(*names)).warnings == (
        "On duty, but no [[officer]] of the configuration: Agent 0, Agent 1, Agent 2, Agent 3, Agent 4, ….",
    )


# What is no calendar


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "this is no iCalendar file; it begins with ''"),
        (b"<!DOCTYPE html><html>login</html>", "it begins with '<!DOCTYPE html><html>login</html>'"),
        (calendar(event(*NIGHT))[:-40], "the file breaks off"),
        (calendar("BEGIN:VEVENT"), "the file breaks off"),
        (calendar("no line at all"), "not a calendar that can be read (Content line could not be parsed"),
        (calendar(event("DTSTART:20261301T180000")), "event 'Camille Durand': its DTSTART cannot be read"),
        (calendar(event(*NIGHT, "RRULE:FREQ=FORTNIGHTLY")), "its RRULE cannot be read"),
        (calendar(event(*NIGHT, "EXDATE:tomorrow")), "its EXDATE cannot be read"),
        (calendar(event(*NIGHT, "RRULE:RSCALE=CHINESE;FREQ=YEARLY")), "event 'Camille Durand' cannot be followed ("),
        (
            calendar(event("DTSTART:20260601T180000", "DTEND:99991231T235959", "RRULE:FREQ=DAILY")),
            "' cannot be followed (",
        ),
        (
            calendar(event("DTSTART:00010101T000000", "DTEND:00010101T010000")),
            "event 'Camille Durand' cannot be followed (",
        ),
        (calendar(event("DTEND:20260601T180000")), "event 'Camille Durand' has no start (DTSTART)"),
        (calendar(event("DTSTART:20260601T180000", "DTEND:20260601T080000")), "'Camille Durand' ends before it begins"),
    ],
)
def test_what_is_wrong_is_said(data, said):
    assert said in refusal(data)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "cp1252"])
def test_other_encodings(encoding):
    data = calendar(event(*NIGHT, summary="Hélène Lefèvre")).decode().encode(encoding)
    assert [officer for _, _, officer in spans(data)] == ["h.lefevre"]


def test_lines_that_decide_nothing_may_be_broken():
    broken = ("GEO:somewhere", "CREATED:yesterday", "this is no line", "X-ALT-DESC;FMTTYPE=text/html:<b>")
    assert len(read(calendar(event(*NIGHT, *broken))).shifts) == 1


def test_a_rule_without_a_value_is_none():
    assert len(read(calendar(event(*NIGHT, "RRULE:"))).shifts) == 1


def test_several_calendars_in_one_file():
    one = calendar(event(*NIGHT))
    other = calendar(event("DTSTART:20260701T180000", "DURATION:PT1H"))
    assert [start for start, _, _ in spans(one + other)] == ["2026-06-01 18:00", "2026-07-01 18:00"]


# What asks for too much


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("RRULE:FREQ=SECONDLY", "repeats too often (FREQ=SECONDLY)"),
        ("rrule:freq=minutely;until=99991231", "repeats too often (FREQ=MINUTELY)"),
        ("RRULE:FREQ=SECO\r\n NDLY", "repeats too often (FREQ=SECONDLY)"),
        (f"RRULE:FREQ=YEARLY;BYDAY=MO,TU,WE,TH,FR,SA,SU;BYMINUTE={SIXTY};BYHOUR=1,2,3,4,5,6,7,8,9,10", "(FREQ=YEARLY;"),
        (f"RRULE:FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR,SA,SU;BYMINUTE={SIXTY};BYSECOND={SIXTY}", "(FREQ=WEEKLY;"),
        (f"RRULE:FREQ=DAILY;BYHOUR=1;BYMINUTE={SIXTY};BYSECOND={SIXTY}", "(FREQ=DAILY;BYHOUR=1;BYMINUTE=0,1,2,"),
    ],
)  # fmt: skip
def test_bombs(line, said):
    assert said in refusal(calendar(event(*NIGHT, line)))


@pytest.mark.parametrize("interval", [0, -1])
def test_a_rule_that_stays_where_it_is(interval):
    said = refusal(calendar(event(*NIGHT, f"RRULE:FREQ=DAILY;INTERVAL={interval}")))
    assert f"repeats too often (INTERVAL={interval})" in said


def test_a_bomb_of_many_years():
    old = event("DTSTART:00010101T000000", "DURATION:PT1H", "RRULE:FREQ=HOURLY")
    assert "repeats too often (FREQ=HOURLY)" in refusal(calendar(old))


@pytest.mark.parametrize("frequency", ["SECONDLY", "HOURLY"])
def test_a_bomb_in_a_time_zone(frequency):
    zone = OUTLOOK.format(name="Bomb").replace("FREQ=YEARLY;INTERVAL=1;BYDAY=-1SU;BYMONTH=3", f"FREQ={frequency}")
    assert "repeats too often" in refusal(calendar(zone, event("DTSTART;TZID=Bomb:20260601T180000")))


def test_many_rules_that_are_too_much_together():
    lines = ("DTSTART:20100101T000000", "DURATION:PT1H", "RRULE:FREQ=HOURLY")
    assert "repeats too often" in refusal(calendar(*(event(*lines, uid=str(number)) for number in range(20))))


def test_many_shifts():
    lines = ("DTSTART:20260101T000000", "DURATION:PT1H", "RRULE:FREQ=HOURLY")
    data = calendar(*(event(*lines, uid=str(number)) for number in range(3)))
    assert "more than 20000 shifts" in refusal(data)


def test_long_files_and_deep_ones():
    assert "longer than 8 MB" in refusal(b"BEGIN:VCALENDAR\n" + b"x" * (8 << 20))
    assert "more than 50000 components" in refusal(b"BEGIN:VCALENDAR\n" + b"BEGIN:X\nEND:X\n" * 50_001)
    assert "components within components" in refusal(b"BEGIN:VCALENDAR\n" + b"BEGIN:X\n" * 9)


def test_shifts_of_twelve_hours_may_repeat_by_the_hour():
    lines = ("DTSTART:20200101T060000", "DURATION:PT12H", "RRULE:FREQ=HOURLY;INTERVAL=24")
    assert len(read(calendar(event(*lines))).shifts) == 365
