"""The list of lost callers as it lives in the daemon: in memory, and in the ledger for the next start.

Nothing here waits for the ledger but a thread of its own, which takes what others wrote there and writes what changed.
Each row can be merged with what is in memory (``telemon.callbacks.lost``), so two telemons on one ledger come to the
same list, and a list that could not be written for a while is written later. A caller who was reached leaves a row
without number until it would have expired: else the other telemon, or a journal read again, could bring him back.
"""

from __future__ import annotations

import logging
import threading
import time
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from telemon.ami.link import wall_clock
from telemon.callbacks.exchange import Exchange
from telemon.callbacks.lost import MOST_CALLERS, LostCallers, entry_of
from telemon.callbacks.numbers import plan_of, same_number_key, spelling
from telemon.callbacks.reading import concerns_nobody, contact_of, loss_of
from telemon.callbacks.sealing import load_seal
from telemon.calls import AFTER_ANSWER
from telemon.errors import LedgerError
from telemon.instants import from_seconds, to_datetime
from telemon.rulesets import load_rulesets

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sqlalchemy import Engine

    from telemon.callbacks.lost import Entry, Key
    from telemon.config import Config
    from telemon.instants import Instant
    from telemon.observer import Observer
    from telemon.records import CallRecord
    from telemon.rulesets import RuleSet

log = logging.getLogger(__name__)

EXCHANGE_SECONDS: Final = 5.0  # between two looks at what others wrote
PAUSE_SECONDS: Final = 0.5  # between two exchanges at least, however much changes
_PAUSES: Final = 10  # times what the last one took of the processor, which it shares with the reader
STOP_SECONDS: Final = 2.0
_HOUR_SECONDS: Final = 3600
_AT_HAND: Final = 2 * MOST_CALLERS  # names of numbers, each of which is several hashes


class Callbacks:
    """Who is to be called back. ``finished`` and ``entries`` belong to the event loop; ``done`` to any thread.

    ``lost_total`` counts the callers' lost calls taken, ``errors_total`` the exchanges that the ledger refused.
    """

    def __init__(self, config: Config, engine: Engine, *, clock: Callable[[], Instant] = wall_clock) -> None:
        """Read or make the key.

        Raises:
            ConfigError: the key file cannot be used.
        """
        self.lost_total = 0
        self.errors_total = 0
        self._keep = from_seconds(config.callbacks.keep_hours * _HOUR_SECONDS)
        self._minimum_digits = config.callbacks.minimum_digits
        self._plan = plan_of(config.country)
        self._rulesets = load_rulesets(config.rule_sets)[config.rule_set]
        self._zone = config.zone
        self._sites = {config.call_site(pbx): config.site_of(pbx) for pbx in config.pbx}
        self._pbx_sites = {pbx.name: config.site_of(pbx) for pbx in config.pbx}
        self._clock = clock
        self._seal = load_seal(config.callbacks_key_file)
        self._list = LostCallers(self._keep)
        self._lock = threading.Lock()
        self._exchange = Exchange(engine, self._seal, self._list, self._lock, frozenset(self._sites.values()))
        self._observers: list[Observer] = []
        self._shown: tuple[int, tuple[tuple[Key, Entry], ...]] = (-1, ())
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._failing = False
        self._caller = lru_cache(_AT_HAND)(self._name_of)
        self._entry_id = lru_cache(_AT_HAND)(self._seal.entry_id)
        self._thread = threading.Thread(target=self._keep_up, name="callbacks", daemon=True)

    @property
    def fallen_out_total(self) -> int:
        """How many callers were dropped because the list was full."""
        return self._list.fallen_out

    def reconfigure(self, config: Config) -> None:
        """Go on under another configuration: its rule set; what ``[callbacks]`` says waits for the next start."""
        self._rulesets = load_rulesets(config.rule_sets)[config.rule_set]

    # -- what happens

    def attend(self, observer: Observer) -> None:
        """Hear from now on whom the operators of one PBX call; and of what its journal told already."""
        self._observers.append(observer)

    def finished(self, records: Iterable[CallRecord]) -> None:
        """Take calls that are over, each as often as it comes."""
        for record in records:
            key = None if concerns_nobody(record) else self._key(self._site(record.site), record.caller)
            if key is None or not self._keep:
                continue
            contact = contact_of(record)
            if contact is not None:
                self._reach(key, contact)
            else:
                self._lose(key, record)

    def done(self, entry_id: str, by: str = "") -> bool:
        """Take a caller off the list because somebody says so; False if he is not on it (any more).

        What was lost until now is settled, by the PBX's own clock: a call lost from now on stands.
        """
        with self._lock:
            self._refresh(self._clock())
            found = next(((key, entry) for key, entry in self._shown[1] if entry.id == entry_id), None)
            if found is None:
                return False
            key, entry = found
            self._list.reach(key, entry.last_at)
        log.info("a lost caller of %s was taken off the list by %s", entry.site, by or "somebody")
        self._wake.set()
        return True

    # -- what is shown

    def entries(self, at: Instant | None = None) -> tuple[Entry, ...]:
        """Return who is to be called back at an instant (now), whoever was lost last first.

        Whoever is talking to an operator right now is left out.
        """
        self._hear_operators()
        now = self._clock() if at is None else at
        with self._lock:
            self._refresh(now)
        talking = self._talking() if self._shown[1] else frozenset()
        return tuple(entry for key, entry in self._shown[1] if key not in talking)

    def _refresh(self, now: Instant) -> None:
        self._list.expire(now)
        if self._shown[0] != self._list.version:
            everybody = self._list.all().items()
            entries = ((key, entry_of(self._entry_id(key), key, losses)) for key, losses in everybody)
            self._shown = (self._list.version, tuple(entries))

    def _talking(self) -> frozenset[Key | None]:
        return frozenset(
            self._key(self._pbx_site(observer), call.caller)
            for observer in self._observers
            for call in observer.tracker.open_calls()
            if call.phase in AFTER_ANSWER and not call.is_probe
        )

    def _hear_operators(self) -> None:
        for observer in self._observers:
            for reached in observer.calls_out.take():
                key = self._key(self._pbx_site(observer), reached.number)
                if key is not None and self._keep:
                    self._reach(key, reached.at)

    # -- in the ledger

    def start(self) -> None:
        """Begin to exchange with the ledger, at once."""
        self._thread.start()

    def stop(self) -> None:
        """Write what is left, for two seconds at most."""
        self._stopping.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(STOP_SECONDS)

    def exchange(self) -> None:
        """Do once what the thread does: take what others wrote, write what changed, erase what is too old.

        Raises:
            LedgerError: the database refuses.
        """
        self._hear_operators()
        if self._keep:
            self._exchange.run(self._clock())
            with self._lock:
                keys = list(self._list.snapshot())
            for key in keys:
                self._entry_id(key)  # here, so that the event loop has it at hand
        else:
            self._exchange.erase_all()

    def _keep_up(self) -> None:
        while not self._stopping.is_set():
            self._wake.clear()
            began = time.thread_time()
            self._try_exchange()
            if not self._stopping.wait(max(PAUSE_SECONDS, _PAUSES * (time.thread_time() - began))):
                self._wake.wait(EXCHANGE_SECONDS)
        self._try_exchange()

    def _try_exchange(self) -> None:
        try:
            self.exchange()
        except LedgerError as error:
            self.errors_total += 1
            if not self._failing:
                log.error("%s; the list of lost callers goes on in memory and is written later", error)  # noqa: TRY400 - the text says it all
            self._failing = True
        else:
            self._failing = False

    # -- of one call

    def _key(self, site: str, number: str) -> Key | None:
        spelled = spelling(number, self._minimum_digits)
        return None if spelled is None else (site, self._caller(spelled))

    def _name_of(self, spelled: str) -> str:
        return self._seal.caller(same_number_key(spelled, self._plan))

    def _site(self, call_site: str) -> str:
        return self._sites.get(call_site, call_site)

    def _pbx_site(self, observer: Observer) -> str:
        return self._pbx_sites.get(observer.pbx, observer.pbx)

    def _lose(self, key: Key, record: CallRecord) -> None:
        number = spelling(record.caller, self._minimum_digits)
        now = self._clock()
        until = self._list.until(record.ended_at or record.arrived_at, now)
        loss = None if number is None else loss_of(record, self._ruleset(record.arrived_at), number, until)
        if loss is None:
            return
        with self._lock:
            self._list.lose(key, loss, now)
        self.lost_total += 1
        self._wake.set()

    def _reach(self, key: Key, at: Instant) -> None:
        with self._lock:
            before = self._list.version
            self._list.reach(key, at)
            changed = self._list.version != before
        if changed:
            self._wake.set()

    def _ruleset(self, at: Instant) -> RuleSet:
        day = to_datetime(at).astimezone(self._zone).date()
        valid = [ruleset for ruleset in self._rulesets if ruleset.valid_from <= day]
        return valid[-1] if valid else self._rulesets[0]
