"""The sound files and the PIN's hash, as the command line makes them."""

import hashlib
import json
import math
import random
import shutil
import wave
from array import array

import pytest
from typer.testing import CliRunner

from telemon.agi import voice as agi_voice
from telemon.agi.line import Prompt
from telemon.agi.pins import verify_pin
from telemon.agi.prompts import MANIFEST, Fate, make_prompts
from telemon.agi.sound import RATE, to_telephone
from telemon.agi.voice import file_name
from telemon.cli import app
from telemon.duty_records import Officer
from telemon.errors import ConfigError, PresenceError, TelemonError

real = pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="no espeak-ng: install the package espeak-ng")
CAMILLE = Officer(id="cdurand", name="Camille Durand")
CONFIGURATION = '[[officer]]\nid = "cdurand"\nname = "Camille Durand"\n'


# -- sound


def tone(hertz, rate, seconds=0.5):
    return [round(20_000 * math.sin(2 * math.pi * hertz * place / rate)) for place in range(round(rate * seconds))]


def power(samples, hertz):
    """How much of a tone is in a sound: 1 for the loudest that 16 bits carry."""
    turns = [2 * math.pi * hertz * place / RATE for place in range(len(samples))]
    real_part = sum(value * math.cos(turn) for value, turn in zip(samples, turns, strict=True))
    imaginary = sum(value * math.sin(turn) for value, turn in zip(samples, turns, strict=True))
    return 2 * math.hypot(real_part, imaginary) / len(samples) / 32_768


@pytest.mark.parametrize("rate", [22_050, 16_000, 44_100])
@pytest.mark.parametrize("hertz", [300, 1000, 3000])
def test_what_a_telephone_carries_stays_as_loud(rate, hertz):
    told = to_telephone(tone(hertz, rate), rate)
    assert abs(len(told) - RATE * 0.5) <= 1
    assert power(told, hertz) == pytest.approx(20_000 / 32_768, rel=0.02)


@pytest.mark.parametrize("hertz", [5000, 6500, 9000])
def test_what_it_cannot_carry_comes_back_as_no_other_tone(hertz):
    told = to_telephone(tone(hertz, 22_050), 22_050)
    middle = told[400:-400]
    assert max(map(abs, middle)) < 200


def test_the_loudest_does_not_overflow():
    chance = random.Random(1)
    told = to_telephone([chance.choice((-32_768, 32_767)) for _ in range(5000)], 22_050)
    assert max(told) <= 32_767
    assert to_telephone([], 22_050) == array("h")


# -- files


def made(folder, officers=(CAMILLE,), **options):
    reported: list[str] = []
    fates = make_prompts(folder, officers, report=lambda path: reported.append(path.name), **options)
    assert len(reported) == fates[Fate.MADE]
    return {fate: count for fate, count in fates.items() if count}, reported


def digests(folder):
    return {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.rglob("*.wav")}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("finished")
    return folder, made(folder)


@pytest.fixture
def sounds(finished, tmp_path):
    return shutil.copytree(finished[0], tmp_path / "sounds")


ALL = 2 * (len(Prompt) + 1)


@real
def test_every_prompt_and_name_in_both_languages_as_asterisk_plays_it(finished):
    tmp_path, (fates, _) = finished
    assert fates == {Fate.MADE: ALL}
    for language in ("fr", "en"):
        folder = tmp_path / language / "telemon"
        assert {path.stem for path in folder.glob("*.wav")} == {*map(file_name, Prompt), "name-cdurand"}
        for path in folder.glob("*.wav"):
            with wave.open(str(path)) as sound:
                assert (sound.getframerate(), sound.getsampwidth(), sound.getnchannels()) == (8000, 2, 1)
                samples = array("h", sound.readframes(sound.getnframes()))
            assert 0.3 < len(samples) / 8000 < 8
            assert max(samples) > 3000
            assert path.stat().st_mode & 0o777 == 0o644
    assert not list(tmp_path.rglob("*.partial"))


@real
def test_again_changes_only_what_changed(sounds):
    before = digests(sounds)
    assert made(sounds)[0] == {Fate.UNCHANGED: ALL}
    assert digests(sounds) == before

    (sounds / "fr" / "telemon" / "wrong.wav").unlink()
    renamed = Officer(id="cdurand", name="Camille Durand-Petit")
    fates, files = made(sounds, [renamed])
    assert fates == {Fate.MADE: 3, Fate.UNCHANGED: ALL - 3}
    assert sorted(files) == ["name-cdurand.wav", "name-cdurand.wav", "wrong.wav"]


@real
def test_a_recording_of_ones_own_stays_unless_told_otherwise(sounds):
    own = sounds / "fr" / "telemon" / "wrong.wav"
    own.write_bytes(b"a voice that people know")
    assert made(sounds)[0] == {Fate.UNCHANGED: ALL - 1, Fate.KEPT: 1}
    assert own.read_bytes() == b"a voice that people know"
    assert made(sounds, [], overwrite=True)[0] == {Fate.MADE: ALL - 2, Fate.REMOVED: 2}
    assert own.read_bytes() != b"a voice that people know"


@real
def test_the_name_of_who_has_left_goes_but_no_file_that_is_not_ours(sounds):
    folder = sounds / "fr" / "telemon"
    foreign = folder / "name-other.wav"
    foreign.write_bytes(b"x")
    manifest = json.loads((folder / MANIFEST).read_text())
    manifest["../../../outside.wav"] = ["", hashlib.sha256(b"y").hexdigest()]
    (folder / MANIFEST).write_text(json.dumps(manifest))
    outside = sounds / "outside.wav"
    outside.write_bytes(b"y")
    assert made(sounds, [])[0] == {Fate.UNCHANGED: ALL - 2, Fate.REMOVED: 2}
    assert not (folder / "name-cdurand.wav").exists()
    assert foreign.exists()
    assert outside.exists()


@real
def test_a_name_is_never_an_option_of_espeak(sounds):
    names = ["--version", "-w /dev/null", "$(reboot)", "a\nb"]
    officers = [Officer(id=f"o{place}", name=name) for place, name in enumerate(names)]
    fates, _ = made(sounds, officers)
    assert fates == {Fate.MADE: 2 * len(names), Fate.UNCHANGED: ALL - 2, Fate.REMOVED: 2}


@real
def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "en").write_text("a file in its place")
    with pytest.raises(TelemonError, match=r"en/telemon: cannot be written"):
        make_prompts(tmp_path, [], report=lambda _: None)


def test_without_espeak_it_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigError, match="apt-get install espeak-ng"):
        make_prompts(tmp_path, [], report=lambda _: None)
    assert not list(tmp_path.iterdir())


def test_every_prompt_has_a_sound_of_asterisks_own_for_a_start():
    assert agi_voice._STOCK.keys() == set(Prompt)


# -- commands


@real
def test_the_command_says_what_it_did(tmp_path, sounds):
    (tmp_path / "telemon.toml").write_text(CONFIGURATION)
    (sounds / "fr" / "telemon" / "busy.wav").unlink()
    arguments = ["prompts", str(sounds), "--config", str(tmp_path / "telemon.toml")]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0
    file, told = done.output.splitlines()
    assert file.endswith("fr/telemon/busy.wav")
    assert told == f"{sounds}: 1 files made, {ALL - 1} unchanged, 0 recordings of your own kept, 0 removed."


def test_the_pin_is_asked_for_twice_and_never_shown(tmp_path):
    done = CliRunner().invoke(app, ["pin"], input="271828\n271828\n")
    assert done.exit_code == 0
    assert "271828" not in done.output
    line = done.stdout.strip().splitlines()[-1]
    assert line.startswith('pin = "scrypt$')
    assert verify_pin("271828", line.removeprefix('pin = "').removesuffix('"'))
    (tmp_path / "telemon.toml").write_text(CONFIGURATION + line + "\n")
    from telemon.config import load

    assert verify_pin("271828", load(tmp_path / "telemon.toml").officer[0].pin)


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("271828\n271829\n", "not the same"),
        ("123\n", "4 to 12 digits"),
        ("27a8\n", "4 to 12 digits"),
        ("1234\n", "choose another"),
    ],
)
def test_a_pin_that_will_not_do(typed, said):
    done = CliRunner().invoke(app, ["pin"], input=typed)
    assert isinstance(done.exception, PresenceError)
    assert said in str(done.exception)
    assert "scrypt" not in done.output
