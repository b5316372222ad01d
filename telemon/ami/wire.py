"""AMI on the wire, without any input or output: bytes in any slices become messages, actions become bytes.

Model of the format (Asterisk 16 and 22, ``main/manager.c``): after one banner line, messages are blocks of
``Name: value`` lines ended by CR LF and closed by an empty line. Two oddities are real: a ``TestEvent`` may be
followed by one empty line too many, and Asterisk before 14 answered ``Command`` with ``Response: Follows`` and free
text up to ``--END COMMAND--``.

The reader's speed lives here: an event whose name nobody wants is passed over without being copied or decoded.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple, NoReturn

from telemon.errors import AmiInjectionError, AmiProtocolError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

MAX_MESSAGE_BYTES: Final = 1 << 20
MAX_HEADERS: Final = 4096
_CHUNK: Final = 1 << 18
_MIN_FREE: Final = 1 << 15
_STRETCH: Final = 1 << 15
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
    return "".join(f"{name}: {value}\r\n" for name, value in lines).encode("utf-8", "backslashreplace") + b"\r\n"


_new: Final = tuple.__new__


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
        self._names = None if wanted is None else {name: decode_text(name) for name in wanted}
        # The last line of a block comes here without its CR LF.
        self._needles = {name: (needle, needle.removesuffix(b"\r\n")) for name, needle in (needles or {}).items()}
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
        return self._delivered(self._received(count))

    def _received(self, count: int) -> list[Message]:
        self._end += count
        messages: list[Message] = []
        try:
            self._parse(messages)
        except AmiProtocolError as error:
            self.error = error
        return messages

    def _delivered(self, messages: list[Message]) -> list[Message]:
        if self.error is not None and not messages:
            raise self.error
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
            messages += self._received(count)
            data = data[count:]
        return self._delivered(messages)

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
            if end - start > self._max_message:
                self._check_length(end - start, start)
            if self._capture and self._torn(start, end):
                continue
            if buffer.startswith(b"Event: ", start):
                self._event(start, end, messages)
                self._start = self._scanned = end + len(_END)
                self._usual_events(messages)
            elif not self._response(start, end, messages):
                return

    def _usual_events(self, messages: list[Message]) -> None:
        """Take the run of plain events that begins here, as fast as Python can; stop at anything else.

        One split of what has arrived is quicker than a search for each end; of a bounded stretch, because whatever
        stands between the events makes it begin again.
        """
        start = self._start
        last = self._buffer.rfind(_END, start, min(self._end, start + _STRETCH))
        if last < 0:
            return
        while self._buffer.startswith(b"\r\n", last - 2) and last - 2 >= start:
            last -= 2  # empty lines too many: the message ends at the first
        stretch = bytes(memoryview(self._buffer)[start:last])
        blocks = stretch.split(_END)
        usual = min(self._max_headers, self._max_message)  # a shorter event is beyond no limit
        if max(map(len, blocks)) > usual or (self._capture and _BANNER in stretch):
            return
        names, needles = self._names, self._needles
        skipped = 0
        end = last + len(_END)
        for block in blocks:
            if block[:7] != b"Event: ":
                inner = block.removeprefix(b"\r\n")  # the empty line that a TestEvent leaves
                if inner[:7] != b"Event: ":
                    taken = blocks.index(block)
                    end = start + sum(map(len, blocks[:taken])) + taken * len(_END)
                    break
                block = inner  # noqa: PLW2901 - what is left of it
            eol = block.find(b"\r", 7)
            name = block[7:eol] if eol > 0 else block[7:]
            known = names.get(name) if names is not None else decode_text(name)
            if known is None:
                skipped += 1
                continue
            if name in needles:
                needle, tail = needles[name]
                if needle not in block and not block.endswith(tail):
                    skipped += 1
                    continue
            messages.append(_new(Message, ("event", known, block)))
        self.skipped += skipped
        self._start = self._scanned = end

    def _at_message(self, messages: list[Message]) -> bool:
        """Pass empty lines and banners; False when more bytes are needed to go on."""
        buffer = self._buffer
        while True:
            while buffer.startswith(b"\r\n", self._start, self._end):
                self._start += 2
            if self._scanned > self._start or not (self._banner_due or self._capture):
                return True  # looked at before, or no banner can stand here
            head = bytes(buffer[self._start : min(self._end, self._start + _MAX_BANNER)])
            if not head.startswith(_BANNER):
                return self._may_begin(head)
            eol = head.find(b"\n")
            if eol < 0 and len(head) < _MAX_BANNER:
                return False
            if eol < 0 or head[eol - 1 : eol] != b"\r":
                self._fail_banner(head)
            messages.append(Message("banner", decode_text(head[len(_BANNER) : eol - 1]), head[: eol - 1]))
            self._start += eol + 1
            self._scanned = self._start
            self._banner_due = False

    def _may_begin(self, head: bytes) -> bool:
        """Whether a message begins with these bytes; False when they are too few to tell."""
        if not head or head == b"\r" or _BANNER.startswith(head):
            return False
        if self._banner_due:
            self._fail_banner(head)
        return True

    def _fail_banner(self, head: bytes) -> NoReturn:
        raise AmiProtocolError(
            f"this is no Asterisk manager port: it begins with {head[:_SHOWN]!r}; check host and port ([general] "
            "port in manager.conf, 5038 by default)"
        )

    def _event(self, start: int, end: int, messages: list[Message]) -> None:
        buffer = self._buffer
        eol = buffer.find(b"\r", start + 7, end + 1)
        name = bytes(buffer[start + 7 : eol])
        if end - start > self._max_headers:  # a shorter message cannot have too many lines
            self._check_count(start, end)
        if self._wanted is not None:
            if name not in self._wanted:
                self.skipped += 1
                return
            if name in self._needles and buffer.find(self._needles[name][0], eol, end + 2) < 0:
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
                self._check_length(self._end - start - len(_END) + 1, start)
                return False
            end = closing + len(_FOLLOWS_END) - len(_END)
            self._check_length(end - start, start)
        self._check_count(start, end)
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

    def _check_count(self, start: int, end: int) -> None:
        if self._buffer.count(b"\r\n", start, end) >= self._max_headers:
            self._fail(f"more than {self._max_headers} headers", start)

    def _check_length(self, length: int, start: int) -> None:
        if length > self._max_message:
            self._fail(f"longer than {self._max_message} bytes", start)

    def _fail(self, what: str, start: int) -> None:
        head = bytes(self._buffer[start : min(start + _SHOWN, self._end)])
        raise AmiProtocolError(
            f"a message {what} at byte {self._offset + start} of the stream, beginning with {head!r}; this is no usual "
            "Asterisk: narrow the manager user's read classes or its eventfilter"
        )
