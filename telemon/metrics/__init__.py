"""What Prometheus scrapes. Labels are bounded: site, service, outcome, PBX, an operator's state; never a caller.

Counters and histograms count finished calls. What is true only now is read at the scrape, and only for a PBX that is
being watched: while blind, those gauges vanish instead of freezing. Figures of a day, month or year come from the
ledger (``telemon.figures``).
"""

from telemon.metrics.exposing import Metrics, pieces
from telemon.metrics.finished import RING_BOUNDS, SECONDS_BOUNDS

__all__ = ["RING_BOUNDS", "SECONDS_BOUNDS", "Metrics", "pieces"]
