"""What the tests of telemon's shell share: a link at a simulator, calls told at any time, waiting."""

import asyncio
import itertools
import logging
import random
import time
from contextlib import asynccontextmanager, suppress
from heapq import merge

from simulators.ami.plan import BlindTransfer, Phone, Plan, QueueVisit, Voicemail
from simulators.ami.server import AmiServer
from simulators.ami.story import story
from telemon.ami.entrance import Peer
from telemon.ami.link import Link
from telemon.observer import Observer
from telemon.records import CallRecord  # noqa: TC001 - a local annotation, for mypy
from telemon.services import Numbering, Service
from telemon.tracker import Tracker
from tests.acceptance.simulator_client import switchboard

SECRET = "correct-horse-9f3a"
DDI = "0102030405"
STANDARD = Service(name="standard", ddis=(DDI,), queues=("standard",))
PATIENCE = 10.0  # seconds until a test gives up
_SERIALS = itertools.count()  # one for all: a uniqueid is never used again


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


def plan(caller="0199000001", *, answers_at=None, transfer=None, voicemail=None, **options):
    phones = (
        Phone(interface="PJSIP/op1", member_name="Camille", answers_at=answers_at),
        Phone(interface="PJSIP/op2", member_name="Inès"),
    )
    timeout = 20 if options.pop("times_out", voicemail is not None) else 60
    visit = QueueVisit(queue="standard", phones=phones, timeout_seconds=timeout)
    return Plan(caller=caller, ddi=DDI, queues=(visit,), transfer=transfer, voicemail=voicemail, **options)


ANSWERED = plan("0199000001", answers_at=6.0, talk_seconds=7.0)
LATE = plan("0199000002", answers_at=21.0, talk_seconds=7.0)
ABANDONED = plan("0199000003", patience=12.0)
SHORT = plan("0199000004", patience=3.0)
TRANSFERRED = plan(
    "0199000005",
    answers_at=2.0,
    transfer=BlindTransfer(extension="3001", interface="PJSIP/etatcivil", after=4.0, answers_after=3.0),
)
VOICEMAIL = plan("0199000006", voicemail=Voicemail(mailbox="9100", seconds=4.0))
UNANSWERED = plan("0199000007", times_out=True)
DAY = (ANSWERED, LATE, ABANDONED, SHORT, TRANSFERRED, VOICEMAIL, UNANSWERED)
OUTCOMES = {"answered": 3, "abandoned": 1, "short_abandoned": 1, "diverted": 1, "unanswered": 1}


def events_of(plans, *, first_at, apart=2.0):
    """Return (Unix time, event) of calls that arrive one after the other, their stories interwoven."""
    starts = [first_at + apart * number for number in range(len(plans))]
    stories = [
        [(start + offset, event) for offset, event in story(one, starts_at=start, serials=_SERIALS)]
        for one, start in zip(plans, starts, strict=True)
    ]
    return list(merge(*stories, key=lambda told: told[0]))


def tell(server, events):
    """Tell events at once, stamped with the time at which each is said to have happened."""
    for at, event in events:
        for told in server.switchboard.tell(event, at):
            message = told.encode(at)
            for session in list(server.sessions):
                session.deliver(told.event_class, message)


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
