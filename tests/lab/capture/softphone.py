"""A small SIP telephone whose every move a scenario decides, with the instants of what it sent and saw (RFC 3261).

SIPp plays fixed scripts; a capture also needs phones that transfer with Replaces (RFC 3891), pick up, hold, press keys
or stay dead, several of them in one story. UDP on the loopback loses nothing, so requests are not retransmitted.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import secrets
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from simulators.lab.ports import free_port
from tests.lab.capture.sip import Message, response_to, tag_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from telemon.instants import Instant

FRAME_SECONDS = 0.02
_ADDRESS = "127.0.0.1"


def now() -> Instant:
    return time.time_ns() // 1000


class Over(Exception):  # noqa: N818 - no error: the ordinary end of a leg
    """The other side ended the leg while the scenario was still waiting on it."""


@dataclass(eq=False)
class Leg:
    """One dialog of one phone; ``None`` where an instant has not come."""

    phone: Softphone
    call_id: str
    local: str
    remote: str
    target: str
    peer: str  # user part of the From of an incoming call, the number dialled of an outgoing one
    is_caller: bool
    invite: Message | None = None
    cseq: int = 1
    invite_at: Instant = 0
    ringing_at: Instant | None = None
    answered_at: Instant | None = None
    ended_at: Instant | None = None
    final: int = 0
    hung_up: bool = False  # this phone ended it
    cancelled: bool = False
    rtp: bool = False
    media_port: int = 0
    branch: str = ""
    answered: asyncio.Event = field(default_factory=asyncio.Event)
    over: asyncio.Event = field(default_factory=asyncio.Event)
    handed_on: asyncio.Event = field(default_factory=asyncio.Event)
    replies: dict[int, asyncio.Future[Message]] = field(default_factory=dict)
    media: asyncio.Task[None] | None = None

    # -- waiting

    async def stay(self, seconds: float) -> None:
        """Let time pass, as long as this person takes; Over if the other side ends the leg meanwhile."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.over.wait(), seconds * self.phone.pace)
            raise Over

    async def until_answered(self, patience: float = 60) -> None:
        waits = [asyncio.ensure_future(event.wait()) for event in (self.answered, self.over)]
        await asyncio.wait(waits, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()
        if not self.answered.is_set():
            raise Over

    # -- what a called phone does

    def ring(self) -> None:
        self.ringing_at = self._respond(180)
        self.phone.acted(self.ringing_at, "rings")

    def progress(self) -> None:
        self.phone.acted(self._respond(183, sdp=True), "plays early media")

    def answer(self) -> None:
        self.answered_at, self.final = self._respond(200, sdp=True), 200
        self.phone.acted(self.answered_at, "answers")
        self.answered.set()
        self._talk()

    def refuse(self, code: int, contact: str = "") -> None:
        self.final = code
        self._end(self._respond(code, contact=contact), hung_up=True)
        self.phone.acted(self.ended_at, f"refuses {code}")

    # -- what both sides do

    def bye(self) -> None:
        """Hang up: BYE, or CANCEL of a call not yet answered."""
        if self.answered.is_set():
            self._end(self._send_request("BYE")[1], hung_up=True)
        elif self.is_caller:
            self._end(self._send_request("CANCEL")[1], hung_up=True)
        self.phone.acted(self.ended_at, "hangs up")

    async def request(self, what: str, method: str, headers: str = "", body: str = "") -> int:
        number, at = self._send_request(method, headers, body)
        self.phone.acted(at, what)
        reply = await asyncio.wait_for(self.replies.setdefault(number, _future()), 10)
        return reply.code or 0

    async def hold(self) -> None:
        await self.request("holds", "INVITE", body=self._sdp("sendonly"))

    async def unhold(self) -> None:
        await self.request("resumes", "INVITE", body=self._sdp())

    async def press(self, keys: str, pause: float = 0.2) -> None:
        for key in keys:
            body = f"Signal={key}\r\nDuration=120\r\n"
            await self.request(f"presses {key}", "INFO", "Content-Type: application/dtmf-relay\r\n", body)
            await asyncio.sleep(pause)

    async def refer(self, exten: str, consultation: Leg | None = None) -> int:
        """Ask the switchboard to hand the other side on (RFC 3515), attended with a consultation (RFC 3891)."""
        uri = f"sip:{exten}@{_ADDRESS}:{self.phone.server_port}"
        if consultation is not None:
            tags = f"{tag_of(consultation.remote)}%3Bfrom-tag%3D{tag_of(consultation.local)}"
            uri += f"?Replaces={consultation.call_id.replace('@', '%40')}%3Bto-tag%3D{tags}"
        return await self.request(f"refers to {exten}", "REFER", f"Refer-To: <{uri}>\r\n")

    # -- messages

    def received(self, message: Message) -> None:
        if message.code is not None:
            self._on_response(message, message.code)
        elif message.method == "BYE":
            self.phone.send(response_to(message, 200))
            self._end(now(), hung_up=False)
        elif message.method == "CANCEL":
            self.phone.send(response_to(message, 200, self.local))
            if not self.answered.is_set() and not self.over.is_set():
                self.cancelled, self.final = True, 487
                self._respond(487)
                self._end(now(), hung_up=False)
        elif message.method == "INVITE":
            self.phone.send(response_to(message, 200, body=self._sdp(), contact=self.phone.contact))
        elif message.method != "ACK":
            if message.method == "NOTIFY" and "terminated" in message.get("Subscription-State"):
                self.handed_on.set()
            self.phone.send(response_to(message, 200))

    def _on_response(self, message: Message, code: int) -> None:
        number = int(message.get("CSeq").split()[0])
        if message.method == "INVITE" and number == 1:
            self._on_progress(message, code)
        elif code >= 200:
            if message.method == "INVITE":
                self._send_request("ACK", number=number)
            waiting = self.replies.setdefault(number, _future())
            if not waiting.done():
                waiting.set_result(message)

    def _on_progress(self, message: Message, code: int) -> None:
        if code >= 180 and tag_of(message.get("To")):
            self.remote = message.get("To")
        if code == 180 and self.ringing_at is None:
            self.ringing_at = now()
        if code < 200:
            return
        self.final = self.final or code
        if code < 300:
            if contact := re.search(r"<([^>]+)>", message.get("Contact")):
                self.target = contact[1]
            self._send_request("ACK", number=1)
            if not self.answered.is_set():
                self.answered_at, self.final = now(), code
                self.answered.set()
                self._leave_late() if self.over.is_set() else self._talk()
            return
        self._send_request("ACK", number=1, branch=self.branch)
        self._end(now(), hung_up=False)

    def _leave_late(self) -> None:
        """The answer crossed our CANCEL: hang up what we no longer want (RFC 3261, 9.1)."""
        self._send_request("BYE")

    def _end(self, at: Instant, *, hung_up: bool) -> None:
        if not self.over.is_set():
            self.ended_at, self.hung_up = at, hung_up
            self.over.set()
        if self.media is not None:
            self.media.cancel()

    def _respond(self, code: int, *, sdp: bool = False, contact: str = "") -> Instant:
        assert self.invite is not None
        body = self._sdp() if sdp else ""
        at = now()  # once it is sent, Asterisk may be quicker than we are to look at the clock
        self.phone.send(response_to(self.invite, code, self.local, body, contact or self.phone.contact))
        return at

    def _send_request(
        self, method: str, headers: str = "", body: str = "", *, number: int | None = None, branch: str = ""
    ) -> tuple[int, Instant]:
        if method == "CANCEL":
            number, branch = 1, self.branch
        elif number is None:
            number = self.cseq if method == "INVITE" and not self.invite_at else self.cseq + 1
            self.cseq = number
        branch = branch or f"z9hG4bK{secrets.token_hex(6)}"
        if method == "INVITE":
            self.branch = branch
            headers += f"Contact: {self.phone.contact}\r\nContent-Type: application/sdp\r\n"
        elif method == "REFER":
            headers += f"Contact: {self.phone.contact}\r\n"
        at = now()
        self.phone.send(
            f"{method} {self.target} SIP/2.0\r\nVia: SIP/2.0/UDP {_ADDRESS}:{self.phone.port};branch={branch}\r\n"
            f"Max-Forwards: 70\r\nFrom: {self.local}\r\nTo: {self.remote}\r\nCall-ID: {self.call_id}\r\n"
            f"CSeq: {number} {method}\r\n{headers}Content-Length: {len(body)}\r\n\r\n{body}"
        )
        return number, at

    # -- media

    def _sdp(self, direction: str = "sendrecv") -> str:
        if not self.media_port:
            self.media_port = free_port()
        return (
            f"v=0\r\no=- 1 {self.cseq} IN IP4 {_ADDRESS}\r\ns=-\r\nc=IN IP4 {_ADDRESS}\r\nt=0 0\r\n"
            f"m=audio {self.media_port} RTP/AVP 8\r\na=rtpmap:8 PCMA/8000\r\na={direction}\r\n"
        )

    def _talk(self) -> None:
        body = self.invite.body if self.invite is not None else self.phone.answers.pop(self.call_id, "")
        if self.rtp and (port := re.search(r"m=audio (\d+)", body)):
            self.media = asyncio.ensure_future(self._stream(int(port[1])))

    async def _stream(self, port: int) -> None:
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(
            asyncio.DatagramProtocol, local_addr=(_ADDRESS, self.media_port)
        )
        source = secrets.token_bytes(4)
        try:
            for frame in range(1 << 15):
                stamp = (frame * 160).to_bytes(4, "big")
                header = b"\x80\x08" + frame.to_bytes(2, "big") + stamp + source
                transport.sendto(header + b"\xd5" * 160, (_ADDRESS, port))
                await asyncio.sleep(FRAME_SECONDS)
        finally:
            transport.close()


class Softphone(asyncio.DatagramProtocol):
    """One telephone or one trunk's far end on a port of 127.0.0.1.

    ``on_call`` is what it does with each call that it takes; by default it stays dead: no answer to the INVITE.
    ``pace`` stretches every time that a person takes; ``acts`` is what people did, and when.
    A call from somebody who ``is_stale`` is one of an earlier story, sent again because nobody answered: it is refused.
    """

    def __init__(self, name: str, server_port: int, port: int) -> None:
        self.name = name
        self.server_port = server_port
        self.port = port
        self.contact = f"<sip:{name}@{_ADDRESS}:{port}>"
        self.rtp = False
        self.pace = 1.0
        self.acts: list[tuple[Instant, str]] = []
        self.on_call: Callable[[Leg], Awaitable[None]] | None = None
        self.is_stale: Callable[[str], bool] = lambda _: False
        self.legs: list[Leg] = []
        self.answers: dict[str, str] = {}
        self._replies: dict[str, asyncio.Future[Message]] = {}
        self._by_call_id: dict[str, Leg] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._transport: asyncio.DatagramTransport | None = None

    async def open(self) -> None:
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=(_ADDRESS, self.port))

    def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        for leg in self.legs:
            if leg.media is not None:
                leg.media.cancel()
        if self._transport is not None:
            self._transport.close()

    def dial(self, number: str, caller: str = "") -> Leg:
        user = caller or self.name
        leg = Leg(
            phone=self,
            call_id=f"{secrets.token_hex(8)}@lab",
            local=f"<sip:{user}@{_ADDRESS}:{self.port}>;tag={secrets.token_hex(4)}",
            remote=f"<sip:{number}@{_ADDRESS}:{self.server_port}>",
            target=f"sip:{number}@{_ADDRESS}:{self.server_port}",
            peer=number,
            is_caller=True,
            rtp=self.rtp,
        )
        self._add(leg)
        _, leg.invite_at = leg._send_request("INVITE", body=leg._sdp())
        self.acted(leg.invite_at, f"dials {number}")
        return leg

    async def register(self, seconds: int) -> None:
        """Tell the switchboard where this phone is for so long (RFC 3261, 10); for 0 seconds, that it is gone."""
        call_id = f"{secrets.token_hex(8)}@lab"
        user, server = f"<sip:{self.name}@{_ADDRESS}>", f"{_ADDRESS}:{self.server_port}"
        reply = self._replies[call_id] = _future()
        self.acted(now(), "registers" if seconds else "unregisters")
        self.send(
            f"REGISTER sip:{server} SIP/2.0\r\nVia: SIP/2.0/UDP {_ADDRESS}:{self.port};branch=z9hG4bK{call_id[:12]}\r\n"
            f"Max-Forwards: 70\r\nFrom: {user};tag={call_id[:8]}\r\nTo: {user}\r\nCall-ID: {call_id}\r\n"
            f"CSeq: 1 REGISTER\r\nContact: {self.contact}\r\nExpires: {seconds}\r\nContent-Length: 0\r\n\r\n"
        )
        code = (await asyncio.wait_for(reply, 5)).code
        assert code == 200, f"REGISTER of {self.name}: {code}"

    async def wait(self, seconds: float) -> None:
        """Let time pass, as long as this person takes."""
        await asyncio.sleep(seconds * self.pace)

    def acted(self, at: Instant | None, what: str) -> None:
        if at is not None:
            self.acts.append((at, f"{self.name} {what}"))

    def send(self, text: str) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.sendto(text.encode(), (_ADDRESS, self.server_port))

    def datagram_received(self, data: bytes, _: tuple[str, int]) -> None:
        message = Message.parse(data)
        if reply := self._replies.pop(message.get("Call-ID"), None):
            reply.set_result(message)
            return
        leg = self._by_call_id.get(message.get("Call-ID"))
        if message.code == 200 and message.body:
            self.answers[message.get("Call-ID")] = message.body
        if leg is not None:
            resent = leg.invite is not None and leg.invite.get("CSeq") == message.get("CSeq")
            if not resent or message.code is not None:
                leg.received(message)
        elif message.method == "INVITE":
            self._called(message)
        elif message.code is None and message.method != "ACK":
            self.send(response_to(message, 200 if message.method == "OPTIONS" else 481))

    def _called(self, invite: Message) -> None:
        peer = re.search(r"sip:([^@>]+)@", invite.get("From"))
        if peer and self.is_stale(peer[1]):
            self.send(response_to(invite, 480, f"{invite.get('To')};tag=stale"))
            return
        contact = re.search(r"<([^>]+)>", invite.get("Contact"))
        leg = Leg(
            phone=self,
            call_id=invite.get("Call-ID"),
            local=f"{invite.get('To')};tag={secrets.token_hex(4)}",
            remote=invite.get("From"),
            target=contact[1] if contact else "",
            peer=peer[1] if peer else "",
            is_caller=False,
            invite=invite,
            invite_at=now(),
            cseq=100,
            rtp=self.rtp,
        )
        self._add(leg)
        if self.on_call is not None:
            task = asyncio.ensure_future(self._behave(leg))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _behave(self, leg: Leg) -> None:
        assert self.on_call is not None
        with contextlib.suppress(Over):
            await self.on_call(leg)

    def _add(self, leg: Leg) -> None:
        self.legs.append(leg)
        self._by_call_id[leg.call_id] = leg


def _future() -> asyncio.Future[Message]:
    return asyncio.get_running_loop().create_future()
