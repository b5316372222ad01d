"""Reading both sides: a truth's file, and a ledger in any of its forms."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from simulators.compare.database import Database
from simulators.compare.row import from_json
from simulators.truth import read_truth
from telemon.cadences import ring_cycle
from telemon.cli.common import settle
from telemon.errors import TelemonError
from telemon.instants import SECOND, from_seconds
from telemon.ledger.pseudonym_key import load_or_create_key
from telemon.ledger.store import open_ledger
from telemon.texts import text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from simulators.compare.row import LedgerRow
    from simulators.truth import CallTruth
    from telemon.instants import Duration, Instant

MARGIN: Final[Duration] = 86_400 * SECOND  # so that a call whose clock is hours off can still be joined by its id
_SQLITE: Final = b"SQLite format 3\0"  # https://www.sqlite.org/fileformat.html section 1.2.1
_KEY_NAME: Final = "telemon.key"  # as in telemon.config


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where a ledger is, and what is needed to read it: the ``url`` of a database, or else the ``file`` of its lines.

    ``file`` is also SQLite's own, and None for a database server. ``key`` is that of the pseudonyms, where it is known;
    ``ring_cycle`` (microseconds) the country's; ``site`` None for all; ``zone`` that in which instants are shown.
    """

    file: Path | None
    url: str | None = None
    key: bytes | None = None
    ring_cycle: Duration
    short_abandon: Duration = 5 * SECOND  # DESIGN chapter 2, and telemon's default
    site: str | None
    zone: tzinfo = UTC


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Rows to read: how many there are, where that is known, and how many more arrived days before or after."""

    rows: Iterator[LedgerRow]
    total: int | None = None
    beyond: int = 0


def locate(ledger: str, *, key: Path | None, site: str | None, country: str | None) -> Source:
    """Return what this word names: a database's URL, a SQLite file, a telemon.toml, or a file of NDJSON lines.

    ``key``, ``site`` and ``country`` win over what a telemon.toml says. Without ``key``, the file ``telemon.key``
    beside the ledger is taken, if there is one.

    Raises:
        TelemonError: there is no such file, or what it says cannot be understood; no cadence is known of the country.
    """
    cycle = ring_cycle(country or "fr")
    if "://" in ledger:
        file = _file_of(ledger)
        return Source(file=file, url=ledger, key=_key(key, _beside(file)), site=site, ring_cycle=cycle)
    path = Path(ledger)
    try:
        with path.open("rb") as opened:
            head = opened.read(len(_SQLITE))
    except OSError as error:
        raise TelemonError(text()("compare.no_file", path=path, reason=error.strerror or error)) from error
    if head != _SQLITE and path.suffix == ".toml":
        return _configured(path, key=key, site=site, country=country)
    url = f"sqlite:///{path.absolute()}" if head == _SQLITE else None
    return Source(file=path, url=url, key=_key(key, _beside(path)), site=site, ring_cycle=cycle)


def read_truths(path: Path) -> Iterator[CallTruth]:
    """Yield the truths of a file.

    Raises:
        TelemonError: it cannot be read, is no truth, or holds no call at all.
    """
    some = False
    try:
        for truth in read_truth(path):
            some = True
            yield truth
    except UnicodeDecodeError as error:
        raise TelemonError(text()("compare.no_text", path=path)) from error
    if not some:
        raise TelemonError(text()("compare.no_truth", path=path))


def read_rows(source: Source, start: Instant, end: Instant) -> Rows:
    """Return the rows of a ledger that arrived between two instants, or up to a day before or after.

    Raises:
        TelemonError: it cannot be read, a line is no call, or no call is of that site (at once, or while reading).
    """
    if source.url is None:
        return Rows(rows=_lines(source))
    if source.file is not None and not source.file.exists():
        raise TelemonError(text()("compare.no_ledger", path=source.file))
    engine = open_ledger(source.url)
    database = Database(engine, source.site)
    inside, beyond = database.count(start - MARGIN, end + MARGIN)
    if not inside and not beyond:
        _check_site(source, database.sites())

    def rows() -> Iterator[LedgerRow]:
        yield from database.rows(start - MARGIN, end + MARGIN)
        engine.dispose()

    return Rows(rows=rows(), total=inside, beyond=beyond)


def _configured(path: Path, *, key: Path | None, site: str | None, country: str | None) -> Source:
    config = settle(path)
    return Source(
        file=_file_of(config.ledger.url),
        url=config.ledger.url,
        key=_key(key, config.ledger.key_file),
        ring_cycle=ring_cycle(country or config.country),
        short_abandon=from_seconds(config.short_abandon_seconds),
        site=site or config.site,
        zone=config.zone,
    )


def _key(wanted: Path | None, usual: Path) -> bytes | None:
    """Return the key that is wanted, else the usual one, if there is one; none is ever made here."""
    if wanted is None and not usual.exists():
        return None
    path = usual if wanted is None else wanted
    if not path.exists():
        raise TelemonError(text()("compare.no_key", path=path))
    return load_or_create_key(path)


def _beside(ledger: Path | None) -> Path:
    return (Path() if ledger is None else ledger.parent) / _KEY_NAME


def _file_of(url: str) -> Path | None:
    try:
        target = make_url(url)
    except ArgumentError:
        return None  # opening it will say what is wrong
    return Path(target.database) if target.get_backend_name() == "sqlite" and target.database else None


def _lines(source: Source) -> Iterator[LedgerRow]:
    """Yield the calls of a file that ``telemon calls`` or ``telemon replay`` wrote."""
    assert source.file is not None
    others: set[str] = set()
    some = False
    for row in _parsed(source.file):
        if source.site is None or row.site == source.site or row.site.startswith(f"{source.site}/"):
            some = True
            yield row
        else:
            others.add(row.site)
    if not some:
        _check_site(source, others)


def _parsed(path: Path) -> Iterator[LedgerRow]:
    number = 0
    try:
        with path.open(encoding="utf-8") as file:
            for line in file:
                number += 1
                yield from_json(json.loads(line))
    except OSError as error:
        raise TelemonError(text()("compare.no_file", path=path, reason=error.strerror or error)) from error
    except (ValueError, KeyError, TypeError) as error:
        raise TelemonError(text()("compare.no_call", path=path, line=number, reason=repr(error))) from error


def _check_site(source: Source, sites: set[str]) -> None:
    if sites:
        raise TelemonError(text()("compare.wrong_site", site=source.site, known=", ".join(sorted(sites))))
