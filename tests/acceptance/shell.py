"""What the tests of telemon's shell share: a link at a simulator, calls told at any time, waiting."""

import asyncio
import logging
import random
import time
from contextlib import asynccontextmanager, suppress
from heapq import merge

from simulators.ami.server import AmiServer
from simulators.plan import Expected, Transfer
from telemon.ami.entrance import Peer
from telemon.ami.link import Link
from telemon.observer import Observer
from telemon.records import AttemptResult, CallRecord, EndedBy, Outcome
from telemon.services import Numbering, Service
from telemon.tracker import Tracker
from tests.acceptance.simulator_client import DDI, planned, rung, switchboard, told

SECRET = "correct-horse-9f3a"
STANDARD = Service(name="standard", ddis=(DDI,), queues=("standard",))
PATIENCE = 10.0  # seconds until a test gives up
_RING_SECONDS, _RETRY_SECONDS = 15.0, 1.0  # of the queue's


def pbx(**options):
    return AmiServer(**{"users": {"telemon": SECRET}, "switchboard": switchboard(), **options})


async def until(condition, seconds=PATIENCE):
    """Wait for what another task or process brings about."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - it may lie in another process, or in a counter that wakes nobody
            await asyncio.sleep(0.005)


class Listener:
    """One link to a simulator in this process, and the calls it handed over."""

    def __init__(self, port, *, tracker=None, host="127.0.0.1", **peer):
        self.calls: list[CallRecord] = []
        self.observer = Observer("pbx", tracker or Tracker("site", Numbering(services=(STANDARD,))))
        options = {"name": "pbx", "user": "telemon", "secret": SECRET, **peer}
        self.link = Link(Peer(host=host, port=port, **options), self.observer, self.calls.extend, rng=random.Random(1))

    @property
    def open_calls(self):
        return list(self.observer.tracker.open_calls())

    async def connected(self, times=1):
        await until(lambda: self.link.connected and self.link.connects >= times)

    async def called(self, count):
        await until(lambda: len(self.calls) >= count)
        return self.calls


@asynccontextmanager
async def listening(port, **options):
    """Run a link until the block ends; one that dies instead of trying again fails the test."""
    listener = Listener(port, **options)
    running = asyncio.create_task(listener.link.run())
    try:
        yield listener
        assert not running.done(), running.exception()
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


# Calls


def rounds(until, result):
    """Let the two phones ring in turn; what becomes of the last of them?"""
    begins, phones = 0.0, ("op1", "op2")
    while begins + _RING_SECONDS < until:
        yield rung(phones[0], begins, _RING_SECONDS, AttemptResult.NO_ANSWER)
        begins += _RING_SECONDS + _RETRY_SECONDS
        phones = phones[::-1]
    yield rung(phones[0], begins, until - begins, result)


def answered(caller, answers_at, talk_seconds):
    attempts = tuple(rounds(answers_at, AttemptResult.ANSWERED))
    expected = Expected(
        outcome=Outcome.ANSWERED,
        answered_after=answers_at,
        answered_by=attempts[-1].phone,
        ended_after=answers_at + talk_seconds,
        ended_by=EndedBy.CALLER,
        attempts=attempts,
    )
    return planned(caller, expected)


def lost(caller, outcome, after, ended_by):
    result = AttemptResult.CANCELLED if ended_by is EndedBy.CALLER else AttemptResult.NO_ANSWER
    attempts = tuple(rounds(after, result))
    return planned(caller, Expected(outcome=outcome, ended_after=after, ended_by=ended_by, attempts=attempts))


def plan(caller="0199000001", *, answers_at=None, talk_seconds=60.0, patience=60.0):
    if answers_at is None:
        return lost(caller, Outcome.ABANDONED, patience, EndedBy.CALLER)
    return answered(caller, answers_at, talk_seconds)


def transferred(caller):
    """Return a call that is answered after 2 s and handed on after 4 more to a phone that rings for 3 s."""
    expected = Expected(
        outcome=Outcome.ANSWERED,
        answered_after=2.0,
        answered_by="op1",
        transferred_to="etatcivil",
        ended_after=69.0,
        ended_by=EndedBy.CALLER,
        attempts=(
            rung("op1", 0.0, 2.0, AttemptResult.ANSWERED),
            rung("etatcivil", 6.0, 3.0, AttemptResult.ANSWERED, queue=""),
        ),
    )
    return planned(caller, expected, afterwards=Transfer(to="3001", after=4.0))


def recorded_message(caller):
    """Return a call that nobody takes in either of two queues, and voicemail does after 40 s."""
    nobody = AttemptResult.NO_ANSWER
    expected = Expected(
        outcome=Outcome.DIVERTED,
        machine_after=40.0,
        ended_after=44.0,
        ended_by=EndedBy.CALLER,
        queues=("etrangers", "debordement"),
        attempts=(
            rung("op1", 0.0, 15.0, nobody, "etrangers"),
            rung("op2", 16.0, 4.0, nobody, "etrangers"),
            rung("op1", 20.0, 15.0, nobody, "debordement"),
            rung("op1", 36.0, 4.0, nobody, "debordement"),
        ),
    )
    return planned(caller, expected, service="etrangers")


ANSWERED = plan("0199000001", answers_at=6.0, talk_seconds=7.0)
LATE = plan("0199000002", answers_at=21.0, talk_seconds=7.0)
ABANDONED = plan("0199000003", patience=12.0)
SHORT = plan("0199000004", patience=3.0)
TRANSFERRED = transferred("0199000005")
VOICEMAIL = recorded_message("0199000006")
UNANSWERED = lost("0199000007", Outcome.UNANSWERED, 20.0, EndedBy.SWITCHBOARD)
DAY = (ANSWERED, LATE, ABANDONED, SHORT, TRANSFERRED, VOICEMAIL, UNANSWERED)
OUTCOMES = {"answered": 3, "abandoned": 1, "short_abandoned": 1, "diverted": 1, "unanswered": 1}


def events_of(plans, *, first_at, apart=2.0):
    """Return (Unix time, event) of calls that arrive one after the other, their stories interwoven."""
    starts = [first_at + apart * number for number in range(len(plans))]
    stories = [told(one, starts_at=start) for one, start in zip(plans, starts, strict=True)]
    return list(merge(*stories, key=lambda one: one[0]))


def tell(server, events):
    """Tell events at once, stamped with the time at which each is said to have happened."""
    for at, event in events:
        server.emit(event, at)


def tell_day(server, plans=DAY):
    """Tell calls that all lie in the last ten minutes; return when the first of them arrived."""
    first_at = time.time() - 600
    tell(server, events_of(plans, first_at=first_at))
    return first_at


def split(events, name, *, last=True):
    """Cut a story after the last (or first) event of this name."""
    places = [place for place, (_, event) in enumerate(events, 1) if event.name == name]
    cut = places[-1 if last else 0]
    return events[:cut], events[cut:]


# What was logged


def lines(caplog, level=logging.WARNING):
    return [record.getMessage() for record in caplog.records if record.levelno >= level]
