"""AMI on the wire, without any input or output: bytes in any slices become messages, actions become bytes.

Model of the format (Asterisk 16 and 22, ``main/manager.c``): after one banner line, messages are blocks of
``Name: value`` lines ended by CR LF and closed by an empty line. Two oddities are real: a ``TestEvent`` may be
followed by one empty line too many, and Asterisk before 14 answered ``Command`` with ``Response: Follows`` and free
text up to ``--END COMMAND--``.

The reader's speed lives here: an event whose name nobody wants is passed over without being copied or decoded.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from telemon.errors import AmiInjectionError, AmiProtocolError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

MAX_MESSAGE_BYTES: Final = 1 << 20
MAX_HEADERS: Final = 4096
_CHUNK: Final = 1 << 18
_MIN_FREE: Final = 1 << 15
_END: Final = b"\r\n\r\n"
_BANNER: Final = b"Asterisk Call Manager/"
_FOLLOWS: Final = b"Response: Follows\r\n"
_FOLLOWS_END: Final = b"--END COMMAND--\r\n\r\n"
_MAX_BANNER: Final = 256
_SHOWN: Final = 80
# Inside a capture, a banner may stand where the link was cut in mid-event; what follows it is always a message.
_TORN_BANNER: Final = re.compile(rb"Asterisk Call Manager/[^\r\n]{1,32}\r\n(?=Response: |Event: )")
_HEADER_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
_FORBIDDEN: Final = re.compile(r"[\r\n\x00]")


class Message(NamedTuple):
    """One AMI message.

    ``kind`` is ``banner``, ``response`` or ``event``; ``name`` the version, ``Success``/``Error``/…, or the event's
    name; ``raw`` the whole block without its closing empty line.
    """

    kind: str
    name: str
    raw: bytes

    def get(self, header: str) -> str:
        """Return the first value of a header, empty if there is none."""
        return next((value for name, value in self.headers() if name == header), "")

    def get_all(self, header: str) -> list[str]:
        """Return every value of a repeated header (``Output``, ``Variable``), in order."""
        return [value for name, value in self.headers() if name == header]

    def headers(self) -> list[tuple[str, str]]:
        """Return all headers as (name, value); a line without a colon has an empty value."""
        pairs = []
        for line in self.raw.split(b"\r\n"):
            name, _, value = line.partition(b":")
            pairs.append((decode_text(name), decode_text(value.removeprefix(b" "))))
        return pairs


def decode_text(raw: bytes) -> str:
    """Return UTF-8 text; a byte that is no UTF-8 stays visible as a hexadecimal escape instead of getting lost."""
    return raw.decode("utf-8", "backslashreplace")


def encode_action(action: str, headers: Iterable[tuple[str, str]] = (), *, action_id: str = "") -> bytes:
    """Return the bytes of one action.

    Raises:
        AmiInjectionError: a name is no header name, or a value holds CR, LF or NUL.
    """
    lines = [("Action", action), *((("ActionID", action_id),) if action_id else ()), *headers]
    for name, value in lines:
        if not _HEADER_NAME.fullmatch(name) or _FORBIDDEN.search(value):
            raise AmiInjectionError(
                f"refusing to send action {action!r}: header {name!r} would forge another line; remove CR, LF and NUL"
            )
    return "".join(f"{name}: {value}\r\n" for name, value in lines).encode() + b"\r\n"


class Parser:
    """Turn bytes into messages.

    Args:
        wanted: names of the events to return; None returns all.
        needles: for some wanted events, bytes that must occur in them (``VarSet`` of one variable only).
        capture: the bytes are a recording: it may begin anywhere, and banners may stand where a link was cut.
        max_message: longest message in bytes.
        max_headers: most lines in one message.

    ``skipped`` counts events passed over by name, ``malformed`` blocks that are neither event nor response.
    ``error`` is the protocol error that ended the stream, if one did: messages before it are still returned, and
    every later call raises it.
    """

    def __init__(
        self,
        wanted: frozenset[bytes] | None = None,
        needles: Mapping[bytes, bytes] | None = None,
        *,
        capture: bool = False,
        max_message: int = MAX_MESSAGE_BYTES,
        max_headers: int = MAX_HEADERS,
    ) -> None:
        self.skipped = 0
        self.malformed = 0
        self.error: AmiProtocolError | None = None
        self._wanted = wanted
        self._needles = dict(needles or {})
        self._capture = capture
        self._banner_due = not capture
        self._max_message = max_message
        self._max_headers = max_headers
        self._buffer = bytearray(_CHUNK)
        self._start = 0  # first byte not yet consumed
        self._end = 0  # first free byte
        self._scanned = 0  # no terminator begins before this
        self._offset = 0  # bytes of the stream before the buffer, to say where an error is

    def get_buffer(self) -> memoryview:
        """Return free space to receive into; follow with ``buffer_updated``."""
        if len(self._buffer) - self._end < _MIN_FREE:
            self._make_room()
        return memoryview(self._buffer)[self._end :]

    def buffer_updated(self, count: int) -> list[Message]:
        """Take note of ``count`` bytes received into ``get_buffer()`` and return the messages they complete.

        Raises:
            AmiProtocolError: the stream is no AMI, or a message is beyond a limit.
        """
        if self.error is not None:
            raise self.error
        self._end += count
        messages: list[Message] = []
        try:
            self._parse(messages)
        except AmiProtocolError as error:
            self.error = error
            if not messages:
                raise
        return messages

    def receive_data(self, data: bytes) -> list[Message]:
        """Return the messages completed by these bytes; same errors as ``buffer_updated``."""
        if self.error is not None:
            raise self.error
        messages: list[Message] = []
        while data and self.error is None:
            if len(self._buffer) - self._end < _MIN_FREE:
                self._make_room()
            count = min(len(self._buffer) - self._end, len(data))
            self._buffer[self._end : self._end + count] = data[:count]
            messages += self.buffer_updated(count)
            data = data[count:]
        return messages

    def _make_room(self) -> None:
        pending = self._end - self._start
        capacity = max(_CHUNK, 2 * (pending + _MIN_FREE))
        # A new buffer rather than a resized one: a memoryview of the old may still be held.
        buffer = bytearray(capacity)
        buffer[:pending] = self._buffer[self._start : self._end]
        self._offset += self._start
        self._scanned = max(0, self._scanned - self._start)
        self._buffer, self._start, self._end = buffer, 0, pending

    def _parse(self, messages: list[Message]) -> None:
        buffer, limit = self._buffer, self._end
        find = buffer.find
        while True:
            if not self._at_message(messages):
                return
            start = self._start
            end = find(_END, max(start, self._scanned), limit)
            if end < 0:
                self._scanned = max(start, limit - len(_END) + 1)
                self._check_length(limit - start - len(_END) + 1, start)
                return
            if self._capture and self._torn(start, end):
                continue
            if buffer.startswith(b"Event: ", start):
                self._event(start, end, messages)
                self._start = self._scanned = end + len(_END)
            elif not self._response(start, end, messages):
                return

    def _at_message(self, messages: list[Message]) -> bool:
        """Pass empty lines and banners; False when more bytes are needed to go on."""
        while self._buffer.startswith(b"\r\n", self._start, self._end):
            self._start += 2
        if self._scanned > self._start or not (self._banner_due or self._capture):
            return True  # looked at before, or no banner can stand here
        head = bytes(self._buffer[self._start : min(self._end, self._start + _MAX_BANNER)])
        if head.startswith(_BANNER):
            eol = head.find(b"\r\n")
            if eol < 0:
                self._check_banner(head)
                return False
            messages.append(Message("banner", decode_text(head[len(_BANNER) : eol]), head[:eol]))
            self._start += eol + 2
            self._scanned = self._start
            self._banner_due = False
            return self._at_message(messages)
        if self._banner_due and not _BANNER.startswith(head):
            self._check_banner(head + b"\r\n")
        return bool(head) and not _BANNER.startswith(head)

    def _check_banner(self, head: bytes) -> None:
        if b"\n" in head or len(head) >= _MAX_BANNER:
            raise AmiProtocolError(
                f"this is no Asterisk manager port: it begins with {head[:_SHOWN]!r}; check host and port ([general] "
                "port in manager.conf, 5038 by default)"
            )

    def _event(self, start: int, end: int, messages: list[Message]) -> None:
        buffer = self._buffer
        eol = buffer.find(b"\r", start + 7, end + 1)
        name = bytes(buffer[start + 7 : eol])
        if end - start > self._max_headers:  # a shorter message cannot have too many lines
            self._check_message(start, end)
        if self._wanted is not None:
            if name not in self._wanted:
                self.skipped += 1
                return
            needle = self._needles.get(name)
            if needle is not None and buffer.find(needle, eol, end + 2) < 0:
                self.skipped += 1
                return
        messages.append(Message("event", decode_text(name), bytes(buffer[start:end])))

    def _response(self, start: int, end: int, messages: list[Message]) -> bool:
        """Take a response (or pass a malformed block); False when its end has not arrived."""
        buffer = self._buffer
        if buffer.startswith(_FOLLOWS, start):
            closing = buffer.find(_FOLLOWS_END, start, self._end)
            if closing < 0:
                self._scanned = start
                self._check_length(self._end - start, start)
                return False
            end = closing + len(_FOLLOWS_END) - len(_END)
        self._check_message(start, end)
        if buffer.startswith(b"Response: ", start):
            eol = buffer.find(b"\r", start, end + 1)
            messages.append(Message("response", decode_text(bytes(buffer[start + 10 : eol])), bytes(buffer[start:end])))
        else:
            self.malformed += 1
        self._start = self._scanned = end + len(_END)
        return True

    def _torn(self, start: int, end: int) -> bool:
        """In a capture: drop a message cut by the end of its connection, and go on at the next banner."""
        if self._buffer.find(_BANNER, start, end) < 0:
            return False
        found = _TORN_BANNER.search(self._buffer, start, end + len(_END))
        if found is None:
            return False
        self.malformed += 1
        self._start = self._scanned = found.start()
        return True

    def _check_message(self, start: int, end: int) -> None:
        self._check_length(end - start, start)
        if self._buffer.count(b"\r\n", start, end) >= self._max_headers:
            self._fail(f"more than {self._max_headers} headers", start)

    def _check_length(self, length: int, start: int) -> None:
        if length > self._max_message:
            self._fail(f"longer than {self._max_message} bytes", start)

    def _fail(self, what: str, start: int) -> None:
        head = bytes(self._buffer[start : start + _SHOWN])
        raise AmiProtocolError(
            f"a message {what} at byte {self._offset + start} of the stream, beginning with {head!r}; this is no usual "
            "Asterisk: narrow the manager user's read classes or its eventfilter"
        )
