"""The unit that ``telemon unit`` prints: valid, hardened, and for this telemon with this configuration."""

import re
import subprocess

import pytest

from telemon.config_pbx import PbxConfig
from tests.acceptance.commands import telemon


async def unit_for(folder, configuration):
    path = folder / "telemon.toml"
    path.write_text(configuration, encoding="utf-8")
    status, unit, remarks = await telemon("unit", "-c", path, cwd=folder)
    assert status == 0
    return unit, remarks


def analyze(*arguments):
    done = subprocess.run(
        ["systemd-analyze", "--no-pager", *arguments], capture_output=True, text=True, check=False, timeout=60
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.real("systemd-analyze")
@pytest.mark.parametrize("name", ["plain", "with space and 100 % $HOME"])
async def test_the_unit_is_valid_and_exposes_little(tmp_path, name):
    folder = tmp_path / name
    folder.mkdir()
    written, _ = await unit_for(folder, '[[pbx]]\nsecret_file = "/etc/telemon/ami.secret"\n')
    unit = tmp_path / "telemon.service"
    unit.write_text(written, encoding="utf-8")
    assert analyze("verify", "--man=no", str(unit)) == (0, "")
    status, said = analyze("security", "--offline=yes", str(unit))
    found = re.search(r"Overall exposure level for telemon.service: ([\d.]+)", said)
    assert status == 0
    assert found is not None
    assert float(found[1]) <= 2.0


@pytest.mark.real("systemd-analyze")
def test_the_check_of_the_unit_can_fail(tmp_path):
    unit = tmp_path / "telemon.service"
    unit.write_text("[Service]\nExecStart=/bin/true\nProtectSytem=strict\n")
    status, said = analyze("verify", "--man=no", str(unit))
    assert "ProtectSytem" in said
    assert "UNSAFE" in analyze("security", "--offline=yes", str(unit))[1]
    assert status == 0  # an unknown key is but a warning, so that what is said counts


async def test_the_unit_starts_this_telemon_with_this_configuration_and_gives_it_its_secrets(tmp_path):
    unit, remarks = await unit_for(
        tmp_path,
        '[[pbx]]\nname = "north"\nsecret_file = "/etc/telemon/100%.secret"\n'
        '[[pbx]]\nname = "south"\nsecret_file = "own.secret"\n'
        '[ledger]\nkey_file = "/srv/telemon.key"\n[journal]\nfolder = "/var/lib/telemon/journal"\n',
    )
    (command,) = re.findall("^ExecStart=(.*)$", unit, re.MULTILINE)
    assert command.endswith(f"telemon run --config {tmp_path}/telemon.toml")
    assert re.findall("^LoadCredential=(.*)$", unit, re.MULTILINE) == ["north.secret:/etc/telemon/100%%.secret"]
    assert "@" not in re.sub("^#.*$|SystemCallFilter.*", "", unit, flags=re.MULTILINE)
    assert f"{tmp_path}/telemon.toml: a service does not see" in remarks
    assert "/srv/telemon.key: the service may write in /var/lib/telemon only" in remarks
    assert "/var/lib/telemon/journal" not in remarks
    assert f"telemon unit -c {tmp_path}/telemon.toml > /etc/systemd/system/telemon.service" in remarks


@pytest.mark.parametrize(("mode", "said"), [(0o600, True), (0o640, True), (0o644, False)])
async def test_a_configuration_that_the_service_may_not_read_is_pointed_out(tmp_path, mode, said):
    (tmp_path / "telemon.toml").touch(mode)
    _, remarks = await unit_for(tmp_path, "")
    assert ("who may not read it" in remarks) is said


async def test_without_a_configuration_there_is_no_unit(tmp_path):
    status, unit, said = await telemon("unit", "-c", tmp_path / "none.toml", cwd=tmp_path)
    assert (status, unit) == (1, "")
    assert "none.toml: cannot be read" in said


def test_a_credential_of_systemd_comes_before_the_file_that_only_root_reads(tmp_path, monkeypatch):
    north, south = (
        PbxConfig.model_validate({"name": name, "secret_file": tmp_path / "ami.secret"}) for name in ("north", "south")
    )
    (tmp_path / "ami.secret").write_text("of the file\n")
    (tmp_path / "credentials").mkdir()
    (tmp_path / "credentials" / "north.secret").write_text("of systemd\n")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path / "credentials"))
    assert (north.resolve_secret(), south.resolve_secret()) == ("of systemd", "of the file")
