"""Other times for a recorded call: what people do moves, and what Asterisk does moves with it.

Whatever people do (dial, answer, hang up…) is an *act*; its instant is known from SIP, never from events. Between two
acts, Asterisk alone is at work: it answers the act within milliseconds, or one of its timers runs out, so time passes
there as it did on the tape. Retiming therefore shifts each stretch from one act to the next as a whole. A timer that
was set earlier than by the last act keeps its distance from the act that set it; the recording says which.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from telemon.errors import TelemonError
from telemon.instants import SECOND, to_seconds

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from telemon.instants import Duration

# Asterisk follows an act, and each of its own events, within this; after a longer silence, a timer has run out.
_AT_ONCE: Final[Duration] = SECOND // 10
# Acts on the tape that lie closer than this follow from the same cause: their order is chance.
_TOGETHER: Final[Duration] = SECOND // 20


@dataclass(frozen=True, slots=True)
class Act:
    """What somebody did, and when, in microseconds since the caller dialled: ``op1 answers``, ``trunk hangs up``."""

    name: str
    at: Duration


@dataclass(frozen=True, slots=True)
class _Stretch:
    begins: Duration
    shift: Duration


class Retiming:
    """Maps instants of a tape, in microseconds since the caller dialled, to those of another call."""

    def __init__(
        self,
        acts: Sequence[Act],
        events: Sequence[Duration],
        plan: Mapping[str, Duration],
        timers: Mapping[str, str],
    ) -> None:
        """Work out how each stretch moves.

        Args:
            acts: of the tape, in order.
            events: when each event of the tape was told, in order.
            plan: when acts take place in the other call; one that is not named keeps its distance from the act before.
            timers: where Asterisk's timers after an act count from an earlier act, that act by the later one's name.

        Raises:
            TelemonError: an act is not on the tape, or the plan does not fit the tape.
        """
        known = {act.name for act in acts}
        if unknown := [name for name in (*plan, *timers, *timers.values()) if name not in known]:
            raise TelemonError(
                f"no act {unknown[0]!r} on the tape; its acts are: {', '.join(act.name for act in acts)}"
            )
        self._stretches = list(_stretches(acts, events, plan, timers))
        self._begins = [stretch.begins for stretch in self._stretches]
        self._check(acts, events)

    def __call__(self, at: Duration) -> Duration:
        """Return when that happens which on the tape happens at this instant."""
        return at + self._stretches[max(0, bisect_right(self._begins, at) - 1)].shift

    def _check(self, acts: Sequence[Act], events: Sequence[Duration]) -> None:
        """Refuse a plan in which anything would come before what it follows on the tape."""
        rows = sorted([(act.at, act.name) for act in acts] + [(at, "") for at in events])
        latest, what = 0, "the call's beginning"
        for at, name in rows:
            now = self(at)
            if now < latest - _TOGETHER:
                who = name or f"what Asterisk told at {to_seconds(at):.3f} s"
                raise TelemonError(
                    f"the plan does not fit the tape: {who} would come at {to_seconds(now):.3f} s, but follows {what},"
                    f" now at {to_seconds(latest):.3f} s; choose instants that keep the order of the tape"
                )
            if now >= latest:
                latest, what = now, name or f"what Asterisk told at {to_seconds(at):.3f} s of the tape"


def _stretches(
    acts: Sequence[Act], events: Iterable[Duration], plan: Mapping[str, Duration], timers: Mapping[str, str]
) -> Iterator[_Stretch]:
    shifts: dict[str, Duration] = {}
    shift = 0
    told = list(events)
    for number, act in enumerate(acts):
        shift = plan[act.name] - act.at if act.name in plan else shift
        shifts[act.name] = shift
        yield _Stretch(act.at, shift)
        until = acts[number + 1].at if number + 1 < len(acts) else told[-1] + 1
        timer = _first_timer(act.at, told[bisect_right(told, act.at) : bisect_right(told, until)])
        if timer is not None and act.name in timers:
            shift = shifts[timers[act.name]]
            yield _Stretch(timer, shift)


def _first_timer(act_at: Duration, told: Sequence[Duration]) -> Duration | None:
    """Return from when on Asterisk acts by itself: half the silence's limit before the first event that follows one."""
    before = act_at
    for at in told:
        if at - before > _AT_ONCE:
            return at - _AT_ONCE // 2
        before = at
    return None
