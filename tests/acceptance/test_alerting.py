"""From a telephone call to a notification: simulator → telemon → Prometheus → rule → Alertmanager → webhook, e-mail."""

import asyncio
import email
import email.policy
import time
from contextlib import asynccontextmanager

import pytest
from aiosmtpd.smtp import SMTP

from simulators.lab.ports import free_port
from tests.acceptance.commands import configure, running
from tests.acceptance.monitoring_kit import TOKENS, Inbox, alertmanager, prometheus, webhook
from tests.acceptance.shell import events_of, pbx, plan, split, tell

pytestmark = [pytest.mark.real("prometheus"), pytest.mark.real("alertmanager"), pytest.mark.timeout(60)]
HOSTILE = "<script>alert(1)</script>\"'&\r\nBcc: everybody@example.org\r\n\r\n<img src=x onerror=alert(2)>"


@asynccontextmanager
async def mail_server():
    """Listen as an SMTP server of one's own; yields its port and an inbox of (recipients, message)."""
    inbox = Inbox()

    class Taking:
        async def handle_DATA(self, _server, _session, envelope):  # noqa: N802 - aiosmtpd calls it by this name
            message = email.message_from_bytes(envelope.content, policy=email.policy.default)
            await inbox.add((envelope.rcpt_tos, message))
            return "250 OK"

    loop = asyncio.get_running_loop()
    async with await loop.create_server(lambda: SMTP(Taking(), hostname="localhost"), "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1], inbox


@asynccontextmanager
async def chain(folder, telemon_port, **receivers):
    """Run Alertmanager, and Prometheus that asks one telemon and alerts it."""
    async with (
        alertmanager(folder, **receivers) as manager,
        prometheus(folder, f"127.0.0.1:{telemon_port}", alertmanager=manager) as server,
    ):
        yield server, manager


async def test_a_caller_who_waits_too_long_and_a_cut_link_reach_the_webhook_and_resolve(tmp_path):
    port = free_port()
    waiting, end = split(events_of([plan(patience=600.0)], first_at=time.time() - 30), "DialState", last=False)
    async with (
        pbx() as switchboard,
        webhook() as (address, inbox),
        mail_server() as (smtp_port, _),
        chain(tmp_path, port, webhook=address, dead_man=address, smtp_port=smtp_port) as (server, _),
        running(configure(tmp_path, switchboard.port, web_port=port)),
    ):
        tell(switchboard, waiting)
        fired = (await inbox.until(lambda one: one.is_about("TelemonCallerWaiting", "firing")))[0]
        assert (fired.receiver, fired.token) == ("warning", TOKENS["webhook"])
        assert (fired.labels["site"], fired.labels["service"]) == ("site", "standard")
        assert "sonnerie" in fired.annotations["summary_fr"]
        switchboard.freeze()
        switchboard.cut()
        blind = (await inbox.until(lambda one: one.is_about("TelemonNotConnected", "firing")))[0]
        assert (blind.receiver, blind.labels["severity"], blind.labels["pbx"]) == ("critical", "critical", "pbx")
        switchboard.thaw()
        await inbox.until(lambda one: one.is_about("TelemonNotConnected", "resolved"))
        await server.until_alert("TelemonCallerWaiting")  # still there, and seen again
        tell(switchboard, [(time.time(), event) for _, event in end])
        await inbox.until(lambda one: one.is_about("TelemonCallerWaiting", "resolved"))
        await server.until(
            server.alerts, lambda alerts: {one["labels"]["alertname"] for one in alerts} == {"TelemonDeadMan"}
        )


async def test_an_e_mail_comes_in_french_or_english_and_hostile_text_stays_text(tmp_path):
    said = {
        f"{part}_{language}": f"{part} {language} {HOSTILE}"
        for part in ("summary", "description")
        for language in ("fr", "en")
    }
    labels = {"alertname": "TelemonX", "severity": "critical", "site": HOSTILE}
    async with mail_server() as (port, inbox), webhook() as (address, _):
        for english, word, over in ((False, "En cours", "Terminé"), (True, "Firing", "Over")):
            language = "en" if english else "fr"
            folder = tmp_path / language
            folder.mkdir()
            async with alertmanager(folder, webhook=address, smtp_port=port, english=english) as manager:
                await manager.post({"labels": labels, "annotations": said})
                ((to, message),) = await inbox.until(lambda one, word=word: word in html_of(one[1]))
                assert to == ["root@localhost"]
                assert "Bcc" not in message
                assert message["Subject"].startswith(f"[URGENT] summary {language} <script>alert(1)</script>")
                assert "<script" not in html_of(message)
                assert "<img" not in html_of(message)
                assert "&lt;script&gt;alert(1)" in html_of(message)
                assert f"description {language} <script>" in text_of(message)
                ended = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 1))
                began = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 60))
                await manager.post({"labels": labels, "annotations": said, "startsAt": began, "endsAt": ended})
                ((_, message),) = await inbox.until(lambda one, over=over: f"[{over}]" in one[1]["Subject"])
                assert "<script" not in html_of(message)


def html_of(message):
    return message.get_body("html").get_content()


def text_of(message):
    return message.get_body("plain").get_content()


async def test_the_dead_man_is_heard_again_and_again_by_nobody_else_and_until_prometheus_ends(tmp_path):
    async with (
        webhook() as (address, inbox),
        webhook() as (other, others),
        mail_server() as (smtp_port, mails),
        alertmanager(tmp_path, webhook=other, dead_man=address, smtp_port=smtp_port) as manager,
    ):
        async with prometheus(tmp_path, f"127.0.0.1:{free_port()}", alertmanager=manager):
            heard = await inbox.until(lambda one: one.is_about("TelemonDeadMan", "firing"), count=3)
            assert {(one.receiver, one.token) for one in heard} == {("dead-man", TOKENS["dead-man"])}
            await others.until(lambda one: one.is_about("TelemonDown", "firing"))  # nothing listens there
            await mails.until(lambda one: "URGENT" in one[1]["Subject"])
            assert {one.labels["alertname"] for one in inbox.all} == {"TelemonDeadMan"}
            assert "TelemonDeadMan" not in {one.labels["alertname"] for one in others.all}
        await manager.until(lambda: manager.get("/api/v2/alerts"), lambda alerts: alerts == [])


async def test_what_is_a_mere_consequence_is_kept_back(tmp_path):
    def alert(name, site="a", **labels):
        return {"alertname": f"Telemon{name}", "site": site, "severity": "warning", **labels}

    async with (
        webhook() as (address, inbox),
        mail_server() as (smtp_port, _),
        alertmanager(tmp_path, webhook=address, smtp_port=smtp_port) as manager,
    ):
        await manager.post(
            alert("NotConnected", pbx="one"),
            alert("CallerWaiting", needs="sight"),
            alert("CallerWaiting", site="b", needs="sight"),
            alert("LostBudgetFast", service="s"),
            alert("LostBudgetSlow", service="s"),
            alert("LostBudgetSlow", service="t"),
            {"alertname": "TelemonDown", "severity": "critical", "instance": "i:1"},
            {"alertname": "TelemonScrapeFailing", "severity": "warning", "instance": "i:1"},
            {"alertname": "TelemonScrapeFailing", "severity": "warning", "instance": "i:2"},
        )
        told = await inbox.until(lambda one: one.status == "firing", count=6)
        kept = [(one["alertname"], one.get("site") or one["instance"]) for one in await manager.suppressed()]
        assert sorted(kept) == [
            ("TelemonCallerWaiting", "a"),
            ("TelemonLostBudgetSlow", "a"),
            ("TelemonScrapeFailing", "i:1"),
        ]
        assert ("TelemonCallerWaiting", "b") in {(one.labels["alertname"], one.labels.get("site")) for one in told}
        assert "t" in {one.labels.get("service") for one in told}
