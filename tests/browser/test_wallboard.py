"""The wallboard in a browser, before telemon itself and a switchboard that is told in real time."""

import asyncio
import time

import pytest

from telemon.records import EndedBy, Outcome
from telemon.wallboard.passwords import hash_password
from tests.acceptance.shell import answered, lost, pbx, tell_day, until
from tests.browser.wallboard_kit import PHONE, SCREEN, a_page, comes, living, play, record_calls, recorded, staged
from tests.browser.wallboard_pictures import big, breached, call, calm

pytestmark = pytest.mark.real("chromium")

CYCLE = 3.0  # Japan's ring: 1 s and 2 s
CALLER = "0199000042"
NOTHING = "\N{EN DASH}"
HOSTILE = "<img src=x onerror=alert(document.domain)>"


async def live(page):
    await page.wait_for_selector("html[data-stream=live]", state="attached", timeout=10_000)
    return page


# A call


async def test_a_call_rings_counts_turns_late_at_the_fifth_and_leaves_on_answer(browser, tmp_path):
    async with pbx() as server, living(tmp_path, server.port, more='country = "JP"') as daemon, a_page(browser) as one:
        await record_calls(one.page)
        page = await live(await one.open(f"{daemon.address}/wallboard"))
        assert await page.locator("#calls-empty").is_visible()
        began = await play(server, answered(CALLER, answers_at=4 * CYCLE + 1.5, talk_seconds=30.0), until="BridgeEnter")
        await page.wait_for_selector("#calls .call", state="detached")
        seen = await recorded(page)
    rings = {ring: (at - began, state) for at, ring, state in reversed(seen) if state != "before" and ring}
    first, fifth, left = rings[1][0], rings[5][0], seen[-1][0] - began
    assert first < 1.0
    assert sorted(rings) == [1, 2, 3, 4, 5]
    assert [rings[ring][1] for ring in sorted(rings)] == ["ringing"] * 4 + ["breach"]
    assert all(abs(rings[ring][0] - (ring - 1) * CYCLE) < 0.5 for ring in (2, 3, 4, 5)), rings
    assert (seen[-1][1:], fifth < left) == ((None, "gone"), True)
    assert left - (4 * CYCLE + 1.5) < 1.0
    assert one.complaints == []


async def test_what_is_late_says_so_in_colour_sign_and_word(browser):
    now = time.time()
    picture = {**calm(), "calls": [call(1, now - 30), call(2, now - 1)]}
    async with staged(picture) as (_, address), a_page(browser) as one:
        page = await live(await one.open(address))
        late, early = page.locator(".call").nth(0), page.locator(".call").nth(1)
        assert "too late" in await late.inner_text()
        assert "too late" not in await early.inner_text()
        sign = ".call-state use"
        assert await late.locator(sign).get_attribute("href") == "#icon-warning"
        assert await early.locator(sign).get_attribute("href") == "#icon-bell"
        ground = "node => getComputedStyle(node).backgroundColor"
        assert await late.evaluate(ground) != await early.evaluate(ground)


async def test_the_day_in_the_browser_is_that_of_the_ledger(browser, tmp_path):
    async with pbx() as server, living(tmp_path, server.port) as daemon, a_page(browser) as one:
        page = await live(await one.open(f"{daemon.address}/wallboard"))
        assert NOTHING in await page.locator("#tile-lost [data-part=value]").inner_text()
        tell_day(server)  # three answered, two abandoned, one after 3 s only; one diverted, one unanswered
        await comes(page, "document.querySelectorAll('#losses .loss').length === 3")
        count = "document.querySelector('#tile-lost [data-part=count]').textContent"
        await comes(page, f"{count} === '3 of 6 calls'", 40)
        assert await page.locator("#tile-lost [data-part=value]").inner_text() == "50.0%"
        assert one.complaints == []


# What callers say of themselves


async def test_a_hostile_caller_stays_text(browser, tmp_path):
    hostile = lost(HOSTILE, Outcome.ABANDONED, 60.0, EndedBy.CALLER)
    async with pbx() as server, living(tmp_path, server.port) as daemon, a_page(browser) as one:
        page = await live(await one.open(f"{daemon.address}/wallboard"))
        alerts = []
        page.on("dialog", lambda dialog: alerts.append(dialog.message))
        await play(server, hostile, until="QueueCallerJoin")
        await page.wait_for_selector(".call")
        assert await page.locator(".call-caller").inner_text() == HOSTILE
        await page.reload()  # now it comes with the page, in its first picture
        await live(page)
        assert await page.locator(".call-caller").inner_text() == HOSTILE
        assert await page.locator("img").count() == 0
        assert (alerts, one.complaints) == ([], [])


async def test_numbers_are_nowhere_for_who_may_not_see_them(browser, tmp_path):
    secret = "a long enough password"
    users = "".join(
        f'[[user]]\nname = "{role}"\nrole = "{role}"\npassword = "{hash_password(secret)}"\n'
        for role in ("supervisor", "duty_officer", "auditor", "admin")
    )
    async with pbx() as server, living(tmp_path, server.port, open_as="", tables=users) as daemon:
        await play(server, lost(CALLER, Outcome.ABANDONED, 60.0, EndedBy.CALLER), until="QueueCallerJoin")
        for role in ("supervisor", "duty_officer", "auditor", "admin"):
            async with a_page(browser) as one:
                page = await one.open(f"{daemon.address}/wallboard")
                assert page.url.endswith("/sign-in")
                await page.get_by_label("User name").fill(role)
                await page.get_by_label("Password").fill(secret)
                await page.get_by_role("button", name="Sign in").click()
                await live(page)
                source = await (await page.request.get(f"{daemon.address}/wallboard")).text()
                assert (CALLER in source, CALLER in await page.content()) == ((role == "supervisor",) * 2)
                assert await page.locator("#panel-calls").is_visible() == (role != "auditor")
                assert await page.locator("#callbacks").is_visible() is False  # nobody is to be called back
                await page.get_by_role("button", name="Sign out").click()
                await page.wait_for_url("**/sign-in")
                assert one.complaints == []


async def test_the_policy_lets_nothing_inline_run(browser, tmp_path):
    async with pbx() as server, living(tmp_path, server.port) as daemon, a_page(browser) as one:
        answer = await one.page.goto(f"{daemon.address}/wallboard")
        policy = answer.headers["content-security-policy"]
        assert "unsafe" not in policy
        assert "script-src 'self';" in policy
        await live(one.page)
        assert one.complaints == []
        await one.page.evaluate(
            "document.body.append(Object.assign(document.createElement('script'), {textContent: 'window.ran = true'}))"
        )
        await until(lambda: one.complaints)
        assert await one.page.evaluate("window.ran") is None


# What is not live never looks live


async def test_a_dead_telemon_is_told_at_once_and_nothing_counts_on(browser, tmp_path):
    async with pbx() as server, living(tmp_path, server.port) as daemon, a_page(browser) as one:
        page = await live(await one.open(f"{daemon.address}/wallboard"))
        await play(server, lost(CALLER, Outcome.ABANDONED, 60.0, EndedBy.CALLER), until="QueueCallerJoin")
        await page.wait_for_selector(".call[data-ring='1']")
        daemon.process.kill()
        await page.wait_for_selector("html[data-stream=cut], html[data-stream=refused]", state="attached")
        assert "Not live" in await page.locator("#banner-stale").inner_text()
        waited = await page.locator(".call-waited").inner_text()
        age = page.locator("#stale-age")
        was = await age.inner_text()
        await comes(page, f"document.querySelector('#stale-age').textContent !== {was!r}")
        assert await page.locator(".call-waited").inner_text() == waited
        assert await page.locator("#time-stopped").is_visible()


async def test_a_stream_that_comes_back_is_live_again(browser):
    async with staged(calm()) as (stage, address), a_page(browser) as one:
        page = await live(await one.open(address))
        live_ground = await page.locator(".tile").first.evaluate("node => getComputedStyle(node).backgroundImage")
        stage.cut()
        await page.wait_for_selector("html[data-stream=refused]", state="attached")
        assert await page.locator("#sign-in-again").is_visible()
        assert (
            await page.locator(".tile").first.evaluate("node => getComputedStyle(node).backgroundImage") != live_ground
        )
        stage.silent = False
        await live(page)
        assert not await page.locator("#banner-stale").is_visible()


async def test_a_switchboard_out_of_sight_is_named_and_shows_no_figures(browser, tmp_path):
    async with pbx() as server, living(tmp_path, server.port) as daemon, a_page(browser) as one:
        page = await live(await one.open(f"{daemon.address}/wallboard"))
        server.freeze()
        await page.wait_for_selector(".banner[data-kind=blind]")
        assert "Not watching pbx (site)" in await page.locator(".banner[data-kind=blind]").inner_text()
        assert await page.locator("#tile-waiting [data-part=value]").inner_text() == NOTHING
        assert "not being watched" in await page.locator("#tile-longest").inner_text()


# Whom to call back


async def test_called_back_by_keyboard(browser):
    async with staged(calm()) as (stage, address), a_page(browser) as one:
        page = await live(await one.open(f"{address}?lang=fr"))
        first = page.get_by_role("button", name="Rappelé : 06 39 98 12 34")
        await first.focus()
        stage.status = 503
        await page.keyboard.press("Enter")
        await page.get_by_text("Cela n'a pas été noté").wait_for()
        assert await first.is_visible()
        stage.status = 204
        await page.keyboard.press("Enter")
        await first.wait_for(state="detached")
        assert stage.asked == [("b1", "a-token")] * 2
        focused = await page.evaluate("document.activeElement.getAttribute('aria-label')")
        assert focused == "Rappelé : 06 39 98 77 01"
        assert "06 39 98 12 34" in await page.locator("#announcements").inner_text()


# What is heard


async def test_breaches_are_announced_together_and_not_at_every_ring(browser):
    picture = {**calm(), "calls": []}
    async with staged(picture, cycle=0.2) as (stage, address), a_page(browser) as one:
        page = await live(await one.open(address))
        await page.evaluate(
            "window.said = []; new MutationObserver(() => said.push(announcements.textContent))"
            ".observe(announcements, {childList: true, characterData: true, subtree: true})"
        )
        for number in range(12):
            stage.change(calls={"set": [call(number, time.time())], "gone": []})
        await comes(page, "said.length > 0")
        stage.change(calls={"set": [call(99, time.time() - 5)], "gone": []})
        await page.wait_for_selector(".call[data-state=breach] >> nth=12")
        assert await page.evaluate("said") == ["12 callers have waited 5 rings."]


async def test_the_chime_is_off_until_asked_for_and_is_remembered(browser):
    async with staged(breached()) as (_, address), a_page(browser) as one:
        await one.page.add_init_script(
            "window.tones = 0; const start = OscillatorNode.prototype.start;"
            "OscillatorNode.prototype.start = function (...at) { tones += 1; return start.apply(this, at); };"
        )
        page = await live(await one.open(address))
        await page.wait_for_selector(".call[data-state=breach]")
        assert await page.evaluate("tones") == 0
        button = page.get_by_role("button", name="Chime")
        assert await button.get_attribute("aria-pressed") == "false"
        await button.focus()
        await page.keyboard.press("Space")
        await comes(page, "tones === 2")  # it shows how it sounds
        await page.reload()
        assert await button.get_attribute("aria-pressed") == "true"
        assert one.complaints == []


# Layouts


@pytest.mark.parametrize("width", [PHONE["width"], 320])  # 320: 1280 at 400 %
async def test_a_phone_never_scrolls_sideways(browser, width):
    async with staged(breached()) as (_, address), a_page(browser, viewport={**PHONE, "width": width}) as one:
        for lang in ("fr", "en"):
            page = await live(await one.open(f"{address}?lang={lang}"))
            await page.wait_for_selector(".service")
            assert await page.evaluate("document.documentElement.scrollWidth") <= width
            outside = (
                "nodes => nodes.filter(node => node.checkVisibility()"
                " && node.getBoundingClientRect().right > innerWidth + 1).length"
            )
            assert await page.locator("main *:not(.aside *):not(.aside)").evaluate_all(outside) == 0


async def test_a_wall_shows_all_of_it_at_once(browser):
    async with staged(calm()) as (_, address), a_page(browser, viewport=SCREEN) as one:
        page = await live(await one.open(address))
        height = "document.documentElement.scrollHeight"
        assert await page.evaluate(height) <= SCREEN["height"]
        figure = await page.locator("#tile-longest [data-part=value]").bounding_box()
        assert figure["height"] > SCREEN["height"] / 12  # 5.5 cm on a screen of 66 cm: read from 5 m
        await page.get_by_role("link", name="Phone layout").click()
        await live(page)
        assert await page.evaluate(height) > SCREEN["height"]


async def test_both_languages_and_the_time_of_the_site(browser):
    async with staged(calm()) as (_, address), a_page(browser, timezone_id="Asia/Tokyo") as one:
        page = await live(await one.open(address))
        assert await page.locator("#tile-within [data-part=value]").inner_text() == "93.6%"
        await page.get_by_role("link", name="Français").click()
        await live(page)
        assert await page.evaluate("document.documentElement.lang") == "fr"
        assert await page.locator("#tile-within [data-part=value]").inner_text() == "93,6\N{NO-BREAK SPACE}%"
        shown = await page.locator("#time").inner_text()
        in_paris = "new Date().toLocaleTimeString('fr-FR', {timeZone: 'Europe/Paris', hour: '2-digit'})"
        assert shown[:2] == (await page.evaluate(in_paris))[:2]


async def test_worst_services_come_first_and_only_what_changed_is_touched(browser):
    async with staged(big(20)) as (stage, address), a_page(browser) as one:
        page = await live(await one.open(address))
        await page.wait_for_selector(".site >> nth=19")
        await page.evaluate(
            "window.touched = new Set(); new MutationObserver(all => { for (const one of all) {"
            " const row = one.target.parentElement?.closest('.service'); row && touched.add(row); } })"
            ".observe(services, {childList: true, characterData: true, subtree: true, attributes: true})"
        )
        key = "Préfecture 013|titres"
        worse = next(one for one in stage.picture["services"] if one["key"] == key)
        await asyncio.sleep(5.1)  # places change every 5 s at most
        stage.change(services={"set": [{**worse, "breach": True, "waiting": 3}], "gone": []})
        await comes(page, "document.querySelector('.site-name').textContent === 'Préfecture 013'")
        assert "titres" in await page.locator(".service-name").first.inner_text()
        assert await page.evaluate("touched.size") == 1
