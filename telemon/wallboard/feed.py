"""One picture for all who watch: drawn at most four times a second, and not at all while nobody does.

What changed is turned into bytes once for each role. A watcher who cannot follow loses what waits for him and is given
the whole picture instead: he never slows anybody else.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from typing import TYPE_CHECKING, Final

from fastapi.sse import format_sse_event

from telemon.wallboard.picture import changed, difference, parts_shown, rows_shown
from telemon.wallboard.shown import seconds

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from telemon.instants import Instant
    from telemon.wallboard.picture import Picture
    from telemon.wallboard.roles import Role
    from telemon.wallboard.visitors import Visitor

TICK_SECONDS: Final = 0.25
TURN_SECONDS: Final = 0.004  # how long the event loop may be held at a time
BEAT_SECONDS: Final = 5.0  # of silence, then the page is told that nothing happened
MOST_WATCHERS: Final = 200
MOST_WAITING: Final = 8  # messages to one watcher: two seconds' worth
RETRY_MILLISECONDS: Final = 2000


class Watcher:
    """One open stream."""

    def __init__(self, visitor: Visitor) -> None:
        self.visitor = visitor
        self.needs_whole = True
        self.is_over = False
        self._waiting: deque[bytes] = deque()
        self._woken = asyncio.Event()

    def offer(self, message: bytes) -> None:
        """Give what changed; to one who has too much waiting already, the whole picture later."""
        if self.needs_whole:
            return
        if len(self._waiting) >= MOST_WAITING:
            self._waiting.clear()
            self.needs_whole = True
        else:
            self._waiting.append(message)
        self._woken.set()

    def end(self) -> None:
        """Let the stream end."""
        self.is_over = True
        self._woken.set()

    async def next(self, picture: Callable[[Role], Awaitable[bytes]], beat: Callable[[], bytes]) -> bytes | None:
        """Return what to send next, a beat if nothing happened for long; None once it is over."""
        while not self.is_over:
            if self.needs_whole:
                self.needs_whole = False
                return await picture(self.visitor.role)
            if self._waiting:
                return self._waiting.popleft()
            self._woken.clear()
            try:
                async with asyncio.timeout(BEAT_SECONDS):
                    await self._woken.wait()
            except TimeoutError:
                return beat()
        return None


class Feed:
    """Draws and hands out.

    Args:
        draw: returns the present picture.
        is_welcome: whether a watcher may go on watching.
    """

    def __init__(
        self,
        draw: Callable[[], Awaitable[Picture]],
        is_welcome: Callable[[Visitor], bool],
        clock: Callable[[], Instant],
    ) -> None:
        self._draw = draw
        self._clock = clock
        self._is_welcome = is_welcome
        self._watchers: set[Watcher] = set()
        self._watched = asyncio.Event()
        self._drawing = asyncio.Lock()
        self._latest: Picture | None = None
        self._number = 0
        self._wholes: dict[Role, asyncio.Future[str]] = {}  # of the latest picture

    @property
    def is_full(self) -> bool:
        """Whether nobody more can watch."""
        return len(self._watchers) >= MOST_WATCHERS

    async def picture(self) -> Picture:
        """Return a picture that is no older than one tick."""
        async with self._drawing:
            if self._latest is None or not self._watchers:
                self._take(await self._draw())
            assert self._latest is not None  # just taken
            return self._latest

    async def watch(self, visitor: Visitor) -> AsyncIterator[bytes]:
        """Yield the messages of one stream, until its session or the daemon ends."""
        await self.picture()
        watcher = Watcher(visitor)
        self._watchers.add(watcher)
        self._watched.set()
        try:
            yield f"retry: {RETRY_MILLISECONDS}\n\n".encode()
            while (message := await watcher.next(self._whole_message, self._beat)) is not None:
                yield message
        finally:
            self._watchers.discard(watcher)

    async def run(self) -> None:
        """Draw again and again while anybody watches, until cancelled; then every stream ends."""
        loop = asyncio.get_running_loop()
        try:
            while True:
                await self._watched.wait()
                began = loop.time()
                self._dismiss()
                if self._watchers:
                    await self._tick()
                else:
                    self._watched.clear()
                await asyncio.sleep(max(0.0, TICK_SECONDS - (loop.time() - began)))
        finally:
            for watcher in self._watchers:
                watcher.end()

    def _dismiss(self) -> None:
        for watcher in self._watchers:
            if not self._is_welcome(watcher.visitor):
                watcher.end()

    async def _tick(self) -> None:
        async with self._drawing:
            before, after = self._latest, await self._draw()
            messages = {} if before is None else await self._messages(before, after)
            self._take(after)
        for watcher in self._watchers:
            message = messages.get(watcher.visitor.role)
            if message is not None:
                watcher.offer(message)

    async def _messages(self, before: Picture, after: Picture) -> dict[Role, bytes | None]:
        """Return what each role that watches is told; others get their turn in between."""
        await asyncio.sleep(0)
        found, messages = difference(before, after), {}
        for role in {watcher.visitor.role for watcher in self._watchers}:
            await asyncio.sleep(0)
            said = changed(found, role)
            messages[role] = None if said is None else _event("change", self._number + 1, to_json(said))
        return messages

    def _take(self, picture: Picture) -> None:
        self._latest = picture
        self._number += 1
        self._wholes.clear()

    def _beat(self) -> bytes:
        return format_sse_event(data_str=to_json({"now": seconds(self._clock())}), event="beat")

    async def whole(self, role: Role) -> str:
        """Return all that a role is shown now, as JSON; made once, however many ask."""
        await self.picture()
        return await self._whole(role)

    def _whole(self, role: Role) -> asyncio.Future[str]:
        known = self._wholes.get(role)
        if known is None:
            assert self._latest is not None  # whoever watches has been given one
            known = self._wholes[role] = asyncio.ensure_future(_json_of(self._latest, role))
        return asyncio.shield(known)

    async def _whole_message(self, role: Role) -> bytes:
        number, said = self._number, self._whole(role)
        return _event("picture", number, await said)


def _event(kind: str, number: int, said: str) -> bytes:
    return format_sse_event(data_str=said, event=kind, id=str(number))


async def _json_of(picture: Picture, role: Role) -> str:
    """Return a whole picture as JSON; that of a hundred sites takes a while, so others get their turn in between."""
    loop, members = asyncio.get_running_loop(), [to_json(parts_shown(picture, role))[1:-1]]
    began = loop.time()
    for name, rows in rows_shown(picture, role):
        said = []
        for row in rows:
            said.append(to_json(row))
            if loop.time() - began > TURN_SECONDS:
                await asyncio.sleep(0)
                began = loop.time()
        members.append(f'"{name}":[{",".join(said)}]')
    return f"{{{','.join(members)}}}"


def to_json(said: object) -> str:
    """Return JSON in ASCII alone: no byte from outside, a lone surrogate either, can upset a reader."""
    return json.dumps(said, separators=(",", ":"), allow_nan=False)
