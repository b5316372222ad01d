"""One watcher among many: what he misses, he gets whole; what he does, nobody else feels."""

import asyncio
import json

import pytest

from telemon.instants import SECOND
from telemon.records import ServiceKind
from telemon.wallboard import feed as feeding
from telemon.wallboard.feed import MOST_WAITING, Feed
from telemon.wallboard.picture import Promise, draw
from telemon.wallboard.roles import Role
from telemon.wallboard.scene import Scene, ServiceNow
from telemon.wallboard.visitors import Visitor

NOW = 1_795_000_000 * SECOND


class Board:
    """Draws a picture in which one more waits each time."""

    def __init__(self):
        self.waiting = 0
        self.welcome = True
        self.feed = Feed(self.draw, lambda _: self.welcome, lambda: NOW)

    async def draw(self):
        self.waiting += 1
        service = ServiceNow("beauvais", "standard", ServiceKind.SWITCHBOARD, self.waiting, 0, None, {})
        return draw(Scene(NOW, services=(service,)), Promise(5, 5 * SECOND))


def visitor(role=Role.SUPERVISOR):
    return Visitor("", role, NOW + SECOND, "one")


@pytest.fixture
async def board(monkeypatch):
    monkeypatch.setattr(feeding, "TICK_SECONDS", 0.001)
    board = Board()
    running = asyncio.create_task(board.feed.run())
    yield board
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


def read(message):
    kind, data, number = message.decode().removesuffix("\n\n").split("\n")
    said = json.loads(data.removeprefix("data: "))
    rows = said["services"] if kind == "event: picture" else said["services"]["set"]
    return kind.removeprefix("event: "), int(number.removeprefix("id: ")), rows[0]["waiting"]


async def test_who_follows_gets_every_change(board):
    stream = board.feed.watch(visitor())
    assert (await anext(stream)).startswith(b"retry: ")
    kind, number, waiting = read(await anext(stream))
    assert kind == "picture"
    for _ in range(20):
        assert read(await anext(stream)) == ("change", number := number + 1, waiting := waiting + 1)


async def test_who_cannot_follow_gets_the_whole_and_holds_nobody_up(board):
    slow, quick = board.feed.watch(visitor()), board.feed.watch(visitor())
    for stream in (slow, quick):
        await anext(stream)
        assert read(await anext(stream))[0] == "picture"
    waiting = 0
    for _ in range(MOST_WAITING + 2):
        *_, waiting = read(await anext(quick))
    kind, _, caught_up = read(await anext(slow))
    assert (kind, caught_up >= waiting) == ("picture", True)
    assert read(await anext(slow))[0] == "change"


async def test_a_role_that_is_told_nothing_new_is_sent_nothing(board, monkeypatch):
    monkeypatch.setattr(feeding, "BEAT_SECONDS", 0.05)
    auditor, other = board.feed.watch(visitor(Role.AUDITOR)), board.feed.watch(visitor())
    for stream in (auditor, other):
        await anext(stream)
        await anext(stream)
    assert read(await anext(other))[0] == "change"
    assert await anext(auditor) == b'event: beat\ndata: {"now":1795000000.0}\n\n'


async def test_who_is_no_longer_welcome_is_shown_out(board):
    stream = board.feed.watch(visitor())
    await anext(stream)
    await anext(stream)
    board.welcome = False
    rest = [message async for message in stream]
    assert len(rest) <= MOST_WAITING
    assert not board.feed._watchers


async def test_all_streams_end_with_the_daemon():
    board = Board()
    running = asyncio.create_task(board.feed.run())
    streams = [board.feed.watch(visitor()) for _ in range(3)]
    for stream in streams:
        await anext(stream)
        await anext(stream)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    for stream in streams:
        assert [message async for message in stream] == []
