"""``telemon-sim lab``: a real Asterisk that stays up between commands and leaves nothing behind, and its root."""

import asyncio
import json
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from simulators.lab import processes, upkeep
from simulators.lab.asterisk import lab_folder
from simulators.lab.roots import Version, remove_root, root_of
from simulators.site import PREFECTURE
from simulators.telemon_toml import telemon_toml
from telemon.config import load
from telemon.errors import TelemonError
from telemon.records import ServiceKind
from tests.acceptance.commands import environment, telemon
from tests.acceptance.shell import until

pytestmark = pytest.mark.usefixtures("lab")
TELEMON_SIM = (sys.executable, "-c", "from simulators.cli import main; main()")
MAKE_ROOT = Path(upkeep.__file__).with_name("make-root")
# May read this checkout, wherever it lies, but neither chroot nor pose as root.
NOBODY = (
    *("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"),
    *("--inh-caps=-all,+dac_override", "--ambient-caps=+dac_override"),
)
PATIENCE = 60.0
real = pytest.mark.real("asterisk")
real_16 = pytest.mark.real("asterisk-16")


@pytest.fixture
def lab(tmp_path, monkeypatch):
    """A lab of our own that shares the machine's roots; nothing of it is there before or after."""
    roots = {version: root_of(version) for version in Version}
    folder = tmp_path / "lab"
    folder.mkdir()
    for root in roots.values():
        (folder / root.name).symlink_to(root)
    monkeypatch.setenv("TELEMON_LAB", str(folder))
    yield folder
    if upkeep.noted_lab() is not None:
        upkeep.down()
    for pid in asterisks(folder):
        os.kill(pid, signal.SIGKILL)


def asterisks(lab):
    """Return the processes that were started for this lab; others may run in the roots that it shares."""
    found = []
    for root in lab.glob("asterisk-*"):
        for pid in processes.running_in(root):
            with suppress(FileNotFoundError, ProcessLookupError):  # another one that ended meanwhile
                if f"TELEMON_LAB={lab}\0".encode() in Path(f"/proc/{pid}/environ").read_bytes():
                    found.append(pid)
    return found


def start(*arguments, before=()):
    return subprocess.Popen(
        [*before, *TELEMON_SIM, "lab", *arguments],
        env=environment(TELEMON_LAB=str(lab_folder())),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(*arguments, before=()):
    process = start(*arguments, before=before)
    output, errors = process.communicate(timeout=PATIENCE)
    return process.returncode, output, errors


def went_up(*arguments):
    status, output, errors = run("up", *arguments)
    assert status == 0, errors
    return upkeep.noted_lab(), output


def has_gone(process, run_folder):
    return processes.started(process) is None and not run_folder.exists()


@pytest.mark.parametrize("version", [pytest.param("22", marks=real), pytest.param("16", marks=real_16)])
async def test_telemon_can_measure_the_lab_that_is_up_and_down_leaves_nothing(lab, version):
    running, output = went_up("--asterisk", version)
    config = lab / "running" / "telemon.toml"
    assert running == upkeep.read_lab()
    assert running.version == version
    assert running.phone_ports.keys() == set(PREFECTURE.phones)
    assert f"telemon run -c {config}" in output
    assert running.ami_secret not in output

    status, said, _ = await telemon("check", "-c", config, cwd=lab)
    assert status == 0, said
    assert f"Asterisk {version}." in said

    assert run("status")[0] == 0
    status, output, _ = run("down")
    assert (status, f"process {running.pid}" in output) == (0, True)
    assert has_gone(running.pid, running.run_folder)
    assert {path.name for path in lab.iterdir()} == {"asterisk-22", "asterisk-16"}
    assert all(path.joinpath(".lab-complete").exists() for path in lab.iterdir())
    assert upkeep.read_lab() is None


@real
def test_nobody_else_may_read_the_secret_and_no_terminal_may_interrupt_asterisk(lab):
    running, _ = went_up()
    folder = lab / "running"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {0o600}
    assert os.getsid(running.pid) != os.getsid(0)


@real
def test_a_lab_that_is_up_stays_the_same_one():
    first, _ = went_up()
    second, output = went_up()
    assert second == first
    assert f"is up already: Asterisk 22, process {first.pid}" in output
    status, _, errors = run("up", "--asterisk", "16")
    assert (status, "lab down" in errors) == (1, True)
    assert upkeep.read_lab() == first


@real
def test_two_at_once_start_one(lab):
    both = [start("up"), start("up")]
    said = [process.communicate(timeout=PATIENCE)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    running = upkeep.read_lab()
    assert running is not None
    assert all(f"process {running.pid}" in output for output in said)
    assert asterisks(lab) == [running.pid]


@real
def test_what_is_not_up_can_neither_be_taken_down_nor_found():
    assert run("down") == (0, "The lab is not up.\n", "")
    status, output, _ = run("status")
    assert (status, "lab up" in output) == (1, True)


@real
def test_an_asterisk_that_was_killed_is_noticed_and_replaced():
    first, _ = went_up()
    os.kill(first.pid, signal.SIGKILL)
    processes.end(first.pid, first.started, PATIENCE)
    status, output, _ = run("status")
    assert (status, "has died" in output, str(first.log) in output) == (1, True, True)
    assert upkeep.read_lab() is None

    second, output = went_up()
    assert second.pid != first.pid
    assert "that died" in output
    assert has_gone(first.pid, first.run_folder)
    assert run("down")[0] == 0
    assert has_gone(second.pid, second.run_folder)


@real
def test_a_frozen_asterisk_is_taken_down_all_the_same(monkeypatch):
    running, _ = went_up()
    os.kill(running.pid, signal.SIGSTOP)
    monkeypatch.setattr(upkeep, "STOP_SECONDS", 0.2)
    assert upkeep.down() == running
    assert has_gone(running.pid, running.run_folder)


@real
@pytest.mark.parametrize("command", ["down", "up"])
def test_another_process_of_the_same_number_is_left_alone(lab, command):
    first, _ = went_up()
    note = lab / "running" / "lab.json"
    with subprocess.Popen(["sleep", str(PATIENCE)]) as stranger:
        try:
            note.write_text(json.dumps(json.loads(note.read_text()) | {"pid": stranger.pid}))
            assert run("status")[0] == 1
            assert run(command)[0] == 0
            assert stranger.poll() is None
            assert not first.run_folder.exists()
        finally:
            stranger.kill()
            processes.end(first.pid, first.started, PATIENCE)


@real
async def test_a_start_that_is_interrupted_leaves_nothing(lab):
    process = start("up")
    try:
        await until(lambda: asterisks(lab), PATIENCE)
        (asterisk,) = asterisks(lab)
        process.send_signal(signal.SIGINT)
        _, errors = await asyncio.to_thread(process.communicate, timeout=PATIENCE)
    finally:
        process.kill()
    assert process.returncode == 130, errors
    assert processes.started(asterisk) is None
    assert {path.name for path in lab.iterdir()} == {"asterisk-22", "asterisk-16"}


@real
def test_a_note_that_makes_no_sense_is_refused_and_kept(lab):
    note = lab / "running" / "lab.json"
    note.parent.mkdir()
    note.write_text('{"pid": 1}')
    try:
        status, _, errors = run("down")
        assert status == 1
        assert str(note) in errors
        assert note.exists()
    finally:
        shutil.rmtree(note.parent)


@real
def test_roots_are_removed_with_all_about_them_but_not_under_a_running_asterisk(lab, monkeypatch):
    running, _ = went_up()
    with pytest.raises(TelemonError, match=rf"in use by process .*\b{running.pid}\b"):
        remove_root(Version.V22)
    assert (lab / "asterisk-22" / ".lab-complete").exists()
    assert run("down")[0] == 0

    mine = lab.parent / "other"
    (mine / "asterisk-22" / "usr").mkdir(parents=True)
    for leftover in ("asterisk-22.partial", "asterisk-16"):
        (mine / leftover).mkdir()
    (mine / "asterisk-22.log").touch()
    monkeypatch.setenv("TELEMON_LAB", str(mine))
    status, _, errors = run("down", "--roots")
    assert (status, errors) == (0, "")
    assert list(mine.iterdir()) == []


# What a machine must have


@real
def test_without_root_rights_it_says_so(lab):
    status, _, errors = run("up", before=NOBODY)
    assert status == 1
    assert re.fullmatch(r"telemon-sim: the lab cannot run; missing: root rights \(.*sudo\)\n", errors)

    for version in Version:
        (lab / f"asterisk-{version}").unlink()
    status, _, errors = run("up", before=NOBODY)
    assert status == 1
    assert re.fullmatch(rf"telemon-sim: cannot make {lab}/asterisk-22; missing: root rights \(.*sudo\)\n", errors)
    assert list(lab.iterdir()) == []


@real
def test_each_missing_package_is_named():
    """In Asterisk's own root, a Debian that has no debootstrap."""
    root = root_of(Version.V22).resolve()
    script = root / "tmp" / f"make-root-{os.getpid()}"
    shutil.copy(MAKE_ROOT, script)
    try:
        done = subprocess.run(
            ["chroot", root, "env", "TELEMON_LAB=/tmp/none", "bash", f"/tmp/{script.name}", "16"],
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        script.unlink()
    assert done.returncode == 1
    assert done.stderr == (
        "make-root 16: cannot make /tmp/none/asterisk-16; missing: debootstrap (apt-get install debootstrap)\n"
    )
    assert not (root / "tmp" / "none").exists()


@real
def test_a_root_that_is_interrupted_while_it_is_made_leaves_nothing(lab, monkeypatch):
    mine = lab.parent / "other"
    monkeypatch.setenv("TELEMON_LAB", str(mine))
    process = start("up")
    try:
        assert "1/3 base system of Debian sid" in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=PATIENCE)
    finally:
        process.kill()
    assert process.returncode == 130
    assert list(mine.iterdir()) == []


# telemon's configuration


def test_telemon_reads_the_configuration_of_a_rehearsed_site(tmp_path):
    path = tmp_path / "telemon.toml"
    secret = 'é"\\\t'
    path.write_text(
        telemon_toml(
            PREFECTURE, host="127.0.0.1", port=15038, username="x", secret=secret, folder=tmp_path, web_port=9000
        )
    )
    config = load(path)
    (pbx,) = config.pbx
    assert (config.site, pbx.host, pbx.port, pbx.username) == ("prefecture", "127.0.0.1", 15038, "x")
    assert pbx.resolve_secret() == secret
    assert (config.ledger.url, config.ledger.key_file) == (
        f"sqlite:///{tmp_path}/telemon.db",
        tmp_path / "telemon.key",
    )
    assert config.web.port == 9000
    services = {service.name: service for service in config.service}
    assert list(services) == [line.service for line in PREFECTURE.lines]
    assert services["etrangers"].queues == ("etrangers", "debordement")
    assert services["crise"].kind is ServiceKind.CRISIS
    assert services["standard"].ddis == ("0102030405",)
    assert services["standard"].operators == ()
    assert services["accueil"].operators == ("PJSIP/acc1", "PJSIP/acc2", "PJSIP/acc3")
    assert services["permanence"].operators == ("PJSIP/gsm",)
