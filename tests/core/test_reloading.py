"""Which changes of a configuration are taken over while telemon runs."""

import ssl
from dataclasses import replace

import pytest

from telemon.ami.entrance import Peer
from telemon.config import Config
from telemon.config_pbx import PbxConfig
from telemon.reloading import change, must_reconnect

SERVICE = {"name": "standard", "ddis": ("0102030405",)}
OLD = {"site": "prefecture", "pbx": ({"name": "north"}, {"name": "south"}), "service": (SERVICE,)}
PEER = Peer(name="north", host="127.0.0.1", port=5038, user="telemon", secret="one")


def config(**changes):
    return Config.model_validate(OLD | changes)


def test_nothing_changed():
    found = change(config(), config())
    assert (found.taken, found.waiting, found.config) == ((), (), config())


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("service", ({**SERVICE, "hours": ("mon-fri 08:30-17:00",)},)),
        ("short_abandon_seconds", 3),
        ("probe_callers", ("0199000001",)),
        ("rule_set", "marianne"),
        ("language", "fr"),
        ("log", {"level": "debug"}),
        ("pbx", ({"name": "north", "host": "192.0.2.1"}, {"name": "south"})),
    ],
)
def test_what_is_taken_over(key, value):
    new = config(**{key: value})
    found = change(config(), new)
    assert (found.taken, found.waiting, found.config) == ((key,), (), new)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("site", "mairie"),
        ("observer", "second"),
        ("timezone", "Indian/Reunion"),
        ("country", "us"),
        ("ledger", {"url": "postgresql:///telemon"}),
        ("journal", {"keep_days": 3}),
        ("web", {"port": 9999}),
        ("pbx", ({"name": "north"}, {"name": "west"})),
        ("pbx", ({"name": "south"}, {"name": "north"})),
        ("pbx", ({"name": "north"},)),
    ],
)
def test_what_waits_stays_as_it_was(key, value):
    found = change(config(), config(**{key: value}, short_abandon_seconds=3))
    assert (found.taken, found.waiting) == (("short_abandon_seconds",), (key,))
    assert found.config == config(short_abandon_seconds=3)


@pytest.mark.parametrize(
    ("changes", "needed"),
    [
        ({}, False),
        ({"ping_seconds": 3.0}, False),
        ({"secret": "two"}, True),
        ({"host": "192.0.2.1"}, True),
        ({"port": 5039}, True),
        ({"event_filter": False}, True),
    ],
)
def test_when_a_link_must_connect_again(changes, needed):
    pbx = PbxConfig(name="north")
    assert must_reconnect((pbx, PEER), (pbx, replace(PEER, **changes))) is needed


def test_an_equal_tls_context_made_anew_needs_no_new_connection_but_another_setting_does():
    secure, lax = PbxConfig(name="north", tls=True), PbxConfig(name="north", tls=True, tls_verify=False)
    first, second = (replace(PEER, tls=ssl.create_default_context()) for _ in range(2))
    assert not must_reconnect((secure, first), (secure, second))
    assert must_reconnect((secure, first), (lax, second))


def test_every_key_is_known_to_do_one_or_the_other():
    taken = {"language", "log", "pbx", "probe_callers", "rule_set", "rule_sets", "service", "short_abandon_seconds"}
    taken |= {"officer", "permanence", "roster", "shift", "user"}
    waiting = {"agi", "country", "crisis", "journal", "ledger", "observer", "probe", "site", "timezone", "web"}
    waiting |= {"callbacks", "figures"}
    assert set(Config.model_fields) == taken | waiting
