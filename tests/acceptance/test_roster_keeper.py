"""The keeper with real files and a real web server: it asks for what changed, and holds on to the last good roster."""

import os
import shutil
import socket
import subprocess
import sys
from datetime import date, time

import pytest
import trustme

from telemon.errors import RosterError
from telemon.roster.keeper import AHEAD, BEFORE, FILE, RosterKeeper, RosterSettings
from telemon.roster.reading import read_apart
from telemon.roster.source import fetch, where
from telemon.roster.table import ShiftLine
from telemon.texts import use
from tests.acceptance.roster_kit import serving
from tests.core.roster_kit import HOUR, OFFICERS, PARIS, YEAR, at, calendar, event
from tests.crash.journal_kit import cannot

NOW = at(2026, 6, 10, 12)
DAILY = ("DTSTART;TZID=Europe/Paris:20260601T180000", "DTEND;TZID=Europe/Paris:20260602T080000", "RRULE:FREQ=DAILY")
GOOD = calendar(event(*DAILY))
OTHER = calendar(event(*DAILY, summary="Hélène Lefèvre"))
TABLE = (ShiftLine("cdurand", "mon-sun", time(8), time(8), date(2026, 1, 1)),)
EVENING = at(2026, 6, 10, 20)


class Clock:
    def __init__(self):
        self.now = NOW

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def keep(tmp_path, clock):
    def making(source, table=(), **more):
        settings = RosterSettings(
            calendar=str(source), folder=tmp_path / "state", zone=PARIS, officers=OFFICERS, table=table
        )
        return RosterKeeper(settings, clock, **more)

    return making


@pytest.fixture
def site():
    with serving() as one:
        one.body = GOOD
        yield one


def refreshed(keeper):
    keeper.refresh()
    return keeper


def problem(keeper):
    assert refreshed(keeper).problem is not None
    assert "\n" not in keeper.problem
    return keeper.problem


def test_a_file_is_read_again_when_it_changed(tmp_path, keep, clock):
    path = tmp_path / "duty.ics"
    path.write_bytes(GOOD)
    keeper = refreshed(keep(path))
    assert (keeper.problem, keeper.loaded_at, keeper.by_table, keeper.warnings) == (None, NOW, False, ())
    assert keeper.roster.on_duty(EVENING) == ("cdurand",)
    assert (keeper.roster.known_from, keeper.roster.known_until) == (NOW - BEFORE, NOW + AHEAD)
    path.write_bytes(OTHER)
    clock.now += HOUR
    assert refreshed(keeper).roster.on_duty(EVENING) == ("h.lefevre",)
    assert keeper.loaded_at == NOW + HOUR


def test_the_roster_reaches_as_far_ahead_on_the_next_day(tmp_path, keep, clock):
    path = tmp_path / "duty.ics"
    path.write_bytes(GOOD)
    keeper = refreshed(keep(path))
    before = keeper.roster
    clock.now += 23 * HOUR
    assert refreshed(keeper).roster is before  # unchanged, so not read again
    clock.now += HOUR
    assert refreshed(keeper).roster.known_until == clock.now + AHEAD


def test_a_server_is_asked_for_what_changed(site, keep, clock):
    site.headers |= {"ETag": '"1"', "Last-Modified": "Wed, 10 Jun 2026 10:00:00 GMT"}
    keeper = refreshed(keep(site.url()))
    clock.now += HOUR
    assert refreshed(keeper).roster.on_duty(EVENING) == ("cdurand",)
    assert keeper.loaded_at == clock.now
    first, second = (headers for _, headers in site.asked)
    assert "If-None-Match" not in first
    assert second["If-None-Match"] == '"1"'
    assert second["If-Modified-Since"] == "Wed, 10 Jun 2026 10:00:00 GMT"
    site.headers["ETag"], site.body = '"2"', OTHER
    assert refreshed(keeper).roster.on_duty(EVENING) == ("h.lefevre",)


def test_a_redirect_is_followed_and_webcal_means_https(site, keep):
    with serving() as moved:
        moved.status, moved.headers = 302, {"Location": site.url()}
        assert refreshed(keep(moved.url())).problem is None
    assert "certificate" in problem(keep(site.url().replace("http:", "webcal:")))  # no TLS there


def test_after_a_restart_without_its_source_the_last_good_one_is_there(site, keep, clock):
    site.headers["ETag"] = '"1"'
    refreshed(keep(site.url()))
    site.status, site.headers = 503, {}
    clock.now += HOUR
    keeper = refreshed(keep(site.url()))
    assert keeper.roster.on_duty(EVENING) == ("cdurand",)
    assert keeper.loaded_at == NOW
    assert "503" in keeper.problem
    site.status, site.headers = 200, {"ETag": '"1"'}
    assert refreshed(keep(site.url())).problem is None  # 304 for what only the file knows
    assert site.asked[-1][1]["If-None-Match"] == '"1"'


def test_the_last_good_one_is_for_its_owner_only_and_holds_no_address(site, keep, tmp_path):
    refreshed(keep(site.url("secret-token/calendar.ics")))
    (kept,) = (tmp_path / "state").iterdir()
    assert (kept.name, kept.stat().st_mode & 0o777) == (FILE, 0o600)
    assert b"secret-token" not in kept.read_bytes()


def test_the_last_good_one_of_another_source_is_not_used(site, keep):
    refreshed(keep(site.url()))
    site.status = 404
    assert refreshed(keep(site.url("other.ics"))).roster is None


@pytest.mark.parametrize("cut", [0, 1, 40, 200, 400])
def test_a_torn_file_is_no_roster(site, keep, tmp_path, cut):
    refreshed(keep(site.url()))
    path = tmp_path / "state" / FILE
    path.write_bytes(path.read_bytes()[:cut])
    site.status = 500
    keeper = refreshed(keep(site.url()))
    assert keeper.roster is None
    assert "500" in keeper.problem


def test_what_cannot_be_kept_is_used_and_told(site, keep, tmp_path):
    (tmp_path / "state").write_text("a file where the folder should be", encoding="utf-8")
    keeper = refreshed(keep(site.url()))
    refreshed(keeper)
    assert keeper.roster.on_duty(EVENING) == ("cdurand",)
    assert keeper.problem is None
    (warning,) = keeper.warnings
    assert f"cannot be kept in {tmp_path / 'state' / FILE}" in warning
    (tmp_path / "state").unlink()
    assert refreshed(keeper).warnings == ()
    assert (tmp_path / "state" / FILE).exists()


def test_who_only_looks_writes_nothing(site, keep, tmp_path):
    assert refreshed(keep(site.url(), saves=False)).problem is None
    assert not (tmp_path / "state").exists()


def test_the_table_is_used_without_a_calendar_and_until_one_can_be_read(site, keep):
    assert refreshed(keep("", TABLE)).roster.on_duty(NOW) == ("cdurand",)
    site.status = 404
    keeper = refreshed(keep(site.url(), TABLE))
    assert (keeper.by_table, keeper.roster.on_duty(NOW)) == (True, ("cdurand",))
    assert "404" in keeper.problem
    site.status = 200
    refreshed(keeper)
    assert (keeper.by_table, keeper.problem, keeper.roster.on_duty(NOW)) == (False, None, ())
    site.status = 404
    assert refreshed(keeper).by_table is False


def test_a_table_that_names_nobody_known_is_told(keep):
    keeper = refreshed(keep("", (ShiftLine("bob", "mon", time(8), time(9), date(2026, 1, 1)),)))
    assert keeper.warnings == ("On duty, but no [[officer]] of the configuration: bob.",)


# What goes wrong: in one line what, where and what to do, and the last good roster stays


@pytest.mark.parametrize(
    ("status", "headers", "body", "said"),
    [
        (404, {}, b"", "there is no calendar at this address (status 404)"),
        (410, {}, b"", "there is no calendar at this address (status 410)"),
        (401, {}, b"", "the server refuses (status 401)"),
        (403, {}, b"", "the server refuses (status 403)"),
        (500, {}, b"", "the server answers with status 500"),
        (304, {}, b"", "the server answers with status 304"),
        (200, {"Content-Type": "text/html"}, b"<html>Login</html>", "the server sends 'text/html', not a calendar"),
        (200, {"Content-Type": "text/calendar"}, b"<html>Login</html>", "this is no iCalendar file; it begins with"),
        (200, {}, b"", "the server sends '', not a calendar"),
        (200, {}, GOOD[:-30], "the file breaks off"),
        (200, {}, GOOD.replace(b"FREQ=DAILY", b"FREQ=SECONDLY"), "repeats too often (FREQ=SECONDLY)"),
        (200, {}, b"BEGIN:VCALENDAR" + b"\n" * (9 << 20), "longer than 8 MB"),
        (200, {"Content-Length": "100000"}, GOOD, "cannot be reached (peer closed connection"),
        (302, {"Location": "/calendar.ics"}, b"", "redirected more than 5 times"),
        (302, {"Location": "ftp://127.0.0.1/"}, b"", "not an address that can be asked"),
    ],
)
def test_what_a_server_may_answer(site, keep, clock, status, headers, body, said):
    keeper = refreshed(keep(site.url()))
    site.status, site.headers, site.body = status, headers, body
    clock.now += HOUR
    message = problem(keeper)
    assert message.startswith(f"Duty roster {site.url()}: ")
    assert said in message
    assert (keeper.roster.on_duty(EVENING), keeper.loaded_at) == (("cdurand",), NOW)
    site.status, site.headers, site.body = 200, {}, OTHER
    assert refreshed(keeper).problem is None
    assert keeper.roster.on_duty(EVENING) == ("h.lefevre",)


def test_content_goes_before_its_type(site, keep):
    site.headers["Content-Type"] = "application/octet-stream"
    site.body = b"\xef\xbb\xbf" + GOOD
    assert refreshed(keep(site.url())).problem is None


def test_nobody_listens(keep):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    assert f"Duty roster http://127.0.0.1:{port}/a.ics: cannot be reached" in problem(
        keep(f"http://127.0.0.1:{port}/a.ics")
    )


def test_a_name_that_does_not_exist(keep):
    assert "cannot be reached" in problem(keep("https://calendar.invalid/a.ics"))


def test_an_address_that_is_none(keep):
    assert "not an address that can be asked" in problem(keep("http://[::1/a.ics"))


def test_a_certificate_that_nobody_trusts_until_its_authority_is_installed(keep, tmp_path, monkeypatch):
    authority = trustme.CA()
    with serving(authority.issue_cert("127.0.0.1")) as site:
        site.body = GOOD
        keeper = keep(site.url())
        assert "its certificate is not trusted" in problem(keeper)
        assert "SSL_CERT_FILE" in keeper.problem
        authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
        assert refreshed(keeper).problem is None


def test_a_certificate_of_another_name(keep, tmp_path, monkeypatch):
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    with serving(authority.issue_cert("calendar.example")) as site:
        assert "its certificate is not trusted" in problem(keep(site.url()))


def test_a_server_that_says_nothing(keep, monkeypatch):
    monkeypatch.setattr("telemon.roster.source._PATIENCE", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert "no complete answer within" in problem(keep(f"http://127.0.0.1:{silent.getsockname()[1]}/"))


def test_a_server_that_drips(site, keep, monkeypatch):
    monkeypatch.setattr("telemon.roster.source._WHOLE_PATIENCE", -1)
    assert "no complete answer within" in problem(keep(site.url()))


def test_files_that_are_none(keep, tmp_path):
    assert "the file cannot be read (No such file or directory)" in problem(keep(tmp_path / "none.ics"))
    assert "this is no file" in problem(keep(tmp_path))
    os.mkfifo(tmp_path / "pipe")
    assert "this is no file" in problem(keep(tmp_path / "pipe"))
    with (tmp_path / "long.ics").open("wb") as long:
        long.truncate(100 << 20)
    assert "longer than 8 MB" in problem(keep(tmp_path / "long.ics"))


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("/etc/duty.ics", "/etc/duty.ics"),
        ("https://user:secret@host:8443/duty.ics?key=secret#secret", "https://host:8443/duty.ics"),
        ("https://host/dav/private-secret/basic.ics", "https://host/…/basic.ics"),
        ("webcal://host", "webcal://host/"),
        ("http://[::1/a.ics", "http://[::1/a.ics"),
    ],
)
def test_messages_keep_secrets(source, shown):
    assert where(source) == shown


def test_a_name_and_password_in_the_address_are_used(site):
    fetch(site.url().replace("//", "//user:secret@"))
    assert site.asked[0][1]["Authorization"] == "Basic dXNlcjpzZWNyZXQ="


# In a process of its own


def test_reading_apart_says_the_same():
    reading = read_apart(calendar(event(*DAILY, summary="Zoé")), PARIS, OFFICERS, *YEAR)
    assert len(reading.shifts) == 214
    assert reading.shifts[0].officer == "Zoé"
    assert reading.warnings == ("On duty, but no [[officer]] of the configuration: Zoé.",)


def test_a_refusal_is_in_the_readers_language():
    use("fr")
    try:
        with pytest.raises(RosterError, match="ce n'est pas un fichier iCalendar ; il commence par 'x'"):
            read_apart(b"x", PARIS, (), *YEAR)
    finally:
        use("en")


def test_reading_apart_where_systemd_forbids_to_be_polite(monkeypatch, tmp_path):
    """``SystemCallFilter=~@resources`` of the unit answers EPERM to nice(2)."""
    strace = shutil.which("strace") or cannot("no strace: install the package strace")
    python = tmp_path / "python"
    inject = "-qq -o /dev/null -e trace=setpriority -e inject=setpriority:error=EPERM"
    python.write_text(f'#!/bin/sh\nexec {strace} {inject} {sys.executable} "$@"\n', encoding="utf-8")
    python.chmod(0o755)
    if subprocess.run([python, "-c", ""], check=False).returncode:
        cannot("strace may not trace here")
    monkeypatch.setattr("sys.executable", str(python))
    assert len(read_apart(GOOD, PARIS, OFFICERS, *YEAR).shifts) == 214


def test_what_never_comes_true_ends_in_time():
    never = [event(*DAILY[:2], f"{DAILY[2]};BYMONTH=2;BYMONTHDAY=30", uid=str(number)) for number in range(3)]
    with pytest.raises(RosterError, match="reading it was ended after 2 s"):
        read_apart(calendar(*never), PARIS, (), *YEAR, processor_seconds=2)
