"""What one PBX's observer must not forget: its journal, its checkpoint, and how to go on from them."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from telemon.errors import AmiProtocolError
from telemon.freezing import freeze, thaw
from telemon.journal.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from telemon.journal.entries import Lost
from telemon.journal.reader import read_entries
from telemon.observation import GapCause
from telemon.reenactment import Reenactment
from telemon.texts import text

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from telemon.journal.writer import Journal
    from telemon.observer import Observer
    from telemon.records import CallRecord

log = logging.getLogger(__name__)


class Recorder:
    """Keeps one observer's journal.

    Args:
        folder: the journal's.
        journal: open in that folder.
        fresh: an observer that knows nothing yet; ``observer`` is the one that went on where the last process ended.
        on_finished: takes the calls that the journal ends, which the ledger may have or not.
    """

    def __init__(
        self, folder: Path, journal: Journal, fresh: Observer, on_finished: Callable[[list[CallRecord]], None]
    ) -> None:
        self.journal = journal
        self._folder = folder
        self._keeping = threading.Lock()
        self._kept = 0
        self.observer, number = self._thawed(fresh)
        journal.skip_to(number)  # its end may be missing, and a number must not be used twice
        self._resume(number, on_finished)

    def checkpoint(self) -> Checkpoint:
        """Return the present state; to be kept once the calls that ended so far are in the ledger."""
        return Checkpoint(self.journal.next_number, freeze(self.observer))

    def keep(self, checkpoint: Checkpoint, seconds: float) -> bool:
        """Write a checkpoint, for ``seconds`` at most; the next start begins there. Blocks, from any thread.

        Raises:
            OSError: the disk refuses.
        """
        with self._keeping:
            if checkpoint.number < self._kept:
                return True
            if not self.journal.flush(seconds):  # a checkpoint ahead of its journal would hide the records to come
                return False
            write_checkpoint(self._folder, checkpoint)
            self._kept = checkpoint.number
        return True

    def _thawed(self, fresh: Observer) -> tuple[Observer, int]:
        checkpoint = read_checkpoint(self._folder)
        if checkpoint is not None:
            try:
                return thaw(checkpoint.state, fresh), checkpoint.number
            except ValueError as error:
                log.warning("%s: %s; reading the whole journal instead", self._folder, error)
        return fresh, 0

    def _resume(self, number: int, on_finished: Callable[[list[CallRecord]], None]) -> None:
        """Live through what came after the checkpoint; from then until the link stands nothing is seen."""
        again = Reenactment(self.observer, number)
        count = 0
        for record, entry in read_entries(self._folder, number):
            count += 1
            try:
                finished = again.feed(record, entry)
            except AmiProtocolError as error:
                log.error("%s: record %d holds no events: %s", self._folder, record, error)  # noqa: TRY400
                continue
            if finished:
                on_finished(finished)
        observer = self.observer
        observer.timekeeper.part()
        observer.forget_failures()
        if observer.reached is None:
            return
        if not observer.is_lost:
            self.journal.append(Lost(observer.reached, GapCause.TELEMON_STOPPED))
            observer.lose(observer.reached, GapCause.TELEMON_STOPPED)
        log.info(text()("daemon.resumed", pbx=observer.pbx, count=count, calls=len(observer.tracker.calls)))
