"""What ``dialplans/`` promises, on real Asterisks: it loads without complaint, and is the site of the lab."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from simulators.lab.asterisk import PREFECTURE_CONFIGURATION, dialplans_folder
from simulators.site import PREFECTURE, Pattern
from telemon.instants import parse_stamp
from telemon.night_switch import Accord, NightSwitch, days_off_commands
from telemon.opening import ALWAYS, parse_hours
from telemon.services import Service
from tests.acceptance.dialplan_kit import LOGIN_FILE, VERSIONS, Session, complaints, is_answered, overlay_of, started

PATTERNS = ("switchboard", "permanence", "crisis", "probe")


@pytest.fixture(scope="module", params=VERSIONS)
def site(request):
    with started(request.param) as running:
        yield running


@pytest.fixture
def telemon(site):
    with closing(Session(site, "telemon")) as session:
        yield session


@pytest.fixture
def console(site):
    with closing(Session(site, "console")) as session:
        yield session


# -- it loads


def test_the_whole_site_loads_without_a_complaint(site):
    assert complaints(site) == []


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_pattern_loads_alone(version, pattern, tmp_path):
    files = [path.name for path in (dialplans_folder() / pattern).iterdir()]
    includes = {name: f'#include "telemon/{pattern}/{name}"\n' for name in files}
    overlay = overlay_of(
        tmp_path / "overlay",
        extensions="[general]\n" + includes["extensions.conf"],
        queues="[general]\n" + includes.get("queues.conf", ""),
    )
    with started(version, overlay) as alone:
        contexts = re.findall(
            r"^\[(telemon-\S+)\]", (dialplans_folder() / pattern / "extensions.conf").read_text(), re.MULTILINE
        )
        assert contexts
        for context in contexts:
            assert f"[ Context '{context}' created by 'pbx_config' ]" in alone.command(f"dialplan show {context}")
        assert complaints(alone) == []


@pytest.mark.parametrize("version", VERSIONS)
def test_what_the_readme_shows_loads(version, tmp_path):
    blocks = re.findall(r"^```\n(.*?)^```", (dialplans_folder() / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    manager, queues, extensions = blocks
    general = (PREFECTURE_CONFIGURATION / "manager.conf").read_text().partition("#include")[0]
    overlay = overlay_of(
        tmp_path / "overlay",
        manager=general + manager.replace("…", "@AMI_SECRET@"),
        queues="[general]\n" + queues,
        extensions=extensions,
    )
    with started(version, overlay) as shown:
        assert complaints(shown) == []
        assert "PJSIP/duty" in shown.command("queue show permanence")
        assert "Gosub" in shown.command("dialplan show 0102030405@from-trunk")


BROKEN = {
    "extensions.conf": ("exten => 0102030406,1", "exten => 0102030406,0", "dialplan reload"),
    "queues.conf": ("[permanence](telemon-permanence)", "[permanence](telemon-permanenc)", "queue reload all"),
    "telemon/crisis/queues.conf": ("strategy = ringall", "strategy = ringal", "queue reload all"),
    "telemon/probe/extensions.conf": (" same => n,Hangup()", " same => n,Hangup(", "dialplan reload"),
    LOGIN_FILE: ("action(include),name(Rename)", "action(inclood),name(Rename)", "manager reload"),
}


@pytest.mark.parametrize("name", BROKEN)
@pytest.mark.real("asterisk")
def test_a_mistake_in_a_file_would_be_seen(name):
    right, wrong, reload = BROKEN[name]
    with started(22) as broken:
        file = broken.run_folder / "etc" / name
        assert right in file.read_text()
        file.write_text(file.read_text().replace(right, wrong))
        broken.command(reload)
        assert complaints(broken) != []


def lint(folder):
    """Lint the site's dialplan, assembled as Asterisk sees it; the blanks around = are this project's way."""
    shutil.copytree(PREFECTURE_CONFIGURATION, folder, dirs_exist_ok=True)
    command = shutil.which("asterisklint", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    assert command is not None, "asterisklint is missing: it is one of the development dependencies"
    environment = {**os.environ, "ALINT_IGNORE": "W_WSH_VARSET"}
    checked = subprocess.run(
        [command, "dialplan-check", "extensions.conf"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return checked.returncode, checked.stdout + checked.stderr


def test_asterisklint_finds_nothing(tmp_path):
    shutil.copytree(dialplans_folder(), tmp_path / "telemon")
    assert lint(tmp_path) == (0, "")


def test_asterisklint_would_find_an_unknown_application(tmp_path):
    shutil.copytree(dialplans_folder(), tmp_path / "telemon")
    file = tmp_path / "telemon" / "crisis" / "extensions.conf"
    file.write_text(file.read_text().replace("Queue(", "Qeue("))
    status, said = lint(tmp_path)
    assert status != 0
    assert "E_APP_MISSING" in said


# -- it is the site


def test_every_ddi_of_the_site_is_there(site):
    for line in PREFECTURE.lines:
        assert f"'{line.ddi}' =>" in site.command(f"dialplan show {line.ddi}@from-trunk")


def test_every_queue_has_its_phones_and_strategy(telemon):
    telemon.ask("QueueStatus")
    telemon.until("QueueStatusComplete")
    members: dict[str, set[str]] = {}
    for event in telemon.events:
        if event["Event"] == "QueueMember":
            members.setdefault(event["Queue"], set()).add(event["Location"])
    strategies = {event["Queue"]: event["Strategy"] for event in telemon.events if event["Event"] == "QueueParams"}

    lines = [line for line in PREFECTURE.lines if line.queues]
    assert members == {
        queue: {f"PJSIP/{phone}" for phone in phones}
        for line in lines
        for queue, phones in zip(line.queues, line.phones, strict=False)
    }
    at_once = {Pattern.CRISIS, Pattern.PERMANENCE}
    assert strategies == {
        queue: "ringall" if line.pattern in at_once else "rrmemory" for line in lines for queue in line.queues
    }


def test_every_queue_rings_as_long_as_the_site_says(console):
    for line in PREFECTURE.lines:
        for queue in line.queues:
            console.link.sendall(
                f"Action: GetConfig\r\nActionID: {queue}\r\nFilename: queues.conf\r\nCategory: {queue}\r\n\r\n".encode()
            )
            while (message := console.read()).get("ActionID") != queue:
                pass
            settings = dict(value.split("=", 1) for key, value in message.items() if key.startswith("Line-"))
            assert float(settings["timeout"]) == line.ring_seconds
            assert float(settings["retry"]) == line.retry_seconds
            assert (settings["ringinuse"], settings["autofill"], settings["joinempty"]) == ("no", "yes", "yes")
            assert settings["wrapuptime"] == "0"


def test_an_open_line_rings_and_a_closed_one_speaks(console):
    assert not is_answered(console, "Local/0102030405@from-trunk/n")
    assert is_answered(console, "Local/0102030499@from-trunk/n")


def test_hours_close_a_line(site, console):
    days = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
    other = days[(datetime.now(UTC).isoweekday() + 3) % 7]
    site.command(f'dialplan set global TELEMON_HOURS "*,{other},*,*"')
    assert is_answered(console, "Local/0102030405@from-trunk/n")
    site.command("database put telemon hours open")
    assert not is_answered(console, "Local/0102030405@from-trunk/n")
    site.command("database del telemon hours")
    site.command('dialplan set global TELEMON_HOURS "*,*,*,*"')
    assert not is_answered(console, "Local/0102030405@from-trunk/n")


def test_the_switch_closes_a_line(site, console):
    site.command("database put telemon hours closed")
    assert is_answered(console, "Local/0102030405@from-trunk/n")
    site.command("database del telemon hours")
    assert not is_answered(console, "Local/0102030405@from-trunk/n")


def test_a_public_holiday_closes_a_line(site, console):
    now = datetime.now(UTC)
    for day in (now - timedelta(days=1), now, now + timedelta(days=1)):  # whatever Asterisk's time zone
        site.command(f"database put telemon-holiday {day:%Y-%m-%d} 1")
    assert is_answered(console, "Local/0102030405@from-trunk/n")
    site.command("database deltree telemon-holiday")
    assert not is_answered(console, "Local/0102030405@from-trunk/n")


def test_the_days_off_of_the_configuration_close_a_line(site, console):
    today = datetime.now(UTC).date()
    around = [today + timedelta(days=days) for days in (-1, 0, 1)]  # whatever Asterisk's time zone
    commands = days_off_commands(parse_hours(ALWAYS, UTC, around), around[0], around[-1])
    assert len(commands) == len(around)
    for command in commands:
        site.command(command)
    assert is_answered(console, "Local/0102030405@from-trunk/n")
    site.command("database deltree telemon-holiday")
    assert not is_answered(console, "Local/0102030405@from-trunk/n")


def test_the_last_minute_of_the_hours_is_open_to_its_end(site, console):
    """Why the example says 17:29 for a service that closes at 17:30."""
    wall = clock(console)
    while True:
        site.command(f'dialplan set global TELEMON_HOURS "00:00-{wall},*,*,*"')
        is_open = not is_answered(console, "Local/0102030405@from-trunk/n")
        if wall == (wall := clock(console)):  # else a minute went by meanwhile
            break
    site.command('dialplan set global TELEMON_HOURS "*,*,*,*"')
    assert is_open


def clock(console):
    """Return hour and minute as Asterisk's dialplan has them."""
    console.link.sendall(b"Action: Getvar\r\nActionID: clock\r\nVariable: STRFTIME(${EPOCH},,%H:%M)\r\n\r\n")
    while (message := console.read()).get("ActionID") != "clock":
        pass
    return message["Value"]


NIGHT, CRISIS = "Custom:telemon-night", "Custom:telemon-crisis"
# What is dialled in turn, what the database says then (None: nothing), and the device state that telemon is sent.
CODES = [
    ("*280", "telemon/hours", "closed", NIGHT, "INUSE"),
    ("*281", "telemon/hours", "open", NIGHT, "NOT_INUSE"),
    ("*289", "telemon/hours", None, NIGHT, "INVALID"),
    ("*291", "telemon/crisis", "open", CRISIS, "INUSE"),
    ("*290", "telemon/crisis", "closed", CRISIS, "NOT_INUSE"),
]


def test_telemon_hears_at_once_and_with_asterisks_time_what_is_switched_by_hand(site, console, telemon):
    for code, key, value, device, state in CODES:
        telemon.events.clear()
        before = float(ping(telemon))
        assert is_answered(console, f"Local/{code}@from-internal/n", within=5)
        event = telemon.until("DeviceStateChange", Device=device, State=state)
        assert before <= float(event["Timestamp"]) <= float(ping(telemon))
        assert database(telemon, key) == value
    assert complaints(site) == []


def ping(session):
    """Return Asterisk's own time."""
    session.link.sendall(b"Action: Ping\r\nActionID: ping\r\n\r\n")
    while (message := session.read()).get("ActionID") != "ping":
        pass
    return message["Timestamp"]


def database(session, place):
    """Return a database entry as telemon's login may read it; None if there is none."""
    family, key = place.split("/")
    answer, said = session.ask("DBGet", Family=family, Key=key)
    if answer == "Error":
        assert said == "Database entry not found"
        return None
    return session.until("DBGetResponse", Family=family, Key=key)["Val"]


def test_telemons_switch_follows_the_codes(console, telemon):
    hours = parse_hours(ALWAYS, UTC)
    night = NightSwitch(Service(name="standard", hours=hours, night_switch=NIGHT))
    seen = []
    for code, state in (("*280", "INUSE"), ("*281", "NOT_INUSE"), ("*289", "INVALID")):
        telemon.events.clear()
        assert is_answered(console, f"Local/{code}@from-internal/n", within=5)
        event = telemon.until("DeviceStateChange", Device=night.device_name, State=state)
        at = parse_stamp(event["Timestamp"])
        assert at is not None
        night.device(at, event["State"])
        agreement = night.judge(at)
        seen.append((agreement.state, agreement.told_open, agreement.since == at))
    assert seen == [(Accord.DISAGREES, False, True), (Accord.AGREES, True, True), (Accord.UNKNOWN, None, True)]


def test_the_crisis_cell_is_closed_until_somebody_opens_it(site, console):
    for step in ("1,1,Gosub(telemon-crisis-switch,1,1)", "1,2,Goto(${GOSUB_RETVAL},1)", "open,1,Answer()"):
        site.command(f"dialplan add extension {step} into try")
    site.command("dialplan add extension closed,1,Wait(2) into try")
    assert not is_answered(console, "Local/1@try/n")
    site.command("database put telemon crisis open")
    assert is_answered(console, "Local/1@try/n")
    site.command("database put telemon crisis closed")
    assert not is_answered(console, "Local/1@try/n")


VOICEMAIL = "0690000001"  # takes the call, presses nothing, hangs up
OFFICER = "0690000002"  # takes the call, and presses 1
MOBILES = {
    VOICEMAIL: ("Answer()", "Wait(1)", "Hangup()"),
    OFFICER: ("Answer()", "Wait(1)", "SendDTMF(1)", "Wait(5)"),
}


@pytest.mark.parametrize(
    ("first", "deputy", "answered"),
    [(VOICEMAIL, "", False), (VOICEMAIL, VOICEMAIL, False), (OFFICER, "", True), (VOICEMAIL, OFFICER, True)],
)
def test_a_mobile_that_presses_nothing_never_answers_the_permanence(site, console, first, deputy, answered):
    site.command("module load app_senddtmf.so")
    site.command("dialplan set global TELEMON_MOBILE_TRUNK loop")  # the mobile network is this Asterisk itself
    for number, steps in MOBILES.items():
        for priority, step in enumerate(steps, 1):
            site.command(f"dialplan add extension {number},{priority},{step} into from-trunk replace")
    line = f"Gosub(telemon-permanence,1,1(permanence,1,{first},{deputy}))"
    site.command(f"dialplan add extension 1,1,{line} into duty replace")

    assert is_answered(console, "Local/1@duty/n", within=8) == answered
