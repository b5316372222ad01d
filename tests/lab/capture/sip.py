"""SIP messages as far as a small telephone needs them (RFC 3261, 7 and 8.2.6)."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass
class Message:
    start: str
    headers: list[tuple[str, str]]
    body: str

    @classmethod
    def parse(cls, data: bytes) -> Message:
        head, _, body = data.decode("utf-8", "replace").partition("\r\n\r\n")
        start, *lines = head.split("\r\n")
        return cls(start, [(k.strip(), v.strip()) for k, _, v in (line.partition(":") for line in lines)], body)

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def get(self, name: str) -> str:
        return next(iter(self.all(name)), "")

    @property
    def code(self) -> int | None:
        return int(self.start.split()[1]) if self.start.startswith("SIP/") else None

    @property
    def method(self) -> str:
        return self.get("CSeq").split()[1]


def tag_of(header: str) -> str:
    found = re.search(r";tag=([^;>\s]+)", header)
    return found[1] if found else ""


def response_to(request: Message, code: int, to: str = "", body: str = "", contact: str = "") -> str:
    vias = "".join(f"Via: {via}\r\n" for via in request.all("Via"))
    more = f"Contact: {contact}\r\n" if contact else ""
    if body:
        more += "Content-Type: application/sdp\r\n"
    return (
        f"SIP/2.0 {code} Because\r\n{vias}From: {request.get('From')}\r\nTo: {to or request.get('To')}\r\n"
        f"Call-ID: {request.get('Call-ID')}\r\nCSeq: {request.get('CSeq')}\r\n{more}"
        f"Content-Length: {len(body)}\r\n\r\n{body}"
    )
