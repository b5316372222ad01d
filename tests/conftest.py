"""What every kind of test may use: real servers, where they can run."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from simulators.lab.asterisk import Asterisk, missing_for_lab
from simulators.lab.roots import Version, root_of
from telemon.texts import use
from tests.ledger.kit import POSTGRESQL

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

# Tests read English, whatever the developer's own language.
for _name in ("TELEMON_LOCALE", "LC_ALL", "LC_MESSAGES"):
    os.environ.pop(_name, None)
os.environ["LANG"] = "C.UTF-8"
use("en")

COMPOSE = root_of(Version.V22) / "usr" / "libexec" / "docker" / "cli-plugins" / "docker-compose"
_MISSING_FOR = {
    "asterisk": missing_for_lab,
    "asterisk-16": lambda: missing_for_lab(16),
    "postgresql": lambda: None if POSTGRESQL else "no PostgreSQL server: install the package postgresql",
    "netns": lambda: (
        None
        if os.geteuid() == 0 and shutil.which("nft") and shutil.which("ip")
        else "no network namespace can be made: be root, and install the packages nftables and iproute2"
    ),
    "prometheus": lambda: _program("prometheus", package="prometheus"),
    "systemd-analyze": lambda: _program("systemd-analyze", package="systemd"),
    "promtool": lambda: _program("promtool", package="prometheus"),
    "alertmanager": lambda: _program("prometheus-alertmanager", package="prometheus-alertmanager"),
    "mosquitto": lambda: _program("mosquitto", package="mosquitto"),
    "chromium": lambda: _program("chromium", package="chromium"),
    "compose": lambda: _program(str(COMPOSE), package="docker-compose of Debian 13 or later into the lab's root"),
    "axe": lambda: _built("axe/node_modules/axe-core/axe.min.js"),
    "node": lambda: _built("grafana/dist/index.html"),
}


def _program(name: str, *, package: str) -> str | None:
    return None if shutil.which(name) else f"no {name}: install the package {package}"


def _built(path: str) -> str | None:
    there = Path(__file__).with_name("browser").joinpath(path).exists()
    return None if there else f"no tests/browser/{path}: run scripts/browser-packages"


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test marked ``real(component)`` where that cannot run, with the reason; CI must run them all."""
    for marker in item.iter_markers("real"):
        for component in marker.args:
            if reason := _MISSING_FOR[component]():
                (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(reason)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Function) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show Asterisk's own log beside a failure."""
    report = yield
    asterisk = getattr(item, "funcargs", {}).get("asterisk")
    if report.failed and asterisk is not None:
        report.sections.append(("Asterisk's log", asterisk.log()))
    return report


@pytest.fixture(scope="session")
def asterisk() -> Iterator[Asterisk]:
    """One real Asterisk 22 for the whole run; tests that use it are marked ``real("asterisk")``.

    A test that kills or freezes Asterisk starts its own: ``with Asterisk() as mine: …``.
    """
    with Asterisk() as running:
        yield running
