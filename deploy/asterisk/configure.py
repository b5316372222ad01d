# ruff: noqa: INP001 - a script, run by its path
"""Write the configuration of the lab's Asterisk for its container: that of the tests, with ``deploy/asterisk`` over it.

Run once by ``docker compose --profile lab``, in telemon's image, before Asterisk starts.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

from simulators.lab.asterisk import PREFECTURE_CONFIGURATION, dialplans_folder
from simulators.lab.templates import render
from simulators.site import PREFECTURE

OWN = Path(__file__).parent
LAYERS = (PREFECTURE_CONFIGURATION.parent / "configuration", PREFECTURE_CONFIGURATION, OWN)
# Asterisk complains of each that is missing; empty, they leave everything as it is by default.
EMPTY = ("acl", "ccss", "cdr", "cel", "features", "pjproject", "queuerules", "udptl")


def main() -> None:
    """Write the files into the folder that is named; every phone is the simulator's, at one address."""
    parser = argparse.ArgumentParser(description="configure the lab's Asterisk")
    parser.add_argument("folder", type=Path)
    for option in ("--etc", "--run", "--secrets"):
        parser.add_argument(option, required=True, help="as Asterisk itself sees it")
    parser.add_argument("--secret-file", type=Path, required=True)
    for option, port in (("--sip-port", 5060), ("--ami-port", 5038), ("--ami-tls-port", 5039), ("--phones", 5080)):
        parser.add_argument(option, type=int, default=port)
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    write(given)


def write(given: argparse.Namespace) -> None:
    """Render every template and copy the dialplans beside them."""
    templates = {path.name: path for layer in LAYERS for path in sorted(layer.glob("*.conf"))}
    phone = templates.pop("phone.conf")
    phones = [
        render(templates.pop(f"{name}.conf", phone), {"NAME": name, "PORT": given.phones}) for name in PREFECTURE.phones
    ]
    values = {
        "AMI_PORT": given.ami_port,
        "AMI_TLS_PORT": given.ami_tls_port,
        "AMI_SECRET": given.secret_file.read_text("utf-8").strip(),
        "ETC": given.etc,
        "PHONES": "\n".join(phones),
        "RUN": given.run,
        "SECRETS": given.secrets,
        "SIP_PORT": given.sip_port,
    }
    for name in EMPTY:
        (given.folder / f"{name}.conf").touch(mode=0o600)
    for name, template in templates.items():
        file = given.folder / name
        file.touch(mode=0o600)
        file.write_text(render(template, values), "utf-8")
    shutil.copytree(dialplans_folder(), given.folder / "telemon", dirs_exist_ok=True)


if __name__ == "__main__":
    sys.exit(main())
