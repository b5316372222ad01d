"""What telemon tells of itself: its links, what they see, its journals and its ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

from telemon.instants import to_seconds
from telemon.metrics.families import Family

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from telemon.ami.link import Link
    from telemon.journal.writer import Journal
    from telemon.ledger.writer import LedgerWriter
    from telemon.metrics.families import Kind

_One = TypeVar("_One")
_LINKS: Final[tuple[tuple[str, str, Kind, Callable[[Link], float]], ...]] = (
    ("telemon_ami_connected", "1 while events of this PBX are being received.", "gauge",
     lambda one: one.connected),
    ("telemon_ami_event_lag_seconds", "Age of the newest event when it was used.", "gauge",
     lambda one: to_seconds(one.lag)),
    ("telemon_ami_timestamped", "1 while events carry Asterisk's own time.", "gauge",
     lambda one: one.observer.decoder.stamped),
    ("telemon_ami_events_total", "Events used.", "counter", lambda one: one.observer.events),
    ("telemon_ami_connects_total", "Logins that ended in a complete list of what exists.", "counter",
     lambda one: one.connects),
    ("telemon_ami_ambiguous_events_total", "Events dropped for a header that came twice.", "counter",
     lambda one: one.observer.decoder.ambiguous),
    ("telemon_event_errors_total", "Events on which telemon itself stumbled.", "counter",
     lambda one: one.observer.failures),
    ("telemon_ami_clock_steps_total", "How often this PBX's clock was set.", "counter",
     lambda one: one.observer.steps),
    ("telemon_observation_seeing", "1 while calls of this PBX are seen, 0 in a gap.", "gauge",
     lambda one: not one.observer.watch.is_blind),
)  # fmt: skip
_JOURNALS: Final[tuple[tuple[str, str, Kind, Callable[[Journal], float]], ...]] = (
    ("telemon_journal_pending_bytes", "Events that are not on the journal's disk yet.", "gauge",
     lambda one: one.pending_bytes),
    ("telemon_journal_size_bytes", "What the journal takes on its disk.", "gauge", lambda one: one.size_bytes),
    ("telemon_journal_failing", "1 while the journal cannot be written.", "gauge", lambda one: one.failing),
    ("telemon_journal_written_records_total", "Records on the journal's disk.", "counter",
     lambda one: one.written_total),
    ("telemon_journal_lost_records_total", "Records that could not be kept.", "counter", lambda one: one.lost_total),
    ("telemon_journal_purged_segments_total", "Segments removed for age or space.", "counter",
     lambda one: one.purged_total),
)  # fmt: skip
_LEDGER: Final[tuple[tuple[str, str, Kind, Callable[[LedgerWriter], float]], ...]] = (
    ("telemon_ledger_pending_records", "Accepted, not yet written.", "gauge", lambda one: one.pending),
    ("telemon_ledger_written_records_total", "Written and committed.", "counter", lambda one: one.written_total),
    ("telemon_ledger_errors_total", "Attempts to write that failed.", "counter", lambda one: one.errors_total),
    ("telemon_ledger_lost_records_total",
     "Records that could not be kept: too many waited, or no row can hold them.", "counter",
     lambda one: one.dropped_total + one.rejected_total),
)  # fmt: skip


class Own:
    """Reads links, journals and ledger at the scrape; ``sites`` are sites by call site."""

    def __init__(
        self,
        sites: Mapping[str, str],
        links: Iterable[Link],
        ledger: LedgerWriter | None,
        journals: Mapping[str, Journal],
    ) -> None:
        self._links = {(link.peer.name,): link for link in links}
        self._sites = sites
        self._journals = {(pbx,): journal for pbx, journal in journals.items()}
        self._ledgers = {} if ledger is None else {(): ledger}
        self._of_links = _families(_LINKS, ("pbx",))
        self._of_journals = _families(_JOURNALS, ("pbx",))
        self._of_ledger = _families(_LEDGER, ())
        self._info = Family("telemon_pbx_info", "Which site a PBX belongs to.", ("pbx", "site"))
        self._gaps = Family(
            "telemon_observation_gap_seconds_total",
            "Time in which this PBX was not watched, by cause, since its journal began.",
            ("pbx", "cause"),
            kind="counter",
        )

    def render(self) -> Iterator[bytes]:
        """Yield the text in pieces, each a short piece of work."""
        for family, value in self._of_links:
            yield family.render([(labels, float(value(link))) for labels, link in self._links.items()])
        yield self._info.render([((*labels, self._site(link)), 1) for labels, link in self._links.items()])
        yield self._gaps.render(
            [
                ((*labels, cause.value), to_seconds(duration))
                for labels, link in self._links.items()
                for cause, duration in link.observer.watch.blind_durations(link.now).items()
            ]
        )
        for of_journal, read in self._of_journals:
            yield of_journal.render([(labels, float(read(journal))) for labels, journal in self._journals.items()])
        for of_ledger, take in self._of_ledger:
            yield of_ledger.render([(labels, float(take(ledger))) for labels, ledger in self._ledgers.items()])

    def _site(self, link: Link) -> str:
        call_site = link.observer.tracker.site
        return self._sites.get(call_site, call_site)


def _families(
    table: Iterable[tuple[str, str, Kind, Callable[[_One], float]]], labels: tuple[str, ...]
) -> list[tuple[Family, Callable[[_One], float]]]:
    return [(Family(name, said, labels, kind=kind), value) for name, said, kind, value in table]
