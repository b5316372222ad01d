"""The night switch against the hours: what it says, what calls show, and from which instant."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest

from telemon.instants import from_datetime
from telemon.night_switch import Accord, NightSwitch, days_off_commands
from telemon.opening import ALWAYS, parse_hours
from telemon.public_holidays import holidays_of
from telemon.services import Service

PARIS = ZoneInfo("Europe/Paris")
HOURS = parse_hours(["mon-fri 08:30-17:30"], PARIS)
AGREES, DISAGREES, UNKNOWN = Accord.AGREES, Accord.DISAGREES, Accord.UNKNOWN


def at(wall, day="2026-11-23"):  # a Monday
    return from_datetime(datetime.fromisoformat(f"{day}T{wall}").replace(tzinfo=PARIS))


def switch(told="Custom:telemon-night", hours=HOURS):
    return NightSwitch(Service(name="standard", hours=hours, night_switch=told))


def judged(night, wall, **day):
    agreement = night.judge(at(wall, **day))
    return agreement.state, agreement.expected_open, agreement.told_open, agreement.since


# -- what it is


@pytest.mark.parametrize(
    ("told", "device", "key"),
    [
        ("", "", None),
        ("Custom:telemon-night", "Custom:telemon-night", None),
        ("Custom:DAYNIGHT0", "Custom:DAYNIGHT0", None),
        ("db:telemon/hours", "", ("telemon", "hours")),
        ("db:DAYNIGHT/C0", "", ("DAYNIGHT", "C0")),
        ("db:family/key/with/more", "", ("family", "key/with/more")),  # as DB() takes it apart
    ],
)
def test_it_is_told_by_a_device_or_by_a_database_entry(told, device, key):
    night = switch(told)
    assert (night.device_name, night.database_key) == (device, key)


# -- the switch


@pytest.mark.parametrize(
    ("state", "wall", "expected"),
    [
        ("NOT_INUSE", "10:00", (AGREES, True, True)),
        ("INUSE", "10:00", (DISAGREES, True, False)),
        ("INUSE", "20:00", (AGREES, False, False)),
        ("NOT_INUSE", "20:00", (DISAGREES, False, True)),
        ("INVALID", "10:00", (UNKNOWN, True, None)),
        ("UNKNOWN", "20:00", (UNKNOWN, False, None)),
        ("UNAVAILABLE", "20:00", (UNKNOWN, False, None)),
    ],
)
def test_the_device_says_day_or_night_or_nothing(state, wall, expected):
    night = switch()
    night.device(at(wall), state)
    assert judged(night, wall)[:3] == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("open", (AGREES, True, True)),
        ("closed", (DISAGREES, True, False)),
        ("DAY", (AGREES, True, True)),
        ("NIGHT", (DISAGREES, True, False)),
        ("", (UNKNOWN, True, None)),
        ("Closed", (UNKNOWN, True, None)),  # the dialplan compares exactly, too
        (None, (UNKNOWN, True, None)),
    ],
)
def test_the_database_entry_says_so_too(value, expected):
    night = switch("db:telemon/hours")
    night.database(at("10:00"), value)
    assert judged(night, "10:00")[:3] == expected


def test_nothing_is_known_before_anything_was_told():
    assert judged(switch(), "10:00") == (UNKNOWN, True, None, at("10:00"))


def test_a_switch_forgotten_in_the_evening_disagrees_from_the_minute_of_closing():
    night = switch()
    night.device(at("08:45"), "NOT_INUSE")
    assert judged(night, "17:29:59") == (AGREES, True, True, at("08:45"))
    assert judged(night, "17:30") == (DISAGREES, False, True, at("17:30"))
    assert judged(night, "18:12") == (DISAGREES, False, True, at("17:30"))
    night.device(at("18:20"), "INUSE")
    assert judged(night, "18:30") == (AGREES, False, False, at("18:20"))
    # The next morning it is forgotten again, and put right.
    assert judged(night, "08:31", day="2026-11-24") == (DISAGREES, True, False, at("08:30", "2026-11-24"))


def test_several_changes_of_the_hours_between_two_looks_are_all_taken():
    night = switch()
    night.device(at("09:00"), "INUSE")
    assert judged(night, "09:30", day="2026-11-28") == (AGREES, False, False, at("17:30", "2026-11-27"))


def test_the_same_news_again_changes_nothing():
    night = switch()
    night.device(at("09:00"), "INUSE")
    night.device(at("10:00"), "INUSE")
    assert judged(night, "11:00") == (DISAGREES, True, False, at("09:00"))


def test_back_to_the_clock_nothing_is_known():
    night = switch()
    night.device(at("09:00"), "INUSE")
    night.device(at("10:00"), "INVALID")
    assert judged(night, "11:00") == (UNKNOWN, True, None, at("10:00"))


def test_a_gap_forgets_what_was_told():
    night = switch()
    night.device(at("09:00"), "INUSE")
    night.call(at("09:30"), went_to_night=True)
    night.lose(at("10:00"))
    assert judged(night, "11:00") == (UNKNOWN, True, None, at("10:00"))
    night.call(at("09:45"), went_to_night=True)  # it ended after the gap, but was led before it
    assert judged(night, "11:00")[0] is UNKNOWN
    night.device(at("11:01"), "INUSE")
    assert judged(night, "11:02") == (DISAGREES, True, False, at("11:01"))


def test_a_service_without_hours_is_always_expected_open():
    night = switch(hours=None)
    night.device(at("03:00"), "INUSE")
    assert judged(night, "04:00") == (DISAGREES, True, False, at("03:00"))


def test_round_the_clock_never_changes():
    night = switch(hours=parse_hours(ALWAYS, PARIS))
    night.device(at("03:00"), "NOT_INUSE")
    assert judged(night, "04:00", day="2028-01-01") == (AGREES, True, True, at("03:00"))


# -- calls


def test_a_call_shows_what_a_pbx_by_the_clock_does():
    night = switch("")
    assert judged(night, "09:00")[0] is UNKNOWN
    night.call(at("09:10"), went_to_night=False)
    assert judged(night, "09:20") == (AGREES, True, True, at("09:10"))
    night.call(at("10:00"), went_to_night=True)
    assert judged(night, "10:20") == (DISAGREES, True, False, at("10:00"))
    night.call(at("11:00"), went_to_night=False)
    assert judged(night, "11:20") == (AGREES, True, True, at("11:00"))


def test_a_call_by_day_says_nothing_of_the_evening():
    night = switch("")
    night.call(at("17:20"), went_to_night=False)
    assert judged(night, "17:40") == (UNKNOWN, False, None, at("17:30"))
    night.call(at("17:25"), went_to_night=False)  # it ended only now
    assert judged(night, "17:41")[0] is UNKNOWN
    night.call(at("17:45"), went_to_night=True)
    assert judged(night, "17:46") == (AGREES, False, False, at("17:45"))


def test_a_call_that_contradicts_the_switch_is_believed_until_the_switch_moves():
    night = switch()
    night.device(at("09:00"), "NOT_INUSE")
    night.call(at("09:30"), went_to_night=True)
    night.device(at("09:40"), "NOT_INUSE")
    assert judged(night, "09:45") == (DISAGREES, True, False, at("09:30"))
    night.device(at("10:00"), "INUSE")
    night.device(at("10:01"), "NOT_INUSE")
    assert judged(night, "10:05") == (AGREES, True, True, at("10:01"))


def test_after_closing_the_switch_is_believed_again():
    night = switch()
    night.device(at("09:00"), "NOT_INUSE")
    night.call(at("17:00"), went_to_night=True)
    assert judged(night, "17:10")[0] is DISAGREES
    assert judged(night, "17:40") == (DISAGREES, False, True, at("17:00"))


@pytest.mark.parametrize(
    ("wall", "state"),
    [("17:30:00", UNKNOWN), ("17:30:59.999999", UNKNOWN), ("17:31:00", DISAGREES)],
)
def test_asterisks_last_minute_is_no_disagreement(wall, state):
    night = switch("")
    night.call(at(wall), went_to_night=False)
    assert judged(night, "17:35")[0] is state


def test_in_that_minute_a_call_to_the_permanence_does_agree():
    night = switch("")
    night.call(at("17:30:10"), went_to_night=True)
    assert judged(night, "17:35") == (AGREES, False, False, at("17:30:10"))


def test_the_latest_call_counts_not_the_last_to_end():
    night = switch("")
    night.call(at("10:00"), went_to_night=False)
    night.call(at("09:50"), went_to_night=True)
    assert judged(night, "10:05") == (AGREES, True, True, at("10:00"))


def test_news_a_little_out_of_order_never_turns_time_back():
    night = switch()
    night.device(at("17:30:00"), "NOT_INUSE")
    night.device(at("17:30:00") - 500, "INUSE")
    assert judged(night, "17:31") == (AGREES, False, False, at("17:30:00"))
    assert night.judge(at("17:30")).since == at("17:30")


def test_the_nights_of_the_change_of_time_are_exact():
    hours = parse_hours(["mon-sun 02:30-12:00"], PARIS)
    night = switch(hours=hours)
    night.device(at("20:00", "2026-03-28"), "INUSE")
    # 02:30 does not happen that night: it opens when 02:00 becomes 03:00.
    agreement = night.judge(at("05:00", "2026-03-29"))
    assert (agreement.state, agreement.since) == (DISAGREES, from_datetime(datetime.fromisoformat("2026-03-29T01:00Z")))


# -- days off, for the PBX


def test_days_off_are_commands_for_the_console():
    hours = parse_hours(
        ["mon-fri 08:30-17:30"], PARIS, [date(2026, 5, 15)], {date(2026, 5, 8): "09:00-12:00"}, holidays_of("fr")
    )
    assert days_off_commands(hours, date(2026, 5, 1), date(2026, 5, 20)) == [
        "database put telemon-holiday 2026-05-01 1",
        "database put telemon-holiday 2026-05-14 1",
        "database put telemon-holiday 2026-05-15 1",
    ]
