"""The daemon: one link a PBX, one ledger, one set of pages, all in one task group."""

from __future__ import annotations

import asyncio
import logging
import signal
from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING, Final

from telemon.ami.entrance import Peer, tls_context
from telemon.ami.link import Link
from telemon.cadences import ring_cycle
from telemon.errors import ConfigError
from telemon.instants import from_seconds
from telemon.ledger.pseudonym_key import load_or_create_key
from telemon.ledger.reader import totals
from telemon.ledger.store import open_ledger
from telemon.ledger.writer import LedgerWriter
from telemon.metrics import Metrics
from telemon.observation import GapCause, Sight
from telemon.observer import Observer
from telemon.texts import text
from telemon.tracker import Tracker
from telemon.web import application, listen, server_for

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from telemon.config import Config, PbxConfig
    from telemon.records import CallRecord

log = logging.getLogger(__name__)

DRAIN_SECONDS: Final = 30.0
WATCH_SECONDS: Final = 0.5  # how far an observation in the ledger may trail the truth
SIGHT_SECONDS: Final = 10.0  # how much of what was seen the ledger may not know of after a kill or a power cut


def peer_of(pbx: PbxConfig) -> Peer:
    """Return whom to call for one configured PBX.

    Raises:
        ConfigError: there is no secret, or tls_ca is no file of certificates.
    """
    return Peer(
        name=pbx.name,
        host=pbx.host,
        port=pbx.port,
        user=pbx.username,
        secret=pbx.resolve_secret(),
        tls=_tls(pbx) if pbx.tls else None,
        plain_login=pbx.plain_login,
        event_filter=pbx.event_filter,
        ping_seconds=pbx.ping_seconds,
    )


def _tls(pbx: PbxConfig) -> ssl.SSLContext:
    try:
        return tls_context(authority=None if pbx.tls_ca is None else str(pbx.tls_ca), verify=pbx.tls_verify)
    except OSError as error:  # SSLError is one
        raise ConfigError(text()("config.tls_ca", pbx=pbx.name, path=pbx.tls_ca, reason=error)) from error


def observer_of(config: Config, pbx: PbxConfig) -> Observer:
    """Return a fresh observer for one configured PBX."""
    numbering = config.numbering(pbx)
    tracker = Tracker(config.call_site(pbx), numbering, short_abandon=from_seconds(config.short_abandon_seconds))
    devices = tuple(pattern for service in numbering.services for pattern in service.operators)
    return Observer(pbx.name, tracker, devices)


class Daemon:
    """Everything that runs, wired. ``on_finished`` hears of each finished call, after ledger and metrics."""

    def __init__(self, config: Config, on_finished: Callable[[CallRecord], None] | None = None) -> None:
        """Open what can fail at once, so that a wrong configuration is told before anything runs.

        Raises:
            ConfigError: an address is taken, a secret or a country is missing.
            LedgerError: the database cannot be opened.
        """
        cycle = ring_cycle(config.country)
        self.socket = listen(config.web.host, config.web.port)
        self.links = [Link(peer_of(pbx), observer_of(config, pbx), self._take) for pbx in config.pbx]
        self._engine = open_ledger(config.ledger.url)
        key = load_or_create_key(config.ledger.key_file)
        self.ledger = LedgerWriter(self._engine, key=key, ring_cycle=cycle)
        self.metrics = Metrics(config.site, cycle, self.links, self.ledger)
        self.metrics.restore(totals(self._engine, [config.call_site(pbx) for pbx in config.pbx]))
        self._on_finished = on_finished
        self._stopping = asyncio.Event()

    @property
    def address(self) -> str:
        """Where the pages are."""
        host, port = self.socket.getsockname()[:2]
        return f"http://{f'[{host}]' if ':' in host else host}:{port}"

    def stop(self) -> None:
        """Ask the daemon to end; it still writes what it has."""
        self._stopping.set()

    async def run(self) -> None:
        """Run until ``stop``, SIGTERM or SIGINT."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
        server = server_for(application(self.metrics, self.links, self.ledger))
        log.info(text()("daemon.serving", address=self.address))
        try:
            async with asyncio.TaskGroup() as group:
                pages = group.create_task(server.serve(sockets=[self.socket]))
                tasks = [group.create_task(link.run()) for link in self.links]
                tasks.append(group.create_task(self._keep_observations()))
                await self._stopping.wait()
                for task in tasks:
                    task.cancel()
                server.should_exit = True
                await pages
        finally:
            self._close()

    def _take(self, records: list[CallRecord]) -> None:
        for record in records:
            self.ledger.put(record)
            self.metrics.count(record)
            if self._on_finished is not None:
                self._on_finished(record)

    async def _keep_observations(self) -> None:
        for turn in count():
            self._store_observations(everything=turn % round(SIGHT_SECONDS / WATCH_SECONDS) == 0)
            await asyncio.sleep(WATCH_SECONDS)

    def _store_observations(self, *, everything: bool = False) -> None:
        """Write what changed, or everything; what is being seen is written as far as it was, in case we are killed."""
        for link in self.links:
            watch = link.observer.watch
            current = watch.current
            for interval in (*watch.take_changed(), *([current] if everything and current else ())):
                if interval.sight is Sight.SEEN and interval.ended_at is None:
                    seen_until = max(interval.started_at, link.now)
                    self.ledger.put(replace(interval, ended_at=seen_until))
                else:
                    self.ledger.put(interval)

    def _close(self) -> None:
        """Write what is there: calls under way as not seen to their end, and the gap that begins now."""
        for link in self.links:
            self._take(link.observer.tracker.give_up())
            link.observer.lose(link.now, GapCause.TELEMON_STOPPED)
        self._store_observations()
        left = self.ledger.close(DRAIN_SECONDS)
        if left:
            log.critical(text()("daemon.left", count=left))
        self._engine.dispose()
