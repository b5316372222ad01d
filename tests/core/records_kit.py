"""What tests of the readers of Asterisk's own records share: the recorded files, and the truth of their calls."""

import csv
import gzip
import io
import json
import sys
from datetime import UTC
from pathlib import Path

from telemon.instants import SECOND
from telemon.repair.columns import layout
from telemon.repair.kinds import SourceKind
from telemon.services import Numbering

RECORDINGS = Path(__file__).parent.parent / "recordings"
VERSIONS = ("16", "22")
_SAME = 1.1  # seconds between two arrivals that are one


def recorded(kind, version):
    """Return the rows of one recorded CSV file."""
    data = gzip.decompress((RECORDINGS / kind / f"{version}.csv.gz").read_bytes()).decode()
    rows = []
    for cells in csv.reader(io.StringIO(data)):
        meant = layout(SourceKind(kind), cells)
        assert meant is not None
        rows.append(dict(zip(meant, cells, strict=True)))
    return rows


def truths(version):
    """Return the truth of every recorded call, and the story that it belongs to."""
    stories = json.loads(gzip.decompress((RECORDINGS / "truth" / f"{version}.json.gz").read_bytes()))
    return [{"scenario": story["scenario"], **call} for story in stories for call in story["calls"]]


def read(reader_type, rows, *, zone=UTC, numbering=None):
    """Return the calls in these rows, and the reader."""
    reader = reader_type("test", numbering or Numbering(), 5 * SECOND, zone)
    columns = dict.fromkeys(sys.modules[reader_type.__module__].FIELDS, "")
    calls = [call for row in rows for call in reader.feed({**columns, **row})]
    return calls + reader.finish(), reader


def paired(calls, told):
    """Join truth and calls by caller and arrival, None where there is no such call; return what is left over, too."""
    left, pairs = sorted(calls, key=lambda call: (call.arrived_at, int(call.linkedid.rpartition(".")[2]))), []
    for truth in told:
        own = [c for c in left if c.caller == truth["caller"] and _apart(c, truth) < _SAME]
        nearest = min(own, key=lambda call: _apart(call, truth), default=None)
        pairs.append((nearest, truth))
        left = [call for call in left if call is not nearest]
    return pairs, left


def _apart(call, truth):
    return abs(call.arrived_at / 1e6 - truth["invite_at_unix"])
