"""One call, told from tapes: events with their instants, with this call's own names and numbers in every place."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING

from simulators.ami.tape import TapedEvent
from telemon.instants import SECOND

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from simulators.ami.tape import Line, Tape
    from telemon.instants import Duration, Instant

    Values = dict[str, object]
    _Row = tuple[Duration, Line, "_Scene", int]

_CALLER = 0
# Until the switchboard says otherwise.
_ALONE = {"Position": "1", "OriginalPosition": "1", "Count": "1"}


@dataclass(slots=True)
class Numbers:
    """What Asterisk counts since it started, for uniqueids and for names of channels and bridges; one for all calls."""

    uniqueids: Iterator[int] = field(default_factory=count)
    channels: Iterator[int] = field(default_factory=count)
    bridges: Iterator[int] = field(default_factory=count)


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who calls, what was dialled, and when."""

    number: str
    ddi: str
    arrives_at: Instant
    name: str = "<unknown>"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A tape, and how this call plays it.

    Attributes:
        at: when it begins, since the call's arrival.
        moved: when bursts begin, by their number, since the call's arrival; the others keep their distance from the
            burst before them.
        cast: who plays each phone of the tape: one, several (each rings alike), or nobody (it does not ring).
        only: the one phone of the tape whose own legs are told; empty for everything.
    """

    tape: Tape
    at: Duration
    moved: Mapping[int, Duration] = field(default_factory=dict)
    cast: Mapping[str, Sequence[str]] = field(default_factory=dict)
    only: str = ""


def tell(
    caller: Caller,
    parts: Sequence[Part],
    numbers: Numbers,
    *,
    members: Mapping[str, str],
    extensions: Mapping[str, str],
) -> Iterator[tuple[Instant, TapedEvent]]:
    """Tell one call, part after part, in order of time.

    Args:
        caller: who calls.
        parts: the opening first; a part with ``only`` goes on beside the part before it.
        numbers: the switchboard's counters; they move on while the call is told.
        members: name of each phone as a queue's member.
        extensions: number of each phone that operators transfer to.
    """
    return _Telling(caller, numbers, members, extensions).tell(parts)


class _Telling:
    """What the whole call knows: the caller's places, and when it joined, was connected, was answered."""

    def __init__(
        self, caller: Caller, numbers: Numbers, members: Mapping[str, str], extensions: Mapping[str, str]
    ) -> None:
        self.numbers = numbers
        self.members = members
        self.extensions = extensions
        self.places: Values = {"caller": caller.number, "caller_name": caller.name, "ddi": caller.ddi, **_ALONE}
        self.marks: dict[str, Instant] = {}
        self._arrives_at = caller.arrives_at

    def tell(self, parts: Sequence[Part]) -> Iterator[tuple[Instant, TapedEvent]]:
        for at, line, scene, nth in self._script(parts):
            now = self._arrives_at + at
            yield now, TapedEvent(line, self._counted(line, scene.places_for(line, nth, now), now))

    def _script(self, parts: Sequence[Part]) -> list[_Row]:
        """Lay the parts one behind the other; nobody rings before what comes first has been told to its end."""
        script: list[_Row] = []
        planned, began, over = -1, 0, 0
        for part in parts:
            is_beside = bool(part.only) and part.at == planned
            at = max(part.at, began if is_beside else over)
            if not is_beside:
                planned, began = part.at, at
            rows = list(_Scene(self, part).script(at))
            over = max([over, *(row[0] for row in rows[-1:])])
            script += rows
        script.sort(key=lambda row: row[0])
        return script

    def _counted(self, line: Line, places: Values, now: Instant) -> Values:
        if line.counts:
            places = dict(places)
            for counted in line.counts:
                until = self.marks.get(counted.until, now)
                seconds = until // SECOND - self.marks.get(counted.since, until) // SECOND
                places[counted.place] = counted.unit * seconds
        if line.mark:
            self.marks[line.mark] = now
        return places


class _Scene:
    """One part while it is told: who plays whom, and the names of the legs that it creates."""

    def __init__(self, telling: _Telling, part: Part) -> None:
        self._telling = telling
        self._part = part
        self._places: Values = {}
        self._alike: dict[tuple[str, int], Values] = {}
        self._locals: dict[str, int] = {}

    def script(self, begins: Duration) -> Iterator[_Row]:
        """Yield what is to be told from then on: when, what, and for which of several phones that ring alike."""
        cast, only = self._part.cast, self._part.only
        for at, line in _timed(self._part, begins):
            if not only or line.phone == only:
                for nth in range(len(cast.get(line.phone, ("",)))):
                    yield at, line, self, nth

    def places_for(self, line: Line, nth: int, now: Instant) -> Values:
        """Return what stands in the places of one line, after naming the leg that is new with it."""
        if not self._places:
            self._places = {**self._telling.places, **self._names()}
        places = self._places
        if nth:
            role = line.phone
            places = self._alike.setdefault((role, nth), {**places, **self._name(role, self._part.cast[role][nth])})
        if line.creates is not None:
            self._create(line.creates, places, now)
        return places

    def _names(self) -> Values:
        bridges = range(self._part.tape.bridges)
        named: Values = {
            f"b{n}": f"00000000-0000-4000-8000-{next(self._telling.numbers.bridges):012x}" for n in bridges
        }
        for role in self._part.tape.phones:
            named |= self._name(role, next(iter(self._part.cast.get(role, ())), role))
        return named

    def _name(self, role: str, phone: str) -> Values:
        telling = self._telling
        return {
            f"r_{role}": phone,
            f"m_{role}": telling.members.get(phone, phone),
            f"x_{role}": telling.extensions.get(phone, phone),
        }

    def _create(self, leg: int, places: Values, now: Instant) -> None:
        numbers = self._telling.numbers
        fixed, half = self._part.tape.legs[leg]
        # Both halves of a Local channel have one number.
        serial = self._locals.pop(fixed, None) if half else None
        if serial is None:
            serial = next(numbers.channels)
            self._locals[fixed] = serial
        uniqueid = f"{now // SECOND}.{next(numbers.uniqueids)}"
        new = {f"c{leg}": f"{fixed % places}-{serial:08x}{half}", f"u{leg}": uniqueid}
        places |= new
        if leg == _CALLER:
            self._telling.places |= new


def _timed(part: Part, begins: Duration) -> Iterator[tuple[Duration, Line]]:
    at = previous = begins
    for number, burst in enumerate(part.tape.bursts):
        distance = burst.at - (part.tape.bursts[number - 1].at if number else burst.at)
        at = max(part.moved.get(number, at + distance), previous)
        overtaken = any(at > moved for later, moved in part.moved.items() if later > number)
        if number and number not in part.moved and overtaken:
            continue  # what Asterisk would have done by itself, had the others not been quicker
        for line in burst.lines:
            previous = at + line.offset
            yield previous, line
