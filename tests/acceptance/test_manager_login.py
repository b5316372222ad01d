"""telemon's manager login as ``dialplans/manager.d`` writes it, on real Asterisks: it hears enough, and no more."""

from __future__ import annotations

import re
import socket
from contextlib import closing

import pytest

from simulators.lab.asterisk import dialplans_folder
from telemon.ami.events import SPECS
from tests.acceptance.dialplan_kit import LOGIN_FILE, PATIENCE, VERSIONS, Session, complaints, is_answered, started

# Answers, which no filter touches.
LISTED = {"BridgeListItem", "CoreShowChannel", "DBGetResponse", "QueueMember", "QueueParams"}
UNSEEN = {"SuccessfulAuth"}  # of class security, which telemon does not ask for


@pytest.fixture(scope="module", params=VERSIONS)
def site(request):
    with started(request.param) as running:
        yield running


@pytest.fixture
def telemon(site):
    with closing(Session(site, "telemon")) as session:
        yield session


@pytest.mark.parametrize(
    "action", ["CoreShowChannels", "QueueStatus", "BridgeList", "CoreStatus", "CoreSettings", "Ping"]
)
def test_the_login_may_list(action, telemon):
    assert telemon.ask(action)[0] == "Success"


FORBIDDEN = {
    "Originate": {"Channel": "Local/0102030499@from-trunk/n", "Application": "Wait", "Data": "1"},
    "Command": {"Command": "core show version"},
    "Redirect": {"Channel": "x", "Context": "from-internal", "Exten": "3001", "Priority": "1"},
    "Hangup": {"Channel": "x"},
    "Setvar": {"Variable": "x", "Value": "1"},
    "QueuePause": {"Interface": "PJSIP/op1", "Paused": "true"},
    "DBPut": {"Family": "x", "Key": "x", "Val": "x"},
    "GetConfig": {"Filename": "manager.conf"},
    "Reload": {},
    "Filter": {"Operation": "Add", "Filter": "Event: Newchannel"},
}


@pytest.mark.parametrize("action", FORBIDDEN)
def test_the_login_may_change_nothing(action, telemon):
    assert telemon.ask(action, **FORBIDDEN[action]) == ("Error", "Permission denied")


def events_of_a_call(site):
    """Every event that telemon's login is sent while a caller hears an announcement, then waits in a queue in vain."""
    with closing(Session(site, "telemon")) as telemon, closing(Session(site, "console")) as console:
        console.ask(
            "Originate",
            Channel="Local/0102030499@from-trunk/n",
            Application="Queue",
            Data="crise,r,,,1",
        )
        first = telemon.until("QueueCallerJoin")["Uniqueid"]
        telemon.until("VarSet", Variable="QUEUESTATUS", Value="TIMEOUT")
        telemon.until("Hangup", Uniqueid=first)
        return telemon


EVERY_CALL = {"FullyBooted", "Newchannel", "Newstate", "Newexten", "Hangup", "DialBegin", "DialEnd", "QueueCallerJoin"}
WANTED = (
    set(SPECS) - LISTED - UNSEEN - {name for name in SPECS if name.endswith("Complete") and name != "AgentComplete"}
)


def assert_only_wanted(session):
    assert session.names() >= EVERY_CALL
    assert session.names() <= WANTED
    assert {event["Variable"] for event in session.events if event["Event"] == "VarSet"} == {"QUEUESTATUS"}
    assert all("Timestamp" in event for event in session.events if event["Event"] != "FullyBooted")


def test_the_filter_names_exactly_what_telemon_uses():
    text = (dialplans_folder() / "manager.d" / "telemon.conf").read_text()
    assert set(re.findall(r"^eventfilter\(action\(include\),name\((\w+)\)", text, re.MULTILINE)) == WANTED


@pytest.mark.parametrize("site", [VERSIONS[0]], indirect=True)
def test_the_filter_lets_only_what_telemon_uses_through(site):
    assert_only_wanted(events_of_a_call(site))


@pytest.mark.parametrize("site", [VERSIONS[1]], indirect=True)
def test_an_old_asterisk_passes_over_the_filter_and_sends_everything(site):
    session = events_of_a_call(site)
    assert session.names() >= EVERY_CALL
    assert session.names() - WANTED


@pytest.mark.parametrize("version", VERSIONS)
def test_the_older_filter_does_the_same(version):
    with started(version) as older:
        file = older.run_folder / "etc" / LOGIN_FILE
        text = re.sub(r"^eventfilter\(.*\n", "", file.read_text(), flags=re.MULTILINE)
        file.write_text(re.sub(r"^;(eventfilter = )", r"\1", text, flags=re.MULTILINE))
        older.command("manager reload")
        assert_only_wanted(events_of_a_call(older))
        assert complaints(older) == []


@pytest.mark.parametrize("version", VERSIONS)
def test_the_second_login_is_off_and_places_calls_once_switched_on(version):
    with started(version) as switched:
        assert "telemon-originate" not in switched.command("manager show users")
        etc = switched.run_folder / "etc"
        head, mark, tail = (etc / LOGIN_FILE).read_text().partition(";[telemon-originate]")
        (etc / LOGIN_FILE).write_text(head + (mark + tail).replace("\n;", "\n")[1:])
        with (etc / "manager.conf").open("a") as own:
            own.write(f"[telemon-originate](+)\nsecret = {switched.ami_secret}\n")
        switched.command("manager reload")
        with closing(Session(switched, "telemon-originate", hears=False)) as session:
            assert is_answered(session, "Local/0102030499@from-trunk/n")
            assert session.ask("Command", Command="core show version") == ("Error", "Permission denied")
            assert session.ask("CoreShowChannels") == ("Error", "Permission denied")
        assert complaints(switched) == []


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("secret", ["", "telemon"])
def test_the_login_is_refused_until_the_site_gives_it_a_secret(version, secret):
    with started(version) as fresh:
        file = fresh.run_folder / "etc" / "manager.conf"
        text, count = re.subn(r"^\[telemon\]\(\+\)\nsecret.*\n", "", file.read_text(), flags=re.MULTILINE)
        assert count == 1
        file.write_text(text)
        fresh.command("manager reload")
        with closing(socket.create_connection(("127.0.0.1", fresh.ami_port), PATIENCE)) as link:
            link.sendall(f"Action: Login\r\nUsername: telemon\r\nSecret: {secret}\r\n\r\n".encode())
            answer = link.makefile("rb")
            assert b"Asterisk Call Manager" in answer.readline()
            assert answer.readline() == b"Response: Error\r\n"
            answer.close()
