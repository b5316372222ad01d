"""compose.yaml, read; and the servers of its images, from this machine's packages, with the files that it mounts."""

import asyncio
import functools
import os
import re
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import uuid
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import httpx
from ruamel.yaml import YAML

from simulators.lab.asterisk import lab_folder
from simulators.lab.ports import free_port
from tests.acceptance.shell import PATIENCE
from tests.ledger.kit import POSTGRESQL

ROOT = Path(__file__).parents[2]
FILE = ROOT / "compose.yaml"
CONTAINERS_USER = 10714
PLACE = re.compile(r"\$\{(\w+)(?::-([^}]*)|:\?[^}]*)?\}")


@functools.cache
def compose():
    """Return compose.yaml as Compose reads it: merges done, defaults put in for what ./.env may say."""
    text = PLACE.sub(lambda place: place[2] or "10714", FILE.read_text())
    return YAML(typ="safe").load(text)


def mounts(service):
    """Yield (file or folder of the checkout, place in the container) of each bind mount."""
    for mount in service.get("volumes", ()):
        source, target, *_ = mount.split(":")
        if source.startswith("./"):
            yield ROOT / source, target


def make_secrets(folder):
    done = subprocess.run([ROOT / "scripts" / "compose-secrets", folder], check=True, capture_output=True, text=True)
    return done.stdout


def secret_file(folder, name):
    return folder / Path(compose()["secrets"][name]["file"]).name


def placed(text, **places):
    """Return a file's text with other places and addresses; each must be in it."""
    for old, new in places.items():
        assert old in text, f"{old} is not in the file"
        text = text.replace(old, str(new))
    return text


@contextmanager
def process(*command, log, **options):
    """Run a server; end it."""
    with log.open("wb") as output:
        server = subprocess.Popen(
            [*map(str, command)], stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, **options
        )
    try:
        yield server
    finally:
        server.terminate()
        try:
            server.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


async def until(true, server, log):
    """Ask until it is so, or the server has ended."""
    async with asyncio.timeout(2 * PATIENCE):
        while not await asyncio.to_thread(_is, true):
            assert server.poll() is None, log.read_text(errors="replace")[-3000:]
            await asyncio.sleep(0.1)


def _is(true):
    try:
        return true()
    except (OSError, httpx.HTTPError):
        return False


def answers(address):
    return httpx.get(address, trust_env=False).status_code == 200


# PostgreSQL: its image runs initdb with POSTGRES_INITDB_ARGS, and the password's file


@asynccontextmanager
async def postgresql(folder, secrets):
    """Run it; yield its port. Its own folder is where another user than root gets to."""
    service, port, programs = compose()["services"]["postgres"], free_port(), POSTGRESQL[-1]
    log = folder / "postgres.log"
    with tempfile.TemporaryDirectory() as home:
        user = _initialise(programs, Path(home), secrets, service["environment"])
        options = ("-p", port, "-k", home, "-h", "127.0.0.1", "-c", "fsync=off")
        with process(programs / "postgres", "-D", "data", *options, log=log, cwd=home, **user) as server:
            health = (programs / "pg_isready", *service["healthcheck"]["test"][2:], f"--port={port}")
            await until(lambda: subprocess.run(health, check=False).returncode == 0, server, log)
            await asyncio.to_thread(_make_database, programs, port, secrets, service["environment"]["POSTGRES_DB"])
            yield port


def _initialise(programs, home, secrets, environment):
    """Make the cluster, as the user postgres where this one is root; return what makes a process that user's."""
    shutil.copy(secrets / "postgres.password", home / "password")
    user: dict[str, Any] = {}
    if os.geteuid() == 0:
        user = {"user": "postgres", "group": "postgres", "extra_groups": []}
    for path in (home, home / "password") if user else ():
        shutil.chown(path, "postgres")
    arguments = ("-U", environment["POSTGRES_USER"], "--pwfile=password", *environment["POSTGRES_INITDB_ARGS"].split())
    command = (programs / "initdb", "-D", "data", "--no-sync", *arguments)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=home, **user)
    return user


def _make_database(programs, port, secrets, name):
    command = (programs / "createdb", "-h", "127.0.0.1", "-p", str(port), "-U", "telemon", name)
    password = (secrets / "postgres.password").read_text().strip()
    subprocess.run(command, check=True, env={**os.environ, "PGPASSWORD": password})


# Asterisk: in its private root, as the container's user


@asynccontextmanager
async def asterisk(folder, secrets):
    """Run the lab's Asterisk as the container does; yield its ports by the names of configure.py's options."""
    root, log = lab_folder() / "asterisk-22", folder / "asterisk.log"
    home = root / "tmp" / f"compose-{uuid.uuid4().hex[:8]}"
    ports = {name: free_port() for name in ("sip-port", "ami-port", "ami-tls-port", "phones")}
    try:
        inside = f"/{home.relative_to(root)}"
        await asyncio.to_thread(_configure, home, inside, secrets, ports)
        user = f"--userspec={CONTAINERS_USER}:{CONTAINERS_USER}"
        command = ("chroot", user, str(root), "/usr/sbin/asterisk", "-C", f"{inside}/etc/asterisk.conf")
        with process(*command, "-f", log=log) as server:
            health = (*command, *compose()["services"]["asterisk"]["healthcheck"]["test"][-2:])

            def is_booted():
                return b"fully booted" in subprocess.run(health, capture_output=True, check=False).stdout

            await until(is_booted, server, log)
            yield ports
    finally:
        shutil.rmtree(home)


def _configure(home, inside, secrets, ports):
    """Run configure.py as compose.yaml does, and let AMI listen on the loopback only: this is no container."""
    for part in ("run/lib", "run/log", "run/spool", "secrets"):
        (home / part).mkdir(parents=True)
    for secret in compose()["services"]["asterisk"]["secrets"]:
        shutil.copy(secret_file(secrets, secret["source"]), home / "secrets" / secret["target"])
    places = {"etc": f"{inside}/etc", "run": f"{inside}/run", "secrets": f"{inside}/secrets"}
    options = [f"--{name}={value}" for name, value in {**places, **ports}.items()]
    subprocess.run(
        [sys.executable, ROOT / "deploy" / "asterisk" / "configure.py", home / "etc",
         f"--secret-file={secrets / 'ami.secret'}", *options],
        check=True, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    manager = home / "etc" / "manager.conf"
    manager.write_text(placed(manager.read_text(), **{"0.0.0.0:": "127.0.0.1:"}))
    for path in (home, *home.rglob("*")):
        os.chown(path, CONTAINERS_USER, CONTAINERS_USER)


# Mosquitto, and as much of MQTT 3.1.1 as a health check needs


@asynccontextmanager
async def mosquitto(folder, secrets):
    """Run it; yield its two ports."""
    ports = free_port(), free_port()
    (folder / "mosquitto").mkdir()
    own = "user root\n" if os.geteuid() == 0 else ""
    (folder / "mosquitto.conf").write_text(own + placed(
        (ROOT / "deploy" / "mosquitto" / "mosquitto.conf").read_text(),
        **{"listener 1883 0.0.0.0": f"listener {ports[0]} 127.0.0.1", "listener 1884": f"listener {ports[1]}",
           "/run/secrets": secrets, "/mosquitto/data": folder / "mosquitto",
           "/mosquitto/config": ROOT / "deploy" / "mosquitto"},
    ))  # fmt: skip
    log = folder / "mosquitto.log"
    with process("mosquitto", "-c", folder / "mosquitto.conf", log=log) as server:

        def listens():
            socket.create_connection(("127.0.0.1", ports[1])).close()
            return True

        await until(listens, server, log)
        yield ports


def _mqtt(kind, body):
    assert len(body) < 128
    return bytes((kind, len(body))) + body


def _field(text):
    return struct.pack(">H", len(text)) + text.encode()


async def subscribe(port, topic, user="", password=""):
    """Return CONNACK's code, and the first message of the topic (None if there is none within a second)."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    flags = 0xC2 if user else 0x02
    credentials = _field(user) + _field(password) if user else b""
    writer.write(_mqtt(0x10, _field("MQTT") + bytes((4, flags, 0, 60)) + _field("test") + credentials))
    code = (await reader.readexactly(4))[3]
    message = None
    if code == 0:
        writer.write(_mqtt(0x82, b"\0\1" + _field(topic) + b"\0"))
        writer.write(_mqtt(0x30, _field(topic) + b"hello"))
        try:
            async with asyncio.timeout(1):
                await reader.readexactly(5)  # SUBACK
                _, length = await reader.readexactly(2)
                message = (await reader.readexactly(length)).removeprefix(_field(topic))
        except TimeoutError:
            pass
    writer.close()
    return code, message


# Prometheus and Alertmanager


def monitoring(folder, secrets, addresses):
    """Lay out /etc/prometheus and /etc/alertmanager as compose.yaml mounts them, with other addresses, and quicker."""
    for name in ("prometheus", "alertmanager"):
        for source, target in mounts(compose()["services"][name]):
            place = folder / target.removeprefix("/")
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copytree(source, place) if source.is_dir() else shutil.copy(source, place)
    for secret in compose()["services"]["alertmanager"]["secrets"]:
        place = folder / secret["target"].removeprefix("/")
        place.parent.mkdir(exist_ok=True)
        shutil.copy(secret_file(secrets, secret["source"]), place)
    for file in (folder / "etc" / "prometheus" / "targets").iterdir():
        text = file.read_text()
        for old, new in addresses.items():
            text = text.replace(f'"{old}"', f'"{new}"')
        file.write_text(text)


def quicker(file):
    file.write_text(re.sub(r"(scrape_(?:interval|timeout)|evaluation_interval): \d+s", r"\1: 1s", file.read_text()))
