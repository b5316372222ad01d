"""``telemon crisis`` and ``/api/crisis``: a cell from the order to the report, by command and over the web."""

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime

import httpx
import pytest
from starlette.applications import Starlette

from telemon.config import load
from telemon.crisis.desk import CrisisDesk
from telemon.crisis.desks import desks
from telemon.crisis.pages import LARGEST_BODY, crisis_routes
from telemon.crisis.stages import LineNow
from telemon.instants import SECOND, from_datetime
from telemon.ledger.store import open_ledger
from telemon.observation import Interval, Sight
from telemon.records import Outcome
from tests.acceptance.commands import start, telemon, telemon_all
from tests.acceptance.shell import PATIENCE
from tests.core.test_crisis import T as CALLED_AT
from tests.core.test_crisis_report import call
from tests.ledger.kit import store

TOKEN = "correct-horse-battery-staple"
CONFIG = """
site = "prefecture"
[[service]]
name = "crise"
kind = "crisis"
queues = ["crise"]
[[service]]
name = "standard"
queues = ["standard"]
[[officer]]
id = "cdurand"
name = "Camille Durand"
number = "4101"
[crisis]
staff = 2
maximum_wait_seconds = 20
"""


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "telemon.toml"
    path.write_text(CONFIG, "utf-8")
    return path


@pytest.fixture
def settings(config, monkeypatch):
    monkeypatch.chdir(config.parent)
    return load(config)


@pytest.fixture
def engine(settings):
    engine = open_ledger(settings.ledger.url)
    yield engine
    engine.dispose()


async def crisis(config, *arguments, **more):
    """Run ``telemon crisis …``; return what it prints, after making sure that it did well."""
    status, output, errors = await telemon("crisis", *arguments, cwd=config.parent, **more)
    assert (status, errors) == (0, "")
    return output


async def crises(config, *commands, **more):
    """Run several in one process, which is quicker."""
    answers = await telemon_all(*(("crisis", *command) for command in commands), cwd=config.parent, **more)
    assert [(status, errors) for status, _, errors in answers] == [(0, "")] * len(commands)
    return [output for _, output, _ in answers]


def calls_since(ordered_at, *calls):
    """Move calls so that they arrive after this order."""
    move = ordered_at - CALLED_AT
    fields = ("arrived_at", "alerting_at", "answered_at", "ended_at")
    return [
        replace(one, **{name: getattr(one, name) + move for name in fields if getattr(one, name) is not None})
        for one in calls
    ]


def ordered_at(status):
    return from_datetime(datetime.fromisoformat(status["crisis"]["ordered_at"]))


async def test_a_cell_from_order_to_report(config, engine):
    told = await crises(
        config,
        ("status",),
        ("start", "--title", "Usine", "--by", "Paul"),
        ("start",),
        ("join", "Camille Durand"),
        ("join", "4101"),
        ("join", "Léo"),
        ("line",),
        ("status", "-f", "json"),
    )
    expected = (
        "no crisis is open",
        "must answer its first caller before",
        "already",
        "People in the cell: 1 of 2. cdurand",
        "was in the cell already",
        "People in the cell: 2 of 2. Léo, cdurand",
        "line is open since",
    )
    for output, words in zip(told[:-1], expected, strict=True):
        assert words in output
    status = json.loads(told[-1])
    assert [stage["stage"] for stage in status["crisis"]["stages"] if stage["at"]] == [
        "ordered",
        "staffed",
        "line_open",
    ]
    assert status["crisis"]["people"] == ["Léo", "cdurand"]
    order = ordered_at(status)
    calls = calls_since(order, call(0.1, 0.4), call(0.2, 0.2, Outcome.ABANDONED), call(0.3, 25, Outcome.UNANSWERED))
    store(engine, *calls, Interval("pbx", order - SECOND, order + 600 * SECOND, Sight.SEEN))

    shown, left, closed, again, report = await crises(
        config, ("status",), ("leave", "léo"), ("close", "--by", "Paul"), ("close",), ("report", "-f", "json")
    )
    assert "Crisis – Usine" in shown  # noqa: RUF001
    assert "✓ │ Operational" in shown
    assert "within less than 1:00:00: kept" in shown
    assert "since the order: 3, answered 1, lost 1 (50.0% [50.0% … 66.7%]), longest wait 25.0 s" in shown
    assert "! A caller waits 25 s, more than 20 s" in shown
    assert "People in the cell: 2 of 2" in shown
    assert "has left the cell" in left
    assert "closed" in closed
    assert "was closed" in again
    report = json.loads(report)
    assert (report["offered"], report["answered"], report["lost"]) == (3, 1, 1)
    assert report["by_outcome"] == {"answered": 1, "short_abandoned": 1, "unanswered": 1}
    assert report["waits"]["all"]["longest_seconds"] == 25
    assert report["stages"][3]["delay_seconds"] == 0.5
    assert (report["verdict"], report["ordered_by"], report["is_final"]) == ("kept", "Paul", True)
    assert report["peak_waiting"] == {
        "callers": 3,
        "at": datetime.fromtimestamp((order + 300_000) / 1e6, UTC).isoformat(timespec="microseconds"),
        "is_certain": True,
    }
    assert (report["observed_share"], report["gaps"]) == (1.0, [])


async def test_what_cannot_be_is_told_on_standard_error_with_status_1(config):
    wishes = (("join", "Léo"), ("leave", "Léo"), ("line",), ("close",), ("report",), ("status", "-s", "standard"))
    for status, output, errors in await telemon_all(*(("crisis", *wish) for wish in wishes), cwd=config.parent):
        assert (status, output) == (1, "")
        assert errors.startswith("telemon: ")
    await crisis(config, "start")
    status, _, errors = await telemon("crisis", "start", "--exercise", cwd=config.parent)
    assert status == 1
    assert "an exercise has to wait" in errors
    status, _, errors = await telemon("crisis", "report", "2019", cwd=config.parent)
    assert status == 1
    assert "telemon crisis list" in errors


async def test_without_a_crisis_line_nothing_can_be_ordered(config):
    config.write_text('site = "prefecture"\n', "utf-8")
    status, _, errors = await telemon("crisis", "start", cwd=config.parent)
    assert status == 1
    assert 'kind = "crisis"' in errors


async def test_exercises_are_kept_apart_and_people_speak_french(config):
    _, started, listed, lines, shown = await crises(
        config,
        ("start", "--exercise", "-t", "Crue"),
        ("start", "-t", "Usine"),
        ("list",),
        ("list", "-f", "ndjson"),
        ("status",),
        TELEMON_LOCALE="fr",
    )
    assert "prend fin pour elle" in started
    assert ["Usine" in part for part in listed.split("Exercices")] == [True, False]
    assert ["Crue" in part for part in listed.split("Exercices")] == [False, True]
    kept = [json.loads(line) for line in lines.splitlines()]
    assert [(one["title"], one["is_exercise"]) for one in kept] == [("Usine", False), ("Crue", True)]
    assert "Ordre donné" in shown
    assert "pour répondre au premier appelant" in shown
    exercise = await crisis(config, "report", kept[1]["crisis_id"], TELEMON_LOCALE="fr")
    assert "Exercice – Crue" in exercise  # noqa: RUF001
    assert "Étapes" in exercise


async def test_what_people_type_is_markup_nowhere(config):
    _, _, status, table, markdown = await crises(
        config,
        ("start", "-t", "[red]Usine[/red] |*_`<b>"),
        ("join", "[link=x]|Léo|"),
        ("status",),
        ("report",),
        ("report", "-f", "markdown"),
    )
    assert "[red]Usine[/red] |*_`<b>" in status
    assert "[link=x]|Léo|" in table
    assert r"# Crisis – \[red\]Usine\[/red\] \|\*\_\`\<b\>" in markdown  # noqa: RUF001
    assert r"| \[link=x\]\|Léo\| | " in markdown
    rows = [line.replace(r"\|", "") for line in markdown.splitlines() if line.startswith("|")]
    assert {row.count("|") for row in rows} == {3, 4, 5, 6, 9}  # as many as each table has columns, and one


async def test_the_curve_is_as_wide_as_asked(config, engine):
    await crisis(config, "start")
    order = ordered_at(json.loads(await crisis(config, "status", "-f", "json")))
    desk = desks(load(config), engine, lambda: order + 30 * 60 * SECOND)["crise"]
    desk.close("Paul")
    reports = await crises(config, *(("report", "-f", "json", "-m", minutes) for minutes in ("1", "5", "60")))
    curves = [json.loads(report)["curve"] for report in reports]
    assert [len(curve) for curve in curves] == [30, 6, 1]


async def test_watching_ends_with_the_cell(config, engine):
    await crisis(config, "start")
    process = await start("crisis", "status", "--watch", cwd=config.parent)
    try:
        await asyncio.sleep(0)
        desk = desks(load(config), engine)["crise"]
        desk.join("Léo")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.shield(process.wait()), 4)
        desk.close("Léo")
        output, errors = await asyncio.wait_for(process.communicate(), PATIENCE)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert (process.returncode, errors) == (0, b"")
    assert "People in the cell: 1 of 2. Léo" in output.decode()


# Over the web


def browser(routes, token=TOKEN):
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    transport = httpx.ASGITransport(Starlette(routes=routes))
    return httpx.AsyncClient(transport=transport, base_url="http://telemon", headers=headers)


@pytest.fixture
def own(settings, engine):
    return desks(settings, engine)


async def test_a_cell_over_the_web(own):
    line = LineNow(waiting=12, longest_wait=5 * SECOND)
    async with browser(crisis_routes(own, TOKEN, live={"crise": line}.get)) as web:
        assert (await web.get("/api/crisis")).json() == {"service": "crise", "crisis": None}
        ordered = await web.post("/api/crisis", json={"title": "Usine", "by": "console", "exercise": True})
        assert ordered.status_code == 200
        assert (ordered.json()["changed"], ordered.json()["crisis"]["is_exercise"]) == (True, True)
        assert not (await web.post("/api/crisis", json={"exercise": True})).json()["changed"]
        await web.post("/api/crisis/join", json={"person": "4101"})
        joined = (await web.post("/api/crisis/join", json={"person": "Léo"})).json()
        assert joined["crisis"]["people"] == ["Léo", "cdurand"]
        assert joined["crisis"]["stages"][1]["at"] is not None
        assert (await web.post("/api/crisis/line")).json()["crisis"]["line_opened_at"] is not None
        told = (await web.get("/api/crisis", params={"service": "crise"})).json()["crisis"]
        assert told["line"] == {"waiting": 12, "longest_wait_seconds": 5}
        assert told["exceeded"] == [{"limit": "waiting", "value": 12, "allowed": 10}]
        left = (await web.post("/api/crisis/leave", json={"person": "cdurand"})).json()
        assert left["crisis"]["people"] == ["Léo"]
        closed = (await web.post("/api/crisis/close", json={})).json()
        assert (closed["changed"], closed["crisis"]["closed_by"]) == (True, "api")
        assert not (await web.post("/api/crisis/close")).json()["changed"]


PATHS = ("/api/crisis", "/api/crisis/join", "/api/crisis/leave", "/api/crisis/line", "/api/crisis/close")


@pytest.mark.parametrize("token", [None, "", "wrong", TOKEN + "x", "é", "\xff"])
async def test_without_the_token_nothing_is_told_or_done(own, token):
    headers = {} if token is None else {"Authorization": f"Bearer {token}".encode()}
    async with browser(crisis_routes(own, TOKEN), token=None) as web:
        answers = [await web.post(path, json={}, headers=headers) for path in PATHS]
        answers.append(await web.get("/api/crisis", headers=headers))
    for answer in answers:
        assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
        assert "token_file" in answer.json()["error"]
    assert own["crise"].status() is None


@pytest.mark.parametrize("scheme", ["Basic", "Token", ""])
async def test_the_token_under_another_scheme_is_none(own, scheme):
    async with browser(crisis_routes(own, TOKEN), token=None) as web:
        answer = await web.get("/api/crisis", headers={"Authorization": f"{scheme} {TOKEN}"})
    assert answer.status_code == 401


@pytest.mark.parametrize("token", [None, ""])
async def test_without_a_token_configured_the_api_is_off(own, token):
    async with browser(crisis_routes(own, token), token="") as web:
        for answer in [await web.post(path) for path in PATHS] + [await web.get("/api/crisis")]:
            assert answer.status_code == 404
            assert "token_file" in answer.json()["error"]
    assert own["crise"].status() is None


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"x" * (LARGEST_BODY + 1), 413),
        (b"{", 400),
        (b"\xff\xfe", 400),
        (b"[" * 4000, 400),
        (b'"crisis"', 400),
        (b'{"title": 7}', 400),
        (b'{"exercise": 1}', 400),
        (b'{"title": null}', 400),
        (b'{"titel": "Usine"}', 400),
        (b'{"service": "standard"}', 404),
        (b'{"by": ""}', 409),
        (json.dumps({"title": "x" * 201}).encode(), 409),
    ],
)
async def test_a_body_that_cannot_be_is_refused_and_nothing_done(own, body, status):
    async with browser(crisis_routes(own, TOKEN)) as web:
        answer = await web.post("/api/crisis", content=body)
    assert answer.status_code == status
    assert answer.json()["error"]
    assert own["crise"].status() is None


async def test_a_body_that_does_not_come_is_not_waited_for(own, monkeypatch):
    monkeypatch.setattr("telemon.crisis.pages.BODY_SECONDS", 0.2)

    async def never():
        yield b"{"
        await asyncio.Event().wait()

    async with browser(crisis_routes(own, TOKEN)) as web:
        answer = await asyncio.wait_for(web.post("/api/crisis", content=never()), PATIENCE)
    assert answer.status_code == 408
    assert own["crise"].status() is None


async def test_a_caller_who_is_cut_off_orders_nothing(own):
    (route,) = (
        route for route in crisis_routes(own, TOKEN) if route.path == "/api/crisis" and "POST" in (route.methods or ())
    )
    coming = [
        {"type": "http.request", "body": b'{"title": "Usine"}', "more_body": True},
        {"type": "http.disconnect"},
    ]
    sent = []

    async def receive():
        return coming.pop(0)

    async def send(message):
        sent.append(message)

    headers = [(b"authorization", f"Bearer {TOKEN}".encode())]
    scope = {"type": "http", "method": "POST", "path": "/api/crisis", "query_string": b"", "headers": headers}
    await route.app(scope, receive, send)
    assert sent[0]["status"] == 400
    assert own["crise"].status() is None


async def test_what_does_not_fit_the_stage_is_a_conflict(own):
    async with browser(crisis_routes(own, TOKEN)) as web:
        for path in PATHS[1:]:
            answer = await web.post(path, json={"person": "Léo"} if path.endswith(("join", "leave")) else {})
            assert answer.status_code == 409
            assert "telemon crisis start" in answer.json()["error"]
        assert (await web.post("/api/crisis/join", json={})).status_code == 409
        assert (await web.put("/api/crisis")).status_code == 405


async def test_a_ledger_that_is_away_is_said(own, engine):
    gone = CrisisDesk(
        engine, "prefecture", "crise", call_sites=("prefecture",), rules=own["crise"].rules, clock=lambda: 0
    )
    with engine.connect() as connection:
        connection.exec_driver_sql("DROP TABLE crisis_members")
        connection.exec_driver_sql("DROP TABLE crises")
    async with browser(crisis_routes({"crise": gone}, TOKEN)) as web:
        answers = [await web.get("/api/crisis"), await web.post("/api/crisis")]
    for answer in answers:
        assert answer.status_code == 503
        assert "no such table" in answer.json()["error"]
