"""The wallboard over HTTP: what each role gets and is refused, and what must not get in."""

import asyncio
import logging
import re
import time

import pytest
from typer.testing import CliRunner

from telemon.cli import app
from telemon.config_web import UserConfig
from telemon.errors import ConfigError
from telemon.instants import SECOND
from telemon.wallboard import feed
from telemon.wallboard.headers import CONTENT_SECURITY_POLICY
from telemon.wallboard.passwords import verify_password
from telemon.wallboard.roles import Role
from tests.acceptance.commands import telemon
from tests.acceptance.shell import DAY, events_of, pbx, plan, split, tell, tell_day, until
from tests.acceptance.wallboard_kit import PASSWORD, boot_of, config_of, origin, sign_in, standing, streaming

CANARY = "0612345678"
HOSTILE = '"><script>alert(1)</script><!--'
HOUR = 3600 * SECOND


class Clock:
    """This machine's time, and as much more as a test lets pass."""

    def __init__(self):
        self.passed = 0

    def __call__(self):
        return time.time_ns() // 1000 + self.passed


@pytest.fixture
async def served(tmp_path):
    """Return what serves a wallboard of a simulated switchboard; it ends with the test."""
    async with pbx() as server:
        config = config_of(tmp_path, server.port)
        async with standing(config) as stand:
            stand.pbx = server
            yield stand


def ringing(server, caller="0199000001", since=0.0):
    """Let a call ring, and return what is still to be told of it: it is answered after six seconds."""
    story = events_of([plan(caller, answers_at=6.0, talk_seconds=20.0)], first_at=time.time() - since)
    begun, rest = split(story, "DialState")
    tell(server, begun)
    return rest


def lose(server, caller):
    tell(server, events_of([plan(caller, patience=12.0)], first_at=time.time() - 20))


async def callers(stream):
    """Return the calls of the next message that tells of any."""
    while True:
        kind, _, said = await stream.next()
        rows = said["calls"] if kind == "picture" else said.get("calls", {}).get("set", [])
        if rows:
            return rows


# -- who may what


def by_role(others, **some):
    return {role: some.get(role, others) for role in Role}


HISTORY = "/wallboard/history"
DONE = "/wallboard/callbacks/{}/done"
ROUTES = {  # what strangers are told, and each role
    ("GET", "/wallboard"): (303, by_role(200)),
    ("GET", HISTORY): (401, by_role(200, duty_officer=403)),
    ("GET", f"{HISTORY}?service=standard&site=beauvais"): (401, by_role(200, duty_officer=403)),
    ("GET", f"{HISTORY}?service=other"): (401, by_role(404, duty_officer=403)),
    ("GET", f"{HISTORY}?site=other"): (401, by_role(404, duty_officer=403)),
    ("POST", DONE.format("abc")): (401, by_role(403, supervisor=404)),
    ("POST", DONE.format("x" * 65)): (401, by_role(403, supervisor=422)),
}


async def test_each_route_knows_the_roles(served):
    async with served.client() as client:
        for (method, path), (nobody, _) in ROUTES.items():
            answer = await client.request(method, path, headers=origin(client))
            assert answer.status_code == nobody, (method, path)
    for role in Role:
        async with served.signed_in(role) as client:
            headers = origin(client) | {"X-CSRF-Token": await csrf(client)}
            for (method, path), (_, allowed) in ROUTES.items():
                answer = await client.request(method, path, headers=headers)
                assert answer.status_code == allowed[role], (method, path, role, answer.text)


async def csrf(client):
    return boot_of((await client.get("/wallboard")).text)["csrf"]


async def test_the_stream_is_refused_to_strangers_and_given_to_every_role(served):
    async with served.client() as client:
        answer = await client.get("/wallboard/stream")
        assert (answer.status_code, list(answer.json())) == (401, ["error"])
    for role in Role:
        async with served.signed_in(role) as client, streaming(client) as stream:
            kind, _, picture = await stream.next()
            assert (kind, "calls" in picture) == ("picture", role is not Role.AUDITOR)


async def test_only_the_supervisor_sees_the_number(served, caplog):
    caplog.set_level(logging.DEBUG)
    lose(served.pbx, CANARY)
    await until(lambda: served.days.days)
    ringing(served.pbx, CANARY)
    await until(lambda: list(served.links[0].observer.tracker.open_calls()))
    shown = {}
    for role in Role:
        async with served.signed_in(role) as client:
            page = (await client.get("/wallboard")).text
            history = (await client.get("/wallboard/history")).text
            async with streaming(client) as stream:
                _, _, picture = await stream.next()
        shown[role] = [call["caller"] for call in picture.get("calls", ())]
        assert CANARY not in history
        assert (CANARY in page) is (role is Role.SUPERVISOR)
        assert (CANARY in str(picture)) is (role is Role.SUPERVISOR)
    assert shown == {
        Role.SUPERVISOR: [CANARY],
        Role.DUTY_OFFICER: [None],
        Role.AUDITOR: [],
        Role.ADMIN: [None],
    }
    assert CANARY not in caplog.text


# -- live


async def test_a_call_comes_and_goes_within_a_second(served):
    async with served.signed_in("supervisor") as client, streaming(client) as stream:
        kind, first, picture = await stream.next()
        assert (kind, picture["calls"]) == ("picture", [])
        began = time.monotonic()
        rest = ringing(served.pbx)
        (call,) = await callers(stream)
        assert time.monotonic() - began < 1.0
        assert (call["key"], call["state"], call["caller"]) == ("beauvais|standard", "waiting", "0199000001")
        assert abs(call["alerting"] - time.time()) < 3
        assert set(call) == {"id", "key", "arrived", "alerting", "state", "caller", "operator"}
        answered, over = split(rest, "BridgeEnter")
        tell(served.pbx, answered)
        (call,) = await callers(stream)
        assert (call["state"], call["operator"]) == ("talking", "PJSIP/op1")
        tell(served.pbx, over)
        kind, number, said = await stream.next()
        while not said.get("calls", {}).get("gone"):
            kind, number, said = await stream.next()
        assert said["calls"] == {"set": [], "gone": [call["id"]]}
        assert (kind, int(number) > int(first)) == ("change", True)
        async with streaming(client, headers={"Last-Event-ID": number}) as again:
            assert (await again.next())[0] == "picture"


async def test_the_page_hears_that_nothing_happens(served, monkeypatch):
    monkeypatch.setattr(feed, "BEAT_SECONDS", 0.1)
    async with served.signed_in("auditor") as client, streaming(client) as stream:
        _, _, said = await stream.next("beat")
        assert abs(said["now"] - time.time()) < 2


async def test_nothing_is_drawn_while_nobody_watches(served, monkeypatch):
    drawn = []
    look = served.board._standing.look

    def looked(now):
        drawn.append(now)
        return look(now)

    monkeypatch.setattr(served.board._standing, "look", looked)
    async with served.signed_in("auditor") as client, streaming(client) as stream:
        await stream.next()
        await until(lambda: len(drawn) > 2)
    await until(lambda: not served.board.feed._watchers)
    ticks = len(drawn)
    await asyncio.sleep(3 * feed.TICK_SECONDS)
    assert len(drawn) <= ticks + 1


async def test_two_pbxs_of_a_site_are_one_service_and_blindness_shows(tmp_path):
    async with pbx() as one, pbx() as other:
        two = tuple(
            config_of(tmp_path, server.port).pbx[0].model_copy(update={"name": name})
            for name, server in (("a", one), ("b", other))
        )
        async with (
            standing(config_of(tmp_path, 0, pbx=two)) as stand,
            stand.signed_in("admin") as client,
            streaming(client) as stream,
        ):
            assert [row["connected"] for row in (await stream.next())[2]["health"]["pbx"]] == [True, True]
            ringing(one, "0199000001", since=9)
            ringing(other, "0199000002", since=4)
            service = await told(stream, lambda said: [row for row in rows(said) if row["waiting"] == 2])
            assert abs(service[0]["longest_since"] - (time.time() - 9)) < 3
            assert (service[0]["operators"]["reachable"], sum(service[0]["operators"].values())) == (2, 4)
            other.cut()
            said = await told(stream, lambda said: said if said.get("blind") else None)
            (blind,) = said["blind"]
            assert (blind["pbx"], blind["site"], blind["cause"]) == ("b", "beauvais", "link_cut")
            assert [row["waiting"] for row in rows(said)] == [1]


def rows(said):
    return said.get("services", {}).get("set", [])


async def told(stream, wanted):
    """Return what is wanted of the first change that has it."""
    while True:
        _, _, said = await stream.next()
        found = wanted(said)
        if found:
            return found


async def test_a_hostile_number_arrives_as_text(served):
    ringing(served.pbx, HOSTILE)
    async with served.signed_in("supervisor") as client:
        async with streaming(client) as stream:
            (call,) = await callers(stream)
        assert call["caller"] == HOSTILE
        page = (await client.get("/wallboard")).text
    assert boot_of(page)["picture"]["calls"][0]["caller"] == HOSTILE
    boot = page.partition('id="boot">')[2].partition("</script>")[0]
    assert not re.search(r"[<>&\u2028]", boot)
    assert "alert(1)" not in page.replace(boot, "")


async def test_the_curve_of_the_day_is_the_ledgers(served):
    tell_day(served.pbx)
    await until(lambda: served.ledger.written_total >= len(DAY))
    async with served.signed_in("auditor") as client:
        curve = (await client.get("/wallboard/history")).json()
        one = (await client.get("/wallboard/history", params={"service": "standard"})).json()
    sums = {name: sum(curve[name]) for name in ("answered", "lost", "within")}
    # a day that began less than ten minutes ago has not all of them
    if time.time() - curve["start"][0] > 700:
        assert sums == {"answered": 3, "lost": 3, "within": 2}
    assert curve == one
    assert curve["step"] == 900
    assert all(later - earlier == 900 for earlier, later in zip(curve["start"], curve["start"][1:], strict=False))
    assert curve["start"][-1] <= time.time() < curve["start"][-1] + 900


async def test_who_was_called_back_is_off_the_list(served):
    lose(served.pbx, CANARY)
    async with served.signed_in("supervisor") as client, streaming(client) as stream:
        (entry,) = await told(stream, lambda said: said.get("callbacks"))
        assert (entry["number"], entry["times"], entry["key"]) == (CANARY, 1, "beauvais|standard")
        path, headers = (
            f"/wallboard/callbacks/{entry['id']}/done",
            origin(client) | {"X-CSRF-Token": await csrf(client)},
        )
        assert (await client.post(path, headers=headers)).status_code == 204
        assert await told(stream, lambda said: said.get("callbacks") == [] and said["callbacks_count"] == 0)
        assert (await client.post(path, headers=headers)).status_code == 404


async def test_after_a_start_the_calls_lost_before_it_are_shown_without_their_numbers(tmp_path):
    async with pbx() as server:
        config = config_of(tmp_path, server.port)
        async with standing(config) as stand:
            tell_day(server)
            await until(lambda: stand.ledger.written_total >= len(DAY))
        async with standing(config, connect=False) as stand:
            await until(lambda: stand.board._losses)
            async with stand.signed_in("supervisor") as client, streaming(client) as stream:
                _, _, picture = await stream.next()
    assert [loss["outcome"] for loss in picture["losses"]] == ["unanswered", "diverted", "abandoned"]
    assert [loss["rings"] for loss in picture["losses"]] == [5, 8, 3]  # the second until voicemail took it
    assert {loss["caller"] for loss in picture["losses"]} == {None}


async def test_only_so_many_watch(served, monkeypatch):
    monkeypatch.setattr(feed, "MOST_WATCHERS", 2)
    async with served.signed_in("admin") as client, streaming(client) as one, streaming(client) as other:
        await one.next()
        await other.next()
        answer = await client.get("/wallboard/stream", headers={"Accept-Language": "en"})
        assert (answer.status_code, answer.json()) == (
            503,
            {"error": "Too many watch the wallboard already. Close one that nobody looks at."},
        )
    async with served.signed_in("admin") as client:
        await until(lambda: not served.board.feed._watchers)
        async with streaming(client) as stream:
            await stream.next()


# -- headers


async def test_what_every_page_tells_the_browser(served):
    async with served.signed_in("admin") as client:
        page = await client.get("/wallboard")
        answers = [page, await client.get("/sign-in"), await client.get("/nowhere"), await client.get("/readyz")]
        (static,) = re.findall(r'src="(/static/[^"]+/wallboard\.js)"', page.text)
        script = await client.get(static)
    policy = (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
    for answer in (*answers, script):
        assert answer.headers["content-security-policy"] == policy == CONTENT_SECURITY_POLICY
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "same-origin"
        assert answer.headers["cross-origin-opener-policy"] == "same-origin"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
        assert "microphone=()" in answer.headers["permissions-policy"]
        assert "server" not in answer.headers
    assert {answer.headers["cache-control"] for answer in answers} == {"no-store"}
    assert script.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert script.headers["content-type"] == "text/javascript; charset=utf-8"
    assert "style=" not in page.text
    assert not re.search(r"<script(?![^>]*\bsrc=)(?! type=\"application/json\")", page.text)
    assert not re.search(r"\son\w+=", re.sub(r"<script type.*?</script>", "", page.text, flags=re.DOTALL))


async def test_no_page_of_the_framework_is_left(served):
    async with served.client() as client:
        for path in ("/docs", "/redoc", "/openapi.json", "/static/", "/static/../web.py"):
            assert (await client.get(path)).status_code == 404
        assert (await client.get("/metrics")).status_code == 200
        assert (await client.get("/healthz")).json() == {"status": "alive"}
        assert (await client.get("/readyz")).json() == {"ready": True, "reasons": []}


@pytest.mark.parametrize(("language", "title"), [("fr", "Standard en direct"), ("en", "Switchboard now")])
async def test_the_language_is_kept(served, language, title):
    async with served.signed_in("admin") as client:
        asked = await client.get("/wallboard", params={"lang": language})
        kept = await client.get("/wallboard", headers={"Accept-Language": "de"})
        data = await client.get("/wallboard/history?service=none")
    assert title in asked.text
    assert title in kept.text
    assert boot_of(kept.text)["lang"] == language
    assert data.json()["error"].startswith({"fr": "Il n'y a pas", "en": "There is no"}[language])


async def test_what_a_page_begins_with(served):
    async with served.signed_in("supervisor") as client:
        boot = boot_of((await client.get("/wallboard")).text)
    assert boot.pop("words")["wallboard.title"]
    assert abs(boot.pop("now") - time.time()) < 3
    assert boot.pop("csrf")
    assert boot.pop("picture")["services"][0]["key"] == "beauvais|standard"
    assert boot == {
        "lang": "fr",
        "role": "supervisor",
        "site_name": "beauvais",
        "cycle": 5.0,
        "max_rings": 5,
        "rule_set": "qualipref 2026.1",
        "goals": {"lost_below": 0.1},
        "timezone": "Europe/Paris",
    }


# -- signing in


async def test_a_sessions_cookie(served, tmp_path):
    async with served.client() as client:
        answer = await sign_in(client, "supervisor")
    assert (answer.status_code, answer.headers["location"]) == (303, "/wallboard")
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("telemon_session=")
    assert {part.strip() for part in cookie.split(";")[1:]} == {
        "HttpOnly",
        "Max-Age=43200",
        "Path=/",
        "SameSite=strict",
    }
    assert (tmp_path / "web.key").stat().st_mode & 0o777 == 0o600


async def test_over_tls_the_cookie_is_of_this_host_alone(tmp_path):
    async with standing(config_of(tmp_path, 0, secure_cookie=True), connect=False) as stand, stand.client() as client:
        cookie = (await sign_in(client, "supervisor")).headers["set-cookie"]
    assert cookie.startswith("__Host-telemon_session=")
    assert "Secure" in cookie


async def test_whoever_there_is_not_is_refused_with_the_same_words(served):
    async with served.client() as client:
        began = time.perf_counter()
        wrong = await sign_in(client, "supervisor", "wrong password!")
        between = time.perf_counter()
        nobody = await sign_in(client, "superviseur", "wrong password!")
        took = (between - began, time.perf_counter() - between)
    assert (wrong.status_code, nobody.status_code) == (401, 401)
    assert wrong.text.replace('"supervisor"', "") == nobody.text.replace('"superviseur"', "")
    assert "set-cookie" not in wrong.headers
    assert "wrong password!" not in wrong.text
    assert min(took) > 0.02  # scrypt was done for both


async def test_after_too_many_wrong_passwords_the_right_one_waits(tmp_path):
    clock = Clock()
    config = config_of(tmp_path, 0, attempts=2)
    async with standing(config, clock=clock, connect=False) as stand, stand.client() as client:
        said = [(await sign_in(client, "admin", "wrong password!")).status_code for _ in range(3)]
        assert said == [401, 401, 429]
        assert (await sign_in(client, "admin")).status_code == 429
        assert (await sign_in(client, "supervisor")).status_code == 303
        clock.passed = 900 * SECOND
        assert (await sign_in(client, "admin")).status_code == 303


@pytest.mark.parametrize(
    "headers",
    [{}, {"Origin": "http://attacker.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}],
)
async def test_another_sites_page_signs_nobody_in(served, headers):
    async with served.client() as client:
        answer = await client.post("/sign-in", data={"user": "admin", "password": PASSWORD}, headers=headers)
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


async def test_what_is_no_form(served):
    async with served.client() as client:
        own = origin(client)

        async def parts():
            yield b"user=admin"

        assert (await client.post("/sign-in", content=parts(), headers=own)).status_code == 411
        assert (await client.post("/sign-in", content=b"x" * 5000, headers=own)).status_code == 413
        assert (await client.post("/sign-in", content=b"\xff=\xfe&&&", headers=own)).status_code == 401
        file = {"user": ("name", b"admin")}
        assert (await client.post("/sign-in", files=file, headers=own)).status_code in (400, 401)


async def test_where_nobody_can_sign_in_the_page_says_what_to_do(tmp_path):
    async with standing(config_of(tmp_path, 0, users=()), connect=False) as stand, stand.client() as client:
        assert "telemon password" in (await client.get("/sign-in")).text
        assert (await sign_in(client, "", "")).status_code == 401


async def test_signing_out_ends_the_session_and_its_copies(served):
    async with served.signed_in("auditor") as client, served.client() as thief:
        thief.cookies.update(client.cookies)
        assert (await thief.get("/wallboard")).status_code == 200
        own = origin(client)
        assert (await client.post("/sign-out", data={"csrf": "wrong"}, headers=own)).status_code == 403
        token = await csrf(client)
        async with streaming(thief) as stream:
            await stream.next()
            answer = await client.post("/sign-out", data={"csrf": token}, headers=own)
            assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")
            assert not client.cookies
            with pytest.raises(EOFError):
                await stream.next("nothing")
        assert (await thief.get("/wallboard")).status_code == 303


async def test_a_session_that_expires_ends_the_stream(tmp_path):
    clock = Clock()
    async with (
        standing(config_of(tmp_path, 0), clock=clock, connect=False) as stand,
        stand.signed_in("admin") as client,
        streaming(client) as stream,
    ):
        await stream.next()
        clock.passed = 12 * HOUR
        with pytest.raises(EOFError):
            await stream.next("nothing")
        assert (await client.get("/wallboard/stream")).status_code == 401


async def test_a_user_who_is_removed_is_out_at_once(tmp_path):
    config = config_of(tmp_path, 0)
    async with (
        standing(config, connect=False) as stand,
        stand.signed_in("admin") as client,
        streaming(client) as stream,
    ):
        await stream.next()
        stand.board.reconfigure(config.model_copy(update={"user": config.user[:2]}))
        with pytest.raises(EOFError):
            await stream.next("nothing")
        assert (await client.get("/wallboard")).status_code == 303


async def test_a_cookie_that_was_tampered_with_is_none(served):
    async with served.signed_in("auditor") as client:
        value = client.cookies["telemon_session"]
        for forged in (value[:-3], "x" + value, value.replace(".", ""), "", "%00"):
            async with served.client(cookies={"telemon_session": forged}) as thief:
                assert (await thief.get("/wallboard/history")).status_code == 401


# -- another site's pages


async def test_another_sites_page_changes_nothing(served):
    async with served.signed_in("supervisor") as client, served.signed_in("supervisor") as another:
        path, token = "/wallboard/callbacks/abc/done", await csrf(client)
        own = origin(client)
        for headers in (
            {},
            own,
            {"X-CSRF-Token": token},
            own | {"X-CSRF-Token": await csrf(another)},
            {"Origin": "http://attacker.example", "X-CSRF-Token": token},
            own | {"Sec-Fetch-Site": "same-site", "X-CSRF-Token": token},
        ):
            assert (await client.post(path, headers=headers)).status_code == 403
        assert (await client.post(path, headers=own | {"X-CSRF-Token": token})).status_code == 404


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
async def test_another_sites_page_reads_nothing(served, site):
    async with served.signed_in("supervisor") as client:
        for path in ("/wallboard/stream", "/wallboard/history"):
            assert (await client.get(path, headers={"Sec-Fetch-Site": site})).status_code == 403


# -- without signing in


async def test_whoever_sits_at_the_machine(tmp_path):
    async with standing(config_of(tmp_path, 0, open_as="duty_officer"), connect=False) as stand:
        async with stand.client() as client:
            page = await client.get("/wallboard")
            assert boot_of(page.text)["role"] == "duty_officer"
            assert (await client.get("/wallboard/history")).status_code == 403
            for spoof in (
                {"Host": "attacker.example"},
                {"Host": f"attacker.example:{client.base_url.port}"},
                {"X-Forwarded-For": "127.0.0.1"},
                {"Forwarded": "for=127.0.0.1"},
                {"Via": "1.1 proxy"},
                {"X-Real-IP": "::1"},
            ):
                assert (await client.get("/wallboard", headers=spoof)).status_code == 303
                assert (await client.get("/wallboard/stream", headers=spoof)).status_code == 401
        async with stand.signed_in("supervisor") as client:
            assert boot_of((await client.get("/wallboard")).text)["role"] == "supervisor"


async def test_a_proxys_word_counts_only_from_a_trusted_one(tmp_path):
    proxied = {
        "proxy_header": "X-Forwarded-User",
        "proxy_roles_header": "X-Forwarded-Groups",
        "proxy_groups": {"chefs": "supervisor", "audit": "auditor"},
    }
    said = {"X-Forwarded-User": "zoe", "X-Forwarded-Groups": "chefs"}
    distrusted = config_of(tmp_path, 0, **proxied, trusted_proxies=["10.0.0.7"])
    async with standing(distrusted, connect=False) as stand, stand.client() as client:
        assert (await client.get("/wallboard/stream", headers=said)).status_code == 401
    async with standing(config_of(tmp_path, 0, **proxied), connect=False) as stand:
        async with stand.client() as client:
            page = await client.get("/wallboard", headers=said)
            assert (boot_of(page.text)["role"], "/sign-out" in page.text) == ("supervisor", False)
            twice = [("X-Forwarded-User", "zoe"), *said.items()]
            for wrong in (
                twice,
                {"X-Forwarded-Groups": "chefs"},
                said | {"X-Forwarded-Groups": "chefs,audit"},
                said | {"X-Forwarded-Groups": "others"},
            ):
                assert (await client.get("/wallboard/history", headers=wrong)).status_code == 401
        async with stand.signed_in("admin") as client:  # the proxy's word counts before a session
            page = await client.get("/wallboard", headers=said | {"X-Forwarded-Groups": "audit"})
            assert boot_of(page.text)["role"] == "auditor"
            assert (await client.get("/wallboard", headers=said | {"X-Forwarded-Groups": ""})).status_code == 303


# -- telemon password


def test_a_password_is_asked_for_twice_and_its_hash_printed():
    secret = "le chat de la voisine"
    answer = CliRunner().invoke(app, ["password"], input=f"{secret}\n{secret}\n")
    hashed = re.fullmatch(r'password = "(scrypt\$[^"]+)"', answer.stdout.strip().splitlines()[-1])
    assert hashed is not None
    assert verify_password(secret, hashed[1])
    assert secret not in answer.output
    assert UserConfig(name="zoe", role=Role.ADMIN, password=hashed[1]).password == hashed[1]


@pytest.mark.parametrize("typed", ["short\n", "le chat de la voisine\nle chat du voisin\n"])
def test_no_hash_is_printed_of_what_is_too_short_or_was_mistyped(typed):
    answer = CliRunner().invoke(app, ["password"], input=typed)
    assert isinstance(answer.exception, ConfigError)
    assert "scrypt" not in answer.output


async def test_a_script_gives_the_password_on_standard_input(tmp_path):
    status, said, errors = await telemon("password", "--stdin", cwd=tmp_path, given="l'été à Saint-Malo\n".encode())
    assert (status, errors) == (0, "")
    assert verify_password("l'été à Saint-Malo", said.partition('"')[2].rstrip('"\n'))
    status, said, errors = await telemon("password", "--stdin", cwd=tmp_path, given=b"short\n")
    assert (status, said, "12 to 200 characters" in errors) == (1, "", True)
