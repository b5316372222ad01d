"""Bringing what Asterisk wrote itself into the ledger, some hundred calls at a time."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING, Final

from sqlalchemy.exc import OperationalError, SQLAlchemyError

from telemon.errors import LedgerError
from telemon.ledger.source_calls import LIVE, HiddenRowMaker, calls_by_id, hidden, put_sources, sources_of
from telemon.ledger.statements import OvertakenError, Statements
from telemon.ledger.trouble import reason
from telemon.repair.kinds import SourceKind
from telemon.repair.settling import Settled, settle

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Connection, Engine

    from telemon.instants import Duration
    from telemon.records import CallRecord
    from telemon.repair.settling import Sightings, Verdict

BATCH: Final = 500  # calls in one transaction: a daemon that writes meanwhile waits for no longer
_ATTEMPTS: Final = 10
_PAUSE_SECONDS: Final = 0.5


class Repairer:
    """Settles the calls of one source with the ledger; ``counts`` says how each was.

    The same calls given twice, or by several sources in any order, leave the same ledger.
    """

    def __init__(
        self,
        engine: Engine,
        kind: SourceKind,
        pbx: str,
        sightings: Sightings,
        *,
        key: bytes,
        ring_cycle: Duration,
        dry_run: bool = False,
    ) -> None:
        """Prepare to write.

        Args:
            engine: of the ledger.
            kind: what the calls come from.
            pbx: the PBX that wrote it, by its name in the configuration.
            sightings: when that was watched.
            key: the pseudonyms'.
            ring_cycle: the site's (ITU-T E.180), in microseconds.
            dry_run: decide and count, and write nothing.
        """
        self.counts: Counter[Verdict] = Counter()
        self._engine = engine
        self._kind = kind
        self._pbx = pbx
        self._sightings = sightings
        self._key = key
        self._rows = HiddenRowMaker(ring_cycle=ring_cycle)
        self._statements = Statements(engine.dialect)
        self._dry_run = dry_run

    def take(self, calls: Sequence[CallRecord]) -> None:
        """Settle some calls, at most ``BATCH`` of them.

        Raises:
            LedgerError: the database refuses; what was taken before is written.
        """
        found = {call.call_id: call for call in (hidden(call, self._key) for call in calls)}
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                self._settle(found)
            except (OvertakenError, OperationalError) as error:
                if attempt == _ATTEMPTS:
                    raise self._refusal(error) from error
                time.sleep(_PAUSE_SECONDS)  # the daemon is writing
            except SQLAlchemyError as error:
                raise self._refusal(error) from error
            else:
                return

    def _refusal(self, error: Exception) -> LedgerError:
        name = self._engine.url.render_as_string(hide_password=True)
        return LedgerError(f"ledger {name}: cannot write what was imported: {reason(error)}")

    def _settle(self, found: dict[str, CallRecord]) -> None:
        with self._engine.connect() as connection:
            if not self._dry_run:
                self._statements.begin(connection)
            known = sources_of(connection, found)
            settled = self._decide(connection, found, known)
            if not self._dry_run:
                news = [call for call_id, call in found.items() if known.get(call_id, {}).get(self._kind) != call]
                self._write(connection, news, settled)
                connection.commit()
        self.counts.update(one.verdict for one in settled.values())

    def _decide(
        self, connection: Connection, found: dict[str, CallRecord], known: Mapping[str, Mapping[str, CallRecord]]
    ) -> dict[str, Settled]:
        rows = calls_by_id(connection, found)
        settled = {}
        for call_id, call in found.items():
            before = known.get(call_id, {})
            sources = {SourceKind(name): told for name, told in before.items() if name != LIVE}
            settled[call_id] = settle(
                rows.get(call_id), before.get(LIVE), {**sources, self._kind: call}, self._sightings
            )
        return settled

    def _write(self, connection: Connection, news: list[CallRecord], settled: dict[str, Settled]) -> None:
        changed = [one.row for one in settled.values() if one.row is not None]
        if changed:
            self._statements.write(connection, self._rows.rows(changed))
        kept = [(LIVE, one.live) for one in settled.values() if one.live is not None]
        put_sources(connection, self._pbx, [*((self._kind.value, call) for call in news), *kept])
