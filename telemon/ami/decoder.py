"""Messages → events, reading only the headers that are needed.

Asterisk writes the headers of an event always in the same order, so most events of a name have the same shape: the same
lines, with other values. A shape is learnt once, as a regular expression that takes the needed values and insists on
all the rest; an event of another shape is searched header by header, three times as slowly, and teaches its own.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from telemon.ami.events import SPECS
from telemon.ami.wire import decode_text
from telemon.instants import parse_stamp

if TYPE_CHECKING:
    from collections.abc import Callable

    from telemon.ami.wire import Message
    from telemon.instants import Instant

_NUMBERS: Final = frozenset({"ChannelState", "Cause", "HoldTime", "TalkTime", "Status", "Uptime"})
_MAX_DIGITS: Final = 9  # no state, cause or number of seconds is longer; a forged one may be
# Where a caller's own words can stand; everything else is Asterisk's or its administrator's.
_FROM_OUTSIDE: Final = frozenset({
    "CallerIDNum", "Channel", "DestChannel", "DialString", "Exten", "Extension", "RetrieverChannel",
})  # fmt: skip
_SINGLE: Final = "Uniqueid"  # says whose event it is, so it must not come twice
# Events that carry a Timestamp whenever ``timestampevents = yes``; enough to notice that it is not set.
_STAMPED: Final = frozenset({"Newchannel", "Newstate", "Hangup", "DialBegin", "QueueCallerJoin"})
_MAX_SHAPES: Final = 8  # of one event; forged lines must not make us learn for ever
_LINE_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9-]*")


class _Form(NamedTuple):
    """How to make one event: its headers, and the places among its values of those that are not plain text."""

    make: type[tuple[Any, ...]]
    headers: tuple[str, ...]
    numbers: tuple[int, ...]
    outside: tuple[int, ...]


class _Shape(NamedTuple):
    """The usual lines of one event.

    Its first two groups are the two halves of ``Timestamp``, the others the headers; ``order`` says which group is
    which value, or is None where they simply follow each other.
    """

    match: Callable[[str], re.Match[str] | None]
    order: tuple[int, ...] | None


def _number(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) <= _MAX_DIGITS else 0


def _printable(text: str) -> str:
    """Replace control characters that a hostile caller sent: they have no business in a log, a label or a page."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)


def _form(make: type[tuple[Any, ...]], headers: tuple[str, ...]) -> _Form:
    places = list(enumerate(headers, start=1))
    return _Form(
        make,
        headers,
        numbers=tuple(place for place, header in places if header in _NUMBERS),
        outside=tuple(place for place, header in places if header in _FROM_OUTSIDE),
    )


_FORMS: Final = {name: _form(make, headers) for name, (make, headers) in SPECS.items()}


def _nothing_learnt() -> dict[str, tuple[_Form, list[_Shape]]]:
    return {name: (form, []) for name, form in _FORMS.items()}


_new: Final = tuple.__new__  # what the NamedTuples' own constructors do, without their detour


class Decoder:
    """Make events of messages, and count what an operator should hear of.

    ``unstamped`` counts events without ``Timestamp`` (and without being a list item, which never has one),
    ``ambiguous`` those dropped because a header that must be single came twice: a forged name or number may have
    brought a second ``Uniqueid``, and neither can be believed.
    """

    def __init__(self) -> None:
        self.unstamped = 0
        self.ambiguous = 0
        self.clock: Instant | None = None  # the newest Timestamp seen
        self.stamped = True  # whether the last event that should carry a Timestamp did
        self._known = _nothing_learnt()

    def __getstate__(self) -> dict[str, Any]:
        """Return what a checkpoint keeps: everything but the shapes, which are soon learnt again."""
        return {name: value for name, value in self.__dict__.items() if name != "_known"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take up what a checkpoint kept."""
        self.__dict__.update(state)
        self._known = _nothing_learnt()

    def decode(self, message: Message, received_at: Instant) -> Any:
        """Return the event, or None for one that telemon does not use.

        Args:
            message: an event from ``wire.Parser``.
            received_at: the instant to give it if it carries none.
        """
        name = message.name
        known = self._known.get(name)
        if known is None:
            return None
        form, shapes = known
        text = decode_text(message.raw)
        for match, order in shapes:
            found = match(text)
            if found is None:
                continue
            groups = found.groups()
            self.clock = at = int(groups[0] + groups[1])
            self.stamped = True
            if order is None and not form.numbers:
                return _new(form.make, (at, *groups[2:]))
            values: list[Any] = [at, *groups[2:]] if order is None else [at, *(groups[place] for place in order)]
            for place in form.numbers:
                values[place] = int(values[place] or 0)
            return _new(form.make, values)
        return self._search(name, form, shapes, text, received_at)

    def _search(self, name: str, form: _Form, shapes: list[_Shape], text: str, received_at: Instant) -> Any:
        """Make the event header by header, the first of several of a name; and learn its shape."""
        lines = text.split("\r\n")
        places: dict[str, int] = {}
        for number, line in enumerate(lines):
            header, separator, _ = line.partition(": ")
            if header == _SINGLE and separator and header in places and header in form.headers:
                self.ambiguous += 1
                return None
            if separator:
                places.setdefault(header, number)
        if "Timestamp" in places and len(shapes) < _MAX_SHAPES:
            shape = _shape(form, lines, places)
            if shape.match(text) is not None:
                shapes.append(shape)

        def value(header: str) -> str:
            number = places.get(header)
            return "" if number is None else lines[number][len(header) + 2 :].partition("\r")[0]

        values: list[Any] = [self._instant(value("Timestamp"), name, received_at), *map(value, form.headers)]
        for place in form.numbers:
            values[place] = _number(values[place])
        for place in form.outside:
            values[place] = _printable(values[place])
        return form.make(*values)

    def _instant(self, stamp: str, name: str, received_at: Instant) -> Instant:
        at = parse_stamp(stamp)
        if at is not None:
            self.clock = at
            self.stamped = True
            return at
        if name in _STAMPED:
            self.unstamped += 1
            self.clock, self.stamped = None, False
        # A list item never has a time of its own: the newest one known is Asterisk's "now".
        return received_at if self.clock is None else self.clock


def _shape(form: _Form, lines: list[str], places: dict[str, int]) -> _Shape:
    """Return the shape of these lines; a header that is missing is an empty group at the end."""
    taken = {places[header]: header for header in form.headers if header in places}
    patterns = [
        _pattern(line, taken.get(number, ""), number == places["Timestamp"]) for number, line in enumerate(lines)
    ]
    missing = [header for header in form.headers if header not in places]
    match = re.compile("\r\n".join(patterns) + "()" * len(missing)).fullmatch
    grouped = [header for _, header in sorted(taken.items())] + missing
    in_order = grouped == list(form.headers)
    order = None if in_order else tuple(2 + grouped.index(header) for header in form.headers)
    return _Shape(match, order)


def _pattern(line: str, header: str, is_stamp: bool) -> str:  # noqa: FBT001 - private
    """Return what a line must look like, with a group for what is needed of it."""
    if is_stamp:
        return r"Timestamp: ([0-9]{10})\.([0-9]{6})"
    if header in _NUMBERS:
        return f"{header}: ([0-9]{{1,{_MAX_DIGITS}}})"
    if header in _FROM_OUTSIDE:
        return f"{header}: ([ -~]*)"  # anything else is looked at more closely
    if header:
        return f"{re.escape(header)}: ([^\r]*)"
    # Of ``ChanVariable(PJSIP/op1-0000002a): x=y`` only the first word stays the same.
    name = _LINE_NAME.match(line)
    return f"{name[0]}[^\r]*" if name is not None else "[^\r]*"
