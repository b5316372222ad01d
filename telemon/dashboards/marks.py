"""What the ledger knows and Prometheus forgets: gaps and crises, as annotations of Grafana."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from telemon.gaps import gaps_of
from telemon.instants import SECOND
from telemon.ledger.reader import read_observations
from telemon.ledger.reading_crises import read_crises
from telemon.ledger.store import open_ledger
from telemon.texts import text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Engine

    from telemon.config import Config
    from telemon.duty_records import Crisis
    from telemon.gaps import Gap
    from telemon.instants import Duration, Instant

TAG: Final = "telemon"
SHORTEST_GAP: Final = 60 * SECOND
SPAN: Final[Duration] = 400 * 86_400 * SECOND
"""How far back gaps and crises are told: a year, and the month in which it is looked at."""
_MILLISECOND: Final = SECOND // 1000


@dataclass(frozen=True, slots=True)
class Mark:
    """One annotation; times in milliseconds since the epoch. What still goes on ends where it began."""

    tags: tuple[str, ...]
    words: str
    start: int
    end: int

    @property
    def identity(self) -> str:
        """The tag by which it is found again."""
        return self.tags[-1]


def read_marks(config: Config, now: Instant) -> list[Mark]:
    """Return the gaps of a minute and more and the crises of the last 400 days, in no order.

    Raises:
        LedgerError: the ledger is not there, or cannot be read.
    """
    engine = open_ledger(config.ledger.url, must_exist=True)
    try:
        marks = [_gap_mark(config, gap, now) for gap in _gaps(engine, config, now)]
        crises = read_crises(engine, config.site)
        return marks + [_crisis_mark(one) for one in crises if one.ordered_at > now - SPAN]
    finally:
        engine.dispose()


def _gaps(engine: Engine, config: Config, now: Instant) -> Iterator[Gap]:
    for pbx in config.pbx:
        intervals = list(read_observations(engine, pbx.name, now - SPAN, now))
        if not intervals:
            continue
        first = max(now - SPAN, min(interval.started_at for interval in intervals))  # before it, nobody was to watch
        yield from (gap for gap in gaps_of(intervals, first, now, now, pbx=pbx.name) if gap.duration >= SHORTEST_GAP)


def _gap_mark(config: Config, gap: Gap, now: Instant) -> Mark:
    site = next(config.site_of(pbx) for pbx in config.pbx if pbx.name == gap.pbx)
    words = text()("dashboards.gap", pbx=gap.pbx, cause=text()(f"gap.{gap.cause}"))
    end = gap.start if gap.end >= now else gap.end
    return _mark("gap", site, (gap.pbx, gap.start), words, gap.start, end)


def _crisis_mark(crisis: Crisis) -> Mark:
    key = "dashboards.exercise" if crisis.is_exercise else "dashboards.crisis"
    words = text()(key, title=crisis.title or crisis.service, service=crisis.service)
    end = crisis.ordered_at if crisis.closed_at is None else crisis.closed_at
    return _mark("crisis", crisis.site, (crisis.crisis_id,), words, crisis.ordered_at, end)


def _mark(kind: str, site: str, key: tuple[object, ...], words: str, start: Instant, end: Instant) -> Mark:
    # Grafana keeps a tag's two halves in 100 characters each, and parts them at the colon.
    name = sha256("|".join(map(str, (kind, site, *key))).encode()).hexdigest()[:20]
    return Mark((TAG, kind, f"site:{site}", f"id:{name}"), words, start // _MILLISECOND, end // _MILLISECOND)
