"""From a planned call to the parts of tapes that tell it: which, when, and who plays whom."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Final

from simulators.ami.library import OPENING
from simulators.ami.telling import Part
from simulators.plan import Answers, Hold, PlannedAttempt, Transfer
from simulators.site import Pattern
from telemon.instants import from_seconds
from telemon.records import AttemptResult, EndedBy, Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from simulators.ami.library import Library
    from simulators.plan import Expected, PlannedCall
    from simulators.site import Line

# The instants that bursts move to, by the burst's number; -1 is the last one. Seconds since the arrival.
_MOVES: Final[Mapping[str, Mapping[int, str]]] = {
    "no_answer": {1: "over"},
    "moved": {1: "over"},
    "rejected": {1: "over"},
    "refused": {},
    "idle_moved": {0: "over"},
    "answered": {1: "answered", -1: "ended"},
    "answered_ended_by_operator": {1: "answered", -1: "ended"},
    "held": {1: "answered", 2: "held", 3: "resumed", -1: "ended"},
    "held_ended_by_operator": {1: "answered", 2: "held", 3: "resumed", -1: "ended"},
    "transferred": {1: "answered", 2: "referred", 3: "reached", -1: "ended"},
    "transferred_ended_by_service": {1: "answered", 2: "referred", 3: "reached", -1: "ended"},
    "transfer_unanswered": {1: "answered", 2: "referred", -1: "ended"},
    "transfer_left": {1: "answered", 2: "referred", -1: "ended"},
    "transfer_rejected": {1: "answered", 2: "referred", -1: "ended"},
    "transfer_refused": {1: "answered", 2: "referred"},
    "left": {1: "ended"},
    "idle_left": {0: "ended"},
    "ended": {1: "ended"},
    "idle_ended": {0: "ended"},
    "voicemail": {1: "over", -1: "ended"},
    "idle_voicemail": {0: "over", -1: "ended"},
    "all_reject": {-1: "ended"},
    "mobile_answered": {1: "picked_up", 2: "answered", -1: "ended"},
    "mobile_answered_ended_by_operator": {1: "picked_up", 2: "answered", -1: "ended"},
    "mobile_not_accepted": {1: "picked_up", -1: "ended"},
    "announced": {-1: "ended"},
    "announced_left": {-1: "ended"},
    "greeting_left": {-1: "ended"},
}
_CLOSED: Final = "closed"
_MOBILE: Final = "mobile_"
_SERVICE_PHONE: Final = "svc1"
_KEY_PRESSED_AFTER: Final = 2.5  # seconds from a mobile's answer to its key press, where the plan does not say
_SAME_INSTANT: Final = 0.001


@dataclass(frozen=True, slots=True)
class _Stage:
    """A queue or a Dial in which the caller waits: how its parts are named, who rings, and how and when it ends.

    ``ends_as`` is empty if somebody answers.
    """

    prefix: str
    suffix: str
    attempts: Sequence[PlannedAttempt]
    ends_as: str
    ends_at: float

    def is_ended_by(self, attempt: PlannedAttempt) -> bool:
        """Whether the phone rings until the stage is over."""
        return bool(self.ends_as) and abs(attempt.begins + attempt.lasts - self.ends_at) < _SAME_INSTANT


def cast(call: PlannedCall, line: Line, library: Library) -> list[Part]:
    """Put a call together.

    Args:
        call: what shall become of it; its expected course is what is told.
        line: the service that it calls.
        library: the tapes.

    Raises:
        TelemonError: no tape tells what is planned.
        ValueError: the plan does not say what is expected.
    """
    if call.expected is None:
        raise ValueError(f"call {call.name} has no expected course")
    return list(_Cast(call, call.expected, line, library).parts())


class _Cast:
    """One call while it is put together."""

    def __init__(self, call: PlannedCall, expected: Expected, line: Line, library: Library) -> None:
        self._call = call
        self._expected = expected
        self._line = line
        self._library = library
        self._rings_all = line.pattern in (Pattern.RING_ALL, Pattern.CRISIS)
        answered = expected.answered_after
        onward = [attempt for attempt in expected.attempts if answered is not None and attempt.begins >= answered]
        self._onward = onward[0] if onward else None
        self._waiting = [attempt for attempt in expected.attempts if attempt not in onward]

    def parts(self) -> Iterator[Part]:
        """Yield the parts in order."""
        alerted = self._expected.alerted_after
        if alerted is None and not self._waiting:
            yield self._never_waited()
            return
        opening = self._library.part(self._line.service, OPENING)
        last = len(opening.bursts) - 1
        yield Part(tape=opening, at=0, moved={last: from_seconds(alerted or 0.0)} if last else {})
        for stage in self._stages():
            yield from self._stage(stage)

    def _never_waited(self) -> Part:
        if self._expected.outcome is Outcome.CLOSED:
            return self._part("announced", 0.0, service=_CLOSED)
        if self._line.pattern is Pattern.MENU:
            return self._part("greeting_left", 0.0)
        return self._part("announced_left", 0.0, service=_CLOSED)

    # -- stages

    def _stages(self) -> Iterator[_Stage]:
        first = [attempt for attempt in self._waiting if self._is_first(attempt)]
        second = [attempt for attempt in self._waiting if not self._is_first(attempt)]
        begins = self._expected.alerted_after or 0.0
        if second or len(self._expected.queues) > 1:
            yield _Stage("", "", first, "moved", begins + self._line.queue_seconds)
            by_mobile = self._line.pattern is Pattern.PERMANENCE
            yield _Stage(_MOBILE if by_mobile else "", "" if by_mobile else "2", second, *self._end(mobile=by_mobile))
        else:
            yield _Stage("", "", first, *self._end(mobile=False))

    def _is_first(self, attempt: PlannedAttempt) -> bool:
        return attempt.queue == (self._line.queues[0] if self._line.queues else "")

    def _end(self, *, mobile: bool) -> tuple[str, float]:
        """How and when the last stage ends, if not by an answer."""
        expected = self._expected
        if expected.answered_after is not None:
            return "", expected.ended_after
        if self._line.pattern is Pattern.OVERFLOW and expected.machine_after is not None:
            return "voicemail", expected.machine_after
        if expected.ended_by is EndedBy.CALLER:
            return "left", expected.ended_after
        return "no_answer" if mobile else "ended", expected.ended_after

    def _stage(self, stage: _Stage) -> Iterator[Part]:
        over = not stage.ends_as
        for attempts in self._rounds(stage):
            yield from self._round(stage, attempts)
            over |= any(self._concludes(stage, attempt) for attempt in attempts)
        if not over:
            yield self._part(f"{stage.prefix}idle_{stage.ends_as}{stage.suffix}", stage.ends_at, over=stage.ends_at)

    def _concludes(self, stage: _Stage, attempt: PlannedAttempt) -> bool:
        """Whether nothing is left to tell of the stage once this phone has rung."""
        by_itself = attempt.result in (AttemptResult.CANCELLED, AttemptResult.NO_ANSWER) and stage.is_ended_by(attempt)
        no_queue = not attempt.queue and self._expected.ended_by is EndedBy.SWITCHBOARD
        return by_itself or no_queue

    # -- rounds

    def _rounds(self, stage: _Stage) -> Iterator[list[PlannedAttempt]]:
        if not self._rings_all:
            yield from ([attempt] for attempt in stage.attempts)
            return
        for _, together in groupby(stage.attempts, key=lambda attempt: attempt.begins):
            yield list(together)

    def _round(self, stage: _Stage, attempts: list[PlannedAttempt]) -> Iterator[Part]:
        """Tell one round: what its phones have in common, and beside it those that refuse where all ring at once."""
        beside = [attempt for attempt in attempts if self._rings_all and attempt.result is AttemptResult.BUSY]
        others = [attempt for attempt in attempts if attempt not in beside]
        if others:
            leader = next((attempt for attempt in others if attempt.result is AttemptResult.ANSWERED), others[0])
            name = f"{stage.prefix}{self._name(stage, leader)}{stage.suffix}"
            yield self._part(name, leader.begins, leader, others=[one for one in others if one is not leader])
        at_once = not any(attempt.lasts for attempt in attempts)  # then the caller's end comes behind, not beside
        refusals = [self._refusal_beside(attempt) for attempt in beside]
        if at_once:
            yield from refusals
        if not others and self._concludes(stage, attempts[0]):
            everybody = dict.fromkeys(self._line.operators, ())
            yield self._part("all_reject", attempts[0].begins, attempts[0], cast=everybody)
        if not at_once:
            yield from refusals

    def _name(self, stage: _Stage, attempt: PlannedAttempt) -> str:
        match attempt.result:
            case AttemptResult.ANSWERED:
                return self._fate()
            case AttemptResult.CANCELLED:
                return "left"
            case AttemptResult.BUSY:
                return "rejected" if attempt.lasts else "refused"
            case AttemptResult.NOT_ACCEPTED:
                return "not_accepted"
            case _:
                return stage.ends_as if stage.is_ended_by(attempt) else "no_answer"

    def _fate(self) -> str:
        by_switchboard = self._expected.ended_by is EndedBy.SWITCHBOARD
        if self._onward is not None:
            match self._onward.result:
                case AttemptResult.ANSWERED:
                    return "transferred_ended_by_service" if by_switchboard else "transferred"
                case AttemptResult.CANCELLED:
                    return "transfer_left"
                case AttemptResult.BUSY:
                    return "transfer_rejected" if self._onward.lasts else "transfer_refused"
                case _:
                    return "transfer_unanswered"
        if isinstance(self._call.afterwards, Hold):
            return "held_ended_by_operator" if by_switchboard else "held"
        return "answered_ended_by_operator" if by_switchboard else "answered"

    def _refusal_beside(self, attempt: PlannedAttempt) -> Part:
        """One phone of several refuses, while the others ring on."""
        second = self._line.operators[1]
        name = "one_rejects" if attempt.lasts else "one_refuses"
        moved = {1: from_seconds(attempt.begins + attempt.lasts)} if attempt.lasts else {}
        return Part(
            tape=self._library.part(self._line.service, name),
            at=from_seconds(attempt.begins),
            moved=moved,
            cast={second: (attempt.phone,)},
            only=second,
        )

    # -- parts

    def _part(
        self,
        name: str,
        begins: float,
        attempt: PlannedAttempt | None = None,
        *,
        others: Sequence[PlannedAttempt] = (),
        cast: Mapping[str, Sequence[str]] | None = None,
        over: float | None = None,
        service: str = "",
    ) -> Part:
        tape = self._library.part(service or self._line.service, name)
        instants = self._instants(attempt, over)
        moves = _MOVES[name if name in _MOVES else name.removeprefix(_MOBILE).removesuffix("2")]
        count = len(tape.bursts)
        return Part(
            tape=tape,
            at=from_seconds(begins),
            moved={number % count: from_seconds(instants[moment]) for number, moment in moves.items()},
            cast=self._roles(tape.phones, attempt, others) if cast is None else cast,
        )

    def _instants(self, attempt: PlannedAttempt | None, over: float | None) -> dict[str, float]:
        """Everything that a burst may move to, in seconds since the arrival."""
        expected, afterwards = self._expected, self._call.afterwards
        answered = expected.answered_after or 0.0
        instants = {"answered": answered, "ended": expected.ended_after, "over": over or 0.0}
        if attempt is not None:
            instants |= {"over": attempt.begins + attempt.lasts, "picked_up": self._picked_up(attempt)}
        if isinstance(afterwards, Transfer):
            instants["referred"] = answered + afterwards.after
        elif isinstance(afterwards, Hold):
            instants |= {"held": answered + afterwards.after, "resumed": answered + afterwards.after + afterwards.lasts}
        if self._onward is not None:
            instants["reached"] = self._onward.begins + self._onward.lasts
        return instants

    def _picked_up(self, attempt: PlannedAttempt) -> float:
        behaviour = self._call.phones.get(attempt.phone)
        if isinstance(behaviour, Answers):
            return attempt.begins + behaviour.after
        return attempt.begins + max(0.0, attempt.lasts - _KEY_PRESSED_AFTER)

    def _roles(
        self, recorded: Sequence[str], leader: PlannedAttempt | None, others: Sequence[PlannedAttempt]
    ) -> dict[str, Sequence[str]]:
        """Who plays the phones of the tape: the one who acts, those who ring beside, and where the call goes on to."""
        roles: dict[str, Sequence[str]] = dict.fromkeys(recorded, ())
        if self._onward is not None and _SERVICE_PHONE in roles:
            roles[_SERVICE_PHONE] = (self._onward.phone,)
        operators = [role for role in recorded if role != _SERVICE_PHONE]
        if leader is None or not operators:
            return {role: phones for role, phones in roles.items() if phones}
        acting = self._line.operators[0] if self._rings_all else operators[0]
        roles[acting] = (leader.phone,)
        beside = [role for role in operators if role != acting]
        roles |= {role: (other.phone,) for role, other in zip(beside, others, strict=False)}
        return roles
