"""The link to one Asterisk: getting in, staying in, and what it says when it cannot."""

import asyncio
import logging
import re
import ssl
import time

import pytest
import trustme

from simulators.ami.access import User
from simulators.ami.event import Event
from telemon.ami import events as ami
from telemon.ami.entrance import tls_context
from telemon.ami.session import Session
from telemon.ami.wire import Parser
from telemon.errors import (
    AmiConnectionError,
    AmiLoginError,
    AmiPermissionError,
    AmiProtocolError,
    AmiSilenceError,
)
from telemon.instants import SECOND
from telemon.observation import GapCause, Sight
from telemon.records import EndedBy, Flag, Outcome
from telemon.services import Numbering
from telemon.texts import use
from telemon.tracker import Tracker
from tests.acceptance.shell import (
    ANSWERED,
    DAY,
    OUTCOMES,
    SECRET,
    STANDARD,
    Listener,
    events_of,
    lines,
    listening,
    pbx,
    plan,
    split,
    tell,
    tell_day,
    until,
)


@pytest.fixture(autouse=True)
def _english():
    use("en")


async def check(port, **peer):
    await Listener(port, **peer).link.check()


class RawServer:
    """A server that says these bytes to whoever connects, and keeps what it hears."""

    def __init__(self, says=b"", ssl_context=None):
        self.heard = bytearray()
        self.connections = 0
        self._says = says
        self._ssl = ssl_context

    async def _serve(self, reader, writer):
        self.connections += 1
        try:
            writer.write(self._says)
            while data := await reader.read(65536):
                self.heard += data
        except ConnectionError:
            pass
        finally:
            writer.close()

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._ssl)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_exc):
        self._server.close()
        await self._server.wait_closed()


def proxied(server, heard):
    """A relay to the simulator that keeps what the client sends."""

    async def relay(reader, writer):
        to_pbx, from_here = None, None
        from_pbx, to_pbx = await asyncio.open_connection("127.0.0.1", server.port)

        async def back():
            while data := await from_pbx.read(65536):
                writer.write(data)
            writer.close()

        from_here = asyncio.create_task(back())
        while data := await reader.read(65536):
            heard.extend(data)
            to_pbx.write(data)
        to_pbx.close()
        await from_here

    return relay


# Getting in


async def what_is_sent(**peer):
    heard = bytearray()
    async with pbx() as server:
        relay = await asyncio.start_server(proxied(server, heard), "127.0.0.1", 0)
        async with relay:
            await check(relay.sockets[0].getsockname()[1], **peer)
            await until(lambda: b"Logoff" in heard)
    return bytes(heard)


async def test_the_secret_never_travels_with_an_md5_login():
    sent = await what_is_sent()
    assert b"Action: Challenge" in sent
    assert re.search(rb"\r\nKey: [0-9a-f]{32}\r\n", sent)
    assert SECRET.encode() not in sent


async def test_a_plain_login_only_when_asked():
    sent = await what_is_sent(plain_login=True)
    assert b"Action: Challenge" not in sent
    assert f"Secret: {SECRET}\r\n".encode() in sent


async def test_a_wrong_secret_is_one_line_that_names_the_section():
    async with pbx() as server:
        with pytest.raises(AmiLoginError) as refused:
            await check(server.port, secret="wrong-secret-1")
    message = str(refused.value)
    assert "\n" not in message
    assert "manager.conf, [telemon]" in message
    assert "wrong-secret-1" not in message


async def test_while_refused_the_link_tries_on_and_the_gap_says_why(caplog):
    async with pbx() as server, listening(server.port, secret="wrong-secret-1") as listener:
        await until(lambda: len(lines(caplog)) >= 2)
        server.users["telemon"] = User("wrong-secret-1")  # corrected, and reloaded
        await listener.connected()
        intervals = listener.observer.watch.take_changed()
    assert [(interval.sight, interval.cause) for interval in intervals] == [
        (Sight.GAP, GapCause.LINK_REFUSED),
        (Sight.GAP, GapCause.LINK_REFUSED),
        (Sight.SEEN, None),
    ]
    first = lines(caplog)[0]
    assert first.startswith("pbx: not connected, trying again in 0.")
    assert "[telemon]" in first
    assert first.count("pbx:") == 1
    assert "wrong-secret-1" not in caplog.text
    assert listener.link.problem is None


async def test_nothing_listens():
    async with pbx() as server:
        port = server.port
    with pytest.raises(AmiConnectionError, match=rf"127\.0\.0\.1:{port} refuses the connection.*enabled = yes"):
        await check(port)


@pytest.mark.parametrize("host", ["does-not-exist.invalid", "x" * 70])
async def test_a_host_that_is_none(host):
    with pytest.raises(AmiConnectionError, match="cannot be reached"):
        await check(5038, host=host)


async def test_another_kind_of_server():
    async with RawServer(b"SSH-2.0-OpenSSH_9.6\r\n") as server:
        with pytest.raises(AmiProtocolError, match=r"no Asterisk manager port.*SSH-2\.0"):
            await check(server.port)


async def test_a_server_that_says_nothing():
    async with RawServer() as server:
        with pytest.raises(AmiConnectionError, match=r"said nothing for 0\.1 s.*5038"):
            await check(server.port, connect_seconds=0.1)
    assert server.heard == b""


async def test_a_server_that_falls_silent_in_the_middle_of_the_login(monkeypatch):
    monkeypatch.setattr(Session.ask, "__kwdefaults__", {"seconds": 0.2})
    async with RawServer(b"Asterisk Call Manager/11.0.0\r\n") as server:
        with pytest.raises(AmiSilenceError, match="no longer answers in the middle of the login"):
            await check(server.port)
    assert b"Action: Challenge" in server.heard


async def test_a_server_that_hangs_up_in_the_middle_of_the_login():
    async def hang_up(reader, writer):
        writer.write(b"Asterisk Call Manager/11.0.0\r\n")
        await reader.readuntil(b"\r\n\r\n")
        writer.transport.abort()

    async with await asyncio.start_server(hang_up, "127.0.0.1", 0) as server:
        with pytest.raises(AmiConnectionError):
            await check(server.sockets[0].getsockname()[1])


# TLS


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


def server_side(authority, name):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return context


@pytest.fixture
def authority_file(authority, tmp_path):
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(path)
    return str(path)


async def test_tls_with_an_authority_that_is_trusted(authority, authority_file):
    async with pbx(ssl_context=server_side(authority, "127.0.0.1")) as server:
        await check(server.port, tls=tls_context(authority=authority_file, verify=True))


async def test_tls_refuses_an_authority_that_nobody_named(authority):
    async with pbx(ssl_context=server_side(authority, "127.0.0.1")) as server:
        with pytest.raises(AmiConnectionError, match=r"no trusted TLS.*tls_ca"):
            await check(server.port, tls=tls_context(authority=None, verify=True))


async def test_tls_refuses_a_certificate_of_another_host(authority, authority_file):
    async with pbx(ssl_context=server_side(authority, "asterisk.example")) as server:
        with pytest.raises(AmiConnectionError, match=r"no trusted TLS.*the name in the certificate as host"):
            await check(server.port, tls=tls_context(authority=authority_file, verify=True))


async def test_tls_unverified_only_when_asked(authority):
    async with pbx(ssl_context=server_side(authority, "asterisk.example")) as server:
        await check(server.port, tls=tls_context(authority=None, verify=False))


async def test_tls_towards_a_port_without_it():
    async with pbx() as server:
        with pytest.raises(AmiConnectionError, match="no trusted TLS"):
            await check(server.port, tls=tls_context(authority=None, verify=True))


async def test_no_tls_towards_a_port_with_it(authority):
    async with pbx(ssl_context=server_side(authority, "127.0.0.1")) as server:
        with pytest.raises(AmiConnectionError, match="is TLS set as there"):
            await check(server.port, connect_seconds=0.2)


# Rights


async def test_a_missing_write_class_is_named():
    async with pbx(users={"telemon": User(SECRET, write="")}) as server:
        with pytest.raises(AmiPermissionError, match=r"CoreSettings.*manager\.conf, \[telemon\]: write = reporting"):
            await check(server.port)


async def test_the_documented_rights_are_enough():
    rights = User(SECRET, read="system,call,agent,dialplan", write="reporting")
    async with pbx(users={"telemon": rights}) as server, listening(server.port) as listener:
        await listener.connected()
        tell_day(server)
        calls = await listener.called(len(DAY))
    assert {call.caller: call.outcome for call in calls}[ANSWERED.caller] is Outcome.ANSWERED


async def test_without_the_class_system_there_is_no_boot_to_see():
    async with pbx(users={"telemon": User(SECRET, read="call,agent,dialplan")}) as server:
        with pytest.raises(AmiPermissionError, match=r"FullyBooted.*add system to read in manager\.conf, \[telemon\]"):
            await check(server.port, boot_seconds=0.2)


async def test_only_harmless_actions_leave_the_code():
    async with pbx() as server:
        loop = asyncio.get_running_loop()
        _, session = await loop.create_connection(
            lambda: Session(Parser(), lambda _events: None), "127.0.0.1", server.port
        )
        for action in ("Originate", "Command", "Redirect", "Hangup", "UpdateConfig", "originate", "login"):
            with pytest.raises(AmiPermissionError, match=action):
                session.send(action, (), "1")
            with pytest.raises(AmiPermissionError, match=action):
                await session.ask(action)
        assert (await session.ask("Ping")).name == "Error"  # reaches the server, which wants a login first
        await session.close()


async def test_the_secret_is_in_no_representation_and_no_log(caplog):
    caplog.set_level(logging.DEBUG)
    async with pbx() as server, listening(server.port) as listener:
        await listener.connected()
        shown = f"{listener.link!r} {listener.link.peer!r} {listener.link.peer} {vars(listener.link)!r}"
    assert "127.0.0.1" in shown
    assert SECRET not in shown + caplog.text


# What is heard


async def test_a_day_of_calls():
    async with pbx() as server, listening(server.port) as listener:
        await listener.connected()
        first_at = tell_day(server)
        calls = await listener.called(len(DAY))
    assert {value: sum(call.outcome == value for call in calls) for value in OUTCOMES} == OUTCOMES
    answered = next(call for call in calls if call.caller == ANSWERED.caller)
    assert abs(answered.arrived_at - first_at * SECOND) < 1000
    assert abs(answered.ring_duration - 6 * SECOND) < 50_000
    assert not any(call.flags for call in calls)
    assert listener.observer.failures == 0


async def test_without_timestamps_one_loud_line_and_flagged_calls(caplog):
    async with pbx(timestamps=False) as server, listening(server.port, ping_seconds=0.1) as listener:
        await listener.connected()
        for _, event in events_of([ANSWERED], first_at=time.time()):
            server.emit(event)
        (call,) = await listener.called(1)
        assert "timestampevents = yes" in listener.link.problem
    assert Flag.NO_TIMESTAMPS in call.flags
    assert [line for line in lines(caplog) if "timestampevents = yes" in line] == [listener.link.problem]
    assert listener.observer.decoder.stamped is False


async def test_without_timestamps_a_ping_sets_no_clock():
    """Pong has a Timestamp of its own, which grows old until the next one: no event may be given it."""
    async with pbx(timestamps=False) as server, listening(server.port, ping_seconds=0.3) as listener:
        await listener.connected()
        talk, rest = split(events_of([ANSWERED], first_at=time.time()), "AgentConnect")
        for _, event in talk:
            server.emit(event)
        await until(lambda: listener.open_calls)
        heard = listener.link.observer.decoder
        asked = asyncio.get_running_loop().time()
        await until(lambda: asyncio.get_running_loop().time() > asked + 0.5)  # a ping and its answer lie between
        assert heard.clock is None
        before = time.time_ns() // 1000
        for _, event in rest:
            server.emit(event)
        (call,) = await listener.called(1)
    assert call.answered_at >= before


def renamed(events, name):
    """Let the caller of the first event have this name."""
    (at, event), *rest = events
    headers = tuple((header, name if header == "CallerIDName" else value) for header, value in event.headers)
    return [(at, Event(event.name, headers)), *rest]


async def test_a_name_and_number_that_look_like_headers_are_only_that(caplog):
    hostile = plan("Event: Shutdown", answers_at=6.0, talk_seconds=1.0)
    async with pbx() as server, listening(server.port) as listener:
        await listener.connected()
        tell(server, renamed(events_of([hostile], first_at=time.time() - 60), "Uniqueid: 1.1 Event: Shutdown"))
        (call,) = await listener.called(1)
    assert (call.caller, call.outcome) == ("Event: Shutdown", Outcome.ANSWERED)
    assert lines(caplog) == []


async def test_a_name_that_ends_its_message_and_begins_another_changes_no_other_call(caplog):
    """Asterisk lets no CR LF through; were it to, a whole forged event must stay without consequence."""
    forged = "x\r\n\r\nEvent: Hangup\r\nUniqueid: 1.1\r\nCause: 16\r\n\r\nEvent: Hangup\r\nUniqueid: 1.1"
    async with pbx() as server, listening(server.port) as listener:
        await listener.connected()
        tell(server, renamed(events_of([plan(answers_at=6.0)], first_at=time.time() - 60), forged))
        tell_day(server, [plan("0199000010", answers_at=6.0)])
        (call,) = await listener.called(1)
        assert (listener.link.connected, listener.link.connects) == (True, 1)
    assert (call.caller, call.outcome) == ("0199000010", Outcome.ANSWERED)
    assert listener.observer.failures == 0
    assert any("second Uniqueid" in line for line in lines(caplog))


async def test_a_forged_second_uniqueid_is_dropped_and_said(caplog):
    async with pbx() as server, listening(server.port) as listener:
        await listener.connected()
        (at, hangup), *_ = [told for told in events_of([ANSWERED], first_at=time.time()) if told[1].name == "Hangup"]
        forged = Event("Hangup", (("Uniqueid", "9.9"), *hangup.headers))
        server.emit(forged, at)
        await until(lambda: listener.observer.decoder.ambiguous == 1)
        await until(lambda: any("second Uniqueid" in line for line in lines(caplog)))
        assert listener.link.connected


class Stumbling(Tracker):
    """A tracker with a mistake of its own: it cannot bear a channel that is renamed."""

    def feed(self, event):
        if isinstance(event, ami.Rename):
            raise KeyError(event.new_name)
        return super().feed(event)


async def test_a_mistake_of_ours_with_one_event_does_not_end_the_link(caplog):
    tracker = Stumbling("site", Numbering(services=(STANDARD,)))
    async with pbx() as server, listening(server.port, tracker=tracker) as listener:
        await listener.connected()
        rename = Event("Rename", (("Channel", "PJSIP/a-1"), ("Newname", "PJSIP/b-2"), ("Uniqueid", "1.1")))
        server.emit(rename)
        tell_day(server)
        await listener.called(len(DAY))
        assert listener.link.connected
    assert listener.link.connects == 1
    assert listener.observer.failures == 1
    assert [line for line in lines(caplog) if "KeyError" in line and "telemon_event_errors_total" in line]


async def test_a_flood_is_read_to_the_last_event():
    async with pbx(writetimeout=30.0) as server, listening(server.port, ping_seconds=0.5) as listener:
        await listener.connected()
        before = listener.observer.events
        events = events_of([ANSWERED] * 300, first_at=time.time() - 600, apart=0.1)
        for place in range(0, len(events), 200):
            tell(server, events[place : place + 200])
            await asyncio.sleep(0)
        calls = await listener.called(300)
        assert listener.link.connects == 1
    assert {call.outcome for call in calls} == {Outcome.ANSWERED}
    assert len({call.call_id for call in calls}) == 300
    assert listener.observer.events - before > 300 * 20


async def test_a_message_without_end_ends_the_connection_not_telemon(caplog):
    endless = b"Asterisk Call Manager/11.0.0\r\nEvent: " + b"x" * (2 << 20)
    async with RawServer(endless) as server, listening(server.port):
        await until(lambda: server.connections >= 2)
    assert "longer than 1048576 bytes" in lines(caplog)[0]


# Falling out, and coming back


async def test_a_cut_in_mid_call_is_a_gap_and_the_call_is_measured_on():
    async with pbx() as server, listening(server.port) as listener:
        await listener.connected()
        talk, rest = split(events_of([ANSWERED], first_at=time.time() - 10), "BridgeEnter")
        tell(server, talk)
        await until(lambda: any(call.answered_at for call in listener.open_calls))
        server.cut()
        await until(lambda: not listener.link.connected)
        await listener.connected(2)
        assert len(listener.open_calls) == 1
        tell(server, rest)
        (call,) = await listener.called(1)
        intervals = listener.observer.watch.take_changed()
    assert (call.outcome, call.flags) == (Outcome.ANSWERED, (Flag.SEEN_THROUGH_GAP,))
    assert abs(call.ring_duration - 6 * SECOND) < 50_000
    assert abs(call.talk_duration - 7 * SECOND) < 50_000
    ended = [interval for interval in intervals if interval.ended_at is not None]
    assert [(interval.sight, interval.cause) for interval in ended] == [
        (Sight.GAP, GapCause.TELEMON_STOPPED),
        (Sight.SEEN, None),
        (Sight.GAP, GapCause.LINK_CUT),
    ]
    assert 0 < ended[2].ended_at - ended[2].started_at < 2 * SECOND
    assert listener.observer.watch.current.sight is Sight.SEEN


async def test_a_call_that_ends_during_a_cut_is_unknown():
    async with pbx() as server, listening(server.port) as listener:
        await listener.connected()
        ringing, rest = split(events_of([ANSWERED], first_at=time.time() - 10), "DialState")
        tell(server, ringing)
        await until(lambda: listener.open_calls)
        server.cut()
        tell(server, rest)
        (call,) = await listener.called(1)
    assert (call.outcome, call.ended_at, call.flags) == (Outcome.UNKNOWN, None, (Flag.ENDED_IN_GAP,))


async def test_a_call_that_came_during_a_cut_is_found():
    async with pbx() as server, listening(server.port) as listener:
        await listener.connected()
        server.cut()
        await until(lambda: not listener.link.connected)
        ringing, rest = split(events_of([ANSWERED], first_at=time.time() - 3), "DialState")
        tell(server, ringing)
        await listener.connected(2)
        tell(server, rest)
        (call,) = await listener.called(1)
    assert call.outcome is Outcome.ANSWERED
    assert Flag.ARRIVED_IN_GAP in call.flags


async def test_the_pauses_between_tries_grow(caplog):
    async with pbx() as server:
        port = server.port
    async with listening(port):
        await until(lambda: len(lines(caplog)) >= 3)
    pauses = [float(line.partition("again in ")[2].partition(" s")[0]) for line in lines(caplog)[:3]]
    expected = ((0.2, 0.5), (0.5, 1.0), (1.0, 2.0))
    assert all(least <= pause <= most for pause, (least, most) in zip(pauses, expected, strict=True))


async def test_a_frozen_asterisk_is_noticed_within_two_pings_and_the_gap_begins_at_its_last_sign_of_life(caplog):
    ping = 0.3
    async with pbx() as server, listening(server.port, ping_seconds=ping, connect_seconds=0.3) as listener:
        await listener.connected()
        tell(server, split(events_of([ANSWERED], first_at=time.time() - 10), "BridgeEnter")[0])
        await until(lambda: any(call.answered_at for call in listener.open_calls))
        frozen = time.time()
        server.freeze()
        await until(lambda: not listener.link.connected)
        noticed = time.time() - frozen
        gap = listener.observer.watch.current
        assert gap.cause is GapCause.PBX_FROZEN
        assert -ping < gap.started_at / SECOND - frozen < 0.05
        assert noticed < 2 * ping + 0.2
        assert any("no answer to Ping for 0.6 s" in line for line in lines(caplog))
        server.thaw()
        await listener.connected(2)
        assert len(listener.open_calls) == 1


async def test_a_restart_closes_the_calls_in_progress(caplog):
    async with pbx() as server, listening(server.port) as listener:
        await listener.connected()
        tell(server, split(events_of([ANSWERED], first_at=time.time() - 10), "BridgeEnter")[0])
        tell(server, split(events_of([plan("0199000009")], first_at=time.time() - 9), "DialState")[0][:1])
        await until(lambda: any(call.answered_at for call in listener.open_calls))
        server.restart()
        calls = await listener.called(1)
        await listener.connected(2)
        assert listener.open_calls == []
        gaps = [one for one in listener.observer.watch.take_changed() if one.sight is Sight.GAP and one.ended_at]
    assert {call.caller: call.outcome for call in calls}[ANSWERED.caller] is Outcome.ANSWERED
    assert all((call.ended_by, call.flags) == (EndedBy.SWITCHBOARD, ()) for call in calls)  # it hangs up first
    assert gaps[-1].cause is GapCause.PBX_DOWN
    assert any("shutting down" in line for line in lines(caplog))
