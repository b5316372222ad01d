"""``telemon dashboards``: what it brings to a Grafana, what it leaves alone, and what it says when refused.

The Grafana is a stand-in that keeps to Grafana's documented HTTP API (grafana_stand_in.py says how far).
"""

import json
import time

import pytest
import trustme

from telemon.dashboards.differences import difference, normalised
from telemon.dashboards.shipped import boards_folder, read_boards
from telemon.duty_records import Crisis
from telemon.errors import DashboardError
from telemon.instants import SECOND
from telemon.ledger.store import open_ledger
from telemon.observation import GapCause, Interval, Sight
from tests.acceptance.commands import configure, telemon
from tests.acceptance.grafana_stand_in import ADMIN, EDITOR, VIEWER, grafana
from tests.ledger.kit import store

NOW = int(time.time()) * SECOND
HOUR = 3600 * SECOND
SLUGS = {"live", "promises", "permanence", "staffing", "crisis", "sites", "health"}


@pytest.fixture
async def server():
    async with grafana() as (held, url):
        yield held, url


async def push(url, cwd, *more, token=ADMIN, **environment):
    """Push, with the token in a file; it is never shown, whatever happens."""
    file = cwd / "grafana.token"
    file.write_text(f"{token}\n")
    answer = await telemon("dashboards", "push", "--url", url, "--token-file", file, *more, cwd=cwd, **environment)
    assert token not in answer[1] + answer[2]
    return answer


async def refused(url, cwd, *more, **options):
    """Push in vain; return what is said, on one line."""
    status, output, errors = await push(url, cwd, *more, **options)
    assert (status, output) == (1, "")
    assert errors.count("\n") == 1
    assert "Traceback" not in errors
    return errors


def test_every_dashboard_comes_in_both_languages():
    for language in ("fr", "en"):
        boards = read_boards([language])
        assert {board.slug for board in boards} == SLUGS
        assert [board.uid for board in boards] == [f"telemon-{board.slug}-{language}" for board in boards]


def test_a_folder_without_dashboards_is_named(tmp_path):
    (tmp_path / "fr").mkdir()
    with pytest.raises(DashboardError, match="no dashboards in"):
        read_boards(["fr"], tmp_path)
    (tmp_path / "fr" / "live.json").write_text("[]")
    with pytest.raises(DashboardError, match=r"live\.json is no Grafana dashboard"):
        read_boards(["fr"], tmp_path)


async def test_list_names_each(tmp_path):
    status, output, _ = await telemon("dashboards", "list", "--language", "en", cwd=tmp_path)
    assert status == 0
    assert all(f"telemon-{slug}-en" in output for slug in SLUGS)
    assert "-fr" not in output


async def test_push_brings_everything_and_a_second_push_changes_nothing(server, tmp_path):
    held, url = server
    status, output, errors = await push(url, tmp_path, "--prometheus", "http://prometheus:9090")
    assert (status, errors) == (0, "")
    assert "16 written." in output
    assert held.folders["telemon"]["title"] == "telemon"
    source = held.sources["telemon-prometheus"]
    assert (source["type"], source["url"], source["access"]) == ("prometheus", "http://prometheus:9090", "proxy")
    assert held.boards.keys() == {f"telemon-{slug}-{language}" for slug in SLUGS for language in ("fr", "en")}
    assert {board["meta"]["folderUid"] for board in held.boards.values()} == {"telemon"}
    shipped = json.loads((boards_folder() / "fr" / "live.json").read_text())
    assert normalised(held.boards["telemon-live-fr"]["dashboard"]) == normalised(shipped)

    held.writes.clear()
    status, output, _ = await push(url, tmp_path)  # the data source keeps its own address
    assert status == 0
    assert output.endswith("Nothing to do: Grafana has it all already.\n")
    assert held.writes == []


async def test_what_differs_is_shown_by_a_dry_run_and_written_by_a_push(server, tmp_path):
    held, url = server
    await push(url, tmp_path, "--language", "fr")
    board = held.boards["telemon-live-fr"]["dashboard"]
    wanted, number = board["panels"][0]["title"], board["panels"][0]["id"]
    board["panels"][0]["title"] = "Changed by hand"
    del board["panels"][-1]
    held.sources["telemon-prometheus"] |= {"access": "direct", "basicAuth": True}
    held.writes.clear()

    status, output, _ = await push(url, tmp_path, "--language", "fr", "--dry-run")
    assert status == 0
    assert f'-panels[id={number}].title = "Changed by hand"\n' in output
    assert f"+panels[id={number}].title = {json.dumps(wanted, ensure_ascii=False)}\n" in output
    assert '-access = "direct"\n+access = "proxy"\n' in output
    assert "2 to write; nothing was written" in output
    assert held.writes == []

    status, output, _ = await push(url, tmp_path, "--language", "fr")
    assert status == 0
    assert "2 written." in output
    assert [path for _, path in held.writes] == ["/api/datasources/uid/telemon-prometheus", "/api/dashboards/db"]
    assert held.sources["telemon-prometheus"]["basicAuth"] is True
    assert held.boards["telemon-live-fr"]["dashboard"]["panels"][0]["title"] == wanted
    assert held.boards["telemon-live-fr"]["dashboard"]["version"] == 2


async def test_a_dry_run_at_an_empty_grafana_writes_nothing(server, tmp_path):
    held, url = server
    status, output, _ = await push(url, tmp_path, "--dry-run")
    assert status == 0
    assert output.count(": new\n") == 16
    assert (held.writes, held.folders) == ([], {})


async def test_what_is_said_in_french(server, tmp_path):
    _, url = server
    await push(url, tmp_path, "--language", "fr")
    _, output, _ = await push(url, tmp_path, "--language", "fr", TELEMON_LOCALE="fr")
    assert "source de données telemon Prometheus : inchangé\n" in output
    assert output.endswith("Rien à faire : Grafana a déjà tout.\n")


async def test_a_sub_path_belongs_to_the_address(tmp_path):
    async with grafana(prefix="/standard/grafana") as (held, url):
        assert (await push(f"{url}/", tmp_path, "--language", "en"))[0] == 0
        assert len(held.boards) == 7
        assert "is not Grafana's API" in await refused(url.removesuffix("/grafana"), tmp_path)


async def test_the_folder_may_be_another(server, tmp_path):
    held, url = server
    held.folders["prefecture"] = {"id": 7, "uid": "prefecture", "title": "Préfecture", "version": 1}
    status, output, _ = await push(url, tmp_path, "--folder", "prefecture", "--language", "fr")
    assert status == 0
    assert "folder Préfecture: as it was\n" in output
    assert {board["meta"]["folderUid"] for board in held.boards.values()} == {"prefecture"}
    said = await refused(url, tmp_path, "--language", "fr")
    assert "lies in the folder 'Préfecture' (uid 'prefecture'), not in 'telemon'" in said


async def test_provisioned_things_are_left_alone(server, tmp_path):
    held, url = server
    await push(url, tmp_path, "--language", "en")
    held.writes.clear()
    board = held.boards["telemon-live-en"]["dashboard"]
    held.keep_board(board, "telemon", provisioned=True)
    assert "comes from files there (provisioning) and cannot be pushed" in await refused(url, tmp_path)
    held.keep_board(board, "telemon")
    held.sources["telemon-prometheus"]["readOnly"] = True
    assert (await push(url, tmp_path, "--language", "en"))[0] == 0  # it is as it should be
    said = await refused(url, tmp_path, "--language", "en", "--prometheus", "http://other:9090")
    assert "data source telemon-prometheus" in said
    assert held.writes == []


async def test_who_saves_meanwhile_is_not_overwritten(server, tmp_path):
    held, url = server
    await push(url, tmp_path, "--language", "en")
    stored = held.boards["telemon-crisis-en"]["dashboard"]
    stored["title"] = "By somebody else"
    held.restless.add("telemon-crisis-en")
    status, output, errors = await push(url, tmp_path, "--language", "en")
    assert (status, output) == (1, "")
    assert "was changed while telemon compared it" in errors
    assert held.boards["telemon-crisis-en"]["dashboard"]["title"] == "By somebody else"


# Refusals


async def test_a_wrong_token(server, tmp_path):
    _, url = server
    said = await refused(url, tmp_path, token="glsa_of_yesterday")
    assert "does not know the token (401 Invalid API key)" in said


async def test_a_token_without_rights(server, tmp_path):
    held, url = server
    assert "forbids the token to read or write the data source (403" in await refused(url, tmp_path, token=VIEWER)
    assert held.writes == []
    held.folders["telemon"] = {"id": 1, "uid": "telemon", "title": "telemon", "version": 1}
    assert "role Admin" in await refused(url, tmp_path, token=EDITOR)  # may not make the data source
    await push(url, tmp_path)
    assert (await push(url, tmp_path, "--language", "en", token=EDITOR))[0] == 0


async def test_nobody_there(tmp_path, unused_tcp_port):
    said = await refused(f"http://127.0.0.1:{unused_tcp_port}", tmp_path)
    assert "cannot be reached (Connection refused)" in said


async def test_another_server(tmp_path):
    async with grafana(prefix="/elsewhere") as (_, url):
        assert "is not Grafana's API" in await refused(url.removesuffix("/elsewhere"), tmp_path)


@pytest.mark.parametrize("url", ["grafana.example.org", "ftp://grafana", "http://", "http://a:b@grafana", "http://h:x"])
async def test_no_address(url, tmp_path):
    assert "is no address of a Grafana" in await refused(url, tmp_path)


async def test_tls_must_be_trusted(tmp_path):
    authority = trustme.CA()
    ca, key = tmp_path / "ca.pem", tmp_path / "server.pem"
    authority.cert_pem.write_to_path(str(ca))
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(key))
    async with grafana(ssl_certfile=str(key)) as (held, url):
        assert "no trusted TLS with Grafana" in await refused(url, tmp_path)
        assert (await push(url, tmp_path, "--language", "en", REQUESTS_CA_BUNDLE=str(ca)))[0] == 0
        assert len(held.boards) == 7
        assert "no trusted TLS" in await refused(f"{url}/", tmp_path)


async def test_the_token_comes_from_the_environment_too(server, tmp_path):
    _, url = server
    arguments = ("dashboards", "push", "--url", url, "--language", "en")
    status, _, errors = await telemon(*arguments, cwd=tmp_path)
    assert status == 1
    assert "TELEMON_GRAFANA_TOKEN" in errors
    assert (await telemon(*arguments, cwd=tmp_path, TELEMON_GRAFANA_TOKEN=ADMIN))[0] == 0


@pytest.mark.parametrize("token", ["", "two words", "glsa_é", "glsa_a\nglsa_b"])
async def test_a_file_without_a_token(token, server, tmp_path):
    _, url = server
    (tmp_path / "token").write_text(token)
    arguments = ("dashboards", "push", "--url", url, "--token-file", "token")
    status, _, errors = await telemon(*arguments, cwd=tmp_path)
    assert status == 1
    assert "holds no token of Grafana" in errors
    assert not token or token not in errors
    status, _, errors = await telemon(*arguments[:-1], "nowhere", cwd=tmp_path)
    assert (status, "--token-file nowhere: cannot be read" in errors) == (1, True)


# Annotations from the ledger


def interval(start, end, cause=None):
    sight = Sight.SEEN if cause is None else Sight.GAP
    return Interval("pbx", NOW - start, None if end is None else NOW - end, sight, cause)


def crisis(number, ordered, closed):
    at = NOW - ordered
    return Crisis(
        crisis_id=f"site:crise:{number}", site="site", service="crise", title="Usine", is_exercise=bool(number % 2),
        plan=3, deadline=HOUR, ordered_at=at, ordered_by="cdurand", closed_at=None if closed is None else NOW - closed,
    )  # fmt: skip


async def test_gaps_and_crises_become_annotations_once(server, tmp_path):
    held, url = server
    config = configure(tmp_path, 5038)
    engine = open_ledger(f"sqlite:///{tmp_path / 'telemon.db'}")
    store(
        engine,
        interval(9 * HOUR, 8 * HOUR),
        interval(8 * HOUR, 7 * HOUR, GapCause.LINK_CUT),
        interval(7 * HOUR, HOUR),
        interval(HOUR, HOUR - 30 * SECOND, GapCause.LINK_CUT),  # too short to tell
        interval(HOUR - 30 * SECOND, -HOUR),  # and on, however long the tests before this one took
        crisis(2, 5 * HOUR, 4 * HOUR),
        crisis(3, 2 * HOUR, None),
    )
    arguments = ("--config", config, "--language", "en")
    status, output, errors = await push(url, tmp_path, *arguments)
    assert (status, errors) == (0, "")
    assert "annotations: 3 new, 0 changed, 0 as they were\n" in output
    gap, over, under_way = sorted(held.annotations.values(), key=lambda one: one["time"])
    assert (gap["time"], gap["timeEnd"]) == ((NOW - 8 * HOUR) // 1000, (NOW - 7 * HOUR) // 1000)
    assert gap["tags"][:3] == ["telemon", "gap", "site:site"]
    assert gap["text"] == "pbx: not seen (connection to Asterisk cut)"
    assert over["text"] == "Crisis: Usine (crise)"
    assert over["tags"][:2] == ["telemon", "crisis"]
    assert over["timeEnd"] - over["time"] == HOUR // 1000
    assert under_way["text"] == "Exercise: Usine (crise)"
    assert under_way["timeEnd"] == under_way["time"]

    held.writes.clear()
    assert "Nothing to do" in (await push(url, tmp_path, *arguments))[1]
    assert held.writes == []

    under_way["timeEnd"] += 1000  # as it is when the crisis ends
    status, output, _ = await push(url, tmp_path, *arguments)
    assert "annotations: 0 new, 1 changed, 2 as they were\n" in output
    assert [method for method, _ in held.writes] == ["PUT"]
    assert len(held.annotations) == 3
    engine.dispose()


async def test_a_ledger_that_is_not_there_is_not_made(server, tmp_path):
    _, url = server
    assert "no such file" in await refused(url, tmp_path, "--config", configure(tmp_path, 5038))
    assert not (tmp_path / "telemon.db").exists()


# Differences


def test_a_new_panel_moves_no_other():
    before = {"panels": [{"id": 1, "title": "a"}, {"id": 2, "title": "b"}]}
    after = {"panels": [{"id": 3, "title": "c"}, {"id": 1, "title": "a"}, {"id": 2, "title": "b"}]}
    assert difference(before, after, title="x")[2:] == [
        "@@ -4,0 +5,2 @@", "+panels[id=3].id = 3", '+panels[id=3].title = "c"',
    ]  # fmt: skip


def test_nothing_is_no_difference():
    assert difference({"a": None, "b": [1, {"c": {}}]}, {"b": [1, {"c": {}}]}, title="x") == []
    assert difference({"b": [1]}, {"b": []}, title="x")[3:] == ["-b[0] = 1", "+b = []"]


def test_what_grafana_counts_itself_is_no_difference():
    assert normalised({"id": 4, "version": 9, "uid": "u", "panels": [{"id": 1}]}) == {"uid": "u", "panels": [{"id": 1}]}
