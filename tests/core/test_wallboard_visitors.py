"""Who asks: a session, a proxy's word, or whoever sits at this machine; and what each must not be mistaken for."""

import random

import pytest
from itsdangerous import URLSafeSerializer
from pydantic import ValidationError

from telemon.config_web import UserConfig, WebConfig
from telemon.hashing import hash_secret
from telemon.instants import SECOND
from telemon.wallboard.asking import Asking, is_loopback
from telemon.wallboard.passwords import LONGEST, SHORTEST, hash_password, is_password, verify_password
from telemon.wallboard.roles import Role
from telemon.wallboard.sessions import Sessions
from telemon.wallboard.signing_in import NAMES_PER_ADDRESS, Refusal, SignIn
from telemon.wallboard.visitors import neighbour, vouched
from telemon.wallboard.words import language_of, words

NOW = 1_795_000_000 * SECOND
HOST = ("host", "127.0.0.1:9714")


def web(**settings):
    return WebConfig.model_validate(settings)


def user(name, role, password=""):
    return UserConfig(name=name, role=Role(role), password=password)


PROXY = web(
    proxy_header="X-Forwarded-User",
    proxy_roles_header="X-Forwarded-Groups",
    proxy_groups={"standard-chefs": "supervisor", "audit": "auditor", "chefs": "supervisor"},
    trusted_proxies=("127.0.0.1", "10.0.0.7"),
)
OPEN = web(open_as="duty_officer")


def asking(*headers, peer="127.0.0.1", version="1.1"):
    return Asking(peer, version, (HOST, *headers) if not any(name == "host" for name, _ in headers) else headers)


# -- this machine


def test_whoever_sits_at_the_machine_comes_in_where_it_is_open():
    visitor = neighbour(asking(), OPEN, NOW)
    assert visitor is not None
    assert (visitor.role, visitor.name) == (Role.DUTY_OFFICER, "")
    assert neighbour(asking(("host", "localhost")), OPEN, NOW)
    assert neighbour(asking(("host", "[::1]:9714"), peer="::1"), OPEN, NOW)
    assert neighbour(asking(), web(), NOW) is None


@pytest.mark.parametrize(
    "spoof",
    [
        asking(peer="192.168.1.20"),
        asking(peer=""),
        asking(("host", "attacker.example")),
        asking(("host", "attacker.example:9714")),
        asking(("host", "127.0.0.1.attacker.example")),
        asking(("host", "127.0.0.1"), ("host", "127.0.0.1")),
        asking(("host", "")),
        asking(("host", "localhost@attacker.example")),
        asking(("x-forwarded-for", "127.0.0.1")),
        asking(("x-forwarded-host", "x")),
        asking(("x-forwarded-proto", "https")),
        asking(("forwarded", "for=127.0.0.1")),
        asking(("via", "1.1 nginx")),
        asking(("x-real-ip", "127.0.0.1")),
        asking(version="1.0"),
    ],
)
def test_a_proxy_a_neighbour_or_a_name_that_was_made_to_lead_here_does_not(spoof):
    assert neighbour(spoof, OPEN, NOW) is None


def test_a_header_of_the_proxy_shuts_the_open_door():
    shut = web(open_as="supervisor", proxy_header="Remote-User", trusted_proxies=("10.0.0.7",))
    assert neighbour(asking(("remote-user", "eve")), shut, NOW) is None


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.5", "::", "telemon.example"])
def test_only_loopback_can_be_open(host):
    with pytest.raises(ValidationError, match="open_as"):
        web(host=host, open_as="supervisor")


@pytest.mark.parametrize(
    ("host", "expected"),
    [("localhost", True), ("127.0.0.1", True), ("127.8.9.1", True), ("[::1]", True), ("::1", True),
     ("10.0.0.1", False), ("", False), ("localhost.example", False), ("0.0.0.0", False)],
)  # fmt: skip
def test_loopback(host, expected):
    assert is_loopback(host) is expected


# -- a proxy


def named(user, groups=None, **options):
    headers = [("x-forwarded-user", user)] + ([] if groups is None else [("x-forwarded-groups", groups)])
    return asking(*headers, **options)


def role_of(request, proxied=PROXY, users=()):
    visitor = vouched(request, proxied, users, NOW)
    return None if visitor is None else visitor.role


def test_a_trusted_proxy_vouches():
    visitor = vouched(named("Zoé Martin".encode().decode("latin-1"), "agents, standard-chefs"), PROXY, (), NOW)
    assert visitor is not None
    assert (visitor.name, visitor.role) == ("Zoé Martin", Role.SUPERVISOR)
    assert role_of(named("zoe", "chefs,standard-chefs", peer="::ffff:10.0.0.7")) is Role.SUPERVISOR
    letter = "Michelà".encode().decode("latin-1")
    assert role_of(named(letter, "audit")) is Role.AUDITOR


@pytest.mark.parametrize(
    "spoof",
    [
        named("zoe", "standard-chefs", peer="10.0.0.8"),
        named("zoe", "standard-chefs", peer="nobody"),
        named("", "standard-chefs"),
        named("zoe"),
        named("zoe", "agents"),
        named("zoe", "standard-chefs, audit"),  # which of the two?
        named("zoe\x85", "standard-chefs"),
        named("z" * 101, "standard-chefs"),
        asking(("x-forwarded-user", "zoe"), ("x-forwarded-user", "eve"), ("x-forwarded-groups", "audit")),
        asking(("x-forwarded-user", "zoe"), ("x-forwarded-groups", "audit"), ("x-forwarded-groups", "chefs")),
        asking(("x-forwarded-groups", "audit")),
    ],
)
def test_nobody_is_vouched_for(spoof):
    assert vouched(spoof, PROXY, (), NOW) is None


def test_without_groups_the_role_is_that_of_the_user_of_this_name():
    proxied = web(proxy_header="Remote-User")
    users = (user(name="zoe", role="admin"),)
    assert role_of(asking(("remote-user", "zoe")), proxied, users) is Role.ADMIN
    assert vouched(asking(("remote-user", "Zoe")), proxied, users, NOW) is None
    assert vouched(asking(("remote-user", "zoe")), web(), users, NOW) is None


# -- our own pages


@pytest.mark.parametrize(
    ("headers", "own"),
    [
        ([("origin", "http://127.0.0.1:9714")], True),
        ([("origin", "https://127.0.0.1:9714"), ("sec-fetch-site", "same-origin")], True),
        ([("sec-fetch-site", "same-origin")], True),
        ([], False),
        ([("origin", "null")], False),
        ([("origin", "null"), ("sec-fetch-site", "cross-site")], False),
        ([("origin", "http://127.0.0.1:9714"), ("sec-fetch-site", "cross-site")], False),
        ([("origin", "http://127.0.0.1:9714"), ("sec-fetch-site", "same-site")], False),
        ([("origin", "http://127.0.0.1")], False),
        ([("origin", "http://127.0.0.1:9714.example")], False),
        ([("origin", "http://attacker.example")], False),
        ([("origin", "http://attacker.example#http://127.0.0.1:9714")], False),
        ([("origin", "http://[")], False),
        ([("origin", "file://127.0.0.1:9714")], False),
        ([("origin", "http://127.0.0.1:9714"), ("origin", "http://attacker.example")], False),
        ([("host", ""), ("origin", "http://")], False),
    ],
)
def test_which_page_asks(headers, own):
    assert asking(*headers).is_own is own


@pytest.mark.parametrize(
    ("request_", "source"),
    [
        (asking(peer="192.168.1.20"), "192.168.1.20"),
        (asking(("x-forwarded-for", "6.6.6.6"), peer="192.168.1.20"), "192.168.1.20"),
        (asking(("x-forwarded-for", "6.6.6.6, 192.168.1.30"), peer="10.0.0.7"), "192.168.1.30"),
        (asking(("x-forwarded-for", "6.6.6.6, nonsense"), peer="10.0.0.7"), "10.0.0.7"),
        (asking(peer="2001:db8:1:2:3:4:5:6"), "2001:0db8:0001:0002"),
        (asking(peer=""), ""),
    ],
)
def test_from_where_a_try_is_counted(request_, source):
    assert request_.source(PROXY.trusted_proxies) == source


# -- sessions


class Clock:
    def __init__(self):
        self.now = NOW

    def __call__(self):
        return self.now


ZOE = user(name="Zoé", role="supervisor", password=hash_secret("x" * 12))
KEY = b"k" * 32


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def sessions(clock):
    return Sessions(KEY, [ZOE], 12 * 3600 * SECOND, clock)


def test_a_session_lasts_as_long_as_it_may(sessions, clock):
    value = sessions.begin(ZOE)
    clock.now += 12 * 3600 * SECOND - 1
    assert sessions.read(value).role is Role.SUPERVISOR
    visitor = sessions.read(value)
    clock.now += 1
    assert sessions.read(value) is None
    assert not sessions.lasts(visitor)


def test_a_session_cannot_be_made_up(sessions):
    value = sessions.begin(ZOE)
    rng = random.Random(6)
    for place in range(len(value)):
        other = rng.choice([one for one in "abcXYZ059-_." if one != value[place]])
        changed = value[:place] + other + value[place + 1 :]
        found = sessions.read(changed)
        # the last character of base64 has bits that say nothing
        assert found is None or (place == len(value) - 1 and found == sessions.read(value))
    assert sessions.read(value[:-4]) is None
    assert sessions.read("") is None
    assert sessions.read("é.ÿ") is None
    assert sessions.read("x" * 3000) is None
    forged = URLSafeSerializer(b"j" * 32, salt="telemon.wallboard.session").dumps(["Zoé", 1 << 40, "s", "r"])
    assert sessions.read(forged) is None
    elsewhere = URLSafeSerializer(KEY, salt="another").dumps(["Zoé", 1 << 40, "s", "r"])
    assert sessions.read(elsewhere) is None


@pytest.mark.parametrize(
    "users",
    [
        [],
        [ZOE.model_copy(update={"role": Role.AUDITOR})],
        [ZOE.model_copy(update={"password": hash_secret("y" * 12)})],
        [ZOE.model_copy(update={"name": "Zoe"})],
    ],
)
def test_a_user_removed_or_changed_is_signed_out(sessions, users):
    value = sessions.begin(ZOE)
    visitor = sessions.read(value)
    sessions.reconfigure(users)
    assert sessions.read(value) is None
    assert not sessions.lasts(visitor)
    sessions.reconfigure([ZOE, user(name="another", role="admin")])
    assert sessions.read(value) is not None


def test_a_session_signed_out_is_void_even_in_a_copy(sessions):
    value, other = sessions.begin(ZOE), sessions.begin(ZOE)
    visitor = sessions.read(value)
    sessions.end(visitor)
    assert sessions.read(value) is None
    assert not sessions.lasts(visitor)
    assert sessions.read(other) is not None


def test_a_token_is_of_one_session(sessions):
    mine, other = sessions.read(sessions.begin(ZOE)), sessions.read(sessions.begin(ZOE))
    assert sessions.is_token(mine, sessions.token(mine))
    assert not sessions.is_token(other, sessions.token(mine))
    assert not sessions.is_token(mine, "")
    assert not sessions.is_token(mine, "é\udc80")


# -- passwords


def test_passwords():
    hashed = hash_password("Éléonore et ses 12 chats")
    assert verify_password("E\u0301le\u0301onore et ses 12 chats", hashed)  # a keyboard that sends letter and accent
    assert not verify_password("Eleonore et ses 12 chats", hashed)
    assert not verify_password("", "")
    assert not verify_password("x" * 100_000, hashed)
    assert [is_password("x" * length) for length in (SHORTEST - 1, SHORTEST, LONGEST, LONGEST + 1)] == [
        False,
        True,
        True,
        False,
    ]


def test_the_configuration_takes_no_password_but_its_hash():
    with pytest.raises(ValidationError, match="telemon password"):
        user(name="zoe", role="admin", password="correct horse battery")


PASSWORD = "x" * 12


async def test_after_so_many_wrong_passwords_nobody_gets_in_for_a_while(clock):
    signing_in = SignIn([ZOE], 3, 900 * SECOND, clock)
    wrong = [await signing_in.check("Zoé", "wrong", f"10.0.0.{place}") for place in range(4)]
    assert wrong == [Refusal.WRONG, Refusal.WRONG, Refusal.WRONG, Refusal.LOCKED]
    assert await signing_in.check("Zoé", PASSWORD, "10.0.0.9") is Refusal.LOCKED
    assert await signing_in.check("ZOÉ", PASSWORD, "10.0.0.9") is Refusal.LOCKED
    clock.now += 900 * SECOND
    assert await signing_in.check("Zoe\u0301", PASSWORD, "10.0.0.9") == ZOE
    assert await signing_in.check("Zoé", "wrong", "10.0.0.9") is Refusal.WRONG


async def test_nobody_is_locked_like_somebody(clock):
    signing_in = SignIn([ZOE], 3, 900 * SECOND, clock)
    wrong = [await signing_in.check("nobody", PASSWORD, "10.0.0.1") for _ in range(4)]
    assert wrong == [Refusal.WRONG, Refusal.WRONG, Refusal.WRONG, Refusal.LOCKED]


async def test_an_address_that_tries_many_names_is_locked_too(clock):
    signing_in = SignIn([ZOE], 1, 900 * SECOND, clock)
    for place in range(NAMES_PER_ADDRESS):
        assert await signing_in.check(f"name{place}", "wrong", "10.0.0.1") is Refusal.WRONG
    assert await signing_in.check("Zoé", PASSWORD, "10.0.0.1") is Refusal.LOCKED
    assert await signing_in.check("Zoé", PASSWORD, "10.0.0.2") == ZOE


async def test_who_has_no_password_cannot_sign_in(clock):
    signing_in = SignIn([user(name="proxied", role="admin")], 3, 900 * SECOND, clock)
    assert not signing_in.has_users
    assert await signing_in.check("proxied", "", "10.0.0.1") is Refusal.WRONG


# -- words


@pytest.mark.parametrize(
    ("given", "language"),
    [
        (("en", "fr", "fr", "fr"), "en"),
        (("de", "en", "fr", "fr"), "en"),
        ((None, "xx", "fr", "en"), "fr"),
        ((None, None, None, "de, en-GB;q=0.7, fr;q=0.9"), "fr"),
        ((None, None, None, "en;q=0, de"), "fr"),
        ((None, None, None, "en;q=nonsense, en"), "en"),
        ((None, None, None, ""), "fr"),
    ],
)
def test_languages(given, language):
    assert language_of(*given) == language


def test_the_page_is_given_the_words_of_its_tables():
    tables = {key.partition(".")[0] for key in words("fr")}
    assert tables == {"wallboard", "outcome", "stage", "gap", "kind", "uncovered"}
    assert words("fr").keys() == words("en").keys()
