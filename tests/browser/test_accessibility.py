"""The wallboard for everybody (WCAG 2.2 AA): axe-core's judgement, and what it cannot judge."""

from itertools import pairwise
from pathlib import Path

import pytest

from tests.browser.wallboard_kit import PHONE, SCREEN, a_page, comes, staged
from tests.browser.wallboard_pictures import a_morning, breached, calm

AXE = Path(__file__).parent / "axe" / "node_modules" / "axe-core" / "axe.min.js"

pytestmark = pytest.mark.real("chromium", "axe")

_RUN = (
    "() => axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']})"
    ".then(({violations, passes}) => ({passed: passes.length, found: violations"
    ".filter(({impact}) => impact === 'serious' || impact === 'critical')"
    ".map(({id, nodes}) => [id, ...nodes.slice(0, 3).map((node) => node.html + ' ' + node.failureSummary)])}))"
)


async def judged(page):
    """Return what axe-core finds serious or critical, having made sure that it looked."""
    await page.evaluate(AXE.read_text(encoding="utf-8"))
    verdict = await page.evaluate(_RUN)
    assert verdict["passed"] > 10
    return verdict["found"]


async def shown(one, address):
    page = await one.open(address)
    await page.wait_for_selector("html[data-stream=live]", state="attached")
    await page.wait_for_selector("#curve canvas", state="attached")
    return page


@pytest.mark.parametrize("layout", [SCREEN, PHONE], ids=["screen", "phone"])
@pytest.mark.parametrize("lang", ["fr", "en"])
@pytest.mark.parametrize("situation", [calm, breached])
async def test_nothing_serious_on_the_wallboard(browser, situation, lang, layout):
    async with (
        staged(situation()) as (stage, address),
        a_page(browser, viewport=layout, reduced_motion="reduce") as one,
    ):
        stage.history = a_morning()
        page = await shown(one, f"{address}?lang={lang}")
        assert await judged(page) == []


@pytest.mark.parametrize("layout", [SCREEN, PHONE], ids=["screen", "phone"])
async def test_nothing_serious_when_nothing_is_heard(browser, layout):
    async with staged(breached()) as (stage, address), a_page(browser, viewport=layout, reduced_motion="reduce") as one:
        page = await shown(one, address)
        stage.cut()
        await page.wait_for_selector("html[data-stream=refused]", state="attached")
        assert await judged(page) == []


@pytest.mark.parametrize("lang", ["fr", "en"])
async def test_nothing_serious_at_the_door(browser, lang):
    async with staged(calm()) as (_, address), a_page(browser) as one:
        page = await one.open(address.replace("/wallboard", f"/sign-in?lang={lang}&problem=No."))
        assert await judged(page) == []


_FOCUSED = """() => {
  const node = document.activeElement, style = getComputedStyle(node), box = node.getBoundingClientRect();
  return [node.id || node.getAttribute("aria-label") || node.textContent.trim(),
          style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2, box.width >= 24 && box.height >= 24];
}"""


async def test_everything_that_can_be_pressed_is_reached_in_order_and_seen(browser):
    async with staged(calm()) as (stage, address), a_page(browser, viewport=PHONE) as one:
        stage.history = a_morning()
        page = await shown(one, address)
        walked = []
        for _ in range(8):
            await page.keyboard.press("Tab")
            walked.append(await page.evaluate(_FOCUSED))
        names = [name for name, _, _ in walked]
        assert names[:5] == ["Skip to the calls", "sound", "view", "Français", "Sign out (cdurand)"]
        assert names[5:] == ["The same as a table", "Called back: 06 39 98 12 34", "Called back: 06 39 98 77 01"]
        assert all(outlined and large for _, outlined, large in walked), walked
        await page.reload()
        await page.keyboard.press("Tab")
        await page.keyboard.press("Enter")
        assert await page.evaluate("document.activeElement.id") == "main"


async def test_headings_go_down_one_at_a_time(browser):
    async with staged(breached()) as (_, address), a_page(browser) as one:
        page = await shown(one, address)
        await page.wait_for_selector(".service")
        visible = "nodes => nodes.filter(node => node.checkVisibility()).map(node => Number(node.tagName[1]))"
        levels = await page.locator("h1, h2, h3, h4, h5, h6").evaluate_all(visible)
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels)), levels


async def test_what_scrolls_can_be_scrolled_with_the_keyboard(browser):
    low = {"width": 1920, "height": 900}
    async with staged(breached()) as (stage, address), a_page(browser, viewport=low) as one:
        stage.history = a_morning()
        page = await shown(one, address)
        await page.wait_for_selector(".service", state="attached")
        unreachable = (
            "[...document.querySelectorAll('main *')].filter((node) => node.scrollHeight > node.clientHeight + 1"
            " && ['auto', 'scroll'].includes(getComputedStyle(node).overflowY) && node.tabIndex < 0"
            " && node.checkVisibility()).length"
        )
        assert await page.locator("[data-scrolls][tabindex='0']").count() > 0
        assert await page.evaluate(unreachable) == 0


async def test_who_wants_no_motion_or_more_contrast_or_his_own_colours_gets_it(browser):
    async with staged(breached()) as (_, address), a_page(browser) as one:
        page = await shown(one, address)
        moves = "getComputedStyle(document.querySelector('.call')).animationName"
        ground = "getComputedStyle(document.body).backgroundColor"
        edge = "parseFloat(getComputedStyle(document.querySelector('.call[data-state=breach]')).borderTopWidth)"
        assert (await page.evaluate(moves), await page.evaluate(ground)) == ("appear", "rgb(12, 19, 26)")
        await page.emulate_media(reduced_motion="reduce", contrast="more")
        assert (await page.evaluate(moves), await page.evaluate(ground)) == ("none", "rgb(0, 0, 0)")
        await page.emulate_media(forced_colors="active")
        await comes(page, f"{edge} === 4")
        assert await page.locator(".call[data-state=breach] .call-state").first.inner_text() == "too late"
