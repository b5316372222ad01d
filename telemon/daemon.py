"""The daemon: one link a PBX, one ledger, one set of pages, all in one task group."""

from __future__ import annotations

import asyncio
import logging
import signal
from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING, Final

from telemon.ami.link import Link
from telemon.cadences import ring_cycle
from telemon.callbacks.keeping import Callbacks
from telemon.display import Display
from telemon.duty.duties import Duties
from telemon.errors import TelemonError
from telemon.ledger.pseudonym_key import load_or_create_key
from telemon.ledger.store import open_ledger
from telemon.ledger.writer import LedgerWriter
from telemon.logs import log_loop_failure, set_up
from telemon.observation import GapCause, Sight
from telemon.parts import journal_of, observer_of, peer_of
from telemon.recorder import Recorder
from telemon.reloading import change, must_reconnect
from telemon.roll_ups import definitions
from telemon.rulesets import load_rulesets
from telemon.systemd import Notifier
from telemon.texts import text
from telemon.upkeep import Upkeep
from telemon.web import Server, listen, server_for

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from telemon.config import Config
    from telemon.config_pbx import PbxConfig
    from telemon.journal.checkpoint import Checkpoint
    from telemon.records import CallRecord
    from telemon.roll_ups import Definition

log = logging.getLogger(__name__)

DRAIN_SECONDS: Final = 5.0  # what the ledger lacks after it, the journal gives back
CHECKPOINT_SECONDS: Final = 15.0  # how much of the journal a start has to read again
WATCH_SECONDS: Final = 0.5  # how far an observation in the ledger may trail the truth
SIGHT_SECONDS: Final = 10.0  # how much of what was seen the ledger may not know of after a kill or a power cut


class Daemon:
    """Everything that runs, wired.

    ``on_finished`` hears of each finished call, after ledger and metrics; ``reread`` reads the configuration again, on
    SIGHUP.
    """

    def __init__(
        self,
        config: Config,
        on_finished: Callable[[CallRecord], None] | None = None,
        *,
        reread: Callable[[], Config] | None = None,
    ) -> None:
        """Open what can fail at once, so that a wrong configuration is told before anything runs.

        Raises:
            ConfigError: an address is taken, a secret or a country is missing.
            LedgerError: the database cannot be opened.
            JournalError: a journal cannot be opened.
        """
        cycle = ring_cycle(config.country)
        self._config = config
        self._on_finished = on_finished
        self._reread = reread
        self._notifier = Notifier()
        self._stopping = asyncio.Event()
        self._watching: dict[str, asyncio.Task[None]] = {}  # by PBX
        self.socket = listen(config.web.host, config.web.port)
        self._engine = open_ledger(config.ledger.url)
        key = load_or_create_key(config.ledger.key_file)
        self.ledger = LedgerWriter(self._engine, key=key, ring_cycle=cycle)
        self._callbacks = Callbacks(config, self._engine)
        self.recorders = [self._resumed(config, pbx) for pbx in config.pbx]
        self.links = [
            Link(peer_of(pbx), recorder.observer, self._take, keep=recorder.journal.append)
            for pbx, recorder in zip(config.pbx, self.recorders, strict=True)
        ]
        for link in self.links:
            self._callbacks.attend(link.observer)
        journals = {recorder.observer.pbx: recorder.journal for recorder in self.recorders}
        self._upkeep = self._keeping_up(config)
        self.duties = Duties(config, self._engine, self.ledger, self.links)
        self.display = Display(
            config,
            self._engine,
            self.ledger,
            self.links,
            journals=journals,
            duties=self.duties,
            callbacks=self._callbacks,
        )
        self.ledger.flush(DRAIN_SECONDS)  # what the journals gave back is counted with the rest
        self.display.restore(_sites(config), _roll_ups(config))

    def _resumed(self, config: Config, pbx: PbxConfig) -> Recorder:
        """Return the recorder of one PBX, as far as its journal goes; the ledger is given what it may lack."""
        folder = config.journal_folder(pbx)
        return Recorder(folder, journal_of(config, pbx), observer_of(config, pbx), self._put)

    def _keeping_up(self, config: Config) -> Upkeep:
        return Upkeep(self._engine, _sites(config), _roll_ups(config))

    @property
    def address(self) -> str:
        """Where the pages are."""
        host, port = self.socket.getsockname()[:2]
        return f"http://{f'[{host}]' if ':' in host else host}:{port}"

    def stop(self) -> None:
        """Ask the daemon to end; it still writes what it has."""
        self._stopping.set()

    async def run(self) -> None:
        """Run until ``stop``, SIGTERM or SIGINT; SIGHUP reads the configuration again."""
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(log_loop_failure)
        server = server_for(self.display.pages())
        log.info(text()("daemon.serving", address=self.address))
        self._upkeep.start()
        self.display.start()
        try:
            async with asyncio.TaskGroup() as group:
                for number in (signal.SIGTERM, signal.SIGINT):
                    loop.add_signal_handler(number, self.stop)
                if self._reread is not None:
                    loop.add_signal_handler(signal.SIGHUP, self._hang_up, self._reread, group)
                serving = group.create_task(server.serve(sockets=[self.socket]))
                for link in self.links:
                    self._watch(link, group)
                tasks = [
                    group.create_task(keeping)
                    for keeping in (
                        self._keep_observations(),
                        self._keep_checkpoints(),
                        self.duties.run(),
                        self.display.run(),
                        self._announce(server),
                        self._notifier.keep_watchdog(),
                    )
                ]
                await self._stopping.wait()
                self._notifier.stopping()
                for task in (*tasks, *self._watching.values()):
                    task.cancel()
                server.should_exit = True
                await serving
        finally:
            self._close()

    async def _announce(self, server: Server) -> None:
        """Tell systemd that the journals are read and the pages served."""
        while not server.started:  # noqa: ASYNC110 - uvicorn sets no event
            await asyncio.sleep(0.01)
        self._notifier.ready(self._status)

    @property
    def _status(self) -> str:
        connected = sum(link.connected for link in self.links)
        return text()("daemon.status", connected=connected, total=len(self.links))

    def _watch(self, link: Link, group: asyncio.TaskGroup) -> None:
        self._watching[link.peer.name] = group.create_task(link.run())

    def _hang_up(self, reread: Callable[[], Config], group: asyncio.TaskGroup) -> None:
        """Read the configuration again; one that is wrong changes nothing."""
        if self._stopping.is_set():
            return
        self._notifier.reloading()
        try:
            self._reload(reread(), group)
        except TelemonError as error:
            log.error(text()("daemon.reload_refused", reason=error))  # noqa: TRY400 - its text says all
        self._notifier.ready(self._status)

    def _reload(self, new: Config, group: asyncio.TaskGroup) -> None:
        changed = change(self._config, new)
        config = changed.config
        peers = [peer_of(pbx) for pbx in config.pbx]
        set_up(config.log)
        for link, before, pbx, peer in zip(self.links, self._config.pbx, config.pbx, peers, strict=True):
            fresh = observer_of(config, pbx)
            again = must_reconnect((before, link.peer), (pbx, peer))
            again |= link.observer.board.patterns != fresh.board.patterns
            link.observer.reconfigure(fresh)
            link.peer = peer
            if again:
                self._reconnect(link, group)
        if _roll_ups(config).keys() != _roll_ups(self._config).keys():
            self._upkeep.stop()
            self._upkeep = self._keeping_up(config)
            self._upkeep.start()
        self._config = config
        self.display.reconfigure(config)
        group.create_task(self.duties.reload(config))
        log.info(text()("daemon.reloaded", keys=", ".join(changed.taken) or "-"))
        if changed.waiting:
            log.warning(text()("daemon.reload_waits", keys=", ".join(changed.waiting)))

    def _reconnect(self, link: Link, group: asyncio.TaskGroup) -> None:
        log.info(text()("daemon.reconnecting", pbx=link.peer.name))
        self._watching[link.peer.name].cancel()
        if not link.observer.is_lost:
            link.lose(link.now, GapCause.TELEMON_STOPPED)
        link.connected = False
        self._watch(link, group)

    def _put(self, records: list[CallRecord]) -> None:
        for record in records:
            self.ledger.put(record)
        self._callbacks.finished(records)

    def _take(self, records: list[CallRecord]) -> None:
        self._put(records)
        self.duties.finished(records)
        for record in records:
            self.display.finished(record)
            if self._on_finished is not None:
                self._on_finished(record)

    async def _keep_observations(self) -> None:
        for turn in count():
            self._store_observations(everything=turn % round(SIGHT_SECONDS / WATCH_SECONDS) == 0)
            self._notifier.say(self._status)
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

    async def _keep_checkpoints(self) -> None:
        while True:
            await asyncio.sleep(CHECKPOINT_SECONDS)
            checkpoints = [recorder.checkpoint() for recorder in self.recorders]
            await asyncio.to_thread(self._write_checkpoints, checkpoints, CHECKPOINT_SECONDS)

    def _write_checkpoints(self, checkpoints: list[Checkpoint], seconds: float) -> None:
        """Write them as soon as the ledger has all that came before; what it never got stays in the journal."""
        if not self.ledger.flush(seconds) or self.ledger.dropped_total:
            return
        for recorder, checkpoint in zip(self.recorders, checkpoints, strict=True):
            try:
                recorder.keep(checkpoint, seconds)
            except OSError as error:
                log.error(text()("daemon.no_checkpoint", pbx=recorder.observer.pbx, reason=error.strerror))  # noqa: TRY400

    def _close(self) -> None:
        """Keep what is there: the journals first, for calls under way, then the ledger."""
        for link, recorder in zip(self.links, self.recorders, strict=True):
            if not recorder.observer.is_lost:
                link.lose(link.now, GapCause.TELEMON_STOPPED)
            recorder.journal.flush(DRAIN_SECONDS)
        self._store_observations()
        self.duties.close()
        checkpoints = [recorder.checkpoint() for recorder in self.recorders]
        self._write_checkpoints(checkpoints, DRAIN_SECONDS)
        for recorder in self.recorders:
            recorder.journal.close(DRAIN_SECONDS)
        self._upkeep.stop()
        self.display.stop()
        left = self.ledger.close(DRAIN_SECONDS)
        if left:
            log.critical(text()("daemon.left", count=left))
        self._engine.dispose()


def _sites(config: Config) -> list[str]:
    return [config.call_site(pbx) for pbx in config.pbx]


def _roll_ups(config: Config) -> Mapping[str, Definition]:
    """Return what is summed up: calls under each rule set that the site knows."""
    return definitions(load_rulesets(config.rule_sets), ring_cycle(config.country), config.timezone)
