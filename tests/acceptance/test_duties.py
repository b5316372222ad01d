"""The whole daemon through a night of the permanence, at a real Asterisk 22: what it shows, tells and keeps."""

import asyncio
import json
import re
import signal
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from simulators.lab.ports import free_port
from tests.acceptance.agi_kit import CAMILLE, NUMBER, OFFICERS, PIN, QUIET, call, over, telephone
from tests.acceptance.commands import running, telemon
from tests.acceptance.dialplan_kit import started

pytestmark = pytest.mark.real("asterisk")

PATIENCE = 15.0
PAUSE = "queue {} member PJSIP/duty queue permanence"


@pytest.fixture(scope="module")
def asterisk():
    with started(22) as running_asterisk:
        yield running_asterisk


def calendar(*shifts):
    events = [
        f"BEGIN:VEVENT\nUID:{number}\nSUMMARY:{name}\nDTSTART:{start:%Y%m%dT%H%M%SZ}\nDTEND:{end:%Y%m%dT%H%M%SZ}\n"
        "END:VEVENT\n"
        for number, (name, start, end) in enumerate(shifts)
    ]
    return "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//test//EN\n" + "".join(events) + "END:VCALENDAR\n"


def written(folder, asterisk, agi_port):
    """Write calendar, token and configuration."""
    now = datetime.now(UTC)
    (folder / "duty.ics").write_text(calendar(("Camille Durand", now - timedelta(hours=1), now + timedelta(days=9))))
    (folder / "token").write_text("sesame")
    officers = "".join(
        "[[officer]]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in officer.items())
        for officer in OFFICERS
    )
    config = folder / "telemon.toml"
    config.write_text(
        f"""
site = "prefecture"
[[pbx]]
port = {asterisk.ami_port}
secret = "{asterisk.ami_secret}"
[[service]]
name = "permanence"
kind = "permanence"
ddis = ["0102030406"]
queues = ["permanence"]
[[service]]
name = "crise"
kind = "crisis"
ddis = ["0102030407"]
queues = ["crise"]
{officers}
[roster]
calendar = "{folder}/duty.ics"
refresh_minutes = 0.01
[agi]
port = {agi_port}
[ledger]
url = "sqlite:///{folder}/telemon.db"
key_file = "{folder}/telemon.key"
[web]
port = 0
token_file = "{folder}/token"
"""
    )
    return config


class Page:
    """``/metrics``, read until it says what is expected."""

    def __init__(self, address):
        self.address = address

    async def shows(self, *lines):
        """Wait until each of these lines is there; one that begins with '-' must be absent."""
        async with httpx.AsyncClient() as client:
            said = ""
            try:
                async with asyncio.timeout(PATIENCE):
                    while True:
                        said = (await client.get(f"{self.address}/metrics")).text
                        there = set(said.splitlines())
                        if all((line.removeprefix("-") in there) != line.startswith("-") for line in lines):
                            return
                        await asyncio.sleep(0.05)
            except TimeoutError:
                raise AssertionError(
                    f"never {lines}; last:\n"
                    + "\n".join(re.findall(r"^telemon_(?:perm|cond|roster|off|cri).*", said, re.MULTILINE))
                ) from None


COVERED = 'telemon_permanence_covered{service="permanence",site="prefecture"} '


def uncovered(cause):
    return (
        f"{COVERED}0.0",
        f'telemon_permanence_uncovered{{cause="{cause}",service="permanence",site="prefecture"}} 1.0',
        'telemon_condition{kind="uncovered",service="permanence",site="prefecture"} 1.0',
    )


def condition(kind):
    return f'telemon_condition{{kind="{kind}",service="",site="prefecture"}} 1.0'


async def test_a_night_of_the_permanence(asterisk, tmp_path):
    agi_port = free_port()
    config = written(tmp_path, asterisk, agi_port)
    duty = tmp_path / "duty.ics"
    await asyncio.to_thread(asterisk.command, f"dialplan set global TELEMON_AGI agi://127.0.0.1:{agi_port}")
    async with running(config) as daemon:
        page = Page(daemon.address)
        await page.shows(
            f"{COVERED}1.0", 'telemon_officers_on_duty{site="prefecture"} 1.0', f"-{condition('roster_hole')}"
        )
        await asyncio.to_thread(asterisk.command, PAUSE.format("pause"))
        await page.shows(*uncovered("all_paused"))
        await asyncio.to_thread(asterisk.command, PAUSE.format("unpause"))
        await page.shows(f"{COVERED}1.0", f"-{uncovered('all_paused')[2]}")
        duty.write_text(calendar())  # somebody deleted a week too much
        await page.shows(*uncovered("roster_hole"), condition("roster_hole"))
        async with telephone(asterisk) as phone, call(phone, "*282") as (leg, _):
            for entry in (f"{NUMBER}#", f"{PIN}#"):
                await leg.press(entry, QUIET)
            await over(leg)
        await page.shows(f"{COVERED}1.0", 'telemon_officers_on_duty{site="prefecture"} 1.0')
        duty.write_text("<html>Please log in</html>")
        await page.shows(condition("roster_unreadable"), f"{COVERED}1.0")
        status, _ = await daemon.stop(signal.SIGTERM)
        assert status == 0
    log = "".join(daemon.log)
    assert "every operator is paused" in log
    assert "nobody is on duty in the roster" in log
    assert PIN not in log
    status, said, errors = await telemon("coverage", "today", "--timeline", "-f", "ndjson", "-c", config, cwd=tmp_path)
    assert status == 0, errors
    told = [line for line in map(json.loads, said.splitlines()) if "state" in line]
    states = [(line["state"], line["cause"]) for line in told if line["state"] != "unknown"]
    assert states == [
        ("covered", None),
        ("uncovered", "all_paused"),
        ("covered", None),
        ("uncovered", "roster_hole"),
        ("covered", None),
    ]


async def test_a_crisis_through_the_api_while_the_daemon_runs(asterisk, tmp_path):
    config = written(tmp_path, asterisk, 0)
    async with running(config) as daemon:
        page = Page(daemon.address)
        async with httpx.AsyncClient(base_url=daemon.address) as client:
            assert (await client.post("/api/crisis", json={})).status_code == 401
            client.headers["Authorization"] = "Bearer sesame"
            assert (await client.post("/api/crisis", json={"title": "Flood", "by": CAMILLE})).status_code == 200
            await page.shows('telemon_crisis_open{exercise="false",service="crise",site="prefecture"} 1.0')
            await asyncio.to_thread(asterisk.command, "devstate change Custom:telemon-crisis INUSE")
            await page.shows('telemon_crisis_stage{service="crise",site="prefecture",stage="line_open"} 1.0')
            assert (await client.post("/api/crisis/close", json={"by": CAMILLE})).status_code == 200
            await page.shows('-telemon_crisis_open{exercise="false",service="crise",site="prefecture"} 1.0')
        await asyncio.to_thread(asterisk.command, "devstate change Custom:telemon-crisis NOT_INUSE")


async def test_a_night_switch_that_disagrees_is_shown_and_told(asterisk, tmp_path):
    config = written(tmp_path, asterisk, 0)
    standard = """[[service]]
name = "standard"
ddis = ["0102030405"]
queues = ["standard"]
hours = ["mon-sun 00:00-24:00"]
outside_hours = "permanence"
night_switch = "Custom:telemon-night"
"""
    config.write_text(config.read_text().replace("[[service]]", f"{standard}[[service]]", 1))
    agrees = 'telemon_night_switch_agrees{service="standard",site="prefecture"} '
    told = 'telemon_condition{kind="night_switch",service="standard",site="prefecture"} 1.0'
    try:
        async with running(config) as daemon:
            page = Page(daemon.address)
            await asyncio.to_thread(asterisk.command, "devstate change Custom:telemon-night INUSE")
            await page.shows(f"{agrees}0.0", told)
            status, said, _ = await telemon("check", "-c", config, cwd=tmp_path)
            assert status == 0
            assert "standard: open now by its hours; the PBX says: closed." in said
            await asyncio.to_thread(asterisk.command, "devstate change Custom:telemon-night NOT_INUSE")
            await page.shows(f"{agrees}1.0", f"-{told}")
    finally:
        await asyncio.to_thread(asterisk.command, "devstate change Custom:telemon-night INVALID")
