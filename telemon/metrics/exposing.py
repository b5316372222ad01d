"""``/metrics`` as a whole, made in the event loop without keeping the reader waiting."""

from __future__ import annotations

import asyncio
import platform
from time import perf_counter
from typing import TYPE_CHECKING, Final, Protocol

from prometheus_client import CollectorRegistry, Gauge, ProcessCollector, generate_latest

from telemon import __version__
from telemon.metrics.finished import Finished
from telemon.metrics.live import Live
from telemon.metrics.own import Own

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Iterator, Mapping

    from telemon.ami.link import Link
    from telemon.instants import Duration
    from telemon.journal.writer import Journal
    from telemon.ledger.reading_losses import LastLoss
    from telemon.ledger.writer import LedgerWriter
    from telemon.records import CallRecord, Outcome

SLICE_SECONDS: Final = 0.001  # at most about this long, whoever else has something to do waits for a scrape

PIECE_BYTES: Final = 131_072


class Rendered(Protocol):
    """Figures that somebody else keeps as text."""

    def text(self) -> bytes:
        """Return what belongs on ``/metrics``."""
        ...

    def staffing_text(self) -> bytes:
        """Return what belongs on ``/metrics/staffing``."""
        ...


class Metrics:
    """All that is scraped. ``registry`` takes collectors that are read at each scrape, in the event loop."""

    def __init__(
        self,
        sites: Mapping[str, str],
        ring_cycle: Duration,
        links: Iterable[Link],
        ledger: LedgerWriter | None,
        journals: Mapping[str, Journal] | None = None,
        *,
        figures: Rendered | None = None,
    ) -> None:
        """``sites``: the label ``site`` by call site (``CallRecord.site``); one that is not there is its own label."""
        links = tuple(links)
        self.registry = CollectorRegistry()
        self._finished = Finished(sites, ring_cycle)
        self._live = Live(sites, ring_cycle, links)
        self._own = Own(sites, links, ledger, journals or {})
        self._figures = figures
        self._rendering = asyncio.Lock()
        build = Gauge("telemon_build_info", "The running version.", ("version", "python"), registry=self.registry)
        build.labels(__version__, platform.python_version()).set(1)
        ProcessCollector(registry=self.registry)

    def restore(self, totals: Mapping[tuple[str, str, Outcome], int]) -> None:
        """Begin where the ledger stands: calls by (call site, service, outcome)."""
        self._finished.restore(totals)

    def restore_losses(self, losses: Iterable[LastLoss]) -> None:
        """Take what the ledger has of the latest lost calls."""
        self._finished.restore_losses(losses)

    def count(self, record: CallRecord) -> None:
        """Add one finished call."""
        self._finished.count(record)

    async def expose(self) -> list[bytes]:
        """Return everything in Prometheus' text format, in parts; the event loop goes on meanwhile.

        Nobody joins them: 14 MB of fresh memory alone keep the event loop for some 40 ms.
        """
        async with self._rendering:
            parts: list[bytes] = []
            began = perf_counter()
            for part in self._parts():
                parts.append(part)
                if perf_counter() - began > SLICE_SECONDS:
                    await asyncio.sleep(0)
                    began = perf_counter()
            return parts

    def staffing(self) -> list[bytes]:
        """Return the staffing of each hour of the week; nothing while it is not known."""
        return [] if self._figures is None else [self._figures.staffing_text()]

    def _parts(self) -> Iterator[bytes]:
        self._live.expect(self._finished)
        yield b""
        yield from self._live.render()
        yield from self._finished.render()
        yield from self._own.render()
        yield generate_latest(self.registry)
        yield b"" if self._figures is None else self._figures.text()


async def pieces(parts: Iterable[bytes]) -> AsyncIterator[bytes]:
    """Yield parts again as pieces of ``PIECE_BYTES`` and somewhat more, for a response that keeps nobody waiting."""
    for piece in _gather(parts):
        yield piece
        await asyncio.sleep(0)


def _gather(parts: Iterable[bytes]) -> Iterator[bytes]:
    gathered: list[memoryview] = []
    for part in parts:
        view = memoryview(part)
        for first in range(0, len(part), PIECE_BYTES):
            gathered.append(view[first : first + PIECE_BYTES])
            if sum(map(len, gathered)) >= PIECE_BYTES:
                yield b"".join(gathered)
                gathered.clear()
    if gathered:
        yield b"".join(gathered)
