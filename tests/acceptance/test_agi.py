"""Sign-ins by phone on real Asterisks: a SIP telephone dials, keys in number and PIN, and hears what became of it."""

from __future__ import annotations

import asyncio
import secrets
from contextlib import closing

import pytest

from telemon.agi.prompts import make_prompts
from telemon.duty_records import Officer, PresenceAction
from telemon.instants import SECOND
from tests.acceptance.agi_kit import (
    CAMILLE,
    NUMBER,
    PIN,
    WRONG_PIN,
    call,
    heard,
    is_heard,
    key_in,
    over,
    phone_line,
    sounds_folder,
    telephone,
    until,
)
from tests.acceptance.dialplan_kit import VERSIONS, Session, started
from tests.lab.capture.softphone import now

SIGNED = (f"{NUMBER}#", f"{PIN}#")


@pytest.fixture(scope="module", params=VERSIONS)
def site(request):
    with started(request.param) as running:
        yield running


@pytest.fixture(scope="module", params=VERSIONS[:1])
def modern(request):
    with started(request.param) as running:
        yield running


async def test_number_and_pin_sign_in_and_out(site, tmp_path):
    async with phone_line(site, tmp_path) as line, telephone(site) as phone:
        for code, said in (("*282", "agent-loginok"), ("*283", "agent-loggedoff")):
            async with call(phone, code) as (leg, _):
                await key_in(line, leg, *SIGNED)
                await heard(line, said)
        told = await asyncio.to_thread(line.presences)
        assert [(one.officer, one.action, one.through, one.extension) for one in told] == [
            (CAMILLE, PresenceAction.SIGNED_IN, "phone", "PJSIP/op1"),
            (CAMILLE, PresenceAction.SIGNED_OUT, "phone", "PJSIP/op1"),
        ]


async def test_three_wrong_pins_lock_for_a_while(modern, tmp_path):
    later = 0
    async with phone_line(modern, tmp_path, clock=lambda: now() + later) as line, telephone(modern) as phone:
        async with call(phone, "*282") as (leg, _):
            for _ in range(3):
                await key_in(line, leg, f"{NUMBER}#", f"{WRONG_PIN}#")
            await heard(line, "please-try-call-later")
        async with call(phone, "*282") as (leg, _):
            await key_in(line, leg, *SIGNED)
            await until(lambda: line.streams().count("please-try-call-later") == 2)
        assert await asyncio.to_thread(line.presences) == []
        later = 15 * 60 * SECOND
        async with call(phone, "*282") as (leg, _):
            await key_in(line, leg, *SIGNED)
            await until(line.presences)


async def test_a_number_that_nobody_has_sounds_as_a_wrong_pin_does(modern, tmp_path):
    sounds = []
    for number in (NUMBER, "4999"):
        async with phone_line(modern, tmp_path) as line, telephone(modern) as phone:
            async with call(phone, "*282") as (leg, _):
                for _ in range(3):
                    await key_in(line, leg, f"{number}#", f"{WRONG_PIN}#")
                await over(leg)
            sounds.append(line.streams())
    assert sounds[0] == sounds[1]
    assert "please-try-call-later" in sounds[0]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sounds")
    make_prompts(folder, [Officer(id=CAMILLE, name="Camille Durand")], report=lambda _: None)
    return folder


@pytest.fixture
def folder(site, made):
    name = f"telemon-{secrets.token_hex(4)}"
    with sounds_folder(site, made, name):
        yield name


@pytest.mark.parametrize("language", ["fr", "en"])
async def test_who_is_on_duty_is_heard_in_the_language_of_the_phone(site, tmp_path, made, folder, language):
    site.command("module load func_channel.so")
    site.command(f"dialplan add extension 284{language},1,Set(CHANNEL(language)={language}) into from-internal replace")
    site.command(f"dialplan add extension 284{language},2,Goto(*284,1) into from-internal replace")
    async with phone_line(site, tmp_path, folder=folder) as line, telephone(site) as phone:
        async with call(phone, "*282") as (leg, _):
            await key_in(line, leg, *SIGNED)
            await over(leg)
        async with call(phone, f"284{language}") as (leg, ear):
            await over(leg)
        assert line.streams()[-3:] == [f"{folder}/{name}" for name in ("on-duty", f"name-{CAMILLE}", "goodbye")]
        other = "en" if language == "fr" else "fr"
        for name in ("on-duty", f"name-{CAMILLE}"):
            assert is_heard(ear.sound, made / language / "telemon" / f"{name}.wav")
        assert not is_heard(ear.sound, made / other / "telemon" / "on-duty.wav")


async def test_without_files_of_its_own_stock_sounds_and_digits_stand_in(modern, tmp_path):
    async with phone_line(modern, tmp_path) as line, telephone(modern) as phone:
        async with call(phone, "*282") as (leg, _):
            await key_in(line, leg, *SIGNED)
            await over(leg)
        async with call(phone, "*284") as (leg, ear):
            await over(leg)
        assert f'SAY DIGITS {NUMBER} ""' in line.commands()
        assert {"agent-loginok", "extension"} <= set(line.streams())
        assert len(ear.sound) > 8000


async def test_hanging_up_in_mid_dialogue_frees_the_line(modern, tmp_path):
    async with phone_line(modern, tmp_path, workers=1) as line, telephone(modern) as phone:
        for entries in ((), (f"{NUMBER}#",)):
            async with call(phone, "*282") as (leg, _):
                await until(line.asked)
                await key_in(line, leg, *entries)
            line.taken = line.asked()
        async with call(phone, "*282") as (leg, _):
            await key_in(line, leg, *SIGNED)
            await until(line.presences)


async def test_who_calls_on_top_of_all_workers_is_told_so(modern, tmp_path):
    async with (
        phone_line(modern, tmp_path, workers=1) as line,
        telephone(modern) as phone,
        telephone(modern, "op2") as other,
        call(phone, "*282") as (leg, _),
    ):
        await until(line.asked)
        async with call(other, "*284") as (second, _):
            await over(second)
        assert "all-circuits-busy-now" in line.streams()
        assert not leg.over.is_set()
        await key_in(line, leg, *SIGNED)
        await until(line.presences)


async def test_stopping_the_server_ends_a_call_at_once(modern, tmp_path):
    async with telephone(modern) as phone:
        async with phone_line(modern, tmp_path) as line:
            leg = phone.dial("*282")
            await leg.until_answered()
            await until(line.asked)
        async with asyncio.timeout(5):
            await leg.over.wait()


async def test_without_telemon_the_caller_is_told_that_it_failed(modern, tmp_path):
    async with phone_line(modern, tmp_path) as line:
        port = line.server.port
    await asyncio.to_thread(modern.command, f"dialplan set global TELEMON_AGI agi://127.0.0.1:{port}")
    async with telephone(modern) as phone, call(phone, "*284") as (leg, ear):
        await over(leg)
        assert len(ear.sound) > 8000


async def test_the_crisis_cell_by_phone(modern, tmp_path):
    async with phone_line(modern, tmp_path) as line, telephone(modern) as phone:
        stages = []
        for code, keys, said in (
            ("*292", ("1",), "activated"),
            ("*294", (), "conf-hasjoin"),
            ("*296", (), "enabled"),
            ("*295", (), "conf-hasleft"),
            ("*297", ("1",), "de-activated"),
        ):
            async with call(phone, code) as (leg, _):
                await key_in(line, leg, *SIGNED, *keys)
                await heard(line, said)
            switch = await asyncio.to_thread(modern.command, "database get telemon crisis")
            status = await asyncio.to_thread(line.cell.status)
            people = () if status is None else tuple(status.people)
            stages.append((code, status is not None, people, "Value: open" in switch))
        assert stages == [
            ("*292", True, (), False),
            ("*294", True, (CAMILLE,), False),
            ("*296", True, (CAMILLE,), True),
            ("*295", True, (), True),
            ("*297", False, (), False),
        ]


async def test_without_a_crisis_nothing_is_joined_and_the_line_stays_closed(modern, tmp_path):
    async with phone_line(modern, tmp_path) as line, telephone(modern) as phone:
        async with call(phone, "*296") as (leg, _):
            await key_in(line, leg, *SIGNED)
            await heard(line, "vm-sorry")
        assert "open" not in await asyncio.to_thread(modern.command, "database get telemon crisis")


async def test_no_pin_is_in_any_log_nor_seen_by_telemons_login(modern, tmp_path, caplog):
    caplog.set_level("DEBUG")
    with closing(Session(modern, "telemon")) as login:
        async with phone_line(modern, tmp_path) as line, telephone(modern) as phone, call(phone, "*282") as (leg, _):
            await key_in(line, leg, *SIGNED)
            await over(leg)
            await asyncio.to_thread(line.presences)
        await asyncio.to_thread(login.ask, "Ping")
        assert "AGIExecStart" not in login.names()
        assert "DTMFEnd" not in login.names()
        seen = "\n".join(str(event) for event in login.events)
    for text in (caplog.text, seen, modern.log(2000)):
        assert PIN not in text
    assert CAMILLE in caplog.text
