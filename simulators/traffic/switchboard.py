"""The whole switchboard: the way of each call through its line's dialplan, and what follows the answer."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final, assert_never

from simulators.plan import Answers, Rejects, Transfer
from simulators.site import MOBILE, Pattern
from simulators.traffic.bells import Desk, Ring, start, stop_all
from simulators.traffic.dialling import Dial
from simulators.traffic.queueing import Queue, Visit
from telemon.records import AttemptResult, EndedBy

if TYPE_CHECKING:
    from collections.abc import Callable

    from simulators.site import Line, Site
    from simulators.traffic.agenda import Agenda
    from simulators.traffic.callers import LiveCall

GREETING_SECONDS: Final = 2.1  # "one-moment-please", and the pause that Answer() makes before it
ANNOUNCEMENT_SECONDS: Final = 2.7  # "please-try-call-later", likewise
EXTENSION_SECONDS: Final = 30.0  # how long a transferred caller's Dial() rings
_MARGIN: Final = 1.0  # by which a caller outwaits what must not be cut short


class Switchboard:
    """Plays calls through; ``over`` is told of each that ends. All times are seconds since the plan's beginning."""

    def __init__(
        self, site: Site, agenda: Agenda, *, wrap_up: float, over: Callable[[LiveCall, float, EndedBy], None]
    ) -> None:
        self._agenda = agenda
        self._wrap_up = wrap_up
        self._over = over
        self._extensions = site.extensions
        self._desks = {phone: Desk(phone) for phone in site.phones}
        self._visits: dict[str, Visit] = {}  # by the call's name
        self._routes = {line.service: self._route(line) for line in site.lines}
        self._closed_route: tuple[Callable[[LiveCall, float], None], ...] = (partial(self._say, ANNOUNCEMENT_SECONDS),)

    def arrive(self, call: LiveCall, now: float) -> None:
        """Take a call that has just arrived."""
        call.leaves = self._agenda.at(now + call.intent.patience, partial(self._leaves, call))
        self._next_step(call, now)

    def pause(self, phone: str, *, ends: bool) -> None:
        """Let one phone take no calls, or take them again; what rings or talks there goes on."""
        self._desks[phone].pauses += -1 if ends else 1

    # -- the dialplan

    def _route(self, line: Line) -> tuple[Callable[[LiveCall, float], None], ...]:
        """Return the steps of a line's dialplan, each of which leads to the next unless the call is answered."""
        desks = [tuple(self._desks[phone] for phone in phones) for phones in line.phones]
        rings_all = line.pattern is Pattern.CRISIS
        queues = [
            partial(self._wait, Queue(name, line, members, rings_all=rings_all))
            for name, members in zip(line.queues, desks, strict=False)
        ]
        match line.pattern:
            case Pattern.QUEUE | Pattern.CRISIS:
                return tuple(queues)
            case Pattern.MENU:
                return partial(self._say, GREETING_SECONDS), *queues
            case Pattern.OVERFLOW:
                return *queues, self._take_message
            case Pattern.PERMANENCE:
                return *queues, partial(self._dial, desks[-1])
            case Pattern.RING_ALL:
                return (partial(self._dial, desks[0]),)
            case _:
                assert_never(line.pattern)

    def _next_step(self, call: LiveCall, now: float) -> None:
        call.step += 1
        route = self._closed_route if call.closed else self._routes[call.line.service]
        if call.step < len(route):
            route[call.step](call, now)
        else:
            self._end(call, EndedBy.SWITCHBOARD, now)

    def _say(self, seconds: float, call: LiveCall, now: float) -> None:
        call.machine_at = now
        call.plan_next(self._agenda.at(now + seconds, partial(self._next_step, call)))

    def _wait(self, queue: Queue, call: LiveCall, now: float) -> None:
        call.alerted_at = now if call.alerted_at is None else call.alerted_at
        visit = Visit(queue, call, self._agenda, answered=self._answered, timed_out=self._timed_out)
        self._visits[call.name] = visit
        visit.begin(now)

    def _timed_out(self, call: LiveCall, now: float) -> None:
        del self._visits[call.name]
        self._next_step(call, now)

    def _dial(self, desks: tuple[Desk, ...], call: LiveCall, now: float) -> None:
        call.alerted_at = now if call.alerted_at is None else call.alerted_at
        dial = Dial(call, self._agenda, answered=self._answered, failed=self._next_step, question_asked=self._outwait)
        dial.begin(desks, now, call.line.queue_seconds)

    def _take_message(self, call: LiveCall, now: float) -> None:
        """Voicemail: the caller hears a machine, says something, and leaves."""
        call.machine_at = now
        call.diverted = True
        self._be_patient_until(call, now + call.intent.message)

    def _outwait(self, call: LiveCall, decided: float) -> None:
        """Let nobody leave between the mobile's answer and its key press: whose call it was then hangs on a hair."""
        if call.arrived + call.intent.patience <= decided:
            self._be_patient_until(call, decided + _MARGIN)

    def _be_patient_until(self, call: LiveCall, moment: float) -> None:
        assert call.leaves is not None
        call.leaves.call_off()
        call.intent.patience = round(moment - call.arrived, 6)
        call.leaves = self._agenda.at(moment, partial(self._leaves, call))

    # -- the answer and after

    def _answered(self, call: LiveCall, ring: Ring, now: float) -> None:
        self._visits.pop(call.name, None)
        ring.end(now, AttemptResult.ANSWERED)
        stop_all(call.rings, now, AttemptResult.CANCELLED)
        assert call.leaves is not None
        call.leaves.call_off()
        call.answered_at, call.answered_by = now, ring.desk.name
        if ring.desk.name == MOBILE:  # a mobile can neither hold nor hand on
            call.intent.transfer_after = call.intent.hold = None
        if call.intent.transfer_after is None:
            call.plan_next(None)
            call.leaves = self._agenda.at(now + call.talk, partial(self._hangs_up, call, ring))
        else:
            self._plan_transfer(call, ring, call.intent.transfer_after, now)

    def _hangs_up(self, call: LiveCall, ring: Ring, now: float) -> None:
        """End the talk between the caller and the operator of this ring."""
        self._release(ring.desk, now)
        self._end(call, call.intent.ended_by, now)

    def _release(self, desk: Desk, now: float) -> None:
        desk.engaged = False
        desk.wrapped_up_at = now + self._wrap_up

    def _plan_transfer(self, call: LiveCall, ring: Ring, after: float, now: float) -> None:
        """Choose an extension that is free now, and let the caller stay until it has answered, if it will."""
        desks = {exten: self._desks[phone] for exten, phone in self._extensions.items()}
        exten = next((exten for exten, desk in desks.items() if not desk.engaged), next(iter(desks)))
        behaviour = call.intent.phones.get(desks[exten].name)
        rings_for = behaviour.after if isinstance(behaviour, Answers) else 0.0
        call.talk = round(max(call.talk, after + rings_for + _MARGIN), 3)
        call.transfer = Transfer(to=exten, after=after)
        call.plan_next(self._agenda.at(now + after, partial(self._transfers, call, ring, desks[exten])))
        call.leaves = self._agenda.at(now + call.talk, partial(self._leaves, call))

    def _transfers(self, call: LiveCall, ring: Ring, desk: Desk, now: float) -> None:
        """The operator sends the caller on by REFER, and is free."""
        self._release(ring.desk, now)
        onward = Ring(desk, "", now)
        call.rings.append(onward)
        if desk.engaged:
            call.intent.phones[desk.name] = Rejects(after=0.0)
            onward.result = AttemptResult.BUSY
            self._end(call, EndedBy.SWITCHBOARD, now)
            return
        deadline = now + EXTENSION_SECONDS
        call.plan_next(self._agenda.at(deadline, partial(self._extension_fails, call, onward, AttemptResult.NO_ANSWER)))
        start(
            self._agenda,
            onward,
            call.intent.phones.get(desk.name),
            deadline=deadline,
            answered=partial(self._extension_answers, call),
            refused=partial(self._extension_refuses, call),
        )

    def _extension_answers(self, call: LiveCall, ring: Ring, now: float) -> None:
        ring.end(now, AttemptResult.ANSWERED)
        call.transferred_to = ring.desk.name
        assert call.leaves is not None
        call.leaves.call_off()
        call.plan_next(None)
        call.leaves = self._agenda.at(now + call.talk, partial(self._hangs_up, call, ring))

    def _extension_refuses(self, call: LiveCall, ring: Ring, now: float) -> None:
        self._extension_fails(call, ring, AttemptResult.BUSY, now)

    def _extension_fails(self, call: LiveCall, ring: Ring, result: AttemptResult, now: float) -> None:
        ring.end(now, result)
        self._end(call, EndedBy.SWITCHBOARD, now)

    # -- the end

    def _leaves(self, call: LiveCall, now: float) -> None:
        """The caller hangs up without talking to anybody just then."""
        visit = self._visits.pop(call.name, None)
        if visit is not None:
            visit.leave()
        stop_all(call.rings, now, AttemptResult.CANCELLED)
        self._end(call, EndedBy.CALLER, now)

    def _end(self, call: LiveCall, ended_by: EndedBy, now: float) -> None:
        self._over(call, now, ended_by)
