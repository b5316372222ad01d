"""compose.yaml, without Docker: its schema, its promises of security, each file that it mounts by that file's own tool,
and the servers of its images, from this machine's packages, with those files.

What only Docker can show (that the images build, start and are healthy) is shown nowhere here.
"""

import asyncio
import configparser
import json
import re
import stat
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from ruamel.yaml import YAML

from simulators.lab.ports import free_port
from telemon import __version__
from telemon.config import load
from telemon.dashboards.pushing import FOLDER, _wanted_source
from telemon.ledger.store import open_ledger
from tests.acceptance.commands import running, telemon
from tests.acceptance.compose_kit import (
    FILE,
    ROOT,
    answers,
    asterisk,
    compose,
    make_secrets,
    monitoring,
    mosquitto,
    mounts,
    placed,
    postgresql,
    process,
    quicker,
    subscribe,
    until,
)
from tests.conftest import COMPOSE

SERVICES = sorted(compose()["services"])
PINNED = re.compile(r"^[\w./-]+:[\w.-]+@sha256:[0-9a-f]{64}$")


def checked(*command):
    """Run a tool; what it says is the failure."""
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def service(request):
    return compose()["services"][request.param]


def each_service(test):
    return pytest.mark.parametrize("service", SERVICES, indirect=True)(test)


@pytest.fixture
def secrets(tmp_path):
    make_secrets(tmp_path)
    return tmp_path / "secrets"


# The file itself


def test_it_is_a_compose_file():
    checked(sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", FILE)


@pytest.mark.real("compose")
def test_compose_understands_it(tmp_path):
    make_secrets(tmp_path)
    checked(COMPOSE, "--env-file", tmp_path / ".env", "-f", FILE, "--profile", "lab", "config", "-q")


def test_without_the_secrets_it_says_what_to_run():
    assert "${TELEMON_SECRETS_GID:?run scripts/compose-secrets first}" in FILE.read_text()


def test_the_lab_is_a_profile_of_its_own():
    lab = {name for name, service in compose()["services"].items() if service.get("profiles") == ["lab"]}
    assert lab == {"asterisk", "asterisk-configuration", "calls"}
    for name, service in compose()["services"].items():  # nothing else waits for what is not there
        for needed, how in (service.get("depends_on") or {}).items():
            assert name in lab or needed not in lab or how["required"] is False


# Security


@each_service
def test_it_can_do_little(service):
    user, _, group = service["user"].partition(":")
    assert user.isdigit()
    assert int(user) > 0
    assert group.isdigit()
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert not {"cap_add", "privileged", "devices", "pid", "ipc"} & service.keys()
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["init"] is True
    limits = service["deploy"]["resources"]["limits"]
    assert limits.keys() == {"cpus", "memory", "pids"}
    assert all("noexec" in mount for mount in service.get("tmpfs", ()))


@each_service
def test_its_images_are_pinned_by_tag_and_digest(service):
    if "build" not in service:
        assert PINNED.match(service["image"])
        return
    stages = set()
    for image, stage in re.findall(r"^FROM (\S+) ?(?:AS (\S+))?$", service["build"]["dockerfile_inline"], re.MULTILINE):
        assert image in stages or PINNED.match(image)
        stages.add(stage)
    assert service["build"].get("target", "") in stages


def test_an_image_of_ours_is_called_by_our_version():
    images = {name: service["image"] for name, service in compose()["services"].items() if "build" in service}
    assert images == {
        "telemon": f"telemon:{__version__}",
        "asterisk-configuration": f"telemon:{__version__}",
        "calls": f"telemon-calls:{__version__}",
        "asterisk": "telemon-asterisk:22",
    }


@each_service
def test_an_image_of_ours_ends_as_a_user_and_copies_what_is_there(service):
    if "build" not in service:
        return
    lines = service["build"]["dockerfile_inline"].splitlines()
    for stage in "\n".join(lines).split("FROM ")[1:]:
        if " AS build" not in stage:
            assert re.findall(r"^USER (\S+)$", stage, re.MULTILINE)[-1] == service["user"]
    for line in lines:
        if line.startswith("COPY ") and "--from" not in line:
            for source in line.split()[1:-1]:
                assert (ROOT / service["build"]["context"] / source).exists(), source
        assert "$" not in line.replace("$$", "")  # Compose would put a variable in


@each_service
def test_ports_are_published_on_the_loopback_only(service):
    assert all(re.fullmatch(r"127\.0\.0\.1:\d+:\d+", port) for port in service.get("ports", ()))
    if service.get("ports"):
        assert "outside" in service["networks"]
    assert service.get("network_mode", "none") in {"none", "service:asterisk"}


def test_what_needs_nobody_outside_reaches_nobody():
    networks = compose()["networks"]
    assert {name for name, network in networks.items() if not network.get("internal")} == {"outside"}
    for name in ("postgres", "mosquitto", "asterisk"):
        assert "outside" not in compose()["services"][name]["networks"]


@pytest.mark.parametrize("name", [name for name in SERVICES if name != "asterisk-configuration"])
def test_it_has_a_health_check_and_starts_again(name):
    service = compose()["services"][name]
    assert service["healthcheck"]["test"][0] == "CMD"
    assert service["restart"] == "unless-stopped"


def test_the_one_that_only_writes_a_file_ends():
    service = compose()["services"]["asterisk-configuration"]
    assert (service["restart"], service["network_mode"]) == ("no", "none")
    assert compose()["services"]["asterisk"]["depends_on"] == {
        "asterisk-configuration": {"condition": "service_completed_successfully"}
    }


# Secrets


@each_service
def test_secrets_are_files_never_words(service):
    for name, value in service.get("environment", {}).items():
        if re.search("PASSWORD|SECRET|TOKEN|PGSERVICEFILE", name):
            assert str(value).startswith("/run/secrets/")
    for secret in service.get("secrets", ()):
        assert secret["source"] in compose()["secrets"]


def test_the_script_makes_every_secret_for_one_group_and_only_once(tmp_path):
    said = make_secrets(tmp_path)
    made = {path.name: path.read_bytes() for path in (tmp_path / "secrets").iterdir()}
    assert {Path(secret["file"]).name for secret in compose()["secrets"].values()} <= made.keys()
    group = int((tmp_path / ".env").read_text().partition("=")[2])
    assert stat.S_IMODE((tmp_path / "secrets").stat().st_mode) == 0o700
    for name, content in made.items():
        file = (tmp_path / "secrets" / name).stat()
        assert (stat.S_IMODE(file.st_mode), file.st_gid) == (0o640, group)
        assert content.strip()
        assert content.decode().strip() not in said
    (tmp_path / ".env").write_text("TELEMON_TOML=./mine.toml\n")
    (tmp_path / "secrets" / "api.token").unlink()
    again = make_secrets(tmp_path)
    assert again == "compose-secrets: made secrets/api.token\ncompose-secrets: made .env\n"
    assert (tmp_path / ".env").read_text() == f"TELEMON_TOML=./mine.toml\nTELEMON_SECRETS_GID={group}\n"
    after = {path.name: path.read_bytes() for path in (tmp_path / "secrets").iterdir()}
    assert {name for name in made if made[name] != after[name]} == {"api.token"}


# Each mounted file, by its own tool


@each_service
def test_what_it_mounts_is_there(service):
    for source, _ in mounts(service):
        assert source.exists(), source
    for mount in service.get("volumes", ()):
        source, target, *options = mount.split(":")
        assert options == ["ro"] or source in compose()["volumes"], mount
        assert target.startswith("/")


def test_telemon_understands_its_configuration():
    config = load(ROOT / "deploy" / "telemon.toml")
    secrets = {f"/run/secrets/{one['target']}" for one in compose()["services"]["telemon"]["secrets"]}
    assert {str(config.pbx[0].secret_file), str(config.pbx[0].tls_ca), str(config.web.token_file)} <= secrets
    assert config.pbx[0].tls
    assert config.ledger.url == "postgresql://telemon@postgres/telemon"
    assert len(config.service) == 6
    assert config.web.open_as is None  # others than this machine's own users reach it through the published port


@pytest.mark.real("promtool")
def test_prometheus_understands_its_configuration(tmp_path, secrets):
    monitoring(tmp_path, secrets, {})
    etc = tmp_path / "etc"
    checked("promtool", "check", "config", etc / "prometheus" / "prometheus.yml")
    telemons = compose()["services"]["telemon"]["ports"][0].rpartition(":")[2]
    targets = {file.name: file.read_text() for file in (etc / "prometheus" / "targets").iterdir()}
    assert targets.keys() == {file.name for file in (ROOT / "dashboards" / "prometheus" / "targets").iterdir()}
    assert f'"telemon:{telemons}"' in targets["telemon.yml"]


@pytest.mark.real("alertmanager")
def test_alertmanager_understands_its_configuration(tmp_path, secrets):
    monitoring(tmp_path, secrets, {})
    folder = tmp_path / "etc" / "alertmanager"
    checked("amtool", "check-config", folder / "alertmanager.yml")
    for named in re.findall(r"credentials_file: (\S+)", (folder / "alertmanager.yml").read_text()):
        assert (folder / named.strip(" }")).is_file()


def test_grafana_is_told_of_folders_and_a_data_source_that_are_there():
    service = compose()["services"]["grafana"]
    places = {target: source for source, target in mounts(service)}
    settings = configparser.ConfigParser(interpolation=None)
    settings.read(places["/etc/grafana/grafana.ini"])
    home = settings["dashboards"]["default_home_dashboard_path"].removeprefix("/etc/grafana/telemon/")
    assert (places["/etc/grafana/telemon"] / home).is_file()
    assert settings["auth.anonymous"]["enabled"] == "false"
    provisioning = places["/etc/grafana/provisioning"]
    provider = YAML(typ="safe").load(provisioning / "dashboards" / "telemon.yaml")["providers"][0]
    assert provider["options"]["path"] in places
    assert provider["folderUid"] == FOLDER
    source = YAML(typ="safe").load(provisioning / "datasources" / "telemon.yaml")["datasources"][0]
    pushed = _wanted_source({}, "$TELEMON_PROMETHEUS_URL")
    assert source == pushed
    assert service["environment"]["TELEMON_PROMETHEUS_URL"] == "http://prometheus:9090"


# The servers, with these files


@pytest.mark.real("mosquitto")
async def test_mosquitto_lets_telemon_in_and_nobody_else(tmp_path, secrets):
    password = (secrets / "mosquitto.password").read_text().strip()
    async with mosquitto(tmp_path, secrets) as (port, health):
        assert await subscribe(port, "telemon/test", "telemon", password) == (0, b"hello")
        assert await subscribe(port, "other", "telemon", password) == (0, None)
        assert (await subscribe(port, "telemon/test", "telemon", "wrong"))[0] == 5
        assert (await subscribe(port, "telemon/test"))[0] == 5
        code, uptime = await subscribe(health, "$SYS/broker/uptime")
        assert (code, uptime.endswith(b"seconds")) == (0, True)
        assert await subscribe(health, "telemon/test") == (0, None)


@pytest.mark.real("postgresql")
async def test_postgresql_wants_the_password_of_the_service_file(tmp_path, secrets, monkeypatch):
    async with postgresql(tmp_path, secrets) as port:
        url = placed(load(ROOT / "deploy" / "telemon.toml").ledger.url, **{"@postgres/": f"@127.0.0.1:{port}/"})
        with pytest.raises(Exception, match="password"):
            open_ledger(url)
        for name, value in compose()["services"]["telemon"]["environment"].items():
            if name.startswith("PG"):
                monkeypatch.setenv(name, str(value).replace("/run/secrets", str(secrets)))
        open_ledger(url).dispose()


def telemons_toml(folder, secrets, postgres, ami):
    """Write deploy/telemon.toml with this machine's places and ports."""
    file = folder / "telemon.toml"
    file.write_text(placed(
        (ROOT / "deploy" / "telemon.toml").read_text(),
        **{'"asterisk"': '"localhost"', "port = 5039": f"port = {ami}", "@postgres/": f"@127.0.0.1:{postgres}/",
           "/run/secrets/ami.secret": secrets / "ami.secret", "/run/secrets/ami.ca": secrets / "ami.ca.pem",
           "/run/secrets/api.token": secrets / "api.token", "/var/lib/telemon": folder,
           '"0.0.0.0"': '"127.0.0.1"', "port = 9714": "port = 0", 'format = "json"': 'format = "text"',
           'language = "fr"': 'language = "en"'},
    ))  # fmt: skip
    return file


@pytest.mark.timeout(300)
@pytest.mark.real("asterisk", "postgresql", "prometheus", "alertmanager")
async def test_the_lab_is_a_living_switchboard(tmp_path, secrets):
    """All of profile lab but Grafana: SIPp calls Asterisk, telemon counts into PostgreSQL, Prometheus sees all four."""
    access = {"PGSERVICE": "telemon", "PGSERVICEFILE": str(secrets / "postgres.service")}
    async with postgresql(tmp_path, secrets) as database, asterisk(tmp_path, secrets) as ports:
        config = telemons_toml(tmp_path, secrets, database, ports["ami-tls-port"])
        async with running(config, **access) as daemon:
            assert await asyncio.to_thread(answers, f"{daemon.address}/readyz")
            truths = await asyncio.to_thread(call, tmp_path, ports)
            assert len(truths) == 3
            await seen_by_prometheus(tmp_path, secrets, daemon.address.removeprefix("http://"))
        output = (await telemon("calls", "--config", config, "--format", "ndjson", cwd=tmp_path, **access))[1]
        counted = [json.loads(row) for row in output.splitlines()]
        assert sorted(row["outcome"] for row in counted) == sorted(row["outcome"] for row in truths)


def call(folder, ports):
    """Place three calls as the service ``calls`` does; return what they lived through."""
    truth = folder / "truth.ndjson"
    own = {"127.0.0.1:5060": f"127.0.0.1:{ports['sip-port']}", "127.0.0.1:5080": f"127.0.0.1:{ports['phones']}"}
    words = placed("\n".join(compose()["services"]["calls"]["command"]), **own, **{"/tmp/truth.ndjson": truth})
    simulator = (sys.executable, "-c", "from simulators.cli import main; main()")
    checked(*simulator, *words.splitlines(), "--calls=3")
    return [json.loads(row) for row in truth.read_text().splitlines()]


async def seen_by_prometheus(folder, secrets, address):
    """Start Prometheus and Alertmanager as compose.yaml does, and see that every target is up."""
    prometheus, alertmanager = (f"127.0.0.1:{free_port()}" for _ in range(2))
    own = {"telemon:9714": address, "127.0.0.1:9090": prometheus, "alertmanager:9093": alertmanager}
    monitoring(folder, secrets, own)
    quicker(folder / "etc" / "prometheus" / "prometheus.yml")
    with (
        serving("alertmanager", "prometheus-alertmanager", folder, alertmanager) as other,
        serving("prometheus", "prometheus", folder, prometheus) as server,
    ):
        await until(lambda: answers(f"http://{alertmanager}/-/ready"), *other)
        await until(lambda: answers(f"http://{prometheus}/-/ready"), *server)

        def all_up():
            answer = httpx.get(f"http://{prometheus}/api/v1/query", params={"query": "up == 1"}, trust_env=False)
            jobs = {one["metric"]["job"] for one in answer.json()["data"]["result"]}
            return jobs == {"telemon", "telemon-staffing", "prometheus", "alertmanager"}

        await until(all_up, *server)


@contextmanager
def serving(name, program, folder, address):
    """Run a service's command with its files in ``folder``; yield the process and its log."""
    options = [option.replace("=/", f"={folder}/") for option in compose()["services"][name]["command"]]
    log = folder / f"{name}.log"
    with process(program, *options, f"--web.listen-address={address}", log=log) as server:
        yield server, log
