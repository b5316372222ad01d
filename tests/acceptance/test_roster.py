"""``telemon roster``, as its user meets it: who is on duty, holes and doubles, and its status."""

import json
import re
from datetime import UTC, datetime, timedelta

import pytest

from tests.acceptance.commands import telemon, telemon_all
from tests.acceptance.roster_kit import serving
from tests.core.roster_kit import PARIS, calendar, event

TODAY = datetime.now(UTC).astimezone(PARIS).date()
OFFICERS = """
[[officer]]
id = "cdurand"
name = "Camille Durand"

[[officer]]
id = "hlefevre"
name = "Hélène Lefèvre"
"""


def configure(folder, roster='calendar = "duty.ics"', more="", language="en"):
    lines = [f'language = "{language}"', "[roster]", roster, more, OFFICERS]
    (folder / "telemon.toml").write_text("\n".join(lines), encoding="utf-8")


def day(number):
    return f"{TODAY + timedelta(days=number):%Y%m%d}"


def whole_days(first, last, summary="Camille Durand", uid="1"):
    """Return duty from midnight to midnight, the last day included; 0 is today."""
    times = (f"DTSTART;VALUE=DATE:{day(first)}", f"DTEND;VALUE=DATE:{day(last + 1)}")
    return event(*times, summary=summary, uid=uid)


def lines_of(output, kind):
    return [line for line in map(json.loads, output.splitlines()) if line["kind"] == kind]


def put(folder, *events):
    (folder / "duty.ics").write_bytes(calendar(*events))


async def test_all_is_well(tmp_path):
    configure(tmp_path)
    put(tmp_path, whole_days(-1, 20))
    status, output, errors = await telemon("roster", cwd=tmp_path)
    assert (status, errors) == (0, "")
    assert "On duty now: Camille Durand, until" in output
    assert re.search(r"│ Camille Durand │", output)
    assert "Nobody" not in output
    assert [path.name for path in tmp_path.iterdir() if path.suffix != ".ics"] == ["telemon.toml"]  # it only looks


async def test_holes_and_doubles_of_fourteen_days(tmp_path):
    configure(tmp_path)
    put(
        tmp_path,
        whole_days(-1, 5),
        whole_days(7, 20, uid="2"),
        whole_days(10, 10, summary="Hélène Lefèvre", uid="3"),
        whole_days(30, 30, summary="Hélène Lefèvre", uid="4"),
    )
    table, ndjson, longer = await telemon_all(
        ("roster",), ("roster", "-f", "ndjson"), ("roster", "-f", "ndjson", "--days", "40"), cwd=tmp_path
    )
    assert (table[0], table[2]) == (0, "")  # the hole is further ahead than 72 h
    hole = TODAY + timedelta(days=6)
    assert re.search(rf"│ {hole:%a %d/%m/%Y}, 00:00 │ .*, 00:00 │ +│ Nobody: 2[345] h", table[1])
    assert re.search(r"│ Hélène Lefèvre │ Also: Camille Durand \(2[345] h\)", table[1])
    (found,) = lines_of(ndjson[1], "hole")
    assert datetime.fromisoformat(found["start"]).astimezone(PARIS).date() == hole
    (double,) = lines_of(ndjson[1], "double")
    assert double["officers"] == ["cdurand", "hlefevre"]
    assert [shift["officer"] for shift in lines_of(ndjson[1], "shift")] == ["cdurand", "cdurand", "hlefevre"]
    assert lines_of(ndjson[1], "now")[0]["officers"] == ["cdurand"]
    assert [shift["name"] for shift in lines_of(longer[1], "shift")][-1] == "Hélène Lefèvre"
    assert len(lines_of(longer[1], "hole")) == 3


async def test_a_hole_soon_is_status_1(tmp_path):
    configure(tmp_path, 'calendar = "duty.ics"\nahead_hours = 240')
    put(tmp_path, whole_days(-1, 5), whole_days(7, 20, uid="2"))
    status, output, errors = await telemon("roster", cwd=tmp_path)
    assert status == 1
    hole = TODAY + timedelta(days=6)
    assert errors.startswith(f"telemon: Nobody is on duty from {hole:%a %d/%m/%Y}, 00:00 to ")
    assert "Nobody: " in output


async def test_a_hole_now_in_french(tmp_path):
    configure(tmp_path, language="fr")
    put(tmp_path, whole_days(3, 20))
    status, output, errors = await telemon("roster", cwd=tmp_path)
    assert status == 1
    assert "Personne n'est d'astreinte maintenant." in output
    weekday = ("lun.", "mar.", "mer.", "jeu.", "ven.", "sam.", "dim.")[(TODAY.weekday() + 3) % 7]
    assert f"│ {weekday} {TODAY + timedelta(days=3):%d/%m/%Y} 00:00 " in output
    assert re.search(r"│ Personne : \d\d(,\d)? h", output)
    assert errors.startswith("telemon: Personne n'est d'astreinte du ")


SERVICES = """
[[service]]
name = "standard"
ddis = ["0102030405"]
hours = ["mon-sun 00:00-24:00"]
outside_hours = "permanence"

[[service]]
name = "permanence"
kind = "permanence"
ddis = ["0102030406"]
"""


async def test_no_hole_while_the_switchboard_is_open(tmp_path):
    configure(tmp_path, more=SERVICES)
    put(tmp_path, whole_days(3, 3))
    status, output, errors = await telemon("roster", "-f", "ndjson", cwd=tmp_path)
    assert (status, errors, lines_of(output, "hole")) == (0, "", [])
    configure(tmp_path, more=SERVICES.replace('outside_hours = "permanence"', ""))
    status, output, _ = await telemon("roster", "-f", "ndjson", cwd=tmp_path)
    assert (status, len(lines_of(output, "hole"))) == (1, 2)


async def test_the_table(tmp_path):
    shift = '[[shift]]\nofficer = "{}"\ndays = "{}"\nstart = {}:00\nend = 08:00:00\nfirst = 2020-01-06\n'
    more = shift.format("cdurand", "mon-sun", "20:00") + shift.format("hlefevre", "mon-sun", "08:00")
    configure(tmp_path, "", more=more)
    status, output, errors = await telemon("roster", "-d", "2", cwd=tmp_path)
    assert (status, errors) == (0, "")
    assert re.search(r"│ Camille Durand │ Also: Hélène Lefèvre \(1?\d(\.\d)? h\)", output)


async def test_odd_things_are_told_but_are_no_failure(tmp_path):
    configure(tmp_path)
    put(tmp_path, whole_days(-1, 20, summary="Bob [red]"))
    status, output, errors = await telemon("roster", cwd=tmp_path)
    assert (status, errors) == (0, "On duty, but no [[officer]] of the configuration: Bob [red].\n")
    assert "│ Bob [red] " in output


@pytest.mark.parametrize(
    ("roster", "more", "said"),
    [
        ("", "", "telemon: no duty roster. Give a calendar under [roster]"),
        ('calendar = "none.ics"', "", "telemon: Duty roster none.ics: the file cannot be read (No such file"),
        (
            'calendar = "telemon.toml"',
            "",
            "telemon: Duty roster telemon.toml: this is no iCalendar file; it begins with",
        ),
    ],
)
async def test_without_a_roster(tmp_path, roster, more, said):
    configure(tmp_path, roster, more)
    status, output, errors = await telemon("roster", cwd=tmp_path)
    assert (status, output) == (1, "")
    assert errors.startswith(said)
    assert errors.count("\n") == 1


async def test_days_that_cannot_be_read(tmp_path):
    shift = '[[shift]]\nofficer = "cdurand"\ndays = "lundi"\nstart = 08:00:00\nend = 09:00:00\nfirst = 2020-01-06\n'
    configure(tmp_path, "", more=shift)
    status, _, errors = await telemon("roster", cwd=tmp_path)
    assert status == 1
    assert "'lundi' are not of the form 'mon-fri'" in errors
    assert "Traceback" not in errors


async def test_a_calendar_on_a_server_that_fails(tmp_path):
    shift = '[[shift]]\nofficer = "hlefevre"\nstart = 08:00:00\nend = 08:00:00\nfirst = 2020-01-06\n'
    with serving() as site:
        site.body = calendar(whole_days(-1, 20))
        configure(tmp_path, f'calendar = "{site.url("token/duty.ics")}"', more=shift)
        status, output, errors = await telemon("roster", cwd=tmp_path)
        assert (status, errors) == (0, "")
        assert "On duty now: Camille Durand" in output
        site.status = 404
        status, output, errors = await telemon("roster", cwd=tmp_path)
    assert status == 1
    assert "On duty now: Hélène Lefèvre" in output
    assert errors == (
        f"telemon: Duty roster http://127.0.0.1:{site.port}/…/duty.ics: there is no calendar at this address "
        "(status 404). Copy the address anew from the calendar program. "
        "The roster shown is that of the configuration.\n"
    )
