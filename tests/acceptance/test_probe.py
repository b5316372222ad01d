"""``telemon probe`` at real Asterisks, with SIPp on the duty phone: what it says is what the officer did."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import sqlite3
from contextlib import closing
from datetime import datetime

import pytest

from simulators.sip.dialogs import read_dialogs
from telemon.instants import SECOND, from_datetime
from tests.acceptance.commands import running, telemon
from tests.acceptance.dialplan_kit import VERSIONS, complaints
from tests.acceptance.probe_kit import (
    MOBILE,
    NUMBER,
    PRESS_SECONDS,
    configure,
    listed,
    phone,
    probe,
    probed,
    ready,
)

TOLERANCE = 0.3  # seconds between what SIPp saw and what telemon says


@pytest.fixture(scope="module")
def site():
    with ready() as asterisk:
        yield asterisk


@pytest.fixture
def permanence(site):
    """The site; what a test changed in its dialplan is put back."""
    yield site
    site.command("dialplan reload")


def instant(iso):
    return from_datetime(datetime.fromisoformat(iso))


def seconds_between(earlier, later):
    return (instant(later) - instant(earlier)) / SECOND


def rings_only(site, line):
    """Let the permanence's number do this one thing."""
    site.command(f"dialplan add extension {NUMBER},1,{line} into from-trunk replace")


# -- somebody is there


@pytest.mark.parametrize("version", VERSIONS)
async def test_an_officer_who_presses_the_key_confirms(version, tmp_path):
    with ready(version) as asterisk:
        config = configure(tmp_path, asterisk)
        async with phone(asterisk, tmp_path, "duty", "answers presses", ring=1.5) as duty:
            status, done, stages = await probed(config)
            dialogs = read_dialogs(duty.messages)
        assert complaints(asterisk) == []
    assert (status, done["result"], done["answered_by"]) == (0, "confirmed", "PJSIP/duty")
    assert (done["number"], done["service"], done["ordered_by"], done["reason"]) == (
        NUMBER,
        "permanence",
        "command",
        "",
    )
    (dialog,) = dialogs
    assert done["delay_seconds"] == pytest.approx(
        (dialog.answered_at - instant(done["ordered_at"])) / SECOND, abs=TOLERANCE
    )
    assert seconds_between(done["answered_at"], done["confirmed_at"]) == pytest.approx(PRESS_SECONDS, abs=1.5)
    assert stages == [
        f"Calling {NUMBER} (permanence)…",
        "Ringing: PJSIP/duty",
        "PJSIP/duty has answered and hears the announcement…",
        "PJSIP/duty has pressed a key.",
    ]
    assert await listed(config) == [done]


async def test_it_is_a_call_from_outside_that_counts_in_no_rate(permanence, tmp_path):
    """The daemon beside it measures it like any citizen's, and leaves it out of every figure."""
    config = configure(tmp_path, permanence)
    async with phone(permanence, tmp_path, "duty", "answers presses"), running(config) as daemon:
        status, done, _ = await probed(config)
        await daemon.stop(signal.SIGTERM)
    assert (status, done["result"]) == (0, "confirmed")
    _, calls, _ = await telemon("calls", "-c", config, "-p", "2000..2100", "-f", "ndjson", cwd=tmp_path)
    (call,) = map(json.loads, calls.splitlines())
    assert (call["call_id"], call["is_probe"], call["outcome"]) == (done["call_id"], True, "answered")
    assert (call["service"], call["ddi"], call["answered_by"]) == ("permanence", NUMBER, "PJSIP/duty")
    assert "internal" not in call["flags"]
    assert call["answered_at"] == done["answered_at"]
    _, stats, _ = await telemon("stats", "-c", config, "-p", "2000..2100", "-f", "ndjson", cwd=tmp_path)
    (figures,) = [line for line in map(json.loads, stats.splitlines()) if line.get("service") == "permanence"]
    assert (figures["excluded"], figures["offered"], figures["answered"], figures["lost"]) == (1, 0, 0, 0)
    assert sum(figures["by_outcome"].values()) == 0


async def test_an_officer_who_presses_nothing_has_answered(site, tmp_path):
    config = configure(tmp_path, site)
    async with phone(site, tmp_path, "duty", "answers", ring=0.5):
        status, output, errors = await probe(config)
    assert status == 0
    assert re.fullmatch(r"Answered: PJSIP/duty after \d\.\d s; no key was pressed\.\n", output)
    assert "pressed" not in errors
    (kept,) = await listed(config)
    assert (kept["result"], kept["confirmed_at"]) == ("answered", None)


async def test_without_confirm_the_officer_is_not_asked_for_a_key(site, tmp_path):
    config = configure(tmp_path, site, probe="seconds = 10\nconfirm = false")
    async with phone(site, tmp_path, "duty", "answers", ring=0.5):
        status, done, _ = await probed(config)
    assert (status, done["result"]) == (0, "answered")
    assert seconds_between(done["answered_at"], done["ended_at"]) < 4  # "thank you", and no more


async def test_an_officer_who_accepts_on_the_mobile_has_answered(permanence, tmp_path):
    rings_only(permanence, f"Gosub(telemon-permanence,{NUMBER},1(nobody,1,{MOBILE}))")
    config = configure(tmp_path, permanence, probe="seconds = 30")
    async with phone(permanence, tmp_path, "gsm", "answers presses", called=MOBILE):
        status, done, _ = await probed(config)
    assert (status, done["result"], done["answered_by"]) == (0, "answered", "PJSIP/gsm")


# -- nobody is there


async def test_a_phone_that_nobody_takes_is_unanswered(site, tmp_path):
    config = configure(tmp_path, site)
    async with phone(site, tmp_path, "duty"):
        status, output, _ = await probe(config, "--wait", "5")
    assert status == 1
    assert re.match(r"Nobody answered; given up after 5\.\d s\. Find out now who is on duty", output)
    (kept,) = await listed(config)
    assert (kept["result"], kept["delay_seconds"], kept["answered_by"]) == ("unanswered", None, None)
    assert kept["alerting_at"] is not None


async def test_a_permanence_without_any_phone_is_unanswered(permanence, tmp_path):
    rings_only(permanence, "Dial(PJSIP/nobody,20)")
    status, done, _ = await probed(configure(tmp_path, permanence))
    assert (status, done["result"]) == (1, "unanswered")


async def test_a_mobile_whose_voicemail_answers_is_a_machine(permanence, tmp_path):
    rings_only(permanence, f"Gosub(telemon-permanence,{NUMBER},1(nobody,1,{MOBILE}))")
    config = configure(tmp_path, permanence, probe="seconds = 40")
    async with phone(permanence, tmp_path, "gsm", "answers hangs-up", called=MOBILE):
        status, done, _ = await probed(config)
    assert (status, done["result"], done["answered_by"]) == (1, "machine", None)


async def test_an_announcement_is_a_machine(permanence, tmp_path):
    rings_only(permanence, f"Gosub(telemon-permanence-closed,{NUMBER},1(please-try-call-later))")
    status, done, _ = await probed(configure(tmp_path, permanence))
    assert (status, done["result"]) == (1, "machine")


# -- it could not be placed


async def test_a_trunk_that_does_not_exist_is_named(site, tmp_path):
    config = configure(tmp_path, site)
    site.command("dialplan set global TELEMON_PROBE_TRUNK no-trunk")
    try:
        status, output, _ = await probe(config)
    finally:
        site.command("dialplan set global TELEMON_PROBE_TRUNK loop")
    assert status == 1
    assert "TELEMON_PROBE_TRUNK is a PJSIP endpoint that is up and brings 0102030406 back" in output
    (kept,) = await listed(config)
    assert (kept["result"], kept["reason"].split(":")[0]) == ("failed", "not_returned")


async def test_a_dialplan_that_is_not_included_is_named(permanence, tmp_path):
    permanence.command("dialplan remove context telemon-probe-speaks")
    status, output, _ = await probe(configure(tmp_path, permanence))
    assert status == 1
    assert 'refuses to place it (Extension does not exist.). In extensions.conf: #include "telemon/probe/' in output


async def test_a_login_that_may_not_place_calls_is_named(site, tmp_path):
    config = configure(tmp_path, site)
    config.write_text(config.read_text().replace("[[service]]", 'originate_username = "telemon"\n[[service]]', 1))
    status, output, _ = await probe(config)
    assert status == 1
    assert "refuses to place it (Permission denied)" in output
    assert "write = originate" in output


async def test_a_wrong_secret_is_named(site, tmp_path):
    status, done, _ = await probed(configure(tmp_path, site, secret="wrong"))
    assert (status, done["result"]) == (1, "failed")
    assert done["reason"].startswith("no_login: pbx: Asterisk refuses user 'telemon-originate'")


async def test_what_is_no_number_is_refused_before_anything_is_placed(site, tmp_path):
    status, _, errors = await probe(configure(tmp_path, site), "--number", "0102030406&PJSIP/op1")
    assert status == 1
    assert "is no number to call" in errors


# -- by which way


async def test_where_no_trunk_comes_back_asterisk_calls_itself(tmp_path):
    with ready() as asterisk:
        etc = asterisk.run_folder / "etc"
        loop = etc / "telemon" / "probe" / "pjsip.conf"
        assert "sip:127.0.0.1:5060" in loop.read_text()
        loop.write_text(loop.read_text().replace("5060", str(asterisk.sip_port)))
        with (etc / "pjsip.conf").open("a") as own:
            own.write('#include "telemon/probe/pjsip.conf"\n')
        asterisk.command("module reload res_pjsip.so")
        asterisk.command("dialplan set global TELEMON_PROBE_TRUNK telemon-loop")
        async with phone(asterisk, tmp_path, "duty", "answers presses"):
            status, done, _ = await probed(configure(tmp_path, asterisk))
        assert "telemon-loop" in asterisk.command("pjsip show endpoints")
        assert complaints(asterisk) == []
    assert (status, done["result"]) == (0, "confirmed")


async def test_a_caller_who_is_not_listed_is_no_test_call(site, tmp_path):
    """The officer was rung all the same, and telemon says what to list."""
    config = configure(tmp_path, site, callers=["0999999999"])
    async with phone(site, tmp_path, "duty", "answers presses") as duty:
        status, output, _ = await probe(config)
        assert len(read_dialogs(duty.messages)) == 1
    assert status == 1
    assert "List under probe_callers the number that arrives (TELEMON_PROBE_CALLER, or the trunk's own)" in output
    (kept,) = await listed(config)
    assert (kept["result"], kept["reason"]) == ("failed", "not_recognised")


# -- it is not to be placed


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (r"originate_secret_file = .*", "", r"\[telemon-originate\]\(\+\).*originate_secret_file"),
        (r"probe_callers = .*", "", r"probe_callers is empty"),
        (r'kind = "permanence"', "", r'kind = "permanence"'),
        (r"ddis = .*", 'ddis = ["_01XX"]', r"write the number under \[probe\]"),
    ],
)
async def test_what_is_missing_in_the_configuration_is_said(before, after, said, site, tmp_path):
    config = configure(tmp_path, site)
    changed, count = re.subn(before, after, config.read_text())
    assert count == 1
    config.write_text(changed)
    status, output, errors = await probe(config)
    assert (status, output, errors.count("\n")) == (1, "", 1)
    assert re.search(said, errors)


async def test_it_speaks_french(site, tmp_path):
    config = configure(tmp_path, site, callers=[])
    _, _, errors = await probe(config, TELEMON_LOCALE="fr")
    assert "un appel de test compterait comme celui d'un usager" in errors


async def test_in_a_crisis_no_test_call_is_placed(site, tmp_path):
    config = configure(tmp_path, site)
    await listed(config)  # makes the ledger
    with closing(sqlite3.connect(tmp_path / "calls.db")) as ledger, ledger:
        ledger.execute(
            "INSERT INTO crises (crisis_id, site, service, title, is_exercise, plan, deadline_seconds, ordered_at,"
            " ordered_by, closed_by) VALUES ('1', 'pref', 'crise', 'Crue', 0, 4, 3600, '2026-11-23 02:00:00', '', '')"
        )
    status, output, errors = await probe(config)
    assert (status, output) == (1, "")
    assert "a crisis cell is open (Crue)" in errors
    assert await listed(config) == []


async def test_two_at_once_are_not_placed(site, tmp_path):
    config = configure(tmp_path, site)
    async with phone(site, tmp_path, "duty"):
        first = asyncio.create_task(probed(config, "--wait", "8"))
        while not await listed(config):  # noqa: ASYNC110 - it lies in another process
            await asyncio.sleep(0.05)
        status, _, errors = await probe(config)
        assert (await first)[1]["result"] == "unanswered"
    assert status == 1
    assert "a test call is under way" in errors
