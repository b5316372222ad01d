"""The committed dashboards live: every query against a real Prometheus, every panel in Grafana's own components.

One stand for all tests (``proof_kit``); what is broken on purpose comes last.
"""

import asyncio
import json
import os
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from itertools import product
from typing import Any, NamedTuple

import pytest
import pytest_asyncio

from dashboards.source import palette
from tests.acceptance.commands import telemon_all
from tests.browser.grafana_kit import (
    ALL,
    BUILT,
    Shown,
    answer,
    artefacts,
    choices,
    dashboards,
    filled,
    of_several,
    queries,
    served,
    variables,
)
from tests.browser.proof_kit import SITES, WAIT_SECONDS, stand
from tests.browser.wallboard_kit import chromium

pytestmark = [
    pytest.mark.real("prometheus", "promtool", "chromium", "node"),
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.timeout(600),
]
FIRST, OTHER = SITES
FRENCH, ENGLISH = dashboards("fr"), dashboards("en")
BOTH = [("fr", slug) for slug in FRENCH] + [("en", slug) for slug in ENGLISH]
RULE_SETS = ("marianne", "qualipref", "services-publics-plus")
PERIODS = {"day": "%Y-%m-%d", "month": "%Y-%m", "year": "%Y"}


class Rightly(NamedTuple):
    """Panels (or annotations, by what they mark) that show nothing under some choices, and why that is right."""

    slug: str  # of the dashboard; empty: of each
    panels: set[int | str]
    chosen: Callable[[str, str], bool]  # site, service
    why: str


RIGHTLY_EMPTY = (
    Rightly("", {"crises"}, lambda site, _: site == OTHER, "its cell is not open"),
    Rightly(
        "crisis",
        {1, 3, 4, 6, 7},
        lambda site, service: site == OTHER or service not in {ALL, "crise"},
        "only one site's cell is open, and only a crisis line has one",
    ),
    Rightly("crisis", {5}, lambda site, _: site == OTHER, "its cell is not open"),
    Rightly("health", {6}, lambda site, _: site == FIRST, "it was never blind"),
    Rightly("health", {7}, lambda site, _: site == OTHER, "nothing is wrong with it"),
    Rightly("live", {11}, lambda site, service: (site, service) == (OTHER, "crise"), "this line lost no call"),
    Rightly(
        "permanence",
        {1, 2, 3, 4, 6, 8, 9, 10},
        lambda site, _: site == OTHER,
        "telemon keeps roster, cover and test calls of its own site",
    ),
    Rightly("permanence", {5}, lambda site, _: site == OTHER, "only one site's PBX has a night switch"),
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def here(tmp_path_factory):
    async with stand(tmp_path_factory.mktemp("stand")) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser():
    async with chromium() as one:
        yield one


@pytest.fixture(scope="module")
def address():
    if not (BUILT / "index.html").exists():
        missing = "the page with Grafana's libraries is not built: run scripts/browser-packages"
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(missing)
    with served() as one:
        yield one


# -- every query


async def ask_all(here, dashboard, chosen, known):
    """Return how many series each panel finds; a query that was asked before with the same words is not asked again."""
    found: Counter[int | str] = Counter()
    for panel, target in queries(dashboard):
        words = filled(target["expr"], chosen, of_several(dashboard)), bool(target.get("range"))
        if words not in known:
            known[words] = len(await answer(here, target, dashboard, chosen))
        found[panel["id"]] += known[words]
    return found


def may_be_empty(slug, panel, chosen):
    site, service = chosen["site"], chosen.get("service", ALL)
    return any(one.slug in {"", slug} and panel in one.panels and one.chosen(site, service) for one in RIGHTLY_EMPTY)


@pytest.mark.parametrize("slug", FRENCH)
async def test_every_query_answers_and_no_panel_is_empty_whatever_is_chosen(here, slug):
    known: dict[tuple[str, bool], int] = {}
    found = [(chosen, await ask_all(here, FRENCH[slug], chosen, known)) for chosen in await choices(here, FRENCH[slug])]
    assert len(found) >= 3
    empty = [(panel, chosen) for chosen, panels in found for panel, series in panels.items() if not series]
    right = [(panel, chosen) for chosen, panels in found for panel in panels if may_be_empty(slug, panel, chosen)]
    assert empty == right


async def test_both_languages_ask_the_same():
    assert FRENCH.keys() == ENGLISH.keys()
    for slug, french in FRENCH.items():
        asked, there = ([target["expr"] for _, target in queries(each)] for each in (french, ENGLISH[slug]))
        assert asked == there
        assert [variable["query"] for variable in variables(french)] == [
            variable["query"] for variable in variables(ENGLISH[slug])
        ]


async def test_all_is_everything():
    for dashboard in (*FRENCH.values(), *ENGLISH.values()):
        for variable in variables(dashboard):
            assert not variable["includeAll"] or variable["allValue"] == ".*", variable["name"]


# -- right numbers


async def by_labels(here, query, *labels):
    return {tuple(found[label] for label in labels): value for found, value in await here.prometheus.query(query)}


async def test_calls_are_counted_as_they_were(here):
    """The truth is what the simulator told, and the history that was written."""
    counted = await by_labels(here, "telemon_calls_total > 0", "site", "service", "outcome")
    assert counted == {(site, service, outcome.value): n for (site, service, outcome), n in here.calls.items()}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stats(here):
    """What ``telemon stats`` says, by (site, service, rule set, period); no call ends after it."""
    now = datetime.now(here.zone)
    wanted = list(product(SITES, RULE_SETS, PERIODS.items()))
    commands = [
        ("stats", "-p", now.strftime(form), "--site", site, "--rule-set", rules, "-f", "ndjson")
        for site, rules, (_, form) in wanted
    ]
    told: dict[tuple[str, ...], Any] = {}
    for (site, rules, (period, _)), (status, output, _) in zip(
        wanted, await telemon_all(*commands, cwd=here.folder), strict=True
    ):
        assert status == 0
        lines = [json.loads(line) for line in output.splitlines()]
        told |= {(site, line["service"], rules, period): line for line in lines if "service" in line}
    assert len(told) > 2 * len(wanted)
    return told


def figures_of(line):
    """Return what the metrics should be for one line of ``telemon stats``."""
    counts = {"answered": line["answered"], "lost": line["lost"]}
    counts |= {name: line["by_outcome"].get(name, 0) for name in ("short_abandoned", "unknown")}
    names = {"lost": "lost_rate", "answered": "answer_rate", "within_rings": "within_of_answered"}
    bounds = {"measured": "value", "lower": "lower", "upper": "upper"}
    rates = {
        (rate, bound): line[key][name]
        for rate, key in names.items()
        for bound, name in bounds.items()
        if line[key][name] is not None
    }
    return counts, rates


async def differences(here, stats):
    """Return where the metrics and the ledger, as the command line reads it, do not agree."""
    labels = ("site", "service", "rule_set", "period")
    calls = await by_labels(here, "telemon_period_calls", *labels, "result")
    rates = await by_labels(here, "telemon_period_rate", *labels, "rate", "bound")
    wrong = []
    for key, line in stats.items():
        counts, shares = figures_of(line)
        wrong += [
            (*key, name, calls.get((*key, name)), n) for name, n in counts.items() if calls.get((*key, name)) != n
        ]
        wrong += [
            (*key, *name, rates.get((*key, *name)), share)
            for name, share in shares.items()
            if rates.get((*key, *name)) != pytest.approx(share)
        ]
    return wrong


async def test_figures_are_the_ledgers(here, stats):
    """Of the day, the month and the year, under each rule set; those of a month are at most a minute old."""
    deadline = asyncio.get_running_loop().time() + WAIT_SECONDS
    while wrong := await differences(here, stats):
        assert asyncio.get_running_loop().time() < deadline, wrong[:10]
        await asyncio.sleep(2)


async def panel_value(here, dashboard, number, ref_ids, **chosen):
    """Return the only value that some queries of a panel find."""
    found = [
        value
        for panel, target in queries(dashboard)
        if panel["id"] == number and target["refId"] in ref_ids
        for _, value in await answer(here, target, dashboard, chosen)
    ]
    assert len(found) == 1, found
    return found[0]


@pytest.mark.parametrize(
    ("slug", "number", "period"), [("live", 5, "day"), ("promises", 1, "month"), ("promises", 11, "year")]
)
@pytest.mark.parametrize("service", [ALL, "standard"])
@pytest.mark.parametrize("site", [ALL, OTHER])
async def test_the_lost_rate_of_a_panel_is_the_ledgers(here, stats, slug, number, period, service, site):
    lines = [
        line
        for key, line in stats.items()
        if key[2:] == ("qualipref", period) and site in {ALL, key[0]} and service in {ALL, key[1]}
    ]
    lost, answered = (sum(line[name] for line in lines) for name in ("lost", "answered"))
    verdicts = ("kept", "broken", "undecided")
    shown = await panel_value(here, FRENCH[slug], number, verdicts, site=site, service=service, rule_set="qualipref")
    assert shown == pytest.approx(lost / (lost + answered))


@pytest.mark.parametrize(("period", "form"), PERIODS.items())
async def test_coverage_is_the_ledgers(here, period, form):
    lines = await here.lines("coverage", datetime.now(here.zone).strftime(form))
    whole = next(line for line in lines if (line["site"], line.get("span")) == (FIRST, "whole"))
    shown = await by_labels(here, f'telemon_coverage{{site="{FIRST}", period="{period}"}}', "bound")
    assert shown.keys() == {("lower",), ("upper",)}
    for (bound,), value in shown.items():
        assert value == pytest.approx(whole[bound], abs=0.005)  # time goes on between the two


# -- in a browser


@pytest.mark.parametrize(("language", "slug"), BOTH)
async def test_panels_show_something(here, browser, address, language, slug):
    dashboard = dashboards(language)[slug]
    shown = await Shown.open(browser, address, dashboard, here)
    await shown.full()
    await shown.shoot(artefacts() / f"{slug}-{language}.png")
    assert await shown.errors() == []
    assert await shown.empty() == set()
    assert shown.complaints == []
    for panel in dashboard["panels"]:
        assert panel["title"] in await shown.text(panel["id"])
    await shown.page.close()


async def test_another_site_rewrites_the_queries(here, browser, address):
    shown = await Shown.open(browser, address, FRENCH["live"], here)
    assert any('telemon_calls_waiting{site=~".*"' in query for query in shown.asked)
    assert "5 " in await shown.text(3)
    shown.asked.clear()
    await shown.choose("Site", OTHER)

    async def is_rewritten():
        return "1 " in await shown.text(3)

    await shown.until(is_rewritten)
    waiting = [query for query in shown.asked if "telemon_calls_waiting" in query]
    assert any(f'telemon_calls_waiting{{site=~"{OTHER}"' in query for query in waiting)
    await shown.page.close()


async def test_a_cut_link_turns_the_stat_to_its_alarm_colour_without_a_reload(here, browser, address):
    shown = await Shown.open(browser, address, FRENCH["live"], here, refresh="1s")
    await shown.page.evaluate("window.mark = 'not reloaded'")

    async def is_fine():
        return await shown.colors(1) == [palette.GOOD]

    async def is_alarmed():
        return await shown.colors(1) == [palette.BAD]

    assert await is_fine()
    await here.go_blind(OTHER)
    await shown.until(is_alarmed)
    await shown.shoot(artefacts() / "live-fr-blind.png")
    await here.see_again(OTHER)
    await shown.until(is_fine)
    assert await shown.page.evaluate("window.mark") == "not reloaded"
    assert shown.complaints == []
    await shown.page.close()
