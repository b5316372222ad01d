"""Real Asterisks with the dialplans, what they complain of, and a manager session."""

from __future__ import annotations

import re
import shutil
import socket

import pytest

from simulators.lab.asterisk import PREFECTURE_CONFIGURATION, Asterisk, lab_folder
from simulators.site import PREFECTURE

VERSIONS = (
    pytest.param(22, id="22", marks=pytest.mark.real("asterisk")),
    pytest.param(16, id="16", marks=pytest.mark.real("asterisk-16")),
)
LOGIN_FILE = "telemon/manager.d/telemon.conf"
PATIENCE = 10.0


def started(version, overlay=PREFECTURE_CONFIGURATION):
    return Asterisk(lab_folder() / f"asterisk-{version}", overlay=overlay, phones=PREFECTURE.phones)


def complaints(asterisk):
    """Every line in which Asterisk warns or fails, on its console or in its log."""
    files = (asterisk.run_folder / "log" / "full", asterisk.run_folder / "output")
    lines = "\n".join(file.read_text("utf-8", "replace") for file in files).splitlines()
    return [line for line in lines if re.search(r"WARNING|ERROR", line)]


def overlay_of(folder, **files):
    """The site's own configuration, but for these files."""
    shutil.copytree(PREFECTURE_CONFIGURATION, folder)
    for name, text in files.items():
        (folder / f"{name}.conf").write_text(text)
    return folder


class Session:
    """One manager session: actions and their answers, and the events in between."""

    def __init__(self, asterisk, user, *, hears=True):
        self.link = socket.create_connection(("127.0.0.1", asterisk.ami_port), PATIENCE)
        self.stream = self.link.makefile("r", encoding="utf-8", newline="\r\n")
        self.banner = self.stream.readline()
        self.events = []
        assert self.ask("Login", Username=user, Secret=asterisk.ami_secret)[0] == "Success"
        if hears:
            self.until("FullyBooted")

    def close(self):
        self.stream.close()
        self.link.close()

    def ask(self, action, **headers):
        lines = "".join(f"{key}: {value}\r\n" for key, value in headers.items())
        self.link.sendall(f"Action: {action}\r\nActionID: {action}\r\n{lines}\r\n".encode())
        while (message := self.read()).get("ActionID") != action or "Response" not in message:
            pass
        return message["Response"], message.get("Message", "")

    def until(self, name, **headers):
        """Read on until such an event has come, and return it."""
        wanted = {"Event": name, **headers}
        while True:
            for event in self.events:
                if wanted.items() <= event.items():
                    return event
            self.read()

    def read(self):
        lines = iter(lambda: self.stream.readline().rstrip("\r\n"), "")
        message = dict(line.split(": ", 1) for line in lines if ": " in line)
        if "Event" in message:
            self.events.append(message)
        return message

    def names(self):
        return {event["Event"] for event in self.events}


def is_answered(console, channel, *, within=0.5):
    """Whether somebody or something takes such a call in so many seconds."""
    timeout = f"{within * 1000:.0f}"
    return console.ask("Originate", Channel=channel, Application="Wait", Data="0", Timeout=timeout)[0] == "Success"
